"""Files as people have them give the bars a model reads, and the reasons where something was left out."""

from __future__ import annotations

from tests.needs import needs

needs("symusic", "symusic has no wheels for this Python")

import struct
from pathlib import Path

import numpy as np
import pytest
import symusic

from therapy_gen.errors import InputError
from therapy_gen.music.corpus.excerpt import take_excerpt
from therapy_gen.music.tokens import token_to_pitch, tokens_to_notes

VOICES = ("melody", "inner", "bass")
SCALE = (60, 64, 67, 65, 67, 64, 60, 62)


def write(
    path: Path,
    notes: list[tuple[float, float, int]],
    metres: list[tuple[float, int, int]] = ((0, 4, 4),),  # type: ignore[assignment]
    tempi: list[tuple[float, float]] = (),  # type: ignore[assignment]
    drums: list[tuple[float, int]] = (),  # type: ignore[assignment]
) -> Path:
    """A file of format 1 with notes (onset and length in quarters, pitch)."""
    score = symusic.Score(480)
    for at, numerator, denominator in metres:
        score.time_signatures.append(symusic.TimeSignature(round(at * 480), numerator, denominator))
    for at, qpm in tempi:
        score.tempos.append(symusic.Tempo(round(at * 480), qpm=qpm))
    track = symusic.Track("tune", 0, False)
    for onset, length, pitch in notes:
        track.notes.append(symusic.Note(round(onset * 480), round(length * 480), pitch, 70))
    score.tracks.append(track)
    if drums:
        kit = symusic.Track("drums", 0, True)
        for onset, pitch in drums:
            kit.notes.append(symusic.Note(round(onset * 480), 60, pitch, 90))
        score.tracks.append(kit)
    score.dump_midi(str(path))
    return path


def tune(quarters: int, start: float = 0.0) -> list[tuple[float, float, int]]:
    return [(start + n, 1.0, SCALE[n % len(SCALE)]) for n in range(quarters)]


def pitches(tokens: np.ndarray) -> list[int]:
    return [token_to_pitch(int(token)) for token in tokens[:, 0] if token > 1]


def test_a_plain_tune_is_taken_whole_in_its_tempo(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mid", tune(64), tempi=[(0, 72.0)])
    taken = take_excerpt(path, 16, VOICES, common_tonic=False)
    assert taken.tokens.shape == (256, 3)
    assert pitches(taken.tokens) == [pitch for _, _, pitch in tune(64)]
    assert (taken.bar, taken.bars, taken.tempo, taken.remarks) == (1, 16, pytest.approx(72.0), ())
    notes = tokens_to_notes(taken.tokens)
    assert (notes[-1].start, notes[-1].end) == (252, 256)


def test_a_common_tonic_moves_the_notes_and_says_by_how_much(tmp_path: Path) -> None:
    path = write(tmp_path / "d.mid", [(at, length, pitch + 2) for at, length, pitch in tune(64)])
    taken = take_excerpt(path, 16, VOICES, common_tonic=True)
    assert (taken.tonic, taken.mode, taken.shift) == (2, "major", -2)
    assert pitches(taken.tokens) == [pitch for _, _, pitch in tune(64)]


def test_the_tempo_changes_nothing_and_none_is_none(tmp_path: Path) -> None:
    changing = write(tmp_path / "fast.mid", tune(64), tempi=[(0, 190.0), (8, 41.5), (20, 133.0)])
    none = write(tmp_path / "none.mid", tune(64))
    ways = [take_excerpt(path, 16, VOICES, common_tonic=False) for path in (changing, none)]
    np.testing.assert_array_equal(ways[0].tokens, ways[1].tokens)


def test_a_pick_up_bar_is_left_out_and_named(tmp_path: Path) -> None:
    path = write(tmp_path / "up.mid", [(0.0, 1.0, 79), *tune(64, 1.0)], [(0, 1, 4), (1, 4, 4)])
    taken = take_excerpt(path, 16, VOICES, common_tonic=False)
    assert (taken.bar, taken.bars) == (2, 16)
    assert pitches(taken.tokens)[0] == SCALE[0]
    assert taken.remarks == ("bar 1 is a pick-up of 1 quarter: left out",)


def test_a_pick_up_of_half_a_bar_leaves_the_bars_behind_it_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "gavotte.mid", [(0.0, 1.0, 79), (1.0, 1.0, 77), *tune(64, 2.0)], [(0, 2, 4), (2, 4, 4)])
    taken = take_excerpt(path, 16, VOICES, common_tonic=False)
    assert (taken.bar, taken.bars) == (2, 16)
    assert pitches(taken.tokens) == [pitch for _, _, pitch in tune(64)]
    assert taken.remarks == ("bar 1 is a pick-up of 2 quarters: left out",)


