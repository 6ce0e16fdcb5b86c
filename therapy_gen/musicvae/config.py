"""Hyperparameters of the network and its training, in one frozen dataclass."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from therapy_gen.errors import InputError

# The hyperparameters that a run may change, with their ranges; the shape of sections is fixed.
_UNITS, _SHARE = (1, 4096), (0.0, 1.0)
_SETTABLE: dict[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("bar_z", "embedding", "encoder_units", "bar_width", "step_width", "conductor_units", "decoder_units"), _UNITS
    ),
    "max_beta": (0.0, 100.0),
    "beta_rate": (1e-6, 1.0),
    "beta_delay": (0, 10**9),
    "input_dropout": _SHARE,
    "transposed": _SHARE,
    "learning_rate": _SHARE,
    "min_learning_rate": _SHARE,
    "decay_rate": (1e-6, 1.0),
    "clip_norm": (1e-6, 1e6),
}
# Largest sizes accepted from a model file.
_LARGEST = {
    **dict.fromkeys(
        ("bar_z", "embedding", "encoder_units", "bar_width", "step_width", "conductor_units", "decoder_units"), 4096
    ),
    "bars": 64,
    "steps_per_bar": 64,
    "voices": 8,
    "num_classes": 1024,
    "batch_size": 1 << 20,
}
_MOST_LAYERS = 8


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the hierarchical MusicVAE (arXiv 1803.05428), for several voices.

    Attributes
    ----------
    bars, steps_per_bar, voices, num_classes : int
        Shape of a section: tokens are ``(bars * steps_per_bar, voices)`` of `num_classes` classes.
    bar_z : int
        Latent dimensions of a bar; z has `bars` times as many.
    embedding : int
        Width of the summed token embeddings.
    bar_units : tuple of int
        Dense layers that encode one bar.
    encoder_units, conductor_units, decoder_units : int
        LSTM units of the encoder over bars and of the conductor (each direction), and of the bar decoder.
    bar_width : int
        Width of the conductor's input from a bar's z.
    step_width : int
        Width of the bar decoder's input at each step, beside that for the bar.
    free_bits : float
        KL that costs nothing, in bits a section (Magenta's `free_bits`).
    max_beta, beta_rate, beta_delay : float, float, int
        Weight of the KL term: 0 until step `beta_delay`, then ``max_beta * (1 - beta_rate ** steps_since)``. Without
        the delay even a small weight collapses the posterior before the decoder has learned to use z.
    input_dropout : float
        Share of the decoder's teacher-forced inputs that are hidden, so that it must use z.
    transposed : float
        Share of a step's windows that are transposed to another key.
    batch_size : int
        Sections a step.
    learning_rate, min_learning_rate, decay_rate : float
        Adam's rate: ``max(min, learning_rate * decay_rate ** step)``.
    clip_norm : float
        Largest global norm of the gradient.
    """

    name: str = "calm"
    bars: int = 16
    steps_per_bar: int = 16
    voices: int = 3
    num_classes: int = 90
    bar_z: int = 32
    embedding: int = 64
    bar_units: tuple[int, ...] = (768, 384)
    encoder_units: int = 256
    bar_width: int = 128
    step_width: int = 32
    conductor_units: int = 256
    decoder_units: int = 256
    free_bits: float = 512.0
    max_beta: float = 0.2
    beta_rate: float = 0.9999
    beta_delay: int = 100
    input_dropout: float = 0.25
    transposed: float = 0.4
    batch_size: int = 64
    learning_rate: float = 1e-3
    min_learning_rate: float = 1e-4
    decay_rate: float = 0.9997
    clip_norm: float = 1.0

    @property
    def steps(self) -> int:
        """Sixteenth steps in a section."""
        return self.bars * self.steps_per_bar

    @property
    def z_size(self) -> int:
        """Latent dimensions of a section."""
        return self.bars * self.bar_z

    def with_values(self, texts: Iterable[str]) -> Config:
        """Return the config with other values, each written ``name=number``; InputError where one does not fit."""
        values: dict[str, float] = {}
        for text in texts:
            name, _, number = text.partition("=")
            if name not in _SETTABLE:
                raise InputError(
                    f"{text!r} sets nothing that can be set; give NAME=NUMBER, NAME of: {', '.join(_SETTABLE)}"
                )
            usual = getattr(self, name)
            low, high = _SETTABLE[name]
            try:
                value = type(usual)(number)
            except ValueError:
                value = math.nan
            if not low <= value <= high:
                kind = "whole number" if isinstance(usual, int) else "number"
                raise InputError(f"{text!r} is out of range; give {name}= a {kind} from {low:g} to {high:g}")
            values[name] = value
        return replace(self, **values)  # type: ignore[arg-type]

    def _checked(self) -> Config:
        """Return the config; ValueError where a value is invalid or would take too much memory."""
        for name, most in _LARGEST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
                raise ValueError(f"{name} is {value!r}, not a whole number from 1 to {most}")
        units = self.bar_units
        if len(units) > _MOST_LAYERS or not all(type(n) is int and _UNITS[0] <= n <= _UNITS[1] for n in units):
            raise ValueError(f"bar_units is {units!r:.80}")
        for name in ("free_bits", "max_beta", "learning_rate"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name} is {value!r:.80}, not a number")
        return self

    def to_json(self) -> str:
        """Return the config as one JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str, name: str = "model config") -> Config:
        """Read what `to_json` wrote; InputError, which calls it by a name, where a name or a value does not fit."""
        try:
            values: dict[str, Any] = json.loads(text)
            known = {field.name for field in fields(cls)}
            unknown = sorted(set(values) - known)
            if unknown:
                raise InputError(
                    f"{name} has unknown names {unknown}; it was written by another version of therapy-gen"
                )
            if "bar_units" in values:
                values["bar_units"] = tuple(values["bar_units"])
            return cls(**values)._checked()
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise InputError(f"{name} is not valid: {error}") from error
