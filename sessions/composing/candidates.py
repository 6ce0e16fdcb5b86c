"""Candidates for the sections of pieces, decoded in one batch: the calmest of a few, or one at each density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sessions.composing.calm_fit import (
    FILLED,
    LEVELS,
    MEMORY_LEVELS,
    DecodedSection,
    at_levels,
    guessed_density,
    measured,
)
from sessions.composing.latent_path import latent_path, measured_attribute
from sessions.planning.plan import PlannedPiece
from therapy_gen.music.analysis.calmness import calmness
from therapy_gen.music.metre import in_metres
from therapy_gen.music.tokens import BARS_PER_SECTION, STEPS_PER_BAR, STEPS_PER_QUARTER, Tokens, tokens_to_notes
from therapy_gen.music.tonality import scale_pitch_classes
from therapy_gen.musicvae.section_model import SectionModel

# Without a target of calmness each section is decoded this often, and the calmest candidate is kept.
_CANDIDATES = 2
# By how many nats notes outside the key, and notes that clash with another voice, are made less likely: sessions are
# then in key unless the model is sure of a chromatic note, and a little less dissonant than calm music
# (docs/sampling.md).
_CHROMATIC = 1.5
_CONSONANCE = 0.7
# Those of a memory are like real music as they stand, chromatic notes included; notes that clash are a little rarer.
_MEMORY_CHROMATIC = 0.0
_MEMORY_CONSONANCE = 0.35

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Draft:
    """A piece before it is decoded.

    Attributes
    ----------
    path : float32 array, shape (distinct sections, z_size)
    seed : int
        Of its arrangement.
    target : float
        The calmness score wanted; 0 without a target.
    home : array, shape (z_size,), or None
        The point of the latent space near which its path begins.
    density : float or None
        Notes a bar that its sections were drawn with; None where that was left to the model.
    remembered : bool
        Whether its path comes from the model's memory.
    """

    piece: PlannedPiece
    path: FloatArray
    title: str
    seed: int
    target: float = 0.0
    home: FloatArray | None = None
    density: float | None = None
    remembered: bool = False


def calmest_sections(
    drafts: Sequence[Draft], model: SectionModel, temperature: float, rng: np.random.Generator
) -> list[list[Tokens]]:
    """Decode every section several times in one batch, and return the calmest candidate of each."""
    repeated = [draft for draft in drafts for _ in draft.path for _ in range(_CANDIDATES)]
    z = np.repeat(np.concatenate([draft.path for draft in drafts]), _CANDIDATES, axis=0)
    tokens = iter(_decoded(z, repeated, model, temperature, rng))
    return [
        [max([next(tokens) for _ in range(_CANDIDATES)], key=calm_of_tokens) for _ in draft.path] for draft in drafts
    ]


def decode_at_densities(
    drafts: Sequence[Draft],
    model: SectionModel,
    temperature: float,
    rng: np.random.Generator,
    *,
    free_density: bool = True,
) -> list[list[list[DecodedSection]]]:
    """Decode the sections of all pieces at several densities, in one batch: [piece][section][level].

    Without `free_density`, because a density was requested, each is decoded as often without being moved.
    """
    if any(draft.remembered for draft in drafts):
        return _decoded_levels(_remembered(drafts, model, rng), drafts, model, temperature, rng)
    levels: list[list[FloatArray]] = [[] for _ in LEVELS]
    drawn = _drawn(drafts, model) if free_density else []
    for n, draft in enumerate(drafts):
        moved = [draft.path] * len(LEVELS)
        if free_density:
            guess = guessed_density(draft.target, draft.piece.tempo, draft.piece.metre)
            moved = at_levels(draft.path, model, guess, drawn[n], draft.piece.metre)
        for held, z in zip(levels, moved, strict=True):
            held.append(z)
    return _decoded_levels(levels, drafts, model, temperature, rng)


def _remembered(drafts: Sequence[Draft], model: SectionModel, rng: np.random.Generator) -> list[list[FloatArray]]:
    """Draw a path of each piece from a model's memory for each density: [level][piece]."""
    guesses = [guessed_density(draft.target, draft.piece.tempo, draft.piece.metre) for draft in drafts]
    drawn: set[int] = set()

    def path(draft: Draft, density: float) -> FloatArray:
        piece = draft.piece
        return latent_path(piece.form, model, rng, piece.mode, draft.home, piece.metre, density, drawn=drawn)

    return [
        [path(draft, level * guess) for draft, guess in zip(drafts, guesses, strict=True)] for level in MEMORY_LEVELS
    ]


