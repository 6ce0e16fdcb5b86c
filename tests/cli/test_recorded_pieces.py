"""Recorded music as pieces: imported, heard in sessions, exported, scored, kept and forgotten."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from therapy_gen.errors import InputError
from therapy_gen.music.audio.files.decode import decoded, read_audio
from therapy_gen.music.audio.files.encode import write_audio
from therapy_gen.music.audio.files.tags import Tags
from therapy_gen.music.audio.loudness import LoudnessMeter

Cli = Callable[..., Any]


def song(seconds: float, seed: int = 0, level: float = 0.02, rate: int = 44100) -> np.ndarray[Any, Any]:
    """A tone that comes and goes, in stereo."""
    at = np.arange(round(seconds * rate)) / rate
    hertz = 200.0 * (1 + seed)
    swell = level * (1.5 + np.sin(2 * np.pi * at / 3))
    return np.stack([swell * np.sin(2 * np.pi * hertz * at), swell * np.sin(2 * np.pi * 1.5 * hertz * at)], 1).astype(
        "f4"
    )


def loudness(path: Path, start_s: float, stop_s: float) -> float:
    sound, rate = soundfile.read(path, dtype="float32")
    meter = LoudnessMeter(rate)
    meter.add(np.ascontiguousarray(sound[round(start_s * rate) : round(stop_s * rate)].T))
    return meter.integrated()


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One song in each format, of different loudness."""
    made = {}
    tmp_path = tmp_path_factory.mktemp("songs")
    for seed, suffix in enumerate(("wav", "flac", "mp3", "ogg")):
        made[suffix] = tmp_path / f"song {suffix}.{suffix}"
        write_audio(made[suffix], song(33.0, seed, 0.004 * 4**seed / 4), 44100, tags=Tags("Été" if seed == 1 else ""))
    return made


def test_recorded_music_becomes_pieces(cli: Cli, songs: dict[str, Path]) -> None:
    done = cli("piece", "import", *songs.values(), "--json")
    assert done.status == 0, done.err
    pieces = done.document["pieces"]
    # By tags; and where these say nothing, by the file.
    assert [piece["title"] for piece in pieces] == ["song wav", "Été", "song mp3", "song ogg"]
    assert [piece["duration_s"] for piece in pieces] == pytest.approx([33.0] * 4, abs=0.1)
    assert {(piece["calm"], piece["tempo"], piece["model"]) for piece in pieces} == {(None, None, None)}
    again = cli("piece", "import", songs["mp3"], "--json").document["pieces"]
    assert (again[0]["piece"], again[0]["new"]) == (pieces[2]["piece"], False)
    shown = cli("piece", "show", pieces[0]["piece"])
    assert "recorded: no notes" in shown.out
    assert "calm" not in shown.out.replace("calmness", "")
    assert cli("piece", "list").status == 0
    assert "sound" in cli("db", "check").out


def test_what_needs_notes_says_so(cli: Cli, songs: dict[str, Path], tmp_path: Path) -> None:
    (piece,) = cli("piece", "import", songs["ogg"], "--json").document["pieces"]
    for name in ("x.mid", "x.musicxml"):
        assert (
            "is recorded and has no notes" in cli("piece", "export", piece["piece"], "-o", tmp_path / name).error_line
        )
    assert cli("piece", "export", piece["piece"], "-o", tmp_path / "x.flac").status == 0
    assert loudness(tmp_path / "x.flac", 0, 33) == pytest.approx(-23.0, abs=0.3)
    assert cli("piece", "rename", piece["piece"], "Rain").status == 0
    assert cli("piece", "delete", piece["piece"], "--yes").status == 0


