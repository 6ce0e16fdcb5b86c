"""Results of a scoring run: plain, frozen, ready for JSON and for a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

# What the flags of plays, and of pieces in a ranking, mean.
FLAGS = {
    "too-little-clean": "the piece has under 30 s of clean data: not scored",
    "short": "the piece has under a minute of clean data",
    "muscle": "muscle differs from that in silence by over 1 dB",
    "muscle-unknown": "no muscle index that holds none of the scored bands can be had: muscle is not taken out",
    "gamma-may-be-muscle": "muscle reaches the gamma band, and this may be it",
    "no-silence-baseline": "too little silence: values are against the mean of all plays",
    "aperiodic-short": "under 3 min of clean data: the value above 1/f is unsteady",
    "one-play": "played only once",
    "only-rated": "rated, but never recorded",
}


@dataclass(frozen=True)
class BandScore:
    """Power of one band during one play; None where it is not known.

    Parameters
    ----------
    db : float or None
        Against the recording's baseline, dB, mean over channels.
    adjusted_db : float or None
        The same above the aperiodic part, which is fitted on spectra pooled over the piece's plays.
    uv2 : float or None
        Band power in uV^2, geometric mean over channels.
    asymmetry : float or None
        ln of power over the right one of a pair of frontal electrodes minus ln over the left one.
    asymmetry_db : float or None
        The same against the baseline, dB.
    """

    db: float | None
    adjusted_db: float | None
    uv2: float | None
    asymmetry: float | None = None
    asymmetry_db: float | None = None


_NO_BAND = BandScore(None, None, None)


@dataclass(frozen=True)
class PlayScore:
    """Band power during one play, or one block of the baseline.

    Parameters
    ----------
    piece : str or None
        None for a block of the baseline.
    role : str
        ``"music"`` or ``"silence"``.
    onset_s, duration_s : float
        From the first stored sample, seconds.
    clean_s : float
        Clean seconds, mean over the channels scored.
    windows, windows_used : int
        Epochs cut, and those not left out in all channels.
    bands : mapping of str to BandScore
        By the band's name.
    muscle_db : float or None
        Muscle index against the baseline, dB, which the ranking regresses on; None where there is none, or it is not
        wanted.
    slope_db : float or None
        Log-log slope from 7 to 45 Hz against the baseline, as dB at 60 against 20 Hz: muscle makes it flatter, but so
        does power in the scored bands.
    line_db : float or None
        Height of the line frequency over its surroundings, dB.
    groups : mapping of str to (mapping of str to float or None)
        For each scalp group that has channels, dB of each band.
    flags : tuple of str
        Keys of `FLAGS`.
    """

    piece: str | None
    role: str
    onset_s: float
    duration_s: float
    clean_s: float
    windows: int
    windows_used: int
    bands: Mapping[str, BandScore]
    muscle_db: float | None
    slope_db: float | None
    line_db: float | None
    groups: Mapping[str, Mapping[str, float | None]]
    flags: tuple[str, ...]

    def band(self, name: str) -> BandScore:
        """Return the values of a band; all None where it was not scored."""
        return self.bands.get(name, _NO_BAND)

    @property
    def beta_db(self) -> float | None:
        """Beta power against the baseline, dB."""
        return self.band("beta").db

    @property
    def gamma_db(self) -> float | None:
        """Gamma power against the baseline, dB."""
        return self.band("gamma").db

    @property
    def beta_adjusted_db(self) -> float | None:
        """Beta power above the aperiodic part, against the baseline, dB."""
        return self.band("beta").adjusted_db

    @property
    def gamma_adjusted_db(self) -> float | None:
        """Gamma power above the aperiodic part, against the baseline, dB."""
        return self.band("gamma").adjusted_db

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; a band's values are ``<band>_db``, ``<band>_adjusted_db``, ``<band>_uv2``."""
        names = [name for name in self.__dataclass_fields__ if name not in {"bands", "groups", "flags"}]
        result: dict[str, Any] = {name: getattr(self, name) for name in names}
        for name, band in self.bands.items():
            result |= {f"{name}_{field}": value for field, value in asdict(band).items()}
        result["groups"] = {
            group: {f"{name}_db": value for name, value in values.items()} for group, values in self.groups.items()
        }
        result["flags"] = list(self.flags)
        return result


