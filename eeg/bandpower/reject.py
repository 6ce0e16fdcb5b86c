"""Rejecting epochs of channels that are flat, railed, too large, or have a jump or a burst of muscle."""

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
_P2P_LOW_V, P2P_HIGH_V = 120e-6, 500e-6
_STEP_LOW_V = 30e-6
# An epoch is left out in all channels where more than this share of them is rejected.
MAX_BAD_SHARE = 1 / 3


# A jump adds power between 15 and 45 Hz; where that power is less than this times its channel's median, none is looked
# for.
_JUMP_POWER = 1.25
JUMP_HZ = (15.0, 45.0)
# Every so many samples are enough to see that a channel is not flat.
_THIN = 16


@dataclass(frozen=True)
class EpochStats:
    """Size of the signal in each epoch; arrays of shape (n_channels, n_epochs).

    Parameters
    ----------
    raw_p2p : array
        Peak-to-peak in volts before re-referencing.
    rail : array
        Share of samples at the epoch's own maximum or minimum, the larger.
    p2p, step : array
        Peak-to-peak, and largest difference of neighbouring samples, in volts after re-referencing.
    fast : array
        Power density in `JUMP_HZ`, uV^2/Hz.
    """

    raw_p2p: Float32
    rail: Float32
    p2p: Float32
    step: Float32
    fast: Float32


@dataclass(frozen=True)
class Limits:
    """What an epoch may reach; arrays of shape (n_channels,).

    Parameters
    ----------
    p2p, step : array
        Volts.
    muscle : array
        uV^2/Hz; inf where it is not checked.
    fast : array
        Above it a jump is looked for, uV^2/Hz.
    raw_p2p : array
        Above it, or where `rails`, a rail is looked for, volts.
    rails : array of bool
        Channels that were seen at a rail.
    """

    p2p: Float32
    step: Float32
    muscle: Float32
    fast: Float32
    raw_p2p: Float32
    rails: Bool


def _epochs(hops: Float32, parts: int) -> Float32:
    """View hops as epochs of `parts` hops, last axis."""
    return hops[..., None] if parts == 1 else np.lib.stride_tricks.sliding_window_view(hops, parts, axis=1)


def _hops(samples: Float32, hop: int) -> Float32:
    count = samples.shape[1] // hop
    return samples[:, : count * hop].reshape(len(samples), count, hop)


def measure(
    raw: Float32, referenced: Float32, length: int, hop: int, fast: Float32, limits: Limits | None = None
) -> EpochStats:
    """Measure epochs that start every `hop` samples; `length` is a multiple of `hop`.

    Parameters
    ----------
    raw, referenced : array, shape (n_channels, n_samples)
        The same object where nothing was re-referenced.
    length, hop : int
        Samples.
    fast : array, shape (n_channels, n_epochs)
        See `EpochStats`.
    limits : Limits, optional
        With them, rails and jumps are looked for only where there can be any (elsewhere they are 0), and `raw_p2p` is
        exact only where it may be flat.
    """
    parts = length // hop
    blocks, plain = _hops(referenced, hop), _hops(raw, hop)
    high, low = blocks.max(axis=2), blocks.min(axis=2)
    p2p = _epochs(high, parts).max(axis=2) - _epochs(low, parts).min(axis=2)
    if limits is None:
        wanted = np.ones(high.shape, dtype=np.bool_)
        top, bottom = (high, low) if referenced is raw else (plain.max(axis=2), plain.min(axis=2))
        jumpy = wanted
    else:
        thin = plain[..., ::_THIN]
        top, bottom = (high, low) if referenced is raw else (thin.max(axis=2), thin.min(axis=2))
        size = top - bottom
        flat = size < FLAT_V
        if flat.any() and referenced is not raw:
            top[flat], bottom[flat] = plain[flat].max(axis=1), plain[flat].min(axis=1)
        wanted = (size > limits.raw_p2p[:, None]) | limits.rails[:, None]
        jumpy = np.zeros(high.shape, dtype=np.bool_)
        raised = fast > limits.fast[:, None]
        for part in range(parts):
            jumpy[:, part : part + raised.shape[1]] |= raised
    raw_p2p = _epochs(top, parts).max(axis=2) - _epochs(bottom, parts).min(axis=2)
    rails = np.zeros(high.shape, np.float32)
    if wanted.any():
        some = plain[wanted]
        at_top = np.count_nonzero(some == some.max(axis=1, keepdims=True), axis=1)
        at_bottom = np.count_nonzero(some == some.min(axis=1, keepdims=True), axis=1)
        rails[wanted] = np.maximum(at_top, at_bottom) / np.float32(hop)
    steps = np.zeros(high.shape, np.float32)
    if jumpy.any():
        some = blocks[jumpy]
        steps[jumpy] = np.abs(np.diff(some, axis=1)).max(axis=1)
        # A jump between two hops belongs to the first.
        seams = np.abs(blocks[:, 1:, 0] - blocks[:, :-1, -1])
        np.maximum(steps[:, :-1], np.where(jumpy[:, :-1], seams, 0), out=steps[:, :-1])
    return EpochStats(raw_p2p, _epochs(rails, parts).max(axis=2), p2p, _epochs(steps, parts).max(axis=2), fast)


