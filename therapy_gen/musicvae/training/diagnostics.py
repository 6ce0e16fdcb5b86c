"""Detecting known failures of training by measurement, with advice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from therapy_gen.musicvae.features import NOTE_OFF
from therapy_gen.musicvae.model import DECODER_TEMPERATURE, Model

Tokens = npt.NDArray[np.uint8]

# A model that writes less than this share of the music's notes a bar writes mostly rests.
_SILENT = 0.25
# Share of the nats a section that z must save; else it is ignored.
_HEARD = 0.02
# A network of three million weights overfits to fewer windows or pieces than this.
_FEW_WINDOWS, _FEW_PIECES = 500, 20
# Held-out nats over training nats.
_BY_HEART = 1.5
_MOST = 64


@dataclass(frozen=True)
class Symptom:
    """A failure: a short name, what was measured, and what to change."""

    name: str
    measured: str
    change: str

    def __str__(self) -> str:
        return f"{self.measured}; {self.change}"


def find_symptoms(
    model: Model, train: Tokens, held_out: Tokens, pieces: int, *, fine_tuned: bool = False, seed: int = 0
) -> list[Symptom]:
    """Look for the known failures of a trained model.

    Parameters
    ----------
    model : Model
    train, held_out : uint8 arrays (n, steps, voices)
        Training and held-out sections.
    pieces : int
        How many pieces `train` was cut from.
    fine_tuned : bool
        Whether it was fine-tuned: then fine-tuning is not advised.
    seed : int
        Of the random draws.

    Returns
    -------
    list of Symptom
        ``few-examples``, ``rests``, ``latent-ignored``, ``by-heart``; empty where all is well.
    """
    otherwise = "" if fine_tuned else ", or begin with the weights of calm"
    found = _few_examples(len(train), pieces, otherwise)
    rng = np.random.default_rng(seed)
    known = train[np.linspace(0, len(train) - 1, min(_MOST, len(train))).astype(int)]
    real = notes(known)
    z = model.sample_prior(len(known), rng, metre=model.metres[0])
    made = notes(model.decode(z, temperature=DECODER_TEMPERATURE, rng=rng))
    if made < _SILENT * real:
        found.append(
            Symptom(
                "rests",
                f"samples have {made:.2f} notes for each ten steps, the music {real:.2f}: the model writes rests",
                f"train longer, leave out scores that mostly rest{otherwise}",
            )
        )
    own, others = heard(model, known, rng)
    if others - own < _HEARD * others:
        found.append(
            Symptom(
                "latent-ignored",
                f"with another section's z a section costs {others:.0f} nats instead of {own:.0f}: "
                "the decoder hardly listens to z, so interpolations and samples differ little",
                f"train longer, free more bits{otherwise}",
            )
        )
    if len(held_out):
        unseen, _ = heard(model, held_out[:_MOST], rng)
        if unseen > _BY_HEART * own:
            found.append(
                Symptom(
                    "by-heart",
                    f"a section costs {own:.0f} nats where it was learned from, {unseen:.0f} where it is new: "
                    "the model knows its pieces by heart",
                    f"add scores, have less patience{otherwise}",
                )
            )
    return found


def _few_examples(windows: int, pieces: int, otherwise: str = "") -> list[Symptom]:
    """Return a symptom where there is too little music to learn from."""
    if windows >= _FEW_WINDOWS and pieces >= _FEW_PIECES:
        return []
    return [
        Symptom(
            "few-examples",
            f"{windows} windows of {pieces} pieces are few ({_FEW_WINDOWS} of {_FEW_PIECES} are a beginning)",
            f"add scores{otherwise}",
        )
    ]


def notes(tokens: Tokens) -> float:
    """Return how many notes begin in ten steps, all voices together."""
    return 10.0 * float((tokens > NOTE_OFF).sum(axis=2).mean())


def heard(model: Model, tokens: Tokens, rng: np.random.Generator) -> tuple[float, float]:
    """Return nats a section, teacher-forced, with the section's own z and with another section's."""
    mu, _ = model.encode(tokens)
    turned = np.roll(mu, int(rng.integers(1, max(len(mu), 2))), axis=0)
    return _nats(model, mu, tokens), _nats(model, turned, tokens)


def _nats(model: Model, z: npt.NDArray[np.float32], tokens: Tokens) -> float:
    logits = model.logits(z, tokens)
    logits -= logits.max(axis=-1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    truth = np.take_along_axis(log_p, tokens[..., None].astype(np.int64), axis=-1)
    return -float(truth.sum()) / len(tokens)