def test_a_tune_alone_is_melody_however_far_it_leaps(tmp_path: Path) -> None:
    leaping = [(at, length, pitch - 24 * (n % 5 == 4)) for n, (at, length, pitch) in enumerate(tune(64))]
    taken = take_excerpt(write(tmp_path / "leaps.mid", leaping), 16, VOICES, common_tonic=False)
    assert pitches(taken.tokens) == [pitch for _, _, pitch in leaping]
    assert not (taken.tokens[:, 1:] > 1).any()


def test_a_bar_of_another_length_divides_the_piece(tmp_path: Path) -> None:
    metres = [(0, 4, 4), (16, 3, 4), (19, 4, 4)]
    taken = take_excerpt(write(tmp_path / "b.mid", tune(19 + 64), metres), 16, VOICES, common_tonic=False)
    assert (taken.bar, taken.bars) == (6, 16)
    assert taken.remarks == ("bar 5 has 3 quarters: left out",)


def test_three_four_is_read_on_across_its_bars(tmp_path: Path) -> None:
    taken = take_excerpt(write(tmp_path / "w.mid", tune(66), [(0, 3, 4)]), 16, VOICES, common_tonic=False)
    assert pitches(taken.tokens) == [pitch for _, _, pitch in tune(64)]
    assert taken.remarks == ("bars 1 to 22 have 3 quarters: read on as bars of four, across the bar lines",)


def test_triplets_move_to_the_grid_and_are_counted(tmp_path: Path) -> None:
    notes = [(n / 3, 1 / 3, SCALE[n % 8]) for n in range(64 * 3)]
    taken = take_excerpt(write(tmp_path / "t.mid", notes), 16, ("melody",), common_tonic=False)
    assert any("67% of its notes lie off the sixteenth grid" in remark for remark in taken.remarks)
    assert len(pitches(taken.tokens)) == 192


def test_music_on_the_grid_is_taken_before_music_off_it(tmp_path: Path) -> None:
    triplets = [(n / 3, 1 / 3, SCALE[n % 8]) for n in range(16 * 4 * 3)]
    taken = take_excerpt(write(tmp_path / "m.mid", [*triplets, *tune(64, 64.0)]), 16, VOICES, common_tonic=False)
    assert taken.bar > 9
    assert not any("67%" in remark for remark in taken.remarks)


def test_bars_of_silence_at_the_start_are_passed_over(tmp_path: Path) -> None:
    taken = take_excerpt(write(tmp_path / "s.mid", tune(64, 32.0)), 16, VOICES, common_tonic=False)
    assert taken.bar >= 8
    assert len(pitches(taken.tokens)) >= 56


def test_a_short_piece_is_repeated_and_a_fragment_refused(tmp_path: Path) -> None:
    taken = take_excerpt(write(tmp_path / "x.mid", tune(24)), 16, VOICES, common_tonic=False)
    assert taken.remarks == ("only 6 bars long: repeated to fill 16",)
    np.testing.assert_array_equal(taken.tokens[:96], taken.tokens[96:192])
    with pytest.raises(InputError, match="too short: 4 bars of four quarters are needed"):
        take_excerpt(write(tmp_path / "y.mid", tune(8)), 16, VOICES, common_tonic=False)
    assert take_excerpt(tmp_path / "y.mid", 2, ("melody",), common_tonic=False).tokens.shape == (32, 1)


