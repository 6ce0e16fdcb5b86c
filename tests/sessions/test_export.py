from __future__ import annotations

from tests.needs import needs

needs("symusic", "symusic has no wheels for this Python")
needs("mido", "mido is for the tests alone")
needs("pretty_midi", "pretty_midi is for the tests alone")

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pretty_midi
import pytest
import soundfile
import symusic

from sessions.builder import new_session
from sessions.errors import ExportError
from sessions.export.audio import Sound
from sessions.export.cue_sheet import cue_sheet
from sessions.export.export import FileWriter, export_piece, export_playlist, export_session, piece_format
from sessions.export.formats import Export
from sessions.export.playlist_audio import render_entries
from sessions.export.playlists import Entry, m3u8
from sessions.planning.plan import SessionRequest
from sessions.records import Programme, SessionRecord
from sessions.storage.library import midi_of
from sessions.storage.piece_import import import_pieces
from sessions.storage.store import Store
from therapy_gen.errors import InputError
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.musicvae.model import Model

SOUND = Sound()
Cli = Callable[..., Any]


@pytest.fixture
def short(store: Store, model: Model) -> SessionRecord:
    """A session of silence, a piece heard twice, silence: about three minutes."""
    return new_session(
        store, model, SessionRequest(minutes=3.0, repeats=2, baseline_s=5.0), seed=4, listener='O"Hara\n'
    )


def read_playlist(path: Path) -> list[tuple[int, str, Path]]:
    """The entries as a player reads them."""
    head, name, *lines = path.read_text(encoding="utf-8").splitlines()
    assert head == "#EXTM3U"
    assert name.startswith("#PLAYLIST:")
    entries = []
    for information, file in zip(lines[::2], lines[1::2], strict=True):
        length, title = information.removeprefix("#EXTINF:").split(",", 1)
        assert not Path(file).is_absolute()
        entries.append((int(length), title, path.parent / file))
    return entries


@pytest.mark.long
def test_a_playlist_points_at_what_it_brings(store: Store, short: SessionRecord, tmp_path: Path) -> None:
    path = tmp_path / "évening #1.m3u8"
    export_session(store, short, "m3u8", path, SOUND)
    entries = read_playlist(path)
    assert len(entries) == len(short.items)
    for (length, title, file), item in zip(entries, short.items, strict=True):
        assert length == round(item.duration_s)
        assert title == (item.piece.title if item.piece else "Silence")
        facts = soundfile.info(file)
        assert facts.duration == pytest.approx(item.duration_s, abs=0.001)
        samples = soundfile.read(file, always_2d=True)[0]
        assert (np.abs(samples).max() > 0.01) == (item.role == "music")
        assert np.abs(samples).max() < 1.0
    files = {file.resolve() for _, _, file in entries}
    assert files == {file.resolve() for file in (tmp_path / "évening _1").iterdir()}

    before = {file: file.read_bytes() for file in (path, *files)}
    export_session(store, short, "m3u8", path, SOUND)
    assert before == {file: file.read_bytes() for file in before}
    assert files == {file.resolve() for file in (tmp_path / "évening _1").iterdir()}


@pytest.mark.long
def test_a_playlist_beside_its_audio(store: Store, short: SessionRecord, tmp_path: Path) -> None:
    export_playlist(store, short.programme(), tmp_path / "session-1.m3u8", "ogg", SOUND, beside=True)
    assert {file.parent for _, _, file in read_playlist(tmp_path / "session-1.m3u8")} == {tmp_path}
    assert all(file.name.startswith("session-1") for file in tmp_path.iterdir() if "therapy.db" not in file.name)


