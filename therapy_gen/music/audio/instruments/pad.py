"""Pads and strings, synthesised: every partial a narrow band of noise, so the tone drifts and never repeats.

This is additive synthesis by an inverse Fourier transform (PADsynth, Nasca 2011): a partial that many players share is
not a line but a hump, which grows wider with frequency. The table that comes out is periodic and loops without a seam.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from therapy_gen.music.audio.instruments.curves import filled_in

Frames = npt.NDArray[np.float32]

TABLE_FRAMES = 1 << 18
"""The period of a held pad."""

_LOWEST_HZ, _HIGHEST_HZ = 20.0, 14000.0
# Share that both channels have in common, so that a mono sum loses little.
_SHARED = 0.45
_SEED = 1723
# Control rate of envelope and swell, in frames.
_CONTROL = 64
# Frames computed at a time, which fit into the cache.
_CHUNK = 1 << 15


@dataclass(frozen=True)
class Timbre:
    """The timbre of a pad.

    Attributes
    ----------
    tilt : float
        Decibels by which the spectrum falls an octave.
    brightness_hz : float
        Above this partials fall by another 12 dB an octave while it is dark, and from four times as high while bright.
    width_cents : float
        Of the hump that a partial is.
    odd : float
        Level of odd partials against even ones: 1 both alike.
    attack_s, release_s : float
    period_s : float
        In which it goes from dark to bright and back.
    """

    tilt: float
    brightness_hz: float
    width_cents: float
    odd: float
    attack_s: float
    release_s: float
    period_s: float


_WARM = Timbre(6.0, 900.0, 14.0, 1.0, 1.2, 0.8, 19.0)
_AIRY = Timbre(4.5, 1600.0, 22.0, 1.2, 1.4, 1.0, 23.0)
_STRINGS = Timbre(5.0, 2200.0, 18.0, 1.0, 0.6, 0.7, 13.0)
_SLOW_STRINGS = Timbre(5.5, 1800.0, 18.0, 1.0, 1.0, 0.9, 15.0)

TIMBRES: Mapping[int, Timbre] = MappingProxyType(
    {48: _STRINGS, 49: _SLOW_STRINGS, 50: _SLOW_STRINGS, 51: _SLOW_STRINGS, 88: _AIRY, 89: _WARM, 91: _AIRY, 94: _AIRY}
)
"""The General MIDI programs that are synthesised where no soundfont is given."""


def pad_tone(program: int, key: int, velocity: int, held_s: float, start_s: float, sample_rate: int) -> Frames:
    """Return a note of a pad.

    Parameters
    ----------
    program : int
        One of `TIMBRES`.
    key, velocity : int
        As in MIDI.
    held_s : float
        How long it is held; it rings on by its timbre's release.
    start_s : float
        Onset, which determines the phase of its drift, so that no two notes are alike.
    sample_rate : int

    Returns
    -------
    array of float32, shape (2, frames)
        At a root mean square of about (velocity / 127)².
    """
    timbre = TIMBRES[program]
    frames = round((held_s + timbre.release_s) * sample_rate)
    dark, bright = (_table(timbre, key, shade, sample_rate) for shade in (False, True))
    # The same note at another moment starts elsewhere in the table (by the golden ratio, far from all others).
    first = int(math.modf(start_s * 0.61803 + key * 0.38197)[0] * TABLE_FRAMES)
    seconds = np.arange(0, frames + 2 * _CONTROL, _CONTROL) / sample_rate
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * ((start_s + seconds) / timbre.period_s + key * 0.381966))
    loudness = (velocity / 127) ** 2 * _envelope(timbre, seconds, held_s)
    shares = filled_in(loudness * (1 - 0.7 * swell), _CONTROL), filled_in(loudness * (0.7 * swell), _CONTROL)
    tone = np.empty((2, frames), dtype=np.float32)
    at = 0
    while at < frames:
        # Tables begin anew at their end.
        place = (first + at) % TABLE_FRAMES
        stop = min(at + TABLE_FRAMES - place, at + _CHUNK, frames)
        read, part = slice(place, place + stop - at), tone[:, at:stop]
        np.multiply(dark[:, read], shares[0][at:stop], out=part)
        part += bright[:, read] * shares[1][at:stop]
        at = stop
    return tone


def held_table(program: int, key: int, sample_rate: int) -> Frames:
    """Return a period of a pad that is held for ever, shape (2, TABLE_FRAMES), at a root mean square of one."""
    return _table(TIMBRES[program], key, False, sample_rate)


def _envelope(timbre: Timbre, seconds: npt.NDArray[np.float64], held_s: float) -> npt.NDArray[np.float64]:
    attack = min(timbre.attack_s, max(held_s, 0.05))
    rise = np.sin(0.5 * np.pi * np.clip(seconds / attack, 0, 1)) ** 2
    fall = np.cos(0.5 * np.pi * np.clip((seconds - held_s) / timbre.release_s, 0, 1)) ** 2
    return np.asarray(rise * fall)


@lru_cache(maxsize=96)
def _table(timbre: Timbre, key: int, bright: bool, sample_rate: int) -> Frames:
    """Return a period of a held tone, shape (2, TABLE_FRAMES), at a root mean square of one."""
    hertz = 440 * 2 ** ((key - 69) / 12)
    bins = np.arange(TABLE_FRAMES // 2 + 1) * (sample_rate / TABLE_FRAMES)
    amplitude = np.zeros(len(bins))
    edge = timbre.brightness_hz * (4 if bright else 1)
    for number in range(1, max(int(min(_HIGHEST_HZ, 0.45 * sample_rate) / hertz), 1) + 1):
        at = number * hertz
        level = 10 ** (-timbre.tilt * math.log2(number) / 20) / math.sqrt(1 + (at / edge) ** 4)
        level *= timbre.odd if number % 2 else 1.0
        width = max((2 ** (timbre.width_cents / 1200) - 1) * at, 0.25)
        low, high = np.searchsorted(bins, (at - 5 * width, at + 5 * width))
        # As much energy however wide the hump is.
        amplitude[low:high] += level / math.sqrt(width) * np.exp(-(((bins[low:high] - at) / width) ** 2))
    amplitude[bins < _LOWEST_HZ] = 0
    both = np.fft.irfft(amplitude.astype(np.float32) * _noise(key))
    return np.asarray(both / np.sqrt(np.mean(both**2, dtype=np.float64)), dtype=np.float32)


@lru_cache(maxsize=2)
def _noise(key: int) -> npt.NDArray[np.complex64]:
    """Return white noise for both channels, shape (2, TABLE_FRAMES / 2 + 1): a key's own, dark or bright."""
    phases = np.random.RandomState(_SEED + key).uniform(0, 2 * np.pi, (3, TABLE_FRAMES // 2 + 1))
    angles = phases.astype(np.float32)
    waves = np.empty(angles.shape, dtype=np.complex64)
    waves.real, waves.imag = np.cos(angles), np.sin(angles)
    waves[1:] *= np.float32(1 - _SHARED)
    waves[1:] += np.float32(_SHARED) * waves[0]
    return waves[1:]
