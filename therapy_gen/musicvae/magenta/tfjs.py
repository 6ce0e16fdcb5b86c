"""Models in TensorFlow.js layout: a manifest beside raw weights, as Magenta.js publishes and loads them."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.files import atomic_write

_SHARDED = "weights_manifest.json"
_BY_VARIABLE = "manifest.json"
_MAX_MANIFEST_BYTES = 4 << 20

# Of one variable; the largest of Magenta's has 67 million.
_MAX_NUMBERS = 1 << 28
_SHARD = re.compile(r"group1-shard[0-9]+of[0-9]+")
_DTYPES = {"float32": "<f4", "float16": "<f2", "uint8": "|u1", "uint16": "<u2"}


@dataclass(frozen=True)
class Stored:
    """A stored variable: a range of bytes, possibly over several files, and their format."""

    shape: tuple[int, ...]
    files: tuple[Path, ...]
    offset: int
    dtype: str
    scale: float = 1.0
    minimum: float = 0.0

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def is_tfjs(path: Path) -> bool:
    """Return whether `path` is a folder with a manifest of TensorFlow.js."""
    return path.is_dir() and any((path / name).is_file() for name in (_SHARDED, _BY_VARIABLE))


def read_manifest(folder: Path) -> dict[str, Stored]:
    """Return where each variable is stored; those whose files are missing are left out.

    Raises
    ------
    InputError
        Where the manifest cannot be read or names files outside the folder.
    """
    sharded = (folder / _SHARDED).is_file()
    path = folder / (_SHARDED if sharded else _BY_VARIABLE)
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise InputError(f"{path} is too large for a manifest")
        document = json.loads(path.read_text(encoding="utf-8"))
        found = _sharded(folder, document) if sharded else _by_variable(folder, document)
        return {name: stored for name, stored in found.items() if all(file.is_file() for file in stored.files)}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a manifest of TensorFlow.js: {error}") from error


def read_converter(folder: Path) -> Mapping[str, Any]:
    """Return the data converter's parameters: ``numSteps``, ``minPitch``, ``maxPitch``."""
    for name in ("converter.json", "config.json"):
        path = folder / name
        if path.is_file() and path.stat().st_size <= _MAX_MANIFEST_BYTES:
            try:
                document = json.loads(path.read_text(encoding="utf-8"))
                arguments = document.get("dataConverter", document).get("args", {})
            except (OSError, ValueError, AttributeError) as error:
                raise InputError(f"{path} is not JSON as Magenta.js writes it") from error
            return arguments if isinstance(arguments, dict) else {}
    return {}


def read_variable(stored: Stored) -> npt.NDArray[np.float32]:
    """Return a variable; InputError where its file is cut short."""
    data = b"".join(_stretch(stored))
    if len(data) != stored.size:
        raise InputError(f"{stored.files[-1]} is cut short; get it again")
    values = np.frombuffer(data, dtype=stored.dtype).astype(np.float32).reshape(stored.shape)
    if stored.scale != 1.0 or stored.minimum != 0.0:
        values = values * np.float32(stored.scale) + np.float32(stored.minimum)
    return values


def write_tfjs(
    folder: Path, variables: Mapping[str, npt.NDArray[np.float32]], converter: Mapping[str, Any], shard_bytes: int
) -> list[Path]:
    """Write a model for Magenta.js into `folder` and return the files: config, manifest, shards.

    Files are renamed when all are written, the manifest last; then shards of an earlier model are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config, manifest = folder / "config.json", folder / _SHARDED
    total = sum(array.size * 4 for array in variables.values())
    count = max(-(-total // shard_bytes), 1)
    shards = [folder / f"group1-shard{n}of{count}" for n in range(1, count + 1)]
    with contextlib.ExitStack() as stack:
        # Closed in the opposite order: the shards first, the manifest last.
        parts = {file: stack.enter_context(atomic_write(file)) for file in (manifest, config, *shards)}
        weights = _write_shards([parts[shard] for shard in shards], variables, shard_bytes)
        head = {"type": "MusicVAE", "dataConverter": converter}
        parts[config].write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")
        document = [{"paths": [shard.name for shard in shards], "weights": weights}]
        parts[manifest].write_text(json.dumps(document) + "\n", encoding="utf-8")
    for file in folder.iterdir():
        if _SHARD.fullmatch(file.name) and file not in shards:
            file.unlink()
    return [config, manifest, *shards]


def _write_shards(
    files: Sequence[Path], variables: Mapping[str, npt.NDArray[np.float32]], shard_bytes: int
) -> list[dict[str, Any]]:
    """Write variables one after the other into shards, and return their entries of the manifest."""
    weights: list[dict[str, Any]] = []
    number = written = 0
    stream = files[0].open("wb")
    try:
        for name, array in variables.items():
            weights.append({"name": name, "shape": list(array.shape), "dtype": "float32"})
            data = memoryview(np.ascontiguousarray(array, dtype="<f4").tobytes())
            while data:
                if written == shard_bytes:
                    stream.close()
                    number, written = number + 1, 0
                    stream = files[number].open("wb")
                part = data[: shard_bytes - written]
                stream.write(part)
                written += len(part)
                data = data[len(part) :]
    finally:
        stream.close()
    return weights


def _by_variable(folder: Path, document: Mapping[str, Any]) -> dict[str, Stored]:
    return {
        str(name): Stored(_shape(entry["shape"]), (_inside(folder, entry["filename"]),), 0, "<f4")
        for name, entry in document.items()
    }


def _sharded(folder: Path, document: Any) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for group in document:
        files = tuple(_inside(folder, name) for name in group["paths"])
        if not files or not isinstance(group["paths"], list):
            raise ValueError("it names no files for its weights")
        offset = 0
        for entry in group["weights"]:
            quantization = entry.get("quantization")
            dtype = _DTYPES[quantization["dtype"] if quantization else entry["dtype"]]
            stored = Stored(
                _shape(entry["shape"]),
                files,
                offset,
                dtype,
                float(quantization.get("scale", 1.0)) if quantization else 1.0,
                float(quantization.get("min", 0.0)) if quantization else 0.0,
            )
            found[str(entry["name"])] = stored
            offset += stored.size
    return found


def _shape(sizes: Any) -> tuple[int, ...]:
    shape = tuple(int(size) for size in sizes)
    if any(size < 0 for size in shape) or math.prod(shape) > _MAX_NUMBERS:
        raise ValueError(f"a variable of shape {str(shape)[:60]}")
    return shape


def _inside(folder: Path, name: Any) -> Path:
    if not isinstance(name, str) or not name or name in (".", "..") or any(mark in name for mark in ("/", "\\", "\0")):
        raise InputError(
            f"the manifest in {folder} names a file outside it ({name!r}); get the model from another place"
        )
    path = folder / name
    if path.is_symlink():
        raise InputError(f"{path} is a link; no model of TensorFlow.js holds one: get it from another place")
    return path


def _stretch(stored: Stored) -> Iterator[bytes]:
    start, left = stored.offset, stored.size
    for file in stored.files:
        size = file.stat().st_size
        if start < size and left:
            with file.open("rb") as stream:
                stream.seek(start)
                part = stream.read(left)
            left -= len(part)
            yield part
        start = max(start - size, 0)