@pytest.mark.parametrize("form", [pytest.param("wav", marks=pytest.mark.long), "flac"])
def test_a_session_as_one_file_has_everything_in_its_place(
    form: str, store: Store, short: SessionRecord, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{form}"
    heard: list[float] = []
    export_session(store, short, form, path, Sound(advance=heard.append))
    assert sum(heard) == pytest.approx(short.duration_s, abs=0.01)
    samples, rate = soundfile.read(path, always_2d=True)
    assert len(samples) == round(short.duration_s * rate)
    assert np.abs(samples).max() < 1.0
    for item in short.items:
        stretch = samples[round(item.onset_s * rate) + 2 : round((item.onset_s + item.duration_s) * rate) - 2]
        assert (np.abs(stretch).max() > 0.01) == (item.role == "music")


def test_a_session_as_midi_has_every_note_in_its_place(store: Store, session: SessionRecord, tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    export_session(store, session, "midi", path, SOUND)
    whole = read_performance(path.read_bytes())
    assert whole.duration == pytest.approx(session.duration_s, abs=0.01)
    midi = midi_of(store, [piece.id for piece in session.pieces()])
    expected = []
    for item in session.items:
        if item.piece:
            for part in read_performance(midi[item.piece.id]).parts:
                expected += [(part.program, n.pitch, n.velocity, n.onset + item.onset_s) for n in part.notes]
    found = [(part.program, n.pitch, n.velocity, n.onset) for part in whole.parts for n in part.notes]
    assert len(found) == len(expected)
    for a, b in zip(sorted(found), sorted(expected), strict=True):
        assert a[:3] == b[:3]
        assert a[3] == pytest.approx(b[3], abs=0.005)


def test_a_session_as_midi_is_barred_from_the_beginning_of_every_piece(
    store: Store, model: Model, tmp_path: Path
) -> None:
    score = symusic.Score(480)
    for quarter, tempo in ((0, 61.0), (30, 57.0)):
        score.tempos.append(symusic.Tempo(480 * quarter, qpm=tempo))
    for quarter, beats, unit in ((0, 7, 8), (35, 2, 4)):
        score.time_signatures.append(symusic.TimeSignature(480 * quarter, beats, unit))
    score.tracks.append(symusic.Track("tune", 0, False))
    for n in range(64):
        score.tracks[0].notes.append(symusic.Note(n * 480, 400, 60 + n % 7, 60))
    score.dump_midi(str(tmp_path / "seven.mid"))
    (one,) = import_pieces(store, [tmp_path / "seven.mid"])
    request = SessionRequest(minutes=5.0, metre="3/4", baseline_s=10.0)
    made = new_session(store, model, request, seed=4, requested=[one.piece.id])
    export_session(store, made, "midi", tmp_path / "a.mid", SOUND)

    file = mido.MidiFile(tmp_path / "a.mid")
    now, signatures, struck = 0.0, [], []
    for message in file:
        now += message.time
        if message.type == "time_signature":
            signatures.append((now, f"{message.numerator}/{message.denominator}"))
        elif message.type == "note_on" and message.velocity:
            struck.append(now)
    expected = [] if made.items[0].piece else [(0.0, "7/8" if made.pieces()[0].source else "3/4")]
    onsets = []
    midi = midi_of(store, [piece.id for piece in made.pieces()])
    for item in made.items:
        if item.piece is None:
            continue
        expected.append((item.onset_s, item.piece.metre))
        if item.piece.source:
            expected.append((item.onset_s + 30 * 60 / 61.0 + 5 * 60 / 57.0, "2/4"))
        theirs = pretty_midi.PrettyMIDI(io.BytesIO(midi[item.piece.id]))
        onsets += [item.onset_s + note.start for part in theirs.instruments for note in part.notes]
    assert {"7/8", "3/4"} <= {metre for _, metre in expected}
    assert [metre for _, metre in signatures] == [metre for _, metre in expected]
    assert [at for at, _ in signatures] == pytest.approx([at for at, _ in expected], abs=0.002)
    assert struck == pytest.approx(sorted(onsets), abs=0.002)
    # To the tick, as symusic reads it: the bar of the tune begins with its first note.
    read = symusic.Score.from_midi((tmp_path / "a.mid").read_bytes())
    begins = {signature.time for signature in read.time_signatures if signature.numerator == 7}
    assert begins & {note.start for track in read.tracks for note in track.notes if note.pitch == 60}


def test_tables_say_what_the_session_is(store: Store, session: SessionRecord, tmp_path: Path) -> None:
    export_session(store, session, "csv", tmp_path / "a.csv", SOUND)
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["role"] for row in rows] == [item.role for item in session.items]
    assert float(rows[-1]["onset_s"]) + float(rows[-1]["duration_s"]) == pytest.approx(session.duration_s)
    export_session(store, session, "json", tmp_path / "a.json", SOUND, with_name=True)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == session.document()


def test_events_and_their_side_file_are_written_together_or_not_at_all(
    store: Store, short: SessionRecord, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(ExportError, match=r"a\.json, the side file of .*a\.tsv, exists and holds something else"):
        export_session(store, short, "events", tmp_path / "a.tsv", SOUND)
    assert not (tmp_path / "a.tsv").exists()
    assert (tmp_path / "a.json").read_text() == "mine"
    export_session(store, short, "events", tmp_path / "a.tsv", SOUND, writer=FileWriter(overwrite=True))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["onset"]["Units"] == "s"


@pytest.mark.parametrize(
    "form", ["mid", "flac", *(pytest.param(form, marks=pytest.mark.long) for form in ("wav", "ogg", "mp3"))]
)
def test_a_piece_as_a_file(form: str, store: Store, model: Model, tmp_path: Path) -> None:
    piece = new_session(store, model, SessionRequest(minutes=1.0), seed=1).pieces()[0]
    path = tmp_path / f"a.{form}"
    export_piece(store, piece, path, SOUND)
    if form == "mid":
        assert path.read_bytes() == midi_of(store, [piece.id])[piece.id]
    else:
        assert soundfile.info(path).duration == pytest.approx(piece.duration_s, abs=0.1)
    assert [file.name for file in tmp_path.iterdir() if "therapy.db" not in file.name] == [path.name]


@pytest.mark.parametrize(
    ("form", "name", "said"),
    [
        ("flac", "", "is a folder; give the name of a file"),
        ("m3u8", "", "is a folder"),
        ("json", "", "is a folder"),
        ("midi", "nowhere/a.mid", "the folder of .* does not exist"),
        ("wav", "a.flac", r"is named as flac, but the format is wav"),
        ("m3u8", "taken.m3u8", "is a file; give the name of a folder"),
        ("csv", "x" * 300, "cannot write .*name too long"),
    ],
)
def test_places_that_cannot_be_written(
    form: str, name: str, said: str, store: Store, short: SessionRecord, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "taken").write_text("mine")
    with pytest.raises(InputError, match=said):
        export_session(store, short, form, folder / name, SOUND)
    assert [file.name for file in folder.iterdir()] == ["taken"]
    assert (folder / "taken").read_text() == "mine"


@pytest.mark.parametrize("name", ["a", "a.txt", "a.tar.gz", ".flac"])
def test_a_name_that_says_no_format(name: str) -> None:
    with pytest.raises(ExportError, match="does not say a format"):
        piece_format(Path(name))


def test_a_piece_is_offered_no_format_that_is_refused(store: Store, short: SessionRecord, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"does not say a format; end it in one of: \.mid, .*, \.mp3, \.musicxml$"):
        export_piece(store, short.pieces()[0], tmp_path / "a.xyz", SOUND)


@pytest.mark.parametrize("name", ["a.csv", "a.m3u8"])
def test_a_piece_is_no_table(name: str, store: Store, short: SessionRecord, tmp_path: Path) -> None:
    with pytest.raises(
        ExportError,
        match=r"is named as \w+, which .*; end the name in one of: \.mid, .*, \.mp3, \.musicxml$",
    ):
        export_piece(store, short.pieces()[0], tmp_path / name, SOUND)


def test_a_soundfont_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is not a file; give an SF2 or SF3 file"):
        Sound(tmp_path / "none.sf2")


def test_a_soundfont_that_is_none(store: Store, short: SessionRecord, tmp_path: Path) -> None:
    (tmp_path / "a.sf2").write_bytes(b"RIFF nonsense")
    with pytest.raises(InputError, match=r"a\.sf2"):
        export_session(store, short, "wav", tmp_path / "a.wav", Sound(tmp_path / "a.sf2"))
    assert not (tmp_path / "a.wav").exists()


@pytest.mark.long
def test_titles_of_any_kind_make_names_that_any_disk_takes(store: Store, short: SessionRecord, tmp_path: Path) -> None:
    title = 'a/b\\c:d*?"<>|\n\u200b' + "名" * 200
    items = tuple(replace(item, piece=item.piece and replace(item.piece, title=title)) for item in short.items)
    path = export_playlist(store, replace(short, items=items).programme(), tmp_path / "a.m3u8", "ogg", SOUND)
    for _, _, file in read_playlist(path):
        assert file.is_file()
        assert not set('/\\:*?"<>|\n') & set(file.name)


def test_a_playlist_keeps_to_one_line_an_entry() -> None:
    text = m3u8([Entry("#1.flac", "a\nb", 2.6)], title="c\nd")
    assert text == "#EXTM3U\n#PLAYLIST:c d\n#EXTINF:3,a b\n./#1.flac\n"


@pytest.mark.long
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_full_disk_leaves_no_part(store: Store, short: SessionRecord, tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    folder = tmp_path / "small"
    folder.mkdir()
    script = f'mount -t tmpfs -o size=2m none "{folder}" && exec "$0" "$@"'
    command = [unshare or "false", "--mount", "--map-root-user", "sh", "-c", script]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted here")
    code = f"""
from pathlib import Path
from sessions.export.export import export_session
from sessions.storage.library import get_session
from sessions.export.audio import Sound
from sessions.storage.store import Store
from therapy_gen.errors import InputError
store = Store.open({store.label!r})
for form in ("wav", "flac", "m3u8"):
    try:
        export_session(store, get_session(store, {short.id}), form, Path({str(folder)!r}) / f"a.{{form}}", Sound())
    except InputError as error:
        print(error)
    print(sorted(path.name for path in Path({str(folder)!r}).glob("*.*")))
"""
    done = subprocess.run([*command, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert len(lines) == 6, done.stderr
    for said, left in zip(lines[::2], lines[1::2], strict=True):
        assert "a." in said or "silence" in said or "01-" in said
        assert left == "[]"


def test_a_playlist_needs_an_ending(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "therapy_gen.cli.main", "--home", str(tmp_path / "home")]
    subprocess.run([*program, "session", "new", "--minutes", "1"], check=True)
    export = ["export", "--session", "1", "--format", "m3u8", "-o", str(tmp_path / "playlist")]
    refused = subprocess.run([*program, *export], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "call the playlist playlist.m3u8" in refused.stderr
    assert not (tmp_path / "playlist").exists()


def export(cli: Cli, path: object, form: str, *words: object) -> Any:
    return cli("export", "--session", 1, "--format", form, "-o", path, *words)


@pytest.mark.parametrize("name", ["...m3u8", "..m3u8"])
def test_a_playlist_of_dots_is_refused(name: str, cli: Cli, with_session: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = export(cli, tmp_path / "out" / name, "m3u8")
    assert done.status == 1
    assert f"{name} has only dots before its ending" in done.error_line
    assert list((tmp_path / "out").iterdir()) == []
    assert not list(tmp_path.glob("*.flac"))


@pytest.mark.parametrize(
    ("form", "words"), [("m3u8", ()), ("m3u8", ("--urlencode",)), ("xspf", ()), ("pls", ("--relative-to", "/"))]
)
def test_a_playlist_that_cannot_name_its_files_is_refused(
    form: str, words: tuple[str, ...], cli: Cli, with_session: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    done = export(cli, tmp_path / "out" / f"\udcff.{form}", form, *words)
    assert done.status == 1
    assert r"\udcff" in done.error_line
    assert "is not UTF-8" in done.error_line
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["\udcff", 'a"b', "a\nb", "a\x07b"])
def test_a_cue_sheet_that_cannot_name_its_file_is_refused(
    name: str, cli: Cli, with_session: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    done = export(cli, tmp_path / "out" / f"{name}.flac", "flac", "--cue")
    assert done.status == 1
    assert "cue sheet can" in done.error_line
    assert list((tmp_path / "out").iterdir()) == []


def test_a_cue_sheet_names_a_file_as_it_is_called(store: Store, session: SessionRecord) -> None:
    name = " two  blanks\u00a0. .flac"
    assert f'FILE "{name}" WAVE\n' in cue_sheet(session.programme(), name, "flac")


def test_a_piece_in_no_key_says_its_tempo_alone(store: Store, short: SessionRecord, tmp_path: Path) -> None:
    piece = replace(short.pieces()[0], key="", tempo=120.0)
    programme = Programme("drums", (replace(short.items[1], piece=piece),))
    (entry,) = render_entries(Export(store, programme, tmp_path / "a.csv", SOUND, FileWriter(pretend=True)))
    assert entry.note == "120.0 quarter notes a minute"
