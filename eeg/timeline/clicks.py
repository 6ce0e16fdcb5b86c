"""Clicks in a channel of a recording or of an audio file: when they were, and which piece each stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eeg.errors import TimelineError
from eeg.io.recording import Annotation, Recording, some
from eeg.timeline.known_pieces import MUSIC, SILENCE, Item, KnownSession
from therapy_gen.click_track import MARK_S, PULSE_S, SLOT_S, number_of

Array = npt.NDArray[np.float64]

_BLOCK_S = 0.1
_STEP_S = 60.0
# Values of the envelope a second: enough for an onset.
_ENVELOPE_HZ = 1000.0
# How far clicks must exceed the signal between them; a pop or two may be higher still.
_CONTRAST, _POPS = 4.0, 2
_FLOOR = 1e-3
_LONGEST_FILE_S = 86400.0
# Plain clicks closer than this are the ringing of one click.
_RINGS_S = 0.25
# Plain clicks and a session's onsets agree by so much, and so large a share of both must.
_NEAR_S, _SHARE = 0.3, 0.8


@dataclass(frozen=True)
class Click:
    """A mark: its onset in seconds, and the number that it carries; None for a plain click."""

    onset_s: float
    number: int | None = None


@dataclass(frozen=True)
class ClickTrack:
    """Where clicks were found, in words, and what they are."""

    name: str
    clicks: tuple[Click, ...]


def find_clicks(recording: Recording, place: str, offset_s: float | None, notes: list[str]) -> ClickTrack:
    """Find clicks in a channel of the recording, or in an audio file that was recorded with it.

    Parameters
    ----------
    recording : Recording
    place : str
        Name of a channel; or of an audio file, where ``:2`` selects the second channel.
    offset_s : float or None
        When the audio file begins, in seconds from the recording's first sample; 0 where it is not given.
    notes : list of str
        What was assumed is added.

    Raises
    ------
    TimelineError
        There is no such channel or file, or no click stands out in it.
    """
    wanted = place.strip().upper()
    for number, channel in enumerate(recording.channels):
        if channel.name.strip().upper() == wanted:
            if offset_s is not None:
                notes.append("the offset is not used: the clicks are in the recording itself")
            found = _clicks(_of_channel(recording, number), recording.sfreq)
            return _standing_out(ClickTrack(f"channel {channel.name}", found), str(recording.path))
    path, channel_of_file = _file(place)
    if path is None:
        names = some([channel.name for channel in recording.channels])
        raise TimelineError(
            f"clicks {place!r}: {recording.path} has no such channel (it has {names}), and there is no such file"
        )
    if offset_s is None:
        notes.append(f"{path.name} is taken as begun together with the recording; an offset says otherwise")
    track = _of_file(path, channel_of_file)
    shifted = tuple(Click(click.onset_s + (offset_s or 0.0), click.number) for click in track.clicks)
    return _standing_out(ClickTrack(track.name, shifted), str(path))


def annotations_of(track: ClickTrack, known: KnownSession | None, notes: list[str]) -> list[Annotation]:
    """Return clicks as annotations: those of a session name its pieces and silences, others are ``click/N``.

    Raises
    ------
    TimelineError
        The clicks do not agree with the session.
    """
    coded = [click for click in track.clicks if click.number is not None]
    if coded and len(coded) < len(track.clicks):
        notes.append(f"{len(track.clicks) - len(coded)} clicks in {track.name} carry no number and are not used")
    if known is None:
        clicks = coded or track.clicks
        return [Annotation(c.onset_s, 0.0, f"click/{c.number or n}") for n, c in enumerate(clicks, start=1)]
    pairs = _by_number(track, coded, known, notes) if coded else _by_pattern(track, known, notes)
    pairs.sort(key=lambda pair: pair[0])
    return [
        Annotation(onset, item.duration_s, f"piece/{item.piece}" if item.role == MUSIC else SILENCE)
        for onset, item in pairs
    ]


def until_the_next(items: Sequence[Item], marks: Sequence[Annotation]) -> list[Item]:
    """Return items that last until the next mark at most: a skipped item is shorter than planned."""
    onsets = sorted(mark.onset_s for mark in marks)
    ends = [next((onset for onset in onsets if onset > item.onset_s), item.end_s) for item in items]
    return [
        replace(item, duration_s=min(item.duration_s, end - item.onset_s))
        for item, end in zip(items, ends, strict=True)
    ]


def _by_number(
    track: ClickTrack, coded: Sequence[Click], known: KnownSession, notes: list[str]
) -> list[tuple[float, Item]]:
    beyond = sorted({click.number or 0 for click in coded if (click.number or 0) > len(known.items)})
    if beyond:
        raise TimelineError(
            f"{track.name} has clicks of number {some([str(n) for n in beyond])}, but session {known.id} has "
            f"{len(known.items)} parts: name the session whose export was heard"
        )
    missing = len(known.items) - len({click.number for click in coded})
    if missing:
        notes.append(f"{missing} of {len(known.items)} parts of session {known.id} have no click and are not scored")
    return [(click.onset_s, known.items[(click.number or 1) - 1]) for click in coded]


def _by_pattern(track: ClickTrack, known: KnownSession, notes: list[str]) -> list[tuple[float, Item]]:
    """Match plain clicks with a session's onsets by the times between them; of pieces alone, or of silences, too."""
    onsets = np.array([click.onset_s for click in track.clicks])
    candidates = [[item for item in known.items if item.role == MUSIC], list(known.items)]
    for items in candidates:
        expected = np.array([item.onset_s for item in items])
        shift, matched = _shift(onsets, expected)
        enough = _SHARE * min(len(onsets), len(expected))
        if shift is None or len(matched) < enough or (len(matched) < 2 and len(expected) > 1):
            continue
        if len(matched) < len(onsets):
            notes.append(f"{len(onsets) - len(matched)} of {len(onsets)} clicks begin no part of session {known.id}")
        return [(float(onsets[i]), items[j]) for i, j in matched]
    raise TimelineError(
        f"the {len(onsets)} clicks in {track.name} do not follow the onsets of session {known.id} "
        f"({len(candidates[0])} pieces), or fit in several ways: say what each is by code or map (click/1, click/2, …)"
    )


