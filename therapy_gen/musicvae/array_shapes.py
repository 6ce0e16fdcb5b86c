"""The arrays of a network of three voices, and their shapes."""

from __future__ import annotations

from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.features import coupled_pairs


def expected_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array that the network of `config` has."""
    c = config
    rows = 2 * c.voices * c.num_classes
    shapes: dict[str, tuple[int, ...]] = {"encoder_embedding/embeddings": (rows, c.embedding)}

    def dense(name: str, inputs: int, outputs: int, bias: bool = True) -> None:
        shapes[f"{name}/kernel"] = (inputs, outputs)
        if bias:
            shapes[f"{name}/bias"] = (outputs,)

    def lstm(name: str, units: int) -> None:
        shapes[f"{name}/recurrent"] = (units, 4 * units)
        shapes[f"{name}/bias"] = (4 * units,)

    width = c.steps_per_bar * c.embedding
    for n, units in enumerate(c.bar_units):
        dense(f"bar_{n}", width, units)
        width = units
    for direction in ("forward", "backward"):
        dense(f"{direction}_gates", width, 4 * c.encoder_units, bias=False)
        lstm(direction, c.encoder_units)
    known = width + 2 * c.encoder_units
    dense("mu", known, c.bar_z)
    dense("sigma", known, c.bar_z)
    dense("z_to_bar", c.bar_z, c.bar_width)
    for direction in ("conductor_forward", "conductor_backward"):
        dense(f"{direction}_gates", c.bar_width, 4 * c.conductor_units, bias=False)
        lstm(direction, c.conductor_units)
    context = c.bar_width + 2 * c.conductor_units
    dense("decoder_state", context, 2 * c.decoder_units)
    dense("decoder_context", context, 4 * c.decoder_units, bias=False)
    dense("step_context", context, c.steps_per_bar * c.step_width)
    dense("step_gates", c.step_width, 4 * c.decoder_units, bias=False)
    shapes["decoder_embedding/embeddings"] = (rows, c.embedding)
    dense("decoder_gates", c.embedding, 4 * c.decoder_units, bias=False)
    lstm("decoder", c.decoder_units)
    dense("logits", c.decoder_units, c.voices * c.num_classes)
    shapes["coupling/embeddings"] = (2 * len(coupled_pairs(c.voices)) * c.num_classes, c.num_classes)
    return shapes
