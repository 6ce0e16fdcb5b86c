"""Contact quality: judged from a few seconds, channel by channel, with advice on what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from eeg.headset.sources import Float32, Source

# Microvolts. EEG of a touching electrode is tens of microvolts; an amplifier's own noise is below one.
FLAT_UV, LOOSE_UV, LINE_UV, MUSCLE_UV = 0.5, 150.0, 15.0, 12.0
# Of the largest voltage the amplifier can give; beyond 100 mV no electrode on skin stays.
_NEAR_RAIL, _NO_SKIN_V = 0.98, 0.1
_STUCK_SHARE = 0.5
SHORTEST_S = 2.0

DEAD = ("flat", "railed")
"""States in which an electrode measures nothing."""

_TO_DO = {
    "good": "",
    "flat": "not connected: check the cable, press the electrode on",
    "railed": "off the scale: the electrode or the reference does not touch; wet it, press it on",
    "loose": "moves or hardly touches: press it on, part the hair, wet it",
    "line": "picks up mains: press it on, move away from chargers and cables",
    "muscle": "muscle: relax jaw and forehead",
}


@dataclass(frozen=True)
class Contact:
    """The contact of one electrode.

    Parameters
    ----------
    channel : str
    state : str
        A key of `_TO_DO`.
    spread_uv : float
        Standard deviation from 1 to 40 Hz.
    line_uv : float
        RMS at 50 or 60 Hz, whichever is larger.
    fast_uv : float
        RMS from 20 to 45 Hz, where muscle shows.
    """

    channel: str
    state: str
    spread_uv: float
    line_uv: float
    fast_uv: float

    @property
    def to_do(self) -> str:
        """Advice on what to do about it; empty where nothing."""
        return _TO_DO[self.state]


def judge_contact(samples: Float32, sfreq: float, names: tuple[str, ...], rail_v: float | None = None) -> list[Contact]:
    """Judge electrodes from a stretch of two seconds or more.

    Parameters
    ----------
    samples : array, shape (n, n_channels)
        In volts.
    sfreq : float
        Hz.
    names : tuple of str
    rail_v : float, optional
        Largest voltage of the amplifier.

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.random.default_rng(0).normal(0.0, 1e-5, (1000, 2)).astype(np.float32)
    >>> samples[:, 1] = 0.0
    >>> [contact.state for contact in judge_contact(samples, 250.0, ("C3", "C4"))]
    ['good', 'flat']
    """
    data = samples.astype(np.float64)
    centred = data - data.mean(axis=0)
    window = np.hanning(len(data))[:, None]
    power = np.abs(np.fft.rfft(centred * window, axis=0)) ** 2 / (np.sum(window**2) * len(data)) * 2.0
    freqs = np.fft.rfftfreq(len(data), 1.0 / sfreq)

    def rms_uv(low: float, high: float) -> np.ndarray:
        inside = (freqs >= low) & (freqs < high)
        return np.asarray(np.sqrt(power[inside].sum(axis=0)) * 1e6)

    spread, fast = rms_uv(1.0, 40.0), rms_uv(20.0, 45.0)
    line = np.maximum(rms_uv(48.5, 51.5), rms_uv(58.5, 61.5))
    found = []
    for i, name in enumerate(names):
        state = _state(data[:, i], rail_v, float(spread[i]), float(line[i]), float(fast[i]))
        found.append(Contact(name, state, float(spread[i]), float(line[i]), float(fast[i])))
    return found


def _state(values: np.ndarray, rail_v: float | None, spread: float, line: float, fast: float) -> str:
    largest = float(np.abs(values).max())
    stuck = float(np.mean(np.abs(values) >= _NEAR_RAIL * largest)) > _STUCK_SHARE
    if (rail_v is not None and largest >= _NEAR_RAIL * rail_v) or (largest > _NO_SKIN_V and stuck):
        return "railed"
    if float(np.std(values)) * 1e6 < FLAT_UV:
        return "flat"
    if line > LINE_UV and line > spread / 2:
        return "line"
    if spread > LOOSE_UV:
        return "loose"
    return "muscle" if fast > MUSCLE_UV else "good"


def watch_contact(
    source: Source, seconds: float, *, every_s: float = 1.0, stop: Callable[[], bool] = lambda: False
) -> Iterator[list[Contact]]:
    """Judge the electrodes of a source again and again, each time from its last `SHORTEST_S` seconds or more.

    Parameters
    ----------
    source : Source
    seconds : float
        How long to watch.
    every_s : float
        Between two judgements.
    stop : callable
        Asked often whether to end.
    """
    stream = source.stream
    kept = np.zeros((0, len(stream.channels)), np.float32)
    needed = int(2 * SHORTEST_S * stream.sfreq)
    until = time.monotonic() + seconds
    told = -np.inf
    while time.monotonic() < until and not stop():
        time.sleep(0.05)
        _, samples = source.read()
        kept = np.concatenate([kept, samples])[-needed:]
        if time.monotonic() - told >= every_s and len(kept) >= SHORTEST_S * stream.sfreq:
            told = time.monotonic()
            yield judge_contact(kept, stream.sfreq, stream.channels, stream.rail_v)
