"""Weights as safetensors files: the network's arrays, with config and provenance in the metadata."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.files import write_bytes
from therapy_gen.musicvae.config import Config

Arrays = Mapping[str, npt.NDArray[Any]]

ASSETS = Path(__file__).resolve().parent.parent / "assets"
DEFAULT_MODEL = "calm"
SUFFIX = ".safetensors"
MAX_FILE_BYTES = 2_000_000_000
# The embedded models as this version carries them: SHA-256 of their files.
EMBEDDED = {"calm": "137eacc21c84bf14caeff7a42b896df5efd4f2515e7e32d165e17fc72f491d8c"}
_DEEPEST = 32


class Arrays32(Mapping[str, npt.NDArray[np.float32]]):
    """Arrays by name, each converted to float32 on first use: `session new` does not need the encoder.

    Parameters
    ----------
    stored : mapping of str to array
        As a file has them.
    """

    def __init__(self, stored: Arrays) -> None:
        self.stored = stored
        self._ready: dict[str, npt.NDArray[np.float32]] = {}

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        if name not in self._ready:
            self._ready[name] = self.stored[name].astype(np.float32)
        return self._ready[name]

    def __contains__(self, name: object) -> bool:
        return name in self.stored

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)


@dataclass(frozen=True)
class Weights:
    """The contents of a weights file.

    Attributes
    ----------
    arrays : mapping of str to float32 array
        By name, e.g. ``"decoder/recurrent"``; those of the fitted prior begin with ``prior/``.
    config : Config
    facts : mapping of str to anything JSON holds
        Corpus digest, steps, held-out figures, and whatever else training recorded.
    sha256 : str
        Of the file.
    path : Path
    """

    arrays: Arrays
    config: Config
    facts: Mapping[str, Any]
    sha256: str
    path: Path

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array; KeyError where there is none."""
        held = self.arrays.stored if isinstance(self.arrays, Arrays32) else self.arrays
        shape: tuple[int, ...] = held[name].shape
        return shape


# The bits of infinity in IEEE 754 floating point, by bytes of a number; those of NaN are above them.
_INFINITY = {2: 0x7C00, 4: 0x7F800000, 8: 0x7FF0000000000000}


def all_finite(array: npt.NDArray[Any]) -> bool:
    """Say whether an array has neither NaN nor infinities: for float16 nine times as fast as NumPy's `isfinite`.

    Floating-point numbers are ordered as their bits are, taken as integers: read with a sign the greatest is the one
    furthest above zero, read without one it is the one furthest below.
    """
    if array.dtype.kind != "f" or not array.size:
        return True
    size = array.dtype.itemsize
    infinity = _INFINITY[size]
    negative = infinity | 1 << 8 * size - 1
    bits = np.ascontiguousarray(array)
    return int(bits.view(f"i{size}").max()) < infinity and int(bits.view(f"u{size}").max()) < negative


def save_weights(path: Path, arrays: Arrays, config: Config, facts: Mapping[str, Any], *, half: bool = True) -> None:
    """Write a weights file, whole or not at all; `half` stores float16. Integer arrays are kept."""
    from safetensors.numpy import save

    dtype = np.float16 if half else np.float32
    stored = {
        name: np.ascontiguousarray(array, dtype=dtype if array.dtype.kind == "f" else array.dtype)
        for name, array in arrays.items()
    }
    content = save(stored, metadata={"config": config.to_json(), "facts": json.dumps(facts)})
    write_bytes(path, content)


def load_weights(path: Path) -> Weights:
    """Read a weights file; InputError where it is missing, damaged, another program's, or holds NaN or infinity."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"model {path} is larger than {MAX_FILE_BYTES // 1_000_000_000} GB")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"model {path} cannot be read: {error.strerror}") from error
    metadata, facts, arrays = _parse(path, content)
    if "config" not in metadata:
        raise InputError(f"model {path} carries no config; it was not written by therapy-gen")
    spoilt = next((name for name, array in arrays.stored.items() if not all_finite(array)), None)
    if spoilt is not None:
        raise InputError(
            f"model {path} holds values that are no numbers ({spoilt}); take a whole copy, or train it again"
        )
    config = Config.from_json(metadata["config"], f"the config of model {path}")
    sha256 = hashlib.sha256(content).hexdigest()
    if path.parent == ASSETS and EMBEDDED.get(path.stem, sha256) != sha256:
        raise InputError(
            f"model {path} is not the one that this version of therapy-gen carries (its SHA-256 is {sha256}, "
            f"not {EMBEDDED[path.stem]}); install therapy-gen again"
        )
    return Weights(arrays, config, facts, sha256, path)


def _parse(path: Path, content: bytes) -> tuple[dict[str, str], dict[str, Any], Arrays32]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        header_size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + header_size]).get("__metadata__", {})
        facts = dict(json.loads(metadata.get("facts", "{}")))
        if not _is_shallow(facts):
            raise ValueError("its facts are nested too deep")
        arrays = Arrays32(load(content))
    except (SafetensorError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise InputError(f"model {path} is not a safetensors file, or damaged: {error}") from error
    return metadata, facts, arrays


def _is_shallow(value: object, depth: int = 0) -> bool:
    """Say whether JSON values are nested no deeper than anything that training records."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth <= _DEEPEST and all(_is_shallow(one, depth + 1) for one in inner)


def shadowed(name: str, folder: Path | None) -> Path | None:
    """Return the user's own model that replaces an embedded one of the same name; None without one."""
    own = None if folder is None else folder / f"{name}{SUFFIX}"
    return own if own is not None and name in EMBEDDED and own.is_file() else None


def find_model(name: str, folder: Path | None = None) -> Path:
    """Return the weights file of a model given by name or by path.

    Parameters
    ----------
    name : str
        A file, the name of a model in `folder`, or an embedded one (``"calm"``).
    folder : Path, optional
        Where the user's own models are.
    """
    places = [place for place in (folder, ASSETS) if place is not None]
    if name.endswith(SUFFIX) or os.sep in name:
        path = Path(name)
        if path.is_dir():
            raise InputError(f"model {name} is a folder; give a {SUFFIX} file in it")
        if path.is_file():
            return path
        raise InputError(f"model {name} does not exist")
    for place in places:
        path = place / f"{name}{SUFFIX}"
        if path.is_file():
            return path
    known = ", ".join(sorted({path.stem for place in places for path in place.glob(f"*{SUFFIX}")}))
    raise InputError(f"model {name!r} is not known; give one of: {known}, or a {SUFFIX} file")
