"""Where exports are written: files that appear whole or not at all, and folders."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sessions.errors import ExportError
from therapy_gen import files


def check_file_target(path: Path) -> None:
    """Raise ExportError where no file can be written at `path`: see `therapy_gen.files.check_target`."""
    files.check_target(path, ExportError)


def check_text_name(name: str) -> None:
    """Raise ExportError where a file's name or path is not UTF-8: a text, which is, cannot name it."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ExportError(
            f"the path {name!a} is not UTF-8, and no playlist or cue sheet can name it; choose another"
        ) from error


def make_folder(path: Path) -> Path:
    """Return `path` as a folder that exists; ExportError where that cannot be."""
    return files.make_folder(path, ExportError)


@contextlib.contextmanager
def atomic_write(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Give the name of a file to write in place of `path`, private; see `therapy_gen.files.atomic_write`."""
    with files.atomic_write(path, replace=replace, private=True, error=ExportError) as part:
        yield part


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_write(path) as part:
        part.write_bytes(content)


def already_exists(path: Path, side_of: Path | None = None) -> ExportError:
    """Return the error for a file in the way of another, or of one that goes with `side_of`."""
    return ExportError(files.already_exists(path, side_of))
