"""MIDI files as people have them are read as players play them, by one reader for every command."""

from __future__ import annotations

from tests.needs import needs

needs("mido", "mido is for the tests alone")

import contextlib
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest

from therapy_gen.errors import InputError
from therapy_gen.music.corpus.score import read_score
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.midi.reader import read_midi_bytes
from therapy_gen.music.midi.title import readable_text
from therapy_gen.music.performance import Performance

DATA = Path(os.environ.get("THERAPY_GEN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")) / "corpus"
END = b"\x00\xff\x2f\x00"


def length(value: int) -> bytes:
    out = [value & 127]
    while value := value >> 7:
        out.append(value & 127 | 128)
    return bytes(reversed(out))


def track(*events: tuple[int, bytes], end: int = 0) -> bytes:
    data = b"".join(length(delta) + event for delta, event in events) + length(end) + END[1:]
    return b"MTrk" + struct.pack(">I", len(data)) + data


def file_of(*tracks: bytes, kind: int = 1) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), 480) + b"".join(tracks)


def on(pitch: int, channel: int = 0) -> bytes:
    return bytes((0x90 | channel, pitch, 80))


def off(pitch: int, channel: int = 0) -> bytes:
    return bytes((0x80 | channel, pitch, 0))


def tune(first: int = 0, low: int = 0) -> list[tuple[int, bytes]]:
    notes = [pair for n in range(8) for pair in ((0, on(60 + n + low)), (480, off(60 + n + low)))]
    return [(first, notes[0][1]), *notes[1:]]


NAME = (0, b"\xff\x03\x01A")
SETUP = [(0, b"\xc0\x30"), (0, b"\xb0\x07\x28"), (0, b"\xb0\x0a\x0a")]
PLAIN = file_of(track(NAME, *tune()))


def heard(found: Performance) -> list[object]:
    return sorted(
        (part.program, round(part.level, 4), round(part.pan, 3), note.onset, note.duration, note.pitch)
        for part in found.parts
        for note in part.notes
    )


@pytest.mark.parametrize(
    "wrapped",
    [
        PLAIN + b"\x1a" * 40,
        PLAIN + b"<html>not found</html>",
        PLAIN + b"MTrk" + struct.pack(">I", 99) + b"\x00",
        b"RIFF" + struct.pack("<I", len(PLAIN) + 12) + b"RMIDdata" + struct.pack("<I", len(PLAIN)) + PLAIN,
        b"RIFF"
        + struct.pack("<I", 99)
        + b"RMIDLIST"
        + struct.pack("<I", 3)
        + b"abc\x00data"
        + struct.pack("<I", 999)
        + PLAIN,
        b"\x00" + b"macbinary" * 14 + b"\x00" + PLAIN,
        PLAIN.replace(track(NAME, *tune())[4:8], struct.pack(">I", 5000)),
        PLAIN.replace(track(NAME, *tune())[4:8], struct.pack(">I", 20)),
    ],
    ids=["blanks", "html", "half-a-track", "riff", "riff-info", "macbinary", "length-too-large", "length-too-small"],
)
def test_what_stands_around_a_file_is_passed_over(wrapped: bytes) -> None:
    assert heard(read_performance(wrapped)) == heard(read_performance(PLAIN))
    assert read_performance(wrapped).title == "A"


@pytest.mark.parametrize("extra", [b"\xf8", b"\xfe", b"\xfa", b"\xf6", b"\xf1\x10", b"\xf3\x01", b"\xf2\x01\x02"])
def test_real_time_and_common_bytes_are_ignored(extra: bytes) -> None:
    events = [event for each in tune() for event in (each, (0, extra))]
    assert heard(read_performance(file_of(track(NAME, *events)))) == heard(read_performance(PLAIN))


