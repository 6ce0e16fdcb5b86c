"""From a recording to band power for every play: the whole way, in one call."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import tzinfo
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eeg.bandpower.accumulate import Spectra, collect, make_processing
from eeg.bandpower.baseline import NormalisedPower, flags_of, normalise_to_baseline
from eeg.bandpower.epochs import Span, bad_spans, cut, epoch_length, overlap
from eeg.bandpower.picks import scored_channels, some_of
from eeg.bandpower.psd import FrequencyGrid, ceiling_of, frequency_grid, usable_band
from eeg.bandpower.quality import ChannelQuality, channel_quality
from eeg.bandpower.reject import REASONS
from eeg.errors import RecordingError, TooLittleDataError
from eeg.io.recording import Recording, open_recording
from eeg.results import PlayScore, RecordingScore, ReportArrays
from eeg.settings import FLAG_BELOW_S, MUSCLE_HZ, REFUSE_BELOW_S, Settings
from eeg.timeline.library import Item, Library
from eeg.timeline.timeline import Timeline, find_timeline

FEW_CHANNELS_OVERLAP = 32
MIN_CHANNELS_AVERAGE = 16
# Blocks of baseline are as long as a play, within these limits, so that both carry the same noise.
BLOCK_S = (20.0, 90.0)


def plan_recording(
    path: str | Path,
    library: Library | None = None,
    *,
    events: str | Path | None = None,
    codes: Mapping[int, str] | None = None,
    session: str | None = None,
    offset_s: float | None = None,
    zone: tzinfo | None = None,
    settings: Settings | None = None,
) -> Timeline:
    """Find out which piece played when, and read no data; the parameters are those of `score_recording`."""
    settings = settings or Settings()
    recording = open_recording(path)
    try:
        scored_channels(recording, settings.picks)
        return find_timeline(
            recording,
            library,
            events=events,
            codes=codes,
            session=session,
            offset_s=offset_s,
            zone=zone,
            edge_s=settings.edge_s,
            baseline_max_s=settings.baseline_max_s,
        )
    finally:
        recording.close()


def score_recording(
    path: str | Path,
    library: Library | None = None,
    *,
    events: str | Path | None = None,
    codes: Mapping[int, str] | None = None,
    session: str | None = None,
    offset_s: float | None = None,
    zone: tzinfo | None = None,
    settings: Settings | None = None,
    progress: Callable[[float], None] | None = None,
) -> RecordingScore:
    """Score every play in a recording.

    Parameters
    ----------
    path : str or Path
        The recording.
    library : Library, optional
        Known pieces and sessions.
    events, codes, session, offset_s, zone
        Which piece played when: see `timeline.find_timeline`.
    settings : Settings, optional
    progress : callable, optional
        Called with the share done, 0 to 1.

    Returns
    -------
    RecordingScore

    Raises
    ------
    RecordingError, TimelineError, ParameterError, TooLittleDataError
        One line that names file, cause and mend.
    MissingEEGExtraError
        MNE-Python is not installed.
    """
    settings = settings or Settings()
    recording = open_recording(path)
    try:
        plan = find_timeline(
            recording,
            library,
            events=events,
            codes=codes,
            session=session,
            offset_s=offset_s,
            zone=zone,
            edge_s=settings.edge_s,
            baseline_max_s=settings.baseline_max_s,
        )
        with ThreadPoolExecutor(1) as hashing:
            digest = hashing.submit(sha256_of, recording.files)
            score = score_timeline(recording, plan, settings, progress)
            return replace(score, sha256=digest.result())
    finally:
        recording.close()


def sha256_of(files: Sequence[Path]) -> str:
    """Return the SHA-256 of files, one after the other."""
    digest = hashlib.sha256()
    for name in files:
        with name.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class Segments:
    """The owners of windows: plays first, then blocks of the baseline."""

    owners: tuple[Item, ...]
    n_plays: int

    def spans(self, sfreq: float) -> list[Span]:
        """Return the owners as samples; to the nearest, as formats round marks (FIF keeps them as float32)."""
        return [Span(round(owner.onset_s * sfreq), round(owner.end_s * sfreq)) for owner in self.owners]


def make_segments(plan: Timeline) -> Segments:
    """Return plays, then the baseline cut into blocks about as long as a play."""
    plays = plan.plays
    wanted = float(np.clip(np.median([play.duration_s for play in plays]), *BLOCK_S))
    blocks: list[Item] = []
    for item in plan.baseline:
        parts = max(1, int(item.duration_s / wanted + 0.501))  # not `round`: a rounded onset must not change the count
        each = item.duration_s / parts
        blocks += [replace(item, onset_s=item.onset_s + i * each, duration_s=each) for i in range(parts)]
    return Segments((*plays, *blocks), len(plays))


def score_timeline(
    recording: Recording, plan: Timeline, settings: Settings, progress: Callable[[float], None] | None = None
) -> RecordingScore:
    """Score an open recording by a plan; the digest is left empty."""
    eeg = recording.eeg
    scored = scored_channels(recording, settings.picks)
    segments = make_segments(plan)
    length = epoch_length(recording.sfreq)
    share = settings.overlap
    if share is None:
        share = 0.5 if len(eeg) <= FEW_CHANNELS_OVERLAP else 0.0
    parts = max(1, round(1 / (1 - share)))
    hop = length // parts
    length = hop * parts
    grid = frequency_grid(
        recording.sfreq, length, max(MUSCLE_HZ[1] + 1.0, settings.beta[1] + 1.0, settings.gamma[1] + 1.0)
    )
    spans, marked = segments.spans(recording.sfreq), bad_spans(recording)
    starts, owners = cut(spans, marked, recording.n_samples, length, hop)
    if not len(starts) or not (owners < segments.n_plays).any():
        raise TooLittleDataError(
            f"{recording.path}: no play holds a whole window of {length / recording.sfreq:g} s outside spans marked bad"
        )
    average = settings.average_reference
    quality = channel_quality(recording, eeg, starts, grid, rereference=_wants_average(average, len(eeg)))
    n_good = len(eeg) - len(quality.bad)
    average = _wants_average(average, n_good)
    lost = [i for i in scored if i in quality.bad]
    scored = tuple(i for i in scored if i not in quality.bad)
    if not scored:
        reasons = some_of(f"{recording.channels[eeg[i]].label} ({quality.bad[i]})" for i in lost)
        raise TooLittleDataError(f"{recording.path}: no good channel to score; bad channels: {reasons}")
    bands, warnings = _bands(recording, settings, quality, grid)
    warnings = [*recording.notes, *plan.notes, *quality.notes, *warnings]
    unmix = None
    if settings.ica:
        from eeg.bandpower.ica import fit_unmixing

        unmixing = fit_unmixing(recording, eeg, starts, length, quality, average=average)
        unmix = unmixing.matrix
        warnings.append(unmixing.note)
    processing = make_processing(
        quality,
        grid,
        hop,
        len(eeg),
        average=average,
        bands=[bands["beta"], bands["gamma"]],
        unmix=unmix,
    )
    spectra = collect(
        recording, eeg, starts, owners, len(segments.owners), processing, threads=settings.threads, progress=progress
    )
    power = normalise_to_baseline(
        recording, spectra, segments.n_plays, [o.piece for o in segments.owners], scored, grid, hop, quality, bands
    )
    warnings += power.warnings
    plays = _play_scores(segments, spectra, power)
    music, blocks = plays[: segments.n_plays], plays[segments.n_plays :]
    if all(play.beta_db is None and play.gamma_db is None for play in music):
        clean = sum(play.clean_s for play in music)
        raise TooLittleDataError(
            f"{recording.path}: too little clean data: {clean:.0f} s over {len(music)} plays, and no piece has "
            f"{REFUSE_BELOW_S:g} s; most was left out as {_main_reason(spectra)}"
        )
    names = [recording.channels[i].label for i in eeg]
    total = max(int(spectra.epochs.sum()) * n_good, 1)
    return RecordingScore(
        file=str(recording.path),
        sha256="",
        format=recording.format,
        sfreq=recording.sfreq,
        duration_s=recording.duration_s,
        meas_date=_date(recording),
        channels=tuple(names),
        scored_channels=tuple(names[i] for i in scored),
        bad_channels={names[i]: why for i, why in sorted(quality.bad.items())},
        line_freq=quality.line_freq,
        reference="average" if average else "as recorded",
        bands=bands,
        muscle_index=power.muscle_index,
        source=plan.source,
        session=plan.session,
        plays=tuple(music),
        baseline=tuple(blocks),
        rejected_windows={
            reason: round(float(spectra.rejected[i].sum()) / total, 6)
            for i, reason in enumerate((*REASONS, "most channels bad"))
        },
        marked_bad_s=round(overlap(spans, marked) / recording.sfreq, 3),
        warnings=tuple(dict.fromkeys(warnings)),
        settings=settings.as_dict()
        | {"overlap_used": share, "refuse_below_s": REFUSE_BELOW_S, "flag_below_s": FLAG_BELOW_S},
        versions=versions(),
        figures=_figures(recording, eeg, scored, spectra, power, grid, length, marked, set(quality.bad)),
    )


def _wants_average(setting: bool | None, n_channels: int) -> bool:
    return n_channels >= MIN_CHANNELS_AVERAGE if setting is None else setting and n_channels > 1


def _bands(
    recording: Recording, settings: Settings, quality: ChannelQuality, grid: FrequencyGrid
) -> tuple[dict[str, tuple[float, float] | None], list[str]]:
    """Clip the bands to what the recording carries."""
    ceiling = min(
        ceiling_of(recording.lowpass, recording.sfreq, quality.line_freq), float(grid.freqs[-1]) + grid.step / 2
    )
    bands: dict[str, tuple[float, float] | None] = {}
    warnings = []
    for name, (low, high) in (("beta", settings.beta), ("gamma", settings.gamma)):
        bands[name] = usable = usable_band(low, high, ceiling)
        if usable is None:
            warnings.append(f"{name} {low:g}-{high:g} Hz is not scored: the recording carries up to {ceiling:g} Hz")
        elif usable[1] < high:
            warnings.append(
                f"{name} is clipped to {low:g}-{usable[1]:g} Hz: the recording carries up to {ceiling:g} Hz"
            )
    if bands["beta"] is None and bands["gamma"] is None:
        raise RecordingError(f"{recording.path} carries up to {ceiling:g} Hz: neither band can be scored")
    return bands, warnings


def _play_scores(segments: Segments, spectra: Spectra, power: NormalisedPower) -> list[PlayScore]:
    return [
        PlayScore(
            piece=owner.piece,
            role=owner.role,
            onset_s=owner.onset_s,
            duration_s=owner.duration_s,
            clean_s=power.clean_s[i],
            windows=int(spectra.epochs[i]),
            windows_used=int(spectra.used[i]),
            beta_db=power.db["beta"][i],
            gamma_db=power.db["gamma"][i],
            beta_adjusted_db=power.adjusted["beta"][i],
            gamma_adjusted_db=power.adjusted["gamma"][i],
            muscle_db=power.muscle[i],
            line_db=power.line[i],
            beta_uv2=power.power["beta"][i],
            gamma_uv2=power.power["gamma"][i],
            groups=power.groups[i],
            flags=flags_of(power, i, music=i < segments.n_plays),
        )
        for i, owner in enumerate(segments.owners)
    ]


def _main_reason(spectra: Spectra) -> str:
    sums = spectra.rejected.sum(axis=1)
    return (*REASONS, "most channels bad")[int(np.argmax(sums))] if sums.any() else "too short"


def _date(recording: Recording) -> str | None:
    if recording.meas_date is None:
        return None
    date = recording.meas_date if recording.clock == "utc" else recording.meas_date.replace(tzinfo=None)
    return date.isoformat()


def _figures(
    recording: Recording,
    eeg: Sequence[int],
    scored: Sequence[int],
    spectra: Spectra,
    power: NormalisedPower,
    grid: FrequencyGrid,
    length: int,
    marked: Sequence[tuple[int, int]],
    bad: Collection[int],
) -> ReportArrays:
    base = power.epoch_baseline_db
    lost = spectra.rejected.sum(axis=0) / max(int(spectra.epochs.sum()), 1)
    return ReportArrays(
        freqs=grid.freqs,
        spectra=power.spectra,
        epoch_s=(spectra.epoch_start.astype(np.float64) + length / 2) / recording.sfreq,
        epoch_beta_db=spectra.epoch_power[:, 0].astype(np.float64) - base[0],
        epoch_gamma_db=spectra.epoch_power[:, 1].astype(np.float64) - base[1],
        epoch_clean=spectra.epoch_clean.astype(np.float64),
        channel_beta_db=power.channel_db["beta"],
        channel_gamma_db=power.channel_db["gamma"],
        positions=_positions(recording, [eeg[i] for i in scored]),
        marked_bad_s=np.array(marked, dtype=np.float64).reshape(-1, 2) / recording.sfreq,
        left_out={recording.channels[at].label: float(lost[i]) for i, at in enumerate(eeg) if i not in bad},
    )


def _positions(recording: Recording, channels: Sequence[int]) -> npt.NDArray[np.float64]:
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


def versions() -> dict[str, str]:
    """Return the versions of the software that a score depends on."""
    quality = {"python": platform.python_version()}
    for name in ("therapy-gen", "mne", "numpy", "scipy"):
        try:
            quality[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            quality[name] = "not installed"
    return quality
