"""MusicXML is read as it sounds: ties are one note, bars begin where they do, and what is no note stops nothing."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.needs import needs
from therapy_gen.errors import InputError, OutOfBoundsError

needs("partitura", "partitura is an extra")

from therapy_gen.music.corpus import musicxml_prune
from therapy_gen.music.corpus.bounded import BoundedCall
from therapy_gen.music.corpus.score import read_score

DATA = Path(os.environ.get("THERAPY_GEN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")) / "corpus"


def note(step: str = "C", length: int = 4, extra: str = "", octave: int = 4) -> str:
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    return f"<note>{pitch}<duration>{length}</duration>{extra}</note>"


def document(*bars: str, first: str = "", parts: tuple[tuple[str, ...], ...] = ()) -> str:
    told = f"<attributes><divisions>4</divisions>{first or TIME}</attributes>"
    every = ((told + bars[0], *bars[1:]), *parts)
    names = "".join(f'<score-part id="P{n}"><part-name/></score-part>' for n in range(len(every)))
    text = "".join(
        f'<part id="P{n}">' + "".join(f'<measure number="{i}">{bar}</measure>' for i, bar in enumerate(own)) + "</part>"
        for n, own in enumerate(every)
    )
    return f'<?xml version="1.0"?><score-partwise version="3.1"><part-list>{names}</part-list>{text}</score-partwise>'


TIME = "<time><beats>4</beats><beat-type>4</beat-type></time>"
BAR = note() * 4


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_tied_note_is_one(tmp_path: Path) -> None:
    tied = note(length=16, extra='<tie type="start"/>'), note(length=16, extra='<tie type="stop"/>')
    score = read_score(written(tmp_path / "a.musicxml", document(*tied)))
    assert score.notes[["onset", "duration", "pitch"]].tolist() == [(0.0, 8.0, 60)]


def test_bars_follow_a_pick_up(tmp_path: Path) -> None:
    score = read_score(written(tmp_path / "a.musicxml", document(note(), BAR, BAR)))
    assert score.bars.tolist() == [0.0, 1.0, 5.0, 9.0]


def test_a_transposing_instrument_is_read_as_it_sounds(tmp_path: Path) -> None:
    horn = (
        TIME
        + "<transpose><diatonic>-4</diatonic><chromatic>-7</chromatic><octave-change>-1</octave-change></transpose>"
    )
    score = read_score(written(tmp_path / "a.musicxml", document(BAR, first=horn)))
    assert set(score.notes["pitch"].tolist()) == {60 - 19}


def test_grace_notes_rests_and_chords(tmp_path: Path) -> None:
    grace = "<note><grace/><pitch><step>D</step><octave>4</octave></pitch></note>"
    chord = note("E", extra="").replace("<note>", "<note><chord/>")
    rest = "<note><rest/><duration>4</duration></note>"
    score = read_score(written(tmp_path / "a.musicxml", document(grace + note() + chord + rest + note("G", 8))))
    assert score.notes[["onset", "pitch"]].tolist() == [(0.0, 60), (0.0, 64), (2.0, 67)]


@pytest.mark.parametrize(
    "extra",
    [
        "<harmony><root><root-step/></root><kind>Neapolitan</kind></harmony>",
        "<harmony><function>V</function><kind>dominant</kind></harmony>",
        "<direction><direction-type><dashes type='stop'/></direction-type></direction>",
        "<direction><sound tempo='fast'/></direction>",
        "<barline><ending number='x' type='start'/></barline>",
        "<note><unpitched/><duration>0</duration></note>",
        "<print><system-layout/></print><figured-bass/><listening/>",
    ],
)
def test_what_is_no_note_stops_nothing(tmp_path: Path, extra: str) -> None:
    score = read_score(written(tmp_path / "a.musicxml", document(extra + BAR, BAR)))
    assert (len(score.notes), score.bars.tolist()) == (8, [0.0, 4.0, 8.0])


@pytest.mark.parametrize(
    ("first", "metres"),
    [
        ("<time><beats>2+2</beats><beat-type>4</beat-type></time>", [(0.0, 4, 4)]),
        ("<time><senza-misura/></time>", []),
        ("<key><fifths>8</fifths></key>" + TIME, [(0.0, 4, 4)]),
        ("<key><key-step>F</key-step><key-alter>1</key-alter></key>" + TIME, [(0.0, 4, 4)]),
    ],
)
def test_unusual_signatures_are_read_or_passed_over(tmp_path: Path, first: str, metres: list[object]) -> None:
    score = read_score(written(tmp_path / "a.musicxml", document(BAR, BAR, first=first)))
    assert (len(score.notes), list(score.metres)) == (8, metres)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<beats>4<", "<beats>1e9<", "time signature"),
        ("<beat-type>4<", "<beat-type>0<", "time signature"),
        ("<divisions>4<", "<divisions>0<", "divisions"),
        ("<octave>4<", "<octave>900<", "octave"),
        ("<step>C<", "<step>?<", "step"),
        ("<duration>4<", "<duration>-4<", "duration"),
        ("</score-partwise>", "", "damaged"),
        ("measure", "bar", "no part with bars"),
    ],
)
def test_damage_is_said_in_a_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = written(tmp_path / "a.musicxml", document(BAR, BAR).replace(old, new))
    with pytest.raises(InputError, match=said) as caught:
        read_score(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_compressed_score_is_unpacked_no_further_than_scores_are_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def packed(text: str) -> Path:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("META-INF/container.xml", '<container><rootfile full-path="a.xml"/></container>')
            archive.writestr("a.xml", text)
        path = tmp_path / "a.mxl"
        path.write_bytes(out.getvalue())
        return path

    assert len(read_score(packed(document(BAR, BAR))).notes) == 8
    monkeypatch.setattr(musicxml_prune, "MAX_UNPACKED_BYTES", 1 << 20)
    with pytest.raises(InputError, match="unpacks to more than"):
        read_score(packed(document(BAR, BAR + "<print/>" * (1 << 18))))
    monkeypatch.undo()
    with pytest.raises(InputError, match="megabytes without a note"):
        read_score(written(tmp_path / "a.musicxml", " " * 3_000_000 + document(BAR)))


def test_a_library_is_stopped_when_it_takes_too_long_or_too_much() -> None:
    assert BoundedCall("math:factorial")(5, seconds=10.0) == 120
    with pytest.raises(OutOfBoundsError):
        BoundedCall("time:sleep")(60, seconds=0.1)
    call = BoundedCall("builtins:bytearray")
    with pytest.raises(OutOfBoundsError):
        call(8 << 30, seconds=10.0)
    # Stopped, it begins again.
    assert len(call(8, seconds=10.0)) == 8
    call.close()


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no corpus at {DATA}")
@pytest.mark.parametrize(
    "name", ["quartets/Mozart_Wolfgang_Amadeus-String_Quartet_No_18_in_A_major_K_464_Op_10_No_5-sq7070781.mxl"]
)
def test_real_scores_sound_as_music21_reads_them(name: str) -> None:
    music21 = pytest.importorskip("music21")
    score = read_score(DATA / name)
    parsed = music21.converter.parse(DATA / name)
    expected = sorted(
        (round(float(element.offset), 3), round(float(element.quarterLength), 3), pitch.midi)
        for part in parsed.parts
        for element in part.stripTies().flatten().notes
        if not element.duration.isGrace
        for pitch in element.pitches
    )
    found = sorted((round(float(n["onset"]), 3), round(float(n["duration"]), 3), int(n["pitch"])) for n in score.notes)
    assert found == expected
    bars = [float(bar.offset) for bar in parsed.parts[0].getElementsByClass("Measure")]
    assert np.allclose(score.bars[:-1], bars)


def mark(unit: str, minute: str, dots: int = 0) -> str:
    beat = f"<beat-unit>{unit}</beat-unit>" + "<beat-unit-dot/>" * dots
    kind = f"<direction-type><metronome>{beat}<per-minute>{minute}</per-minute></metronome></direction-type>"
    return f"<direction>{kind}</direction>"


def test_a_metronome_mark_is_a_tempo_where_nothing_says_what_sounds(tmp_path: Path) -> None:
    bars = mark("half", "40") + BAR, mark("quarter", "c. 60-66", 1) + BAR, mark("quarter", "fast") + BAR
    score = read_score(written(tmp_path / "a.musicxml", document(*bars)))
    assert score.tempi == ((0.0, 80.0), (4.0, 90.0))
    said = mark("half", "40").replace("</direction>", '<sound tempo="72"/></direction>')
    assert read_score(written(tmp_path / "b.musicxml", document(said + BAR))).tempi == ((0.0, 72.0),)


def test_percussion_written_with_pitches_is_left_out(tmp_path: Path) -> None:
    clef = "<attributes><clef><sign>percussion</sign></clef></attributes>"
    score = read_score(written(tmp_path / "a.musicxml", document(BAR, parts=((clef + note("F") * 4,),))))
    assert {int(pitch) for pitch in score.notes["pitch"]} == {60}
    kit = document(BAR, parts=((note("F") * 4,),)).replace(
        '<score-part id="P1"><part-name/>',
        '<score-part id="P1"><part-name/><midi-instrument id="I"><midi-channel>10</midi-channel></midi-instrument>',
    )
    assert {int(pitch) for pitch in read_score(written(tmp_path / "b.musicxml", kit)).notes["pitch"]} == {60}


CONTAINER = "META-INF/container.xml"


@pytest.mark.parametrize(
    ("container", "name"),
    [
        (None, "a.xml"),
        ('<container><rootfile full-path="a.pdf"/><rootfile full-path="a.musicxml"/></container>', "a.musicxml"),
        ('<container><rootfile full-path="dir/a.xml"/></container>', "dir\\a.xml"),
    ],
    ids=["no-container", "picture-first", "backslash"],
)
def test_archives_as_programs_write_them(tmp_path: Path, container: str | None, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.mxl", "w") as archive:
        if container:
            archive.writestr(CONTAINER, container)
        archive.writestr("__MACOSX/._a.xml", b"resource")
        archive.writestr("a.pdf", b"%PDF")
        archive.writestr(zipfile.ZipInfo(name), document(BAR))
    with musicxml_prune.open_document(tmp_path / "a.mxl") as stream:
        assert musicxml_prune.PrunedScore(stream).notes == 4
