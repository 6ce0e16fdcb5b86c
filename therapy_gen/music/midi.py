"""Performances as Standard MIDI Files, and back."""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field

from therapy_gen.errors import InputError
from therapy_gen.music.performance import Note, Part, Performance
from therapy_gen.music.tonality import MODES, key_name, parse_key

TICKS_PER_QUARTER = 960

MAX_MIDI_BYTES = 16 << 20

MAX_DURATION_S = 4 * 3600.0

# A file whose tracks end with its last release is followed by so much ring: the instruments' decay and the room's.
_RING_S = 3.0
_RING_WRITTEN_S = 1.0

_DRUM_CHANNEL = 9
_DRUM_BANK = 128
_VOLUME, _PAN, _EXPRESSION, _SUSTAIN, _BANK = 7, 10, 11, 64, 0
_TEXT_NAME, _END_OF_TRACK, _TEMPO, _TIME_SIGNATURE, _KEY_SIGNATURE = 0x03, 0x2F, 0x51, 0x58, 0x59

# Units of metres down to the hundred-and-twenty-eighth, as powers of two.
_FINEST_UNIT = 8

# What comes first where several things happen at one tick.
_RELEASE_FIRST, _THEN_CONTROL, _THEN_STRIKE = 0, 1, 2


def to_midi(performance: Performance, *, title: str) -> bytes:
    """Write a performance as a Standard MIDI File of format 1; the same performance gives the same bytes.

    The first track has title, tempo, metre and key, then a track follows for each part. The end of every track
    stands at the performance's duration. Times are rounded to ticks, 960 a quarter note.
    """
    if len(performance.parts) > 15:
        raise ValueError("a MIDI file has room for 15 instruments")
    clock = _TickClock(performance)
    end = clock.ticks(performance.duration)
    tracks = [_conductor_track(performance, clock, title, end)]
    channels = [channel for channel in range(16) if channel != _DRUM_CHANNEL]
    for channel, part in zip(channels, performance.parts, strict=False):
        tracks.append(_part_track(part, clock, _DRUM_CHANNEL if part.bank == _DRUM_BANK else channel, end))
    header = struct.pack(">4sIHHH", b"MThd", 6, 1, len(tracks), TICKS_PER_QUARTER)
    return header + b"".join(struct.pack(">4sI", b"MTrk", len(track)) + track for track in tracks)


def read_performance(midi: bytes, *, name: str = "the MIDI data") -> Performance:
    """Read a Standard MIDI File (format 0, 1 or 2).

    Parameters
    ----------
    midi : bytes
    name : str
        What to call it in an error.

    Returns
    -------
    Performance
        A part for each instrument of a track, with levels as their notes have them on average. Its duration is that of
        the tracks where they leave a second for the last notes to ring; else it reaches 3 s past the last release.
        Pitch bends and aftertouch are left out.

    Raises
    ------
    InputError
        Where the bytes are no MIDI file, cut short, damaged or too many.
    """
    if len(midi) > MAX_MIDI_BYTES:
        raise InputError(f"{name} has more than {MAX_MIDI_BYTES >> 20} MiB; give a shorter MIDI file")
    try:
        return _read(midi)
    except (IndexError, ValueError, struct.error) as error:
        raise InputError(f"{name} is not a MIDI file that can be read ({error}); give a Standard MIDI File") from error


class _TickClock:
    """Seconds to ticks along the tempi of a performance."""

    def __init__(self, performance: Performance) -> None:
        self.changes: list[tuple[int, int]] = []
        self._seconds: list[float] = []
        for onset, tempo in performance.tempi or ((0.0, performance.tempo),):
            tick = self.ticks(onset) if self.changes else 0
            # Seconds as a player will count them: from rounded ticks and whole microseconds.
            at = self._at(tick) if self.changes else 0.0
            self.changes.append((tick, round(60e6 / tempo)))
            self._seconds.append(at)

    def ticks(self, seconds: float) -> int:
        index = max(bisect_right(self._seconds, seconds) - 1, 0)
        tick, microseconds = self.changes[index]
        return max(0, tick + round((seconds - self._seconds[index]) * 1e6 * TICKS_PER_QUARTER / microseconds))

    def _at(self, tick: int) -> float:
        start, microseconds = self.changes[-1]
        return self._seconds[-1] + (tick - start) * microseconds / TICKS_PER_QUARTER / 1e6


