"""MIDI files say what was performed, other programs agree, and damaged ones are refused in one line."""

from __future__ import annotations

from tests.needs import needs

needs("mido", "mido is for the tests alone")
needs("pretty_midi", "pretty_midi is for the tests alone")

import io
import struct
import xml.etree.ElementTree as ET
from contextlib import suppress

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from therapy_gen.errors import InputError
from therapy_gen.music.arranging.arrange import PALETTES, arrange
from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.midi.title import clean_text
from therapy_gen.music.performance import Note, Part, Performance
from therapy_gen.music.pianoroll import piano_roll
from therapy_gen.music.tonality import MODES, key_name

# Half a tick at 960 a quarter note and 40 quarter notes a minute.
HALF_TICK_S = 0.5 * 60 / 40 / 960


def tune(length: int = 16) -> np.ndarray:
    tokens = np.zeros((256, 3), dtype=np.uint8)
    for step in range(0, 256, length):
        degree = (0, 4, 7, 5, 2, 4, 0, 9)[step // length % 8]
        tokens[step] = (72 + degree - 19, 60 + degree - 19, 48 - 19)
    return tokens


def performed(palette: str = "piano", seed: int = 0) -> Performance:
    return arrange([tune()], tonic=7, mode="major", tempo=60, palette=palette, seed=seed)


@st.composite
def performances(draw: st.DrawFn) -> Performance:
    tempi = [(0.0, draw(st.floats(40, 200)))]
    for gap, tempo in draw(st.lists(st.tuples(st.floats(0.5, 20), st.floats(40, 200)), max_size=4)):
        tempi.append((tempi[-1][0] + gap, tempo))
    parts = []
    for index in range(draw(st.integers(1, 5))):
        free = dict.fromkeys(range(128), 0.0)
        notes = []
        for pitch, gap, length, velocity in draw(
            st.lists(
                st.tuples(st.integers(0, 127), st.floats(0.05, 3), st.floats(0.05, 5), st.integers(1, 127)), max_size=20
            )
        ):
            onset = free[pitch] + gap
            notes.append(Note(onset, length, pitch, velocity))
            free[pitch] = onset + length
        parts.append(
            Part(
                f"part {index} ♭",
                draw(st.integers(0, 127)),
                tuple(sorted(notes, key=lambda n: (n.onset, n.pitch))),
                pan=draw(st.floats(-1, 1)),
                level=draw(st.floats(0.05, 1)),
            )
        )
    end = max((n.onset + n.duration for part in parts for n in part.notes), default=0.0)
    key = key_name(draw(st.integers(0, 11)), draw(st.sampled_from(MODES)))
    return Performance(tuple(parts), tempi[0][1], key, end + 2, "piano", tempi=tuple(tempi))


@settings(max_examples=100, deadline=None)
@given(performances(), st.text(max_size=40).map(str.strip))
def test_what_is_written_is_read(written: Performance, title: str) -> None:
    read = read_performance(to_midi(written, title=title))

    assert read.title == clean_text(title.partition("\0")[0] if title[:1] != "\0" else title)
    assert read.key == written.key
    assert read.duration == pytest.approx(written.duration, abs=2 * HALF_TICK_S)
    assert read.tempo == pytest.approx(written.tempo, rel=1e-5)
    sounding = [part for part in written.parts if part.notes]
    assert len(read.parts) == len(sounding)
    for part, original in zip(read.parts, sounding, strict=True):
        assert (part.name, part.program) == (original.name, original.program)
        assert part.pan == pytest.approx(original.pan, abs=0.02)
        assert part.level == pytest.approx(original.level, abs=0.01)
        ordered = sorted(part.notes, key=lambda n: (n.pitch, n.onset))
        for note, wanted in zip(ordered, sorted(original.notes, key=lambda n: (n.pitch, n.onset)), strict=True):
            assert (note.pitch, note.velocity) == (wanted.pitch, wanted.velocity)
            assert note.onset == pytest.approx(wanted.onset, abs=4 * HALF_TICK_S)
            assert note.duration == pytest.approx(wanted.duration, abs=8 * HALF_TICK_S)


@pytest.mark.parametrize("palette", sorted(PALETTES))
def test_a_piece_survives_to_half_a_tick(palette: str) -> None:
    piece = performed(palette)
    read = read_performance(to_midi(piece, title="Calm"))
    assert read.duration == pytest.approx(piece.duration, abs=0.0008)
    for part, original in zip(read.parts, piece.parts, strict=True):
        # Notes closer together than a tick may change places.
        by_pitch = [sorted(notes, key=lambda note: (note.pitch, note.onset)) for notes in (part.notes, original.notes)]
        for note, wanted in zip(*by_pitch, strict=True):
            assert note.onset == pytest.approx(wanted.onset, abs=0.0008)
            assert note.duration == pytest.approx(wanted.duration, abs=0.0016)
        np.testing.assert_allclose(part.pedal, original.pedal, atol=0.0008)


def test_the_same_performance_gives_the_same_bytes() -> None:
    assert to_midi(performed(), title="Calm") == to_midi(performed(), title="Calm")
    assert to_midi(performed(seed=1), title="Calm") != to_midi(performed(), title="Calm")


def test_other_readers_agree() -> None:
    piece = performed("harp")
    midi = to_midi(piece, title="Slow Water")

    file = mido.MidiFile(file=io.BytesIO(midi))
    assert file.type == 1
    assert file.length == pytest.approx(piece.duration, abs=0.0008)
    conductor = {message.type: message for message in file.tracks[0] if message.is_meta}
    assert conductor["track_name"].name == "Slow Water"
    assert conductor["key_signature"].key == "G"
    assert (conductor["time_signature"].numerator, conductor["time_signature"].denominator) == (4, 4)

    theirs = pretty_midi.PrettyMIDI(io.BytesIO(midi))
    assert [instrument.program for instrument in theirs.instruments] == [part.program for part in piece.parts]
    for instrument, part in zip(theirs.instruments, piece.parts, strict=True):
        ours = sorted((n.onset, n.pitch, n.velocity) for n in part.notes)
        read = sorted((n.start, n.pitch, n.velocity) for n in instrument.notes)
        assert [n[1:] for n in sorted(read, key=lambda n: (n[1], n[0]))] == [
            n[1:] for n in sorted(ours, key=lambda n: (n[1], n[0]))
        ]
        np.testing.assert_allclose([n[0] for n in read], [n[0] for n in ours], atol=0.0008)
        assert any(c.number == 64 for c in instrument.control_changes) == bool(part.pedal)


def file_of(track: bytes, *, kind: int = 0, division: int = 480) -> bytes:
    return struct.pack(">4sIHHH4sI", b"MThd", 6, kind, 1, division, b"MTrk", len(track)) + track


def test_running_status_a_hanging_note_and_no_end_of_track_are_read() -> None:
    # At 120 a minute: two notes under one status byte, the second never released, then a program change.
    track = bytes((0, 0x90, 60, 50, 0x83, 0x60, 60, 0, 0, 64, 60, 0x83, 0x60, 0xC0, 5))
    read = read_performance(file_of(track))
    assert [(n.onset, n.duration, n.pitch, n.velocity) for n in read.parts[0].notes] == [
        (0.0, 0.5, 60, 50),
        (0.5, 0.5, 64, 60),
    ]
    assert read.duration == pytest.approx(4.0)


def test_sysex_meta_events_and_frame_based_time_are_read() -> None:
    track = bytes((0, 0xF0, 2, 1, 0xF7, 0, 0xFF, 1, 2, 65, 66, 0, 0x91, 60, 50, 40, 0x81, 60, 0, 0, 0xFF, 0x2F, 0))
    read = read_performance(file_of(track, division=0xE728))
    assert read.parts[0].notes[0].duration == pytest.approx(0.04)


def test_of_two_tempi_at_one_tick_the_later_counts() -> None:
    midi = file_of(bytes.fromhex("00ff510307a120 00ff5103061a80 00903c32 8360803c00"))
    read = read_performance(midi)
    theirs = pretty_midi.PrettyMIDI(io.BytesIO(midi))
    assert read.tempo == pytest.approx(150) == theirs.get_tempo_changes()[1][-1]
    assert read.parts[0].notes[0].duration == pytest.approx(theirs.instruments[0].notes[0].end) == pytest.approx(0.4)


def test_drums_keep_their_bank() -> None:
    read = read_performance(file_of(bytes((0, 0x99, 38, 50, 100, 0x89, 38, 0))))
    assert read.parts[0].bank == 128
    again = read_performance(to_midi(read, title=""))
    assert again.parts[0].bank == 128


GM2_ON, GS_ON, XG_ON = "f0057e7f0903f7", "f00a4110421240007f0041f7", "f00843104c00007e00f7"
ON_CHANNEL = "00903c3260803c00"


@pytest.mark.parametrize(
    ("setup", "bank"),
    [
        # XG's drums and effects by their banks, also where nothing says that the file is of XG; and the way back.
        (f"00{XG_ON}00b0007f00b0200000c000", 128),
        (f"00{XG_ON}00b0007e00c000", 128),
        ("00b0007f00c000", 128),
        ("00b0007f00b0000000c000", 0),
        # XG's part mode.
        ("00f00843104c08000702f7", 128),
        # GM2's drums; bank 121 is of notes.
        (f"00{GM2_ON}00b0007800c000", 128),
        (f"00{GM2_ON}00b0007800b0007900c000", 121),
        # GS: "use for rhythm part", and its way back; banks 126 and 127 are those of an older module.
        (f"00{GS_ON}00f00a41104212401115021af7", 128),
        (f"00{GS_ON}00f00a41104212401115021af700f00a41104212401115001cf7", 0),
        (f"00{GS_ON}00b0007f00c000", 127),
        # Another standard begins anew.
        (f"00b0007f00{GS_ON}00b0000000c000", 0),
    ],
)
def test_channels_are_percussion_by_bank_and_by_exclusive_message(setup: str, bank: int) -> None:
    midi = file_of(bytes.fromhex(setup + ON_CHANNEL))
    (part,) = read_performance(midi).parts
    assert part.bank == bank


def test_the_tenth_channel_can_be_one_of_notes() -> None:
    notes = ON_CHANNEL.replace("90", "99").replace("80", "89")
    for setup in ("00f00a41104212401015001bf7", f"00{GM2_ON}00b9007900c900", "00f00843104c08090700f7"):
        (part,) = read_performance(file_of(bytes.fromhex(setup + notes))).parts
        assert part.bank != 128
    # A bank alone does not make it one: files that set it to 0 mean drums.
    (part,) = read_performance(file_of(bytes.fromhex("00b9000000c900" + notes))).parts
    assert part.bank == 128


def test_a_file_without_notes_is_read() -> None:
    read = read_performance(file_of(bytes((0x83, 0x60, 0xFF, 0x2F, 0))))
    assert read.parts == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MThd",
        b"RIFF" + bytes(40),
        file_of(bytes((0, 0x90, 60))),
        file_of(bytes((0, 60, 60))),
        file_of(bytes((0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0x90, 60, 50))),
        file_of(b"", division=0),
        file_of(b"")[:14],
        to_midi(performed(), title="Calm")[:700],
        b"\xff" * 1000,
    ],
)
def test_what_is_no_midi_file_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(InputError, match="tune.mid is not a MIDI file that can be read") as raised:
        read_performance(data, name="tune.mid")
    assert "\n" not in str(raised.value)