@pytest.mark.long
def test_a_session_of_recorded_music(cli: Cli, songs: dict[str, Path], tmp_path: Path) -> None:
    """From four songs to their ranking, through every way out."""
    pieces = [one["piece"] for one in cli("piece", "import", *songs.values(), "--json").document["pieces"]]
    held = [word for piece in pieces[:3] for word in ("--with", piece)]
    words = ("session", "new", "--minutes", "2.5", "--baseline", "18", *held, "--explore", "0", "--listener", "ana")
    made = cli(*words, "--seed", "1", "--json")
    assert made.status == 0, made.err
    items = made.document["session"]["items"]
    assert sorted(item["piece"] for item in items if item["piece"]) == sorted(pieces[:3])
    assert cli("session", "show", "1").status == 0
    assert cli("export", "--session", "1", "-o", tmp_path / "all.flac").status == 0
    levels = [
        loudness(tmp_path / "all.flac", item["onset_s"], item["onset_s"] + item["duration_s"])
        for item in items
        if item["piece"]
    ]
    # Their files were 24 dB apart.
    assert max(abs(level + 23.0) for level in levels) < 0.5
    assert "has no notes" in cli("export", "--session", "1", "-o", tmp_path / "all.mid").error_line
    assert cli("export", "--session", "1", "--format", "csv", "-o", tmp_path / "all.csv").status == 0
    assert cli("session", "report", "1", "-o", tmp_path / "one.html").status == 0
    assert "no score" in (tmp_path / "one.html").read_text()
    assert cli("simulate-eeg", "--session", "1", "--channels", "4", "-o", tmp_path / "ana.fif").status == 0
    scored = cli("score-eeg", tmp_path / "ana.fif", "--json")
    assert scored.status == 0, scored.err
    assert {row["piece"] for row in scored.document["ranking"]["pieces"]} == set(pieces[:3])
    assert cli("session", "new", "--minutes", "8", "--listener", "ana", "--seed", "2").status == 0


def test_recorded_pieces_stay_with_who_brought_them(
    cli: Cli, songs: dict[str, Path], tmp_path: Path, home: Path
) -> None:
    (mine,) = cli("piece", "import", songs["mp3"], "--listener", "bea", "--json").document["pieces"]
    (other,) = cli("piece", "import", songs["flac"], "--json").document["pieces"]
    assert cli("db", "backup", tmp_path / "copy.db").status == 0
    (there,) = cli("--db", tmp_path / "copy.db", "piece", "list", "--json").document["pieces"][:1]
    assert there["piece"] == mine["piece"]
    assert cli("--db", tmp_path / "copy.db", "piece", "export", mine["piece"], "-o", tmp_path / "back.wav").status == 0
    assert cli("listener", "export", "bea", "-o", tmp_path / "bea.zip").status == 0
    with zipfile.ZipFile(tmp_path / "bea.zip") as archive:
        assert archive.read(f"pieces/{mine['piece']}.mp3") == songs["mp3"].read_bytes()
    assert cli("listener", "forget", "bea", "--yes").status == 0
    assert [one["piece"] for one in cli("piece", "list", "--json").document["pieces"]] == [other["piece"]]
    sound = songs["mp3"].read_bytes()[4096:8192]
    assert not [path for path in home.rglob("*") if path.is_file() and sound in path.read_bytes()]


