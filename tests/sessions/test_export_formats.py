"""Export formats are declared once: a new one is one file, and the code, help, completion and manual know it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from sessions.export import formats

TOY = """
from sessions.export.formats import ExportFormat

def _write(export):
    export.writer.put(export.path, f"{export.programme.title}: {len(export.programme.items)}".encode())

FORMATS = (ExportFormat("toy", (".toy",), "a toy", _write),)
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A format in a file of its own."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "toy_of_a_test.py").write_text(TOY)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(folder)])
    monkeypatch.setattr(formats, "_registered", {})


@pytest.mark.usefixtures("toy", "with_session")
def test_toy_format_is_one_file(cli: Any, tmp_path: Path) -> None:
    from therapy_gen.cli.completion import _formats
    from therapy_gen.cli.context import GlobalOptions

    assert cli("export", "--session", "1", "-o", tmp_path / "a.toy").status == 0
    title, items = (tmp_path / "a.toy").read_text().split(": ")
    assert title == "Session 1"
    assert int(items) > 0
    assert cli("export", "--session", "1", "--format", "toy", "-o", tmp_path / "b").status == 0
    assert "toy" in [word for word, _ in _formats(GlobalOptions(), "")]
    assert formats.describe().endswith("; toy: a toy")


@pytest.mark.long
@pytest.mark.usefixtures("with_session")
def test_names_stay_out_of_files(cli: Any, tmp_path: Path) -> None:
    for name in ("a.m3u8", "a.mid", "a.json", "a.tsv"):
        for given in ((), ("--with-name",)):
            folder = tmp_path / f"{name[2:]}{len(given)}"
            folder.mkdir()
            extra = ("--audio", "ogg") if name == "a.m3u8" else ()
            assert cli("export", "--session", "1", *extra, "-o", folder / name, *given).status == 0
            content = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
            assert (b" ana" in content or b'"ana"' in content) == bool(given), (name, given)


@pytest.mark.usefixtures("with_session")
def test_cells_are_no_formulas(cli: Any, home: Path, tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(home / "therapy.db") as connection:
        connection.execute("UPDATE pieces SET title = '=cmd|calc'")
    for name in ("s.csv", "s.tsv"):
        assert cli("export", "--session", "1", "-o", tmp_path / name).status == 0
        rows = list(csv.reader(io.StringIO((tmp_path / name).read_text()), delimiter="," if "csv" in name else "\t"))
        assert "'=cmd|calc" in {cell for row in rows for cell in row}
        assert not [cell for row in rows for cell in row if cell.startswith("=")]
    assert json.loads((tmp_path / "s.json").read_text())["onset"]["Units"] == "s"