def test_a_trio_has_melody_bass_and_nine_kinds_of_drums(tmp_path: Path) -> None:
    bass = [(4.0 * n, 4.0, 36 + n % 3) for n in range(16)]
    beat = [(float(n), 36 if n % 2 == 0 else 40) for n in range(64)] + [(n / 2, 42) for n in range(128)]
    path = write(tmp_path / "trio.mid", [*tune(64), *bass], drums=beat)
    taken = take_excerpt(path, 16, ("melody", "bass", "drums"), common_tonic=False)
    assert taken.tokens.shape == (256, 3)
    assert pitches(taken.tokens) == [pitch for _, _, pitch in tune(64)]
    assert [token_to_pitch(int(token)) for token in taken.tokens[:, 1] if token > 1] == [p for _, _, p in bass]
    # Bass drum and closed hi-hat, hi-hat, snare and hi-hat.
    assert taken.tokens[:8:2, 2].tolist() == [0b101, 0b100, 0b110, 0b100]
    melody_only = take_excerpt(path, 16, ("melody",), common_tonic=False)
    assert melody_only.remarks == (
        "64 of 80 notes are taken: the model reads melody, one note at a time, of its chords",
    )


def test_format_0_with_running_status_and_no_tempo_is_the_same_music(tmp_path: Path) -> None:
    events = bytearray()
    for n, (_, _, pitch) in enumerate(tune(64)):
        # The status byte is written once; note-offs are note-ons of velocity 0.
        events += bytes((0,)) + (b"\x90" if n == 0 else b"") + bytes((pitch, 70))
        events += bytes((96, pitch, 0))
    track = bytes(events) + b"\x00\xff\x2f\x00"
    midi = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, 96) + struct.pack(">4sI", b"MTrk", len(track)) + track
    path = tmp_path / "zero.mid"
    path.write_bytes(midi)
    other = write(tmp_path / "one.mid", tune(64))
    np.testing.assert_array_equal(
        take_excerpt(path, 16, VOICES, common_tonic=True).tokens,
        take_excerpt(other, 16, VOICES, common_tonic=True).tokens,
    )


def test_a_pedal_changes_nothing(tmp_path: Path) -> None:
    score = symusic.Score(str(write(tmp_path / "dry.mid", tune(64))))
    for n in range(16):
        score.tracks[0].controls.append(symusic.ControlChange(n * 1920, 64, 127))
        score.tracks[0].controls.append(symusic.ControlChange(n * 1920 + 1800, 64, 0))
    score.dump_midi(str(tmp_path / "wet.mid"))
    np.testing.assert_array_equal(
        take_excerpt(tmp_path / "wet.mid", 16, VOICES, common_tonic=True).tokens,
        take_excerpt(tmp_path / "dry.mid", 16, VOICES, common_tonic=True).tokens,
    )


def test_drums_alone_are_no_music_for_a_melody(tmp_path: Path) -> None:
    path = write(tmp_path / "kit.mid", [], drums=[(float(n), 36) for n in range(64)])
    with pytest.raises(InputError, match="holds no notes"):
        take_excerpt(path, 16, VOICES, common_tonic=False)


def test_all_of_a_tune_is_melody_to_magenta_s_models_however_it_leaps(tmp_path: Path) -> None:
    leaps = [(float(n), 1.0, (84, 60, 71, 48)[n % 4]) for n in range(64)]
    taken = take_excerpt(write(tmp_path / "l.mid", leaps), 16, ("melody",), common_tonic=False)
    assert pitches(taken.tokens) == [pitch for _, _, pitch in leaps]


def test_a_low_note_under_a_long_one_does_not_cut_it(tmp_path: Path) -> None:
    notes = [(4.0 * n, 4.0, 72) for n in range(16)] + [(n + 0.5, 0.5, 48) for n in range(64)]
    taken = take_excerpt(write(tmp_path / "l.mid", notes), 16, ("melody", "bass", "drums"), common_tonic=False)
    assert pitches(taken.tokens) == [72] * 16
    assert (taken.tokens[:, 1] > 1).sum() == 64
