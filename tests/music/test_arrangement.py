"""Arrangements are playable, calm by their numbers, in key, and the same for the same seed, whatever the tokens."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from therapy_gen.errors import InputError
from therapy_gen.music.arranging.arrange import PALETTES, Part, Performance, arrange, duration_of, steps_of
from therapy_gen.music.arranging.contrast import contrast_shifts, transposed
from therapy_gen.music.arranging.harmony import Chord, infer_chords, pad_notes
from therapy_gen.music.arranging.voice_leading import gentle_lines, let_ring, transpositions
from therapy_gen.music.metre import METRES
from therapy_gen.music.tokens import NUM_CLASSES, STEPS_PER_SECTION, Tokens, VoiceNote, notes_to_tokens, tokens_to_notes
from therapy_gen.music.tonality import MODES, scale_pitch_classes

SEMITONE_CLASHES = (1, 11)


def hymn() -> Tokens:
    """Four bars of I IV V I in half notes, four times."""
    chords = ((72, 64, 48), (69, 65, 53), (71, 62, 55), (72, 64, 48))
    notes = [
        VoiceNote(bar * 16 + half * 8, bar * 16 + half * 8 + 8, chords[bar % 4][voice], voice)
        for bar in range(16)
        for half in range(2)
        for voice in range(3)
    ]
    return notes_to_tokens(notes)


def silence() -> Tokens:
    return np.zeros((STEPS_PER_SECTION, 3), dtype=np.uint8)


def every_sixteenth() -> Tokens:
    steps = np.arange(STEPS_PER_SECTION)
    return np.stack([2 + (steps * 7 + voice) % 88 for voice in range(3)], axis=1).astype(np.uint8)


sections = st.lists(
    st.one_of(
        arrays(np.uint8, (STEPS_PER_SECTION, 3), elements=st.integers(0, NUM_CLASSES - 1), fill=st.just(0)),
        st.just(silence()),
        st.just(every_sixteenth()),
        st.just(hymn()),
    ),
    min_size=1,
    max_size=3,
)


def notes_of(performance: Performance) -> list[tuple[float, float, int]]:
    return sorted((n.onset, n.onset + n.duration, n.pitch) for part in performance.parts for n in part.notes)


def longest_silence(performance: Performance) -> float:
    longest = until = 0.0
    for onset, end, _ in notes_of(performance):
        longest = max(longest, onset - until)
        until = max(until, end)
    return longest


@settings(max_examples=60, deadline=None)
@given(
    sections,
    st.integers(0, 11),
    st.sampled_from(MODES),
    st.floats(40, 120),
    st.sampled_from(sorted(PALETTES)),
    st.integers(0, 2**32),
)
def test_any_tokens_give_a_playable_calm_performance(
    tokens: list[Tokens], tonic: int, mode: str, tempo: float, palette: str, seed: int
) -> None:
    made = arrange(tokens, tonic=tonic, mode=mode, tempo=tempo, palette=palette, seed=seed)

    assert made.duration == duration_of(len(tokens), tempo)
    assert made.palette == palette
    assert longest_silence(made) < 3.0
    assert notes_of(made)[0][0] <= 0.5
    for part in made.parts:
        assert 0 <= part.program <= 127
        assert [n.onset for n in part.notes] == sorted(n.onset for n in part.notes)
        velocities = [n.velocity for n in part.notes]
        assert 25 <= min(velocities) <= max(velocities) <= 76
        for note in part.notes:
            assert note.onset >= 0
            assert note.duration > 0
            assert note.onset + note.duration <= made.duration - 1.0
            assert 28 <= note.pitch <= 96
        assert all(0 <= down < up <= made.duration for down, up in part.pedal)
        assert all(a[1] <= b[0] for a, b in pairwise(part.pedal))


def test_the_same_seed_gives_the_same_and_another_differs_by_a_breath() -> None:
    def made(seed: int) -> Performance:
        return arrange([hymn()], tonic=2, mode="major", tempo=64, seed=seed)

    assert made(1) == made(1)
    assert made(1) != made(2)
    for one, other in zip(made(1).parts, made(2).parts, strict=True):
        for a, b in zip(*(sorted(p.notes, key=lambda n: (n.pitch, n.onset)) for p in (one, other)), strict=True):
            assert a.pitch == b.pitch
            assert abs(a.onset - b.onset) <= 0.25
            assert abs(a.velocity - b.velocity) <= 14


def test_a_louder_touch_is_louder_in_every_part_by_as_much() -> None:
    soft, loud = (arrange([hymn()], tonic=0, mode="major", tempo=64, seed=0, velocity_offset=more) for more in (0, 12))
    for one, other in zip(soft.parts, loud.parts, strict=True):
        assert [n.velocity + 12 for n in one.notes] == [n.velocity for n in other.notes]


def test_timing_is_human_and_the_melody_comes_a_little_before_the_rest() -> None:
    made = arrange([hymn()], tonic=0, mode="major", tempo=60, seed=3)
    even = np.array(steps_of(1, 60, seed=3))

    def off(part: int) -> np.ndarray:
        return np.array([n.onset - even[np.abs(even - n.onset).argmin()] for n in made.parts[part].notes])

    melody, bass = off(0)[3:], off(2)[3:]
    assert -0.03 <= melody.min() <= melody.max() <= 0.06
    assert 0.005 < np.median(bass) - np.median(melody) < 0.03
    assert np.std(melody) > 0.002


def test_a_chord_at_the_start_of_a_phrase_is_rolled_from_the_bass() -> None:
    made = arrange([hymn()], tonic=0, mode="major", tempo=60, seed=3)
    seam = steps_of(1, 60, seed=3)[4 * 16]
    melody, inner, bass = (min((n.onset for n in p.notes), key=lambda at: abs(at - seam)) for p in made.parts[:3])
    assert seam - 0.01 < bass < inner < melody < bass + 0.05


def test_phrases_swell_and_fall_and_breathe_and_take_as_long_as_planned() -> None:
    made = arrange([hymn()], tonic=0, mode="major", tempo=60, seed=3)
    assert made.duration == duration_of(1, 60)
    plain, breathed = (np.diff(steps_of(1, 60, seed=seed)[::4]) for seed in (None, 3))
    assert 0.01 < np.abs(breathed / plain - 1).max() < 0.12
    # The end of a phrase lingers, its middle moves on.
    assert breathed[15] / plain[15] > 1.0 > breathed[8] / plain[8]
    assert steps_of(1, 60)[64] == pytest.approx(steps_of(1, 60, seed=3)[64], abs=1e-5)
    melody = made.parts[0].notes
    velocities = np.array([n.velocity for n in melody])
    place = np.searchsorted(steps_of(1, 60, seed=3), [n.onset + 0.03 for n in melody]) % 64 / 64
    assert 4.5 < velocities.std() < 12
    assert np.corrcoef(velocities, np.sin(np.pi * place))[0, 1] > 0.6


@pytest.mark.parametrize("tonic", range(12))
def test_the_key_is_reached_by_the_shorter_way(tonic: int) -> None:
    at_home = arrange([hymn()], tonic=0, mode="major", tempo=64, seed=0)
    moved = arrange([hymn()], tonic=tonic, mode="major", tempo=64, seed=0)
    for part, original in zip(moved.parts[:3], at_home.parts[:3], strict=True):
        shifts = {b.pitch - a.pitch for a, b in zip(original.notes[:30], part.notes[:30], strict=True)}
        assert {shift % 12 for shift in shifts} == {tonic}
    melody = {b.pitch - a.pitch for a, b in zip(at_home.parts[0].notes[:30], moved.parts[0].notes[:30], strict=True)}
    assert melody == {(tonic + 6) % 12 - 6}
    in_key = scale_pitch_classes(tonic, "major")
    assert all(pitch % 12 in in_key for *_, pitch in notes_of(moved))


@settings(max_examples=20, deadline=None)
@given(sections)
def test_a_melody_can_be_led_to_every_key(tokens: list[Tokens]) -> None:
    """Up or down by any of its transpositions, which say where it then lies; the other voices come below it."""
    written = [note.pitch for note in gentle_lines(tokens, 0)[0]]
    pitches = np.array([note.pitch for note in tokens_to_notes(np.concatenate(tokens)) if note.voice == 0], dtype=int)
    if not written or not len(pitches):
        return
    shifts, means, folded = transpositions(pitches)
    assert {int(shift) % 12 for shift in shifts} == set(range(12))
    assert ((means >= 57) & (means <= 81) & (folded >= 0) & (folded <= 1)).all()
    for shift in shifts[[0, -1]].tolist():
        made = arrange(tokens, tonic=shift % 12, mode="major", tempo=64, seed=0, melody_shift=shift)
        for part, (lowest, highest) in zip(made.parts, ((57, 81), (50, 74), (36, 60)), strict=False):
            assert all(lowest <= note.pitch <= highest for note in part.notes if note.onset < made.duration - 15)


def test_a_led_melody_lies_where_it_is_said_to() -> None:
    """A hymn within an octave: every transposition moves its melody by just so much."""
    melody = np.array([note.pitch for note in tokens_to_notes(hymn()) if note.voice == 0])
    shifts, means, folded = transpositions(melody)
    for shift, lies, share in zip(shifts.tolist(), means.tolist(), folded.tolist(), strict=True):
        lines = gentle_lines([hymn()], shift, fixed_melody=True)
        if share == 0.0:
            assert lies == pytest.approx(melody.mean() + shift)
            assert np.mean([note.pitch for note in lines[0]]) == pytest.approx(lies, abs=1.0)
        inner, bass = (float(np.mean([note.pitch for note in line])) for line in lines[1:] if line)
        assert bass < inner < lies
    with pytest.raises(ValueError, match="do not lead to tonic"):
        arrange([hymn()], tonic=2, mode="major", tempo=64, seed=0, melody_shift=3)


def test_voices_far_off_come_into_a_gentle_register() -> None:
    low = np.zeros((STEPS_PER_SECTION, 3), dtype=np.uint8)
    low[::16] = (2, 89, 89)
    made = arrange([low], tonic=0, mode="major", tempo=64, seed=0)
    for part, (lowest, highest) in zip(made.parts, ((57, 81), (50, 74), (36, 60)), strict=False):
        assert all(lowest <= n.pitch <= highest for n in part.notes)


@settings(max_examples=30, deadline=None)
@given(sections, st.integers(0, 11))
def test_lines_stay_within_two_octaves_and_leap_an_octave_at_most(tokens: list[Tokens], tonic: int) -> None:
    made = arrange(tokens, tonic=tonic, mode="major", tempo=64, seed=0)
    for part, (lowest, highest) in zip(made.parts, ((57, 81), (50, 74), (36, 60)), strict=False):
        line = [n.pitch for n in part.notes if n.onset < made.duration - 15]
        assert all(lowest <= pitch <= highest for pitch in line)
        assert all(abs(b - a) <= 12 for a, b in pairwise(line))


def test_a_voice_that_crosses_the_one_above_goes_under_it() -> None:
    section = silence()
    for bar in range(16):
        section[bar * 16] = (2 + 67 - 21, 2 + 64 - 21, 2 + 48 - 21)
        section[bar * 16 + 8] = (2 + 65 - 21, 2 + (72 if bar % 2 else 62) - 21, 2 + 48 - 21)
    melody, inner, _ = gentle_lines([section], 0)
    assert {note.pitch for note in melody} == {67, 65}
    assert {note.pitch for note in inner} == {64, 62, 60}


def test_an_accompaniment_that_beats_time_becomes_held_chords() -> None:
    section = silence()
    section[::4] = (2 + 72 - 21, 2 + 64 - 21, 2 + 48 - 21)
    melody, inner, bass, _ = arrange([section], tonic=0, mode="major", tempo=60, seed=0).parts
    # The last stroke before the final chord is bound to the one before it.
    assert len(melody.notes) == 63 + 1
    assert len(bass.notes) == 32 + 1
    assert len(inner.notes) == 32 + 2


def test_notes_ring_into_rests_but_into_no_other_chord_and_no_second() -> None:
    section = silence()
    # C, a rest of a quarter, E; G alone; then D held while the inner voice comes in with E.
    section[0], section[4], section[8], section[12] = (53, 0, 29), (1, 0, 0), (57, 0, 0), (1, 0, 0)
    section[32], section[36] = (60, 0, 0), (1, 0, 0)
    section[64], section[68], section[70] = (55, 0, 36), (1, 0, 0), (0, 45, 0)
    lines = gentle_lines([section], 0)
    chords = [Chord(0, 16, (0, 4, 7)), Chord(16, 32, (5, 9, 0)), Chord(32, 256, (7, 11, 2))]
    melody = let_ring(lines, chords)[0]
    assert [(n.start, n.end) for n in melody] == [(0, 8), (8, 16), (32, 40), (64, 70)]


def test_a_note_held_over_a_seam_is_struck_once() -> None:
    first, second = silence(), silence()
    first[0] = (2 + 72 - 21, 2 + 64 - 21, 2 + 48 - 21)
    first[240] = (2 + 74 - 21, 2 + 65 - 21, 2 + 50 - 21)
    second[8] = (2 + 72 - 21, 2 + 64 - 21, 2 + 48 - 21)
    made = arrange([first, second], tonic=0, mode="major", tempo=60, seed=0)
    seam = steps_of(2, 60, seed=0)[STEPS_PER_SECTION]
    for part in made.parts[:3]:
        assert not [n for n in part.notes if abs(n.onset - seam) < 0.5]
        assert [n for n in part.notes if n.onset < seam < n.onset + n.duration]


def test_accompaniment_is_tied_across_sections() -> None:
    section = silence()
    section[0] = (2 + 72 - 21, 2 + 64 - 21, 2 + 48 - 21)
    section[32] = 1
    section[240] = (2 + 72 - 21, 2 + 64 - 21, 2 + 48 - 21)
    melody, inner, bass, _ = arrange([section, section], tonic=0, mode="major", tempo=60, seed=0).parts
    seam = steps_of(2, 60, seed=0)[STEPS_PER_SECTION]
    assert [n for n in melody.notes if abs(n.onset - seam) < 0.5]
    assert not [n for part in (inner, bass) for n in part.notes if abs(n.onset - seam) < 0.5]


def test_a_held_note_is_not_stuck() -> None:
    section = silence()
    section[0] = (2 + 72 - 21, 2 + 64 - 21, 2 + 48 - 21)
    made = arrange([section, silence()], tonic=0, mode="major", tempo=60, seed=0)
    assert max(n.duration for part in made.parts[:3] for n in part.notes) <= 17.1


def test_lines_are_bound_and_repeated_notes_apart() -> None:
    made = arrange([hymn()], tonic=0, mode="major", tempo=60, seed=0)
    for part in made.parts[:3]:
        for a, b in zip(part.notes[:30], part.notes[1:31], strict=True):
            gap = b.onset - (a.onset + a.duration)
            if part is made.parts[0] and abs(b.onset - 16.0 * round(b.onset / 16.0)) < 1.0:
                # The melody breathes before a phrase of four bars, for an eighth.
                assert gap < 0.6
            elif a.pitch == b.pitch:
                assert 0.02 <= gap <= 0.08
            else:
                assert -0.0201 <= gap <= 1e-9


@pytest.mark.parametrize("mode", MODES)
def test_it_ends_slower_and_on_the_tonic_chord(mode: str) -> None:
    made = arrange([hymn()], tonic=9, mode=mode, tempo=64, seed=5)
    last_onset = max(n.onset for n in made.parts[0].notes)
    sounding = [(onset, pitch) for onset, end, pitch in notes_of(made) if onset <= last_onset + 0.1 < end]
    third = 4 if mode == "major" else 3
    assert {pitch % 12 for _, pitch in sounding} == {9, (9 + third) % 12, 4}
    assert min(pitch for _, pitch in sounding) % 12 == 9
    tempi = [tempo for _, tempo in made.tempi]
    assert tempi[-9:] == sorted(tempi[-9:], reverse=True)
    assert tempi[0] == pytest.approx(64)
    assert tempi[-1] == pytest.approx(0.72 * 64)
    # It falls so slowly that nobody hears it, then over the last two bars.
    before = [tempo for at, tempo in made.tempi if at < steps_of(1, 64)[14 * 16] - 0.1]
    assert np.mean(before[-16:]) > 0.93 * 64
    assert all(later > 0.92 * earlier for earlier, later in pairwise(before))
    assert made.duration - last_onset > 6


@pytest.mark.parametrize("last", range(62, 78))
def test_the_melody_does_not_leap_up_to_its_last_note(last: int) -> None:
    section = silence()
    section[::16] = (2 + last - 21, 2 + 55 - 21, 2 + 43 - 21)
    melody = arrange([section], tonic=0, mode="major", tempo=64, seed=0).parts[0].notes
    assert -5 <= melody[-1].pitch - melody[-2].pitch <= 2
    assert melody[-1].pitch % 12 in (0, 4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 16), st.integers(0, 6), st.integers(0, 2)), max_size=120))
def test_the_pad_rubs_against_no_voice(drawn: list[tuple[int, int, int, int]]) -> None:
    scale = sorted(scale_pitch_classes(0, "major"))
    ends = [0, 0, 0]
    notes = []
    for gap, length, degree, voice in drawn:
        start = ends[voice] + gap
        if start + length > STEPS_PER_SECTION:
            continue
        notes.append(VoiceNote(start, start + length, (72, 60, 48)[voice] + scale[degree], voice))
        ends[voice] = start + length
    notes.sort()
    chords = infer_chords(notes, STEPS_PER_SECTION, 0, "major")
    pad = pad_notes(chords, notes)

    assert chords[0].start == 0
    assert chords[-1].end == STEPS_PER_SECTION
    assert all(a.end == b.start for a, b in pairwise(chords))
    starts = [chord.start for chord in chords]
    for note in pad:
        assert note.pitch % 12 in scale
        for start in range(note.start, note.end, 8):
            assert note.pitch % 12 in chords[bisect_right(starts, start) - 1].pitch_classes
            if not any(other.start <= start < other.end for other in notes):
                continue
            for other in notes:
                if (note.pitch - other.pitch) % 12 in SEMITONE_CLASHES:
                    assert min(other.end, start + 8) - max(other.start, start) < 2


def test_chords_of_a_cadence_are_found() -> None:
    def triad(root: int, third: int, fifth: int, start: int) -> list[VoiceNote]:
        return [
            VoiceNote(start, start + 16, p, v) for v, p in enumerate((72 + fifth % 12, 60 + third % 12, 48 + root % 12))
        ]

    notes = sorted(
        note
        for bar, (root, third, fifth) in enumerate([(2, 6, 9), (7, 11, 2), (9, 1, 4), (2, 6, 9)])
        for note in triad(root, third, fifth, bar * 16)
    )
    chords = infer_chords(notes, 64, 2, "major")
    assert [(c.start, c.pitch_classes) for c in chords] == [
        (0, (2, 6, 9)),
        (16, (7, 11, 2)),
        (32, (9, 1, 4)),
        (48, (2, 6, 9)),
    ]


def test_chords_of_six_eight_change_on_its_beats() -> None:
    notes = [
        VoiceNote(16 * bar + start, 16 * bar + start + 6, pitch, voice)
        for bar in range(4)
        for start, pitches in ((0, (76, 67, 48)), (6, (74, 67, 43)))
        for voice, pitch in enumerate(pitches)
    ]
    chords = infer_chords(notes, 64, 0, "major", METRES["6/8"])
    assert [chord.start % 16 for chord in chords] == [0, 6] * 4
    assert [chord.pitch_classes[0] for chord in chords] == [0, 7] * 4
    assert {note.start % 16 for note in pad_notes(chords, notes, METRES["6/8"])} <= {0, 6}


def test_under_one_pedal_nothing_blurs() -> None:
    made = arrange([hymn(), every_sixteenth()], tonic=0, mode="major", tempo=64, seed=1)
    pedalled = [part for part in made.parts if part.pedal]
    assert len(pedalled) == 3
    for part in pedalled:
        assert clean(part)


def clean(part: Part) -> bool:
    return all(
        (a.pitch - b.pitch) % 12 not in (1, 2, 10, 11)
        for down, up in part.pedal
        for struck in [[n for n in part.notes if down - 0.06 <= n.onset < up - 1e-9]]
        for a in struck
        for b in struck
    )


def test_parts_do_not_strike_a_key_that_is_down() -> None:
    made = arrange([every_sixteenth(), hymn()], tonic=5, mode="minor", tempo=100, palette="pad", seed=1)
    for part in made.parts:
        free: dict[int, float] = {}
        for note in part.notes:
            assert note.onset >= free.get(note.pitch, 0.0) - 1e-9
            free[note.pitch] = note.onset + note.duration


@pytest.mark.parametrize("palette", sorted(PALETTES))
def test_every_palette_keeps_its_parts_apart(palette: str) -> None:
    made = arrange([hymn()], tonic=0, mode="major", tempo=64, palette=palette, seed=0)
    assert [part.name for part in made.parts] == ["Melody", "Inner voice", "Bass", "Pad"]
    assert made.parts[3].level < 0.5 * made.parts[0].level
    assert made.key == "C major"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"palette": "drums"}, "palette 'drums' is not known; give one of: piano"),
        ({"mode": "lydian"}, "mode 'lydian' is not known"),
        ({"tempo": math.nan}, "tempo nan is not playable"),
        ({"tempo": 0}, "tempo 0 is not playable"),
        ({"tempo": -60}, "tempo -60 is not playable"),
        ({"tempo": 1e9}, "tempo 1e[+]09 is not playable"),
    ],
)
def test_what_cannot_be_played_is_named(changed: dict[str, object], said: str) -> None:
    wanted: dict[str, object] = {"tonic": 0, "mode": "major", "tempo": 64, "seed": 0} | changed
    with pytest.raises(InputError, match=said):
        arrange([hymn()], **wanted)  # type: ignore[arg-type]


def test_no_section_or_one_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        arrange([], tonic=0, mode="major", tempo=64, seed=0)
    with pytest.raises(ValueError, match="shape"):
        arrange([np.zeros((16, 3), dtype=np.uint8)], tonic=0, mode="major", tempo=64, seed=0)


def test_contrasts_stand_in_a_related_key_and_come_back() -> None:
    """The middle of A B A is a fifth away, ends on the dominant of home, and the piece ends at home."""
    form = ("A", "B", "A")
    shifts = contrast_shifts(form, seed=2)
    assert shifts in ((0, -5, 0), (0, 5, 0))
    assert contrast_shifts(("A", "A'", "B"), seed=2) == (0, 0, 0)
    assert contrast_shifts(("A", "B", "A'", "C", "A"), seed=3) == (0, 5, 0, -5, 0)
    away, home = (
        arrange([hymn()] * 3, tonic=2, mode="major", tempo=64, seed=0, form=form, shifts=moved)
        for moved in (shifts, (0, 0, 0))
    )
    assert away.duration == home.duration
    third = (away.duration - 4.0) / 3

    def outside(made: Performance, tonic: int, begin: float, end: float) -> float:
        scale = {(tonic + degree) % 12 for degree in (0, 2, 4, 5, 7, 9, 11)}
        inside = [note for part in made.parts for note in part.notes if begin <= note.onset < end]
        return sum(note.pitch % 12 not in scale for note in inside) / len(inside)

    related = (2 + shifts[1]) % 12
    assert outside(away, related, 1.1 * third, 1.7 * third) < 0.02 < outside(away, 2, 1.1 * third, 1.7 * third)
    assert outside(away, 2, 2.1 * third, 3 * third) == outside(home, 2, 2.1 * third, 3 * third)


@pytest.mark.parametrize("metre", ["4/4", "3/4"])
def test_the_melody_breathes_between_phrases(metre: str) -> None:
    """A long note leaves an eighth before the next phrase, a written rest stays, other voices ring on."""
    used = METRES[metre].steps
    lines = [
        [VoiceNote(bar * 16, bar * 16 + 16, 60 - 12 * voice + 7, voice) for bar in range(16)] for voice in range(3)
    ]
    lines[0][7] = lines[0][7]._replace(end=7 * 16 + 4)
    chords = infer_chords([note for line in lines for note in line], 256, 0, "major", METRES[metre])
    melody, inner, _ = let_ring(lines, chords, METRES[metre])
    ends = {note.start // 16: note.end for note in melody}
    assert ends[3] == 3 * 16 + used - 2
    assert ends[7] == 7 * 16 + 4
    assert ends[15] == 256
    assert all(ends[bar] == bar * 16 + 16 for bar in (0, 1, 2, 4, 8))
    assert [note.end for note in inner] == [note.end for note in lines[1]]


def test_a_new_palette_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    bells = replace(PALETTES["pad"], title="bells", melody=replace(PALETTES["pad"].melody, program=14))
    monkeypatch.setitem(PALETTES, "bells", bells)
    made = arrange([hymn()], tonic=0, mode="major", tempo=64, seed=0, palette="bells")
    assert (made.palette, made.parts[0].program) == ("bells", 14)
    with pytest.raises(InputError, match=r"palette 'gong' is not known; give one of: piano, .*, bells"):
        arrange([hymn()], tonic=0, mode="major", tempo=64, seed=0, palette="gong")


@pytest.mark.parametrize("semitones", [-5, 5])
def test_notes_at_the_ends_of_the_piano_stay_on_it(semitones: int) -> None:
    section = np.zeros((STEPS_PER_SECTION, 3), dtype=np.uint8)
    section[:4, 0] = (2, 1, NUM_CLASSES - 1, 40)
    moved = transposed(section, semitones)
    assert moved[:4, 0].tolist() == ([9, 1, 84, 35] if semitones < 0 else [7, 1, 82, 45])
    assert not moved[4:].any()
