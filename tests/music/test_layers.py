"""What lies under and between pieces: seamless, at its level, the same from any position; and how a timeline ends."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from therapy_gen.errors import InputError
from therapy_gen.music.arranging.arrange import arrange
from therapy_gen.music.audio.layers import LAYERS, STRETCH, Layer, LayerKind, LayerSound, parse_layer
from therapy_gen.music.audio.loudness import LoudnessMeter, limit
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.render import render
from therapy_gen.music.audio.stream import TimelineItem, render_timeline
from therapy_gen.music.audio.transitions import TRANSITIONS
from therapy_gen.music.midi.midi import to_midi

RATE = 44100
Sound = npt.NDArray[np.float32]


def level_db(sound: Sound) -> float:
    return 10 * math.log10(float(np.mean(np.square(sound, dtype=np.float64))) + 1e-12)


def loudness(sound: Sound) -> float:
    meter = LoudnessMeter(RATE)
    meter.add(np.ascontiguousarray(sound.T))
    return meter.integrated()


def piece(tonic: int) -> bytes:
    tokens = np.zeros((256, 3), dtype=np.uint8)
    for step in range(0, 256, 16):
        tokens[step] = (72 - 19, 64 - 19, 48 - 19)
    return to_midi(arrange([tokens], tonic=tonic, mode="major", tempo=180, seed=0), title="")


def sound_of(items: list[TimelineItem], mix: Mix, start_s: float = 0.0) -> Sound:
    return np.concatenate(list(render_timeline(items, mix=mix, start_s=start_s)))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_at_its_level_wide_and_the_same_from_anywhere(name: str) -> None:
    layer = LayerSound(Layer(name, -18.0), -23.0, RATE)
    sound = layer.frames(0, 20 * RATE)
    assert loudness(sound) == pytest.approx(-41.0, abs=2.0)
    assert 0.2 < np.corrcoef(sound.T)[0, 1] < 0.85
    assert np.array_equal(layer.frames(7 * RATE + 3, 100_000), sound[7 * RATE + 3 :][:100_000])


@pytest.mark.parametrize("name", ["brown", "pink"])
def test_nothing_is_heard_where_stretches_meet(name: str) -> None:
    sound = LayerSound(Layer(name, 0.0), -23.0, RATE).frames(0, 12 * STRETCH)
    high = np.square(np.diff(sound, n=2, axis=0), dtype=np.float64).sum(axis=1)
    seams = [high[n * STRETCH - 64 : n * STRETCH + 64].mean() for n in range(1, 12)]
    assert np.mean(seams) == pytest.approx(high.mean(), rel=0.25)
    levels = [level_db(sound[at : at + RATE]) for at in range(0, 11 * STRETCH, RATE // 2)]
    assert max(levels) - min(levels) < (6 if name == "brown" else 2)


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("rain", Layer("rain")),
        ("Rain:-18dB", Layer("rain", -18)),
        ("sea:-6.5", Layer("sea", -6.5)),
        ("drone:0dB", Layer("drone", 0)),
    ],
)
def test_a_layer_is_read(text: str, layer: Layer) -> None:
    assert parse_layer(text) == layer


@pytest.mark.parametrize("text", ["snow", "rain:loud", "rain:3dB", "rain:-90dB", "rain:", ":-3dB", ""])
def test_a_layer_that_is_none_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(InputError, match=r"give (one of: rain, sea|-60dB to 0dB)"):
        parse_layer(text)


def test_a_new_layer_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    hum = np.sin(2 * np.pi * 64 * np.arange(2 * STRETCH) / STRETCH).astype(np.float32) * np.ones((2, 1), np.float32)
    monkeypatch.setitem(LAYERS, "hum", LayerKind("a hum", lambda number, rate: hum))
    assert loudness(LayerSound(parse_layer("hum:-10dB"), -23.0, RATE).frames(0, 5 * RATE)) == pytest.approx(-33, abs=1)


def test_layers_lie_under_music_and_pauses_and_not_under_a_baseline() -> None:
    midi = piece(0)
    items = [
        TimelineItem(3.0),
        TimelineItem(12.0, midi),
        TimelineItem(4.0),
        TimelineItem(12.0, midi),
        TimelineItem(3.0),
    ]
    mix = Mix(layers=(Layer("pink", -10.0),))
    sound = sound_of(items, mix)
    assert not sound[: 3 * RATE].any()
    assert not sound[-3 * RATE :].any()
    assert level_db(sound[16 * RATE : 18 * RATE]) > -45
    assert np.array_equal(sound_of(items, mix, start_s=16.5)[: 5 * RATE], sound[round(16.5 * RATE) :][: 5 * RATE])


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in TRANSITIONS if name != "silence"])
def test_a_transition_fills_the_pause_without_a_hole_or_a_step(name: str) -> None:
    items = [TimelineItem(25.0, piece(0)), TimelineItem(8.0), TimelineItem(25.0, piece(7))]
    plain, sound = (sound_of(items, Mix(transition=one)) for one in ("silence", name))
    assert level_db(plain[26 * RATE : 32 * RATE]) < -100
    tenths = [level_db(sound[at : at + RATE // 2]) for at in range(24 * RATE, 34 * RATE, RATE // 2)]
    assert min(tenths) > -50
    assert max(tenths) < -20
    assert np.array_equal(plain[: 21 * RATE], sound[: 21 * RATE])
    assert np.array_equal(plain[37 * RATE :], sound[37 * RATE :])
    assert np.abs(np.diff(sound, axis=0)).max() < 0.1


@pytest.mark.long
def test_one_item_of_a_timeline_has_what_lies_under_all_of_it() -> None:
    """What is chosen while it plays is rendered one by one."""
    items = [TimelineItem(6.0, piece(0)), TimelineItem(3.0), TimelineItem(1.0)]
    mix = Mix(layers=(Layer("brown", -20.0),), fade_s=8.0)
    parts = [np.concatenate(list(render_timeline(items, mix=mix, start_s=at, count=1))) for at in (0.0, 6.0, 9.0)]
    assert np.array_equal(np.concatenate(parts), sound_of(items, mix))


@pytest.mark.long
def test_a_timeline_dies_away_over_its_fade() -> None:
    items = [TimelineItem(25.0, piece(0)), TimelineItem(25.0, piece(0))]
    plain, faded = (sound_of(items, Mix(fade_s=seconds, layers=(Layer("pink", 0.0),))) for seconds in (0.0, 20.0))
    assert np.array_equal(plain[: 30 * RATE], faded[: 30 * RATE])
    away = [level_db(plain[at * RATE :][:RATE]) - level_db(faded[at * RATE :][:RATE]) for at in (35, 40, 45)]
    assert away == pytest.approx([5.6, 12.9, 26.0], abs=1.5)
    assert np.abs(faded[-50:]).max() < 1e-4


@pytest.mark.parametrize("target", [-16.0, -30.0])
def test_loudness_is_as_asked_and_peaks_stay_under_a_decibel(target: float) -> None:
    from scipy import signal

    sound = render(piece(0), loudness=target)
    assert loudness(sound) == pytest.approx(target, abs=0.5)
    assert np.abs(signal.resample_poly(sound, 4, 1, axis=0)).max() < 10 ** (-1 / 20)


def test_the_limiter_holds_every_peak_and_leaves_soft_sound_alone() -> None:
    rng = np.random.default_rng(0)
    sound = (0.1 * rng.standard_normal((RATE, 2))).astype(np.float32)
    before = sound.copy()
    limit(sound, 0.9, RATE)
    assert np.array_equal(sound, before)
    for at in (0, 1000, 20_017, RATE - 1):
        sound[at] = 2.5
    limit(sound, 0.9, RATE)
    assert np.abs(sound).max() <= 0.9 + 1e-6
    assert np.array_equal(sound[30_000:35_000], before[30_000:35_000])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"space": "cave"}, "space 'cave' is not known; give one of: dry, room, hall"),
        ({"transition": "leap"}, "transition 'leap' is not known; give one of: silence, crossfade, bridge"),
        ({"loudness": 3.0}, "loudness 3 is out of range; give -40 to -10 LUFS"),
        ({"fade_s": -60.0}, "fade -1 is no length"),
        ({"layers": (Layer("rain"), Layer("rain", -3.0))}, "layer rain is given twice"),
    ],
)
def test_a_mix_that_cannot_be_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Mix(**values)  # type: ignore[arg-type]


def test_the_help_names_every_layer_transition_and_space() -> None:
    from typing import get_args

    from therapy_gen.cli.sound_options import LayerOption, SpaceOption, TransitionOption
    from therapy_gen.music.audio.reverb import SPACES

    for option, names in ((LayerOption, LAYERS), (TransitionOption, TRANSITIONS), (SpaceOption, SPACES)):
        told = get_args(option)[1]
        assert all(name in f"{told.metavar} {told.help}" for name in names)


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_transitions_have_chords_in_every_key(mode: str) -> None:
    for before in range(12):
        for after in range(12):
            for make in TRANSITIONS.values():
                for held in make((before, mode), (after, mode), 8.0):
                    assert len(held.pitches) == 4
                    assert all(36 <= pitch <= 80 for pitch in held.pitches)
