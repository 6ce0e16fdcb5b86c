"""Pieces from a model: a short walk in latent space, decoded at once for a whole session, arranged, scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sessions.errors import PlanError
from sessions.plan import PlannedPiece
from sessions.titles import titles
from therapy_gen.music.arrangement import PALETTES, Performance, arrange
from therapy_gen.music.calmness import Calmness, calmness
from therapy_gen.music.midi import to_midi
from therapy_gen.music.tokens import BARS_PER_SECTION, STEPS_PER_BAR, STEPS_PER_QUARTER, Tokens, tokens_to_notes
from therapy_gen.music.tonality import key_name, scale_pitch_classes
from therapy_gen.musicvae.latent import neighbour, slerp
from therapy_gen.musicvae.runtime import Model

# Of those compared by benchmarks/sampling.py, nearest to held-out music in scale, intervals and dissonance.
DEFAULT_TEMPERATURE = 0.7
DEFAULT_PALETTE = "piano"
TEMPERATURES = (0.05, 2.0)

# How far a variation stands from its section on the way to another sample, and how far a contrasting section does.
_VARIATION = 0.15
_CONTRAST = 0.5
# Each section is decoded this often; the calmest piece of notes stays.
_CANDIDATES = 2
# Share of bars in which a note must begin; a section with fewer is taken only where there is no other.
_FILLED = 0.9

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ComposedPiece:
    """A piece as it will be stored.

    Attributes
    ----------
    z : float32 array, shape (distinct sections, z_size)
        In order of first appearance in `form`.
    seed : int
        That the arrangement was made with.
    features : mapping of str to float
        What the calmness score measured.
    calm : float
        0 to 1, higher is calmer.
    """

    title: str
    form: tuple[str, ...]
    z: FloatArray
    seed: int
    temperature: float
    palette: str
    key: str
    tempo: float
    duration_s: float
    midi: bytes
    features: Mapping[str, float]
    calm: float


def compose(
    pieces: Sequence[PlannedPiece],
    model: Model,
    rng: np.random.Generator,
    *,
    temperature: float = DEFAULT_TEMPERATURE,
    palette: str = DEFAULT_PALETTE,
) -> list[ComposedPiece]:
    """Write the music of planned pieces.

    Parameters
    ----------
    pieces : sequence of PlannedPiece
    model : Model
    rng : Generator
        Decides everything that is left open: the same state gives the same bytes.
    temperature : float
        Of the model's choices, 0 to 1.5.
    palette : str
        Instruments, one of `therapy_gen.music.arrangement.PALETTES`.

    Raises
    ------
    PlanError
        Where temperature or palette is out of range.
    """
    check_temperature(temperature)
    check_palette(palette)
    walks = [latent_walk(piece.form, model, rng, piece.mode) for piece in pieces]
    modes = [piece.mode for piece, walk in zip(pieces, walks, strict=True) for _ in walk]
    sections = _decode(np.concatenate(walks), modes, model, temperature, rng)
    names = titles(len(pieces), rng)
    composed = []
    start = 0
    for piece, walk, name in zip(pieces, walks, names, strict=True):
        own = sections[start : start + len(walk)]
        start += len(walk)
        seed = int(rng.integers(2**31))
        composed.append(_finish(piece, walk, own, name, seed, temperature, palette))
    return composed


def check_temperature(temperature: float) -> None:
    """Raise PlanError where a temperature is out of range."""
    low, high = TEMPERATURES
    if not low <= temperature <= high:
        raise PlanError(f"temperature {temperature:g} is out of range; give {low:g} to {high:g}")


def check_palette(palette: str) -> None:
    """Raise PlanError where a palette is not known."""
    if palette not in PALETTES:
        raise PlanError(f"palette {palette!r} is not known; give one of: {', '.join(PALETTES)}")


def distinct(form: Sequence[str]) -> list[str]:
    """Return the labels of a form, each once, in order of first appearance."""
    return list(dict.fromkeys(form))


def latent_walk(form: Sequence[str], model: Model, rng: np.random.Generator, mode: str = "major") -> FloatArray:
    """Return z (distinct sections, z_size) for a form: variations stand near their section, contrasts further off."""
    labels = distinct(form)
    letters = distinct([label[0] for label in labels])
    samples = model.sample_prior(len(letters) + len(labels), rng, mode)
    home = samples[0]
    base = {letter: slerp(home, samples[n], _CONTRAST) if n else home for n, letter in enumerate(letters)}
    others = samples[len(letters) :]
    walk = []
    for label, other in zip(labels, others, strict=True):
        point = base[label[0]]
        for _ in range(label.count("'")):
            point = neighbour(point, other, _VARIATION)
        walk.append(point)
    return np.stack(walk)


def _decode(
    z: FloatArray, modes: Sequence[str], model: Model, temperature: float, rng: np.random.Generator
) -> list[Tokens]:
    """Decode every z several times in one batch, within its scale; return the calmest candidate of each."""
    allowed = np.zeros((len(z), 12), dtype=bool)
    for row, mode in zip(allowed, modes, strict=True):
        row[sorted(scale_pitch_classes(0, mode))] = True
    tokens = model.decode(
        np.repeat(z, _CANDIDATES, axis=0),
        temperature=temperature,
        rng=rng,
        pitch_classes=np.repeat(allowed, _CANDIDATES, axis=0),
    )
    return [max(tokens[n : n + _CANDIDATES], key=_calm) for n in range(0, len(tokens), _CANDIDATES)]


def _finish(
    piece: PlannedPiece,
    walk: FloatArray,
    sections: Sequence[Tokens],
    title: str,
    seed: int,
    temperature: float,
    palette: str,
) -> ComposedPiece:
    by_label = dict(zip(distinct(piece.form), sections, strict=True))
    performance = arrange(
        [by_label[label] for label in piece.form],
        tonic=piece.tonic,
        mode=piece.mode,
        tempo=piece.tempo,
        palette=palette,
        seed=seed,
    )
    scored = _score(performance)
    return ComposedPiece(
        title=title,
        form=piece.form,
        z=walk,
        seed=seed,
        temperature=temperature,
        palette=palette,
        key=key_name(piece.tonic, piece.mode),
        tempo=piece.tempo,
        duration_s=round(performance.duration, 3),
        midi=to_midi(performance, title=title),
        features={name: round(value, 4) for name, value in scored.values.items()},
        calm=round(scored.score, 4),
    )


def _score(performance: Performance) -> Calmness:
    notes = [note for part in performance.parts for note in part.notes]
    return calmness(
        np.array([note.onset for note in notes]),
        np.array([note.duration for note in notes]),
        np.array([note.pitch for note in notes]),
    )


def _calm(tokens: Tokens) -> float:
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
    return score if filled >= _FILLED else filled - 1.0
