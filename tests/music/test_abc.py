"""ABC is read as the standard says: fields, bars, ties, tuplets, overlays, and every tune of a book."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from therapy_gen.errors import InputError
from therapy_gen.music.corpus.score import Score, read_score

HEAD = "X:1\nT:t\nM:4/4\nL:1/8\nK:G\n"
BAR = "GABc dedB|"


def read(folder: Path, text: str | bytes) -> Score:
    path = folder / "a.abc"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_score(path)


def sounds(score: Score) -> list[tuple[float, float, int]]:
    return [(float(n["onset"]), float(n["duration"]), int(n["pitch"])) for n in score.notes]


def test_inline_fields_change_key_length_and_metre(tmp_path: Path) -> None:
    score = read(tmp_path, HEAD + BAR + "[K:D]" + BAR + "[L:1/4][M:3/4]GAB|")
    assert [pitch for _, _, pitch in sounds(score)][3::8] == [72, 73]
    assert score.metres == ((0.0, 4, 4), (8.0, 3, 4))
    assert score.bars.tolist() == [0.0, 4.0, 8.0, 11.0]
    assert score.keys == ((0.0, 1), (4.0, 2))


@pytest.mark.parametrize(
    ("metre", "read_as"),
    [
        ("2+2+3/8", (7, 8)),
        ("(2+3)/8", (5, 8)),
        ("C|", (2, 2)),
        ("C", (4, 4)),
        ("none", None),
        ("free", None),
        ("", None),
    ],
)
def test_metres(tmp_path: Path, metre: str, read_as: tuple[int, int] | None) -> None:
    score = read(tmp_path, HEAD.replace("4/4", metre) + BAR * 2)
    assert [found[1:] for found in score.metres] == ([read_as] if read_as else [])


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C2 D/ E// F3/2|", [(0, 1, 60), (1, 0.25, 62), (1.25, 0.125, 64), (1.375, 0.75, 66)]),
        ("[CEG]2 z2 C|", [(0, 1, 60), (0, 1, 64), (0, 1, 67), (2, 0.5, 60)]),
        ("(3CDE G|", [(0, 1 / 3, 60), (1 / 3, 1 / 3, 62), (2 / 3, 1 / 3, 64), (1, 0.5, 67)]),
        ("C>D E<G|", [(0, 0.75, 60), (0.75, 0.25, 62), (1, 0.25, 64), (1.25, 0.75, 67)]),
        ("C8-|C8|", [(0, 8, 60)]),
        ("[CE]8.-|[CE]8|", [(0, 8, 60), (0, 8, 64)]),
        ("^C8-|C4 C4|", [(0, 6, 61), (6, 2, 60)]),
        ("_B2 B2|B2|", [(0, 1, 70), (1, 1, 70), (2, 1, 71)]),
        ('+fermata+C2 !trill!D2 "Am"E2 {AB}G2 ~A2|', [(0, 1, 60), (1, 1, 62), (2, 1, 64), (3, 1, 67), (4, 1, 69)]),
        ("C2 x2 y3 D2|", [(0, 1, 60), (2, 1, 62)]),
        ("C,2 c2 c'2|", [(0, 1, 48), (1, 1, 72), (2, 1, 84)]),
        ("^C8-|^C4 C4|C8|", [(0, 6, 61), (6, 2, 61), (8, 4, 60)]),
        ("C4-^C4|", [(0, 2, 60), (2, 2, 61)]),
        ('(C4-C2)D2|C4 -C4|C8-|"G"!p!C8|', [(0, 3, 60), (3, 1, 62), (4, 4, 60), (8, 8, 60)]),
        ("[C2] [E2G2] [C4E4]/2|", [(0, 1, 60), (1, 1, 64), (1, 1, 67), (2, 1, 60), (2, 1, 64)]),
        ('["Am"CE]2 ["last" C2|', [(0, 1, 60), (0, 1, 64), (1, 1, 60)]),
        ("^c2 C2 c'2 C'2|C2 c,2|", [(0, 1, 73), (1, 1, 61), (2, 1, 85), (3, 1, 73), (4, 1, 60), (5, 1, 60)]),
        ("^C2 [K:C]C2|", [(0, 1, 61), (1, 1, 60)]),
        ("^/C2 ^3/4D2 _3/2B2|B2 _1/4A2|", [(0, 1, 60), (1, 1, 63), (2, 1, 70), (3, 1, 71), (4, 1, 69)]),
        ("^C8 & C4 E4|", [(0, 4, 61), (0, 2, 60), (2, 2, 64)]),
        (
            "C4 C4|D6 D2 && E8|G6 A2|",
            [(0, 2, 60), (0, 4, 64), (2, 2, 60), (4, 3, 62), (4, 3, 67), (7, 1, 62), (7, 1, 69)],
        ),
        ("(& C8|D8 & E8|G8 &)|A8|", [(0, 4, 60), (0, 4, 64), (4, 4, 62), (4, 4, 67), (8, 4, 69)]),
        ("C8 & G,4 E,4|D8|", [(0, 2, 55), (0, 4, 60), (2, 2, 52), (4, 4, 62)]),
    ],
)
def test_notes(tmp_path: Path, music: str, expected: list[tuple[float, float, int]]) -> None:
    found = sounds(read(tmp_path, HEAD + music))
    expected = sorted(expected, key=lambda note: (note[0], note[2]))
    assert [pitch for _, _, pitch in found] == [pitch for _, _, pitch in expected]
    for own, wanted in zip(found, expected, strict=True):
        assert own[:2] == pytest.approx(wanted[:2])


def test_rests_of_several_bars_repeats_and_endings(tmp_path: Path) -> None:
    score = read(tmp_path, HEAD + "Z4|" + "|:" + BAR + "[1,2 G8:|[3 G8||" + "|1 G8 :|2 G8|]")
    assert score.bars.tolist() == [4.0 * n for n in range(10)]
    assert score.notes["onset"].min() == 16.0


def test_voices_sound_together_and_text_is_no_music(tmp_path: Path) -> None:
    body = "V:1 clef=treble\nV:2 clef=bass octave=-1\nK:G\n[V:1] G4 G4|\nw: Glo- ry\n[V:2] D8|\n"
    text = "X:1\nM:4/4\nL:1/8\n%%begintext\nA word | of grace\n%%endtext\n" + body + "W: Amen\n\nsung by all\n"
    assert sounds(read(tmp_path, text)) == [(0, 4, 50), (0, 2, 67), (2, 2, 67)]


def test_every_tune_of_a_book_is_read_as_a_movement(tmp_path: Path) -> None:
    tunes = "\n\n".join(f"X:{n}\nM:4/4\nL:1/8\nK:{key}\n" + BAR * 4 for n, key in enumerate("DAC"))
    score = read(tmp_path, tunes)
    assert (len(score.notes), score.ends) == (96, (16.0, 32.0))
    assert score.keys == ((0.0, 2), (16.0, 3), (32.0, 0))


@pytest.mark.parametrize(
    ("key", "sharps", "pitches"),
    [
        ("A clef=bass", 3, [66, 71, 73]),
        ("B bass", 5, [66, 71, 73]),
        ("Eb octave=-1", -3, [53, 58, 60]),
        ("G octave=+1", 1, [78, 83, 84]),
        ("Am clef=treble-8", 0, [53, 59, 60]),
        ("D transpose=-2", 2, [64, 69, 71]),
        ("F# minor", 3, [66, 71, 73]),
        ("g dorian % said so", -1, [65, 70, 72]),
        ("D phr ^f", -2, [66, 70, 72]),
        ("D exp _b ^c", 0, [65, 70, 73]),
        ("none", 0, [65, 71, 72]),
        ("", 0, [65, 71, 72]),
    ],
)
def test_keys(tmp_path: Path, key: str, sharps: int, pitches: list[int]) -> None:
    score = read(tmp_path, HEAD.replace("K:G", f"K:{key}") + "F2 B2 c2|")
    assert (score.keys, [pitch for _, _, pitch in sounds(score)]) == (((0.0, sharps),), pitches)


@pytest.mark.parametrize(
    ("fields", "pitches"),
    [
        ("[K:clef=bass]", [66, 66]),
        ("[K:bass]", [66, 66]),
        ("[K:G treble-8]", [66, 54]),
        ("\nK:D octave=1\n", [66, 78]),
        ("\nV:1 octave=-1\n", [66, 54]),
        ("\n%%MIDI transpose 2 % up\n", [66, 68]),
        ("[I:MIDI transpose -2]", [66, 64]),
        ("\n%%MIDI channel 10\n", []),
    ],
)
def test_fields_between_the_notes(tmp_path: Path, fields: str, pitches: list[int]) -> None:
    text = HEAD + "V:1\nF4 F4|" + fields + "F8|\n"
    with contextlib.suppress(InputError):
        assert [pitch for _, _, pitch in sounds(read(tmp_path, text))][1:] == pitches
        return
    assert not pitches


@pytest.mark.parametrize(
    ("reach", "pitches"), [("not", [61, 60, 72]), ("octave", [61, 61, 72]), ("pitch", [61, 61, 73])]
)
def test_how_far_accidentals_reach(tmp_path: Path, reach: str, pitches: list[int]) -> None:
    for line in ("%%", "I:"):
        text = HEAD.replace("K:G", f"{line}propagate-accidentals {reach}\nK:G") + "^C2 C2 c2|"
        assert [pitch for _, _, pitch in sounds(read(tmp_path, text))] == pitches


def test_tunes_without_bar_lines_have_those_of_their_metre(tmp_path: Path) -> None:
    tune = "X:1\nM:3/4\nL:1/4\nK:C\nCDE CDE C"
    score = read(tmp_path, f"{tune}\n\n{tune}")
    assert score.bars.tolist() == [3.0 * n for n in range(7)]
    assert read(tmp_path, tune).remarks == ("no bar lines are written: laid by its metre, 3/4",)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    assert len(read(tmp_path, (HEAD.replace("T:t", "T:Für Élise") + BAR).encode(encoding)).notes) == 8


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        (HEAD + "GABc dedB GABc dedB", 2),
        (HEAD.replace("K:G\n", "") + BAR * 2, 2),
        (HEAD.replace("1/8", "1") + "G|" * 2, 2),
    ],
)
def test_what_is_missing_is_made_up_for(tmp_path: Path, text: str, bars: int) -> None:
    assert len(read(tmp_path, text).bars) - 1 == bars


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no notes"),
        (HEAD.replace("4/4", "4/0") + BAR, "M:4/0 is no metre"),
        (HEAD.replace("1/8", "1/0") + BAR, "L:1/0 is no length"),
        (HEAD + "C999999|" * 2000, "lasts more than"),
        (HEAD + "c''''''''|", "too high or too low"),
        ("To be, or not to be? 'Tis the question: #%§€ " * 40, "holds no notes"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 20000, "(" * 20000, "[CE" * 9000, "Z99999|" * 99, '"' * 20000, "{" * 9000])
def test_reading_takes_time_as_the_text_is_long(tmp_path: Path, text: str) -> None:
    begin = time.perf_counter()
    with contextlib.suppress(InputError):
        read(tmp_path, HEAD + text)
    assert time.perf_counter() - begin < 5.0


def test_a_books_header_counts_for_every_tune(tmp_path: Path) -> None:
    score = read(tmp_path, "M:3/4\nL:1/4\n\nX:1\nT:a\nK:C\nCDE|FGA|\n\nX:2\nT:b\nM:2/4\nK:C\nGA|\n")
    assert score.metres == ((0.0, 3, 4), (6.0, 2, 4))
    assert score.bars.tolist() == [0.0, 3.0, 6.0, 8.0]


def test_words_between_tunes_and_tags_are_no_music(tmp_path: Path) -> None:
    page = f"<pre>\nSome notes | of mine\n\n{HEAD}{BAR}\n</pre>\n\nPlayed slowly, | often by dancers\n\n"
    score = read(tmp_path, page + "X:2\nT:u\nM:4/4\nL:1/8\nK:G\n" + BAR + "\n\n" + BAR)
    assert len(score.notes) == 24


def test_an_explicit_key_has_the_accidentals_that_are_written(tmp_path: Path) -> None:
    score = read(tmp_path, HEAD.replace("K:G", "K:D exp _b ^c") + "CDEF GABc|")
    assert [pitch for _, _, pitch in sounds(score)] == [61, 62, 64, 65, 67, 69, 70, 73]


@pytest.mark.parametrize("field", ["V:2 clef=perc", "V:2 perc name=Kit"])
def test_a_voice_of_percussion_is_left_out(tmp_path: Path, field: str) -> None:
    score = read(tmp_path, HEAD + f"V:1\n{BAR}\n{field}\n{BAR}\n")
    assert len(score.notes) == 8


@pytest.mark.parametrize(("tempo", "quarters"), [("C3=40", 60.0), ("C=120", 60.0), ("1/4 1/8=60", 90.0)])
def test_old_tempi(tmp_path: Path, tempo: str, quarters: float) -> None:
    score = read(tmp_path, HEAD.replace("K:G", f"Q:{tempo}\nK:G") + BAR)
    assert [found for _, found in score.tempi] == [quarters]


def test_more_bars_than_a_score_has_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.abc has more than 20000 bars; give a shorter score"):
        read(tmp_path, HEAD.replace("4/4", "1/8") + "z" * 20_500 + "C")


def test_a_book_of_many_tunes_is_read_in_time(tmp_path: Path) -> None:
    started = time.process_time()
    assert len(read(tmp_path, "X:1\nK:C\nC|\n\n" * 1_000).ends) == 999
    assert time.process_time() - started < 2