@dataclass(frozen=True)
class ReportArrays:
    """Arrays for pictures; not part of what is stored.

    Parameters
    ----------
    freqs : array, shape (bins,)
        Hz.
    spectra : mapping of str to array, shape (bins,)
        Pooled density of each piece, and of ``""`` (the baseline), uV^2/Hz, geometric mean over channels.
    epoch_s : array, shape (n_epochs,)
        Middle of each epoch.
    epoch_db : mapping of str to array, shape (n_epochs,)
        By band: its power against the baseline, dB; nan where it is left out.
    epoch_segment : array of int, shape (n_epochs,)
        Which segment it lies in: plays first, then blocks of the baseline.
    epoch_length_s : float
    epoch_clean : array, shape (n_epochs,)
        Share of channels that are clean.
    channel_db : mapping of str to array, shape (n_channels,)
        By band: mean over plays of each scored channel against the baseline, dB.
    segment_channel_db : mapping of str to array, shape (n_segments, n_channels)
        By band: each play, then each block of the baseline, at each scored channel, dB.
    positions : array, shape (n_channels, 2)
        On the head seen from above (nose up, radius 1 at the equator); nan where not known.
    marked_bad_s : array, shape (n_spans, 2)
        From and to, seconds, of what the file marks as bad.
    left_out : mapping of str to float
        Share of windows left out (0 to 1) of every EEG channel that is not bad as a whole.
    """

    freqs: Float64
    spectra: Mapping[str, Float64]
    epoch_s: Float64
    epoch_db: Mapping[str, Float64]
    epoch_segment: npt.NDArray[np.int64]
    epoch_length_s: float
    epoch_clean: Float64
    channel_db: Mapping[str, Float64]
    segment_channel_db: Mapping[str, Float64]
    positions: Float64
    marked_bad_s: Float64
    left_out: Mapping[str, float]


def _no_arrays() -> ReportArrays:
    nothing = np.empty(0)
    none = np.empty((0, 2))
    return ReportArrays(nothing, {}, nothing, {}, np.empty(0, np.int64), 2.0, nothing, {}, {}, none, none, {})


@dataclass(frozen=True)
class RecordingScore:
    """Everything about one scored recording.

    Parameters
    ----------
    file : str
        As given.
    sha256 : str
        Of the file; of all files of the recording one after another, where there are several.
    format : str
    sfreq : float
        Hz.
    duration_s : float
    meas_date : str or None
        ISO 8601; without an offset where the format does not say the time zone.
    channels : tuple of str
        Names of the EEG channels.
    scored_channels : tuple of str
        Names of the channels that are averaged.
    bad_channels : mapping of str to str
        Name and reason.
    line_freq : float or None
        Hz.
    reference : str
        ``"average"`` or ``"as recorded"``.
    bands : mapping of str to (float, float) or None
        As used, after clipping; None where the recording does not carry it.
    muscle_index : str
        How the muscle index was made, or why there is none.
    asymmetry_pair : str or None
        The two electrodes that asymmetry is computed from.
    source : str
        Where the timeline comes from.
    session : str or None
    plays, baseline : tuple of PlayScore
        By onset.
    rejected_windows : mapping of str to float
        Seconds of channel-windows left out, for each reason, as a share of all (0 to 1).
    marked_bad_s : float
        Seconds of plays and baseline that lie in spans which the file marks as bad; no windows are cut there.
    warnings : tuple of str
    settings : mapping
    versions : mapping of str to str
    figures : ReportArrays
        For the report.
    """

    file: str
    sha256: str
    format: str
    sfreq: float
    duration_s: float
    meas_date: str | None
    channels: tuple[str, ...]
    scored_channels: tuple[str, ...]
    bad_channels: Mapping[str, str]
    line_freq: float | None
    reference: str
    bands: Mapping[str, tuple[float, float] | None]
    muscle_index: str
    asymmetry_pair: str | None
    source: str
    session: str | None
    plays: tuple[PlayScore, ...]
    baseline: tuple[PlayScore, ...]
    rejected_windows: Mapping[str, float]
    marked_bad_s: float
    warnings: tuple[str, ...]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    figures: ReportArrays = field(default_factory=_no_arrays, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without the arrays for pictures."""
        names = [
            name
            for name in self.__dataclass_fields__
            if name not in {"plays", "baseline", "figures", "channels", "bad_channels"}
        ]
        result: dict[str, Any] = {name: _plain(getattr(self, name)) for name in names}
        result["channels"] = len(self.channels)
        result["channel_names"] = list(self.channels)
        result["bad_channels"] = list(self.bad_channels)
        result["bad_channel_reasons"] = dict(self.bad_channels)
        result["plays"] = [play.as_dict() for play in self.plays]
        result["baseline"] = [block.as_dict() for block in self.baseline]
        return result


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
