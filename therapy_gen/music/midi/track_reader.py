"""A track of a Standard MIDI File as read: notes of each instrument, pedals, tempi and metres, in ticks."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from therapy_gen.music.tonality import MODES, key_name

DRUM_CHANNEL = 9
DRUM_BANK = 128
VOLUME, PAN, EXPRESSION, SUSTAIN, BANK = 7, 10, 11, 64, 0
TEXT_NAME, END_OF_TRACK, TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x03, 0x2F, 0x51, 0x58, 0x59

# Units of metres down to the hundred-and-twenty-eighth, as powers of two.
_FINEST_UNIT = 8


@dataclass
class _Channel:
    """What a channel is set to while a track is read."""

    program: int = 0
    bank: int = 0
    volume: int = 100
    expression: int = 127
    pan: int = 64
    pedal_since: int | None = None


@dataclass
class Line:
    """The notes of one instrument in ticks, while a track is read."""

    name: str
    program: int
    bank: int
    pan: int
    notes: list[tuple[int, int, int, int]] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)


@dataclass
class Track:
    """A track as read: its lines, pedals, tempi and metres in ticks."""

    lines: dict[tuple[int, int, int], Line]
    pedals: dict[int, list[tuple[int, int]]]
    tempi: list[tuple[int, int]]
    metres: list[tuple[int, str]]
    name: str
    key: str
    end: int


def read_track(data: bytes, position: int, end: int) -> Track:
    """Read the events of a track between two places in a file; IndexError or ValueError where they make no sense."""
    track = Track({}, {}, [], [], "", "", 0)
    channels = [_Channel(bank=DRUM_BANK if channel == DRUM_CHANNEL else 0) for channel in range(16)]
    held: dict[tuple[int, int], list[tuple[int, int, Line]]] = {}
    tick = running = 0
    while position < end:
        delta, position = _read_length(data, position)
        tick += delta
        status = running
        if data[position] & 0x80:
            status = data[position]
            position += 1
        if status == 0xFF:
            kind = data[position]
            size, position = _read_length(data, position + 1)
            body = data[position : position + size]
            position += size
            if kind == END_OF_TRACK:
                break
            _read_meta(track, tick, kind, body)
            continue
        if status in (0xF0, 0xF7):
            size, position = _read_length(data, position)
            position += size
            continue
        running = status
        message, number = status & 0xF0, status & 0x0F
        if not 0x80 <= message <= 0xE0:
            raise ValueError("a byte that is no event")
        first = data[position]
        second = 0 if message in (0xC0, 0xD0) else data[position + 1]
        position += 1 if message in (0xC0, 0xD0) else 2
        if (first | second) & 0x80:
            raise ValueError("a value above 127")
        channel = channels[number]
        if message == 0x90 and second:
            line = _line(track, number, channel)
            level = (channel.volume * channel.expression / 127**2) ** 2
            line.levels.append(level)
            held.setdefault((number, first), []).append((tick, second, line))
        elif message in (0x80, 0x90):
            struck = held.get((number, first))
            if struck:
                start, velocity, line = struck.pop(0)
                line.notes.append((start, tick, first, velocity))
        elif message == 0xB0:
            _read_control(track, tick, number, channel, first, second)
        elif message == 0xC0:
            channel.program = first
    if position > end:
        raise ValueError("cut short")
    track.end = tick
    for (_, pitch), struck in held.items():
        for start, velocity, line in struck:
            line.notes.append((start, tick, pitch, velocity))
    for number, channel in enumerate(channels):
        if channel.pedal_since is not None:
            track.pedals.setdefault(number, []).append((channel.pedal_since, tick))
    for line in track.lines.values():
        line.name = line.name or track.name
    return track


def _line(track: Track, number: int, channel: _Channel) -> Line:
    wanted = (number, channel.bank, channel.program)
    if wanted not in track.lines:
        track.lines[wanted] = Line(track.name, channel.program, channel.bank, channel.pan)
    return track.lines[wanted]


def _read_control(track: Track, tick: int, number: int, channel: _Channel, control: int, value: int) -> None:
    if control == VOLUME:
        channel.volume = value
    elif control == EXPRESSION:
        channel.expression = value
    elif control == PAN:
        channel.pan = value
    elif control == BANK and number != DRUM_CHANNEL:
        channel.bank = value
    elif control == SUSTAIN:
        if value >= 64 and channel.pedal_since is None:
            channel.pedal_since = tick
        elif value < 64 and channel.pedal_since is not None:
            track.pedals.setdefault(number, []).append((channel.pedal_since, tick))
            channel.pedal_since = None


def _read_meta(track: Track, tick: int, kind: int, body: bytes) -> None:
    if kind == TEMPO and len(body) == 3 and any(body):
        track.tempi.append((tick, int.from_bytes(body, "big")))
    elif kind == TEXT_NAME and not track.name:
        track.name = body.decode(errors="replace").strip()
    elif kind == TIME_SIGNATURE and len(body) == 4 and body[0] and body[1] < _FINEST_UNIT:
        track.metres.append((tick, f"{body[0]}/{1 << body[1]}"))
    elif kind == KEY_SIGNATURE and len(body) == 2 and not track.key:
        sharps, minor = struct.unpack(">bB", body)
        if -7 <= sharps <= 7 and minor in (0, 1):
            track.key = key_name((7 * sharps - 3 * minor) % 12, MODES[minor])


def _read_length(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for _ in range(4):
        byte = data[position]
        position += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position
    raise ValueError("a length without end")