def test_a_file_that_lasts_for_days_is_refused() -> None:
    hour = bytes((0xFF, 0xFF, 0xFF, 0x7F))
    with pytest.raises(InputError, match="longer than 4 hours"):
        read_performance(file_of((hour + bytes((0xC0, 0))) * 9))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_is_refused_or_read_but_never_crashes(data: st.DataObject) -> None:
    damaged = bytearray(to_midi(performed(), title="Calm"))
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InputError):
        read_performance(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


def test_a_piano_roll_is_a_picture_of_every_note() -> None:
    piece = performed()
    picture = piano_roll(piece, title="Calm <&> slow")
    root = ET.fromstring(picture)
    groups = root.findall("{http://www.w3.org/2000/svg}g")
    assert len(groups) == len(piece.parts)
    drawn = sum(len(group.findall("{http://www.w3.org/2000/svg}rect")) for group in groups)
    assert drawn == sum(len(part.notes) for part in piece.parts)
    assert "Calm &lt;&amp;&gt; slow" in picture


def test_a_piano_roll_holds_any_name() -> None:
    part = Part("a\0\x08\ufffe\ud800<b>\u00ad", 0, (Note(0.0, 1.0, 60, 60),))
    root = ET.fromstring(piano_roll(Performance((part,), 60, "", 2.0, ""), title="x\x1by"))
    assert {"a<b>\u00ad", "xy"} <= {element.text for element in root.iter()}


def test_a_piano_roll_of_nothing_is_still_a_picture() -> None:
    ET.fromstring(piano_roll(Performance((), 60, "", 0.0, "")))
