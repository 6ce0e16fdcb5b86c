"""Listening by measurement: pitch, dynamics, pedal, loudness, peaks, silence, spectrum, length, and bad input."""

from __future__ import annotations

import math
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from scipy import signal

from therapy_gen.errors import InputError
from therapy_gen.music.arranging.arrange import PALETTES, arrange
from therapy_gen.music.audio import render as audio
from therapy_gen.music.audio import stream as timeline
from therapy_gen.music.audio.loudness import LoudnessMeter
from therapy_gen.music.audio.loudness_target import TARGET_LUFS
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.render import render
from therapy_gen.music.audio.render_cache import RenderCache
from therapy_gen.music.audio.reverb import BLOCK, SPACES, Reverb
from therapy_gen.music.audio.stream import TimelineItem, render_timeline
from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.performance import Note, Part, Performance

RATE = 44100
Sound = npt.NDArray[np.float32]


def piece(palette: str = "piano", seed: int = 0, tempo: float = 120) -> Performance:
    tokens = np.zeros((256, 3), dtype=np.uint8)
    for step in range(0, 256, 8):
        degree = (0, 4, 7, 5, 2, 4, 0, 9)[step // 8 % 8]
        tokens[step] = (72 + degree - 19, 60 + degree - 19, 48 - 19)
    return arrange([tokens], tonic=2, mode="major", tempo=tempo, palette=palette, seed=seed)


def level_db(sound: Sound) -> float:
    return 10 * math.log10(float(np.mean(np.square(sound, dtype=np.float64))) + 1e-12)


def loudness_by_filters(sound: Sound) -> float:
    """Return BS.1770 loudness by its time-domain filters (at 44.1 kHz, derived as in its analogue prototypes)."""

    def shelf() -> tuple[list[float], list[float]]:
        k, gain, q = math.tan(math.pi * 1681.974450955533 / RATE), 10 ** (3.999843853973347 / 20), 0.7071752369554196
        root = gain**0.4996667741545416
        norm = 1 + k / q + k * k
        b = [(gain + root * k / q + k * k) / norm, 2 * (k * k - gain) / norm, (gain - root * k / q + k * k) / norm]
        return b, [1.0, 2 * (k * k - 1) / norm, (1 - k / q + k * k) / norm]

    def high_pass() -> tuple[list[float], list[float]]:
        k, q = math.tan(math.pi * 38.13547087602444 / RATE), 0.5003270373238773
        norm = 1 + k / q + k * k
        return [1.0, -2.0, 1.0], [1.0, 2 * (k * k - 1) / norm, (1 - k / q + k * k) / norm]

    weighted = sound.astype(np.float64)
    for b, a in (shelf(), high_pass()):
        weighted = signal.lfilter(b, a, weighted, axis=0)
    size, hop = int(0.4 * RATE), int(0.1 * RATE)
    energies = np.array(
        [np.square(weighted[i : i + size]).mean(axis=0).sum() for i in range(0, len(weighted) - size, hop)]
    )
    energies = energies[energies > 10 ** ((-70 + 0.691) / 10)]
    energies = energies[energies > energies.mean() / 10]
    return -0.691 + 10 * math.log10(energies.mean())


@pytest.fixture(scope="module")
def rendered() -> dict[str, Sound]:
    return {palette: render(to_midi(piece(palette), title="Calm")) for palette in PALETTES}


# A piece


@pytest.mark.long
def test_every_palette_is_rendered_at_one_loudness(rendered: dict[str, Sound]) -> None:
    for sound in rendered.values():
        assert loudness_by_filters(sound) == pytest.approx(TARGET_LUFS, abs=0.3)


@pytest.mark.long
def test_nothing_clips_even_between_samples(rendered: dict[str, Sound]) -> None:
    for sound in rendered.values():
        assert np.abs(sound).max() < 0.85
        assert np.abs(signal.resample_poly(sound, 4, 1, axis=0)).max() < 1.0


def test_no_hole_inside_and_silence_at_the_end(rendered: dict[str, Sound]) -> None:
    for sound in rendered.values():
        seconds = [level_db(sound[i : i + RATE]) for i in range(0, len(sound) - RATE, RATE)]
        assert min(seconds[:-4]) > -55
        assert level_db(sound[: RATE // 20]) < -60
        assert level_db(sound[: RATE // 2]) > -50
        assert np.abs(sound[-100:]).max() < 1e-4
        assert all(b < a + 1 for a, b in pairwise(seconds[-5:]))


def test_the_spectrum_is_calm_and_has_air(rendered: dict[str, Sound]) -> None:
    for sound in rendered.values():
        hertz, power = signal.welch(sound.mean(axis=1), RATE, nperseg=8192)
        assert (hertz * power).sum() / power.sum() < 1200
        assert -32 < 10 * math.log10(power[hertz > 4000].sum() / power.sum()) < -20
        assert power[hertz < 40].sum() / power.sum() < 1e-2


def test_it_sounds_in_a_room_for_two_ears(rendered: dict[str, Sound]) -> None:
    for sound in rendered.values():
        assert 0.2 < np.corrcoef(sound.T)[0, 1] < 0.65
        # Safe in mono: the sum keeps what both channels have, within 1.5 dB.
        assert level_db(sound.mean(axis=1)) > level_db(sound) - 1.6
        balance = level_db(sound[:, 0]) - level_db(sound[:, 1])
        assert abs(balance) < 2.5


def test_length_is_the_performances_to_a_frame(rendered: dict[str, Sound]) -> None:
    for palette, sound in rendered.items():
        assert sound.dtype == np.float32
        assert abs(len(sound) - piece(palette).duration * RATE) < 0.001 * RATE
        assert len(sound) == round(read_performance(to_midi(piece(palette), title="")).duration * RATE)


def test_the_same_midi_gives_the_same_samples(rendered: dict[str, Sound]) -> None:
    assert np.array_equal(render(to_midi(piece("harp"), title="Calm")), rendered["harp"])


def test_the_pedal_holds_notes() -> None:
    def made(pedal: tuple[tuple[float, float], ...]) -> Sound:
        notes = (Note(0.0, 0.2, 60, 60), Note(0.5, 0.2, 67, 60))
        return render(to_midi(Performance((Part("Piano", 0, notes, pedal=pedal),), 60, "", 6.0, ""), title=""))

    dry, held = made(()), made(((0.1, 3.0),))
    late = slice(int(1.8 * RATE), int(2.8 * RATE))
    # Loudness is normalised over each: compare what is late with what is early.
    early = slice(0, int(0.2 * RATE))
    assert level_db(held[late]) - level_db(held[early]) > level_db(dry[late]) - level_db(dry[early]) + 10


def test_music_without_notes_is_silence() -> None:
    sound = render(to_midi(Performance((), 60, "", 2.5, ""), title=""))
    assert sound.shape == (round(2.5 * RATE), 2)
    assert not sound.any()


@pytest.mark.long
def test_another_sample_rate() -> None:
    sound = render(to_midi(piece(), title=""), sample_rate=48000)
    assert len(sound) == pytest.approx(piece().duration * 48000, abs=48)
    low = signal.resample_poly(sound, RATE, 48000, axis=0).astype(np.float32)
    assert loudness_by_filters(low) == pytest.approx(TARGET_LUFS, abs=0.3)


# Reverb and meter


@pytest.mark.parametrize(
    ("space", "shortest", "longest", "wet_db"), [("room", 1.7, 2.3, -4.5), ("hall", 2.3, 3.0, -2.5)]
)
def test_a_space_rings_as_long_as_its_name_says(space: str, shortest: float, longest: float, wet_db: float) -> None:
    click = np.zeros(BLOCK, dtype=np.float32)
    click[0] = 1
    ring = next(iter(Reverb(RATE, space).process([(np.zeros((2, BLOCK), np.float32), click)])))
    assert 10 * math.log10(np.square(ring[0], dtype=np.float64).sum()) == pytest.approx(wet_db, abs=0.5)
    # As rooms are compared: from 500 to 2000 Hz.
    band = signal.sosfilt(signal.butter(4, (354, 2828), "bandpass", fs=RATE, output="sos"), ring[0])
    energy = np.cumsum(np.square(band)[::-1])[::-1]
    decay_db = 10 * np.log10(energy / energy[0] + 1e-12)
    rt60 = 2 * (np.argmax(decay_db < -35) - np.argmax(decay_db < -5)) / RATE
    assert shortest < rt60 < longest
    assert abs(np.corrcoef(ring)[0, 1]) < 0.2
    assert np.abs(ring[:, : int(0.015 * RATE)]).max() < 1e-6


def test_the_room_goes_on_from_block_to_block() -> None:
    rng = np.random.default_rng(0)
    blocks = [rng.standard_normal((3, BLOCK)).astype(np.float32) * 0.1 for _ in range(3)]
    whole = np.concatenate(list(Reverb(RATE).process((b[:2], b[2]) for b in blocks)), axis=1)
    click = np.zeros(BLOCK, dtype=np.float32)
    click[0] = 1
    response = next(iter(Reverb(RATE).process([(np.zeros((2, BLOCK), np.float32), click)]))).astype(np.float64)
    dry = np.concatenate(blocks, axis=1)
    for ear in (0, 1):
        expected = dry[ear] + signal.fftconvolve(dry[2], response[ear])[: dry.shape[1]]
        np.testing.assert_allclose(whole[ear], expected, atol=1e-4)


def test_a_dry_space_adds_nothing_and_an_unknown_one_is_named() -> None:
    block = np.ones((2, BLOCK), dtype=np.float32)
    assert next(iter(Reverb(RATE, "dry").process([(block, block[0])]))) is block
    with pytest.raises(InputError, match=f"space 'cave' is not known; give one of: {', '.join(SPACES)}"):
        Reverb(RATE, "cave")


@pytest.mark.parametrize("hertz", [60, 220, 997, 3000])
def test_the_meter_agrees_with_the_standard_filters(hertz: float) -> None:
    seconds = np.arange(6 * RATE) / RATE
    tone = (0.1 * np.sin(2 * np.pi * hertz * seconds)).astype(np.float32)
    sound = np.stack((tone, 0.5 * tone), axis=1)
    meter = LoudnessMeter(RATE)
    for start in range(0, len(sound), 9973):
        meter.add(sound[start : start + 9973].T)
    assert meter.integrated() == pytest.approx(loudness_by_filters(sound), abs=0.1)
    assert meter.peak == pytest.approx(0.1, rel=0.01)


def test_a_full_scale_sine_is_at_the_loudness_of_the_standard() -> None:
    # BS.1770-5, annex 1: 997 Hz at 0 dBFS in one channel reads -3.01 LKFS.
    seconds = np.arange(5 * RATE) / RATE
    meter = LoudnessMeter(RATE)
    meter.add(np.stack((np.sin(2 * np.pi * 997 * seconds), 0 * seconds)).astype(np.float32))
    assert meter.integrated() == pytest.approx(-3.01, abs=0.05)


def test_silence_has_no_loudness() -> None:
    meter = LoudnessMeter(RATE)
    meter.add(np.zeros((2, RATE), dtype=np.float32))
    assert meter.integrated() == -math.inf


# A session


def test_a_timeline_is_exact_and_its_silences_are_silent() -> None:
    midi = to_midi(piece(), title="Calm")
    # Shorter than the piece, exact, longer.
    items = [
        TimelineItem(1.0005),
        TimelineItem(20.25, midi),
        TimelineItem(2.0),
        TimelineItem(piece().duration, midi),
        TimelineItem(45.0, midi),
        TimelineItem(0.5),
    ]
    blocks = list(render_timeline(items))
    assert max(map(len, blocks)) <= 1 << 16
    sound = np.concatenate(blocks)
    total = sum(item.duration for item in items)
    assert len(sound) == round(total * RATE)
    ends = np.rint(np.cumsum([item.duration for item in items]) * RATE).astype(int)
    first, cut, pause, whole, padded, last = (
        sound[start:end] for start, end in zip((0, *ends[:-1]), ends, strict=True)
    )
    assert not first.any()
    assert not pause.any()
    assert not last.any()
    alone = render(midi)
    np.testing.assert_array_equal(whole[: len(alone)], alone[: len(whole)])
    np.testing.assert_array_equal(padded[: len(alone)], alone)
    assert not padded[len(alone) :].any()
    np.testing.assert_array_equal(cut[: 16 * RATE], alone[: 16 * RATE])
    assert np.abs(cut[-100:]).max() < 1e-3


def test_a_piece_that_comes_again_is_rendered_once_over_timelines() -> None:
    midi = to_midi(piece(), title="Calm")
    cache = RenderCache()
    items = [TimelineItem(2.0, midi), TimelineItem(1.0), TimelineItem(3.0, midi)]
    plain = np.concatenate(list(render_timeline(items, sample_rate=8000)))
    for _ in range(2):
        assert np.array_equal(np.concatenate(list(render_timeline(items, sample_rate=8000, cache=cache))), plain)
    with pytest.raises(InputError):
        list(render_timeline([TimelineItem(1.0, midi[:20])], sample_rate=8000, cache=cache))
    ones = np.ones((2, 8000), dtype=np.float32).T
    small = RenderCache(most_bytes=ones.nbytes)
    made: list[str] = []
    for name in "aabba":

        def rendered_now(name: str = name) -> Sound:
            made.append(name)
            return ones.copy()

        assert np.array_equal(small.sound(name, rendered_now), ones)
    assert made == ["a", "b", "a"]


@pytest.mark.long
def test_a_timeline_is_the_same_with_one_thread_three_and_none() -> None:
    items = [TimelineItem(piece(p).duration, to_midi(piece(p), title="")) for p in ("piano", "pad", "piano", "guitar")]
    none, one, three = (np.concatenate(list(render_timeline(items, workers=n))) for n in (0, 1, 3))
    assert np.array_equal(one, three)
    assert np.array_equal(one, none)


def test_a_timeline_that_is_left_stops_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that is under way waits behind its first block until the timeline is left: no second block may come."""
    stops: list[threading.Event] = []
    begun = threading.Event()
    told: list[bool] = []

    class Renderer(audio.PieceRenderer):
        def __init__(self, mix: Mix, sample_rate: int, *, ahead: bool) -> None:
            super().__init__(mix, sample_rate, ahead=ahead)
            stops.append(self.stop)

    class Meter(LoudnessMeter):
        def add(self, block: Sound) -> None:
            begun.set()
            told.append(stops[0].wait(10.0))
            if not told[-1]:
                raise TimeoutError("nothing told the renderer to stop")
            super().add(block)

    monkeypatch.setattr(timeline, "PieceRenderer", Renderer)
    monkeypatch.setattr(audio, "LoudnessMeter", Meter)
    midi = to_midi(piece(tempo=40), title="")
    blocks = render_timeline([TimelineItem(5.0), *(TimelineItem(60.0, midi) for _ in range(50))], workers=2)
    next(blocks)
    assert begun.wait(60.0)
    blocks.close()  # type: ignore[attr-defined]
    assert all(told)
    # A block for each worker at most.
    assert len(told) <= 2


def test_an_empty_timeline_is_empty() -> None:
    assert list(render_timeline([])) == []


def test_a_long_piece_is_kept_in_a_file(monkeypatch: pytest.MonkeyPatch, rendered: dict[str, Sound]) -> None:
    monkeypatch.setattr("therapy_gen.music.audio.render._LARGEST_IN_MEMORY", 1 << 20)
    sound = render(to_midi(piece("guitar"), title="Calm"))
    assert isinstance(sound, np.memmap)
    assert np.array_equal(sound, rendered["guitar"])


# Bad input


def test_midi_that_is_damaged_is_named() -> None:
    with pytest.raises(InputError, match="slow.mid is not a MIDI file"):
        render(b"MThd nothing", name="slow.mid")
    items = [TimelineItem(1.0, to_midi(piece(), title="")), TimelineItem(1.0, b"", "piece 01J")]
    with pytest.raises(InputError, match="piece 01J is not a MIDI file"):
        list(render_timeline(items))


def test_rendered_sound_can_be_written_and_read(tmp_path: Path, rendered: dict[str, Sound]) -> None:
    soundfile.write(tmp_path / "a.wav", rendered["piano"], RATE)
    assert soundfile.info(tmp_path / "a.wav").frames == len(rendered["piano"])


@pytest.mark.parametrize("velocity", [1, 3])
def test_music_too_quiet_for_the_meters_gate_is_as_loud_as_any(velocity: int) -> None:
    notes = tuple(Note(n * 0.5, 0.5, 60 + n % 5, velocity) for n in range(20))
    quiet = Performance(parts=(Part("piano", 0, notes),), tempo=120, key="", duration=12.0, palette="")
    sound = render(to_midi(quiet, title="quiet"))
    assert loudness_by_filters(sound) == pytest.approx(TARGET_LUFS, abs=0.5)
    assert np.abs(sound).max() < 0.8


@pytest.mark.long
def test_notes_that_are_played_ahead_sound_the_same() -> None:
    music = to_midi(piece("harp"), title="a")
    ahead, alone = (audio.PieceRenderer(Mix(), RATE, ahead=flag).piece(music, "a") for flag in (True, False))
    assert len(ahead)
    assert np.array_equal(ahead, alone)
