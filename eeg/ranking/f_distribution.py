"""The upper tail of the F distribution: importing SciPy's takes longer than ranking does."""

from __future__ import annotations

import math
from math import exp, lgamma, log, log1p

import numpy as np
import numpy.typing as npt

_TINY = 1e-300
_MOST_TERMS = 10_000
_CLOSE = 1e-15


def f_upper_tail(extra: int, free: int, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the probability of larger values than these, by the incomplete beta function.

    Its continued fraction is DLMF 8.17.22, computed by the method of Lentz (1976).

    Parameters
    ----------
    extra, free : int
        Degrees of freedom of numerator and denominator, from 1.
    values : array-like
        From 0.

    Examples
    --------
    >>> f_upper_tail(3, 20, [0.0, 3.098391]).round(6).tolist()
    [1.0, 0.05]
    """
    array = np.asarray(values, dtype=np.float64)
    tails = [_beta(free / 2, extra / 2, free, extra * float(value)) for value in array.ravel()]
    return np.array(tails).reshape(array.shape)


def _beta(a: float, b: float, p: float, q: float) -> float:
    """Return the regularised incomplete beta function of a, b at p / (p + q)."""
    if math.isnan(q):
        return q
    if q <= 0:
        return 1.0
    if not p + q < float("inf"):
        return 0.0
    if p / (p + q) > (a + 1) / (a + b + 2):
        # There the fraction converges slowly; that of the other end does not.
        return 1.0 - _small_end(b, a, q / (p + q), p / (p + q))
    return _small_end(a, b, p / (p + q), q / (p + q))


def _small_end(a: float, b: float, x: float, rest: float) -> float:
    if x <= 0:
        return 0.0
    front = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * (log(rest) if rest < 0.5 else log1p(-x))
    return exp(front) / a / _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    value = upper = 1.0
    lower = 0.0
    for n in range(1, _MOST_TERMS):
        m = n // 2
        if n % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1.0 / ((1.0 + term * lower) or _TINY)
        upper = (1.0 + term / upper) or _TINY
        value *= upper * lower
        if abs(upper * lower - 1.0) < _CLOSE:
            break
    return value