def _robust_limit(values: Float32, deviations: float) -> Float32:
    """Return, for each row, the median times ``exp(deviations x robust SD of the logarithm)``."""
    logs = np.log(np.maximum(values, np.float32(1e-12)))
    middle = np.median(logs, axis=1)
    spread = 1.4826 * np.median(np.abs(logs - middle[:, None]), axis=1)
    return np.asarray(np.exp(middle + deviations * spread), dtype=np.float32)


def learn_limits(stats: EpochStats, muscle: Float32 | None, line_p2p: Float32) -> Limits:
    """Return limits from epochs taken all over the recording.

    Parameters
    ----------
    stats : EpochStats
    muscle : array, shape (n_channels, n_epochs), or None
        Power where muscle dominates.
    line_p2p : array, shape (n_channels,)
        Peak-to-peak of the line frequency in volts. Amplifiers without a filter (OpenBCI) have hundreds of microvolts
        of it, far from the bands; where it is larger than the lowest limit, limits are on what comes on top of it.
    """
    line = np.where(line_p2p > _P2P_LOW_V, line_p2p, np.float32(0.0))
    p2p = np.clip(_robust_limit(stats.p2p - line[:, None], 4.0), _P2P_LOW_V, P2P_HIGH_V) + line
    step = np.maximum(_robust_limit(stats.step, 5.0), _STEP_LOW_V)
    if muscle is None:
        burst = np.full(len(p2p), np.inf, dtype=np.float32)
    else:
        burst = np.maximum(_robust_limit(muscle, 5.0), 4.0 * np.median(muscle, axis=1))
    fast = _JUMP_POWER * np.median(stats.fast, axis=1)
    raw_p2p = 2.0 * np.median(stats.raw_p2p, axis=1)
    rails = ((stats.rail > RAIL_FRACTION) & (stats.raw_p2p > RAIL_MIN_V)).any(axis=1)
    p2p, step, burst, fast, raw_p2p = (np.asarray(v, dtype=np.float32) for v in (p2p, step, burst, fast, raw_p2p))
    return Limits(p2p, step, burst, fast, raw_p2p, np.asarray(rails))


def find_artifacts(stats: EpochStats, muscle: Float32 | None, limits: Limits) -> npt.NDArray[np.int8]:
    """Return for each channel and epoch the first reason (index in `REASONS`) to leave it out, or -1."""
    verdict = np.full(stats.p2p.shape, -1, dtype=np.int8)
    railed = (stats.rail > RAIL_FRACTION) & (stats.raw_p2p > RAIL_MIN_V)
    tests: list[tuple[int, Bool]] = [
        (0, stats.raw_p2p < FLAT_V),
        (1, railed),
        (2, stats.p2p > limits.p2p[:, None]),
    ]
    if muscle is not None:
        tests.append((4, muscle > limits.muscle[:, None]))
    tests.append((3, (stats.step > limits.step[:, None]) & (stats.fast > limits.fast[:, None])))
    for reason, found in tests:
        verdict[found & (verdict < 0)] = reason
    return verdict