def write_broken(folder: Path) -> dict[str, Path]:
    """Files that are no music, and what is said of each."""
    good = song(6.0)
    for suffix in ("wav", "flac", "mp3", "ogg"):
        write_audio(folder / f"whole.{suffix}", good, 44100)
        content = (folder / f"whole.{suffix}").read_bytes()
        (folder / f"cut.{suffix}").write_bytes(content[: len(content) * 2 // 3])
    (folder / "text.mp3").write_text("once upon a time " * 99)
    (folder / "empty.flac").write_bytes(b"")
    (folder / "folder.wav").mkdir()
    soundfile.write(folder / "silent.wav", np.zeros((88200, 2)), 44100)
    soundfile.write(folder / "nothing.wav", good[:0], 44100)
    soundfile.write(folder / "short.wav", good[:9000], 44100)
    soundfile.write(folder / "eight.wav", np.repeat(good, 4, axis=1), 44100)
    soundfile.write(folder / "long.flac", np.zeros((3660 * 8000, 1), "i2"), 8000)
    soundfile.write(folder / "nan.wav", np.where(good > 0.02, np.nan, good), 44100, subtype="FLOAT")
    return {
        "cut.wav": "is cut short: it ends after 0:04",
        "cut.flac": "is damaged or cut short",
        "cut.mp3": "is cut short",
        "cut.ogg": "is cut short",
        "text.mp3": "holds no audio that can be read",
        "empty.flac": "is empty",
        "folder.wav": "is a folder",
        "silent.wav": "is silent",
        "nothing.wav": "holds no sound",
        "short.wav": "lasts 0.20 s",
        "eight.wav": "has 8 channels",
        "long.flac": "lasts 61:00; a piece lasts up to 60:00",
        "nan.wav": "values that are no numbers",
        "song.m4a": "is neither a MIDI file",
    }


def test_files_that_are_no_music_are_one_line(cli: Cli, tmp_path: Path) -> None:
    for name, said in write_broken(tmp_path).items():
        done = cli("piece", "import", tmp_path / name)
        assert done.status == 1
        assert f"{tmp_path / name} " in done.error_line
        assert said in done.error_line
    # All of them or none.
    assert cli("piece", "import", tmp_path / "whole.flac", tmp_path / "cut.flac").status == 1
    assert cli("piece", "list", "--json").document["pieces"] == []


def test_decoders_do_not_speak(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_audio(tmp_path / "a.mp3", song(6.0), 44100)
    (tmp_path / "cut.mp3").write_bytes((tmp_path / "a.mp3").read_bytes()[:9000])
    with pytest.raises(InputError, match="is cut short"):
        read_audio(tmp_path / "cut.mp3")
    whole = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "odd.mp3").write_bytes(whole[:10_000] + bytes(range(60)) + whole[10_000:])
    music = read_audio(tmp_path / "odd.mp3")
    assert "bytes between its frames that are no sound are left out" in music.remarks
    assert sum(len(block) for block in decoded(music.content, 44100, "odd")) == round(music.duration_s * 44100)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("rate", "subtype", "channels"), [(48000, "PCM_24", 2), (22050, "PCM_U8", 1), (96000, "FLOAT", 2)]
)
def test_other_frequencies_sound_the_same(cli: Cli, tmp_path: Path, rate: int, subtype: str, channels: int) -> None:
    """A tone stays where it is, and as long as it is."""
    sound = song(5.0, 1, 0.2, rate)[:, :channels]
    soundfile.write(tmp_path / "song.wav", sound, rate, subtype=subtype)
    done = cli("piece", "import", tmp_path / "song.wav", "--json")
    (piece,) = done.document["pieces"]
    assert f"brought from {rate} to 44100 Hz" in piece["remarks"][1]
    assert cli("piece", "export", piece["piece"], "-o", tmp_path / "out.wav").status == 0
    found, new_rate = soundfile.read(tmp_path / "out.wav")
    assert len(found) == 5 * new_rate
    spectrum = np.abs(np.fft.rfft(found[:, 0] * np.hanning(len(found))))
    assert np.argmax(spectrum) / 5 == pytest.approx(400.0, abs=0.5)
    assert spectrum[(5 * 1000) :].max() < spectrum.max() / 100


def test_the_app_plays_what_the_export_holds(songs: dict[str, Path]) -> None:
    """A recorded piece sounds the same from any place at once, as the player of the app asks for it."""
    from therapy_gen.music.audio.live.live_timeline import live_timeline
    from therapy_gen.music.audio.stream import TimelineItem, render_timeline

    items = [TimelineItem(2.0), TimelineItem(33.0, songs["ogg"].read_bytes(), "song"), TimelineItem(1.0)]
    whole = np.concatenate(list(render_timeline(items)))
    live = np.concatenate(list(live_timeline(items, start_s=12.5)))
    assert len(live) == len(whole) - round(12.5 * 44100)
    assert np.abs(live - whole[-len(live) :]).max() < 1e-4


@pytest.mark.long
def test_a_click_track_is_exported_and_read_back(cli: Cli, songs: dict[str, Path], tmp_path: Path) -> None:
    """The amplifier recorded by itself; what was played to it says which piece began when."""
    pieces = [one["piece"] for one in cli("piece", "import", songs["wav"], songs["ogg"], "--json").document["pieces"]]
    held = [word for piece in pieces for word in ("--with", piece)]
    words = ("session", "new", "--minutes", "2", "--baseline", "20", *held, "--explore", "0", "--seed", "1")
    new = cli(*words, "--listener", "ana", "--json")
    assert new.status == 0, new.err
    items = new.document["session"]["items"]
    assert "kept exactly by wav and flac" in cli("export", "--session", "1", "--clicks", "-o", tmp_path / "x.mp3").err
    assert cli("export", "--ranked", "--clicks", "-o", tmp_path / "x.wav").status == 2
    assert cli("export", "--session", "1", "--clicks", "-o", tmp_path / "heard.wav").status == 0
    made = cli("simulate-eeg", "--session", "1", "--marks", "none", "--channels", "4", "-o", tmp_path / "amp.fif")
    assert made.status == 0, made.err
    heard = ("--clicks", tmp_path / "heard.wav", "--session", "1", "--dry-run", "--json")
    (plan,) = cli("score-eeg", tmp_path / "amp.fif", *heard).document["recordings"]
    meant = [(item["piece"], item["onset_s"]) for item in items if item["piece"]]
    assert [play["piece"] for play in plan["plays"]] == [piece for piece, _ in meant]
    assert [play["onset_s"] for play in plan["plays"]] == pytest.approx([onset for _, onset in meant], abs=0.002)
