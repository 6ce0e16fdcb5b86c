"""What a session needs of a model: sixteen bars of melody, inner voice and bass on tonic C, for points of a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class SectionModel(Protocol):
    """A model that writes sections; `therapy_gen.musicvae.model.Model` is one."""

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
        """Beats a bar (4, 3, or 6 for 6/8) of the metres that it writes."""

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
        pitch_classes: npt.NDArray[np.bool_] | None = None,
        chromatic: float = np.inf,
        consonance: float = 0.0,
    ) -> npt.NDArray[np.uint8]:
        """Write sections (n, 256, 3) for z, with notes of these pitch classes; see `runtime.Model.decode`."""