def _conductor_track(performance: Performance, clock: _TickClock, title: str, end: int) -> bytes:
    beats, unit = (int(number) for number in performance.metre.split("/"))
    signature = bytes((beats, unit.bit_length() - 1, 24, 8))
    events = [(0, 0, _meta(_TEXT_NAME, title.encode())), (0, 1, _meta(_TIME_SIGNATURE, signature))]
    if performance.key:
        tonic, mode = parse_key(performance.key)
        major = tonic if mode == "major" else tonic + 3
        sharps = (7 * major + 5) % 12 - 5
        events.append((0, 2, _meta(_KEY_SIGNATURE, struct.pack(">bB", sharps, mode == "minor"))))
    for tick, microseconds in clock.changes:
        if tick < end:
            events.append((tick, 3, _meta(_TEMPO, microseconds.to_bytes(3, "big"))))
    return _track(events, end)


def _part_track(part: Part, clock: _TickClock, channel: int, end: int) -> bytes:
    control = 0xB0 | channel
    setup = [_meta(_TEXT_NAME, part.name.encode())]
    if part.bank and part.bank != _DRUM_BANK:
        setup.append(bytes((control, _BANK, part.bank & 0x7F)))
    # Volume attenuates by the square of its value, as velocity does.
    volume = round(127 * min(max(part.level, 0.0), 1.0) ** 0.5)
    setup += [
        bytes((0xC0 | channel, part.program)),
        bytes((control, _VOLUME, volume)),
        bytes((control, _PAN, min(max(round(64 + 63 * part.pan), 1), 127))),
    ]
    events = [(0, -len(setup) + index, data) for index, data in enumerate(setup)]
    for down, up in part.pedal:
        events.append((clock.ticks(up), _THEN_CONTROL, bytes((control, _SUSTAIN, 0))))
        events.append((clock.ticks(down), _THEN_CONTROL, bytes((control, _SUSTAIN, 127))))
    on, off = 0x90 | channel, 0x80 | channel
    free_from: dict[int, int] = {}
    for note in sorted(part.notes, key=lambda n: (-n.onset, -n.pitch)):
        start = clock.ticks(note.onset)
        # A key can be struck again only when it is up.
        stop = min(max(clock.ticks(note.onset + note.duration), start + 1), free_from.get(note.pitch, end))
        if stop <= start:
            continue
        free_from[note.pitch] = start
        events.append((start, _THEN_STRIKE, bytes((on, note.pitch, note.velocity))))
        events.append((stop, _RELEASE_FIRST, bytes((off, note.pitch, 0))))
    return _track(events, end)


def _track(events: list[tuple[int, int, bytes]], end: int) -> bytes:
    out = bytearray()
    now = 0
    for tick, _, data in sorted(events):
        out += _variable_length(tick - now) + data
        now = tick
    return bytes(out + _variable_length(max(end - now, 0)) + _meta(_END_OF_TRACK, b""))


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + _variable_length(len(data)) + data


def _variable_length(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


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
class _Line:
    """The notes of one instrument in ticks, while a track is read."""

    name: str
    program: int
    bank: int
    pan: int
    notes: list[tuple[int, int, int, int]] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)


@dataclass
class _Track:
    """A track as read: its lines, pedals and tempi in ticks."""

    lines: dict[tuple[int, int, int], _Line]
    pedals: dict[int, list[tuple[int, int]]]
    tempi: list[tuple[int, int]]
    name: str
    key: str
    metre: str
    end: int


