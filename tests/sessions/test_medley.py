"""A session as one MIDI file: every piece in it sounds as it does alone."""

from __future__ import annotations

from tests.needs import needs

needs("mido", "mido is for the tests alone")
needs("pretty_midi", "pretty_midi is for the tests alone")

import io
from dataclasses import replace

import mido
import pretty_midi
import pytest

from sessions.errors import ExportError
from sessions.export.session_midi import join_midi
from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.performance import Note, Part, Performance

PIECE_S = 5.0


def part(pitch: int, *, name: str = "Pad", program: int = 89, level: float = 0.5, pan: float = 0.0) -> Part:
    return Part(name, program, (Note(0.0, 2.0, pitch, 60),), level=level, pan=pan)


def piece(*parts: Part) -> bytes:
    return to_midi(Performance(parts, 60.0, "", PIECE_S, ""), title="")


def joined(*pieces: bytes) -> bytes:
    placed = [(PIECE_S * index, midi) for index, midi in enumerate(pieces)]
    return join_midi(placed, title="all", duration_s=PIECE_S * len(pieces))


def settings_heard(midi: bytes) -> list[tuple[float, int, int, int]]:
    """Onset and pitch of each note, and the volume and pan of its channel then, as a player has them."""
    now, found, channels = 0.0, [], {}
    for message in mido.MidiFile(file=io.BytesIO(midi)):
        now += message.time
        if message.type == "control_change":
            channels[message.channel, message.control] = message.value
        elif message.type == "note_on" and message.velocity:
            found.append((round(now, 2), message.note, channels[message.channel, 7], channels[message.channel, 10]))
    return found


def test_every_piece_keeps_its_level_and_place() -> None:
    pieces = [piece(part(60 + n, level=level, pan=pan)) for n, (level, pan) in enumerate(((0.1, 0.0), (0.14, 0.5)))]
    pieces.append(pieces[0])
    midi = joined(*pieces)
    alone = [settings_heard(one) for one in pieces]
    assert settings_heard(midi) == [
        (PIECE_S * index, *heard[1:]) for index, notes in enumerate(alone) for heard in notes
    ]
    assert len({volume for _, _, volume, _ in settings_heard(midi)}) == 2
    assert len(read_performance(midi).parts) == 1


def test_what_does_not_change_is_written_once() -> None:
    # The average level of three notes of one level is another number than that level.
    pad = part(60, level=(88 / 127) ** 2)
    one, three = (replace(pad, notes=tuple(Note(float(n), 0.5, 60, 60) for n in range(k))) for k in (1, 3))
    messages = mido.MidiFile(file=io.BytesIO(joined(piece(one), piece(three), piece(one))))
    assert sum(message.type == "control_change" for message in messages) == 2


def test_two_parts_of_one_name_in_a_piece_stay_two() -> None:
    two = piece(replace(part(60), pedal=((0.0, 1.0),)), replace(part(60), notes=(Note(1.0, 3.0, 60, 50),)))
    parts = read_performance(joined(two, two)).parts
    assert [part.name for part in parts] == ["Pad", "Pad"]
    assert [[(n.onset, n.duration) for n in part.notes] for part in parts] == [
        [(0.0, 2.0), (PIECE_S, 2.0)],
        [(1.0, 3.0), (PIECE_S + 1.0, 3.0)],
    ]
    assert [len(part.pedal) for part in parts] == [2, 0]


def test_fifteen_instruments_and_drums_are_all_there() -> None:
    drums = Part("Kit", 0, (Note(0.0, 0.1, 38, 60),), bank=128)
    whole = joined(piece(drums, *(part(40 + n, name=f"{n}", program=n) for n in range(15))))
    theirs = pretty_midi.PrettyMIDI(io.BytesIO(whole)).instruments
    assert sorted(one.program for one in theirs if not one.is_drum) == list(range(15))
    assert sum(one.is_drum for one in theirs) == 1


def test_names_give_way_where_channels_are_few() -> None:
    read = read_performance(joined(*(piece(part(60, name=f"Pad {n}")) for n in range(16))))
    assert sum(len(part.notes) for part in read.parts) == 16


def test_more_instruments_than_channels_are_refused() -> None:
    first, second = (piece(*(part(60, program=n) for n in programs)) for programs in (range(8), range(8, 16)))
    with pytest.raises(ExportError, match=r"have 16 instruments, .* channels for 15 and drums; export the pieces one"):
        joined(first, second)
