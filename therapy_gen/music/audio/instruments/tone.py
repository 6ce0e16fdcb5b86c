"""The tone of an endlessly held key: a soundfont's sample at pitch, through its filter and envelopes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.music.audio.fourier import frames_from, spectra_of
from therapy_gen.music.audio.instruments.curves import filled_in
from therapy_gen.music.audio.instruments.soundfont import Lfo, Zone

Frames = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
_Played = npt.NDArray[Any]

SEGMENT = 1 << 16
"""Frames of a tone that are computed at a time. The number is fixed, so that a tone's bytes never depend on its use."""

SILENCE_DB = 96.0
"""A sound so far below full scale is over: the step of 16 bits."""

# Envelopes and oscillators move every 64 frames (1.5 ms), as FluidSynth's do.
_CONTROL = 64

# Windowed-sinc interpolation.
_TAPS = 8
_LEFT = _TAPS // 2 - 1
_PHASES = 2048
_KAISER_BETA = 6.0

# A constant filter works on so many frames at a time; those of its transient are discarded.
_BLOCK = 15360

# A moving filter is cross-faded between Hann windows that overlap by half.
_WINDOW = 2048
_HOP = _WINDOW // 2
_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
_CUTOFF_STEP_CENTS = 10


class PlayedSamples:
    """A cache of samples at pitch, before filter and envelope, shared by velocities; thread-safe.

    Where the filter is constant, the spectra of its blocks are kept in place of the samples.

    Parameters
    ----------
    most_bytes : int
        How much is kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, _Played] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, wanted: Hashable, make: Callable[[], _Played]) -> _Played:
        """Return the cached array of a key, made where there is none; it must not be changed."""
        with self._lock:
            if wanted in self._kept:
                self._kept.move_to_end(wanted)
                return self._kept[wanted]
        made = make()
        with self._lock:
            if wanted not in self._kept:
                self._kept[wanted] = made
                self._bytes += made.nbytes
            while self._bytes > self._most_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return made


def held_tone(
    zone: Zone, key: int, index: int, sample: Callable[[], Frames], sample_rate: int, played: PlayedSamples
) -> Frames | None:
    """Compute a segment of a held tone.

    Parameters
    ----------
    zone : Zone
    key : int
        MIDI pitch.
    index : int
        Which stretch of `SEGMENT` frames.
    sample : callable
        Returns the zone's sample, an array of float32, shape (frames,).
    sample_rate : int
    played : PlayedSamples
        Of the same soundfont, at the same rate.

    Returns
    -------
    array of float32, shape (SEGMENT,), or None
        None where nothing sounds from here on.
    """
    first = index * SEGMENT
    filtered = zone.cutoff_hz * 2 ** (min(zone.modulation_to_filter, 0) / 1200) < 0.4 * sample_rate
    moving = filtered and bool(zone.modulation_to_filter or (zone.lfo_to_filter and zone.lfos))
    margin = _WINDOW if filtered else 0
    bent = bool(zone.modulation_to_pitch or any(lfo.pitch_cents for lfo in zone.lfos))
    # The phase of a bent tone depends on everything before.
    start = 0 if bent else max(first - margin, 0)
    grid = np.arange(start, first + SEGMENT + margin + 2 * _CONTROL, _CONTROL)
    seconds = grid / sample_rate
    now = (first - start) // _CONTROL
    volume = _volume(zone, key, seconds[now:])
    if volume.max() < 10 ** (-SILENCE_DB / 20) and seconds[now] > zone.volume.delay:
        return None
    step = zone.frames_per_second(key) / sample_rate
    modulation = _modulation(zone, key, seconds) if bent or moving else np.zeros(0)
    position = _positions(zone, step, seconds, modulation) if bent else grid * step
    if not zone.loops and position[now] > zone.end - zone.start:
        return None

    still = filtered and not moving

    def make() -> _Played:
        frames = np.arange(first - margin, first + SEGMENT + margin)
        where = np.interp(frames, grid, position, left=-1.0) if bent else frames * step
        tone = _play(zone, sample(), np.asarray(where, dtype=np.float64), bandwidth=min(1.0, 1 / step))
        return _spectra_of_blocks(tone) if still else tone

    # Velocity changes only the filter, and the pitch of bent tones.
    place = (zone.sample, zone.start, zone.end, zone.loop_start, zone.loop_end, zone.loops, zone.rate)
    tone = make() if bent else played.get((place, step, index, margin, still), make)
    if moving:
        centres = np.arange(first - margin + _HOP, first + SEGMENT + margin + 1 - _HOP, _HOP)
        cents = np.interp(centres, grid, modulation) * zone.modulation_to_filter
        if zone.lfo_to_filter and zone.lfos:
            cents += zone.lfo_to_filter * _triangle(zone.lfos[0], np.maximum(centres, 0) / sample_rate)
        cutoff = zone.cutoff_hz * np.exp2(cents / 1200)
        tone = _moving_low_pass(tone, cutoff, zone.resonance_db, sample_rate)[margin:-margin]
    elif still:
        tone = _low_pass(tone, zone.cutoff_hz, zone.resonance_db, sample_rate)
    return tone * filled_in(volume[: SEGMENT // _CONTROL + 1], _CONTROL)


def frames_needed(zone: Zone, key: int, index: int, sample_rate: int) -> int | None:
    """Return how many frames of its sample a stretch of a held tone reads; None for all."""
    if zone.modulation_to_pitch or any(lfo.pitch_cents for lfo in zone.lfos):
        return None
    last = (index + 1) * SEGMENT + _WINDOW + 4 * _CONTROL
    return zone.start + int(last * zone.frames_per_second(key) / sample_rate) + 2 * _TAPS


@lru_cache(maxsize=64)
def release_curve(frames: int) -> Frames:
    """Return the fall from 1 to silence, even in decibels, that a released key takes."""
    return np.logspace(0, -SILENCE_DB / 20, frames).astype(np.float32)


def _volume(zone: Zone, key: int, seconds: Floats) -> Floats:
    """Return the volume envelope with its tremolo, as factors of amplitude."""
    envelope = zone.volume
    peak = envelope.delay + envelope.attack
    falling = seconds - peak - envelope.hold(key)
    with np.errstate(divide="ignore", invalid="ignore"):
        fall_db = np.where(falling > 0, 100 * falling / envelope.decay(key), 0.0)
        rise = np.where(seconds < peak, np.clip((seconds - envelope.delay) / envelope.attack, 0, 1), 1.0)
    level_db = -np.minimum(fall_db, zone.sustain_db)
    for lfo in zone.lfos:
        level_db += lfo.volume_db * _triangle(lfo, seconds)
    return np.asarray(rise * 10 ** (level_db / 20))


def _modulation(zone: Zone, key: int, seconds: Floats) -> Floats:
    """Return the modulation envelope, 0 to 1; its attack is convex (section 8.1.3, generator 26)."""
    envelope = zone.modulation
    peak = envelope.delay + envelope.attack
    falling = seconds - peak - envelope.hold(key)
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.where(falling > 0, falling / envelope.decay(key), 0.0)
        rise = np.where(seconds < peak, np.clip((seconds - envelope.delay) / envelope.attack, 0, 1), 1.0)
    convex = 1 + np.log10(np.maximum(rise, 1e-5)) * (2 / 4.8)
    return np.asarray(np.where(seconds < peak, np.clip(convex, 0, 1), np.maximum(1 - fall, zone.modulation_sustain)))


def _triangle(lfo: Lfo, seconds: Floats) -> Floats:
    phase = np.maximum(seconds - lfo.delay, 0) * lfo.frequency
    return np.asarray(1 - 4 * np.abs((phase + 0.25) % 1 - 0.5))


def _positions(zone: Zone, step: float, seconds: Floats, modulation: Floats) -> Floats:
    """Return the place in the sample at each control point of a bent tone; `step` from frame to frame is as unbent."""
    cents = zone.modulation_to_pitch * modulation
    for lfo in zone.lfos:
        cents += lfo.pitch_cents * _triangle(lfo, seconds)
    steps = np.cumsum(step * _CONTROL * np.exp2(cents / 1200))
    return np.concatenate(([0.0], steps[:-1]))


def _play(zone: Zone, sample: Frames, where: Floats, bandwidth: float) -> Frames:
    """Read a sample, looped if its zone is, at fractional places; zero before its start and after its end."""
    # Past the loop's end by half the taps, so that those on the left have come round the loop as well.
    turn = zone.loop_end - zone.start + _TAPS // 2
    if zone.loops and where[-1] >= turn - _TAPS:
        end = zone.loop_end
        length = zone.loop_end - zone.loop_start
        after = sample[zone.loop_start + np.arange(2 * _TAPS) % length]
        if where[-1] >= turn:
            rounds = np.floor((where - (turn - length)) / length)
            where = where - length * np.maximum(rounds, 0)
    else:
        end = min(zone.loop_end if zone.loops else zone.end, len(sample))
        after = np.zeros(2 * _TAPS, dtype=np.float32)
    source = np.concatenate((np.zeros(_LEFT + 1, dtype=np.float32), sample[zone.start : end], after))
    whole = np.floor(where)
    phase = ((where - whole) * _PHASES + 0.5).astype(np.intp)
    # One place on: those before the start read the zeros in front of it.
    at = np.clip(whole + 1, 0, len(source) - _TAPS).astype(np.intp)
    kernel = _kernel(round(bandwidth, 2))
    tone = np.zeros(len(where), dtype=np.float32)
    for tap in range(_TAPS):
        tone += np.take(kernel[tap], phase) * np.take(source[tap:], at)
    if where[0] < 0:
        tone[where < 0] = 0
    return tone


@lru_cache(maxsize=64)
def _kernel(bandwidth: float) -> Frames:
    """Return the taps of each phase, shape (taps, phases + 1), of a low-pass at `bandwidth` of the sample's own."""
    place = np.arange(_TAPS)[:, None] - _LEFT - np.arange(_PHASES + 1) / _PHASES
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(1 - (place / (_TAPS / 2)) ** 2, 0)))
    taps = np.sinc(place * bandwidth) * window
    return np.asarray(taps / taps.sum(axis=0), dtype=np.float32)


