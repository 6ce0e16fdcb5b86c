"""Layers under the music: rain, sea, wind, noise and a drone, synthesised without gaps, the same from any position.

A layer is a series of stretches of noise, each with a seed of its own, overlapping with sine windows: their power adds
up to one, so that nothing swells or dips where they meet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.audio.instruments.pad import TABLE_FRAMES, held_table
from therapy_gen.music.audio.loudness import LoudnessMeter

Frames = npt.NDArray[np.float32]

STRETCH = 1 << 16
LEVELS_DB = (-60.0, 0.0)
_DEFAULT_LEVEL_DB = -18.0
# Share of a layer that both channels have in common.
_SHARED = 0.6
_CALIBRATION_STRETCHES = 16
# A drone changes key over so many seconds.
_DRONE_CHANGE_S = 6.0
_DRONE_PROGRAM = 89


@dataclass(frozen=True)
class Layer:
    """A layer and its level against the music's loudness, in decibels."""

    name: str
    level_db: float = _DEFAULT_LEVEL_DB

    def __str__(self) -> str:
        return f"{self.name}:{self.level_db:g}dB"


@dataclass(frozen=True)
class LayerKind:
    """A kind of layer: its description and its sound.

    `make` gives stretch number n, shape (2, 2 * STRETCH), not yet windowed, at a sample rate; None for the drone, which
    is made of the keys of the pieces.
    """

    about: str
    make: Callable[[int, int], Frames] | None


def parse_layer(text: str) -> Layer:
    """Read a layer such as ``rain``, ``rain:-18dB`` or ``sea:-24``; InputError otherwise."""
    name, colon, level = text.strip().partition(":")
    name = name.strip().lower()
    if name not in LAYERS:
        raise InputError(f"layer {name!r} is not known; give one of: {', '.join(LAYERS)}")
    if not colon:
        return Layer(name)
    found = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*(?:dB)?\s*", level, re.IGNORECASE)
    low, high = LEVELS_DB
    if not found or not low <= float(found[1]) <= high:
        raise InputError(
            f"level {level.strip()!r} of layer {name} is none; give {low:g}dB to {high:g}dB, as in {name}:-18dB"
        )
    return Layer(name, float(found[1]))


class LayerSound:
    """The sound of a layer.

    Parameters
    ----------
    layer : Layer
    loudness : float
        Of the music, in LUFS.
    sample_rate : int
    keys : sequence of (int, int)
        For a drone: the frames at which tonics begin, and their pitch classes.
    """

    def __init__(self, layer: Layer, loudness: float, sample_rate: int, keys: Sequence[tuple[int, int]] = ()) -> None:
        self._make = LAYERS[layer.name].make
        self._rate = sample_rate
        self._keys = list(keys) or [(0, 0)]
        own = _loudness(layer.name, sample_rate) if self._make else _drone_loudness(sample_rate)
        self._gain = np.float32(10 ** ((loudness + layer.level_db - own) / 20))

    def frames(self, start: int, count: int) -> Frames:
        """Return the frames from `start` on, shape (count, 2)."""
        if self._make is None:
            return self._drone(start, count) * self._gain
        first, last = start // STRETCH, (start + count - 1) // STRETCH
        out = np.concatenate([_joined(self._make, n, self._rate) for n in range(first, last + 1)], axis=1)
        return out[:, start - first * STRETCH :][:, :count].T * self._gain

    def _drone(self, start: int, count: int) -> Frames:
        where = np.arange(start, start + count)
        half = _DRONE_CHANGE_S * self._rate / 2
        out = np.zeros((2, count), dtype=np.float32)
        for n, (begins, tonic) in enumerate(self._keys):
            ends = self._keys[n + 1][0] if n + 1 < len(self._keys) else math.inf
            if begins - half > start + count or ends + half < start:
                continue
            rise = np.clip((where - begins) / (2 * half) + 0.5, 0, 1) if n else 1.0
            fall = np.clip((ends - where) / (2 * half) + 0.5, 0, 1)
            share = (np.sin(0.5 * np.pi * rise) * np.sin(0.5 * np.pi * fall)).astype(np.float32)
            out += _held_fifth(tonic, where, self._rate) * share
        return out.T


def _held_fifth(tonic: int, where: npt.NDArray[np.int64], sample_rate: int) -> Frames:
    low = 36 + (tonic - 36) % 12
    out = np.zeros((2, len(where)), dtype=np.float32)
    for key, level, period in ((low, 1.0, 31.0), (low + 7, 0.55, 43.0), (low + 12, 0.5, 37.0)):
        swell = level * (0.75 + 0.25 * np.sin(2 * np.pi * where / (period * sample_rate) + key))
        out += held_table(_DRONE_PROGRAM, key, sample_rate)[:, where % TABLE_FRAMES] * swell.astype(np.float32)
    return out


def _joined(make: Callable[[int, int], Frames], number: int, sample_rate: int) -> Frames:
    """Return what stretch `number` and the one before it sound together."""
    fade = np.sin(0.5 * np.pi * (np.arange(STRETCH) + 0.5) / STRETCH).astype(np.float32)
    before, own = _stretch(make, number - 1, sample_rate), _stretch(make, number, sample_rate)
    return before[:, STRETCH:] * fade[::-1] + own[:, :STRETCH] * fade


@lru_cache(maxsize=6)
def _stretch(make: Callable[[int, int], Frames], number: int, sample_rate: int) -> Frames:
    return make(number, sample_rate)


@lru_cache(maxsize=16)
def _loudness(name: str, sample_rate: int) -> float:
    make = LAYERS[name].make
    assert make is not None
    meter = LoudnessMeter(sample_rate)
    for number in range(_CALIBRATION_STRETCHES):
        meter.add(_joined(make, number, sample_rate))
    return meter.integrated()


