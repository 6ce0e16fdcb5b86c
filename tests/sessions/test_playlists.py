"""Playlists, events and cue sheets of a session, as other programs read them."""

from __future__ import annotations

import configparser
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from sessions.builder import new_session
from sessions.errors import ExportError, NotFoundError
from sessions.export.audio import Sound
from sessions.export.export import FileWriter, export_session
from sessions.export.formats import PLAYLIST, names
from sessions.export.playlists import Entry, Naming, jspf, m3u8, pls, xspf
from sessions.planning.plan import SessionRequest
from sessions.records import SessionRecord
from sessions.storage.store import Store
from sessions.storage.tables import PieceRow, SessionItemRow
from therapy_gen.musicvae.model import Model

SOUND = Sound()
NAMESPACE = "{http://xspf.org/ns/0/}"
# Made to trouble formats that quote badly.
ODD = [Entry("a b/#1 é%20&<名>.flac", 'One & "two" <three>', 2.6, "C major"), Entry("x:y.flac", "Silence\n\x07", 0.25)]

PLAYLISTS = names(lambda format: format.group == PLAYLIST)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, SessionRecord, Path]:
    """A short session, and a folder with every kind of playlist of it."""
    from therapy_gen.musicvae.model import load_model

    folder = tmp_path_factory.mktemp("playlists")
    store = Store.open(folder / "therapy.db")
    record = new_session(store, load_model(), SessionRequest(minutes=3.0, repeats=2, baseline_s=5.0), seed=4)
    for form in PLAYLISTS:
        out = folder / "évening & co"
        out.mkdir(exist_ok=True)
        export_session(store, record, form, out / f"list-1.{form}", SOUND, audio="ogg")
    return store, record, folder / "évening & co"


def paths_in(file: Path) -> list[str]:
    """The paths that a playlist names, decoded."""
    text = file.read_text(encoding="utf-8")
    match file.suffix:
        case ".m3u8":
            return [line for line in text.splitlines() if not line.startswith("#")]
        case ".pls":
            parser = configparser.RawConfigParser()
            parser.read_string(text)
            section = parser["playlist"]
            return [section[f"File{n}"] for n in range(1, int(section["NumberOfEntries"]) + 1)]
        case ".jspf":
            return [unquote(track["location"][0]) for track in json.loads(text)["playlist"]["track"]]
        case _:
            root = ElementTree.fromstring(text.encode())
            return [unquote(element.text or "") for element in root.iter(f"{NAMESPACE}location")]


@pytest.mark.long
@pytest.mark.parametrize("form", PLAYLISTS)
def test_a_playlist_names_only_files_that_exist(form: str, rendered: tuple[Store, SessionRecord, Path]) -> None:
    _, record, folder = rendered
    paths = paths_in(folder / f"list-1.{form}")
    assert len(paths) == len(record.items)
    for path, item in zip(paths, record.items, strict=True):
        assert not Path(path).is_absolute()
        assert soundfile.info(folder / path).duration == pytest.approx(item.duration_s, abs=0.02)


def test_jspf_says_what_xspf_says() -> None:
    tracks = json.loads(jspf(ODD, title="t"))["playlist"]["track"]
    root = ElementTree.fromstring(xspf(ODD, title="t").encode())
    for track, element in zip(tracks, root.iter(f"{NAMESPACE}track"), strict=True):
        said = {child.tag.removeprefix(NAMESPACE): child.text for child in element}
        assert said.pop("location") == track.pop("location")[0]
        said["title"] = " ".join((said["title"] or "").split())
        assert {**track, "title": track["title"].replace("\x07", "").strip()} == {
            **said,
            "trackNum": int(said["trackNum"] or 0),
            "duration": int(said["duration"] or 0),
        }


