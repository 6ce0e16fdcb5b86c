"""Pieces written down are read by others as they were written: notes, bars, key, metre and chord symbols."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.needs import needs
from therapy_gen.errors import InputError
from therapy_gen.music.arranging.arrange import arrange
from therapy_gen.music.arranging.harmony import Chord
from therapy_gen.music.metre import METRES, Metre
from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.notation.transcribe import Bar, Sheet, WrittenNote, WrittenPart, transcribe, without_expression
from therapy_gen.music.notation.write_musicxml import to_musicxml
from therapy_gen.music.performance import Note, Part, Performance
from therapy_gen.music.tokens import VoiceNote, notes_to_tokens

needs("music21", "music21 is for the tests alone")


def sounds(score: Any) -> list[tuple[int, int, int, int]]:
    """Part, start and end in sixteenths, and pitch of every note that music21 reads; tied notes are one."""
    import music21

    found = []
    for number, part in enumerate(score.parts):
        tied: dict[int, int] = {}
        for element in part.flatten().notes:
            if isinstance(element, music21.harmony.ChordSymbol):
                continue
            for note in element.notes if element.isChord else [element]:
                start, kind = round(float(element.offset) * 4), note.tie.type if note.tie else ""
                begin = tied.pop(note.pitch.midi, start) if kind in ("stop", "continue") else start
                if kind in ("start", "continue"):
                    tied[note.pitch.midi] = begin
                else:
                    found.append((number, begin, start + round(float(element.quarterLength) * 4), note.pitch.midi))
    return sorted(found)


def read(data: bytes) -> Any:
    import music21

    return music21.converter.parseData(data.decode(), format="musicxml")


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    metre = draw(st.sampled_from(list(METRES.values())))
    bars = tuple(
        Bar(n * metre.steps, (n + 1) * metre.steps, metre.beats, metre.unit) for n in range(draw(st.integers(1, 4)))
    )
    parts = []
    for number in range(draw(st.integers(1, 3))):
        at, notes = draw(st.integers(0, 5)), []
        while at < bars[-1].end:
            end = min(at + draw(st.integers(1, 20)), bars[-1].end)
            pitches = draw(st.sets(st.integers(30, 100), min_size=1, max_size=2))
            notes += [WrittenNote(at, end, pitch) for pitch in pitches]
            at = end + draw(st.integers(0, 3))
        parts.append(WrittenPart(f"part {number} <&>", 0, tuple(sorted(notes, key=lambda n: (n.start, n.pitch)))))
    mode = draw(st.sampled_from(["major", "minor"]))
    chords = tuple(Chord(bar.start, bar.end, (2, 6, 9)) for bar in bars[::2])
    return Sheet("Früh & spät", tuple(parts), bars, draw(st.integers(0, 11)), mode, 60.0, chords)


@settings(max_examples=30, deadline=None)
@given(sheets())
def test_music21_reads_what_is_written(sheet: Sheet) -> None:
    found = read(to_musicxml(sheet))
    assert sounds(found) == sorted(
        (number, note.start, note.end, note.pitch) for number, part in enumerate(sheet.parts) for note in part.notes
    )
    first = found.parts[0]
    measures = list(first.getElementsByClass("Measure"))
    assert [round(float(measure.offset) * 4) for measure in measures] == [bar.start for bar in sheet.bars]
    bar, flat = sheet.bars[0], first.flatten()
    assert flat.getElementsByClass("TimeSignature")[0].ratioString == f"{bar.beats}/{bar.unit}"
    assert flat.getElementsByClass("KeySignature")[0].asKey(sheet.mode).tonic.pitchClass == sheet.tonic
    assert len(flat.getElementsByClass("ChordSymbol")) == len(sheet.chords)


@pytest.mark.parametrize("metre", METRES.values(), ids=METRES)
def test_an_arranged_piece_is_written_as_it_was_composed(metre: Metre) -> None:
    steps = metre.steps
    melody = [(bar * steps + at, 60 + (bar * 5 + at) % 8) for bar in range(16) for at in range(0, steps, 2)]
    notes = [VoiceNote(start, start + 2, pitch, 0) for start, pitch in melody]
    notes += [VoiceNote(bar * steps, (bar + 1) * steps, 45, 2) for bar in range(16)]
    tokens = notes_to_tokens(metre.on_grid(note) for note in notes)
    made = arrange([tokens], tonic=2, mode="major", tempo=60.0, seed=1, metre=metre)
    sheet = transcribe(read_performance(to_midi(made, title="")), "Tune")
    onsets = [note.start for note in sheet.parts[0].notes]
    assert set(onsets) <= {start for start, _ in melody} | {16 * steps}
    assert len(onsets) > 0.9 * len(melody)
    assert (sheet.tonic, sheet.mode) == (2, "major")
    assert {(bar.end - bar.start, bar.beats) for bar in sheet.bars} == {(steps, metre.beats)}
    assert sheet.chords
    assert len(sounds(read(to_musicxml(sheet)))) == sum(len(part.notes) for part in sheet.parts)


def test_plain_midi_is_on_the_grid_in_one_tempo_at_one_loudness() -> None:
    played = tuple(Note(n * 1.0 + 0.02 * (n % 3), 0.95, 60 + n, 40 + n) for n in range(8))
    part = Part("Melody", 0, played, pedal=((0.0, 2.0),))
    performance = Performance((part,), 60.0, "C major", 9.0, "", ((0.0, 60.0),))
    plain = read_performance(to_midi(without_expression(transcribe(performance, "t")), title="t"))
    assert [note.onset for note in plain.parts[0].notes] == pytest.approx(list(range(8)))
    assert {note.velocity for note in plain.parts[0].notes} == {80}
    assert (plain.parts[0].pedal, len(plain.tempi), plain.title) == ((), 1, "t")


def test_voices_that_overlap_stay_apart() -> None:
    held = [Note(bar * 4.0, 4.0, 48, 60) for bar in range(2)]
    moving = [Note(n * 0.5, 0.5, 72, 60) for n in range(16)]
    part = Part("Piano", 0, tuple(sorted([*held, *moving], key=lambda n: n.onset)))
    sheet = transcribe(Performance((part,), 60.0, "", 9.0, ""))
    written = sorted((0, n.start, n.end, n.pitch) for n in sheet.parts[0].notes)
    assert written == sounds(read(to_musicxml(sheet)))
    assert {note.end - note.start for note in sheet.parts[0].notes if note.pitch == 48} == {16}


def test_drums_alone_are_not_written_down() -> None:
    drums = Performance((Part("kit", 0, (Note(0.0, 0.1, 36, 90),), bank=128),), 60.0, "", 1.0, "")
    with pytest.raises(InputError, match="no notes that can be written down"):
        transcribe(drums)


def test_samples_and_pieces_are_exported_as_scores(cli: Any, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "samples"
    done = cli("sample", "-n", "1", "--seed", "3", "--format", "musicxml", "-o", out, "--json")
    (sample,) = done.document["samples"]
    assert len(sounds(read(Path(sample["file"]).read_bytes()))) > 20
    cli("sample", "-n", "1", "--seed", "3", "--plain", "-o", out)
    cli("piece", "import", out / "sample-01.mid")
    (piece,) = cli("piece", "list", "--json").document["pieces"]
    assert cli("piece", "export", piece["piece"], "-o", tmp_path / "a.musicxml").status == 0
    assert sounds(read((tmp_path / "a.musicxml").read_bytes())) == sounds(read(Path(sample["file"]).read_bytes()))
    assert cli("piece", "export", piece["piece"], "--plain", "-o", tmp_path / "a.mid").status == 0
    velocities = {n.velocity for part in read_performance((tmp_path / "a.mid").read_bytes()).parts for n in part.notes}
    assert velocities == {80}
    refused = cli("piece", "export", piece["piece"], "--plain", "-o", tmp_path / "a.wav")
    assert refused.status == 1
    assert "plain notes are written as MIDI or MusicXML" in refused.error_line


@pytest.mark.skipif(not shutil.which("musescore3"), reason="MuseScore is not installed")
def test_musescore_opens_a_score(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    notes = tuple(WrittenNote(n * 3, n * 3 + 3, int(rng.integers(55, 80))) for n in range(20))
    bars = tuple(Bar(n * 12, n * 12 + 12, 6, 8) for n in range(5))
    sheet = Sheet("Rocking", (WrittenPart("Melody", 0, notes),), bars, 9, "minor", 60.0, ())
    (tmp_path / "a.musicxml").write_bytes(to_musicxml(sheet))
    command = ["musescore3", "-o", str(tmp_path / "a.mid"), str(tmp_path / "a.musicxml")]
    environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)
    read_back = read_performance((tmp_path / "a.mid").read_bytes())
    assert [n.pitch for part in read_back.parts for n in part.notes] == [note.pitch for note in notes]
