"""Scores become windows on their own bar lines, in one key, split by piece, and nothing is lost silently."""

from __future__ import annotations

from tests.needs import needs

needs("symusic", "symusic has no wheels for this Python")

import os
from pathlib import Path

import numpy as np
import pytest
import symusic

from therapy_gen.errors import InputError
from therapy_gen.music.corpus.bars import find_stretches
from therapy_gen.music.corpus.corpus import Corpus, build_corpus, crop
from therapy_gen.music.corpus.score import NOTE, Score, read_score
from therapy_gen.music.corpus.voices import BASS, INNER, MELODY, extract_voices
from therapy_gen.music.corpus.windows import WindowSettings
from therapy_gen.music.tokens import VoiceNote, tokens_to_notes

DATA = Path(os.environ.get("THERAPY_GEN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")) / "corpus"
needs_corpus = pytest.mark.skipif(not DATA.is_dir(), reason=f"no corpus at {DATA}")

TPQ = 480
Notes = list[tuple[float, float, int]]


def write_midi(path: Path, notes: Notes, metre: tuple[int, int] = (4, 4), sharps: int = 0) -> Path:
    score = symusic.Score(TPQ)
    score.time_signatures.append(symusic.TimeSignature(0, *metre))
    score.key_signatures.append(symusic.KeySignature(0, sharps, 0))
    score.tempos.append(symusic.Tempo(0, qpm=80.0))
    track = symusic.Track("all", 0, False)
    for onset, duration, pitch in notes:
        track.notes.append(symusic.Note(round(onset * TPQ), round(duration * TPQ), pitch, 70))
    score.tracks.append(track)
    score.dump_midi(str(path))
    return path


def chorale(bars: int, tonic: int = 60, seed: int = 0) -> Notes:
    """Return quarter-note melody over half-note inner voice and whole-note bass in a major key."""
    rng = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    notes: Notes = []
    for bar in range(bars):
        root = 0 if bar % 4 in (0, 3) else int(rng.choice([5, 7, 9]))
        notes.append((bar * 4.0, 4.0, tonic - 24 + root))
        notes += [(bar * 4.0 + half, 2.0, tonic - 5) for half in (0.0, 2.0)]
        notes += [(bar * 4.0 + beat, 1.0, tonic + int(rng.choice(scale))) for beat in range(4)]
    notes.append((bars * 4.0 - 4.0, 4.0, tonic + 12))
    return notes


def test_voices_are_top_middle_and_bottom_and_never_overlap() -> None:
    found = extract_voices([(0, 16, 72), (0, 8, 64), (8, 16, 65), (0, 16, 48)], 16)
    assert found == [
        VoiceNote(0, 8, 64, INNER),
        VoiceNote(0, 16, 48, BASS),
        VoiceNote(0, 16, 72, MELODY),
        VoiceNote(8, 16, 65, INNER),
    ]


def test_a_long_melody_note_is_not_struck_again() -> None:
    broken = [(step, step + 2, pitch) for step, pitch in zip(range(0, 16, 2), [48, 55, 60, 55] * 2, strict=True)]
    found = extract_voices([(0, 16, 76), *broken], 16)
    assert [note for note in found if note.voice == MELODY] == [VoiceNote(0, 16, 76, MELODY)]


def test_the_inner_voice_of_a_quartet_stays_with_one_part() -> None:
    violin = [(step, step + 4, 60 + 2 * (step % 8)) for step in range(0, 64, 4)]
    viola = [(step + 2, step + 6, 52) for step in range(0, 64, 8)]
    lines = [(violin, 1), ([(0, 64, 84)], 0), (viola, 2), ([(0, 64, 40)], 3)]
    notes = [(note, part) for line, part in lines for note in line]
    found = extract_voices([note for note, _ in notes], 64, [part for _, part in notes])
    assert [(n.start, n.end, n.pitch) for n in found if n.voice == INNER] == violin
    # Parts that are not told apart: whatever is struck is taken.
    assert len([n for n in extract_voices([note for note, _ in notes], 64) if n.voice == INNER]) == 24


def test_an_accompaniment_is_not_the_melody_while_the_singer_takes_breath() -> None:
    found = extract_voices([(0, 6, 76), (6, 8, 55), (8, 16, 74), (0, 16, 40)], 16)
    assert [note.pitch for note in found if note.voice == MELODY] == [76, 74]


def test_stretches_follow_bar_lines_pick_up_and_halves_included() -> None:
    assert _stretches([0, 1, 5, 9, 11, 13, 16, 20, 24], (4, 4)) == [("4/4", [1, 5, 9, 13]), ("4/4", [16, 20, 24])]


