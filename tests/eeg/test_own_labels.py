"""Labels of one's own: matched to pieces by a table, or scored without a library."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eeg.errors import TimelineError
from eeg.io.recording import Annotation
from eeg.scoring import plan_recording
from eeg.timeline.events import read_labels_file
from eeg.timeline.known_pieces import KnownPiece, Library
from eeg.timeline.labels import relabel


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_of_labels(tmp_path: Path) -> None:
    found = read_labels_file(table(tmp_path / "songs.tsv", "label\tpiece\nsongA\t01A\n\nsong B\t01B\n"))
    assert found == {"songA": "01A", "song B": "01B"}
    marks = [Annotation(0.0, 5.0, "Stimulus/songA"), Annotation(6.0, 5.0, "SONG B"), Annotation(12.0, 1.0, "blink")]
    assert [one.text for one in relabel(marks, found)] == ["piece/01A", "piece/01B", "blink"]
    for text in ("a\tb\n1\t2\n", "label\tpiece\nx\n", "label\tpiece\nx\t1\nx\t2\n", "label\tpiece\n\t1\n"):
        with pytest.raises(TimelineError):
            read_labels_file(table(tmp_path / "bad.tsv", text))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_tables_are_no_pipes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "songs.tsv")
    with pytest.raises(TimelineError, match="a pipe or a device"):
        read_labels_file(tmp_path / "songs.tsv")


def test_any_label_lasts_until_the_next() -> None:
    marks = [
        Annotation(0.0, 0.0, "New Segment/"),
        Annotation(5.0, 0.0, "song A"),
        Annotation(65.0, 0.0, "BAD_gap"),
        Annotation(70.0, 0.0, "silence"),
        Annotation(90.0, 30.0, "song/B"),
        Annotation(130.0, 0.0, "end"),
        Annotation(140.0, 0.0, "song C"),
    ]
    found = {one.text: one.duration_s for one in relabel(marks, None, any_label=True)}
    assert found == {
        "New Segment/": 0.0,
        "piece/song_A": 65.0,
        "BAD_gap": 0.0,
        "silence": 0.0,
        "piece/B": 30.0,
        "end": 0.0,
    }


def test_each_piece_is_looked_up_once(listener_fif: Path, tmp_path: Path) -> None:
    rows = "".join(f"{i * 0.1:.1f}\t0.05\tpiece/x\n" for i in range(3000))
    events = table(tmp_path / "rows.tsv", f"onset\tduration\ttrial_type\n{rows}")
    requested = []
    plan_recording(listener_fif, Library(lambda name: requested.append(name) or KnownPiece(name)), events=events)
    assert requested == ["x"]
