"""From arrays of segments to the plays of a result: values, groups of channels, flags, and the arrays for pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from eeg.bandpower.accumulate import Spectra
from eeg.bandpower.bands import NormalisedPower, mean_of, mean_over_plays
from eeg.bandpower.baseline import SegmentSpectra
from eeg.bandpower.muscle import MuscleIndex
from eeg.io.channels import GROUPS, group_of
from eeg.io.recording import Recording
from eeg.preparation import Preparation
from eeg.results import BandScore, PlayScore, ReportArrays
from eeg.settings import FLAG_BELOW_S, REFUSE_BELOW_S

# A larger change of power above 51 Hz is likely to reach the gamma band.
_MUSCLE_FLAG_DB = 1.0
_APERIODIC_WANTS_S = 180.0

Float64 = npt.NDArray[np.float64]


def play_scores(
    recording: Recording,
    prepared: Preparation,
    spectra: Spectra,
    segments: SegmentSpectra,
    power: NormalisedPower,
    muscle: MuscleIndex,
    line: Float64,
    sides: Mapping[str, tuple[Float64, Float64]],
    *,
    regress: bool,
) -> list[PlayScore]:
    """Return plays, then blocks of the baseline.

    Parameters
    ----------
    recording : Recording
    prepared : Preparation
    spectra : Spectra
    segments : SegmentSpectra
    power : NormalisedPower
    muscle : MuscleIndex
    line : array, shape (n_segments,)
        Height of the line frequency, dB.
    sides : mapping of str to (array, array)
        By band, from `asymmetry`; empty where no pair of electrodes is there.
    regress : bool
        Whether the ranking regresses on the muscle index.
    """
    groups = _groups(recording, prepared, power)
    scores = []
    for i, item in enumerate(prepared.segments.items):
        bands = {
            name: BandScore(
                _known(power.db[b, i]),
                _known(power.adjusted_db[b, i]),
                _known(power.uv2[b, i]),
                *(_known(values[i]) for values in sides.get(name, ())),
            )
            for b, name in enumerate(power.bands)
        }
        scores.append(
            PlayScore(
                piece=item.piece,
                role=item.role,
                onset_s=item.onset_s,
                duration_s=item.duration_s,
                clean_s=segments.clean_s[i],
                windows=int(spectra.epochs[i]),
                windows_used=int(spectra.used[i]),
                bands=bands,
                muscle_db=_known(muscle.db[i]) if regress else None,
                slope_db=_known(muscle.slope_db[i]),
                line_db=_known(line[i]),
                groups=groups[i],
                flags=_flags(segments, i, bands, muscle),
            )
        )
    return scores


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _flags(segments: SegmentSpectra, i: int, bands: Mapping[str, BandScore], muscle: MuscleIndex) -> tuple[str, ...]:
    music, clean_s = bool(segments.is_play[i]), segments.piece_clean_s[i]
    flags = []
    if music and clean_s < REFUSE_BELOW_S:
        flags.append("too-little-clean")
    elif music and clean_s < FLAG_BELOW_S:
        flags.append("short")
    if segments.against == "plays":
        flags.append("no-silence-baseline")
    change = muscle.db[i] if muscle.found else muscle.slope_db[i]
    if music and not muscle.found:
        flags.append("muscle-unknown")
    if music and abs(change) > _MUSCLE_FLAG_DB:  # nan is not
        flags.append("muscle")
        if bands["gamma"].db is not None:
            flags.append("gamma-may-be-muscle")
    if music and clean_s < _APERIODIC_WANTS_S and bands["beta"].adjusted_db is not None:
        flags.append("aperiodic-short")
    return tuple(flags)


def _groups(
    recording: Recording, prepared: Preparation, power: NormalisedPower
) -> list[dict[str, dict[str, float | None]]]:
    """Return, for each segment, dB of each band in each group of channels."""
    groups = np.array([group_of(recording.channels[prepared.eeg[i]].site) or "" for i in prepared.scored])
    present = [group for group in GROUPS if (groups == group).any()]
    return [
        {
            group: {
                name: _known(mean_of(power.channel_db[b, i, groups == group])) for b, name in enumerate(power.bands)
            }
            for group in present
        }
        for i in range(power.db.shape[1])
    ]


def report_arrays(
    recording: Recording, prepared: Preparation, spectra: Spectra, segments: SegmentSpectra, power: NormalisedPower
) -> ReportArrays:
    """Return what the report's pictures need."""
    lost = spectra.rejected.sum(axis=0) / max(int(spectra.epochs.sum()), 1)
    in_reference = segments.reference[spectra.epoch_owner]
    epoch_db = {}
    for b, name in enumerate(power.bands):
        values = spectra.epoch_power[:, b]
        base = values[in_reference]
        level = float(np.nanmean(base)) if np.isfinite(base).any() else 0.0
        epoch_db[name] = values.astype(np.float64) - level
    return ReportArrays(
        freqs=prepared.grid.freqs,
        spectra=power.spectra,
        epoch_s=(spectra.epoch_start.astype(np.float64) + prepared.grid.length / 2) / recording.sfreq,
        epoch_db=epoch_db,
        epoch_segment=spectra.epoch_owner,
        epoch_length_s=prepared.grid.length / recording.sfreq,
        epoch_clean=spectra.epoch_clean.astype(np.float64),
        channel_db={name: mean_over_plays(segments, power.channel_db[b]) for b, name in enumerate(power.bands)},
        segment_channel_db={name: power.channel_db[b] for b, name in enumerate(power.bands)},
        positions=_positions(recording, [prepared.eeg[i] for i in prepared.scored]),
        marked_bad_s=np.array(prepared.marked_bad, dtype=np.float64).reshape(-1, 2) / recording.sfreq,
        left_out={
            recording.channels[at].label: float(lost[i])
            for i, at in enumerate(prepared.eeg)
            if i not in prepared.quality.bad
        },
    )


def _positions(recording: Recording, channels: list[int]) -> Float64:
    """Return where the file says the electrodes are, seen from above; nan where it does not."""
    places = np.array([recording.raw.info["chs"][i]["loc"][:3] for i in channels], dtype=np.float64)
    result = np.full((len(channels), 2), np.nan)
    radius = np.linalg.norm(places, axis=1)
    known = np.isfinite(places).all(axis=1) & (radius > 1e-3)
    if np.count_nonzero(known) >= 4:
        unit = places[known] / radius[known, None]
        polar = np.arccos(np.clip(unit[:, 2], -1, 1)) / (np.pi / 2)
        around = np.arctan2(unit[:, 1], unit[:, 0])
        result[known] = polar[:, None] * np.column_stack([np.cos(around), np.sin(around)])
    return result
