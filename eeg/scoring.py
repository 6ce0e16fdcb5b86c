"""From a recording to band power for every play, in one call."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import tzinfo
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eeg.bandpower.accumulate import Spectra, collect, make_processing
from eeg.bandpower.asymmetry import asymmetry, find_pair
from eeg.bandpower.bands import normalise, pooled_spectra
from eeg.bandpower.baseline import SegmentSpectra, segment_spectra
from eeg.bandpower.epochs import overlap
from eeg.bandpower.muscle import line_heights, muscle_index
from eeg.bandpower.picks import scored_channels
from eeg.bandpower.psd import off_line
from eeg.bandpower.reject import REASONS
from eeg.errors import TooLittleDataError
from eeg.io.recording import Recording, open_recording
from eeg.play_scores import play_scores, report_arrays
from eeg.preparation import Preparation, prepare
from eeg.results import PlayScore, RecordingScore
from eeg.settings import FLAG_BELOW_S, REFUSE_BELOW_S, Settings
from eeg.timeline.find_timeline import find_timeline
from eeg.timeline.known_pieces import Library
from eeg.timeline.timeline import Timeline


def plan_recording(
    path: str | Path,
    library: Library | None = None,
    *,
    events: str | Path | None = None,
    codes: Mapping[int, str] | None = None,
    session: str | None = None,
    offset_s: float | None = None,
    zone: tzinfo | None = None,
    labels: Mapping[str, str] | None = None,
    any_label: bool = False,
    clicks: str | None = None,
    stream: str | None = None,
    settings: Settings | None = None,
) -> Timeline:
    """Find out which piece played when, without reading data; parameters as in `score_recording`.

    Examples
    --------
    >>> from eeg.simulation.file import write_fif
    >>> from eeg.simulation.simulate import Listener, simulate
    >>> from eeg.timeline.known_pieces import Item
    >>> items = [Item("silence", None, 0.0, 90.0), Item("music", "A", 90.0, 60.0), Item("music", "B", 150.0, 60.0)]
    >>> made = simulate(items, sfreq=250.0, channels=4, listener=Listener(effects={"A": (-2.0, 0.0)}), seed=1)
    >>> write_fif(made, "rec.fif")
    >>> import eeg
    >>> [play.piece for play in eeg.plan_recording("rec.fif").plays]
    ['A', 'B']
    """
    settings = settings or Settings()
    recording = open_recording(path, stream)
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
            labels=labels,
            any_label=any_label,
            clicks=clicks,
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
    labels: Mapping[str, str] | None = None,
    any_label: bool = False,
    clicks: str | None = None,
    stream: str | None = None,
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
    events, codes, session, offset_s, zone, labels, any_label, clicks
        Which piece played when: see `timeline.find_timeline`.
    stream : str, optional
        Which stream of an XDF file is the EEG, where it holds several.
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

    Examples
    --------
    >>> from eeg.simulation.file import write_fif
    >>> from eeg.simulation.simulate import Listener, simulate
    >>> from eeg.timeline.known_pieces import Item
    >>> items = [Item("silence", None, 0.0, 90.0), Item("music", "A", 90.0, 60.0), Item("music", "B", 150.0, 60.0)]
    >>> made = simulate(items, sfreq=250.0, channels=4, listener=Listener(effects={"A": (-2.0, 0.0)}), seed=1)
    >>> write_fif(made, "rec.fif")
    >>> import eeg
    >>> first, second = eeg.score_recording("rec.fif").plays
    >>> first.bands["beta"].db < second.bands["beta"].db
    True
    """
    settings = settings or Settings()
    recording = open_recording(path, stream)
    try:
        timeline = find_timeline(
            recording,
            library,
            events=events,
            codes=codes,
            session=session,
            offset_s=offset_s,
            zone=zone,
            labels=labels,
            any_label=any_label,
            clicks=clicks,
            edge_s=settings.edge_s,
            baseline_max_s=settings.baseline_max_s,
        )
        with ThreadPoolExecutor(1) as hashing:
            digest = hashing.submit(sha256_of, recording.files)
            score = score_timeline(recording, timeline, settings, progress)
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


