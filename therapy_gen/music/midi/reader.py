"""Reading Standard MIDI Files: notes of each instrument, pedals, tempi, metres and keys, in ticks."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from therapy_gen.errors import InputError
from therapy_gen.files import read_input
from therapy_gen.music.midi.rhythm import RhythmChannels
from therapy_gen.music.midi.title import readable_text
from therapy_gen.music.midi.track_events import (
    EVENT_KEY,
    EVENT_METRE,
    EVENT_NAME,
    EVENT_TEMPO,
    EXCLUSIVE,
    MAX_EVENTS,
    ChannelEvent,
    TrackEvents,
    read_track,
)
from therapy_gen.music.performance import DRUM_BANK

VOLUME, PAN, EXPRESSION, SUSTAIN, BANK = 7, 10, 11, 64, 0
_SOUND_OFF, _RESET, _NOTES_OFF = 120, 121, (123, 124, 125, 126, 127)

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
_MAX_MIDI_BYTES = 16 << 20
MAX_NOTES = 300_000
_MAX_TRACKS = 4096
# Units of metres down to the hundred-and-twenty-eighth, as powers of two.
_FINEST_UNIT = 8
# The type of a file whose tracks are patterns, each in its own time.
_PATTERNS = 2
# How far to look for a header behind other bytes (MacBinary has 128).
_MAX_PREFIX = 4096


@dataclass
class InstrumentLine:
    """The notes of one instrument of a track.

    Attributes
    ----------
    name : str
        Of its track.
    program, bank, pan : int
        As its channel is set where its first note begins.
    notes : list of (int, int, int, int)
        Start and end in ticks, pitch, velocity.
    levels : list of float
        Factor of amplitude at each note, by volume and expression.
    """

    name: str
    channel: int
    program: int
    bank: int
    pan: int
    notes: list[tuple[int, int, int, int]] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)

    @property
    def is_drums(self) -> bool:
        """Whether it is percussion."""
        return self.bank == DRUM_BANK


@dataclass
class MidiFile:
    """A file as read, in ticks.

    Attributes
    ----------
    ticks : float
        Ticks a quarter note; of a half second where `in_frames`.
    in_frames : bool
        Whether time is counted in frames of film (SMPTE): then there are neither tempi nor bars.
    lines : list of InstrumentLine
        By track, channel, bank and program.
    pedals : dict of int to list of (int, int)
        When the sustain pedal of each channel goes down and up.
    tempi : list of (int, int)
        Tick, and microseconds a quarter note; by tick, of two at one tick the later in the file is the last.
    metres : list of (int, int, int)
        Tick, beats, unit.
    keys : list of (int, int, int)
        Tick, sharps, and 1 for minor.
    title : str
        The name of the first track.
    end : int
        Where the last track with notes ends, or releases one.
    remarks : list of str
        What was left out because it makes no sense, for the user.
    """

    ticks: float
    in_frames: bool
    lines: list[InstrumentLine] = field(default_factory=list)
    pedals: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    tempi: list[tuple[int, int]] = field(default_factory=list)
    metres: list[tuple[int, int, int]] = field(default_factory=list)
    keys: list[tuple[int, int, int]] = field(default_factory=list)
    title: str = ""
    end: int = 0
    remarks: list[str] = field(default_factory=list)


def read_midi_bytes(path: Path) -> bytes:
    """Return the bytes of a MIDI file; InputError where it is none by its name, too large, or no regular file."""
    if path.suffix.lower() not in MIDI_SUFFIXES:
        raise InputError(f"{path} is not a MIDI file; give one that ends in {', '.join(MIDI_SUFFIXES)}")
    return read_input(path, _MAX_MIDI_BYTES)


def read_midi_file(data: bytes, name: str = "the MIDI data") -> MidiFile:
    """Read a Standard MIDI File of type 0 or 1, also in a RIFF or MacBinary wrapper.

    Deviations that players accept are accepted: bytes after the last track, values above 127 (as 127), real-time bytes
    between events, wrong lengths of tracks. Settings of a channel hold for all tracks.

    Parameters
    ----------
    data : bytes
    name : str
        What to call it in an error.

    Raises
    ------
    InputError
        Where the bytes are no MIDI file, cut short, damaged or too many; or a file of type 2 with several tracks, which
        are patterns without a common time.
    """
    if len(data) > _MAX_MIDI_BYTES:
        raise InputError(f"{name} has more than {_MAX_MIDI_BYTES >> 20} MiB; give a shorter MIDI file")
    try:
        return _read(_unwrapped(data), name)
    except (IndexError, ValueError, struct.error) as error:
        said = "cut short" if isinstance(error, IndexError | struct.error) else str(error)
        raise InputError(f"{name} is not a MIDI file that can be read ({said}); give a Standard MIDI File") from error


def _unwrapped(data: bytes) -> bytes:
    """Return the MIDI file inside a RIFF file, or behind another header."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        at = 12
        while at + 8 <= len(data):
            kind, size = struct.unpack_from("<4sI", data, at)
            if kind == b"data":
                data = data[at + 8 : at + 8 + size]
                break
            at += 8 + size + size % 2
    if data[:4] == b"MThd":
        return data
    at = data.find(b"MThd", 0, _MAX_PREFIX)
    if at < 0:
        raise ValueError("no MIDI header")
    return data[at:]


