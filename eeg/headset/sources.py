"""Sources of live EEG: their names, streams and samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from eeg.errors import ParameterError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

KINDS = ("lsl", "brainflow")
# A source that sends nothing for longer, in seconds, is taken as lost.
RECOVER_S = 30.0


@dataclass(frozen=True)
class Stream:
    """The stream of a source.

    Parameters
    ----------
    name : str
        As its maker calls it.
    sfreq : float
        Nominal sampling frequency in Hz.
    channels : tuple of str
        Names of the EEG channels.
    rail_v : float or None
        Largest voltage that it can give, where known.
    """

    name: str
    sfreq: float
    channels: tuple[str, ...]
    rail_v: float | None = None


class Source(Protocol):
    """A headset or amplifier that is connected."""

    stream: Stream

    def read(self) -> tuple[Float64, Float32]:
        """Return what came since the last call, at once.

        Returns
        -------
        moments : array, shape (n,)
            When each sample was taken, in seconds of this machine's monotonic clock (`time.monotonic`).
        samples : array, shape (n, n_channels)
            In volts.

        Raises
        ------
        RecordingError
            Where the source is gone for good.
        """

    def close(self) -> None:
        """Let go of it."""


def open_source(text: str) -> Source:
    """Connect to a source by its name.

    Parameters
    ----------
    text : str
        ``"lsl:NAME"``, ``"brainflow:BOARD"`` or ``"brainflow:BOARD:ADDRESS"``.

    Raises
    ------
    ParameterError
        The text names no source.
    RecordingError
        There is no such source, or it gives no EEG.
    MissingExtraError
        The library that it needs is not installed.
    """
    kind, colon, rest = text.partition(":")
    if kind not in KINDS or not colon or not rest.strip():
        raise ParameterError(
            f"{text!r} names no source: write lsl:NAME, or brainflow:BOARD and, where the board has one, its address, "
            "as brainflow:CYTON:/dev/ttyUSB0"
        )
    if kind == "lsl":
        from eeg.headset.lsl import LslSource

        return LslSource(rest.strip())
    from eeg.headset.boards import BoardSource

    board, _, address = rest.partition(":")
    return BoardSource(board.strip(), address.strip())
