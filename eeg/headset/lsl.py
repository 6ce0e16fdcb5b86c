"""EEG streams of Lab Streaming Layer (LSL)."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import numpy as np

from eeg.errors import RecordingError
from eeg.headset.sources import RECOVER_S, Float32, Float64, Stream
from therapy_gen.errors import MissingExtraError
from therapy_gen.lsl_log import keep_quiet

_RESOLVE_S = 3.0
_UNITS = {"": 1e-6, "v": 1.0, "volts": 1.0, "mv": 1e-3, "millivolts": 1e-3, "uv": 1e-6, "µv": 1e-6, "microvolts": 1e-6}
_CHUNK = 4096


def _library() -> Any:
    try:
        import pylsl
        import pylsl.util
    except ImportError:
        raise MissingExtraError("reading an LSL stream", "headset") from None
    except (OSError, RuntimeError) as error:
        raise RecordingError(f"the LSL library cannot be loaded ({str(error).splitlines()[0]})") from None
    keep_quiet(pylsl)
    return pylsl


def list_streams(wait_s: float = _RESOLVE_S) -> list[Stream]:
    """Return the EEG streams that can be seen."""
    pylsl = _library()
    return [_stream(info)[0] for info in pylsl.resolve_streams(wait_s) if info.type().upper() == "EEG"]


def _stream(info: Any) -> tuple[Stream, tuple[int, ...], Float64]:
    """Return a stream's facts, which of its channels are EEG, and their units in volts."""
    names, kinds, units = [], [], []
    channel = info.desc().child("channels").child("channel")
    for _ in range(info.channel_count()):
        names.append(channel.child_value("label").strip())
        kinds.append(channel.child_value("type").strip().upper())
        units.append(channel.child_value("unit").strip().lower())
        channel = channel.next_sibling("channel")
    picks = tuple(i for i, kind in enumerate(kinds) if kind in ("EEG", ""))
    labels = tuple(names[i] or f"EEG {i + 1}" for i in picks)
    scale = np.array([_UNITS.get(units[i], np.nan) for i in picks])
    return Stream(info.name(), float(info.nominal_srate()), labels), picks, scale


class LslSource:
    """An EEG stream of LSL.

    Parameters
    ----------
    name : str
        As the stream is called, or its source id.

    Raises
    ------
    RecordingError
        No stream has the name, two have it, it has no fixed rate, no EEG channel, or units that are no volts.
    MissingExtraError
        pylsl is not installed.
    """

    def __init__(self, name: str) -> None:
        pylsl = _library()
        seen = pylsl.resolve_streams(_RESOLVE_S)
        found = [info for info in seen if name in (info.name(), info.source_id())]
        if len({info.uid() for info in found}) > 1:
            ids = ", ".join(sorted({info.source_id() or info.hostname() for info in found}))
            raise RecordingError(f"several LSL streams are called {name!r}: name one by its source id ({ids})")
        if not found:
            eeg = ", ".join(sorted({info.name() for info in seen if info.type().upper() == "EEG"})) or "none"
            raise RecordingError(
                f"there is no LSL stream {name!r} (EEG streams seen: {eeg}): start the amplifier's one"
            )
        self._inlet = pylsl.StreamInlet(found[0], max_buflen=60, recover=True)
        try:
            info = self._inlet.info(timeout=_RESOLVE_S)
        except (pylsl.util.LostError, pylsl.util.TimeoutError):
            raise RecordingError(f"the LSL stream {name!r} does not answer: start it again") from None
        self.stream, self._picks, self._scale = _stream(info)
        if self.stream.sfreq <= 0:
            raise RecordingError(f"the LSL stream {name!r} has no fixed rate: name an EEG stream")
        if not self._picks:
            raise RecordingError(f"the LSL stream {name!r} has no EEG channel: name an EEG stream")
        if not np.isfinite(self._scale).all():
            raise RecordingError(
                f"the LSL stream {name!r} gives a unit that is no voltage (counts?): have its program send microvolts"
            )
        self._lost = pylsl.util.LostError
        self._local = pylsl.local_clock
        self._correction = 0.0
        self._corrected_at = -np.inf
        self._heard = time.monotonic()
        self._inlet.open_stream(timeout=_RESOLVE_S)

    def _offset(self) -> float:
        """Return what, added to the stream's clock, gives this machine's monotonic one."""
        now = time.monotonic()
        if now - self._corrected_at > 5.0:
            # While the source is away the last one holds.
            with contextlib.suppress(Exception):
                self._correction = float(self._inlet.time_correction(timeout=_RESOLVE_S))
            self._corrected_at = now
        return self._correction + time.monotonic() - float(self._local())

    def read(self) -> tuple[Float64, Float32]:
        """Return what came since the last call; see `Source.read`."""
        try:
            chunk, stamps = self._inlet.pull_chunk(timeout=0.0, max_samples=_CHUNK)
        except self._lost:
            raise RecordingError(f"the LSL stream {self.stream.name!r} is gone: start it again") from None
        if not stamps:
            if time.monotonic() - self._heard > RECOVER_S:
                raise RecordingError(f"the LSL stream {self.stream.name!r} has sent nothing for {RECOVER_S:.0f} s")
            return np.zeros(0), np.zeros((0, len(self._picks)), np.float32)
        self._heard = time.monotonic()
        samples = np.asarray(chunk, np.float64)[:, list(self._picks)] * self._scale
        return np.asarray(stamps, np.float64) + self._offset(), samples.astype(np.float32)

    def close(self) -> None:
        """Let go of the stream."""
        self._inlet.close_stream()
