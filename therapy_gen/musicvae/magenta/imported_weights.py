"""Imported models as safetensors files: written piece by piece, and memory-mapped for use."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.files import atomic_write, make_folder
from therapy_gen.musicvae.magenta.configs import MagentaConfig, Shapes

FORMAT = "magenta-musicvae"
_MAX_HEADER_BYTES = 4 << 20
_ALIGNED = 64
_CHUNK_BYTES = 16 << 20

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Header:
    """The header of a safetensors file: its metadata, and the position of each array."""

    metadata: Mapping[str, str]
    places: Mapping[str, tuple[tuple[int, ...], int]]

    @property
    def is_magenta(self) -> bool:
        """Whether the file holds an imported model of Magenta's."""
        return self.metadata.get("format") == FORMAT


@dataclass(frozen=True)
class StoredModel:
    """An imported model.

    Attributes
    ----------
    arrays : mapping of str to float32 array
        By Magenta's names, memory-mapped from the file.
    config : MagentaConfig
    facts : mapping of str to anything JSON holds
    path : Path
    """

    arrays: Mapping[str, Array]
    config: MagentaConfig
    facts: Mapping[str, Any]
    path: Path

    @cached_property
    def sha256(self) -> str:
        """Of the file, computed on first use."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def read_header(path: Path) -> Header:
    """Read the head of a safetensors file; InputError where it is missing or damaged."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8).ljust(8, b"\xff"))
            if length > min(_MAX_HEADER_BYTES, size):
                raise InputError(f"model {path} is not a safetensors file, or damaged")
            document = json.loads(stream.read(length))
        metadata = document.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise TypeError("its metadata are no texts")
        places: dict[str, tuple[tuple[int, ...], int]] = {}
        for name, entry in document.items():
            shape = tuple(index(n) for n in entry["shape"])
            start, end = (index(n) for n in entry["data_offsets"])
            if min(shape, default=0) < 0:
                raise InputError(f"model {path} is damaged: {name} has a negative size")
            if not 0 <= start <= end or 8 + length + end > size:
                raise InputError(f"model {path} is cut short: {name} is not whole")
            if metadata.get("format") == FORMAT and (entry["dtype"] != "F32" or end - start != 4 * math.prod(shape)):
                raise InputError(f"model {path} is damaged: {name} is not as long as its shape says")
            places[name] = (shape, 8 + length + start)
    except OSError as error:
        raise InputError(f"model {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise InputError(f"model {path} is not a safetensors file, or damaged") from error
    return Header(metadata, places)


def load_stored(path: Path) -> StoredModel:
    """Open an imported model; its arrays are mapped, not read.

    Raises
    ------
    InputError
        Where the file is missing, damaged, or no imported model.
    """
    header = read_header(path)
    if not header.is_magenta:
        raise InputError(f"model {path} is not one of Magenta's; import one with: therapy-gen model import")
    try:
        config = MagentaConfig.from_json(header.metadata["config"], f"the config of model {path}")
        facts = json.loads(header.metadata.get("facts", "{}"))
        if not isinstance(facts, dict):
            raise TypeError("its facts are none")
        whole = np.memmap(path, dtype=np.uint8, mode="r")
        arrays = {
            name: np.asarray(whole[offset : offset + 4 * math.prod(shape)]).view("<f4").reshape(shape)
            for name, (shape, offset) in header.places.items()
        }
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"model {path} is damaged: {error}") from error
    return StoredModel(arrays, config, facts, path)


def write_stored(
    path: Path, config: MagentaConfig, facts: Mapping[str, Any], shapes: Shapes, content: Iterable[Iterable[bytes]]
) -> None:
    """Write an imported model, whole or not at all.

    Parameters
    ----------
    path : Path
    config : MagentaConfig
    facts : mapping
    shapes : mapping of str to shape
        Of the arrays, in the order in which they come.
    content : iterable of iterables of bytes
        For each array its little-endian float32 values, in pieces of any size.
    """
    header: dict[str, Any] = {
        "__metadata__": {"format": FORMAT, "config": config.to_json(), "facts": json.dumps(dict(facts))}
    }
    offset = 0
    for name, shape in shapes.items():
        end = offset + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    head = json.dumps(header).encode()
    head = head.ljust(-(-(len(head) + 8) // _ALIGNED) * _ALIGNED - 8)
    make_folder(path.parent)
    with atomic_write(path) as part, part.open("wb") as stream:
        stream.write(struct.pack("<Q", len(head)) + head)
        for (name, shape), pieces in zip(shapes.items(), content, strict=True):
            size = sum(stream.write(piece) for piece in pieces)
            if size != 4 * math.prod(shape):
                raise InputError(f"{name} has {size} bytes, its shape {shape} says {4 * math.prod(shape)}")


def pieces(array: npt.NDArray[Any]) -> Iterator[bytes]:
    """Give the values of an array as little-endian float32, piece by piece."""
    flat = array.reshape(-1)
    for start in range(0, flat.size, _CHUNK_BYTES // 4):
        yield np.ascontiguousarray(flat[start : start + _CHUNK_BYTES // 4], dtype="<f4").tobytes()
