"""Audio files hold what was given with its titles, appear whole or not at all, and failures name the file."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from therapy_gen.errors import InputError
from therapy_gen.music.audio.files.encode import FORMATS, write_audio
from therapy_gen.music.audio.files.mp3 import Mp3Writer
from therapy_gen.music.audio.files.mp3_frames import crc16, info_frame, read_frames
from therapy_gen.music.audio.files.png import png
from therapy_gen.music.audio.files.tags import Tags
from therapy_gen.music.audio.loudness import LoudnessMeter

RATE = 44100
Sound = npt.NDArray[np.float32]


def tone(seconds: float) -> Sound:
    time = np.arange(round(seconds * RATE)) / RATE
    left, right = 0.3 * np.sin(2 * np.pi * 220 * time), 0.2 * np.sin(2 * np.pi * 330 * time)
    return np.stack((left, right), axis=1).astype(np.float32)


def loudness(sound: Sound) -> float:
    meter = LoudnessMeter(RATE)
    meter.add(np.ascontiguousarray(sound.T))
    return meter.integrated()


def blocks(seconds: float, size: int = 1 << 16) -> Iterator[Sound]:
    """Yield one block again and again, up to a length."""
    block = tone(size / RATE)
    left = round(seconds * RATE)
    while left > 0:
        yield block[:left]
        left -= size


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_sound_is_the_same_file(tmp_path: Path, name: str) -> None:
    files = [tmp_path / f"{number}.{name}" for number in (1, 2)]
    for path in files:
        write_audio(path, tone(1.0), RATE, tags=Tags("Slow Water", "session 1"))
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_holds_the_sound_and_its_titles(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"Slow Water ♭.{name}"
    sound = tone(3.0)
    assert write_audio(path, sound, RATE, tags=Tags("Slow Water ♭", "session 1")) == len(sound)

    with soundfile.SoundFile(path) as file:
        assert (file.samplerate, file.channels, file.frames) == (RATE, 2, len(sound))
        assert (file.title, file.album, file.artist) == ("Slow Water ♭", "session 1", "therapy-gen")
        heard = file.read(dtype="float32")
    lossless = name in ("wav", "flac")
    middle = slice(RATE // 2, 5 * RATE // 2)
    assert np.abs(heard - sound)[middle].max() < (1e-4 if lossless else 0.02)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", FORMATS)
def test_blocks_and_the_whole_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    sound = np.concatenate(list(blocks(5.0, 50_000)))
    write_audio(tmp_path / "whole", sound, RATE, name, tags=Tags("a"))
    write_audio(tmp_path / "parts", blocks(5.0, 50_000), RATE, name, tags=Tags("a"))
    whole, parts = ((tmp_path / p).read_bytes() for p in ("whole", "parts"))
    # Ogg gives each stream a serial number of its own.
    assert len(whole) == len(parts) if name == "ogg" else whole == parts


@pytest.mark.long
@pytest.mark.parametrize("name", FORMATS)
def test_thirty_minutes_are_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "long"
    # At a lower rate than usual, for the time that it takes.
    rate = 8000
    frames = 30 * 60 * rate
    silence = np.zeros((1 << 18, 2), dtype=np.float32)
    start = tone((1 << 18) / RATE)

    def mostly_silent() -> Iterator[Sound]:
        for n, at in enumerate(range(0, frames, 1 << 18)):
            yield (start if n % 8 == 0 else silence)[: frames - at]

    assert write_audio(path, mostly_silent(), rate, name) == frames
    info = soundfile.info(path)
    assert info.frames == frames
    with soundfile.SoundFile(path) as file:
        file.seek(frames - 1000)
        assert len(file.read()) == 1000


def test_the_suffix_says_the_format_in_any_case(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.FLAC", tone(0.1), RATE)
    assert soundfile.info(tmp_path / "a.FLAC").format == "FLAC"
    write_audio(tmp_path / "a.out", tone(0.1), RATE, "Wav")
    assert soundfile.info(tmp_path / "a.out").format == "WAV"


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    write_audio(path, tone(0.1), RATE)
    assert soundfile.info(path).frames == round(0.1 * RATE)


def test_nothing_at_all_is_a_file_of_no_length(tmp_path: Path) -> None:
    assert write_audio(tmp_path / "a.wav", iter(()), RATE) == 0
    assert soundfile.info(tmp_path / "a.wav").frames == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError("the piece is damaged"), RuntimeError])
def test_an_interruption_leaves_what_was_there(tmp_path: Path, error: type[BaseException] | BaseException) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(b"old")

    def broken() -> Iterator[Sound]:
        yield tone(1.0)
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        write_audio(path, broken(), RATE)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.flac"]


@pytest.mark.parametrize(("name", "form"), [("a.aac", None), ("a", None), ("a.wav", "opus"), ("a.wav.", None)])
def test_an_unknown_format_is_named_with_those_that_are_known(tmp_path: Path, name: str, form: str | None) -> None:
    with pytest.raises(InputError, match="is not known; give one of: wav, flac, ogg, mp3"):
        write_audio(tmp_path / name, tone(0.1), RATE, form)
    assert not list(tmp_path.iterdir())


def test_a_folder_a_missing_folder_and_a_file_for_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path} is a folder; give the name of a file"):
        write_audio(tmp_path, tone(0.1), RATE, "wav")
    with pytest.raises(InputError, match="does not exist; make it first|cannot write"):
        write_audio(tmp_path / "none" / "a.wav", tone(0.1), RATE)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="does not exist; make it first|cannot write"):
        write_audio(tmp_path / "file" / "a.wav", tone(0.1), RATE)


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written_to_is_named() -> None:
    with pytest.raises(InputError, match=r"cannot write /sys/kernel/a\.wav: "):
        write_audio(Path("/sys/kernel/a.wav"), tone(0.1), RATE)


FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    import numpy as np
    from therapy_gen.errors import InputError
    from therapy_gen.music.audio.files.encode import write_audio
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1 << 16, 2)).astype(np.float32)
    for limit in map(int, sys.argv[3:]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            write_audio(Path(sys.argv[1]), (noise for _ in range(7)), 44100, sys.argv[2])
        except InputError as error:
            print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes cannot be limited there")
@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_leaves_nothing_and_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a"
    limits = ["0", "1000", "100000"]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), path, name, *limits], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [line.startswith(f"{path} cannot be written") for line in done.stdout.splitlines()] == [True] * len(limits)
    assert not done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("name", ["flac", "ogg", "mp3"])
def test_ffprobe_finds_tags_gain_and_cover(tmp_path: Path, name: str) -> None:
    picture = png(np.zeros((8, 8, 3), np.uint8))
    path = tmp_path / f"a.{name}"
    tags = Tags("Slow Water ♭", "Session 1", comment="c", date="2026-11-28", track=2, tracks=5, cover=picture)
    write_audio(path, tone(3.0), RATE, tags=tags)
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert not done.stderr
    found = json.loads(done.stdout)
    texts = {**found["format"].get("tags", {}), **found["streams"][0].get("tags", {})}
    texts = {key.lower(): value for key, value in texts.items()}
    assert (texts["title"], texts["album"], texts["artist"]) == ("Slow Water ♭", "Session 1", "therapy-gen")
    assert (texts["genre"], texts["track"].partition("/")[0], texts["comment"]) == ("Ambient", "2", "c")
    assert texts["date"].startswith("2026")
    gain = float(texts["replaygain_track_gain"].removesuffix(" dB"))
    assert gain == pytest.approx(-18.0 - loudness(tone(3.0)), abs=0.02)
    pictures = [stream for stream in found["streams"] if stream["codec_type"] == "video"]
    assert [(one["codec_name"], one["width"]) for one in pictures] == [("png", 8)]
    assert float(found["streams"][0]["duration"]) == pytest.approx(3.0, abs=0.06)


@pytest.mark.parametrize("name", ["flac", "ogg", "mp3"])
def test_files_follow_one_another_without_a_gap(tmp_path: Path, name: str) -> None:
    sound = tone(2.0)
    for number, part in enumerate((sound[:RATE], sound[RATE:])):
        write_audio(tmp_path / f"{number}.{name}", part, RATE, tags=Tags("a"))
    joined = np.concatenate([soundfile.read(tmp_path / f"{n}.{name}", dtype="float32")[0] for n in (0, 1)])
    assert len(joined) == len(sound)
    assert np.abs(joined - sound)[RATE // 2 : -RATE // 2].max() < 0.1


def strokes(seconds: float, rate: int) -> Sound:
    """Strokes over a held tone, so that windows change and frames borrow from one another."""
    rng = np.random.default_rng(5)
    sound = np.concatenate(list(blocks(seconds)))[: round(seconds * rate)]
    for onset in rng.integers(0, len(sound) - 5000, 20):
        sound[onset : onset + 5000] += 0.2 * rng.standard_normal((5000, 2)) * np.exp(-np.arange(5000) / 700)[:, None]
    return sound


def encoded(sound: Sound, rate: int, workers: int = 2, stretch: int = 2048) -> bytes:
    made = io.BytesIO()
    with Mp3Writer(made, rate, workers=workers, stretch=stretch) as mp3:
        for start in range(0, len(sound), 50_000):
            mp3.write(sound[start : start + 50_000])
    return made.getvalue()


@pytest.mark.parametrize("rate", [RATE, pytest.param(24000, marks=pytest.mark.long)])
def test_an_mp3_in_stretches_sounds_as_one_that_is_encoded_at_once(rate: int) -> None:
    sound = strokes(6.0, rate)
    whole = encoded(sound, rate)
    made = [encoded(sound, rate, workers, stretch=100) for workers in (1, 3)]
    assert made[0] == made[1]
    once, parts = (soundfile.read(io.BytesIO(content))[0] for content in (whole, made[0]))
    assert once.shape == parts.shape == sound.shape
    noise, further = np.mean((once - sound) ** 2), np.mean((parts - sound) ** 2)
    assert further < 1.02 * noise
    assert np.mean(np.abs(once - parts) > 1e-4) < 0.02


@pytest.mark.parametrize("count", [0, 1, 1151, 1152, 22050, 22051, 23000])
@pytest.mark.parametrize("rate", [RATE, 16000, 8000])
def test_an_mp3_is_as_long_as_the_sound(count: int, rate: int) -> None:
    content = encoded(tone(1.0)[:count], rate)
    assert len(soundfile.read(io.BytesIO(content))[0]) == count


def test_an_mp3_of_other_encoders_is_no_better_at_its_size() -> None:
    """Of those that libsndfile has: the same encoder, told to aim at the same."""
    sound, packed = strokes(2.0, RATE), io.BytesIO()
    options = {"compression_level": 0.45, "bitrate_mode": "VARIABLE"}
    soundfile.write(packed, sound, RATE, format="MP3", subtype="MPEG_LAYER_III", **options)
    own = encoded(sound, RATE)
    assert len(own) < 1.02 * len(packed.getvalue())
    noise = [np.mean((soundfile.read(io.BytesIO(c))[0] - sound) ** 2) for c in (own, packed.getvalue())]
    assert noise[0] < 1.1 * noise[1]


def test_what_lies_above_full_scale_is_cut_off() -> None:
    sound = tone(1.0) * np.float32(4.0)
    heard = soundfile.read(io.BytesIO(encoded(sound, RATE)))[0]
    middle = slice(RATE // 4, -RATE // 4)
    assert np.abs(heard - np.clip(sound, -1, 1))[middle].max() < 0.3


def test_an_mp3_at_a_rate_that_there_is_none_of_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="MP3 has no 96000 Hz; give one of: 8000, 11025, .*48000"):
        write_audio(tmp_path / "a.mp3", tone(0.1), 96000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [RATE, 22050])
def test_an_mp3_describes_itself_as_libsndfiles_encoder_would(rate: int) -> None:
    sound, packed = tone(2.0), io.BytesIO()
    options = {"compression_level": 0.4, "bitrate_mode": "VARIABLE"}
    soundfile.write(packed, sound, rate, format="MP3", subtype="MPEG_LAYER_III", **options)
    own, *frames = read_frames(packed.getvalue())
    offsets = np.cumsum([len(frame.start + frame.area) for frame in (own, *frames)])[:-1].tolist()
    crc = crc16(b"".join(frame.start + frame.area for frame in frames))
    again = info_frame(frames[0], offsets, len(packed.getvalue()), len(sound), crc, 4.0, 0)
    theirs = own.start + own.area
    assert len(again) == len(theirs)
    at = len(own.start)
    # The header, counts and quality, the encoder and how it varies bit rates; the table is rounded elsewhere.
    assert (again[:3], again[3] >> 6) == (theirs[:3], theirs[3] >> 6)
    assert again[4 : at + 16] == theirs[4 : at + 16]
    assert max(abs(a - b) for a, b in zip(again[at + 16 : at + 116], theirs[at + 16 : at + 116], strict=True)) <= 12
    assert again[at + 116 : at + 130] == theirs[at + 116 : at + 130]
    # Delay and padding, size and checksum of the music; then that of the tag itself.
    assert again[at + 141 : at + 144] == theirs[at + 141 : at + 144]
    assert again[at + 148 : at + 154] == theirs[at + 148 : at + 154]
    for content in (again, theirs):
        assert crc16(content[: at + 154]) == int.from_bytes(content[at + 154 : at + 156], "big")