def test_bars_of_three_quarters_are_read_in_the_metre_of_their_signature() -> None:
    lines = [0, 3, 6, 10, 14, 16, 18, 21, 24]
    assert _stretches(lines, (3, 4)) == [("3/4", [0, 3, 6]), ("4/4", [6, 10, 14, 18]), ("3/4", [18, 21, 24])]
    assert _stretches(lines, (6, 8)) == [("6/8", [0, 3, 6]), ("4/4", [6, 10, 14, 18]), ("6/8", [18, 21, 24])]


def test_bars_of_twelve_and_three_eighths_are_read_in_six() -> None:
    assert _stretches([0, 6, 12], (12, 8)) == [("6/8", [0, 3, 6, 9, 12])]
    assert _stretches([0, 1.5, 3, 4.5, 6], (3, 8)) == [("6/8", [0, 3, 6])]
    assert _stretches([0, 6, 12], (6, 4)) == [("3/4", [0, 3, 6, 9, 12])]
    assert _stretches([0, 4.5, 9], (9, 8)) == []


def test_a_bar_written_in_pieces_at_a_repeat_is_one() -> None:
    assert _stretches([0, 1, 4, 6, 7, 10], (3, 4)) == [("3/4", [1, 4, 7, 10])]


def test_a_stretch_ends_where_a_movement_ends() -> None:
    score = Score(np.zeros(0, dtype=NOTE), np.arange(0.0, 29.0, 4.0), ((0.0, 4, 4),), (), (), (12.0,))
    assert [stretch.lines for stretch in find_stretches(score)] == [[0, 4, 8, 12], [12, 16, 20, 24, 28]]


def _stretches(lines: list[float], signature: tuple[int, int]) -> list[tuple[str, list[float]]]:
    notes = np.zeros(0, dtype=NOTE)
    score = Score(notes, np.array(lines, dtype=float), ((0.0, *signature),), (), ())
    return [(stretch.metre.name, stretch.lines) for stretch in find_stretches(score)]


@pytest.mark.parametrize("tonic", [60, 62, 65, 69])
def test_windows_are_brought_to_one_tonic_and_keep_their_own(tmp_path: Path, tonic: int) -> None:
    write_midi(tmp_path / "a.mid", chorale(20, tonic), sharps={60: 0, 62: 2, 65: -1, 69: 3}[tonic])
    corpus = build_corpus([tmp_path], WindowSettings(stride_bars=4))
    assert corpus.tonic.tolist() == [tonic % 12] * 2
    assert corpus.bar.tolist() == [0, 4]
    bass = [note.pitch % 12 for note in tokens_to_notes(corpus.tokens[0]) if note.voice == BASS]
    assert bass[0] == 0
    lifted = build_corpus([tmp_path], WindowSettings(stride_bars=4, transpose=3))
    pitches, higher = ([n.pitch for n in tokens_to_notes(c.tokens[0])] for c in (corpus, lifted))
    assert [pitch + 3 for pitch in pitches] == higher


def test_phrases_are_counted_from_behind_the_pick_up(tmp_path: Path) -> None:
    lines = [(0.0, 1.0, 67), *((onset + 1.0, duration, pitch) for onset, duration, pitch in chorale(21))]
    write_midi(tmp_path / "a.mid", lines)
    score = symusic.Score(str(tmp_path / "a.mid"))
    score.time_signatures = [symusic.TimeSignature(0, 1, 4), symusic.TimeSignature(TPQ, 4, 4)]
    score.dump_midi(str(tmp_path / "a.mid"))
    corpus = build_corpus([tmp_path], WindowSettings(stride_bars=1))
    assert corpus.bar.tolist() == [1, 2, 3, 4, 5, 6]
    assert corpus.offset.tolist() == [0, 1, 2, 3, 4, 5]
    begins = corpus.at_phrases(np.arange(6))
    assert corpus.bar[begins].tolist() == [1, 5]
    # The second window, as all, begins where its bar does: with the root of the first chord of a phrase.
    bass = [next(note.pitch % 12 for note in tokens_to_notes(corpus.tokens[n]) if note.voice == BASS) for n in begins]
    assert bass == [0, 0]


