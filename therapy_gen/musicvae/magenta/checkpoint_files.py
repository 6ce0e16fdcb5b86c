"""Finding a checkpoint's files: beside a prefix, in a folder, or inside a tar that is never unpacked."""

from __future__ import annotations

import hashlib
import lzma
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from therapy_gen.errors import InputError
from therapy_gen.musicvae.magenta.bundle import Bundle, Extent, open_bundle

_MAX_MEMBER_BYTES = 8_000_000_000
_MAX_TAR_BYTES = 16_000_000_000
_MAX_MEMBERS = 1000
# Weights hardly compress; a file that unpacks to more than this is made to fill a disk.
_MAX_COMPRESSION = 100

_DATA = re.compile(r"\.data-(\d{5})-of-(\d{5})$")
_CHUNK_BYTES = 1 << 20
# Exceptions from damaged bytes other than OSError.
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


@contextmanager
def checkpoint(path: Path) -> Iterator[Bundle]:
    """Give the checkpoint that `path` names: a tar, a prefix (or a file of it), or a folder with one checkpoint.

    Raises
    ------
    InputError
        Where there is none, or a tar holds links, absolute paths or huge members.
    """
    try:
        is_tar = path.is_file() and tarfile.is_tarfile(path)
    except _DAMAGED as error:
        raise InputError(f"{path} is not a readable tar: {error}; get it again") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if is_tar:
        with _tar_extents(path) as extents:
            yield _bundle(str(path), extents)
        return
    prefix = _prefix(path)
    try:
        files = [
            prefix.with_name(f"{prefix.name}.index"),
            *sorted(prefix.parent.glob(f"{_escaped(prefix.name)}.data-*")),
        ]
        extents = {file.name: Extent(file, 0, file.stat().st_size, str(file)) for file in files if file.is_file()}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    yield _bundle(str(path), extents)


def weights_sha256(path: Path) -> str:
    """Return the SHA-256 of the weights in a tar: of its data file, of several one after the other."""
    digest = hashlib.sha256()
    with _tar_extents(path) as extents:
        for _, extent in sorted((name, extent) for name, extent in extents.items() if _DATA.search(name)):
            with extent.path.open("rb") as stream:
                stream.seek(extent.offset)
                left = extent.size
                while left and (chunk := stream.read(min(left, _CHUNK_BYTES))):
                    digest.update(chunk)
                    left -= len(chunk)
    return digest.hexdigest()


def _prefix(path: Path) -> Path:
    """Return the prefix of a checkpoint's files."""
    if path.is_dir():
        indices = sorted(path.glob("*.index"))
        if len(indices) != 1:
            raise InputError(f"folder {path} holds {len(indices)} checkpoints; name one by its prefix (without .index)")
        return indices[0].with_suffix("")
    name = _DATA.sub("", path.name).removesuffix(".index")
    prefix = path.with_name(name)
    if not prefix.with_name(f"{name}.index").is_file():
        if path.is_file():
            raise InputError(
                f"{path} is no checkpoint of TensorFlow; give a .tar, or a prefix that has an .index beside it"
            )
        raise InputError(f"checkpoint {path} does not exist ({name}.index is missing)")
    return prefix


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _bundle(name: str, extents: dict[str, Extent]) -> Bundle:
    indices = [member for member in extents if member.endswith(".index")]
    if len(indices) != 1:
        raise InputError(f"{name} holds {len(indices)} checkpoints; give one that holds one")
    prefix = indices[0].removesuffix(".index")
    shards = {
        int(found.group(1)): extent
        for member, extent in extents.items()
        if (found := _DATA.search(member)) and member[: found.start()] == prefix
    }
    if not shards:
        raise InputError(f"{name} has an index but no data file beside it; keep the checkpoint's files together")
    return open_bundle(name, extents[indices[0]], shards)


@contextmanager
def _tar_extents(path: Path) -> Iterator[dict[str, Extent]]:
    """Give the checkpoint files in a tar: their positions in it, or, if it is compressed, temporary copies."""
    try:
        with tarfile.open(path) as tar, tempfile.TemporaryDirectory(prefix="therapy-gen-") as folder:
            extents: dict[str, Extent] = {}
            plain = _is_plain(path)
            for number, member in enumerate(_members(tar, path)):
                name = member.name.removeprefix("./")
                if not name.endswith(".index") and not _DATA.search(name):
                    continue
                if plain:
                    extents[name] = Extent(path, member.offset_data, member.size, f"{path}: {name}")
                else:
                    if member.size > _MAX_COMPRESSION * path.stat().st_size:
                        raise InputError(
                            f"{path} unpacks to over {_MAX_COMPRESSION} times its size ({name!r}); no weights do: "
                            "get it from another place"
                        )
                    copy = Path(folder) / str(number)
                    _copy(tar, member, copy)
                    extents[name] = Extent(copy, 0, member.size, f"{path}: {name}")
            yield extents
    except (*_DAMAGED, OSError) as error:
        raise InputError(f"{path} is not a readable tar: {error}; get it again") from error


def _members(tar: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    """Give the files of a tar, each checked before the next is read."""
    total = 0
    count = 0
    while (member := tar.next()) is not None:
        count += 1
        total += member.size
        place = PurePosixPath(member.name)
        if member.issym() or member.islnk():
            raise InputError(f"{path} holds a link ({member.name!r}); no checkpoint does: get it from another place")
        if place.is_absolute() or ".." in place.parts or "\\" in member.name:
            raise InputError(f"{path} holds a path that leads outside ({member.name!r}): get it from another place")
        if not (member.isreg() or member.isdir()) or member.issparse():
            raise InputError(f"{path} holds what is no plain file ({member.name!r}): get it from another place")
        if member.size > _MAX_MEMBER_BYTES or total > _MAX_TAR_BYTES or count > _MAX_MEMBERS:
            raise InputError(f"{path} is larger than any checkpoint ({member.name!r}): get it from another place")
        if member.isreg():
            yield member


def _is_plain(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:"):
            return True
    except tarfile.TarError:
        return False


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    stream = tar.extractfile(member)
    if stream is None:
        raise tarfile.ReadError(f"{member.name} has no content")
    with stream, target.open("wb") as copy:
        while chunk := stream.read(_CHUNK_BYTES):
            copy.write(chunk)
