"""Reverb: synthesised stereo impulse responses, applied by fast convolution.

A response has a pre-delay, early reflections on both sides, and a tail of noise in which each octave decays at its own
rate (Moorer 1979, Computer Music Journal 3:2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.audio.fourier import frames_from, spectra_of

Frames = npt.NDArray[np.float32]

BLOCK = 1 << 17
"""Frames of a block: with the response they fill one transform of 2^18."""

_RESPONSE_FRAMES = 1 << 17
_DECAY_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
_SEED = 1803
_REFLECTIONS = 14
# Above this the tail is a little louder than a real room's: air.
_AIR_HZ = 4000.0


@dataclass(frozen=True)
class Space:
    """The parameters of a reverb.

    Attributes
    ----------
    decay_s : tuple of float
        Reverberation times at 125 Hz, 250 Hz and so on to 16 kHz.
    predelay_s : float
        Before the first reflection.
    wet_db : float
        Energy of the reverb against that of its input.
    early_db : float
        Energy of the early reflections against the tail's.
    low_cut_hz : float
        Below this frequency reverb only muddies the sound.
    air_db : float
        Boost of the tail above `_AIR_HZ`.
    """

    decay_s: tuple[float, ...]
    predelay_s: float
    wet_db: float
    early_db: float
    low_cut_hz: float
    air_db: float


SPACES: Mapping[str, Space | None] = MappingProxyType(
    {
        "dry": None,
        "room": Space((2.0, 2.1, 2.1, 2.1, 2.0, 1.8, 1.2, 0.7), 0.022, -4.5, -4.0, 160.0, 4.0),
        "hall": Space((2.8, 2.9, 2.9, 2.8, 2.5, 2.0, 1.3, 0.8), 0.034, -2.5, -6.0, 140.0, 4.0),
    }
)
DEFAULT_SPACE = "room"


def check_space(name: str) -> None:
    """Raise InputError where a space is not known."""
    if name not in SPACES:
        raise InputError(f"space {name!r} is not known; give one of: {', '.join(SPACES)}")


class Reverb:
    """Adds a space to a stream of stereo blocks.

    Parameters
    ----------
    sample_rate : int
    space : str
        One of `SPACES`.
    """

    def __init__(self, sample_rate: int = 44100, space: str = DEFAULT_SPACE) -> None:
        check_space(space)
        found = SPACES[space]
        self._size = BLOCK + _RESPONSE_FRAMES
        # `spectra_of` divides by the length.
        self._spectra = None if found is None else _spectra(found, sample_rate) * np.float32(self._size)

    def process(self, blocks: Iterable[tuple[Frames, Frames]]) -> Iterator[Frames]:
        """Yield each block of shape (2, BLOCK) with its reverb and that of earlier ones.

        The tail after the last block is cut. A block comes as direct sound, shape (2, BLOCK), and reverb send, shape
        (BLOCK,).
        """
        tail = np.zeros((2, _RESPONSE_FRAMES), dtype=np.float32)
        for direct, sent in blocks:
            if self._spectra is None:
                yield direct
                continue
            wet = frames_from(spectra_of(sent, self._size) * self._spectra, self._size)
            heard = wet[:, :BLOCK]
            heard += tail
            heard += direct
            tail = wet[:, BLOCK:]
            yield heard


@cache
def _spectra(space: Space, sample_rate: int) -> npt.NDArray[np.complex64]:
    """Return the spectra of the responses at both ears, shape (2, bins)."""
    return np.fft.rfft(response(space, sample_rate), n=BLOCK + _RESPONSE_FRAMES).astype(np.complex64)


def reverb_energy(space: Space, band_hz: tuple[float, float], sample_rate: int) -> float:
    """Return the energy of a reverb's output against its input, between two frequencies."""
    spectra = _spectra(space, sample_rate)
    low, high = (round(hertz * (BLOCK + _RESPONSE_FRAMES) / sample_rate) for hertz in band_hz)
    part = spectra[:, low : max(high, low + 1)]
    return float((np.abs(part) ** 2).mean(axis=1).sum()) if part.size else 0.0


def response(space: Space, sample_rate: int) -> npt.NDArray[np.float64]:
    """Return the impulse responses of a space at both ears, shape (2, frames)."""
    rng = np.random.RandomState(_SEED)
    seconds = np.arange(_RESPONSE_FRAMES) / sample_rate
    hertz = np.fft.rfftfreq(_RESPONSE_FRAMES, 1 / sample_rate)
    octave = np.log2(np.maximum(hertz, 20))
    noise = np.fft.rfft(rng.standard_normal((2, _RESPONSE_FRAMES)))
    noise *= 1 + (10 ** (space.air_db / 20) - 1) / (1 + (_AIR_HZ / np.maximum(hertz, 1)) ** 4)
    tail = np.zeros((2, _RESPONSE_FRAMES))
    centres = np.log2(_DECAY_HZ)
    for index, decay in enumerate(space.decay_s):
        share = np.interp(octave, centres, np.eye(len(centres))[index])
        tail += np.fft.irfft(noise * share) * np.exp(-np.log(1000) * seconds / decay)
    # The tail fades in after the reflections and out at its end.
    tail *= np.clip(seconds / 0.04, 0, 1) * np.clip((seconds[-1] - seconds) / 0.05, 0, 1)
    early = np.zeros((2, _RESPONSE_FRAMES))
    for number in range(_REFLECTIONS):
        at = 0.075 * ((number + rng.uniform(0.2, 0.8)) / _REFLECTIONS) ** 1.2
        side = rng.uniform(-0.9, 0.9)
        level = np.exp(-at / 0.035) * (1 if rng.uniform() < 0.5 else -1)
        # What comes from one side reaches the other ear up to 0.6 ms later.
        for ear, sign in ((0, -1), (1, 1)):
            place = round((at + 0.0006 * max(-sign * side, 0)) * sample_rate)
            early[ear, place] += level * np.sqrt(0.5 * (1 + sign * side))
    # A wall takes more of the highs.
    early = np.fft.irfft(np.fft.rfft(early) / np.sqrt(1 + (hertz / 7000.0) ** 2))
    low_cut = 1 / np.sqrt(1 + (space.low_cut_hz / np.maximum(hertz, 1)) ** 4)
    found = _unit(early) * 10 ** (space.early_db / 20) + _unit(tail)
    found = _unit(np.fft.irfft(np.fft.rfft(found) * low_cut)) * 10 ** (space.wet_db / 20)
    delay = round(space.predelay_s * sample_rate)
    return np.pad(found, ((0, 0), (delay, 0)))[:, :_RESPONSE_FRAMES]


def _unit(response: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(response / np.sqrt((response**2).sum(axis=1, keepdims=True)))
