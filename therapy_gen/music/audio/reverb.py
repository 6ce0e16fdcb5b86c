"""A small, warm room around dry sound: a synthesised impulse response, decorrelated between the ears, by FFT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]

BLOCK = 3 << 16
"""Frames of a block: with the response they fill one transform of 2^18."""

_RESPONSE_FRAMES = 1 << 16

# Reverberation times of a furnished chamber-music room: the higher, the shorter. Hertz and seconds.
_DECAY_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
_DECAY_S = (1.3, 1.35, 1.3, 1.2, 1.0, 0.75, 0.5, 0.35)
_PREDELAY_S = 0.018
_DIFFUSE_AFTER_S = 0.012
# Below this the room adds mud and no space.
_LOW_CUT_HZ = 160.0
# Energy of the room's sound against the direct one's.
_WET_DB = -11.0
_SEED = 1803


class Reverb:
    """Adds a room to a stream of stereo blocks.

    Parameters
    ----------
    sample_rate : int
    """

    def __init__(self, sample_rate: int = 44100) -> None:
        self._responses = _responses(sample_rate)
        self._size = BLOCK + _RESPONSE_FRAMES

    def process(self, blocks: Iterable[Frames]) -> Iterator[Frames]:
        """Yield each block of shape (2, BLOCK) with the room's sound of it and of those before; it has no end block."""
        tail = np.zeros((2, _RESPONSE_FRAMES), dtype=np.float32)
        for block in blocks:
            spectrum = np.fft.rfft(block.mean(axis=0), n=self._size)
            wet = np.fft.irfft(spectrum * self._responses, n=self._size).astype(np.float32, copy=False)
            wet[:, :_RESPONSE_FRAMES] += tail
            tail = wet[:, BLOCK:].copy()
            yield block + wet[:, :BLOCK]


@cache
def _responses(sample_rate: int) -> npt.NDArray[np.complex64]:
    """Return the spectra of the responses at both ears, shape (2, bins).

    Gaussian noise, each third of an octave or so dying away at its own rate (Moorer 1979, Computer Music Journal 3:2).
    """
    noise = np.random.RandomState(_SEED).standard_normal((2, _RESPONSE_FRAMES))
    seconds = np.arange(_RESPONSE_FRAMES) / sample_rate
    hertz = np.fft.rfftfreq(_RESPONSE_FRAMES, 1 / sample_rate)
    octave = np.log2(np.maximum(hertz, 20))
    spectrum = np.fft.rfft(noise)
    response = np.zeros_like(noise)
    centres = np.log2(_DECAY_HZ)
    for index, decay in enumerate(_DECAY_S):
        share = np.interp(octave, centres, np.eye(len(centres))[index])
        response += np.fft.irfft(spectrum * share) * np.exp(-np.log(1000) * seconds / decay)
    response *= np.clip(seconds / _DIFFUSE_AFTER_S, 0, 1)
    # No step where the response is cut.
    response *= np.clip((seconds[-1] - seconds) / 0.05, 0, 1)
    low_cut = 1 / np.sqrt(1 + (_LOW_CUT_HZ / np.maximum(hertz, 1)) ** 4)
    response = np.fft.irfft(np.fft.rfft(response) * low_cut)
    response *= 10 ** (_WET_DB / 20) / np.sqrt((response**2).sum(axis=1, keepdims=True))
    delay = round(_PREDELAY_S * sample_rate)
    response = np.pad(response, ((0, 0), (delay, 0)))[:, :_RESPONSE_FRAMES]
    return np.fft.rfft(response, n=BLOCK + _RESPONSE_FRAMES).astype(np.complex64)
