"""Every parameter of a scoring run, with its evidence."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from eeg.errors import ParameterError

BETA_HZ = (13.0, 30.0)
GAMMA_HZ = (30.0, 45.0)
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
    picks : str or tuple of str
        ``"all"``, ``"central"`` or channel names.
    ica : bool
        Take out eye and muscle components first.
    overlap : float or None
        Overlap of windows, 0 to 0.75; None: one half with up to 32 channels, where sampling error matters, none
        above, where drift outweighs it (benchmarks/eeg_speed.py, docs/eeg.md).
    average_reference : bool or None
        None: with 16 EEG channels or more.
    edge_s : float
        Left out at both ends of the recording (filters settle, electrodes are touched).
    baseline_max_s : float
        Of the time before the first and after the last item, at most this much each, the part next to the music.
    threads : int
        Beside the reading thread; 0 computes in it.
    """

    beta: tuple[float, float] = BETA_HZ
    gamma: tuple[float, float] = GAMMA_HZ
    picks: str | tuple[str, ...] = "all"
    ica: bool = False
    overlap: float | None = None
    average_reference: bool | None = None
    edge_s: float = 1.0
    baseline_max_s: float = 600.0
    threads: int = 2

    def __post_init__(self) -> None:
        for name in ("beta", "gamma"):
            low, high = getattr(self, name)
            if not (math.isfinite(low) and math.isfinite(high) and 1.0 <= low and high - low >= 2.0):
                raise ParameterError(
                    f"{name} {low:g}-{high:g} is no band: give two frequencies from 1 Hz up, at least 2 Hz apart, "
                    "as 13-30"
                )
        if self.overlap is not None and not 0.0 <= self.overlap <= 0.75:
            raise ParameterError(f"overlap {self.overlap:g} is out of range: give 0 to 0.75")
        if not isinstance(self.picks, str) and not self.picks:
            raise ParameterError("picks names no channel: give all, central or channel names")

    @property
    def all_bands(self) -> dict[str, tuple[float, float]]:
        """Every band to score, by name, in Hz."""
        return {"beta": self.beta, "gamma": self.gamma}

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters as plain values."""
        return asdict(self)


def parse_band(text: str) -> tuple[float, float]:
    """Return a band from its text: ``"13-30"`` -> ``(13.0, 30.0)``; ParameterError otherwise."""
    low, dash, high = text.strip().partition("-")
    try:
        band = float(low), float(high)
    except ValueError:
        raise ParameterError(f"band {text!r} is not two frequencies: write it as 13-30") from None
    if not dash or not all(math.isfinite(value) for value in band):
        raise ParameterError(f"band {text!r} is not two frequencies: write it as 13-30")
    Settings(beta=band)
    return band