def _spectra_of_blocks(tone: Frames) -> npt.NDArray[np.complex64]:
    """Return the spectra of the blocks of a stretch with a margin on both sides."""
    hop = _BLOCK - _WINDOW
    return spectra_of(np.lib.stride_tricks.sliding_window_view(tone, _BLOCK)[::hop][: -(-SEGMENT // hop)])


def _low_pass(spectra: npt.NDArray[np.complex64], cutoff: float, resonance_db: float, sample_rate: int) -> Frames:
    """Return a stretch after a two-pole filter, from its spectra."""
    response = _response(_cutoff_step(cutoff, sample_rate), resonance_db, sample_rate, _BLOCK)
    return frames_from(spectra * response, _BLOCK)[:, _WINDOW:].reshape(-1)[:SEGMENT]


def _cutoff_step(cutoff: Any, sample_rate: int) -> Any:
    return np.rint(1200 / _CUTOFF_STEP_CENTS * np.log2(np.clip(cutoff, 20, 0.45 * sample_rate)))


def _moving_low_pass(tone: Frames, cutoff: Floats, resonance_db: float, sample_rate: int) -> Frames:
    """Filter with two poles; `cutoff` is in hertz at the middle of each window."""
    different, which = np.unique(_cutoff_step(cutoff, sample_rate), return_inverse=True)
    responses = np.stack([_response(float(step), resonance_db, sample_rate, _WINDOW) for step in different])
    windows = np.lib.stride_tricks.sliding_window_view(tone, _WINDOW)[::_HOP]
    spectra = spectra_of(windows * _HANN)
    spectra *= responses[which]
    pieces = frames_from(spectra, _WINDOW)
    out = np.empty(len(tone), dtype=np.float32)
    halves = out[: (len(pieces) + 1) * _HOP].reshape(-1, _HOP)
    halves[:-1] = pieces[:, :_HOP]
    halves[-1] = 0
    halves[1:] += pieces[:, _HOP:]
    return out


@lru_cache(maxsize=512)
def _response(cutoff_step: float, resonance_db: float, sample_rate: int, length: int) -> npt.NDArray[np.complex64]:
    """Return the response of the low-pass at the frequencies of `length` frames, times that (see `spectra_of`)."""
    z = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    angle = 2 * np.pi * 2 ** (cutoff_step * _CUTOFF_STEP_CENTS / 1200) / sample_rate
    # A resonance of 0 dB has a quality of 3 dB less (FluidSynth's reading of section 8.1.3, generator 9).
    quality = 10 ** ((resonance_db - 3.01) / 20)
    alpha, cosine = np.sin(angle) / (2 * quality), np.cos(angle)
    gain = length * (1 - cosine) / (2 * np.sqrt(quality))
    return np.asarray(gain * (1 + z) ** 2 / ((1 + alpha) - 2 * cosine * z + (1 - alpha) * z**2), dtype=np.complex64)
