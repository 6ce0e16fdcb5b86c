"""Magenta's MusicVAE configurations, and the variables that a checkpoint of each holds."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from therapy_gen.errors import InputError

Shapes = dict[str, tuple[int, ...]]

MELODY_CLASSES = 90
# Nine kinds of drum (`REDUCED_DRUM_PITCH_CLASSES`), each struck or not.
_DRUM_CLASSES = 512
_TRIO = (MELODY_CLASSES, MELODY_CLASSES, _DRUM_CLASSES)
STEPS_PER_BAR = 16

MAX_STEPS = 4096
_MAX_UNITS = 1 << 16


@dataclass(frozen=True)
class MagentaConfig:
    """The network's part of a Magenta configuration (`magenta.models.music_vae.configs`, version 2.1.4).

    Attributes
    ----------
    name : str
        As in Magenta's `CONFIG_MAP`.
    z_size : int
    encoder_units : tuple of int
        Units of each bidirectional LSTM layer, each direction (`enc_rnn_size`).
    decoder_units : tuple of int
        Units of each layer of the decoder's LSTM, and of the conductor's (`dec_rnn_size`).
    outputs : tuple of int
        Classes of each output: melody; or melody, bass and drums.
    segments, segment_steps : int
        A hierarchical decoder's `level_lengths`; a flat one has one segment.
    hierarchical : bool
        Whether a conductor unfolds z into one embedding a segment.
    split : bool
        Whether each output has an LSTM of its own (`SplitMultiOutLstmDecoder`).
    free_bits, max_beta : float
        Of its training.
    """

    name: str
    z_size: int
    encoder_units: tuple[int, ...]
    decoder_units: tuple[int, ...]
    outputs: tuple[int, ...] = (MELODY_CLASSES,)
    segments: int = 1
    segment_steps: int = 32
    hierarchical: bool = False
    split: bool = False
    free_bits: float = 0.0
    max_beta: float = 1.0

    @property
    def steps(self) -> int:
        """Sixteenth steps in a section."""
        return self.segments * self.segment_steps

    @property
    def bars(self) -> int:
        """Bars of 4/4 in a section."""
        return max(self.steps // STEPS_PER_BAR, 1)

    @property
    def voices(self) -> int:
        """Outputs: 1 for a melody, 3 for a trio."""
        return len(self.outputs)

    @property
    def voice_names(self) -> tuple[str, ...]:
        """Name of each output."""
        return ("melody",) if self.voices == 1 else ("melody", "bass", "drums")

    @property
    def depth(self) -> int:
        """Width of a step, all outputs one-hot side by side."""
        return sum(self.outputs)

    def to_json(self) -> str:
        """Return the config as one JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str, name: str = "model config") -> MagentaConfig:
        """Read what `to_json` wrote; InputError, which calls it by a name, where a name or a value does not fit."""
        try:
            values: dict[str, Any] = json.loads(text)
            unknown = sorted(set(values) - {field.name for field in fields(cls)})
            if unknown:
                raise InputError(f"{name} has unknown names {unknown}; it was written by a newer therapy-gen")
            for units in ("encoder_units", "decoder_units", "outputs"):
                if units in values:
                    values[units] = tuple(int(value) for value in values[units])
            config = cls(**values)
            _check_types(config)
        except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise InputError(f"{name} is not valid: {error}") from error
        sizes = (config.z_size, *config.encoder_units, *config.decoder_units, *config.outputs)
        sized = config.encoder_units and config.decoder_units and config.outputs
        if (
            not sized
            or not all(0 < size <= _MAX_UNITS for size in sizes)
            or not 0 < config.segments <= MAX_STEPS
            or not 0 < config.steps <= MAX_STEPS
        ):
            raise InputError(f"{name} is not valid: {text[:200]}")
        return config


def _check_types(config: MagentaConfig) -> None:
    """Raise TypeError where a value is of another type than its field's."""
    types: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "bool": bool, "float": (int, float)}
    for field in fields(config):
        wanted = types.get(str(field.type), tuple)
        if not isinstance(value := getattr(config, field.name), wanted):
            raise TypeError(f"{field.name} is {value!r}")


