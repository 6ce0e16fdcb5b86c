"""Protocols of models, our own and Magenta's: points of a latent space, and music for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.prior.section_memory import SectionMemory

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


class SectionModel(Protocol):
    """A model as a session uses it: sections of sixteen bars of melody, inner voice and bass, in C."""

    name: str

    @property
    def sha256(self) -> str:
        """Of the model's file."""

    @property
    def config(self) -> Any:
        """A dataclass, kept beside the pieces."""

    @property
    def arrays(self) -> Mapping[str, FloatArray]:
        """The model's arrays; attribute vectors are among them."""

    @property
    def metres(self) -> tuple[int, ...]:
        """Beats a bar (4, 3, or 6 for 6/8) of the metres that it writes, the usual one first."""

    @property
    def memory(self) -> SectionMemory | None:
        """The model's stored sections, if it has any."""

    def sample_prior(
        self,
        n: int,
        rng: np.random.Generator,
        kind: str = "major",
        *,
        metre: int = 4,
        density: float | None = None,
    ) -> FloatArray:
        """Draw z (n, z_size) of a metre, by its beats, and, where the model can, a density, in notes a bar."""

    def decode(
        self,
        z: FloatArray,
        *,
        temperature: float = 1.0,
        rng: np.random.Generator | None = None,
        pitch_classes: BoolArray | None = None,
        chromatic: float = np.inf,
        consonance: float = 0.0,
    ) -> npt.NDArray[Any]:
        """Write sections (n, steps, voices) for z, with notes of these pitch classes; see `model.Model.decode`."""


class LatentModel(SectionModel, Protocol):
    """A model by itself, which writes `bars` bars at a time in its own voices.

    `therapy_gen.musicvae.model.Model`, `magenta.runtime.MagentaModel` and `magenta.engine.MagentaEngine` are such.
    """

    common_tonic: bool
    """Whether it was trained on music transposed to the tonic C."""
    can_encode: bool
    """Whether it has an encoder: one imported without cannot interpolate between files."""

    @property
    def label(self) -> str:
        """Its name in titles of samples."""

    @property
    def bars(self) -> int:
        """Bars that it writes at a time."""

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of the columns of its tokens, of ``"melody"``, ``"inner"``, ``"bass"``, ``"drums"``."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The modes that its prior can be asked for, ``"major"`` first."""

    def encode(self, tokens: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation, each (n, z_size), of the posterior for tokens (n, steps, voices)."""

    def interpolate(self, a: FloatArray, b: FloatArray, steps: int) -> FloatArray:
        """Return z (steps, z_size) from `a` to `b`, both ends included."""


class ScoringModel(LatentModel, Protocol):
    """A model that also gives the likelihood of each class."""

    def voice_logits(self, z: FloatArray, tokens: npt.NDArray[np.integer]) -> list[FloatArray]:
        """Return teacher-forced logits (n, steps, classes) of each voice of `tokens` given z."""
