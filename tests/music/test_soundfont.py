"""Soundfonts: in tune, with velocity and release, in both formats, and refused where they are none."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from therapy_gen.errors import InputError
from therapy_gen.music.audio.instruments.soundfont import SoundFont, default_soundfont
from therapy_gen.music.audio.instruments.vorbis import VorbisSample
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.render import render
from therapy_gen.music.audio.stream import TimelineItem, render_timeline
from therapy_gen.music.audio.synth import StruckNote, Synthesiser
from therapy_gen.music.midi.midi import to_midi
from therapy_gen.music.performance import Note, Part, Performance

RATE = 44100
Sound = npt.NDArray[np.float32]

SINE_RATE = 22050
SINE_PITCH = 69


def sine_soundfont(
    *, vorbis: bool = False, odd: bool = False, loop: bool = True, bank: int = 0, more: Sequence[tuple[int, int]] = ()
) -> bytes:
    """Return a soundfont whose only instrument is a sine of pitch 69; `odd` leaves out RIFF's padding byte.

    `more` are further generators, as (operator, amount).
    """
    # 441 Hz: exactly 50 frames a period, 4 cents above its pitch.
    wave = (0.5 * np.sin(2 * np.pi * np.arange(SINE_RATE) / 50)).astype(np.float32)
    if vorbis:
        packed = io.BytesIO()
        soundfile.write(packed, wave, SINE_RATE, format="OGG", subtype="VORBIS")
        samples = packed.getvalue()
        if odd and len(samples) % 2 == 0:
            samples += b"\1"
        end = len(samples)
    else:
        samples = np.rint(wave * 32767).astype("<i2").tobytes() + bytes(92)
        end = SINE_RATE
    header = struct.pack(
        "<20sIIIIIBbHH", b"sine", 0, end, 50 * 10, 50 * 430, SINE_RATE, SINE_PITCH, -4, 0, 0x11 if vorbis else 1
    )
    generators = [(54, 1 if loop else 0), (38, -2400), *more, (53, 0)]
    chunks = {
        b"phdr": _preset(b"Sine", 0, bank, 0) + _preset(b"EOP", 0, 0, 1),
        b"pbag": struct.pack("<HHHH", 0, 0, 1, 0),
        b"pmod": bytes(10),
        b"pgen": struct.pack("<HHHH", 41, 0, 0, 0),
        b"inst": struct.pack("<20sH20sH", b"Sine", 0, b"EOI", 1),
        b"ibag": struct.pack("<HHHH", 0, 0, len(generators), 0),
        b"imod": bytes(10),
        b"igen": b"".join(struct.pack("<Hh", *pair) for pair in generators) + bytes(4),
        b"shdr": header + struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    info = _list(b"INFO", _chunk(b"ifil", struct.pack("<HH", 3 if vorbis else 2, 1)))
    sound = _list(b"sdta", _chunk(b"smpl", samples, pad=not odd), pad=not odd)
    tables = _list(b"pdta", b"".join(_chunk(name, body) for name, body in chunks.items()))
    return _chunk(b"RIFF", b"sfbk" + info + sound + tables)


def _preset(name: bytes, program: int, bank: int, bag: int) -> bytes:
    return struct.pack("<20sHHHIII", name, program, bank, bag, 0, 0, 0)


def _chunk(name: bytes, body: bytes, *, pad: bool = True) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2 if pad else 0)


def _list(kind: bytes, body: bytes, *, pad: bool = True) -> bytes:
    return _chunk(b"LIST", kind + body, pad=pad)


def tune() -> bytes:
    return to_midi(Performance((Part("Piano", 0, (Note(0.0, 0.5, 60, 60),)),), 60, "", 2.0, ""), title="")


def played(*notes: StruckNote, seconds: float = 4.0, soundfont: Path | None = None) -> Sound:
    synthesiser = Synthesiser(SoundFont(soundfont or default_soundfont()), RATE)
    frames = round(seconds * RATE)
    return np.concatenate([direct for direct, _ in synthesiser.blocks(notes, frames, 1 << 15)], axis=1)[:, :frames]


def level_db(sound: Sound) -> float:
    return 10 * math.log10(float(np.mean(np.square(sound, dtype=np.float64))) + 1e-12)


def frequency(sound: Sound, near: float) -> float:
    """Return the strongest frequency within a third of an octave."""
    mono = sound.mean(axis=0)
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), n=1 << 20))
    hertz = np.fft.rfftfreq(1 << 20, 1 / RATE)
    spectrum[(hertz < near / 1.26) | (hertz > near * 1.26)] = 0
    return float(hertz[spectrum.argmax()])


def hertz_of(pitch: int) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


@pytest.mark.parametrize("program", [0, 11, 24, 42, 46, 89])
@pytest.mark.parametrize("pitch", [43, 60, 76])
def test_instruments_are_in_tune(program: int, pitch: int) -> None:
    if (program, pitch) == (42, 76):
        pytest.skip("high above what a cello's samples are made for")
    sound = played(StruckNote(0.0, 2.0, pitch, 60, program))
    cents = 1200 * math.log2(frequency(sound[:, RATE // 2 : 2 * RATE], hertz_of(pitch)) / hertz_of(pitch))
    # The samples themselves are a few cents off, and low piano strings are inharmonic.
    assert abs(cents) < 10


@pytest.mark.parametrize(("program", "below", "beyond"), [(0, 108, 112), (11, 108, 120), (46, 108, 112), (65, 63, 64)])
def test_keys_that_no_sample_is_made_for_sound_in_tune_and_no_louder(program: int, below: int, beyond: int) -> None:
    edge, sound = (played(StruckNote(0.0, 1.0, pitch, 60, program), seconds=2) for pitch in (below, beyond))
    cents = 1200 * math.log2(frequency(sound[:, :RATE], hertz_of(beyond)) / hertz_of(beyond))
    # Pianos and harps are stretched: up there by as much.
    assert abs(cents) < 15
    # The samples grow softer upwards by about a decibel a key.
    assert -2.5 * (beyond - below) < level_db(sound) - level_db(edge) < 0.5


def test_drums_that_a_kit_lacks_stay_silent() -> None:
    assert not played(StruckNote(0.0, 1.0, 127, 60, 0, bank=128), seconds=1).any()


def test_velocity_is_loudness() -> None:
    levels = [level_db(played(StruckNote(0, 1, 60, velocity, 0), seconds=1)) for velocity in (20, 40, 60, 80)]
    assert [b - a for a, b in pairwise(levels)] == pytest.approx([12.04, 7.04, 5.0], abs=1.0)


def test_a_released_note_dies_away_without_a_click() -> None:
    sound = played(StruckNote(0, 1, 60, 60, 0), seconds=3)
    tenths = [level_db(sound[:, i : i + RATE // 10]) for i in range(RATE, 3 * RATE, RATE // 10)]
    assert all(b < a + 0.1 for a, b in pairwise(tenths))
    assert tenths[0] > -60
    assert tenths[-1] < -100
    assert np.abs(np.diff(sound[:, RATE - 100 : RATE + 4000])).max() < 0.01


def test_pan_and_gain() -> None:
    left = played(StruckNote(0, 1, 60, 60, 11, pan=-1.0), seconds=1)
    assert np.abs(left[1]).max() < 1e-6 < np.abs(left[0]).max()
    half = played(StruckNote(0, 1, 60, 60, 11, gain=0.5, pan=-1.0), seconds=1)
    np.testing.assert_allclose(half[0], left[0] * 0.5, atol=1e-6)


def test_blocks_of_any_size_make_the_same_sound() -> None:
    notes = [StruckNote(0.3 * n, 1.2, 50 + 3 * n, 50, (0, 48, 46)[n % 3]) for n in range(12)]
    synthesiser = Synthesiser(SoundFont(default_soundfont()))
    whole, parts = (
        np.concatenate([direct for direct, _ in synthesiser.blocks(notes, 5 * RATE, block)], axis=1)[:, : 5 * RATE]
        for block in (5 * RATE, 10007)
    )
    np.testing.assert_allclose(whole, parts, atol=1e-6)


@pytest.mark.parametrize("kind", ["sf2", "sf3", "sf3 without padding", "sf2 without a loop", "sf2 in another bank"])
def test_a_soundfont_of_any_kind_plays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "sine"
    path.write_bytes(
        sine_soundfont(
            vorbis=kind.startswith("sf3"),
            odd=kind.endswith("padding"),
            loop=not kind.endswith("loop"),
            bank=3 if kind.endswith("bank") else 0,
        )
    )
    for pitch in (57, 69, 75):
        sound = played(StruckNote(0, 3, pitch, 127, 40), seconds=4, soundfont=path)
        seconds = 0.5 if kind.endswith("loop") else 2.9
        steady = sound[:, RATE // 10 : round(seconds * RATE)]
        assert frequency(steady, hertz_of(pitch)) == pytest.approx(hertz_of(pitch), rel=0.002)
        assert np.abs(steady).max() == pytest.approx(0.5 * math.sqrt(0.5), rel=0.05)
        # A pure tone: no clicks where the loop comes round.
        spectrum = np.abs(np.fft.rfft(steady[0] * np.blackman(steady.shape[1]))) ** 2
        hertz = np.fft.rfftfreq(steady.shape[1], 1 / RATE)
        tone = np.abs(hertz - hertz_of(pitch)) < 30
        assert spectrum[tone].sum() / spectrum[~tone].sum() > 1e4


def damaged_font(change: Callable[[bytearray], None]) -> bytes:
    data = bytearray(sine_soundfont())
    change(data)
    return bytes(data)


def put(name: bytes, offset: int, value: bytes) -> bytes:
    def change(data: bytearray) -> None:
        at = data.index(name) + 8 + offset
        data[at : at + len(value)] = value

    return damaged_font(change)


BAD_FONTS = {
    "empty": b"",
    "text": b"not a soundfont at all, but long enough to look at",
    "cut short": sine_soundfont()[:-400],
    "a wave file": b"RIFF" + struct.pack("<I", 36) + b"WAVE" + bytes(36),
    "no records": b"RIFF" + struct.pack("<I", 4) + b"sfbk",
    "an instrument that is not there": put(b"pgen", 2, b"\x09\x00"),
    "zones past the end": put(b"inst", 42, b"\xff\xff"),
}


@pytest.mark.parametrize("kind", BAD_FONTS)
def test_what_is_no_soundfont_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.sf2"
    path.write_bytes(BAD_FONTS[kind])
    with pytest.raises(InputError, match=r"bad\.sf2 is not a soundfont that can be read; give an \.sf2") as raised:
        render(tune(), soundfont=path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("amount", [32767, -32768])
@pytest.mark.parametrize("operator", [5, 6, 7, 8, 11, 13, 46, 51, 52, 56, 58])
def test_amounts_out_of_range_make_sound_that_is_numbers(tmp_path: Path, operator: int, amount: int) -> None:
    path = tmp_path / "odd.sf2"
    path.write_bytes(sine_soundfont(more=[(operator, amount)]))
    for key in (0, 60, 127):
        assert np.isfinite(played(StruckNote(0, 0.3, key, 60, 0), seconds=0.3, soundfont=path)).all()


def test_samples_that_end_in_half_a_frame_play(tmp_path: Path) -> None:
    data = bytearray(sine_soundfont())
    at = data.index(b"smpl") + 4
    # All that follows the first 999 bytes is another chunk.
    rest = int.from_bytes(data[at : at + 4], "little") - 1000 - 8
    data[at : at + 4] = struct.pack("<I", 999)
    data[at + 4 + 999 : at + 4 + 1008] = b"\0junk" + struct.pack("<I", rest)
    path = tmp_path / "odd.sf2"
    path.write_bytes(bytes(data))
    assert played(StruckNote(0, 0.3, 69, 60, 0), seconds=0.3, soundfont=path).any()


def test_a_soundfont_of_more_than_2_gib_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "huge.sf2").open("wb") as file:
        file.truncate((2 << 30) + 1)
    with pytest.raises(InputError, match=r"huge\.sf2 is larger than 2 GiB; give a smaller soundfont"):
        SoundFont(tmp_path / "huge.sf2")


def test_a_soundfont_that_is_missing_or_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no soundfont .*none\.sf2"):
        render(tune(), soundfont=tmp_path / "none.sf2")
    with pytest.raises(InputError, match="is a folder; give a soundfont file"):
        render(tune(), soundfont=tmp_path)
    with pytest.raises(InputError, match="there is no soundfont"):
        list(render_timeline([TimelineItem(1.0)], mix=Mix(tmp_path / "none.sf2")))


def test_a_vorbis_sample_that_is_damaged_is_refused(tmp_path: Path) -> None:
    data = bytearray(sine_soundfont(vorbis=True))
    at = data.index(b"OggS")
    data[at : at + 200] = bytes(200)
    path = tmp_path / "bad.sf3"
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"bad\.sf3 is not a soundfont"):
        render(tune(), soundfont=path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_soundfont_never_crashes(tmp_path: Path, data: st.DataObject) -> None:
    font = bytearray(sine_soundfont())
    tables = font.index(b"phdr")
    for _ in range(data.draw(st.integers(1, 6))):
        font[data.draw(st.integers(tables, len(font) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.sf2"
    path.write_bytes(bytes(font))
    try:
        sound = played(StruckNote(0, 0.5, 60, 60, 0), seconds=1, soundfont=path)
    except InputError:
        return
    assert sound.shape == (2, RATE)


def test_a_vorbis_sample_is_decoded_on_from_where_it_was_left() -> None:
    wave = np.random.default_rng(1).uniform(-0.5, 0.5, 3 << 16).astype(np.float32)
    packed = io.BytesIO()
    soundfile.write(packed, wave, RATE, format="OGG", subtype="VORBIS")
    whole = VorbisSample(packed.getvalue(), ValueError).frames()
    sample = VorbisSample(packed.getvalue(), ValueError)
    first = sample.frames(1000)
    assert 1000 <= len(first) < sample.length == len(whole)
    assert np.array_equal(first, whole[: len(first)])
    assert np.array_equal(sample.frames(), whole)


def test_a_filter_that_stands_still_is_one_that_moves_by_nothing(tmp_path: Path) -> None:
    """Generator 8 is the cutoff (here 700 Hz), 11 the modulation envelope's hold on it, 29 its sustain."""
    sounds = []
    for more in ([(8, 7700)], [(8, 7700), (11, 1), (29, 1000), (28, -12000)]):
        path = tmp_path / "one.sf2"
        path.write_bytes(sine_soundfont(more=more))
        player = Synthesiser(SoundFont(path), RATE)
        sounds.append(next(iter(player.blocks([StruckNote(0.0, 3.0, 81, 90, 0)], 150_000, 150_000)))[0][0])
    still, moving = sounds
    assert np.abs(still).max() > 0.02
    assert np.sqrt(np.mean((still - moving)[3000:-3000] ** 2)) < 0.003 * np.sqrt(np.mean(still**2))
