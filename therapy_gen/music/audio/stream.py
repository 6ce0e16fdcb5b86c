"""A timeline as a stream of sound: pieces and silences, with layers under and transitions between them."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.audio import SAMPLE_RATE
from therapy_gen.music.audio.files.kind import is_audio
from therapy_gen.music.audio.layers import LayerSound
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.render import PieceRenderer, fade_out
from therapy_gen.music.audio.render_cache import RenderCache
from therapy_gen.music.audio.transitions import OVERLAP_S, Key, transition_sound
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.tonality import parse_key

Frames = npt.NDArray[np.float32]

_FRAMES_PER_YIELD = 1 << 16
# A piece's place may be shorter than its MIDI by this, since MIDI times are in ticks.
_ROUNDING_S = 0.01
# A layer fades in and out over so many seconds; in separate files, at their ends, over the second.
_LAYER_FADE_S, _LAYER_FADE_APART_S = 4.0, 0.5


@dataclass(frozen=True)
class TimelineItem:
    """A stretch of a session: a piece as bytes of a MIDI or an audio file, or silence (None); `duration` in seconds."""

    duration: float
    music: bytes | None = None
    name: str = "the MIDI data"


def render_timeline(
    items: Sequence[TimelineItem],
    *,
    mix: Mix | None = None,
    sample_rate: int = SAMPLE_RATE,
    workers: int = 2,
    apart: bool = False,
    start_s: float = 0.0,
    count: int | None = None,
    cache: RenderCache | None = None,
) -> Iterator[Frames]:
    """Render pieces and silences one after the other, in blocks of at most 65,536 frames of shape (frames, 2).

    Item boundaries are the sums of the durations, rounded to a frame; `apart`, for separate files, each item has its
    own rounded length. While one piece is yielded, the next ones are rendered by `workers` threads; no more than that
    are held in memory. Without workers, each is rendered when its turn comes. Errors are those of `render`, raised when
    a piece's turn comes.

    A repeated piece is rendered once; with `cache`, once for several timelines.

    With `start_s`, it begins so many seconds into the timeline, with the same samples that the whole has there. With
    `count`, it ends after so many items.

    Examples
    --------
    >>> from therapy_gen.music.audio.layers import Layer
    >>> blocks = render_timeline([TimelineItem(2.0)], mix=Mix(layers=(Layer("rain"),)))
    >>> sum(len(block) for block in blocks)
    88200
    """
    mix = mix or Mix()
    renderer = PieceRenderer(mix, sample_rate, ahead=workers > 0)
    lengths = lengths_of([item.duration for item in items], sample_rate, apart=apart)
    bed = Bed(items, lengths, mix, sample_rate, apart=apart)
    skipped = min(max(round(start_s * sample_rate), 0), sum(lengths))
    at = 0
    while lengths and skipped >= lengths[0]:
        skipped -= lengths[0]
        at += lengths[0]
        items, lengths = items[1:], lengths[1:]
    items, lengths = items[:count], lengths[:count]
    pieces = deque(item for item in items if item.music is not None)
    rendered = _Rendered(renderer, mix, items, cache)
    with ThreadPoolExecutor(max(workers, 1), thread_name_prefix="render") as pool:
        under_way: deque[Future[Frames]] = deque()

        def start_more() -> None:
            while pieces and len(under_way) < max(workers, 1):
                item = pieces.popleft()
                assert item.music is not None
                under_way.append(pool.submit(rendered.piece, item.music, item.name))

        try:
            for item, length in zip(items, lengths, strict=True):
                if workers or item.music is not None:
                    start_more()
                sound = np.zeros((0, 2), dtype=np.float32)
                if item.music is not None:
                    sound = _fitted(under_way.popleft().result(), length, sample_rate)
                    if workers:
                        start_more()
                for start in range(skipped, length, _FRAMES_PER_YIELD):
                    stop = min(start + _FRAMES_PER_YIELD, length)
                    block = np.zeros((stop - start, 2), dtype=np.float32)
                    heard = sound[start:stop]
                    block[: len(heard)] = heard
                    bed.add_to(block, at + start, (start, length))
                    yield block
                skipped = 0
                at += length
        finally:
            renderer.stop.set()
            pool.shutdown(cancel_futures=True)


class _Rendered:
    """The sound of pieces; that of repeated ones is kept."""

    def __init__(
        self, renderer: PieceRenderer, mix: Mix, items: Sequence[TimelineItem], cache: RenderCache | None
    ) -> None:
        self._renderer, self._mix = renderer, mix
        self._all = cache is not None
        self._cache = cache if cache is not None else RenderCache()
        self._often = Counter(item.music for item in items if item.music is not None)

    def piece(self, music: bytes, name: str) -> Frames:
        """Return the sound of a piece, as `PieceRenderer.piece` does."""
        if not self._all and self._often[music] < 2:
            return self._renderer.piece(music, name)
        mix = self._mix
        decides = hashlib.sha256(music).digest(), mix.soundfont, mix.space, mix.loudness, self._renderer.sample_rate
        return self._cache.sound(decides, lambda: self._renderer.piece(music, name))


def lengths_of(durations: Sequence[float], sample_rate: int, *, apart: bool = False) -> list[int]:
    """Return each item's length in frames: in one timeline, or, `apart`, by itself."""
    seconds = np.asarray(durations, dtype=np.float64)
    if apart:
        return [int(frames) for frames in np.rint(seconds * sample_rate)]
    ends = np.rint(np.cumsum(seconds) * sample_rate).astype(np.int64)
    return [int(frames) for frames in np.diff(ends, prepend=0)]


