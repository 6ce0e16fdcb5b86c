"""Magenta's models, and own ones of fewer bars, as writers of a session's sixteen bars, three voices and one key."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.arranging.literal import canonical
from therapy_gen.music.tokens import (
    BARS_PER_SECTION,
    FIRST_PITCH_CLASS,
    MAX_PITCH,
    MIN_PITCH,
    NOTE_OFF,
    STEPS_PER_SECTION,
    VOICES,
)
from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.latent.attributes import PREFIX as ATTRIBUTES
from therapy_gen.musicvae.magenta.cells import FloatArray
from therapy_gen.musicvae.magenta.configs import MagentaConfig
from therapy_gen.musicvae.magenta.engine import MagentaEngine
from therapy_gen.musicvae.magenta.runtime import BoolArray, MagentaModel
from therapy_gen.musicvae.model import Model
from therapy_gen.musicvae.prior.prior import USUAL_METRE

# Phrases of a section that is longer than what the model writes: a period, varied, as songs have it.
_PERIOD = (0, 1, 0, 2, 0, 1, 0, 3)
_LAST_PITCH_CLASS = MAX_PITCH - MIN_PITCH + FIRST_PITCH_CLASS


class Sections:
    """A model of Magenta's, or of fewer bars than a session's sections, behind the door of `SectionModel`.

    Of a trio the drums stay silent. A model of two bars writes four phrases that make sixteen: z is theirs, side by
    side. Magenta's own engine cannot be told a key: what it writes outside of it moves to the next note inside.

    Parameters
    ----------
    model : Model, MagentaModel or MagentaEngine

    Raises
    ------
    InputError
        Where sixteen bars are no multiple of what the model writes.
    """

    def __init__(self, model: Model | MagentaModel | MagentaEngine) -> None:
        if BARS_PER_SECTION % model.config.bars:
            raise InputError(f"model {model.name} writes {model.config.bars} bars at a time; sessions are made of 16")
        self.model = model
        self.name = model.name
        repeats = BARS_PER_SECTION // model.config.bars
        self._period = tuple(_PERIOD[n % len(_PERIOD)] for n in range(repeats))
        self._phrases = max(self._period) + 1

    @property
    def sha256(self) -> str:
        """Of the model's file."""
        return self.model.sha256

    @property
    def config(self) -> MagentaConfig | Config:
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

    def sample_prior(
        self,
        n: int,
        rng: np.random.Generator,
        kind: str = "major",
        *,
        metre: int = USUAL_METRE,
        density: float | None = None,
    ) -> FloatArray:
        """Draw z (n, phrases * z_size) from the model's prior; these models cannot be asked for a density."""
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
        """Write sections (n, 256, 3) for z; see `MagentaModel.decode`.

        Only models of our own know `chromatic` and `consonance`: Magenta's are closed to other pitch classes.
        """
        count = len(z)
        allowed = (
            None if pitch_classes is None else np.repeat(np.broadcast_to(pitch_classes, (count, 12)), self._phrases, 0)
        )
        of_phrases = z.reshape(count * self._phrases, -1)
        phrases: npt.NDArray[np.integer]
        if isinstance(self.model, Model):
            phrases = self.model.decode(
                of_phrases,
                temperature=temperature,
                rng=rng,
                pitch_classes=allowed,
                chromatic=chromatic,
                consonance=consonance,
            )
        else:
            phrases = self.model.decode(of_phrases, temperature=temperature, rng=rng, pitch_classes=allowed)
        if allowed is not None and isinstance(self.model, MagentaEngine):
            phrases = _in_key(phrases, allowed)
        phrases = phrases.reshape(count, self._phrases, *phrases.shape[1:])
        whole = phrases[:, list(self._period)].reshape(count, STEPS_PER_SECTION, -1)
        tokens = np.zeros((count, STEPS_PER_SECTION, len(VOICES)), dtype=np.uint8)
        for n, section in enumerate(whole):
            if isinstance(self.model, Model):
                tokens[n] = section
                continue
            tokens[n, :, 0] = canonical(section[:, 0])
            if self.model.config.voices > 1:
                tokens[n, :, 2] = canonical(section[:, 1])
        return tokens


def _in_key(phrases: npt.NDArray[np.integer], allowed: BoolArray) -> npt.NDArray[np.integer]:
    """Move notes (n, steps, voices) to the nearest pitch of the classes that are allowed, downwards where two are."""
    moved = phrases.copy()
    for section, classes in zip(moved, allowed, strict=True):
        if not classes.any():
            continue
        for column in range(min(section.shape[1], 2)):
            events = section[:, column]
            for step in np.flatnonzero(events > NOTE_OFF).tolist():
                event = int(events[step])
                pitch = event - FIRST_PITCH_CLASS + MIN_PITCH
                ways = [
                    n
                    for n in range(-11, 12)
                    if classes[(pitch + n) % 12] and FIRST_PITCH_CLASS <= event + n <= _LAST_PITCH_CLASS
                ]
                events[step] = event + min(ways, key=lambda n: (abs(n), n))
    return moved
