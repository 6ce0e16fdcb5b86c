"""Boards that BrainFlow knows: OpenBCI Cyton and Ganglion, Muse, and the others it lists."""

from __future__ import annotations

import contextlib
import difflib
import time
import warnings
from typing import Any

import numpy as np

from eeg.errors import RecordingError
from eeg.headset.sources import RECOVER_S, Float32, Float64, Stream
from therapy_gen.errors import MissingExtraError

_BUFFER_SAMPLES = 450_000
# OpenBCI's ADS1299 at gain 24: 4.5 V / 24.
_RAILS_V = {"CYTON": 0.1875, "CYTON_DAISY": 0.1875}
_SUFFIX = "_BOARD"


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import brainflow.board_shim as library

            # Its own library is loaded when it is first asked something.
            library.BoardShim.get_version()
    except ImportError:
        raise MissingExtraError("reading a headset through BrainFlow", "headset") from None
    return library


def _known(library: Any) -> dict[str, int]:
    skipped = {"NO_BOARD", "PLAYBACK_FILE_BOARD", "STREAMING_BOARD"}
    return {board.name.removesuffix(_SUFFIX): board.value for board in library.BoardIds if board.name not in skipped}


def list_boards() -> list[Stream]:
    """Return the boards that BrainFlow can read EEG from, with their channels."""
    library = _library()
    found = []
    for name, number in sorted(_known(library).items()):
        try:
            found.append(_stream(library, name, number)[0])
        except Exception:  # boards without EEG have no such description
            continue
    return found


def _stream(library: Any, name: str, number: int) -> tuple[Stream, list[int]]:
    facts = library.BoardShim.get_board_descr(number)
    rows = list(facts["eeg_channels"])
    names = [part.strip() for part in facts.get("eeg_names", "").split(",") if part.strip()]
    if len(names) < len(rows):
        names += [f"EEG {i + 1}" for i in range(len(names), len(rows))]
    return Stream(name, float(facts["sampling_rate"]), tuple(names[: len(rows)]), _RAILS_V.get(name)), rows


class BoardSource:
    """A board of BrainFlow.

    Parameters
    ----------
    board : str
        As BrainFlow names it, without ``_BOARD``: ``"CYTON"``, ``"GANGLION"``, ``"MUSE_2"``, ``"SYNTHETIC"``.
    address : str
        Serial port (with a slash, or ``COM3``) or Bluetooth address, where the board needs one.

    Raises
    ------
    RecordingError
        BrainFlow does not know the board, or it cannot be reached.
    MissingExtraError
        brainflow is not installed.
    """

    def __init__(self, board: str, address: str = "") -> None:
        library = _library()
        known = _known(library)
        name = board.upper().replace("-", "_").removesuffix(_SUFFIX)
        if name not in known:
            near = ", ".join(difflib.get_close_matches(name, known, 5, 0.5)) or "`headset list --boards` shows them"
            raise RecordingError(f"BrainFlow knows no board {board!r}: give one of its names ({near})")
        number = known[name]
        library.BoardShim.disable_board_logger()
        self.stream, self._rows = _stream(library, name, number)
        self._clock_row = library.BoardShim.get_timestamp_channel(number)
        where = library.BrainFlowInputParams()
        if "/" in address or address.upper().startswith("COM"):
            where.serial_port = address
        elif address:
            where.mac_address = address
        self._board = library.BoardShim(number, where)
        self._error = library.BrainFlowError
        try:
            self._board.prepare_session()
            self._board.start_stream(_BUFFER_SAMPLES)
        except self._error as error:
            at = f" at {address}" if address else ""
            raise RecordingError(
                f"the board {name}{at} cannot be reached ({_plain(error)}): switch it on, check its address and that "
                "no other program holds it"
            ) from None
        self._heard = time.monotonic()

    def read(self) -> tuple[Float64, Float32]:
        """Return what came since the last call; see `Source.read`."""
        try:
            data = self._board.get_board_data()
        except self._error as error:
            raise RecordingError(f"the board {self.stream.name} is gone ({_plain(error)})") from None
        now = time.monotonic()
        if not data.shape[1]:
            if now - self._heard > RECOVER_S:
                raise RecordingError(f"the board {self.stream.name} has sent nothing for {RECOVER_S:.0f} s")
            return np.zeros(0), np.zeros((0, len(self._rows)), np.float32)
        self._heard = now
        moments = data[self._clock_row] - time.time() + now
        return moments, np.ascontiguousarray((data[self._rows] * 1e-6).T, dtype=np.float32)

    def close(self) -> None:
        """Stop the board and let go of it."""
        for step in (self._board.stop_stream, self._board.release_session):
            with contextlib.suppress(self._error):
                step()
        # Its finaliser asks the library, which may be gone when Python ends.
        self._board = None


def _plain(error: Exception) -> str:
    return " ".join(str(error).split()).lower()[:120] or "no answer"
