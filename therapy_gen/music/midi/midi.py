"""Performances as Standard MIDI Files, and back."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from therapy_gen.errors import InputError
from therapy_gen.music.midi.reader import BANK, PAN, SUSTAIN, VOLUME, MidiFile, read_midi_file
from therapy_gen.music.midi.rhythm import DRUM_CHANNEL
from therapy_gen.music.midi.track_events import END_OF_TRACK, EVENT_KEY, EVENT_METRE, EVENT_NAME, EVENT_TEMPO
from therapy_gen.music.performance import DRUM_BANK, Note, Part, Performance
from therapy_gen.music.tonality import MODES, key_name, parse_key

_TICKS_PER_QUARTER = 960

# Sixteen channels without that for drums.
MOST_INSTRUMENTS = 15

_MAX_DURATION_S = 4 * 3600.0

# Time for instruments and reverb to decay, added to a file whose tracks end with its last release.
_RING_S = 3.0
_RING_WRITTEN_S = 1.0

_USUAL_METRE = "4/4"
# Longer silence at the end of a file comes from a stray end mark, not from the music.
_MOST_SILENCE_S = 900.0

# The order of events at one tick.
_RELEASE_FIRST, _THEN_CONTROL, _THEN_STRIKE = 0, 1, 2


def to_midi(performance: Performance, *, title: str) -> bytes:
    """Write a performance as a Standard MIDI File of format 1; the same performance gives the same bytes.

    The first track has title, tempo, metre and key, then a track follows for each part. The end of every track
    stands at the performance's duration. Times are rounded to ticks, 960 a quarter note.

    Examples
    --------
    >>> from therapy_gen.music.performance import Note, Part, Performance
    >>> import therapy_gen
    >>> note = Note(0.0, 1.0, 60, 50)
    >>> piece = Performance((Part("Piano", 0, (note,), pedal=()),), 60, "", 1.0, "")
    >>> therapy_gen.to_midi(piece, title="One")[:4]
    b'MThd'
    """
    if sum(part.bank != DRUM_BANK for part in performance.parts) > MOST_INSTRUMENTS:
        raise ValueError(f"a MIDI file has room for {MOST_INSTRUMENTS} instruments and drums")
    clock = _TickClock(performance)
    end = clock.ticks(performance.duration)
    tracks = [_conductor_track(performance, clock, title, end)]
    channels = iter([channel for channel in range(16) if channel != DRUM_CHANNEL])
    for part in performance.parts:
        tracks.append(_part_track(part, clock, DRUM_CHANNEL if part.bank == DRUM_BANK else next(channels), end))
    header = struct.pack(">4sIHHH", b"MThd", 6, 1, len(tracks), _TICKS_PER_QUARTER)
    return header + b"".join(struct.pack(">4sI", b"MTrk", len(track)) + track for track in tracks)


def read_performance(midi: bytes, *, name: str = "the MIDI data") -> Performance:
    """Read a Standard MIDI File (format 0 or 1).

    Parameters
    ----------
    midi : bytes
    name : str
        What to call it in an error.

    Returns
    -------
    Performance
        A part for each instrument of a track, with levels as their notes have them on average. Its duration is that of
        the tracks where they leave a second for the last notes to ring; else, or where more than a quarter of an hour
        of silence would follow, it reaches 3 s past the last release. Pitch bends and aftertouch are left out.

    Raises
    ------
    InputError
        Where the bytes are no MIDI file, cut short, damaged or too many; or a file of format 2 with several tracks,
        which are patterns without a common time (Mido refuses to play one, too).

    Examples
    --------
    >>> from therapy_gen.music.performance import Note, Part, Performance
    >>> import therapy_gen
    >>> note = Note(0.0, 1.0, 60, 50)
    >>> midi = therapy_gen.to_midi(Performance((Part("Piano", 0, (note,), pedal=()),), 60, "", 1.0, ""), title="One")
    >>> therapy_gen.read_midi(midi).parts[0].notes[0].pitch
    60
    """
    return performance_of(read_midi_file(midi, name), name)


def performance_of(file: MidiFile, name: str) -> Performance:
    """Return the performance of a parsed file; InputError where it lasts too long."""
    seconds = _SecondClock(file.tempi, file.ticks)
    parts = tuple(
        Part(
            line.name,
            line.program,
            tuple(
                Note(at, max(seconds(end) - at, 0.001), pitch, velocity)
                for start, end, pitch, velocity in sorted(line.notes, key=lambda note: (note[0], note[2]))
                for at in (seconds(start),)
            ),
            pan=min(max((line.pan - 64) / 63, -1.0), 1.0),
            level=sum(line.levels) / len(line.levels),
            pedal=tuple((seconds(down), seconds(up)) for down, up in file.pedals.get(line.channel, ())),
            bank=line.bank,
        )
        for line in file.lines
    )
    metres = _metres(file.metres, seconds)
    written = seconds(file.end)
    released = max((note.onset + note.duration for part in parts for note in part.notes), default=0.0)
    if parts and written > released + _MOST_SILENCE_S:
        cut, written = written - released, 0.0
    else:
        cut = 0.0
    if max(written, released) > _MAX_DURATION_S:
        said = "; ".join([f"its last note ends after {max(written, released) / 3600:.0f} hours", *file.remarks])
        raise InputError(
            f"{name} lasts longer than {_MAX_DURATION_S / 3600:.0f} hours ({said}); give a shorter MIDI file"
        )
    return Performance(
        parts=parts,
        tempo=seconds.tempi[0][1],
        key=_key(file.keys),
        duration=written if written >= released + _RING_WRITTEN_S else released + _RING_S,
        palette="",
        tempi=tuple(seconds.tempi),
        title=file.title,
        metre=_longest(metres, max(written, released)),
        metres=metres,
        silence_cut=cut,
    )


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
        return max(0, tick + round((seconds - self._seconds[index]) * 1e6 * _TICKS_PER_QUARTER / microseconds))

    def _at(self, tick: int) -> float:
        start, microseconds = self.changes[-1]
        return self._seconds[-1] + (tick - start) * microseconds / _TICKS_PER_QUARTER / 1e6


def _conductor_track(performance: Performance, clock: _TickClock, title: str, end: int) -> bytes:
    events = [(0, 0, _meta(EVENT_NAME, title.encode()))]
    # Of two at one tick, the later counts.
    metres = {clock.ticks(onset): metre for onset, metre in performance.metres or ((0.0, performance.metre),)}
    events += [(tick, 1, _meta(EVENT_METRE, _signature(metre))) for tick, metre in metres.items() if tick <= end]
    if performance.key:
        tonic, mode = parse_key(performance.key)
        major = tonic if mode == "major" else tonic + 3
        sharps = (7 * major + 5) % 12 - 5
        events.append((0, 2, _meta(EVENT_KEY, struct.pack(">bB", sharps, mode == "minor"))))
    for tick, microseconds in clock.changes:
        if tick < end:
            events.append((tick, 3, _meta(EVENT_TEMPO, microseconds.to_bytes(3, "big"))))
    return _track(events, end)


def _signature(metre: str) -> bytes:
    """Return the bytes of a time signature: beats, their unit, clocks (24 a quarter) and 32nds (8 a quarter)."""
    beats, unit = (int(number) for number in metre.split("/"))
    return bytes((beats, unit.bit_length() - 1, max(96 // unit, 1), 8))


def _part_track(part: Part, clock: _TickClock, channel: int, end: int) -> bytes:
    control = 0xB0 | channel
    setup = [_meta(EVENT_NAME, part.name.encode())]
    if part.bank and part.bank != DRUM_BANK:
        setup.append(bytes((control, BANK, part.bank & 0x7F)))
    place = _place(control, part.level, part.pan)
    setup += [bytes((0xC0 | channel, part.program)), *place]
    events = [(0, -len(setup) + index, data) for index, data in enumerate(setup)]
    for onset, level, pan in part.changes:
        before, place = place, _place(control, level, pan)
        events += [(clock.ticks(onset), _THEN_CONTROL, data) for data in place if data not in before]
    for down, up in part.pedal:
        events.append((clock.ticks(up), _THEN_CONTROL, bytes((control, SUSTAIN, 0))))
        events.append((clock.ticks(down), _THEN_CONTROL, bytes((control, SUSTAIN, 127))))
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


def _place(control: int, level: float, pan: float) -> tuple[bytes, bytes]:
    """Return the control changes that set level and pan."""
    # Volume attenuates by the square of its value, as velocity does.
    volume = round(127 * min(max(level, 0.0), 1.0) ** 0.5)
    return bytes((control, VOLUME, volume)), bytes((control, PAN, min(max(round(64 + 63 * pan), 1), 127)))


def _track(events: list[tuple[int, int, bytes]], end: int) -> bytes:
    out = bytearray()
    now = 0
    for tick, _, data in sorted(events):
        out += _variable_length(tick - now) + data
        now = tick
    return bytes(out + _variable_length(max(end - now, 0)) + _meta(END_OF_TRACK, b""))


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + _variable_length(len(data)) + data


def _variable_length(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def _key(keys: Sequence[tuple[int, int, int]]) -> str:
    if not keys:
        return ""
    _, sharps, minor = keys[0]
    return key_name((7 * sharps - 3 * minor) % 12, MODES[minor])


def _metres(changes: Sequence[tuple[int, int, int]], seconds: _SecondClock) -> tuple[tuple[float, str], ...]:
    """Return the metres of a file by time; what has none is in 4/4."""
    by_tick = {0: _USUAL_METRE, **{tick: f"{beats}/{unit}" for tick, beats, unit in changes}}
    return tuple((seconds(tick), metre) for tick, metre in by_tick.items())


def _longest(metres: Sequence[tuple[float, str]], end: float) -> str:
    """Return the metre that lasts longest, the first of several."""
    lasts: dict[str, float] = {}
    for (onset, metre), (until, _) in pairwise([*metres, (end, "")]):
        lasts[metre] = lasts.get(metre, 0.0) + max(until - onset, 0.0)
    return max(lasts, key=lambda metre: lasts[metre])


class _SecondClock:
    """Ticks to seconds along the tempi of a file."""

    def __init__(self, changes: list[tuple[int, int]], quarter_ticks: float) -> None:
        self._ticks, self._seconds, self._tick_s = [0], [0.0], [0.5 / quarter_ticks]
        self.tempi: list[tuple[float, float]] = [(0.0, 120.0)]
        for tick, microseconds in changes:
            at = self(tick)
            if tick == self._ticks[-1]:
                self._tick_s[-1] = microseconds / 1e6 / quarter_ticks
                self.tempi[-1] = (at, 60e6 / microseconds)
            else:
                self._ticks.append(tick)
                self._seconds.append(at)
                self._tick_s.append(microseconds / 1e6 / quarter_ticks)
                self.tempi.append((at, 60e6 / microseconds))

    def __call__(self, tick: int) -> float:
        index = bisect_right(self._ticks, tick) - 1
        return self._seconds[index] + (tick - self._ticks[index]) * self._tick_s[index]
