"""Percussion channels: the tenth, and those that banks and system exclusive messages of GM, GM2, GS and XG set."""

from __future__ import annotations

DRUM_CHANNEL = 9
_CHANNELS = 16
# What an exclusive message is read as, beside the number of a channel that it makes one of percussion or of notes.
_MODE = 16
GM, GM2, GS, XG = range(4)
# Banks of percussion: GM2's, and XG's of effects and of drums. GS has other instruments there.
_GM2_DRUMS, _GM2_NOTES, _XG_DRUMS = 120, 121, (126, 127)
_ROLAND_GS, _YAMAHA_XG = 0x42, 0x4C


def read_exclusive(body: bytes) -> tuple[int, int] | None:
    """Read a system exclusive message: `_MODE` and the standard that begins, or a channel and whether it is percussion.

    Parameters
    ----------
    body : bytes
        Behind ``F0``.

    Returns
    -------
    tuple of (int, int) or None
        None where it says nothing of percussion.

    >>> read_exclusive(bytes.fromhex("7e7f0901f7")) == (_MODE, GM)
    True
    >>> read_exclusive(bytes.fromhex("411042124011150218f7"))
    (0, 1)
    """
    if len(body) >= 4 and body[0] == 0x7E and body[2] == 9 and body[3] in (1, 3):
        return _MODE, GM2 if body[3] == 3 else GM
    if len(body) >= 8 and body[0] == 0x41 and body[2] == _ROLAND_GS and body[3] == 0x12:
        return _of_roland(body[4:8])
    if len(body) >= 7 and body[0] == 0x43 and body[1] & 0xF0 == 0x10 and body[2] == _YAMAHA_XG:
        if body[3:6] == b"\x00\x00\x7e":
            return _MODE, XG
        if body[3] == 8 and body[4] < _CHANNELS and body[5] == 7:
            return body[4], int(body[6] > 0)
    return None


def _of_roland(data: bytes) -> tuple[int, int] | None:
    if data[:3] in (b"\x40\x00\x7f", b"\x00\x00\x7f"):
        return _MODE, GS
    # "Use for rhythm part", of blocks that count the tenth channel as the first.
    if data[0] == 0x40 and data[1] >> 4 == 1 and data[2] == 0x15:
        block = data[1] & 0x0F
        return (DRUM_CHANNEL if block == 0 else block - 1 if block <= DRUM_CHANNEL else block), int(data[3] > 0)
    return None


class RhythmChannels:
    """Which of the sixteen channels are percussion while a file is played.

    >>> channels = RhythmChannels()
    >>> channels.choose_bank(0, 127)
    >>> channels.percussion[0], channels.percussion[9], channels.percussion[1]
    (True, True, False)
    """

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, mode: int | None) -> None:
        self.percussion = [number == DRUM_CHANNEL for number in range(_CHANNELS)]
        self._by_bank = [False] * _CHANNELS
        self._mode = mode

    def follow(self, what: int, value: int) -> None:
        """Do what `read_exclusive` read."""
        if what == _MODE:
            self._begin(value)
        else:
            self.percussion[what], self._by_bank[what] = bool(value), False

    def choose_bank(self, number: int, bank: int) -> None:
        """Follow a channel's bank, where the standard that holds has banks of percussion."""
        if self._mode == GS:
            return
        if self._mode == GM2 and bank in (_GM2_DRUMS, _GM2_NOTES):
            self.percussion[number] = bank == _GM2_DRUMS
        elif bank == _GM2_DRUMS or bank in _XG_DRUMS:
            self._by_bank[number] = self._by_bank[number] or not self.percussion[number]
            self.percussion[number] = True
        elif self._by_bank[number]:
            self.percussion[number] = self._by_bank[number] = False