def _read(data: bytes, name: str) -> MidiFile:
    length, kind, announced, division = struct.unpack_from(">IHHH", data, 4)
    if division & 0x8000:
        ticks, in_frames = (256 - (division >> 8)) * (division & 0xFF) / 2, True
    else:
        ticks, in_frames = float(division), False
    if ticks <= 0 or kind > _PATTERNS:
        raise ValueError("a header that makes no sense")
    tracks = _tracks(data, 8 + length, announced)
    if kind == _PATTERNS and len(tracks) > 1:
        raise InputError(
            f"{name} is a MIDI file of type 2: {len(tracks)} patterns without a common time; "
            "save each as a file of its own, or all as one of type 1"
        )
    found = MidiFile(ticks, in_frames, end=_end(tracks))
    names = _read_meta(found, tracks)
    _Player(found, names, [track.end for track in tracks]).play(_merged(tracks))
    return found


def _tracks(data: bytes, position: int, announced: int) -> list[TrackEvents]:
    """Return the tracks of a file; data after the number of tracks in its header may be anything."""
    tracks: list[TrackEvents] = []
    total = 0
    while position + 8 <= len(data):
        enough = len(tracks) >= max(announced, 1)
        name, size = struct.unpack_from(">4sI", data, position)
        if name != b"MTrk" and (enough or not name.isalnum()):
            break
        position += 8
        if name != b"MTrk":
            position += size
            continue
        if len(tracks) >= _MAX_TRACKS:
            raise ValueError(f"more than {_MAX_TRACKS} tracks")
        try:
            # Lengths are often wrong: a track is as long as it says if another, or nothing, follows there.
            told = position + size
            follows = told == len(data) or data[told : told + 4].isalnum()
            track = read_track(data, position, told if follows and told <= len(data) else len(data), MAX_EVENTS - total)
            if told > len(data) and not track.closed:
                raise ValueError("cut short")
        except (IndexError, ValueError):
            if enough:
                break
            raise
        tracks.append(track)
        total += len(track.events)
        position = told if follows and told <= len(data) else track.position
    if not tracks:
        raise ValueError("no track")
    if len(tracks) < announced and position < len(data) and not any(track.events for track in tracks):
        raise ValueError("damaged between its tracks")
    return tracks


def _end(tracks: list[TrackEvents]) -> int:
    """Return where the music ends: by the tracks that strike notes, and the last release of any."""
    strikes = [
        track for track in tracks if any(status & 0xF0 == 0x90 and force for _, status, _, force in track.events)
    ]
    keys = [tick for track in tracks for tick, status, _, _ in track.events if status & 0xF0 in (0x80, 0x90)]
    return max([track.end for track in strikes or tracks] + keys)


def _read_meta(found: MidiFile, tracks: list[TrackEvents]) -> list[str]:
    """Read titles, tempi, metres and keys, each in the order of time; return the tracks' names."""
    names = []
    wrong: list[str] = []
    for track in tracks:
        name = b""
        for tick, kind, body in track.meta:
            if kind == EVENT_TEMPO and len(body) == 3 and any(body):
                found.tempi.append((tick, int.from_bytes(body, "big")))
            elif kind == EVENT_NAME and not name:
                name = body
            elif kind == EVENT_METRE and len(body) == 4:
                if body[0] and body[1] < _FINEST_UNIT:
                    found.metres.append((tick, body[0], 1 << body[1]))
                else:
                    wrong.append(f"{body[0]}/{1 << body[1]}" if body[1] < _FINEST_UNIT else f"{body[0]}/2^{body[1]}")
            elif kind == EVENT_KEY and len(body) == 2:
                sharps, minor = struct.unpack(">bB", body)
                if -7 <= sharps <= 7 and minor in (0, 1):
                    found.keys.append((tick, sharps, minor))
        names.append(readable_text(name))
    for changes in (found.tempi, found.metres, found.keys):
        changes.sort(key=lambda change: change[0])
    if found.in_frames:
        found.tempi = []
    found.title = names[0]
    if wrong:
        others = f" (and {len(wrong) - 1} more such)" if len(wrong) > 1 else ""
        found.remarks.append(f"the time signature {wrong[0]}{others} is no metre: left out")
    return names


