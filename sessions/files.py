"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from sessions.errors import ExportError


def check_file_target(path: Path) -> None:
    """Raise ExportError where no file can be written at `path`: a folder stands there, or its folder is missing."""
    try:
        if path.is_dir():
            raise ExportError(f"{path} is a folder; give the name of a file")
        if not path.parent.is_dir():
            raise ExportError(f"the folder of {path} does not exist; make it first, or choose another place")
    except OSError as error:
        raise ExportError(f"cannot write {path}: {reason(error)}; choose another place") from error


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
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ExportError(f"{path} is a file; give the name of a folder") from error
    except OSError as error:
        raise ExportError(f"cannot make the folder {path}: {reason(error)}; choose another place") from error
    return path


@contextlib.contextmanager
def written_whole(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Give the name of a file beside `path` to write; it takes `path`'s name at the end, and goes away on any error.

    Parameters
    ----------
    path : Path
    replace : bool
        Whether a file that has the name then is replaced, also one that another process has written meanwhile.

    Raises
    ------
    ExportError
        Where the file cannot be written, or may not be replaced.
    """
    check_file_target(path)
    # The suffix stays: writers choose their format by it.
    part = path.with_name(f".{secrets.token_hex(6)}.part{path.suffix[:16]}")
    try:
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        if replace:
            part.replace(path)
        else:
            _take_name(part, path)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {reason(error)}; choose another place") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _take_name(part: Path, path: Path) -> None:
    """Give a file its name unless another one has it."""
    try:
        # In one step: of two processes, one finds the name taken.
        os.link(part, path)
    except FileExistsError as error:
        raise taken(path) from error
    except (OSError, NotImplementedError):
        # Disks without links.
        if path.exists():
            raise taken(path) from None
        part.replace(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with written_whole(path) as part:
        part.write_bytes(content)


def taken(path: Path, side_of: Path | None = None) -> ExportError:
    """Return the error for a file that stands where another one is to be written, or what goes with `side_of`."""
    what = f"{path}, the side file of {side_of}," if side_of else str(path)
    return ExportError(f"{what} exists and holds something else; choose another place, or give --overwrite")


def reason(error: OSError) -> str:
    """Return what the system says about an error, in lower case at the start, without numbers and names."""
    text = error.strerror or str(error) or type(error).__name__
    return text[0].lower() + text[1:]