class Bed:
    """Layers and transitions of a timeline, and the fade at its end."""

    def __init__(
        self, items: Sequence[TimelineItem], lengths: Sequence[int], mix: Mix, sample_rate: int, *, apart: bool
    ) -> None:
        self._mix = mix
        self._rate = sample_rate
        self._apart = apart
        ends = np.cumsum([0, *lengths])
        self._total = int(ends[-1])
        music = [n for n, item in enumerate(items) if item.music is not None]
        self._span = (int(ends[music[0]]), int(ends[music[-1] + 1])) if music else (0, self._total)
        self._keys: dict[int, Key] = {}
        drone = any(layer.name == "drone" for layer in mix.layers)
        if drone or (mix.transition != "silence" and not apart):
            self._keys = {n: _key_of(items[n]) for n in music}
        keys = [(int(ends[n]), key[0]) for n, key in self._keys.items()]
        self._layers = [LayerSound(layer, mix.loudness, sample_rate, keys) for layer in mix.layers]
        # Between pieces: from the end of one to the start of the next, with silence in between or none.
        self._gaps: list[tuple[int, int, Key, Key]] = []
        if mix.transition != "silence" and not apart:
            for one, other in pairwise(music):
                self._gaps.append((int(ends[one + 1]), int(ends[other]), self._keys[one], self._keys[other]))
        self._made: dict[int, Frames] = {}

    def add_to(self, block: Frames, at: int, place: tuple[int, int]) -> None:
        """Add to a block that begins at a frame of the timeline; `place`: its start in its item, the item's length."""
        for layer in self._layers:
            sound = layer.frames(at, len(block))
            block += sound * self._layer_gain(at, place, len(block))
        overlap = round(OVERLAP_S * self._rate)
        for number, (end, start, before, after) in enumerate(self._gaps):
            first, last = end - overlap, start + overlap
            if last <= at:
                self._made.pop(number, None)
            elif first < at + len(block):
                if number not in self._made:
                    self._made[number] = transition_sound(
                        self._mix.transition,
                        before,
                        after,
                        (start - end) / self._rate,
                        loudness=self._mix.loudness,
                        space=self._mix.space,
                        sample_rate=self._rate,
                    )
                low, high = max(first, at), min(last, at + len(block), first + len(self._made[number]))
                if high > low:
                    block[low - at : high - at] += self._made[number][low - first : high - first]
        if self._mix.fade_s and not self._apart:
            left = (self._total - at - np.arange(len(block))) / (self._mix.fade_s * self._rate)
            if left[-1] < 1:
                # Half way it is 12 dB down; at the end it is silent.
                block *= (np.clip(left, 0, 1) ** 2).astype(np.float32)[:, None]

    def _layer_gain(self, at: int, place: tuple[int, int], count: int) -> Frames:
        first, last = self._span
        fade, where = _LAYER_FADE_S, at + np.arange(count)
        if self._apart:
            fade, first, last, where = _LAYER_FADE_APART_S, 0, place[1], place[0] + np.arange(count)
        away = np.minimum(where - first, last - where) / (fade * self._rate)
        return (np.sin(0.5 * np.pi * np.clip(away, 0, 1)) ** 2).astype(np.float32)[:, None]


def _key_of(item: TimelineItem) -> Key:
    assert item.music is not None
    try:
        return (0, "major") if is_audio(item.music) else parse_key(read_performance(item.music, name=item.name).key)
    except InputError:
        # Damaged, or in no key: an error is raised when the piece is rendered.
        return 0, "major"


def _fitted(sound: Frames, length: int, sample_rate: int) -> Frames:
    """Return a piece that fits its place in the timeline: one that is too long fades out where the place ends."""
    too_long = len(sound) - length
    sound = sound[:length]
    if too_long > _ROUNDING_S * sample_rate:
        fade_out(sound, sample_rate)
    return sound