def score_timeline(
    recording: Recording, timeline: Timeline, settings: Settings, progress: Callable[[float], None] | None = None
) -> RecordingScore:
    """Score an open recording by its timeline; the digest is left empty.

    Raises
    ------
    ParameterError, RecordingError, TooLittleDataError
        As `prepare`; or no play has enough clean data.
    """
    prepared = prepare(recording, timeline, settings)
    grid, quality, sfreq = prepared.grid, prepared.quality, recording.sfreq
    unmix, warnings = _unmixing(recording, prepared, settings)
    processing = make_processing(
        quality,
        grid,
        prepared.hop,
        len(prepared.eeg),
        average=prepared.average,
        bands=list(prepared.bands.values()),
        unmix=unmix,
    )
    spectra = collect(
        recording,
        prepared.eeg,
        prepared.starts,
        prepared.owners,
        len(prepared.segments.items),
        processing,
        threads=settings.threads,
        progress=progress,
    )
    segments = segment_spectra(
        spectra,
        [item.piece for item in prepared.segments.items],
        prepared.segments.n_plays,
        prepared.scored,
        hop_s=prepared.hop / sfreq,
        epoch_s=grid.length / sfreq,
    )
    pieces = dict.fromkeys(p for p, play in zip(segments.pieces, segments.is_play, strict=True) if play and p)
    pooled = pooled_spectra(
        segments, {piece: spectra.mean(segments.of_piece(piece))[list(prepared.scored)] for piece in pieces}
    )
    keep = off_line(grid, quality.line_freq)
    power = normalise(segments, pooled, grid, keep, prepared.bands, min(0.9 * recording.lowpass, 0.9 * sfreq / 2))
    carried = min(recording.lowpass, 0.9 * sfreq / 2)
    muscle = muscle_index(segments, grid, keep, quality.muscle_band, prepared.bands.values(), carried)
    line = line_heights(segments, grid, quality.line_freq)
    pair, sides = _asymmetry(recording, prepared, spectra, segments, keep)
    plays = play_scores(recording, prepared, spectra, segments, power, muscle, line, sides, regress=settings.muscle)
    _check_enough(recording, plays[: prepared.segments.n_plays], spectra)
    score = _result(recording, prepared, settings, spectra, plays)
    return replace(
        score,
        source=timeline.source,
        session=timeline.session,
        muscle_index=muscle.text if settings.muscle else f"not taken out, as wanted ({muscle.text})",
        asymmetry_pair=pair,
        warnings=tuple(dict.fromkeys([*prepared.warnings, *warnings, *segments.warnings])),
        figures=report_arrays(recording, prepared, spectra, segments, power),
    )


def _unmixing(
    recording: Recording, prepared: Preparation, settings: Settings
) -> tuple[npt.NDArray[np.float32] | None, list[str]]:
    """Return the matrix that removes independent components, where requested, and notes on them."""
    if not settings.ica:
        return None, []
    from eeg.bandpower.ica import fit_unmixing

    unmixing = fit_unmixing(
        recording, prepared.eeg, prepared.starts, prepared.grid.length, prepared.quality, average=prepared.average
    )
    return unmixing.matrix, [unmixing.note]


def _asymmetry(
    recording: Recording, prepared: Preparation, spectra: Spectra, segments: SegmentSpectra, keep: npt.NDArray[np.bool_]
) -> tuple[str | None, dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]]:
    """Return the pair of electrodes that asymmetry is computed from, and its values in each band."""
    channels = [recording.channels[i] for i in prepared.eeg]
    pair = find_pair([channel.site for channel in channels], list(prepared.quality.bad))
    if pair is None:
        return None, {}
    left, right = pair
    found = asymmetry(spectra, pair, segments.reference, prepared.grid, keep, prepared.bands)
    return f"{channels[right].label} - {channels[left].label}", found


def _check_enough(recording: Recording, music: Sequence[PlayScore], spectra: Spectra) -> None:
    if any(band.db is not None for play in music for band in play.bands.values()):
        return
    clean = sum(play.clean_s for play in music)
    sums = spectra.rejected.sum(axis=1)
    reason = (*REASONS, "most channels bad")[int(np.argmax(sums))] if sums.any() else "too short"
    raise TooLittleDataError(
        f"{recording.path}: too little clean data: {clean:.0f} s over {len(music)} plays, and no piece has "
        f"{REFUSE_BELOW_S:g} s; most was left out as {reason}"
    )


def _result(
    recording: Recording, prepared: Preparation, settings: Settings, spectra: Spectra, plays: Sequence[PlayScore]
) -> RecordingScore:
    """Return the result with facts and plays; fields from the timeline and the arrays are left empty."""
    eeg, quality = prepared.eeg, prepared.quality
    names = [recording.channels[i].label for i in eeg]
    total = max(int(spectra.epochs.sum()) * prepared.n_good, 1)
    return RecordingScore(
        file=str(recording.path),
        sha256="",
        format=recording.format,
        sfreq=recording.sfreq,
        duration_s=recording.duration_s,
        meas_date=_date(recording),
        channels=tuple(names),
        scored_channels=tuple(names[i] for i in prepared.scored),
        bad_channels={names[i]: why for i, why in sorted(quality.bad.items())},
        line_freq=quality.line_freq,
        reference="average" if prepared.average else "as recorded",
        bands=prepared.bands,
        muscle_index="",
        asymmetry_pair=None,
        source="",
        session=None,
        plays=tuple(plays[: prepared.segments.n_plays]),
        baseline=tuple(plays[prepared.segments.n_plays :]),
        rejected_windows={
            reason: round(float(spectra.rejected[i].sum()) / total, 6)
            for i, reason in enumerate((*REASONS, "most channels bad"))
        },
        marked_bad_s=round(overlap(prepared.spans, prepared.marked_bad) / recording.sfreq, 3),
        warnings=(),
        settings=settings.as_dict()
        | {"overlap_used": prepared.overlap, "refuse_below_s": REFUSE_BELOW_S, "flag_below_s": FLAG_BELOW_S},
        versions=versions(),
    )


def _date(recording: Recording) -> str | None:
    if recording.meas_date is None:
        return None
    date = recording.meas_date if recording.clock == "utc" else recording.meas_date.replace(tzinfo=None)
    return date.isoformat()


def versions() -> dict[str, str]:
    """Return the versions of the software that a score depends on."""
    quality = {"python": platform.python_version()}
    for name in ("therapy-gen", "mne", "numpy", "scipy"):
        try:
            quality[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            quality[name] = "not installed"
    return quality