def _decoded_levels(
    levels: Sequence[Sequence[FloatArray]],
    drafts: Sequence[Draft],
    model: SectionModel,
    temperature: float,
    rng: np.random.Generator,
) -> list[list[list[DecodedSection]]]:
    """Decode paths [level][piece] in one batch, and measure their sections: [piece][section][level]."""
    z = np.concatenate([np.concatenate(held) for held in levels]).astype(np.float32)
    of_sections = [draft for draft in drafts for _ in draft.path]
    tokens = _decoded(z, of_sections * len(levels), model, temperature, rng)
    found: list[list[list[DecodedSection]]] = []
    start = 0
    for draft in drafts:
        rows = [[start + n + level * len(of_sections) for level in range(len(levels))] for n in range(len(draft.path))]
        found.append(
            [
                [measured(z[row], tokens[row], draft.piece.tempo, draft.piece.metre) for row in row_of_levels]
                for row_of_levels in rows
            ]
        )
        start += len(draft.path)
    return found


def _drawn(drafts: Sequence[Draft], model: SectionModel) -> list[Sequence[float] | None]:
    """Return for each path the notes a bar of its sections before they are moved; None where that is the usual density.

    Near a piece heard before they are about as dense as that piece: they are decoded to measure it.
    """
    drawn: list[Sequence[float] | None] = [
        None if draft.density is None else [draft.density] * len(draft.path) for draft in drafts
    ]
    near = [n for n, draft in enumerate(drafts) if draft.home is not None]
    if near:
        metres = [drafts[n].piece.metre for n in near for _ in drafts[n].path]
        densities = iter(measured_attribute(np.concatenate([drafts[n].path for n in near]), "density", metres, model))
        for n in near:
            drawn[n] = [next(densities) for _ in drafts[n].path]
    return drawn


def _decoded(
    z: FloatArray, drafts: Sequence[Draft], model: SectionModel, temperature: float, rng: np.random.Generator
) -> Tokens:
    """Decode z (n, z_size) in one batch, each in the scale and metre of its draft."""
    remembered = all(draft.remembered for draft in drafts)
    tokens = model.decode(
        z,
        temperature=temperature,
        rng=rng,
        pitch_classes=_scales([draft.piece.mode for draft in drafts]),
        chromatic=_MEMORY_CHROMATIC if remembered else _CHROMATIC,
        consonance=_MEMORY_CONSONANCE if remembered else _CONSONANCE,
    )
    return in_metres(tokens, [draft.piece.metre for draft in drafts])


def _scales(modes: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return the pitch classes (n, 12) that sections on tonic C may have."""
    allowed = np.zeros((len(modes), 12), dtype=bool)
    for row, mode in zip(allowed, modes, strict=True):
        row[sorted(scale_pitch_classes(0, mode))] = True
    return allowed


def calm_of_tokens(tokens: Tokens) -> float:
    """Return how calm a section is at one quarter note a second; one with empty bars counts for less."""
    notes = tokens_to_notes(tokens)
    if not notes:
        return -1.0
    starts = np.array([note.start for note in notes])
    ends = np.array([note.end for note in notes])
    bars = {start // STEPS_PER_BAR for start in starts.tolist()}
    filled = len(bars) / BARS_PER_SECTION
    quarters = 1.0 / STEPS_PER_QUARTER
    score = calmness(starts * quarters, (ends - starts) * quarters, np.array([note.pitch for note in notes])).score
    return score if filled >= FILLED else filled - 1.0
