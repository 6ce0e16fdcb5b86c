"""The events of one track of a Standard MIDI File, byte by byte."""

from __future__ import annotations

from dataclasses import dataclass, field

from therapy_gen.music.midi.rhythm import read_exclusive

EVENT_NAME, EVENT_TEMPO, EVENT_METRE, EVENT_KEY = 0x03, 0x51, 0x58, 0x59
END_OF_TRACK = 0x2F
_KEPT_META = (EVENT_NAME, EVENT_TEMPO, EVENT_METRE, EVENT_KEY)
# Messages between events that no file should have: real-time bytes have no data, of the common ones three do.
_COMMON_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}
# Of all tracks; more than any music has.
MAX_EVENTS = 2_000_000
# Controls that are read: bank, volume, pan, expression, sustain, sound off, reset, and notes off.
_KEPT_CONTROLS = frozenset((0, 7, 10, 11, 64, 120, 121, 123, 124, 125, 126, 127))

# The status of exclusive messages that are read; their values are those of `read_exclusive`.
EXCLUSIVE = 0xF0

ChannelEvent = tuple[int, int, int, int]
"""Tick, status, and two values."""


@dataclass
class TrackEvents:
    """A track of a file.

    Attributes
    ----------
    events : list of ChannelEvent
        Notes, programs, the controls that matter, and what exclusive messages (`EXCLUSIVE`) say of percussion.
    meta : list of (int, int, bytes)
        Tick, kind and body of names, tempi, metres and keys.
    end : int
        Its last tick.
    position : int
        The first byte behind it.
    closed : bool
        Whether it has an end-of-track event.
    """

    events: list[ChannelEvent] = field(default_factory=list)
    meta: list[tuple[int, int, bytes]] = field(default_factory=list)
    end: int = 0
    position: int = 0
    closed: bool = False


def read_track(data: bytes, position: int, end: int, room: int) -> TrackEvents:
    """Read a track between two positions; IndexError or ValueError where it is invalid or has over `room` events."""
    track = TrackEvents()
    tick = running = 0
    while position < end:
        delta, position = _length(data, position)
        tick += delta
        status = data[position]
        if status & 0x80:
            position += 1
        else:
            status = running
        if status == 0xFF:
            kind = data[position]
            size, position = _length(data, position + 1)
            if kind == END_OF_TRACK:
                position += size
                track.closed = True
                break
            if kind in _KEPT_META:
                track.meta.append((tick, kind, data[position : position + size]))
            position += size
            continue
        if status in (0xF0, 0xF7):
            size, position = _length(data, position)
            said = read_exclusive(data[position : position + size]) if status == EXCLUSIVE else None
            if said is not None:
                track.events.append((tick, EXCLUSIVE, *said))
            position += size
            continue
        if status > 0xF0:
            position += _COMMON_DATA.get(status, 0)
            continue
        if not status:
            raise ValueError("a byte that is no event")
        running = status
        message = status & 0xF0
        # Values above 127, which no player refuses, are 127.
        first = min(data[position], 127)
        if message in (0xC0, 0xD0):
            second, position = 0, position + 1
        else:
            second, position = min(data[position + 1], 127), position + 2
        if message in (0x80, 0x90, 0xC0) or (message == 0xB0 and first in _KEPT_CONTROLS):
            track.events.append((tick, status, first, second))
        if len(track.events) + len(track.meta) > room:
            raise ValueError(f"more than {MAX_EVENTS} events")
    if position > end:
        raise ValueError("cut short")
    track.end, track.position = tick, position
    return track


def _length(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for _ in range(4):
        byte = data[position]
        position += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position
    raise ValueError("a length without end")
