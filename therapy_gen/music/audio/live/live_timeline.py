"""Rendering a timeline from any position at once, with loudness estimated from a piece's notes, not measured.

A piece is then as loud as `render` makes it within about a decibel, and starts after half a second of work. With a
user's own soundfont, whose notes are not measured, loudness is measured on excerpts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from therapy_gen.music.audio import SAMPLE_RATE
from therapy_gen.music.audio.files.kind import is_audio
from therapy_gen.music.audio.live.estimate import estimate_loudness
from therapy_gen.music.audio.loudness import LoudnessMeter
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.render import (
    Frames,
    PieceRenderer,
    struck_notes,
)
from therapy_gen.music.audio.reverb import BLOCK
from therapy_gen.music.audio.stream import Bed, TimelineItem, lengths_of
from therapy_gen.music.audio.synth import StruckNote
from therapy_gen.music.midi.midi import read_performance

# Where in a piece loudness is measured, a block each.
_EXCERPTS = (0.07, 0.24, 0.41, 0.58, 0.75, 0.92)
# So much is rendered and discarded before an excerpt or position, so that earlier notes and reverb are included.
_BEFORE = BLOCK
_FADE_IN_S, _FADE_OUT_S = 0.004, 4.0


def live_timeline(
    items: Sequence[TimelineItem], *, mix: Mix | None = None, sample_rate: int = SAMPLE_RATE, start_s: float = 0.0
) -> Iterator[Frames]:
    """Render pieces and silences one after the other, as `render_timeline` does, but each block on demand.

    Parameters
    ----------
    items : sequence of TimelineItem
    mix : Mix, optional
    sample_rate : int
    start_s : float
        Where to begin.

    Yields
    ------
    array of float32, shape (frames, 2)
        At most 131,072 frames.
    """
    mix = mix or Mix()
    renderer = live_renderer(mix, sample_rate)
    lengths = lengths_of([item.duration for item in items], sample_rate)
    bed = Bed(items, lengths, mix, sample_rate, apart=False)
    skipped = min(max(round(start_s * sample_rate), 0), sum(lengths))
    at = 0
    for item, length in zip(items, lengths, strict=True):
        if skipped >= length:
            skipped -= length
            at += length
            continue
        blocks = _silence(length - skipped) if item.music is None else _piece(renderer, item, length, skipped)
        start = skipped
        for block in blocks:
            bed.add_to(block, at + start, (start, length))
            start += len(block)
            yield block
        skipped = 0
        at += length


@lru_cache(maxsize=2)
def live_renderer(mix: Mix, sample_rate: int) -> PieceRenderer:
    """Return the shared instruments and reverb, which take a second to load."""
    return PieceRenderer(mix, sample_rate)


def _silence(frames: int) -> Iterator[Frames]:
    for start in range(0, frames, BLOCK):
        yield np.zeros((min(BLOCK, frames - start), 2), np.float32)


def _piece(renderer: PieceRenderer, item: TimelineItem, length: int, start: int) -> Iterator[Frames]:
    """Give the sound of a piece in its place of `length` frames, from frame `start` on."""
    assert item.music is not None
    if is_audio(item.music):
        yield from _recorded(renderer, item, length, start)
        return
    performance = read_performance(item.music, name=item.name)
    notes = struck_notes(performance)
    own = min(round(performance.duration * renderer.sample_rate), length)
    gain, air = _levels(renderer, notes, own)
    at = start
    for block in _from(renderer, notes, own, start):
        renderer.bring_to(block, gain, air)
        _fade(block, at, own, renderer.sample_rate)
        np.clip(block, -1.0, 1.0, out=block)
        at += len(block)
        yield block
    yield from _silence(length - at)


def _recorded(renderer: PieceRenderer, item: TimelineItem, length: int, start: int) -> Iterator[Frames]:
    """Give the sound of a recorded piece, which needs no excerpts: it is decoded in a second."""
    assert item.music is not None
    sound = _decoded(renderer, item.music, item.name)[:length]
    for at in range(start, len(sound), BLOCK):
        yield sound[at : at + BLOCK].copy()
    yield from _silence(length - max(start, len(sound)))


@lru_cache(maxsize=1)
def _decoded(renderer: PieceRenderer, music: bytes, name: str) -> Frames:
    return renderer.recorded(music, name)


def _levels(renderer: PieceRenderer, notes: Sequence[StruckNote], frames: int) -> tuple[np.float32, float]:
    """Return gain and treble boost of a piece: from its notes, else from excerpts, or from all of a short piece."""
    if renderer.own:
        estimated = estimate_loudness(notes, frames / renderer.sample_rate, renderer.space, renderer.sample_rate)
        if estimated is not None:
            return renderer.levels_of(estimated)
    meter = LoudnessMeter(renderer.sample_rate)
    if frames <= 2 * BLOCK * len(_EXCERPTS):
        for block in _from(renderer, notes, frames, 0):
            meter.add(block.T)
    else:
        for share in _EXCERPTS:
            start = round(share * frames)
            meter.add(next(_from(renderer, notes, frames, start)).T)
    return renderer.levels_of(meter)


def _from(renderer: PieceRenderer, notes: Sequence[StruckNote], frames: int, start: int) -> Iterator[Frames]:
    """Give the bare sound of notes from a frame on, up to `frames`; earlier sounding notes start just before."""
    base = max(start - _BEFORE, 0)
    base_s = base / renderer.sample_rate
    later = [
        note
        if base == 0
        else replace(
            note,
            onset=max(note.onset - base_s, 0.0),
            duration=note.duration - max(base_s - note.onset, 0.0),
        )
        for note in notes
        if note.onset + note.duration > base_s
    ]
    unheard = start - base
    for block in renderer.bare(later, frames - base):
        heard = block[unheard:]
        unheard = max(unheard - len(block), 0)
        if len(heard):
            yield heard


def _fade(block: Frames, at: int, frames: int, sample_rate: int) -> None:
    """Apply a piece's fade in and fade out to one of its blocks."""
    places = np.arange(at, at + len(block))
    rise, fall = max(round(_FADE_IN_S * sample_rate), 1), max(round(_FADE_OUT_S * sample_rate), 1)
    share = np.minimum(np.minimum(places / rise, (frames - places) / fall), 1.0)
    if share.min() < 1.0:
        block *= (0.5 - 0.5 * np.cos(np.pi * np.maximum(share, 0.0))).astype(np.float32)[:, None]
