"""Which windows of which channels to leave out: flat, railed, too large, jumping, or full of muscle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

REASONS = ("flat", "railed", "peak-to-peak", "jump", "muscle burst")

# No scalp channel stays within 0.2 uV for 2 s, amplifier noise alone exceeds it.
FLAT_V = 0.2e-6
# A railed channel repeats its extreme; 2.5 % of the samples at one extreme do not happen by resolution alone.
RAIL_FRACTION = 0.025
RAIL_MIN_V = 20e-6
# Peak-to-peak limits follow the channel's own median (log scale, 4 robust SD), kept between these
# (100 to 200 uV are customary for filtered data: Luck 2014, ch. 6; unfiltered recordings drift).
P2P_LOW_V, P2P_HIGH_V = 120e-6, 500e-6
STEP_LOW_V = 30e-6
# A window is left out in all channels where more than this share of them is.
MAX_BAD_SHARE = 1 / 3


@dataclass(frozen=True)
class WindowStats:
    """Size of the signal in each window; arrays of shape (n_channels, n_windows).

    Parameters
    ----------
    raw_p2p : array
        Peak-to-peak in volts before re-referencing.
    rail : array
        Share of samples at the window's own maximum or minimum, the larger.
    p2p, step : array
        Peak-to-peak, and largest difference of neighbouring samples, in volts after re-referencing.
    """

    raw_p2p: Float32
    rail: Float32
    p2p: Float32
    step: Float32


@dataclass(frozen=True)
class Limits:
    """What a window may reach; arrays of shape (n_channels,), volts, and for `muscle` uV^2/Hz (inf: not checked)."""

    p2p: Float32
    step: Float32
    muscle: Float32


def _windows(values: Float32, parts: int) -> npt.NDArray[np.float32]:
    """View hops as windows of `parts` hops, last axis."""
    return np.lib.stride_tricks.sliding_window_view(values, parts, axis=1)


def measure(raw: Float32, referenced: Float32, length: int, hop: int) -> WindowStats:
    """Measure windows that start every `hop` samples; `length` is a multiple of `hop`.

    Parameters
    ----------
    raw, referenced : array, shape (n_channels, n_samples)
        The same object where nothing was re-referenced.
    length, hop : int
        Samples.
    """
    parts, hops = length // hop, raw.shape[1] // hop
    blocks = raw[:, : hops * hop].reshape(len(raw), hops, hop)
    high, low = blocks.max(axis=2), blocks.min(axis=2)
    top, bottom = _windows(high, parts).max(axis=2), _windows(low, parts).min(axis=2)
    at_high = np.count_nonzero(blocks == high[..., None], axis=2).astype(np.float32)
    at_low = np.count_nonzero(blocks == low[..., None], axis=2).astype(np.float32)
    rail = np.maximum(_windows(at_high, parts).max(axis=2), _windows(at_low, parts).max(axis=2)) / np.float32(hop)
    raw_p2p = top - bottom
    if referenced is raw:
        p2p = raw_p2p
    else:
        blocks = referenced[:, : hops * hop].reshape(len(raw), hops, hop)
        p2p = _windows(blocks.max(axis=2), parts).max(axis=2) - _windows(blocks.min(axis=2), parts).min(axis=2)
    steps = np.diff(referenced[:, : hops * hop], axis=1, append=referenced[:, hops * hop - 1 : hops * hop])
    np.abs(steps, out=steps)
    step = _windows(steps.reshape(len(raw), hops, hop).max(axis=2), parts).max(axis=2)
    return WindowStats(raw_p2p, rail, p2p, step)


def robust_limit(values: Float32, deviations: float) -> Float32:
    """Return, for each row, the median times ``exp(deviations x robust SD of the logarithm)``."""
    logs = np.log(np.maximum(values, np.float32(1e-12)))
    middle = np.median(logs, axis=1)
    spread = 1.4826 * np.median(np.abs(logs - middle[:, None]), axis=1)
    return np.asarray(np.exp(middle + deviations * spread), dtype=np.float32)


def learn_limits(stats: WindowStats, muscle: Float32 | None) -> Limits:
    """Return limits from windows taken all over the recording.

    Parameters
    ----------
    stats : WindowStats
    muscle : array, shape (n_channels, n_windows), or None
        Power where muscle dominates.
    """
    p2p = np.clip(robust_limit(stats.p2p, 4.0), P2P_LOW_V, P2P_HIGH_V)
    step = np.maximum(robust_limit(stats.step, 5.0), STEP_LOW_V)
    if muscle is None:
        burst = np.full(len(p2p), np.inf, dtype=np.float32)
    else:
        burst = np.maximum(robust_limit(muscle, 5.0), 4.0 * np.median(muscle, axis=1))
    return Limits(p2p.astype(np.float32), step.astype(np.float32), burst.astype(np.float32))


def judge(stats: WindowStats, muscle: Float32 | None, limits: Limits) -> npt.NDArray[np.int8]:
    """Return for each channel and window the first reason (index in `REASONS`) to leave it out, or -1."""
    verdict = np.full(stats.p2p.shape, -1, dtype=np.int8)
    railed = (stats.rail > RAIL_FRACTION) & (stats.raw_p2p > RAIL_MIN_V)
    tests: list[tuple[int, Bool]] = [
        (0, stats.raw_p2p < FLAT_V),
        (1, railed),
        (2, stats.p2p > limits.p2p[:, None]),
        (3, stats.step > limits.step[:, None]),
    ]
    if muscle is not None:
        tests.append((4, muscle > limits.muscle[:, None]))
    for reason, found in tests:
        verdict[found & (verdict < 0)] = reason
    return verdict
