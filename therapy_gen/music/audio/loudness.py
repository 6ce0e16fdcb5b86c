"""Loudness of a stream of stereo blocks, as ITU-R BS.1770-5 measures it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from therapy_gen.music.audio.fourier import spectra_of

# Annex 1: the two stages of the K weighting, as filters at 48 kHz.
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_OFFSET_DB = -0.691
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
# Gating blocks of 400 ms that overlap by three quarters: four steps of 100 ms each.
_STEPS_PER_SECOND = 10
_STEPS_PER_GATE = 4
# The limiter takes the peak of so many frames, and looks so far ahead and back.
_LIMIT_STEP, _LIMIT_S = 32, 0.05


class LoudnessMeter:
    """Measures integrated loudness and peak of what is added.

    The weighting is applied to the spectrum of each 100 ms, which agrees with the filters within 0.1 LU on music.

    Parameters
    ----------
    sample_rate : int
    """

    def __init__(self, sample_rate: int = 44100) -> None:
        self._step = sample_rate // _STEPS_PER_SECOND
        self._weights = _weights(self._step, sample_rate)
        self._rest = np.zeros((2, 0), dtype=np.float32)
        self._energies: list[npt.NDArray[np.float64]] = []
        self.peak = 0.0
        """Largest absolute sample."""
        self.spectrum = np.zeros(self._step // 2 + 1)
        """Energy of everything added, at every 10 Hz."""

    @classmethod
    def estimated(
        cls,
        energies: npt.NDArray[np.float64],
        bands: npt.NDArray[np.float64],
        edges_hz: Sequence[float],
        sample_rate: int = 44100,
    ) -> LoudnessMeter:
        """Return a meter in the state after music that was not rendered, from estimates of it.

        Parameters
        ----------
        energies : array, shape (steps,)
            Weighted mean square of every 100 ms, both channels together.
        bands : array, shape (bands,)
            Energy between the frequencies of `edges_hz`, in any unit.
        edges_hz : sequence of float
            One more than bands.
        sample_rate : int
        """
        meter = cls(sample_rate)
        meter._energies = [energies]
        # A crest of 12 dB.
        meter.peak = 4.0 * math.sqrt(float(energies.max(initial=0.0)) / 2)
        for energy, low, high in zip(bands, edges_hz[:-1], edges_hz[1:], strict=True):
            part = meter.spectrum[round(low / _STEPS_PER_SECOND) : round(high / _STEPS_PER_SECOND)]
            part += energy / max(len(part), 1)
        return meter

    def add(self, block: npt.NDArray[np.float32]) -> None:
        """Add frames of shape (2, frames)."""
        self.peak = max(self.peak, float(block.max(initial=0)), -float(block.min(initial=0)))
        frames = np.concatenate((self._rest, block), axis=1)
        steps = frames.shape[1] // self._step
        self._rest = frames[:, steps * self._step :]
        spectra = spectra_of(frames[:, : steps * self._step].reshape(2, steps, self._step))
        parts = spectra.view(np.float32)
        parts *= parts
        power = parts[..., ::2] + parts[..., 1::2]
        self.spectrum += power.sum(axis=(0, 1), dtype=np.float64)
        self._energies.append((power @ self._weights).sum(axis=0, dtype=np.float64))

    @property
    def energies(self) -> npt.NDArray[np.float64]:
        """Weighted mean square of every 100 ms that was added, both channels together."""
        return np.concatenate(self._energies) if self._energies else np.zeros(0)

    def share_above_db(self, hertz: float) -> float:
        """Return the energy above a frequency against all energy, in decibels; minus infinity where there is none."""
        above = float(self.spectrum[round(hertz / _STEPS_PER_SECOND) :].sum())
        return 10 * math.log10(above / float(self.spectrum.sum())) if above > 0 else -math.inf

    def change_db(self, response: npt.NDArray[np.float64]) -> float:
        """Return by how much a filter changes the loudness; its amplitude response is given every 10 Hz."""
        weighted = self.spectrum * self._weights
        return 10 * math.log10(float((weighted * response**2).sum()) / float(weighted.sum()))

    def integrated(self, gain: float = 1.0) -> float:
        """Return the gated loudness in LUFS; minus infinity for silence and for less than 400 ms.

        With a `gain`, the loudness of the sound times this, since very quiet sound lies below the absolute gate.
        """
        energies = self.energies
        if len(energies) < _STEPS_PER_GATE:
            return -math.inf
        gates = np.lib.stride_tricks.sliding_window_view(energies, _STEPS_PER_GATE).mean(axis=1) * gain**2
        gates = gates[gates > 10 ** ((_ABSOLUTE_GATE - _OFFSET_DB) / 10)]
        if not len(gates):
            return -math.inf
        gates = gates[gates > gates.mean() * 10 ** (_RELATIVE_GATE / 10)]
        return _OFFSET_DB + 10 * math.log10(float(gates.mean()))


def limit(sound: npt.NDArray[np.float32], highest: float, sample_rate: int) -> None:
    """Limit sound of shape (frames, 2) to a peak, in place, with gain that falls a little before it and rises after it.

    Sound below the peak is not changed at all.
    """
    frames = len(sound)
    if not frames or max(float(sound.max()), -float(sound.min())) <= highest:
        return
    points = -(-frames // _LIMIT_STEP)
    peaks = np.zeros(points)
    for first in range(0, points, 4096):
        both = np.abs(sound[first * _LIMIT_STEP : (first + 4096) * _LIMIT_STEP])
        part = np.maximum(both[:, 0], both[:, 1])
        part = np.pad(part, (0, -len(part) % _LIMIT_STEP))
        peaks[first : first + 4096] = part.reshape(-1, _LIMIT_STEP).max(axis=1)
    reach = round(_LIMIT_S * sample_rate / _LIMIT_STEP)
    wanted = np.minimum(highest / np.maximum(peaks, 1e-9), 1.0)
    padded = np.pad(wanted, 2 * reach + 1, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 3).min(axis=1)
    window = np.hanning(2 * reach + 2)[1:-1]
    smooth = np.convolve(lowest, window / window.sum(), "valid")[: points + 1]
    for first in range(0, frames, 1 << 16):
        where = np.arange(first, min(first + (1 << 16), frames)) / _LIMIT_STEP - 0.5
        sound[first : first + (1 << 16)] *= np.interp(where, np.arange(len(smooth)), smooth)[:, None].astype(np.float32)


def weighting(band_hz: tuple[float, float], sample_rate: int) -> float:
    """Return the factor by which the K weighting changes the energy between two frequencies."""
    step = sample_rate // _STEPS_PER_SECOND
    low, high = (round(hertz / _STEPS_PER_SECOND) for hertz in band_hz)
    part = _weights(step, sample_rate)[max(low, 1) : max(high, 2)]
    return float(part.mean()) / 2 if len(part) else 1.0


@cache
def _weights(frames: int, sample_rate: int) -> npt.NDArray[np.float32]:
    """Return the factor that turns the power of `spectra_of`, of each bin, into mean weighted energy (Parseval)."""
    hertz = np.fft.rfftfreq(frames, 1 / sample_rate)
    z = np.exp(-2j * np.pi * np.minimum(hertz, 24000) / 48000)
    gain = np.ones(len(hertz))
    for numerator, denominator in (_SHELF, _HIGH_PASS):
        response = np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z)
        gain *= np.abs(response) ** 2
    both_sides = np.full(len(hertz), 2.0)
    both_sides[0] = 1.0
    if frames % 2 == 0:
        both_sides[-1] = 1.0
    return np.asarray(gain * both_sides, dtype=np.float32)