CONFIGS: dict[str, MagentaConfig] = {
    config.name: config
    for config in (
        MagentaConfig("cat-mel_2bar_small", 256, (512,), (256, 256), max_beta=0.2),
        MagentaConfig("cat-mel_2bar_big", 512, (2048,), (2048, 2048, 2048), max_beta=0.5),
        MagentaConfig(
            "flat-mel_16bar", 512, (2048, 2048), (2048, 2048, 2048), segment_steps=256, free_bits=256.0, max_beta=0.2
        ),
        MagentaConfig(
            "hierdec-mel_16bar",
            512,
            (2048, 2048),
            (1024, 1024),
            segments=16,
            segment_steps=16,
            hierarchical=True,
            free_bits=256.0,
            max_beta=0.2,
        ),
        MagentaConfig("flat-trio_16bar", 512, (2048, 2048), (2048, 2048, 2048), outputs=_TRIO, segment_steps=256),
        MagentaConfig(
            "hierdec-trio_16bar",
            512,
            (2048, 2048),
            (1024, 1024),
            outputs=_TRIO,
            segments=16,
            segment_steps=16,
            hierarchical=True,
            split=True,
            free_bits=256.0,
            max_beta=0.2,
        ),
    )
}


def find_config(name: str) -> MagentaConfig:
    """Return a configuration by Magenta's name; InputError names those that are known."""
    if name not in CONFIGS:
        raise InputError(f"config {name!r} is not known; give one of: {', '.join(CONFIGS)}")
    return CONFIGS[name]


def encoder_shapes(config: MagentaConfig) -> Shapes:
    """Return name and shape of the variables of the encoder."""
    shapes: Shapes = {}
    width = config.depth
    for n, units in enumerate(config.encoder_units):
        for direction in ("fw", "bw"):
            name = encoder_layer(n, direction)
            shapes[f"{name}/kernel"] = (width + units, 4 * units)
            shapes[f"{name}/bias"] = (4 * units,)
        width = 2 * units
    for name in ("encoder/mu", "encoder/sigma"):
        shapes[f"{name}/kernel"] = (width, config.z_size)
        shapes[f"{name}/bias"] = (config.z_size,)
    return shapes


def decoder_shapes(config: MagentaConfig) -> Shapes:
    """Return name and shape of the variables of the decoder, conductor included."""
    shapes: Shapes = {}
    units = config.decoder_units
    z_size = config.z_size
    if config.hierarchical:
        shapes["decoder/hierarchical_level_0/initial_state/kernel"] = (z_size, 2 * sum(units))
        shapes["decoder/hierarchical_level_0/initial_state/bias"] = (2 * sum(units),)
        # Its input is one zero: autoregression is disabled in Magenta's configurations.
        shapes |= _layers("decoder/hierarchical_level_0", 1, units)
        z_size = units[-1]
    for name, depth in cores(config):
        shapes[f"{name}/z_to_initial_state/kernel"] = (z_size, 2 * sum(units))
        shapes[f"{name}/z_to_initial_state/bias"] = (2 * sum(units),)
        shapes |= _layers(f"{name}/multi_rnn_cell", depth + z_size, units)
        shapes[f"{name}/output_projection/kernel"] = (units[-1], depth)
        shapes[f"{name}/output_projection/bias"] = (depth,)
    return shapes


def variable_shapes(config: MagentaConfig) -> Shapes:
    """Return name and shape of all variables of a configuration, as Magenta's checkpoints name them."""
    return decoder_shapes(config) | encoder_shapes(config)


def encoder_layer(layer: int, direction: str) -> str:
    """Return the scope of an encoder layer; `direction` is ``"fw"`` or ``"bw"``."""
    return f"encoder/cell_{layer}/bidirectional_rnn/{direction}/multi_rnn_cell/cell_0/lstm_cell"


def cores(config: MagentaConfig) -> list[tuple[str, int]]:
    """Return scope and width of each decoder LSTM: one, or one for each output where they are split."""
    if not config.hierarchical:
        return [("decoder", config.depth)]
    if not config.split:
        return [("core_decoder/decoder", config.depth)]
    return [(f"core_decoder/core_decoder_{n}/decoder", depth) for n, depth in enumerate(config.outputs)]


def parameter_count(shapes: Shapes) -> int:
    """Return the number of parameters in variables of these shapes."""
    return sum(math.prod(shape) for shape in shapes.values())


def _layers(scope: str, width: int, units: tuple[int, ...]) -> Shapes:
    shapes: Shapes = {}
    for n, size in enumerate(units):
        shapes[f"{scope}/cell_{n}/lstm_cell/kernel"] = (width + size, 4 * size)
        shapes[f"{scope}/cell_{n}/lstm_cell/bias"] = (4 * size,)
        width = size
    return shapes