@lru_cache(maxsize=4)
def _drone_loudness(sample_rate: int) -> float:
    meter = LoudnessMeter(sample_rate)
    meter.add(_held_fifth(0, np.arange(30 * sample_rate), sample_rate))
    return meter.integrated()


def _random(name: str, number: int) -> np.random.Generator:
    return np.random.default_rng([sum(name.encode()), number + 1])


def _noise(rng: np.random.Generator, shape: npt.NDArray[np.float32]) -> Frames:
    """Return a stretch of noise with a given spectrum, shape (2, 2 * STRETCH), its channels partly correlated."""
    parts = rng.standard_normal((3, 2, len(shape)), dtype=np.float32)
    waves = parts[:, 0] + 1j * parts[:, 1]
    both = _SHARED * waves[0] + (1 - _SHARED) * waves[1:]
    return np.asarray(np.fft.irfft(both * shape).astype(np.float32))


@lru_cache(maxsize=32)
def _slope(power: float, low_hz: float, high_hz: float, sample_rate: int) -> npt.NDArray[np.float32]:
    """Return amplitudes that fall as a power of frequency between two edges."""
    hertz = np.maximum(np.fft.rfftfreq(2 * STRETCH, 1 / sample_rate), 1.0)
    shape = hertz ** (-power / 2) / np.sqrt(1 + (low_hz / hertz) ** 4) / np.sqrt(1 + (hertz / high_hz) ** 4)
    return np.asarray(shape / np.sqrt((shape**2).sum()) * len(shape), dtype=np.float32)


def _seconds(number: int, sample_rate: int) -> npt.NDArray[np.float64]:
    return np.asarray((number * STRETCH + np.arange(2 * STRETCH)) / sample_rate)


def _drift(seconds: npt.NDArray[np.float64], periods_s: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return a slow movement between -1 and 1 that hardly ever repeats."""
    waves = [np.sin(2 * np.pi * seconds / period + 1.7 * n) for n, period in enumerate(periods_s)]
    return np.asarray(np.sum(waves, axis=0) / len(periods_s))


def _pink(number: int, sample_rate: int) -> Frames:
    return _noise(_random("pink", number), _slope(1.0, 25.0, 16000.0, sample_rate))


def _brown(number: int, sample_rate: int) -> Frames:
    return _noise(_random("brown", number), _slope(2.0, 35.0, 16000.0, sample_rate))


def _wind(number: int, sample_rate: int) -> Frames:
    rng, seconds = _random("wind", number), _seconds(number, sample_rate)
    gust = np.exp(1.1 * _drift(seconds, (23.0, 13.7, 7.1)))
    whistle = np.exp(1.8 * _drift(seconds - 0.8, (23.0, 13.7, 5.3)))
    low = _noise(rng, _slope(1.8, 60.0, 500.0, sample_rate)) * gust.astype(np.float32)
    return low + _noise(rng, _slope(1.0, 300.0, 1400.0, sample_rate)) * (0.12 * whistle).astype(np.float32)


def _sea(number: int, sample_rate: int) -> Frames:
    rng, seconds = _random("sea", number), _seconds(number, sample_rate)
    # A wave every nine seconds or so: it rises, breaks with a hiss, and runs back.
    phase = seconds / 9.3 + 0.35 * _drift(seconds, (41.0, 27.0))
    swell = (0.5 + 0.5 * np.sin(2 * np.pi * phase)) ** 2
    surf = (0.5 + 0.5 * np.sin(2 * np.pi * (phase - 0.13))) ** 4
    low = _noise(rng, _slope(1.6, 50.0, 900.0, sample_rate)) * (0.35 + 0.9 * swell).astype(np.float32)
    return low + _noise(rng, _slope(0.8, 500.0, 7000.0, sample_rate)) * (0.05 + 0.4 * surf).astype(np.float32)


def _rain(number: int, sample_rate: int) -> Frames:
    rng, seconds = _random("rain", number), _seconds(number, sample_rate)
    density = (1 + 0.25 * _drift(seconds, (37.0, 17.0))).astype(np.float32)
    fall = _noise(rng, _slope(0.6, 500.0, 9000.0, sample_rate)) * density
    fall += 0.25 * _noise(rng, _slope(1.5, 120.0, 700.0, sample_rate))
    # Drops nearby: short damped tones, some 40 a second.
    frames = 2 * STRETCH
    length = sample_rate // 50
    ramp = np.arange(length) / sample_rate
    for _ in range(rng.poisson(40 * frames / sample_rate)):
        at = int(rng.integers(frames - length))
        hertz, side = rng.uniform(900.0, 3600.0), rng.uniform(0.2, 0.8)
        level = 0.5 * rng.exponential() * min(rng.uniform(0.2, 1.0), 1.0)
        drop = level * np.sin(2 * np.pi * hertz * ramp) * np.exp(-ramp * 260.0) * np.minimum(ramp * 1000.0, 1.0)
        fall[0, at : at + length] += np.float32(math.sqrt(1 - side)) * drop.astype(np.float32)
        fall[1, at : at + length] += np.float32(math.sqrt(side)) * drop.astype(np.float32)
    return fall


LAYERS: dict[str, LayerKind] = {
    "rain": LayerKind("steady rain with drops nearby", _rain),
    "sea": LayerKind("slow waves", _sea),
    "wind": LayerKind("wind that comes and goes", _wind),
    "brown": LayerKind("brown noise", _brown),
    "pink": LayerKind("pink noise", _pink),
    "drone": LayerKind("a held fifth in the key of the music", None),
}
"""Every layer by its name. Help texts, completion and errors read them from here."""
