"""Files and names made to harm: models that ask for memory, escape sequences for the terminal, formulas."""

from __future__ import annotations

import hashlib
import html
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from sessions.clients.scales import read_scales
from sessions.storage.store import Store
from therapy_gen.errors import InputError
from therapy_gen.musicvae.load import open_model
from therapy_gen.musicvae.weights import ASSETS, EMBEDDED
from therapy_gen.study.protocol import read_protocol

DEEP = "[" * 900 + "]" * 900


def model_file(path: Path, metadata: Any) -> Path:
    """A safetensors file without arrays."""
    head = json.dumps({"__metadata__": metadata}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head)
    return path


@pytest.mark.parametrize(
    "metadata",
    [
        ["config"],
        "config",
        {"config": "[]"},
        {"config": '{"voices": 1000000000}'},
        {"config": '{"num_classes": 1e9}'},
        {"config": '{"bar_units": [4096, 1e12]}'},
        {"config": '{"bars": true}'},
        {"config": "{}", "facts": DEEP},
        {"config": "{}", "facts": '{"a": ' + DEEP + "}"},
        {"config": "[" * 100_000},
        {"format": "therapy-gen/magenta", "config": "[" * 100_000},
        {"format": "therapy-gen/magenta", "config": '{"name": "x", "z_size": 1e12}'},
        {"config": 7},
    ],
)
def test_model_metadata(tmp_path: Path, metadata: Any) -> None:
    with pytest.raises(InputError) as caught:
        open_model(str(model_file(tmp_path / "m.safetensors", metadata)))
    assert "\n" not in str(caught.value)


def test_embedded_models_are_those_in_the_code() -> None:
    found = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in ASSETS.glob("*.safetensors")}
    assert found == EMBEDDED


def test_own_model_before_the_embedded_one_is_named(cli: Any, home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "calm.safetensors").write_bytes((ASSETS / "calm.safetensors").read_bytes())
    done = cli("sample", "-n", "1", "--seed", "1", "-o", home / "out")
    assert done.status == 0
    assert "calm.safetensors, which stands before the embedded one" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("piece", "import", "no\x1b[2Jsuch\x9b31m.mid"),
        ("session", "new", "--key", "\x1b]0;title\x07"),
        ("score-eeg", "\x1b[2J.fif"),
        ("--db", "x\x1b[2J/y.db", "session", "list"),
        ("session", "list", "--listener", "\x1b[31mred"),
        ("export", "--session", "1", "--format", "\x1b[2J", "-o", "x.y"),
        ("model", "info", "\x1b[2J"),
        ("session", "\x1b[2J"),
    ],
)
def test_errors_hold_no_escapes(cli: Any, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments)
    assert done.status in (1, 2)
    assert done.err.strip().isprintable(), done.err


def test_json_holds_no_escapes(cli: Any, with_session: Path) -> None:
    import sqlite3

    with sqlite3.connect(with_session / "therapy.db") as connection:
        connection.execute("UPDATE pieces SET title = ?", ("a\x1b[2J\x9b31m\u202eb",))
    for arguments in (("piece", "list", "--json"), ("session", "show", "1", "--json"), ("piece", "list")):
        out = cli(*arguments).out
        assert out.replace("\n", "").isprintable()
        assert "\\u009b" in out or "\\x9b" in out


def test_eeg_report_loads_nothing() -> None:
    from eeg.report.report import render

    page = html.unescape(render([]))
    assert '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';' in page
    assert "<script" not in page


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
def test_pipes_and_depths_as_texts_are_refused(tmp_path: Path) -> None:
    pipe, deep = tmp_path / "pipe.toml", tmp_path / "deep.toml"
    os.mkfifo(pipe)
    deep.write_text("a = " + "[" * 100_000)
    for read in (read_protocol, read_scales):
        with pytest.raises(InputError, match="is a pipe or a device; give a file"):
            read(pipe)
        with pytest.raises(InputError, match="nested too deep"):
            read(deep)
    with pytest.raises(InputError, match="is a pipe or a device; give `db` a file"):
        Store.open(pipe)