def test_a_two_four_piece_is_read_in_pairs_of_bars(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", chorale(16), metre=(2, 4))
    assert len(build_corpus([tmp_path]).tokens) == 1


def test_a_waltz_lies_in_the_first_twelve_steps_of_every_bar(tmp_path: Path) -> None:
    in_three = [(3 * bar + beat, 1, 60 + 2 * beat) for bar in range(16) for beat in range(3)]
    write_midi(tmp_path / "a.mid", [*in_three, *((3 * bar, 3, 48) for bar in range(16))], metre=(3, 4))
    corpus = build_corpus([tmp_path])
    assert corpus.metre.tolist() == [3]
    bars = corpus.tokens[0].reshape(16, 16, 3)
    assert (np.flatnonzero(bars.any(axis=(0, 2))) == [0, 4, 8]).all()
    assert np.array_equal(bars, np.repeat(bars[:1], 16, axis=0))


def test_a_barcarolle_has_two_beats_of_three_eighths(tmp_path: Path) -> None:
    rocking = [(bar * 6 + n / 2, 1 / 2, 60 + (0, 4, 7)[n % 3]) for bar in range(8) for n in range(12)]
    write_midi(tmp_path / "a.mid", [*rocking, *((3 * bar, 3, 48) for bar in range(16))], metre=(12, 8))
    corpus = build_corpus([tmp_path])
    assert corpus.metre.tolist() == [6]
    assert (np.flatnonzero(corpus.tokens[0].reshape(16, 16, 3).any(axis=(0, 2))) == [0, 2, 4, 6, 8, 10]).all()


def test_music_in_triplets_is_written_in_six_eight(tmp_path: Path) -> None:
    triplets = [(n / 3, 1 / 3, 60 + (0, 4, 7)[n % 3]) for n in range(96)]
    write_midi(tmp_path / "a.mid", [*triplets, *((2.0 * half, 2.0, 48) for half in range(16))])
    corpus = build_corpus([tmp_path])
    assert corpus.metre.tolist() == [6]
    bars = corpus.tokens[0].reshape(16, 16, 3)
    assert (np.flatnonzero(bars[:, :, 0].any(axis=0)) == [0, 2, 4, 6, 8, 10]).all()
    # What lies on the sixteenth grid as well is read there, once.
    write_midi(tmp_path / "a.mid", chorale(32))
    assert set(build_corpus([tmp_path]).metre.tolist()) == {4}


def test_a_short_tune_is_repeated_as_its_verses_are(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", chorale(8))
    (tokens,) = build_corpus([tmp_path]).tokens
    assert np.array_equal(tokens[:128], tokens[128:])


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    write_midi(tmp_path / "good.mid", chorale(16))
    write_midi(tmp_path / "nine.mid", chorale(16), metre=(9, 8))
    write_midi(tmp_path / "fives.mid", [(n / 5, 1 / 5, 60 + n % 7) for n in range(320)])
    (tmp_path / "broken.mid").write_bytes(b"MThd not really")
    (tmp_path / "notes.txt").write_text("not a score")
    report = build_corpus([tmp_path]).report
    assert (report.files, report.files_used, report.windows) == (4, 1, 1)
    assert list(report.unreadable) == ["broken.mid"]
    text = "\n".join(report.lines())
    assert "scores without a stretch of 4/4, 2/4, 3/4, 6/8, 12/8" in text
    assert "off the grid of sixteenths and of triplets" in text


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file here that cannot be read")
def test_a_file_that_cannot_be_read_is_told_and_the_others_are_used(tmp_path: Path) -> None:
    write_midi(tmp_path / "good.mid", chorale(16))
    (tmp_path / "locked.mid").symlink_to("/proc/self/mem")
    report = build_corpus([tmp_path]).report
    assert (report.files_used, list(report.unreadable)) == (1, ["locked.mid"])
    assert "cannot be read" in report.unreadable["locked.mid"]


def test_copies_never_lie_in_training_and_held_out(tmp_path: Path) -> None:
    for n in range(40):
        write_midi(tmp_path / f"{n:02d}.mid", chorale(20, seed=n // 2))
    corpus = build_corpus([tmp_path], WindowSettings(stride_bars=4), held_out_share=0.4)
    assert corpus.report.duplicates == 40
    assert len(corpus.tokens) == 40
    assert 0 < corpus.held_out.sum() < 40
    of_piece = {int(p): set(corpus.held_out[corpus.piece == p].tolist()) for p in corpus.piece}
    assert all(len(split) == 1 for split in of_piece.values())
    again = build_corpus([tmp_path], WindowSettings(stride_bars=4), held_out_share=0.4)
    assert np.array_equal(again.held_out, corpus.held_out)
    assert again.digest == corpus.digest


def test_the_cache_gives_everything_back_and_refuses_other_files(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", chorale(24))
    corpus = build_corpus([tmp_path])
    corpus.save(tmp_path / "corpus.npz")
    read = Corpus.load(tmp_path / "corpus.npz")
    assert np.array_equal(read.tokens, corpus.tokens)
    assert (read.pieces, read.digest, read.report) == (corpus.pieces, corpus.digest, corpus.report)
    with pytest.raises(InputError, match=r"a\.mid is not a corpus cache"):
        Corpus.load(tmp_path / "a.mid")


def test_calm_windows_are_chosen_by_share(tmp_path: Path) -> None:
    for n in range(6):
        notes = [(onset / (1 + n % 3), length / (1 + n % 3), pitch) for onset, length, pitch in chorale(48, seed=n)]
        write_midi(tmp_path / f"{n}.mid", notes)
    corpus = build_corpus([tmp_path], held_out_share=0.0)
    chosen = corpus.choose(held_out=False, calmest=0.5)
    assert len(chosen) == pytest.approx(len(corpus.tokens) / 2, abs=1)
    assert corpus.calm[chosen].min() >= np.delete(corpus.calm, chosen).max()


@pytest.mark.parametrize(("name", "content"), [("x.txt", b"x"), ("x.mid", b""), ("x.mid", b"junk" * 99)])
def test_files_that_are_no_scores_are_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        read_score(tmp_path / name)


def test_folders_without_scores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no scores"):
        build_corpus([tmp_path])
    with pytest.raises(InputError, match="not a folder"):
        build_corpus([tmp_path / "missing"])


@needs_corpus
@pytest.mark.parametrize(
    ("name", "first_bar", "voices"),
    [
        ("openhymnal/O_Come_All_Ye_Faithful-Adeste_Fideles.abc", 1.0, 4),
        ("openhymnal/Lord_Jesus_Think_On_Me-Southwell.abc", 1.0, 4),
        ("lieder/Abbott_Jane_Bingham-Think_of_Today-lc6582978.mxl", 1.0, 2),
    ],
)
def test_real_scores_keep_their_pick_up_bars(name: str, first_bar: float, voices: int) -> None:
    path = DATA / name
    if not path.is_file():
        (path,) = DATA.glob(name.rsplit("-", 1)[0] + "-*")
    pytest.importorskip("music21" if path.suffix == ".abc" else "partitura")
    score = read_score(path)
    assert score.bars[1] == pytest.approx(first_bar)
    assert len(set(score.notes["part"].tolist())) == voices
    assert find_stretches(score)[0].lines[0] == pytest.approx(first_bar)


def test_pieces_of_a_few_bars_serve_models_of_two(tmp_path: Path) -> None:
    write_midi(tmp_path / "two.mid", chorale(2, seed=1))
    write_midi(tmp_path / "five.mid", chorale(5, seed=2))
    write_midi(tmp_path / "long.mid", chorale(18, seed=3))
    # Without it they are left out, as they always were.
    usual = build_corpus([tmp_path], WindowSettings(stride_bars=1))
    assert usual.report.left_out["stretches of fewer than sixteen bars"] == 2
    assert usual.digest == build_corpus([tmp_path], WindowSettings(stride_bars=1, shortest_bars=16)).digest
    corpus = build_corpus([tmp_path], WindowSettings(stride_bars=1, shortest_bars=2))
    assert corpus.digest != usual.digest
    by_piece = {corpus.pieces[piece]: set(corpus.length[corpus.piece == piece].tolist()) for piece in range(3)}
    assert by_piece == {"two.mid": {2}, "five.mid": {5}, "long.mid": {16}}
    short = crop(corpus, 2)
    counts = {name: int((short.piece == number).sum()) for number, name in enumerate(short.pieces)}
    # A stretch of two bars begins at every bar but the last.
    assert counts == {"two.mid": 1, "five.mid": 4, "long.mid": 17}
    assert short.tokens.shape[1:] == (32, 3)
    corpus.save(tmp_path / "corpus.npz")
    np.testing.assert_array_equal(Corpus.load(tmp_path / "corpus.npz").length, corpus.length)


def test_a_short_tune_serves_models_of_two_bars_once(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", chorale(8))
    short = crop(build_corpus([tmp_path], WindowSettings.for_models_of(2)), 2)
    assert short.bar.tolist() == list(range(7))
    assert len(build_corpus([tmp_path], WindowSettings.for_models_of(16)).tokens) == 1
