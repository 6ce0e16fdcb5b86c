"""Where played sound goes: the sound card, or nowhere in real time."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sessions.errors import MissingPortAudioError, PlayError
from therapy_gen.errors import MissingExtraError

Samples = npt.NDArray[np.float32]

CHANNELS = 2
SILENT = "none"
"""The device that plays in real time without sound."""

# How much is written ahead of what is heard: enough for a busy machine, short for a pause.
_LATENCY_S = 0.2


class Output(Protocol):
    """Takes sound no faster than it is heard."""

    def ahead_s(self) -> float:
        """Return in how many seconds a sample written now will be heard."""

    def write(self, block: Samples) -> None:
        """Take samples, shape (frames, 2); returns once there is room for more."""

    def close(self, *, drain: bool) -> None:
        """End: once all that was written is heard (`drain`), or at once."""


class SilentOutput:
    """Consumes samples in real time and plays nothing: for runs that only send markers, and machines without sound."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        # When, by the monotonic clock, the last sample written will have been heard.
        self._due = time.monotonic()

    def ahead_s(self) -> float:
        """Return in how many seconds a sample written now would be heard."""
        return max(self._due - time.monotonic(), 0.0)

    def write(self, block: Samples) -> None:
        """Take samples; returns once no more than the latency is left to be heard."""
        self._due = max(self._due, time.monotonic()) + len(block) / self._rate
        time.sleep(max(self.ahead_s() - _LATENCY_S, 0.0))

    def close(self, *, drain: bool) -> None:
        """End, once all would have been heard where `drain` is asked for."""
        if drain:
            time.sleep(self.ahead_s())


class SoundCard:
    """A device of PortAudio.

    Parameters
    ----------
    sample_rate : int
    device : str, optional
        Its name, a part of it, or its number; the system's own choice without.
    way_out : str
        What an error suggests in place of playing.

    Raises
    ------
    MissingExtraError
        Where sounddevice or PortAudio is not installed.
    PlayError
        Where there is no such device, or it does not take stereo at this rate.
    """

    def __init__(self, sample_rate: int, device: str | None, way_out: str) -> None:
        try:
            import sounddevice
        except ImportError:
            raise MissingExtraError("playing through the sound card", "play") from None
        except OSError:
            raise MissingPortAudioError from None
        self._rate = sample_rate
        self._way_out = way_out
        self._problem = sounddevice.PortAudioError
        chosen = int(device) if device is not None and device.isascii() and device.isdigit() else device
        try:
            self._stream: Any = sounddevice.OutputStream(
                samplerate=sample_rate, channels=CHANNELS, dtype="float32", device=chosen, latency=_LATENCY_S
            )
            self._stream.start()
            # Nothing is written yet: this is the size of its buffer.
            self._capacity = int(self._stream.write_available)
        except (sounddevice.PortAudioError, ValueError) as error:
            raise self._explained(error, device) from None

    def _explained(self, error: Exception, device: str | None = None) -> PlayError:
        which = (
            f"sound device {device!r} cannot be used" if device is not None else "there is no sound device to play on"
        )
        said = str(error.args[0] if error.args else error).splitlines()[0]
        return PlayError(f"{which} ({said}); {self._way_out}")

    def ahead_s(self) -> float:
        """Return in how many seconds a sample written now will be heard."""
        try:
            waiting = (self._capacity - int(self._stream.write_available)) / self._rate
            beyond = float(self._stream.latency) - self._capacity / self._rate
        except self._problem as error:
            raise _stopped(error) from None
        return max(waiting, 0.0) + max(beyond, 0.0)

    def write(self, block: Samples) -> None:
        """Take samples; returns once they are in the device's buffer."""
        try:
            self._stream.write(np.ascontiguousarray(block))
        except self._problem as error:
            raise _stopped(error) from None

    def close(self, *, drain: bool) -> None:
        """End: once all is heard (`drain`), or at once."""
        # The device may have gone.
        with contextlib.suppress(self._problem):
            if drain:
                self._stream.stop()
            else:
                self._stream.abort()
            self._stream.close()


def _stopped(error: Exception) -> PlayError:
    return PlayError(f"the sound device stopped ({error.args[0] if error.args else error})")


def open_output(device: str | None, sample_rate: int, way_out: str) -> Output:
    """Return an output by the name of its device: `SILENT`, or one of the sound card's (see `SoundCard`)."""
    if device == SILENT:
        return SilentOutput(sample_rate)
    return SoundCard(sample_rate, device, way_out)
