"""Markers of what is heard, on a stream of Lab Streaming Layer (LSL), for the program that records EEG."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sessions.errors import PlayError
from therapy_gen.errors import MissingExtraError
from therapy_gen.lsl_log import keep_quiet

STREAM_NAME = "therapy-gen"
STREAM_TYPE = "Markers"
# The last marker needs so long to be sent.
_LINGER_S = 0.3
_WAIT_STEP_S = 0.2


class LslMarkers:
    """A marker stream: one channel of strings at no fixed rate.

    Parameters
    ----------
    session : int
        Part of the stream's source id, by which a receiver reconnects.

    Raises
    ------
    MissingExtraError
        Where pylsl is not installed.
    PlayError
        Where LSL cannot open a stream on this machine.
    """

    def __init__(self, session: int) -> None:
        try:
            import pylsl
        except ImportError:
            raise MissingExtraError("sending markers (`lsl`)", "play") from None
        except (OSError, RuntimeError) as error:
            raise PlayError(
                f"the LSL library cannot be loaded ({str(error).splitlines()[0]}); play without `lsl`"
            ) from None
        keep_quiet(pylsl)
        self._clock = pylsl.local_clock
        try:
            info = pylsl.StreamInfo(
                STREAM_NAME, STREAM_TYPE, 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, f"therapy-gen-session-{session}"
            )
            self._outlet = pylsl.StreamOutlet(info)
        except RuntimeError as error:
            raise PlayError(f"LSL cannot open a stream ({error}); play without `lsl`") from None

    def wait(self, seconds: float) -> bool:
        """Wait, at most so long, until there is a receiver; say whether there is one."""
        until = time.monotonic() + seconds
        while not self._outlet.have_consumers():
            if time.monotonic() >= until:
                return False
            time.sleep(_WAIT_STEP_S)
        return True

    def send(self, text: str, ahead_s: float = 0.0) -> None:
        """Send a marker of what will be heard in `ahead_s` seconds."""
        self._outlet.push_sample([text], self._clock() + ahead_s)

    def close(self) -> None:
        """End the stream once the last markers are sent."""
        if self._outlet.have_consumers():
            time.sleep(_LINGER_S)
        del self._outlet


class MarkersTogether:
    """Sends every marker to several receivers.

    Parameters
    ----------
    takers : sequence of Markers
    """

    def __init__(self, takers: Sequence[Any]) -> None:
        self._takers = tuple(takers)

    def send(self, text: str, ahead_s: float = 0.0) -> None:
        """Send a marker of what will be heard in `ahead_s` seconds."""
        for taker in self._takers:
            taker.send(text, ahead_s)