def _shift(onsets: Array, expected: Array) -> tuple[float | None, list[tuple[int, int]]]:
    """Return where the session begins so that most clicks meet an onset, and the pairs; None where two are as good."""
    best: tuple[float | None, list[tuple[int, int]]] = (None, [])
    tied = False
    for shift in sorted({round(float(a - b), 3) for a in onsets for b in expected}):
        nearest = np.abs(onsets[:, None] - shift - expected[None, :])
        pairs = [(int(i), int(nearest[i].argmin())) for i in range(len(onsets)) if nearest[i].min() <= _NEAR_S]
        each = list({j: (i, j) for i, j in reversed(pairs)}.values())
        if len(each) > len(best[1]):
            best, tied = (shift, sorted(each)), False
        elif len(each) == len(best[1]) and best[0] is not None and abs(shift - best[0]) > 2 * _NEAR_S:
            tied = True
    return (None, []) if tied else best


def _standing_out(track: ClickTrack, where: str) -> ClickTrack:
    if not track.clicks:
        raise TimelineError(
            f"{where}: no click stands out in {track.name}: name the channel that the click track was recorded in"
        )
    return track


def _of_channel(recording: Recording, number: int) -> Iterator[Array]:
    step = max(int(_STEP_S * recording.sfreq), 1)
    for start in range(0, recording.n_samples, step):
        yield recording.read(start, min(start + step, recording.n_samples), [number])[0]


def _file(place: str) -> tuple[Path | None, int | None]:
    """Return the audio file that is meant, and which of its channels, from 1 on."""
    if Path(place).is_file():
        return Path(place), None
    name, colon, digits = place.rpartition(":")
    if colon and digits.isascii() and digits.isdigit() and len(digits) < 4 and Path(name).is_file():
        return Path(name), int(digits)
    return None, None