@pytest.mark.parametrize("loud", [b"\xb0\x07\xff", b"\xb0\x07\x7f"])
def test_values_above_127_are_127(loud: bytes) -> None:
    found = read_performance(file_of(track(NAME, (0, loud), *tune())))
    assert found.parts[0].level == pytest.approx((127 * 127 / 127**2) ** 2)


def test_a_channel_is_one_whichever_track_sets_it() -> None:
    whole = heard(read_performance(file_of(track(NAME, *SETUP, *tune()))))
    assert heard(read_performance(file_of(track(NAME, *SETUP), track(*tune())))) == whole
    # Set by the last track at the first tick, before notes that begin there.
    assert heard(read_performance(file_of(track(*tune()), track(*SETUP)))) == whole
    hands = heard(read_performance(file_of(track(*SETUP, *tune()), track(*tune(low=-24)))))
    assert hands == heard(read_performance(file_of(track(*SETUP, *tune()), track(*SETUP, *tune(low=-24)))))


@pytest.mark.parametrize(("name", "read"), [("F\u00fcr".encode("utf-16"), "F\u00fcr"), ("a\u202eb".encode(), "ab")])
def test_names_in_utf_16_and_with_signs_that_turn_lines_around(name: bytes, read: str) -> None:
    assert readable_text(name) == read


def test_the_end_mark_of_a_track_without_notes_makes_no_silence() -> None:
    struck = [(0 if n == 0 else 480, on(60 + n)) for n in range(8)]
    released = [(480, off(60 + n)) for n in range(8)]
    found = read_performance(file_of(track(NAME, *struck), track(*released, end=28_800)))
    assert heard(found) == heard(read_performance(PLAIN))
    assert found.duration == 7.0


def test_a_program_that_changes_between_notes_changes_what_follows() -> None:
    found = read_performance(file_of(track(*tune()), track((960, b"\xc0\x30"))))
    assert sorted((part.program, len(part.notes)) for part in found.parts) == [(0, 2), (48, 6)]


def test_a_pedal_or_release_of_another_track_counts() -> None:
    down, up = b"\xb0\x40\x7f", b"\xb0\x40\x00"
    found = read_performance(file_of(track(*tune()), track((0, down), (960, up))))
    assert found.parts[0].pedal == ((0.0, 1.0),)
    starts = [(480 if n else 0, on(60 + n)) for n in range(8)]
    found = read_performance(file_of(track(*starts), track(*((480, off(60 + n)) for n in range(8)), end=28800)))
    assert [note.duration for note in found.parts[0].notes] == pytest.approx([0.5] * 8)


def test_two_tracks_of_a_channel_release_their_own_key_first() -> None:
    first = track((0, on(60)), (1920, off(60)))
    second = track((480, on(60)), (480, off(60)))
    parts = read_performance(file_of(first, second)).parts
    assert [note.duration for part in parts for note in part.notes] == pytest.approx([2.0, 0.5])


@pytest.mark.parametrize(
    ("name", "title"),
    [
        (b"F\xfcr Elise", "Für Elise"),
        ("Für Elise".encode(), "Für Elise"),
        ("E\u0301tude".encode(), "Étude"),
        ("ひだまりの詩".encode("shift_jis"), "ひだまりの詩"),
        ("Тихая ночь".encode("cp1251"), ""),
        ("茉莉花".encode("gbk"), ""),
        (b"CANDY\x00\x00junk", "CANDY"),
        (b"a\x1b[31mred", "ared"),
        (b"\x00\x00", ""),
    ],
)
def test_titles_are_read_or_left_to_the_file_s_name(name: bytes, title: str) -> None:
    assert readable_text(name) == title


def test_silence_behind_a_stray_end_is_left_out() -> None:
    found = read_performance(file_of(track(*tune(), end=480 * 2 * 3600)))
    assert (found.duration, round(found.silence_cut)) == (pytest.approx(7.0), 3600)
    assert read_performance(file_of(track(*tune(), end=480 * 2 * 5 * 3600))).duration == pytest.approx(7.0)
    # Silence that a session may end with stays.
    assert read_performance(file_of(track(*tune(), end=480 * 2 * 300))).duration == pytest.approx(304.0)