def _merged(tracks: list[TrackEvents]) -> list[tuple[int, int, int, int, ChannelEvent]]:
    """Return the events of all tracks by time.

    Channel settings come before notes of the same tick in other tracks; within a track, order is kept.
    """
    rows: list[tuple[int, int, int, int, ChannelEvent]] = []
    for number, track in enumerate(tracks):
        struck_at = -1
        for order, event in enumerate(track.events):
            tick, status = event[0], event[1] & 0xF0
            if status in (0x80, 0x90):
                struck_at = tick
            late = status in (0x80, 0x90) or struck_at == tick
            rows.append((tick, late, number, order, event))
    rows.sort(key=lambda row: row[:4])
    return rows


@dataclass
class _Channel:
    """The settings of a channel."""

    program: int = 0
    bank: int = 0
    volume: int = 100
    expression: int = 127
    pan: int = 64
    pedal_since: int | None = None


class _Player:
    """The state of all channels while events are played: sounding notes and settings."""

    def __init__(self, found: MidiFile, names: list[str], ends: list[int]) -> None:
        self.found, self.names, self.ends = found, names, ends
        self.channels = [_Channel() for _ in range(16)]
        self.rhythm = RhythmChannels()
        self.lines: dict[tuple[int, int, int, int], InstrumentLine] = {}
        # Notes that sound, by channel and pitch, then by track.
        self.held: dict[tuple[int, int], dict[int, deque[tuple[int, int, InstrumentLine]]]] = {}
        self.count = 0

    def play(self, rows: list[tuple[int, int, int, int, ChannelEvent]]) -> None:
        """Play events in order of time, and end what still sounds."""
        for tick, _, track, _, (_, status, first, second) in rows:
            message, number = status & 0xF0, status & 0x0F
            if message == 0x90 and second:
                self._strike(tick, track, number, first, second)
            elif message in (0x80, 0x90):
                self._release(tick, track, number, first)
            elif message == 0xB0:
                self._control(tick, number, first, second)
            elif message == EXCLUSIVE:
                self.rhythm.follow(first, second)
            else:
                self.channels[number].program = first
        for (_, pitch), by_track in self.held.items():
            for track, struck in by_track.items():
                for start, velocity, line in struck:
                    line.notes.append((start, max(self.ends[track], start), pitch, velocity))
        for number, channel in enumerate(self.channels):
            if channel.pedal_since is not None:
                self.found.pedals.setdefault(number, []).append((channel.pedal_since, self.found.end))
        self.found.lines = [line for _, line in sorted(self.lines.items(), key=lambda item: item[0])]

    def _strike(self, tick: int, track: int, number: int, pitch: int, velocity: int) -> None:
        self.count += 1
        if self.count > MAX_NOTES:
            raise ValueError(f"more than {MAX_NOTES} notes")
        channel = self.channels[number]
        bank = DRUM_BANK if self.rhythm.percussion[number] else channel.bank
        wanted = (track, number, bank, channel.program)
        line = self.lines.get(wanted)
        if line is None:
            line = InstrumentLine(self.names[track], number, channel.program, bank, channel.pan)
            self.lines[wanted] = line
        line.levels.append((channel.volume * channel.expression / 127**2) ** 2)
        by_track = self.held.setdefault((number, pitch), {})
        by_track.setdefault(track, deque()).append((tick, velocity, line))

    def _release(self, tick: int, track: int, number: int, pitch: int) -> None:
        by_track = self.held.get((number, pitch))
        if not by_track:
            return
        # Its own track's note first: two hands may share a channel and a key.
        own = track if track in by_track else min(by_track, key=lambda each: by_track[each][0][0])
        start, velocity, line = by_track[own].popleft()
        line.notes.append((start, tick, pitch, velocity))
        if not by_track[own]:
            del by_track[own]

    def _release_all(self, tick: int, number: int) -> None:
        for (channel, pitch), by_track in self.held.items():
            if channel == number:
                for struck in by_track.values():
                    for start, velocity, line in struck:
                        line.notes.append((start, tick, pitch, velocity))
                by_track.clear()

    def _control(self, tick: int, number: int, control: int, value: int) -> None:
        channel = self.channels[number]
        if control == VOLUME:
            channel.volume = value
        elif control == EXPRESSION:
            channel.expression = value
        elif control == PAN:
            channel.pan = value
        elif control == BANK:
            channel.bank = value
            self.rhythm.choose_bank(number, value)
        elif control == SUSTAIN:
            self._pedal(tick, number, value >= 64)
        elif control == _RESET:
            channel.expression = 127
            self._pedal(tick, number, False)
        elif control == _SOUND_OFF or control in _NOTES_OFF:
            self._release_all(tick, number)

    def _pedal(self, tick: int, number: int, down: bool) -> None:
        channel = self.channels[number]
        if down and channel.pedal_since is None:
            channel.pedal_since = tick
        elif not down and channel.pedal_since is not None:
            self.found.pedals.setdefault(number, []).append((channel.pedal_since, tick))
            channel.pedal_since = None
