"""Fourier transforms in single precision."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def spectra_of(frames: npt.NDArray[np.float32], length: int | None = None) -> npt.NDArray[np.complex64]:
    """Return the spectra of real frames along the last axis, divided by their length.

    Parameters
    ----------
    frames : array of float32, shape (..., frames)
    length : int, optional
        Of the transform: frames are cut or zero-padded to it.

    Returns
    -------
    array of complex64, shape (..., length // 2 + 1)

    Examples
    --------
    >>> spectra_of(np.ones(8, dtype=np.float32))[:2].tolist()
    [(1+0j), 0j]
    """
    # Without a division NumPy would compute in double precision, which takes four times as long.
    return np.asarray(np.fft.rfft(frames, n=length, norm="forward"), dtype=np.complex64)


def frames_from(spectra: npt.NDArray[np.complex64], length: int) -> npt.NDArray[np.float32]:
    """Return the inverse transform along the last axis, shape (..., length).

    Since `spectra_of` divides as well, one of the two has to be multiplied by the length, such as a filter's response.

    Examples
    --------
    >>> frames_from(spectra_of(np.ones(4, dtype=np.float32)) * 4, 4).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    return np.asarray(np.fft.irfft(spectra, n=length), dtype=np.float32)