def _of_file(path: Path, wanted: int | None) -> ClickTrack:
    """Return the clicks of an audio file: of the channel named, or of the one with the clearest clicks."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            if file.frames > _LONGEST_FILE_S * file.samplerate or file.frames < 1:
                raise TimelineError(f"{path} is empty or longer than a day: give the audio recorded with the EEG")
            if wanted is not None and not 1 <= wanted <= file.channels:
                raise TimelineError(f"{path} has {file.channels} channels, and no channel {wanted}")
            rate, count = float(file.samplerate), int(file.channels)
            step = int(_STEP_S * rate)
            chosen = range(count) if wanted is None else [wanted - 1]
            parts: list[list[Array]] = [[] for _ in chosen]
            while len(block := file.read(step, dtype="float64", always_2d=True)):
                for kept, channel in zip(parts, chosen, strict=True):
                    kept.append(_envelope(block[:, channel], rate))
    except (soundfile.LibsndfileError, OSError) as error:
        told = getattr(error, "error_string", None) or getattr(error, "strerror", None) or "damaged"
        raise TimelineError(f"{path} is no audio that can be read ({told.rstrip('.')}): give WAV or FLAC") from None
    hertz = rate / max(int(rate // _ENVELOPE_HZ), 1)
    found = [_marks(np.concatenate(kept), hertz) for kept in parts]
    # Numbered clicks are no accident; among channels of plain clicks, few clear ones are likelier than many.
    best = max(range(len(found)), key=lambda i: (sum(c.number is not None for c in found[i]), -len(found[i]) or -1e9))
    name = path.name if count == 1 else f"channel {list(chosen)[best] + 1} of {path.name}"
    return ClickTrack(name, found[best])


def _clicks(blocks: Iterator[Array], rate: float) -> tuple[Click, ...]:
    parts = [_envelope(block, rate) for block in blocks]
    return _marks(np.concatenate(parts), rate / max(int(rate // _ENVELOPE_HZ), 1))


def _envelope(block: Array, rate: float) -> Array:
    """Return a signal's largest distance from its median in each millisecond or sample."""
    second = max(int(rate), 1)
    middles = [float(np.median(block[at : at + second])) for at in range(0, len(block), second)]
    centres = np.minimum(np.arange(len(middles)) * second + second / 2, len(block) - 1)
    away = np.abs(block - np.interp(np.arange(len(block)), centres, middles))
    size = max(int(rate // _ENVELOPE_HZ), 1)
    whole = len(away) // size * size
    rest = [away[whole:].max()] if whole < len(away) else []
    return np.concatenate((away[:whole].reshape(-1, size).max(axis=1), rest))


def _marks(envelope: Array, hertz: float) -> tuple[Click, ...]:
    """Return the marks in an envelope: pulses grouped, with the number that each group carries."""
    pulses = _rises(envelope, hertz)
    groups: list[list[float]] = []
    for pulse in pulses:
        if groups and pulse - groups[-1][0] <= MARK_S + SLOT_S / 2:
            groups[-1].append(pulse)
        else:
            groups.append([pulse])
    found = []
    for group in groups:
        number = number_of([pulse - group[0] for pulse in group])
        if number is not None:
            found.append(Click(group[0], number))
            continue
        found += [Click(group[0])]
        found += [Click(later) for before, later in pairwise(group) if later - before > _RINGS_S]
    return tuple(found)


def _rises(envelope: Array, hertz: float) -> list[float]:
    """Return when pulses begin, in seconds: where each reaches half of its own height."""
    block = max(round(_BLOCK_S * hertz), 1)
    padded = np.pad(envelope, (0, -len(envelope) % block))
    highest = np.sort(padded.reshape(-1, block).max(axis=1))
    noise = max(float(np.quantile(highest, 0.75)), _FLOOR * float(highest[-1]))
    level = float(highest[max(len(highest) - 1 - _POPS, 0)])
    if level < _CONTRAST * noise:
        level = float(highest[-1])
    if level < _CONTRAST * noise or level <= 0:
        return []
    above = envelope > level / 2
    starts = np.flatnonzero(above & ~np.concatenate(([False], above[:-1])))
    found: list[float] = []
    apart, reach = 0.75 * SLOT_S, max(round(PULSE_S * hertz), 1)
    for start in starts:
        if found and start / hertz - found[-1] < apart:
            continue
        half = envelope[start : start + reach].max() / 2
        at = int(start)
        while at + 1 < len(envelope) and envelope[at] < half:
            at += 1
        while at > 0 and envelope[at - 1] >= half:
            at -= 1
        before = float(envelope[at - 1]) if at else 0.0
        share = (half - before) / (float(envelope[at]) - before) if envelope[at] > before else 1.0
        found.append(max(float(at - 1 + share) / hertz, 0.0))
    return found
