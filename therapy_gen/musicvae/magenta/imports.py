"""Importing a checkpoint of Magenta's, in TensorFlow's or TensorFlow.js's layout, as a model file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from therapy_gen.errors import InputError
from therapy_gen.musicvae.magenta import tfjs
from therapy_gen.musicvae.magenta.bundle import DTYPES, Bundle
from therapy_gen.musicvae.magenta.checkpoint_files import checkpoint
from therapy_gen.musicvae.magenta.configs import (
    CONFIGS,
    MagentaConfig,
    Shapes,
    cores,
    decoder_shapes,
    encoder_layer,
    encoder_shapes,
    find_config,
    parameter_count,
)
from therapy_gen.musicvae.magenta.imported_weights import pieces, write_stored
from therapy_gen.musicvae.weights import all_finite

TF = "tensorflow"
TFJS = "tensorflow.js"


def import_checkpoint(source: Path, config_name: str, target: Path) -> Mapping[str, Any]:
    """Write the model of a checkpoint to `target` and return its facts.

    Variables are copied piece by piece, one after the other.

    Parameters
    ----------
    source : Path
        A ``.tar``, a checkpoint's prefix (``model.ckpt``) or folder, or a folder in TensorFlow.js layout.
    config_name : str
        Magenta's configuration that it was trained with; where layers have other sizes than it says, the
        checkpoint's own are taken.
    target : Path

    Raises
    ------
    InputError
        Where the checkpoint cannot be read, is damaged, or is of another configuration.
    """
    wanted = find_config(config_name)
    if tfjs.is_tfjs(source):
        stored = tfjs.read_manifest(source)
        config = _fit(wanted, {name: entry.shape for name, entry in stored.items()}, source)
        config = _with_steps(config, tfjs.read_converter(source), source)
        shapes = _present(config, stored)
        content: Iterable[Iterable[bytes]] = (pieces(tfjs.read_variable(stored[name])) for name in shapes)
        return _write(source, TFJS, config, shapes, content, target)
    with checkpoint(source) as bundle:
        config = _fit(wanted, {name: entry.shape for name, entry in bundle.entries.items()}, source)
        shapes = _present(config, bundle.entries)
        _check_kinds(bundle, shapes)
        return _write(source, TF, config, shapes, (_as_float32(bundle, name) for name in shapes), target)


def _write(
    source: Path,
    layout: str,
    config: MagentaConfig,
    shapes: Shapes,
    content: Iterable[Iterable[bytes]],
    target: Path,
) -> Mapping[str, Any]:
    facts = {
        "source": source.name,
        "layout": layout,
        "parameters": parameter_count(shapes),
        "can_encode": all(name in shapes for name in encoder_shapes(config)),
    }
    numbers = (_numbers(source, name, found) for name, found in zip(shapes, content, strict=True))
    write_stored(target, config, facts, shapes, numbers)
    return facts


def _numbers(source: Path, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
    """Give the pieces of a variable, float32; InputError for NaN or infinity, which opening would not detect."""
    for piece in content:
        # One that is cut short is refused where it is written.
        if not all_finite(np.frombuffer(piece, "<f4", len(piece) // 4)):
            raise InputError(f"{source} holds values that are no numbers ({name}); take a whole copy of it")
        yield piece


def _fit(config: MagentaConfig, shapes: Mapping[str, tuple[int, ...]], source: Path) -> MagentaConfig:
    """Return `config` with the sizes of a checkpoint; InputError where its variables are of another configuration."""
    fitted = _sized(config, shapes)
    if fitted is not None and _matches(fitted, shapes):
        return fitted
    others = [
        name
        for name, other in CONFIGS.items()
        if name != config.name and (candidate := _sized(other, shapes)) is not None and _matches(candidate, shapes)
    ]
    if others:
        raise InputError(f"{source} is not of config {config.name}; give `config` {' or '.join(others)}")
    missing = next((name for name in decoder_shapes(config) if name not in shapes), None)
    why = f"it lacks {missing}" if missing else "its variables have other shapes"
    raise InputError(f"{source} is not of config {config.name} ({why}), nor of: {', '.join(CONFIGS)}")


def _sized(config: MagentaConfig, shapes: Mapping[str, tuple[int, ...]]) -> MagentaConfig | None:
    """Return `config` with the sizes of a checkpoint's variables; None where layers are missing."""
    scope = "decoder/hierarchical_level_0" if config.hierarchical else f"{cores(config)[0][0]}/multi_rnn_cell"
    decoder = _units(shapes, f"{scope}/cell_{{}}/lstm_cell/bias")
    first = "hierarchical_level_0/initial_state" if config.hierarchical else "z_to_initial_state"
    z = shapes.get(f"decoder/{first}/kernel")
    if not decoder or z is None or len(z) != 2:
        return None
    encoder = _units(shapes, encoder_layer(0, "fw").replace("cell_0", "cell_{}", 1) + "/bias")
    return replace(config, z_size=z[0], decoder_units=decoder, encoder_units=encoder or config.encoder_units)


def _units(shapes: Mapping[str, tuple[int, ...]], pattern: str) -> tuple[int, ...]:
    units: list[int] = []
    while (shape := shapes.get(pattern.format(len(units)))) is not None and len(shape) == 1:
        units.append(shape[0] // 4)
    return tuple(units)


def _matches(config: MagentaConfig, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether the decoder is complete, and all shapes are those of `config`."""
    if any(shapes.get(name) != shape for name, shape in decoder_shapes(config).items()):
        return False
    return all(shapes.get(name, shape) == shape for name, shape in encoder_shapes(config).items())


def _present(config: MagentaConfig, found: Mapping[str, Any]) -> Shapes:
    """Return the variables to import: the decoder's first, then the encoder's if present."""
    return {name: shape for name, shape in (decoder_shapes(config) | encoder_shapes(config)).items() if name in found}


def _with_steps(config: MagentaConfig, converter: Mapping[str, Any], source: Path) -> MagentaConfig:
    steps = converter.get("numSteps", config.steps)
    segments = converter.get("numSegments", config.segments) if config.hierarchical else 1
    pitches = (converter.get("minPitch", 21), converter.get("maxPitch", 108))
    whole = isinstance(steps, int) and isinstance(segments, int) and segments > 0 and steps % segments == 0
    if not whole or not 0 < steps <= 4096 or pitches != (21, 108):
        raise InputError(f"{source} is of a model of other steps or pitches than config {config.name} has")
    return replace(config, segments=segments, segment_steps=steps // segments)


def _check_kinds(bundle: Bundle, shapes: Shapes) -> None:
    for name in shapes:
        entry = bundle.entries[name]
        if entry.sliced or entry.dtype not in DTYPES:
            raise InputError(f"{bundle.name}: {name} is stored in slices or not as floating point; save it anew")


def _as_float32(bundle: Bundle, name: str) -> Iterator[bytes]:
    dtype = DTYPES[bundle.entries[name].dtype]
    for chunk in bundle.chunks(name):
        yield chunk if dtype == "<f4" else np.frombuffer(chunk, dtype=dtype).astype("<f4").tobytes()