def _read(midi: bytes) -> Performance:
    if midi[:4] != b"MThd":
        raise ValueError("no MIDI header")
    length, kind, _, division = struct.unpack_from(">IHHH", midi, 4)
    if division & 0x8000:
        quarter_ticks, fixed = (256 - (division >> 8)) * (division & 0xFF) / 2, True
    else:
        quarter_ticks, fixed = float(division), False
    if quarter_ticks <= 0 or kind > 2:
        raise ValueError("a header that makes no sense")
    tracks = []
    position = 8 + length
    while position + 8 <= len(midi):
        name, size = struct.unpack_from(">4sI", midi, position)
        position += 8
        if position + size > len(midi):
            raise ValueError("cut short")
        if name == b"MTrk":
            tracks.append(_read_track(midi, position, position + size))
        position += size
    if not tracks:
        raise ValueError("no track")

    # A frame-based division counts half-seconds as the default tempo counts quarters.
    changes = [] if fixed else sorted(change for track in tracks for change in track.tempi)
    seconds = _SecondClock(changes, quarter_ticks)
    parts = []
    for track in tracks:
        for (channel, _, _), line in sorted(track.lines.items(), key=lambda item: item[0]):
            notes = [
                Note(at, max(seconds(end) - at, 0.001), pitch, velocity)
                for start, end, pitch, velocity in sorted(line.notes, key=lambda note: (note[0], note[2]))
                for at in (seconds(start),)
            ]
            parts.append(
                Part(
                    line.name,
                    line.program,
                    tuple(notes),
                    pan=min(max((line.pan - 64) / 63, -1.0), 1.0),
                    level=sum(line.levels) / len(line.levels),
                    pedal=tuple((seconds(down), seconds(up)) for down, up in track.pedals.get(channel, ())),
                    bank=line.bank,
                )
            )
    written = max(seconds(track.end) for track in tracks)
    if written > MAX_DURATION_S:
        raise ValueError(f"it lasts longer than {MAX_DURATION_S / 3600:.0f} hours")
    released = max((note.onset + note.duration for part in parts for note in part.notes), default=0.0)
    return Performance(
        parts=tuple(parts),
        tempo=seconds.tempi[0][1],
        key=next((track.key for track in tracks if track.key), ""),
        duration=written if written >= released + _RING_WRITTEN_S else released + _RING_S,
        palette="",
        tempi=seconds.tempi,
        title=tracks[0].name,
        metre=next((track.metre for track in tracks if track.metre), "4/4"),
    )


class _SecondClock:
    """Ticks to seconds along the tempi of a file."""

    def __init__(self, changes: list[tuple[int, int]], quarter_ticks: float) -> None:
        self._ticks, self._seconds, self._tick_s = [0], [0.0], [0.5 / quarter_ticks]
        self.tempi: tuple[tuple[float, float], ...] = ((0.0, 120.0),)
        for tick, microseconds in changes:
            at = self(tick)
            if tick == self._ticks[-1]:
                self._tick_s[-1] = microseconds / 1e6 / quarter_ticks
                self.tempi = (*self.tempi[:-1], (at, 60e6 / microseconds))
            else:
                self._ticks.append(tick)
                self._seconds.append(at)
                self._tick_s.append(microseconds / 1e6 / quarter_ticks)
                self.tempi = (*self.tempi, (at, 60e6 / microseconds))

    def __call__(self, tick: int) -> float:
        index = bisect_right(self._ticks, tick) - 1
        return self._seconds[index] + (tick - self._ticks[index]) * self._tick_s[index]


def _read_track(data: bytes, position: int, end: int) -> _Track:
    track = _Track({}, {}, [], "", "", "", 0)
    channels = [_Channel(bank=_DRUM_BANK if channel == _DRUM_CHANNEL else 0) for channel in range(16)]
    held: dict[tuple[int, int], list[tuple[int, int, _Line]]] = {}
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
            if kind == _END_OF_TRACK:
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


def _line(track: _Track, number: int, channel: _Channel) -> _Line:
    wanted = (number, channel.bank, channel.program)
    if wanted not in track.lines:
        track.lines[wanted] = _Line(track.name, channel.program, channel.bank, channel.pan)
    return track.lines[wanted]


def _read_control(track: _Track, tick: int, number: int, channel: _Channel, control: int, value: int) -> None:
    if control == _VOLUME:
        channel.volume = value
    elif control == _EXPRESSION:
        channel.expression = value
    elif control == _PAN:
        channel.pan = value
    elif control == _BANK and number != _DRUM_CHANNEL:
        channel.bank = value
    elif control == _SUSTAIN:
        if value >= 64 and channel.pedal_since is None:
            channel.pedal_since = tick
        elif value < 64 and channel.pedal_since is not None:
            track.pedals.setdefault(number, []).append((channel.pedal_since, tick))
            channel.pedal_since = None


def _read_meta(track: _Track, tick: int, kind: int, body: bytes) -> None:
    if kind == _TEMPO and len(body) == 3 and any(body):
        track.tempi.append((tick, int.from_bytes(body, "big")))
    elif kind == _TEXT_NAME and not track.name:
        track.name = body.decode(errors="replace").strip()
    elif kind == _TIME_SIGNATURE and len(body) == 4 and body[0] and body[1] < _FINEST_UNIT and not track.metre:
        track.metre = f"{body[0]}/{1 << body[1]}"
    elif kind == _KEY_SIGNATURE and len(body) == 2 and not track.key:
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
