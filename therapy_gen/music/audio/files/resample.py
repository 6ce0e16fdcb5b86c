"""Sound at another sampling frequency."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]

# A window lasts two seconds; its middle second is kept, and the rest covers the filter's reach.
_WINDOW_S, _KEPT_S = 2, 1
# The pass band ends at this share of the lower Nyquist frequency.
_PASS = 0.92


def resampled(blocks: Iterable[Frames], rate: int, wanted: int) -> Iterator[Frames]:
    """Give sound at another sampling frequency, in blocks of a second; exactly as long as before, to the frame.

    Parameters
    ----------
    blocks : iterable of array, shape (frames, channels)
    rate, wanted : int
        Frequencies before and afterwards, in Hz.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)[:, None].astype(np.float32)
    >>> (made,) = resampled([tone], 48000, 44100)
    >>> made.shape
    (44100, 1)
    >>> bool(np.abs(made[1000:-1000, 0] - np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)[1000:-1000]).max() < 1e-3)
    True
    """
    if rate == wanted:
        yield from blocks
        return
    size, out = _WINDOW_S * rate, _WINDOW_S * wanted
    response = _response(size, out)
    waiting: Frames | None = None
    total = given = 0
    for block in blocks:
        if waiting is None:
            waiting = np.zeros((rate // 2, block.shape[1]), np.float32)
        waiting = np.concatenate((waiting, block))
        total += len(block)
        while len(waiting) >= size:
            yield _window(waiting[:size], response, out, wanted)
            given += wanted
            waiting = waiting[_KEPT_S * rate :]
    left = round(total * wanted / rate) - given
    while waiting is not None and left > 0:
        padded = np.zeros((size, waiting.shape[1]), np.float32)
        padded[: min(len(waiting), size)] = waiting[:size]
        yield _window(padded, response, out, wanted)[:left]
        left -= wanted
        waiting = waiting[_KEPT_S * rate :]


def _response(size: int, out: int) -> npt.NDArray[np.float32]:
    """Return the low-pass at the frequencies that both have: a slope that ends below half of the lower frequency."""
    bins = min(size, out) // 2 + 1
    place = np.arange(bins) / max(bins - 1, 1)
    slope = np.clip((place - _PASS) / (1 - _PASS), 0, 1)
    return (0.5 + 0.5 * np.cos(np.pi * slope)).astype(np.float32)[:, None]


def _window(block: Frames, response: npt.NDArray[np.float32], out: int, wanted: int) -> Frames:
    spectrum = np.fft.rfft(block, axis=0)[: len(response)] * response
    sound = np.fft.irfft(spectrum, out, axis=0) * (out / len(block))
    first = wanted // 2
    return sound[first : first + _KEPT_S * wanted].astype(np.float32)