def test_the_words_of_beets_say_how_files_are_named(tmp_path: Path) -> None:
    playlist, file = tmp_path / "lists" / "a.m3u8", tmp_path / "lists" / "a" / "01 x y.flac"
    assert Naming().path(file, playlist) == "a/01 x y.flac"
    assert Naming(relative_to=tmp_path).path(file, playlist) == "lists/a/01 x y.flac"
    assert Naming(relative_to=tmp_path / "else").path(file, playlist) == "../lists/a/01 x y.flac"
    entry = [Entry("a/01 x y.flac", "t", 1.0)]
    assert m3u8(entry, title="t", naming=Naming(prefix="/music/")).splitlines()[-1] == "/music/a/01 x y.flac"
    assert m3u8(entry, title="t", naming=Naming(urlencode=True)).splitlines()[-1] == "a/01%20x%20y.flac"
    assert "File1=file:///m/a/01%20x%20y.flac\n" in pls(
        entry, title="t", naming=Naming(prefix="file:///m/", urlencode=True)
    )
    with pytest.raises(ExportError, match="line break"):
        m3u8([Entry("a\nb.flac", "t", 1.0)], title="t")


def state(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Every file in a folder, with its moment."""
    return {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.rglob("*") if file.is_file()}


@pytest.mark.long
@pytest.mark.parametrize("form", ["m3u8", "flac", "midi", "csv", "events"])
def test_exporting_again_changes_nothing_unless_asked(
    form: str, rendered: tuple[Store, SessionRecord, Path], tmp_path: Path
) -> None:
    store, record, _ = rendered
    path = tmp_path / {"midi": "a.mid", "events": "a_events.tsv"}.get(form, f"a.{form}")
    first = export_session(store, record, form, path, SOUND, audio="ogg")
    assert not any(written.kept for written in first)
    before = state(tmp_path)
    again = export_session(store, record, form, path, SOUND, audio="ogg")
    assert [(written.path, written.kept) for written in again] == [(written.path, True) for written in first]
    assert before == {
        file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.rglob("*") if file in before
    }

    other = replace(record, id=record.id + 1, items=record.items[1:])
    with pytest.raises(ExportError, match="holds something else; .* `overwrite`"):
        export_session(store, other, form, path, SOUND, audio="ogg")
    assert before == {
        file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.rglob("*") if file.is_file()
    }
    pretended = export_session(
        store, other, form, path, SOUND, audio="ogg", writer=FileWriter(overwrite=True, pretend=True)
    )
    assert not pretended[0].kept
    assert path.read_bytes() == before[path][0]
    export_session(store, other, form, path, SOUND, audio="ogg", writer=FileWriter(overwrite=True))
    assert path.read_bytes() != before[path][0]


@pytest.mark.long
def test_a_file_that_went_away_comes_back(rendered: tuple[Store, SessionRecord, Path]) -> None:
    store, record, folder = rendered
    gone = folder / paths_in(folder / "list-1.m3u8")[1]
    content = gone.read_bytes()
    gone.unlink()
    written = export_session(store, record, "m3u8", folder / "list-1.m3u8", SOUND, audio="ogg")
    assert [file.path.name for file in written if not file.kept] == [gone.name]
    # Vorbis streams carry a random number: the sound is the same.
    assert len(gone.read_bytes()) == pytest.approx(len(content), rel=0.01)


@pytest.mark.long
def test_a_file_that_comes_back_alone_is_the_same_to_the_byte(store: Store, model: Model, tmp_path: Path) -> None:
    session = new_session(store, model, SessionRequest(minutes=5.0, play_s=60.0), seed=4)
    path = tmp_path / "list.m3u8"
    export_session(store, session, "m3u8", path, SOUND, audio="wav")
    files = {file: file.read_bytes() for file in tmp_path.rglob("*.wav")}
    assert len(files) > 4
    for file, content in files.items():
        file.unlink()
        export_session(store, session, "m3u8", path, SOUND, audio="wav")
        assert file.read_bytes() == content, file.name


def test_pretending_writes_nothing(rendered: tuple[Store, SessionRecord, Path], tmp_path: Path) -> None:
    store, record, _ = rendered
    written = export_session(store, record, "xspf", tmp_path / "a.xspf", SOUND, writer=FileWriter(pretend=True))
    assert len(written) == 1 + len({(i.piece and i.piece.id, i.duration_s) for i in record.items})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_two_runs_into_one_place_leave_one_whole(rendered: tuple[Store, SessionRecord, Path], tmp_path: Path) -> None:
    """Two processes write different sessions to one name at once: one is told, and what the other wrote stands."""
    store, record, _ = rendered
    second = new_session(store, _model(), SessionRequest(minutes=1.0), seed=9)
    code = """
import sys
from pathlib import Path
from sessions.export.export import export_session
from sessions.storage.library import get_session
from sessions.export.audio import Sound
from sessions.storage.store import Store
from therapy_gen.errors import InputError
store = Store.open(sys.argv[1])
try:
    export_session(store, get_session(store, int(sys.argv[2])), "m3u8", Path(sys.argv[3]), Sound(), audio="ogg")
except InputError as error:
    print(error)
"""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, store.label, str(number), tmp_path / "a.m3u8"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (record.id, second.id)
    ]
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert sum("holds something else" in text for text in said) == 1
    paths = paths_in(tmp_path / "a.m3u8")
    winner = (record, second)[next(place for place, text in enumerate(said) if not text)]
    assert len(paths) == len(winner.items)
    for path, item in zip(paths, winner.items, strict=True):
        assert soundfile.info(tmp_path / path).duration == pytest.approx(item.duration_s, abs=0.02)


def _model() -> Model:
    from therapy_gen.musicvae.model import load_model

    return load_model()


def test_a_piece_that_is_no_longer_in_the_library_is_named(store: Store, model: Model, tmp_path: Path) -> None:
    record = new_session(store, model, SessionRequest(minutes=1.0), seed=1)
    with store.write() as database:
        database.query(SessionItemRow).delete()
        database.query(PieceRow).delete()
    for form in ("m3u8", "flac", "midi"):
        with pytest.raises(NotFoundError, match=r"piece 01.* is no longer in the library"):
            export_session(store, record, form, tmp_path / f"a.{'mid' if form == 'midi' else form}", SOUND)
    assert [file.name for file in tmp_path.iterdir() if "therapy.db" not in file.name] == []


@pytest.mark.long
@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "mp3"])
def test_audio_says_what_it_holds(form: str, rendered: tuple[Store, SessionRecord, Path], tmp_path: Path) -> None:
    store, record, _ = rendered
    record = replace(record, listener="Zoë “名”")
    export_session(store, record, "pls", tmp_path / "a.pls", SOUND, audio=form, with_name=True)
    path = tmp_path / paths_in(tmp_path / "a.pls")[1]
    piece = record.pieces()[0]
    with soundfile.SoundFile(path) as file:
        # MP3 says of how many tracks it is one.
        track = file.tracknumber.partition("/")[0]
        assert (file.title, file.artist, file.album, track) == (
            piece.title,
            "therapy-gen",
            f"Session {record.id} for Zoë “名”",
            "1",
        )
        assert file.comment.startswith(f"piece/{piece.id} ")


def test_events_are_what_the_recording_side_reads(rendered: tuple[Store, SessionRecord, Path], tmp_path: Path) -> None:
    store, record, _ = rendered
    path = tmp_path / "sub-1_task-listen_events.tsv"
    export_session(store, record, "events", path, SOUND)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    assert list(rows[0])[:3] == ["onset", "duration", "trial_type"]
    assert (rows[0]["trial_type"], float(rows[0]["onset"])) == (f"session/{record.id}", 0.0)
    for row, item in zip(rows[1:], record.items, strict=True):
        assert float(row["onset"]) == pytest.approx(item.onset_s, abs=5e-4)
        assert float(row["duration"]) == pytest.approx(item.duration_s, abs=5e-4)
        assert row["trial_type"] == (f"piece/{item.piece.id}" if item.piece else "silence")
    sidecar = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(rows[0]) < set(sidecar)
    assert {row["trial_type"] for row in rows} == set(sidecar["trial_type"]["Levels"])

    events = pytest.importorskip("eeg.timeline.events")
    marks = events.read_events(path)
    assert [mark.text for mark in marks[1:]] == [row["trial_type"] for row in rows[1:]]


@pytest.mark.long
@pytest.mark.parametrize("form", ["wav", "mp3"])
def test_a_cue_sheet_places_every_piece_by_one_start_mark(
    form: str, rendered: tuple[Store, SessionRecord, Path], tmp_path: Path
) -> None:
    store, record, _ = rendered
    path = tmp_path / f"whole.{form}"
    written = export_session(store, record, form, path, SOUND, cue=True)
    assert [file.path.name for file in written] == [path.name, "whole.cue"]
    lines = [line.split(maxsplit=2) for line in (tmp_path / "whole.cue").read_text(encoding="utf-8").splitlines()]
    assert ["FILE", f'"whole.{form}"', {"wav": "WAVE", "mp3": "MP3"}[form]] in lines
    indices = [words[2].split(":") for words in lines if words[0] == "INDEX"]
    onsets = [60 * int(m) + int(s) + int(f) / 75 for m, s, f in indices]
    assert onsets == pytest.approx([item.onset_s for item in record.items], abs=1 / 150)
    exact = [float(words[2]) for words in lines if words[:2] == ["REM", "ONSET_S"]]
    assert exact == pytest.approx([item.onset_s for item in record.items], abs=5e-4)
    # What the file holds there: sound from each piece's onset on, silence before it.
    samples, rate = soundfile.read(path, always_2d=True)
    for onset, item in zip(exact, record.items, strict=True):
        start = round(onset * rate)
        before, after = samples[max(start - rate // 2, 0) : start], samples[start : start + rate // 2]
        if item.role == "music":
            assert np.abs(after).max() > 20 * max(float(np.abs(before).max(initial=0.0)), 1e-5)


def test_a_cue_sheet_needs_one_audio_file(rendered: tuple[Store, SessionRecord, Path], tmp_path: Path) -> None:
    store, record, _ = rendered
    with pytest.raises(ExportError, match="`cue` describes one audio file"):
        export_session(store, record, "m3u8", tmp_path / "a.m3u8", SOUND, cue=True)


def test_a_session_of_more_parts_than_a_cue_sheet_counts_is_told_so(store: Store, model: Model, tmp_path: Path) -> None:
    request = SessionRequest(minutes=90.0, repeats=20, play_s=60.0, tempo=(80.0, 140.0))
    record = new_session(store, model, request, seed=1)
    assert len(record.items) > 99
    with pytest.raises(ExportError, match=f"cue sheet counts to 99, this session has {len(record.items)} pieces and"):
        export_session(store, record, "wav", tmp_path / "a.wav", SOUND, cue=True)
    assert list(tmp_path.glob("a.*")) == []


def opened_by(command: list[Any], **options: Any) -> str:
    """What a player says of a playlist."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)
    return done.stdout + done.stderr


@pytest.mark.parametrize("form", ["m3u8", "pls"])
def test_mpv_opens_every_piece(form: str, rendered: tuple[Store, SessionRecord, Path]) -> None:
    if shutil.which("mpv") is None:
        pytest.skip("mpv is not installed")
    _, record, folder = rendered
    said = opened_by(
        [
            *("mpv", "--no-config", "--no-video", "--ao=null", "--untimed", "--length=0.05", "--msg-level=all=info"),
            *("--term-playing-msg=PLAYS ${filename} ${duration}", folder / f"list-1.{form}"),
        ]
    )
    played = [line for line in said.splitlines() if line.startswith("PLAYS ")]
    assert len(played) == len(record.items), said
    for path, line in zip(paths_in(folder / f"list-1.{form}"), played, strict=True):
        assert Path(path).name in line


@pytest.mark.long
def test_vlc_opens_every_piece(rendered: tuple[Store, SessionRecord, Path]) -> None:
    """Of both lists at once: it plays a second of each file, in real time."""
    vlc = shutil.which("cvlc")
    if vlc is None:
        pytest.skip("VLC is not installed")
    _, record, folder = rendered
    place = Path("/tmp") / f"vlc-{os.getpid()}"
    shutil.copytree(folder, place)
    options: dict[str, Any] = {"env": {**os.environ, "HOME": str(place)}}
    if os.geteuid() == 0:
        # It refuses to run as root.
        subprocess.run(["chown", "-R", "nobody", place], check=True)
        options |= {"user": "nobody", "cwd": "/"}
    command = [vlc, "-vv", "--no-video", "--aout=adummy", "--run-time=1", "--play-and-exit", "--no-interact"]
    try:
        with ThreadPoolExecutor() as pool:
            told = pool.map(
                lambda form: opened_by([*command, place / f"list-1.{form}", "vlc://quit"], **options), ("m3u8", "xspf")
            )
            lists = list(told)
    finally:
        shutil.rmtree(place)
    music = [item for item in record.items if item.role == "music"]
    for said in lists:
        opened = [line for line in said.splitlines() if "successfully opened" in line]
        assert sum(".ogg" in line for line in opened) >= len(music), said[-3000:]


def test_mpd_loads_every_piece(rendered: tuple[Store, SessionRecord, Path], tmp_path: Path) -> None:
    """The daemon resolves what a playlist in its music folder names against what it found there."""
    if shutil.which("mpd") is None:
        pytest.skip("mpd is not installed")
    import socket

    _, record, folder = rendered
    address = tmp_path / "mpd.socket"
    (tmp_path / "playlists").mkdir()
    (tmp_path / "mpd.conf").write_text(
        f'music_directory "{folder}"\nplaylist_directory "{tmp_path / "playlists"}"\n'
        f'db_file "{tmp_path / "mpd.db"}"\nbind_to_address "{address}"\nlog_file "{tmp_path / "mpd.log"}"\n'
        'audio_output {\n type "null"\n name "none"\n}\n'
    )
    daemon = subprocess.Popen(["mpd", "--no-daemon", tmp_path / "mpd.conf"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not address.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(address))
            stream = line.makefile("rw", encoding="utf-8", newline="\n")
            assert stream.readline().startswith("OK MPD")

            def ask(text: str) -> list[str]:
                stream.write(text + "\n")
                stream.flush()
                answer: list[str] = []
                while True:
                    said = stream.readline().rstrip("\n")
                    if said == "OK" or said.startswith("ACK"):
                        return [*answer, said]
                    answer.append(said)

            ask("update")
            while any(said.startswith("updating_db") for said in ask("status")):
                time.sleep(0.05)
            for form in ("m3u8", "xspf"):
                ask("clear")
                assert ask(f'load "list-1.{form}"')[-1] == "OK"
                queued = [said for said in ask("playlistinfo") if said.startswith("file: ")]
                assert [said.removeprefix("file: ") for said in queued] == paths_in(folder / f"list-1.{form}")
                assert len(queued) == len(record.items)
            stream.close()
    finally:
        daemon.terminate()
        daemon.wait(timeout=20)


@pytest.mark.long
@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "mp3"])
def test_ffprobe_reads_the_tags(form: str, rendered: tuple[Store, SessionRecord, Path], tmp_path: Path) -> None:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    store, record, _ = rendered
    export_session(store, record, "m3u8", tmp_path / "a.m3u8", SOUND, audio=form)
    path = tmp_path / paths_in(tmp_path / "a.m3u8")[1]
    said = json.loads(opened_by(["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", path]))
    # Ogg keeps them with the stream.
    tags = {**said["streams"][0].get("tags", {}), **said["format"].get("tags", {})}
    tags = {name.lower(): value for name, value in tags.items()}
    piece = record.pieces()[0]
    assert (tags["title"], tags["artist"], tags["album"]) == (piece.title, "therapy-gen", f"Session {record.id}")
    assert tags["track"].split("/")[0] == "1"
    assert float(said["format"]["duration"]) == pytest.approx(record.items[1].duration_s, abs=0.1)
