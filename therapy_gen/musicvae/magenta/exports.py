"""Exporting a model file for Magenta: a checkpoint of TensorFlow, or a folder for Magenta.js."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from therapy_gen.errors import InputError
from therapy_gen.files import atomic_write, make_folder
from therapy_gen.musicvae.magenta.bundle_writer import write_bundle
from therapy_gen.musicvae.magenta.cells import FloatArray
from therapy_gen.musicvae.magenta.configs import MagentaConfig, decoder_shapes, encoder_shapes, variable_shapes
from therapy_gen.musicvae.magenta.runtime import MagentaModel
from therapy_gen.musicvae.magenta.tfjs import write_tfjs

FORMATS = ("magenta", "tfjs")
# As tensorflowjs_converter cuts them.
_SHARD_BYTES = 4 << 20
_PITCHES = {"minPitch": 21, "maxPitch": 108}


def export_magenta(model: MagentaModel, path: Path) -> tuple[list[Path], list[str]]:
    """Write a checkpoint that Magenta's `TrainedModel` loads.

    Parameters
    ----------
    model : MagentaModel
    path : Path
        A ``.tar`` to write, or the prefix of a checkpoint's files.

    Returns
    -------
    files : list of Path
    remarks : list of str
        Differences from the original checkpoint.

    Raises
    ------
    InputError
        Where the files cannot be written.
    """
    variables, remarks = _whole(model)
    make_folder(path.parent)
    try:
        if path.suffix != ".tar":
            return write_bundle(path, variables), remarks
        with tempfile.TemporaryDirectory() as folder, atomic_write(path) as part, tarfile.open(part, "w") as tar:
            for file in write_bundle(Path(folder) / f"{model.config.name}.ckpt", variables):
                tar.add(file, file.name)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    return [path], remarks


def export_tfjs(model: MagentaModel, folder: Path) -> tuple[list[Path], list[str]]:
    """Write a folder that `@magenta/music` loads; see `export_magenta` for what is returned.

    Raises
    ------
    InputError
        Where Magenta.js has no such network, or the files cannot be written.
    """
    config = model.config
    if config.voices > 1 and not config.split:
        raise InputError(
            f"Magenta.js has no decoder that writes all voices at once, as {config.name} does; "
            "export it with `format` magenta"
        )
    variables: dict[str, FloatArray] = {name: model.arrays[name] for name in decoder_shapes(config)}
    remarks = []
    if not config.hierarchical and len(config.encoder_units) == 1 and model.can_encode:
        variables |= {name: model.arrays[name] for name in encoder_shapes(config)}
    else:
        # Magenta.js requires an encoder of its own kind to load; this one has shapes that fit no input.
        variables |= _no_encoder(config)
        why = "Magenta.js has no encoder of this kind" if model.can_encode else "the encoder is not complete"
        remarks.append(f"{why}: there the model samples and decodes, but cannot encode")
    try:
        return write_tfjs(folder, variables, _converter(config), _SHARD_BYTES), remarks
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}") from error


def _whole(model: MagentaModel) -> tuple[dict[str, FloatArray], list[str]]:
    """Return all variables; a missing encoder is written as zeros, or Magenta would not load the rest."""
    variables: dict[str, FloatArray] = {}
    missing = []
    for name, shape in variable_shapes(model.config).items():
        if name in model.arrays:
            variables[name] = model.arrays[name]
        else:
            variables[name] = np.broadcast_to(np.float32(0.0), shape)
            missing.append(name)
    remarks = []
    if missing:
        remarks.append(
            f"the encoder was not complete: {len(missing)} of its variables are zeros, do not encode with it"
        )
    return variables, remarks


def _no_encoder(config: MagentaConfig) -> dict[str, FloatArray]:
    pattern = "encoder/cell_{n}/bidirectional_rnn/{d}/multi_rnn_cell/cell_0/lstm_cell"
    layers = [0]
    if config.hierarchical:
        pattern = "encoder/hierarchical_level_{n}/cell_0/bidirectional_rnn/{d}/multi_rnn_cell/cell_0/lstm_cell"
        layers = [0, 1]
    variables: dict[str, FloatArray] = {}
    for n in layers:
        for direction in ("fw", "bw"):
            scope = pattern.format(n=n, d=direction)
            variables[f"{scope}/kernel"] = np.zeros((2, 4), dtype=np.float32)
            variables[f"{scope}/bias"] = np.zeros(4, dtype=np.float32)
    variables["encoder/mu/kernel"] = np.zeros((2, config.z_size), dtype=np.float32)
    variables["encoder/mu/bias"] = np.zeros(config.z_size, dtype=np.float32)
    return variables


def _converter(config: MagentaConfig) -> Mapping[str, Any]:
    arguments: dict[str, Any] = {"numSteps": config.steps}
    if config.hierarchical:
        arguments["numSegments"] = config.segments
    if config.voices == 1:
        return {"type": "MelodyConverter", "args": {**arguments, **_PITCHES}}
    parts = {"melArgs": dict(_PITCHES), "bassArgs": dict(_PITCHES), "drumsArgs": {}}
    return {"type": "TrioConverter", "args": {**arguments, **parts}}
