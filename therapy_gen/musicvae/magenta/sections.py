"""Magenta's models, and our own of fewer bars, as `SectionModel`: sixteen bars, three voices, one key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.arranging.literal import canonical
from therapy_gen.music.tokens import (
    BARS_PER_SECTION,
    FIRST_PITCH_CLASS,
    MAX_PITCH,
    MIN_PITCH,
    STEPS_PER_SECTION,
    VOICES,
)
from therapy_gen.musicvae.latent.attributes import PREFIX as ATTRIBUTES
from therapy_gen.musicvae.magenta.cells import FloatArray
from therapy_gen.musicvae.magenta.runtime import BoolArray
from therapy_gen.musicvae.prior.prior import USUAL_METRE
from therapy_gen.musicvae.section_model import LatentModel

# The phrases of a section longer than the model's: a varied period, as in songs.
_PERIOD = (0, 1, 0, 2, 0, 1, 0, 3)
_LAST_PITCH_CLASS = MAX_PITCH - MIN_PITCH + FIRST_PITCH_CLASS


class Sections:
    """A model of Magenta's, or of fewer bars than a session's sections, as a `SectionModel`.

    A trio's drums are left out. A model of two bars writes four phrases that make sixteen: z is theirs, concatenated.

    Parameters
    ----------
    model : LatentModel

    Raises
    ------
    InputError
        Where sixteen bars are no multiple of what the model writes.
    """

    def __init__(self, model: LatentModel) -> None:
        if BARS_PER_SECTION % model.bars:
            raise InputError(f"model {model.name} writes {model.bars} bars at a time; sessions are made of 16")
        self.model = model
        self.name = model.name
        repeats = BARS_PER_SECTION // model.bars
        self._period = tuple(_PERIOD[n % len(_PERIOD)] for n in range(repeats))
        self._phrases = max(self._period) + 1

    @property
    def sha256(self) -> str:
        """Of the model's file."""
        return self.model.sha256

    @property
    def config(self) -> Any:
        """Of the model."""
        return self.model.config

    @property
    def arrays(self) -> Mapping[str, FloatArray]:
        """Of the model, without attribute vectors: those of own models are as long as one phrase's z."""
        return {name: array for name, array in self.model.arrays.items() if not name.startswith(ATTRIBUTES)}

    @property
    def metres(self) -> tuple[int, ...]:
        """Beats a bar (4, 3, or 6 for 6/8) of the metres that it writes."""
        return (USUAL_METRE,)

    @property
    def memory(self) -> None:
        """None: these models have no stored sections."""
        return None

    def sample_prior(
        self,
        n: int,
        rng: np.random.Generator,
        kind: str = "major",
        *,
        metre: int = USUAL_METRE,
        density: float | None = None,
    ) -> FloatArray:
        """Draw z (n, phrases * z_size) from the model's prior; `density` is ignored."""
        return self.model.sample_prior(n * self._phrases, rng, kind).reshape(n, -1)

    def decode(
        self,
        z: FloatArray,
        *,
        temperature: float = 1.0,
        rng: np.random.Generator | None = None,
        pitch_classes: BoolArray | None = None,
        chromatic: float = np.inf,
        consonance: float = 0.0,
    ) -> npt.NDArray[np.uint8]:
        """Write sections (n, 256, 3) for z; see `LatentModel.decode`."""
        count = len(z)
        allowed = (
            None if pitch_classes is None else np.repeat(np.broadcast_to(pitch_classes, (count, 12)), self._phrases, 0)
        )
        phrases: npt.NDArray[np.integer] = self.model.decode(
            z.reshape(count * self._phrases, -1),
            temperature=temperature,
            rng=rng,
            pitch_classes=allowed,
            chromatic=chromatic,
            consonance=consonance,
        )
        phrases = phrases.reshape(count, self._phrases, *phrases.shape[1:])
        whole = phrases[:, list(self._period)].reshape(count, STEPS_PER_SECTION, -1)
        tokens = np.zeros((count, STEPS_PER_SECTION, len(VOICES)), dtype=np.uint8)
        for n, section in enumerate(whole):
            for column, voice in enumerate(self.model.voices):
                if voice in VOICES:
                    tokens[n, :, VOICES.index(voice)] = canonical(section[:, column])
        return tokens
