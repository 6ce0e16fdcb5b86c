"""Simulated recordings: a listener whose beta and gamma follow each piece by a chosen number of decibels.

1/f background shared between neighbouring electrodes, alpha, blinks, muscle (bursts and steady), line noise, drift over
time on task and from play to play. For tests, and to try the whole loop without a headset.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from eeg.errors import ParameterError
from eeg.io.channels import position_of, site_of
from eeg.settings import BETA_HZ, GAMMA_HZ
from eeg.timeline.known_pieces import MUSIC, SILENCE, Item

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


# From one channel to many, the customary places first.
PLACES = [
    "Cz",
    "C3",
    "C4",
    "Pz",
    "Fz",
    "Oz",
    "Fp1",
    "Fp2",
    "F3",
    "F4",
    "P3",
    "P4",
    "O1",
    "O2",
    "F7",
    "F8",
    "T7",
    "T8",
    "P7",
    "P8",
    "FC1",
    "FC2",
    "CP1",
    "CP2",
    "FC5",
    "FC6",
    "CP5",
    "CP6",
    "FT9",
    "FT10",
    "POz",
    "AFz",
    "AF3",
    "AF4",
    "F1",
    "F2",
    "F5",
    "F6",
    "C1",
    "C2",
    "C5",
    "C6",
    "P1",
    "P2",
    "P5",
    "P6",
    "FC3",
    "FC4",
    "CP3",
    "CP4",
    "FT7",
    "FT8",
    "TP7",
    "TP8",
    "PO3",
    "PO4",
    "PO7",
    "PO8",
    "AF7",
    "AF8",
    "FCz",
    "CPz",
    "Iz",
    "Fpz",
]


@dataclass(frozen=True)
class Listener:
    """The parts of a simulated recording.

    Parameters
    ----------
    effects : mapping of str to (float, float)
        Of a piece on beta and gamma power, dB against silence.
    drift_db : float
        Change of beta and gamma from the beginning to the end of the recording.
    wander_db : float
        SD of a slow random drift of beta and gamma (memory 100 s).
    background_uv : float
        SD of the 1/f background, uV.
    exponent : float
        Of its power, ``1 / f ** exponent``.
    shared : float
        Share of the background's variance that neighbouring electrodes have in common, 0 to 1.
    alpha_uv : float
        SD of the 10 Hz rhythm where it is largest, uV.
    blinks_per_min : float
    muscle_per_min : float
        Bursts, in every piece and in silence.
    muscle_by_piece : mapping of str to float
        Bursts a minute during a piece, in place of `muscle_per_min`.
    muscle_uv : float
        SD of a burst at the temples, uV.
    steady_muscle_uv : mapping of str to float
        SD of steady muscle activity at the temples during a piece, uV.
    line_freq, line_uv : float
        Hz, and amplitude of the line noise in uV (0: none).
    bad_channels : mapping of str to str
        Channel name and ``"flat"``, ``"noisy"`` or ``"loud"``.
    """

    effects: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    drift_db: float = 0.0
    wander_db: float = 0.2
    background_uv: float = 10.0
    exponent: float = 1.2
    shared: float = 0.6
    alpha_uv: float = 8.0
    blinks_per_min: float = 0.0
    muscle_per_min: float = 0.0
    muscle_by_piece: Mapping[str, float] = field(default_factory=dict)
    muscle_uv: float = 15.0
    steady_muscle_uv: Mapping[str, float] = field(default_factory=dict)
    line_freq: float = 50.0
    line_uv: float = 1.0
    bad_channels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Simulated:
    """A simulated recording.

    Parameters
    ----------
    samples : array, shape (n_channels, n_samples), float32
        In volts.
    names : tuple of str
    sfreq : float
        Hz.
    items : tuple of Item
    """

    samples: Float32
    names: tuple[str, ...]
    sfreq: float
    items: tuple[Item, ...]


def channel_names(count: int) -> tuple[str, ...]:
    """Return the names of so many channels: 10-10 places first, then E65, E66 and so on."""
    if count < 1:
        raise ParameterError(f"{count} channels: give at least 1")
    return (*PLACES[:count], *(f"E{i + 1}" for i in range(len(PLACES), count)))


def timeline(
    pieces: Sequence[str],
    *,
    repeats: int = 4,
    play_s: float = 60.0,
    silence_s: float = 90.0,
    gap_s: float = 2.0,
    seed: int = 0,
) -> tuple[Item, ...]:
    """Return a session: silence, every piece `repeats` times in a shuffled order, silence."""
    rng = np.random.default_rng(seed)
    at = silence_s
    items = [Item(SILENCE, None, 0.0, silence_s)]
    for _ in range(repeats):
        for i in rng.permutation(len(pieces)):
            items.append(Item(MUSIC, pieces[i], at, play_s))
            at += play_s + gap_s
    return (*items, Item(SILENCE, None, at, silence_s))


def simulate(
    items: Sequence[Item],
    *,
    sfreq: float = 250.0,
    channels: int | Sequence[str] = 8,
    listener: Listener | None = None,
    seed: int = 0,
) -> Simulated:
    """Simulate a recording that ends with the last item.

    Parameters
    ----------
    items : sequence of Item
        Plays and silences, from the first sample.
    sfreq : float
        Hz.
    channels : int or sequence of str
        How many, or their names.
    listener : Listener, optional
    seed : int
        The same seed gives the same samples.
    """
    listener = listener or Listener()
    names = channel_names(channels) if isinstance(channels, int) else tuple(channels)
    if not 64.0 <= sfreq <= 20_000.0:
        raise ParameterError(f"sampling frequency {sfreq:g} Hz is out of range: give 64 to 20000")
    rng = np.random.default_rng(seed)
    n = math.ceil(max(item.end_s for item in items) * sfreq)
    positions = np.array([_position(name, i) for i, name in enumerate(names)])
    samples = np.zeros((len(names), n), np.float32)
    gains = _gains(items, n, sfreq, listener, rng)
    _add_background(samples, gains, positions, sfreq, listener, rng)
    _add_alpha(samples, positions, sfreq, listener, rng)
    _add_blinks(samples, positions, sfreq, listener, rng)
    _add_muscle(samples, items, positions, sfreq, listener, rng)
    if listener.line_uv:
        time = np.arange(n) / sfreq
        wave = np.sin(2 * np.pi * listener.line_freq * time).astype(np.float32)
        samples += (listener.line_uv * rng.uniform(0.3, 1.7, len(names))).astype(np.float32)[:, None] * wave
    for name, what in listener.bad_channels.items():
        row = samples[names.index(name)]
        if what == "flat":
            row[:] = 0
        elif what == "noisy":
            row += (30 * rng.standard_normal(n)).astype(np.float32)
        elif what == "loud":
            row *= 12
        else:
            raise ParameterError(f"bad channel {name}: {what!r} is not flat, noisy or loud")
    samples *= np.float32(1e-6)
    return Simulated(samples, names, sfreq, tuple(items))


def _position(name: str, index: int) -> tuple[float, float]:
    known = position_of(site_of(name))
    if known is not None:
        return known
    radius, angle = 0.95 * math.sqrt((index % 97 + 0.5) / 97), index * 2.39996
    return radius * math.cos(angle), radius * math.sin(angle)


def _power_law(
    shape: tuple[int, int], sfreq: float, exponent: float, rng: np.random.Generator
) -> npt.NDArray[np.complex64]:
    """Return one-sided spectra of 1/f noise with unit variance between 1 Hz and Nyquist."""
    import scipy.fft

    freqs = np.fft.rfftfreq(shape[1], 1 / sfreq)
    weight = np.zeros(len(freqs))
    weight[1:] = np.maximum(freqs[1:], 0.5) ** (-exponent / 2)
    weight /= np.sqrt(np.sum(weight[1:] ** 2) * 2 / shape[1])
    spectra = scipy.fft.rfft(rng.standard_normal(shape, dtype=np.float32), axis=1)
    spectra *= weight.astype(np.float32)
    return np.asarray(spectra)


def _gains(items: Sequence[Item], n: int, sfreq: float, listener: Listener, rng: np.random.Generator) -> list[Float32]:
    """Return the amplitude factor of beta and of gamma at each sample."""
    import scipy.signal

    every = max(1, int(sfreq))  # once a second
    coarse = np.arange(0, n + every, every)
    decay = math.exp(-1 / 100)
    gains = []
    for band in range(2):
        steps = rng.standard_normal(len(coarse)) * listener.wander_db * math.sqrt(1 - decay**2)
        steps[0] = rng.standard_normal() * listener.wander_db
        slow = scipy.signal.lfilter([1.0], [1.0, -decay], steps) + listener.drift_db * (coarse / max(n, 1) - 0.5)
        level = np.interp(np.arange(n), coarse, slow).astype(np.float32)
        for item in items:
            if item.piece is not None and item.piece in listener.effects:
                level[round(item.onset_s * sfreq) : round(item.end_s * sfreq)] += listener.effects[item.piece][band]
        gains.append(np.asarray(10 ** (level / np.float32(20))))
    return gains


def _add_background(
    samples: Float32,
    gains: Sequence[Float32],
    positions: Float64,
    sfreq: float,
    listener: Listener,
    rng: np.random.Generator,
) -> None:
    """Add 1/f noise whose beta and gamma parts follow the gains; part of it is common to neighbours."""
    import scipy.fft

    n = samples.shape[1]
    freqs = np.fft.rfftfreq(n, 1 / sfreq)
    bands = [(freqs >= low) & (freqs < high) for low, high in (BETA_HZ, GAMMA_HZ)]

    def shaped(spectrum: npt.NDArray[np.complex64]) -> Float32:
        total = np.zeros(n, np.float32)
        rest = spectrum.copy()
        for inside, gain in zip(bands, gains, strict=True):
            part = np.where(inside, spectrum, np.complex64(0))
            rest[inside] = 0
            total += gain * scipy.fft.irfft(part, n).astype(np.float32)
        total += scipy.fft.irfft(rest, n).astype(np.float32)
        return total

    centres = np.array([(0.0, 0.0), (-0.5, 0.35), (0.5, 0.35), (-0.5, -0.35), (0.5, -0.35), (0.0, 0.75), (0.0, -0.75)])
    near = np.exp(-((positions[:, None] - centres) ** 2).sum(axis=2) / (2 * 0.35**2))
    near /= np.sqrt((near**2).sum(axis=1, keepdims=True))
    if listener.shared > 0:
        for i in range(len(centres)):
            source = shaped(_power_law((1, n), sfreq, listener.exponent, rng)[0])
            samples += (near[:, i] * math.sqrt(listener.shared) * listener.background_uv).astype(np.float32)[
                :, None
            ] * source
    if listener.shared < 1:
        own = np.float32(math.sqrt(1 - listener.shared) * listener.background_uv)
        for row in samples:
            row += own * shaped(_power_law((1, n), sfreq, listener.exponent, rng)[0])


def _add_alpha(
    samples: Float32, positions: Float64, sfreq: float, listener: Listener, rng: np.random.Generator
) -> None:
    if not listener.alpha_uv:
        return
    import scipy.fft

    n = samples.shape[1]
    freqs = np.fft.rfftfreq(n, 1 / sfreq)
    shape = np.exp(-((freqs - 10.0) ** 2) / (2 * 0.8**2)).astype(np.float32)
    wave = scipy.fft.irfft(scipy.fft.rfft(rng.standard_normal(n, dtype=np.float32)) * shape, n)
    wave /= wave.std()
    weight = listener.alpha_uv * np.exp(-((positions - (0.0, -0.7)) ** 2).sum(axis=1) / (2 * 0.5**2))
    samples += weight.astype(np.float32)[:, None] * wave.astype(np.float32)


def _add_blinks(
    samples: Float32, positions: Float64, sfreq: float, listener: Listener, rng: np.random.Generator
) -> None:
    n = samples.shape[1]
    minutes = n / sfreq / 60
    shape = 200.0 * np.sin(np.linspace(0, np.pi, max(3, int(0.3 * sfreq)))) ** 2
    weight = np.exp(-((positions - (0.0, 0.85)) ** 2).sum(axis=1) / (2 * 0.3**2))
    for at in rng.integers(0, max(n - len(shape), 1), rng.poisson(listener.blinks_per_min * minutes)):
        stop = min(at + len(shape), n)
        samples[:, at:stop] += np.outer(weight * rng.uniform(0.6, 1.3), shape[: stop - at]).astype(np.float32)


def _add_muscle(
    samples: Float32,
    items: Sequence[Item],
    positions: Float64,
    sfreq: float,
    listener: Listener,
    rng: np.random.Generator,
) -> None:
    """Add noise above 20 Hz from muscles at the temples, the forehead and the neck, each with its own map."""
    import scipy.signal

    low = scipy.signal.butter(2, 20.0, "highpass", fs=sfreq, output="sos")
    muscles = np.array([(-0.8, 0.2), (0.8, 0.2), (-0.5, -0.8), (0.5, -0.8), (-0.4, 0.85), (0.4, 0.85)])
    maps = np.exp(-((positions[:, None] - muscles) ** 2).sum(axis=2) / (2 * 0.28**2)) + 0.05

    def add(start: int, stop: int, size_uv: float, envelope: Float64 | float) -> None:
        start, stop = max(start, 0), min(stop, samples.shape[1])
        if stop <= start:
            return
        noise = scipy.signal.sosfilt(low, rng.standard_normal((len(muscles), stop - start)), axis=1)
        samples[:, start:stop] += (size_uv * (maps @ noise) * envelope).astype(np.float32)

    for item in items:
        begin, end = round(item.onset_s * sfreq), round(item.end_s * sfreq)
        steady = listener.steady_muscle_uv.get(item.piece or "", 0.0)
        if steady:
            add(begin, end, steady, 1.0)
        rate = listener.muscle_by_piece.get(item.piece or "", listener.muscle_per_min)
        for _ in range(rng.poisson(rate * item.duration_s / 60)):
            length = int(rng.uniform(0.3, 1.5) * sfreq)
            at = int(rng.integers(begin, max(end - length, begin + 1)))
            stop = min(at + length, samples.shape[1])
            add(at, stop, listener.muscle_uv * rng.uniform(0.5, 1.5), np.hanning(max(stop - at, 1)))
