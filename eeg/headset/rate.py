"""Whether a stream still has the rate that it declares."""

from __future__ import annotations

from collections import deque

import numpy as np

from eeg.headset.sources import Float64

# A stall of the radio and the burst behind it are averaged out over so long.
_WINDOW_S = 30.0
# Amplifiers' clocks agree within a thousandth; so far away is another rate.
_AWAY = 0.15


class RateWatch:
    """Measures the rate of a stream over half a minute.

    Parameters
    ----------
    sfreq : float
        As the stream declares it, in Hz.

    Examples
    --------
    >>> watch = RateWatch(250.0)
    >>> found = [watch.add(np.arange(k, k + 100) / 500.0) for k in range(0, 20000, 100)]
    >>> round(found[-1])
    500
    """

    def __init__(self, sfreq: float) -> None:
        self._sfreq = sfreq
        self._came: deque[tuple[float, int, float]] = deque()
        self._count = 0

    def add(self, moments: Float64) -> float | None:
        """Take the moments of new samples; return the true rate once it surely differs from the declared one.

        More samples than declared mean another rate. Fewer do so only where they are evenly spaced; otherwise some were
        lost.
        """
        if not len(moments):
            return None
        step = float(np.median(np.diff(moments))) if len(moments) > 1 else np.nan
        self._came.append((float(moments[0]), len(moments), step))
        self._count += len(moments)
        span = float(moments[-1]) - self._came[0][0]
        if span < _WINDOW_S:
            return None
        rate = self._count / span
        steps = [step for _, _, step in self._came if np.isfinite(step)]
        usual = float(np.median(steps)) if steps else 0.0
        while self._came and float(moments[-1]) - self._came[0][0] >= _WINDOW_S:
            self._count -= self._came.popleft()[1]
        if rate > (1 + _AWAY) * self._sfreq:
            return rate
        even = usual > (1 + _AWAY) / self._sfreq and abs(usual * rate - 1) < _AWAY
        return rate if rate < (1 - _AWAY) * self._sfreq and even else None
