"""Every parameter of a scoring run, with its evidence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from eeg.errors import ParameterError

BETA_HZ = (13.0, 30.0)
GAMMA_HZ = (30.0, 45.0)
# Customary names of bands; low and high beta are halves of beta as used in neurofeedback.
NAMED_BANDS = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "low-beta": (13.0, 20.0),
    "high-beta": (20.0, 30.0),
    "beta": BETA_HZ,
    "gamma": GAMMA_HZ,
}
# A criterion like a band: right against left.
ASYMMETRY = "-asymmetry"
_BAND_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
_TAKEN = {"both", "muscle", "line"}
# Power that muscle dominates and that holds no line frequency at its ends (Gasser 2005, 10.1016/j.clinph.2005.06.008).
MUSCLE_HZ = (51.0, 69.0)
# Where the recording is lowpassed below that: the log-log slope here (Fitzgibbon 2016, 10.1016/j.clinph.2015.10.030).
MUSCLE_SLOPE_HZ = (7.0, 45.0)
APERIODIC_HZ = (2.0, 40.0)

# Salinsky 1991 (10.1016/0013-4694(91)90027-V): 60 s of clean EEG give test-retest r = 0.92, 20 s 0.84.
REFUSE_BELOW_S = 30.0
FLAG_BELOW_S = 60.0


@dataclass(frozen=True)
class Settings:
    """Parameters of a scoring run.

    Parameters
    ----------
    beta, gamma : (float, float)
        Bands in Hz, lower end included.
    bands : mapping of str to (float, float)
        More bands, by name, in Hz.
    muscle : bool
        Regress the ranking on a muscle index, where there is one that contains no scored band.
    picks : str or tuple of str
        ``"all"``, ``"central"`` or channel names.
    ica : bool
        Take out eye and muscle components first.
    overlap : float or None
        Overlap of windows, 0 to 0.75; None: one half with up to 32 channels, where sampling error matters, none
        above, where drift outweighs it (benchmarks/eeg/speed.py, docs/eeg.md).
    average_reference : bool or None
        None: with 16 EEG channels or more.
    edge_s : float
        Left out at both ends of the recording (filters settle, electrodes are touched).
    baseline_max_s : float
        How much of the time before the first item, and after the last, counts as baseline at most, seconds: the part
        next to the music.
    threads : int
        Worker threads beside the reading one; 0 computes in that.

    Examples
    --------
    >>> from eeg import Settings
    >>> Settings(beta=(15.0, 25.0)).all_bands["beta"]
    (15.0, 25.0)
    """

    beta: tuple[float, float] = BETA_HZ
    gamma: tuple[float, float] = GAMMA_HZ
    bands: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    muscle: bool = True
    picks: str | tuple[str, ...] = "all"
    ica: bool = False
    overlap: float | None = None
    average_reference: bool | None = None
    edge_s: float = 1.0
    baseline_max_s: float = 600.0
    threads: int = 2

    def __post_init__(self) -> None:
        for name in self.bands:
            if not _BAND_NAME.fullmatch(name) or name in _TAKEN or name.endswith(ASYMMETRY):
                raise ParameterError(f"{name!r} is no name for a band: give up to 24 small letters, digits and hyphens")
        for name, band in self.all_bands.items():
            _check_band(name, band)
        if self.overlap is not None and not 0.0 <= self.overlap <= 0.75:
            raise ParameterError(f"overlap {self.overlap:g} is out of range: give 0 to 0.75")
        if not isinstance(self.picks, str) and not self.picks:
            raise ParameterError("picks names no channel: give all, central or channel names")

    @property
    def all_bands(self) -> dict[str, tuple[float, float]]:
        """Every band to score, by name, in Hz."""
        return {"beta": self.beta, "gamma": self.gamma, **self.bands}

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters as plain values."""
        return asdict(self)


def _check_band(name: str, band: tuple[float, float]) -> None:
    low, high = band
    if not (math.isfinite(low) and math.isfinite(high) and 1.0 <= low and high - low >= 2.0):
        raise ParameterError(
            f"{name} {low:g}-{high:g} is no band: give two frequencies from 1 Hz up, at least 2 Hz apart, as 13-30"
        )


def parse_band(text: str, name: str = "beta") -> tuple[float, float]:
    """Return the band of a name from its text: ``"13-30"`` -> ``(13.0, 30.0)``; ParameterError otherwise."""
    low, dash, high = text.strip().partition("-")
    try:
        band = float(low), float(high)
    except ValueError:
        raise ParameterError(f"band {text!r} is not two frequencies: write it as 13-30") from None
    if not dash or not all(math.isfinite(value) for value in band):
        raise ParameterError(f"band {text!r} is not two frequencies: write it as 13-30")
    _check_band(name, band)
    return band


def parse_named_band(text: str) -> tuple[str, tuple[float, float]]:
    """Return a band with its name: ``"alpha=8-12"``, or ``"alpha"`` for the customary limits.

    Raises
    ------
    ParameterError
        No such band, no name for one, or no two frequencies.
    """
    name, equals, limits = text.strip().partition("=")
    name = name.strip().lower()
    if equals:
        return name, parse_band(limits, name)
    if name not in NAMED_BANDS:
        raise ParameterError(f"band {text!r} is not known: give one of {', '.join(NAMED_BANDS)}, or NAME=LOW-HIGH")
    return name, NAMED_BANDS[name]
