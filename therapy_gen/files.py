"""Files that appear whole or not at all.

Everything that the project writes goes through `atomic_write`: a file is written under a temporary name beside its
target and removed on any error; what a killed process left is removed with the next file written to the folder.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from therapy_gen.errors import InputError

_OWNER_ONLY = 0o600
# `.therapy-gen-HOST-PID-RANDOM.part.SUFFIX`; a file of another machine in a shared folder is left to that machine.
_PART = re.compile(r"\.therapy-gen-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.part(\..*)?")

_shared = False


def share_files(shared: bool = True) -> None:
    """Give personal files and folders the permissions of the umask, instead of the owner's alone.

    Parameters
    ----------
    shared : bool
    """
    global _shared
    _shared = shared


def keep_private(path: Path) -> None:
    """Remove all permissions but the owner's from a file or folder, unless files are shared; see `share_files`.

    Where the system has no such permissions (Windows), nothing happens.
    """
    if not _shared:
        with contextlib.suppress(OSError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                path.chmod(mode & 0o700)


def make_private_folder(path: Path) -> None:
    """Make a folder, and those above it, which only its owner may open; one that is there stays as it is."""
    if not path.is_dir():
        path.mkdir(0o777 if _shared else 0o700, parents=True, exist_ok=True)


def create_private_file(path: Path) -> None:
    """Make an empty file that its owner alone may read and write; one that is there stays as it is."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if _shared else _OWNER_ONLY))


@contextlib.contextmanager
def atomic_write(
    path: Path, *, replace: bool = True, private: bool = False, error: type[InputError] = InputError
) -> Iterator[Path]:
    """Give the name of a file beside `path` to write, which is renamed to `path` at the end, or removed on any error.

    Parameters
    ----------
    path : Path
    replace : bool
        Whether a file that has the name then is replaced, also one that another process has written meanwhile.
    private : bool
        Whether only its owner may read it, whatever the umask; see `share_files`.
    error : type
        What is raised.

    Yields
    ------
    Path
        An empty file with the suffix of `path`: writers choose their format by it.

    Raises
    ------
    InputError
        Or what `error` says, where the file cannot be written, or may not be replaced.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> target = Path(mkdtemp()) / "notes.txt"
    >>> with atomic_write(target) as part:
    ...     _ = part.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    check_target(path, error)
    remove_leftovers(path.parent)
    part = path.with_name(
        f".therapy-gen-{_machine()}-{os.getpid()}-{os.urandom(4).hex()}.part{path.suffix[:16]}",
    )
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))
        yield part
        _finish(part, private=private)
        if replace:
            part.replace(path)
        else:
            _take_name(part, path, error)
    except OSError as problem:
        raise error(f"cannot write {path}: {reason(problem)}; choose another place") from problem
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, *, private: bool = False, error: type[InputError] = InputError) -> None:
    """Write a file whole or not at all; parameters as in `atomic_write`."""
    with atomic_write(path, private=private, error=error) as part:
        part.write_bytes(content)


def check_input(path: Path, largest: int) -> None:
    """Refuse an input that is missing, larger than `largest` bytes, or no file: a pipe or device may never end.

    Raises
    ------
    InputError
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {reason(error)}") from error
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path} is a folder; give a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is a pipe or a device; give a file")
    if found.st_size > largest:
        raise InputError(
            f"{path} has {found.st_size / 1e6:.0f} MB, and up to {largest / 1e6:.0f} MB are read; give a shorter file"
        )


def read_input(path: Path, largest: int) -> bytes:
    """Return the bytes of an input file that `check_input` accepts."""
    check_input(path, largest)
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}") from error
    if len(data) > largest:
        raise InputError(f"{path} has more than {largest / 1e6:.0f} MB; give a shorter file")
    return data


def check_target(path: Path, error: type[InputError] = InputError) -> None:
    """Raise `error` where no file can be written at `path`: a folder or a device is there, or its folder is missing."""
    try:
        if path.is_dir():
            raise error(f"{path} is a folder; give the name of a file")
        if (path.exists() and not path.is_file()) or _is_of_devices(path.parent):
            raise error(f"{path} is a device or a pipe, which cannot hold a file; give the name of a file")
        if not path.parent.is_dir():
            raise error(f"the folder of {path} does not exist; make it first, or choose another place")
    except (OSError, ValueError) as problem:
        raise error(f"cannot write {path!s}: {reason(problem)}; choose another place") from problem


def _is_of_devices(folder: Path) -> bool:
    """Return whether a folder holds devices and processes: what seems a file there, such as `/dev/stdout`, is none."""
    there = folder.resolve()
    return there == Path("/dev") or Path("/proc") in (there, *there.parents)


def make_folder(path: Path, error: type[InputError] = InputError) -> Path:
    """Return `path` as a folder that exists; `error` is raised where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as problem:
        raise error(f"{path} is a file; give the name of a folder") from problem
    except OSError as problem:
        raise error(f"cannot make the folder {path}: {reason(problem)}; choose another place") from problem
    return path


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the unfinished files that killed processes of this program left in a folder, and return their names.

    Only files of this machine whose process no longer lives are touched.
    """
    removed = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        found = [(entry, match) for entry in entries if (match := _PART.fullmatch(entry.name))]
        for entry, match in found:
            if match[1] == _machine() and not _lives(int(match[2])):
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink()
                    removed.append(Path(entry.path))
    return removed


def reason(error: OSError | ValueError) -> str:
    """Return what the system says about an error, in lower case at the start, without numbers and names."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text[0].lower() + text[1:])


@functools.cache
def _machine() -> str:
    """Return letters for this machine: in a shared folder, each machine removes only its own leftovers."""
    import hashlib
    import platform

    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _finish(part: Path, *, private: bool) -> None:
    """Set the permissions of a written file, and flush it to the disk."""
    mode = _OWNER_ONLY if private and not _shared else 0o666 & ~_umask()
    if stat.S_IMODE(part.stat().st_mode) != mode:
        part.chmod(mode)
    # Windows flushes only what was opened for writing.
    with part.open("r+b") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _take_name(part: Path, path: Path, error: type[InputError]) -> None:
    """Give a file its name unless another one has it."""
    try:
        # Atomic: of two processes, one finds the name taken.
        os.link(part, path)
    except FileExistsError as problem:
        raise error(already_exists(path)) from problem
    except (OSError, NotImplementedError):
        # Disks without links.
        if path.exists():
            raise error(already_exists(path)) from None
        part.replace(path)


def already_exists(path: Path, side_of: Path | None = None) -> str:
    """Return the error text for a file in the way of another, or of one that goes with `side_of`."""
    what = f"{path}, the side file of {side_of}," if side_of else str(path)
    return f"{what} exists and holds something else; choose another place, or give `overwrite`"


def _lives(pid: int) -> bool:
    """Say whether a process of that number runs on this machine."""
    if pid == os.getpid():
        return True
    if sys.platform == "win32":
        import ctypes

        # Windows would end the process that `os.kill` names.
        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
