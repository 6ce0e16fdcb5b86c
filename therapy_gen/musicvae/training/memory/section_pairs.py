"""Candidates for a memory: sections composed on the plans of real ones, each with a variation, and their selection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from therapy_gen.music.tokens import FIRST_PITCH_CLASS, MIN_PITCH
from therapy_gen.musicvae.features import NOTE_OFF, sounding
from therapy_gen.musicvae.training.memory.critic import log_odds_of_real
from therapy_gen.musicvae.training.memory.section_variations import fit_progressions, varied

Tokens = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.integer]

# At most so many plans of a metre, and of one piece.
_MOST_PLANS = {4: 2600}
_MOST_PLANS_ELSE = 500
_OF_ONE_PIECE = 8
# Largest share of a plan's bars that it may have in common with chosen ones.
_SHARED_BARS = 0.5
# Number of sections to count chord progressions in.
_COUNTED = 1500
_TRIES = 4
# A variation begins as its section does, for one bar in so many, and as many bars at least are others.
_BEGINNING = 4
# Sections are left out that are more dissonant: of calm real music in 4/4 three quarters are less, by the share of
# intervals between voices, sixteenth by sixteenth, that are seconds, sevenths or tritones.
_MOST_DISSONANT = 0.2
_DISSONANT = np.isin(np.arange(12), (1, 2, 6, 10, 11))
# They stay within these pitches, so that no key leads off the piano.
_LOWEST, _HIGHEST = 28, 100
# Two bars in a row with at least so many notes, that stand in training music, are a copy.
_COPIED_BARS = 2
_LEAST_COPIED_NOTES = 4
_STEPS_PER_BAR = 16
# The critic learns from at most so many real sections of a metre, and of one piece.
_CRITIC_SECTIONS, _CRITIC_OF_PIECE = 1500, 4
# It keeps this share of the plans, those whose sections are most like real ones.
_KEPT = 0.5


class MemoryMaterial(NamedTuple):
    """The material of a memory: training sections that begin with a phrase.

    Attributes
    ----------
    tokens : array of uint8, shape (n, steps, voices)
    minor : bool array of shape (n,)
    metre, piece : int arrays of shape (n,)
        Beats a bar; number of the piece.
    """

    tokens: Tokens
    minor: BoolArray
    metre: Ints
    piece: Ints

    def part(self, rows: Ints) -> MemoryMaterial:
        """Return some of them."""
        return MemoryMaterial(self.tokens[rows], self.minor[rows], self.metre[rows], self.piece[rows])


class Pairs(NamedTuple):
    """Sections (n, 2, steps, voices), each with a variation, and the numbers (n,) of the plans they are on."""

    tokens: Tokens
    plan: npt.NDArray[np.intp]


def written_pairs(material: MemoryMaterial, known: Tokens, seed: int = 0) -> Pairs:
    """Compose sections on the plans of training music, each with a variation that begins alike and then differs.

    Parameters
    ----------
    material : MemoryMaterial
    known : array of uint8, shape (m, steps, voices)
        Training sections: a section that shares two bars in a row with them is composed again, or left out.
    seed : int
    """
    rng = np.random.default_rng(seed)
    counted = rng.permutation(len(material.tokens))[:_COUNTED]
    progressions = fit_progressions(material.tokens[counted], material.minor[counted])
    phrases = {phrase for section in known for phrase in _phrases(section)}
    pairs, plans = [], []
    for row in _plans(material, rng):
        plan, minor = material.tokens[row], bool(material.minor[row])
        bars = len(plan) // _STEPS_PER_BAR
        for _ in range(_TRIES):
            theme, moves = varied(plan, minor, progressions, rng)
            if _fits(theme, phrases):
                break
        else:
            continue
        for _ in range(_TRIES):
            kept = moves[: bars // _BEGINNING].tolist()
            other, others = varied(plan, minor, progressions, rng, kept=kept, without=moves.tolist())
            if (others != moves).sum() >= max(bars // _BEGINNING, 1) and _fits(other, phrases):
                pairs.append(np.stack([theme, other]))
                plans.append(row)
                break
    shape = (0, 2, *material.tokens.shape[1:])
    return Pairs(np.stack(pairs) if pairs else np.zeros(shape, dtype=np.uint8), np.array(plans, dtype=np.intp))


def _plans(material: MemoryMaterial, rng: np.random.Generator) -> list[int]:
    """Choose the sections to take plans from, up to a number for each metre."""
    chosen: list[int] = []
    for metre in sorted({int(value) for value in material.metre}):
        rows = rng.permutation(np.flatnonzero(material.metre == metre))
        kept = _unlike(material, rows.tolist())
        # One plan of every piece, then a second one, and so on: no piece is left out.
        order = _rounds([int(material.piece[row]) for row in kept])
        chosen += [kept[n] for n in order[: _MOST_PLANS.get(metre, _MOST_PLANS_ELSE)]]
    return chosen


def _unlike(material: MemoryMaterial, rows: Iterable[int]) -> list[int]:
    """Keep rows in order that share few bars with those kept before, and not too many of one piece."""
    taken: dict[int, list[set[bytes]]] = {}
    kept: list[int] = []
    for row in rows:
        others = taken.setdefault(int(material.piece[row]), [])
        bars = material.tokens[row].reshape(-1, _STEPS_PER_BAR * material.tokens.shape[-1])
        own = [bar.tobytes() for bar in bars]
        shared = sum(any(bar in other for other in others) for bar in own)
        if len(others) < _OF_ONE_PIECE and shared <= _SHARED_BARS * len(own):
            others.append(set(own))
            kept.append(row)
    return kept


def _rounds(pieces: list[int]) -> list[int]:
    """Return an order in which each piece's first section comes before any piece's second one."""
    seen: dict[int, int] = {}
    rounds = []
    for piece in pieces:
        rounds.append(seen.get(piece, 0))
        seen[piece] = rounds[-1] + 1
    order: list[int] = np.argsort(rounds, kind="stable").tolist()
    return order


def _phrases(section: Tokens) -> list[bytes]:
    """Return every two bars in a row in which something happens."""
    found = []
    length = _COPIED_BARS * _STEPS_PER_BAR
    for begin in range(0, len(section) - length + 1, _STEPS_PER_BAR):
        part = section[begin : begin + length]
        if (part > NOTE_OFF).sum() >= _LEAST_COPIED_NOTES:
            found.append(np.ascontiguousarray(part).tobytes())
    return found


def dissonance(section: Tokens) -> float:
    """Return the share of intervals between voices of a section (steps, voices), step by step, that are dissonant."""
    heard = sounding(section).astype(np.int64)
    dissonant = intervals = 0
    for upper in range(heard.shape[-1]):
        for lower in range(upper + 1, heard.shape[-1]):
            both = (heard[:, upper] > NOTE_OFF) & (heard[:, lower] > NOTE_OFF)
            intervals += int(both.sum())
            dissonant += int((_DISSONANT[np.abs(heard[:, upper] - heard[:, lower]) % 12] & both).sum())
    return dissonant / max(intervals, 1)


def _fits(section: Tokens, phrases: set[bytes]) -> bool:
    """Return whether a section is new, not too dissonant, and not too low or high."""
    pitches = section[section > NOTE_OFF].astype(np.int64) - FIRST_PITCH_CLASS + MIN_PITCH
    if not len(pitches) or pitches.min() < _LOWEST or pitches.max() > _HIGHEST:
        return False
    return dissonance(section) <= _MOST_DISSONANT and not any(phrase in phrases for phrase in _phrases(section))


def most_real(candidates: Pairs, material: MemoryMaterial, seed: int = 0) -> Pairs:
    """Return the most realistic pair of each plan by a critic, for the better half of the plans.

    Parameters
    ----------
    candidates : Pairs
        Several of many plans.
    material : MemoryMaterial
        The source of the plans, and the critic's real sections.
    seed : int

    Returns
    -------
    Pairs
        In the order of the candidates. Plans share at most half of their bars with each other. Where there is too
        little music for a critic, or sections are of other lengths than sixteen bars, all plans are kept.
    """
    kept: list[int] = []
    for metre in sorted({int(value) for value in material.metre[candidates.plan]}):
        rows = np.flatnonzero(material.metre[candidates.plan] == metre)
        real = _for_the_critic(material, metre, seed)
        sides = [
            log_odds_of_real(
                candidates.tokens[rows, side],
                material.piece[candidates.plan[rows]],
                material.tokens[real],
                material.piece[real],
                seed,
            )
            for side in (0, 1)
        ]
        odds = np.zeros(len(rows))
        share = 1.0
        for side in sides:
            if side is not None:
                odds, share = odds + side, _KEPT
        best: dict[int, int] = {}
        for number in np.argsort(-odds, kind="stable").tolist():
            best.setdefault(int(candidates.plan[rows[number]]), int(rows[number]))
        plans = _unlike(material, best)
        kept += [best[plan] for plan in plans[: max(int(share * len(plans)), 1)]]
    chosen = np.array(sorted(kept), dtype=np.intp)
    return Pairs(candidates.tokens[chosen], candidates.plan[chosen])


def _for_the_critic(material: MemoryMaterial, metre: int, seed: int) -> npt.NDArray[np.intp]:
    """Draw real sections of a metre, a few of each piece."""
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(material.metre == metre))
    order = np.array(_rounds([int(material.piece[row]) for row in rows]), dtype=np.intp)
    seen: dict[int, int] = {}
    chosen = []
    for row in rows[order].tolist():
        piece = int(material.piece[row])
        seen[piece] = seen.get(piece, 0) + 1
        if seen[piece] <= _CRITIC_OF_PIECE:
            chosen.append(row)
    return np.array(chosen[:_CRITIC_SECTIONS], dtype=np.intp)