@pytest.mark.parametrize("signature", [b"\x04\x1e\x18\x08", b"\x00\x02\x18\x08", b"\x04"])
def test_a_signature_that_makes_no_sense_is_passed_over(tmp_path: Path, signature: bytes) -> None:
    event = b"\xff\x58" + bytes((len(signature),)) + signature
    (tmp_path / "a.mid").write_bytes(file_of(track((0, event), *tune())))
    assert read_score(tmp_path / "a.mid").bars.tolist() == [0.0, 4.0, 8.0]


@pytest.mark.parametrize(
    "made",
    [
        lambda: file_of(track(*((1, b"\xff\x51\x03\x07\xa1" + bytes((n & 127,))) for n in range(30_000)))),
        lambda: file_of(track(*((0, on(60)) for _ in range(50_000)), *((1, off(60)) for _ in range(50_000)))),
        lambda: file_of(track(*((1, b"\xff\x58\x04\x01\x07\x18\x08") for _ in range(30_000)), *tune())),
        lambda: file_of(*(track() for _ in range(60_000))),
    ],
    ids=["tempi", "held", "metres", "tracks"],
)
def test_reading_takes_time_as_the_file_is_long(tmp_path: Path, made: Callable[[], bytes]) -> None:
    data = made()
    (tmp_path / "a.mid").write_bytes(data)
    for read in (lambda: read_performance(data, name="a.mid"), lambda: read_score(tmp_path / "a.mid")):
        begin = time.perf_counter()
        with contextlib.suppress(InputError):
            read()
        assert time.perf_counter() - begin < 8.0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mid")
    (tmp_path / "b.mid").symlink_to("/dev/zero")
    for name in ("a.mid", "b.mid"):
        for read in (read_midi_bytes, read_score):
            with pytest.raises(InputError, match=f"{name} is a pipe or a device"):
                read(tmp_path / name)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no corpus at {DATA}")
def test_mido_reads_the_same_notes_of_real_files() -> None:
    for path in sorted((DATA / "mutopia").glob("*.mid"))[::90]:
        score = read_score(path)
        assert notes_by_mido(path) == sorted(
            (round(float(n["onset"]), 4), round(float(n["duration"]), 4), int(n["pitch"])) for n in score.notes
        )


def notes_by_mido(path: Path) -> list[tuple[float, float, int]]:
    file = mido.MidiFile(path, clip=True)
    found = []
    held: dict[tuple[int, int], list[int]] = {}
    now = 0
    for message in mido.merge_tracks(file.tracks):
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == 9:
            continue
        key = (message.channel, message.note)
        if message.type == "note_on" and message.velocity:
            held.setdefault(key, []).append(now)
        elif held.get(key):
            start = held[key].pop(0)
            if now > start:
                beat = file.ticks_per_beat
                found.append((round(start / beat, 4), round((now - start) / beat, 4), message.note))
    assert np.isfinite(now)
    return sorted(found)


def test_a_time_signature_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.mid"
    path.write_bytes(
        file_of(track((0, b"\xff\x58\x04\x01\x1e\x18\x08"), (0, b"\xff\x58\x04\x00\x02\x18\x08"), *tune()))
    )
    said = "the time signature 1/2^30 (and 1 more such) is no metre: left out"
    assert read_score(path).remarks == (said,)
    path.write_bytes(
        file_of(track((0, b"\xff\x58\x04\x01\x1e\x18\x08"), *tune(), (480 * 2 * 5 * 3600, on(60)), (1, off(60))))
    )
    with pytest.raises(
        InputError, match=r"odd.mid lasts longer than 4 hours \(its last note ends after 5 hours; the time"
    ):
        read_performance(path.read_bytes(), name="odd.mid")
