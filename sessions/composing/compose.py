"""Pieces from a model: a short path in latent space, decoded at once for a whole session, arranged, scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sessions.composing.calm_fit import (
    FILLED,
    LEVELS,
    CalmSearch,
    DecodedSection,
    at_levels,
    drawn_density,
    guessed_density,
    measured,
    pad_gain,
    touch_towards,
    velocity_offset,
)
from sessions.composing.key_path import Neighbour, Place, best_key_path
from sessions.composing.latent_path import LEANING, closing, distinct, latent_path, towards_attributes, written
from sessions.composing.titles import titles
from sessions.errors import PlanError
from sessions.planning.plan import PlannedPiece
from therapy_gen.music.analysis.calmness import calmness, calmness_of
from therapy_gen.music.analysis.register import register_of
from therapy_gen.music.arranging.arrange import PALETTES, arrange
from therapy_gen.music.metre import Metre, in_metres, metre_of
from therapy_gen.music.midi.midi import to_midi
from therapy_gen.music.performance import Performance
from therapy_gen.music.tokens import BARS_PER_SECTION, STEPS_PER_BAR, STEPS_PER_QUARTER, Tokens, tokens_to_notes
from therapy_gen.music.tonality import key_name, scale_pitch_classes
from therapy_gen.musicvae.latent.interpolate import slerp
from therapy_gen.musicvae.model import DECODER_TEMPERATURE
from therapy_gen.musicvae.section_model import SectionModel

DEFAULT_TEMPERATURE = DECODER_TEMPERATURE
DEFAULT_PALETTE = "piano"
TEMPERATURES = (0.05, 2.0)

# Each section is decoded this often; the calmest piece of notes stays.
_CANDIDATES = 2
# By how many nats notes outside the key, and notes that clash with another voice, are made less likely: sessions are
# then in key unless the model is sure of a chromatic note, and a little less dissonant than calm music
# (docs/sampling.md).
_CHROMATIC = 1.5
_CONSONANCE = 0.7

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ComposedPiece:
    """A piece as it will be stored.

    Attributes
    ----------
    z : float32 array, shape (distinct sections, z_size)
        In order of first appearance in `form`.
    sections : tuple of tokens
        What was decoded for each of them, on tonic C.
    seed : int
        That the arrangement was made with.
    features : mapping of str to float
        What the calmness score measured.
    register : float or None
        Mean MIDI pitch of the melody.
    metre : str
        E.g. ``"3/4"``.
    calm : float
        0 to 1, higher is calmer.
    """

    title: str
    form: tuple[str, ...]
    z: FloatArray
    sections: tuple[Tokens, ...]
    seed: int
    temperature: float
    palette: str
    key: str
    tempo: float
    duration_s: float
    midi: bytes
    features: Mapping[str, float]
    register: float | None
    metre: str
    calm: float


def compose(
    pieces: Sequence[PlannedPiece],
    model: SectionModel,
    rng: np.random.Generator,
    *,
    temperature: float = DEFAULT_TEMPERATURE,
    palette: str = DEFAULT_PALETTE,
    homes: Sequence[FloatArray | None] | None = None,
    attributes: Mapping[str, tuple[float, float]] | None = None,
    targets: Sequence[float] | None = None,
    neighbours: Sequence[Neighbour | None] | None = None,
    free_keys: bool = False,
) -> list[ComposedPiece]:
    """Write the music of planned pieces.

    Parameters
    ----------
    pieces : sequence of PlannedPiece
    model : SectionModel
    rng : Generator
        Decides everything that is left open: the same state gives the same bytes.
    temperature : float
        Of the model's choices, within `TEMPERATURES`.
    palette : str
        Instruments, one of `therapy_gen.music.arranging.arrange.PALETTES`.
    homes : sequence of (array, shape (z_size,), or None), optional
        Near which point of the latent space each piece begins; None: anywhere.
    attributes : mapping of str to (float, float), optional
        Attributes of the model (see `therapy_gen.musicvae.latent.attributes`) that the music is led to: the higher
        value in the first piece, the lower one in the last.
    targets : sequence of float, optional
        How calm each piece is to be, 0 to 1: sections are then decoded at several densities, and those taken that come
        nearest, and the last section of a piece leans towards the first one of the next.
    neighbours : sequence of (Neighbour or None), optional
        With targets: all pieces of the session in their order, None for each one to be composed; without it there are
        no others. Octaves are chosen so that melodies are as high as the arc wants them.
    free_keys : bool
        With targets: whether the keys of the plan may give way to others that bring melodies nearer to that.

    Raises
    ------
    PlanError
        Where temperature or palette is out of range, or the model has no vectors for the attributes.
    """
    check_temperature(temperature)
    check_palette(palette)
    if not pieces:
        return []
    for metre in {piece.metre for piece in pieces}:
        check_metre(metre, model)
    if targets is not None:
        pieces = [replace(piece, form=closing(piece.form)) for piece in pieces[:-1]] + [pieces[-1]]
    starts = homes if homes is not None else [None] * len(pieces)
    free_density = targets is not None and "density" not in (attributes or {})
    dense: list[float | None] = [None] * len(pieces)
    if targets is not None and free_density:
        dense = [drawn_density(target, piece.tempo, piece.metre) for piece, target in zip(pieces, targets, strict=True)]
    paths = [
        latent_path(piece.form, model, rng, piece.mode, home, piece.metre, density)
        for piece, home, density in zip(pieces, starts, dense, strict=True)
    ]
    if targets is not None:
        for path, following in pairwise(paths):
            path[-1] = slerp(path[-1], following[0], LEANING)
    paths = towards_attributes(paths, model, attributes or {}, [piece.metre for piece in pieces])
    modes = [piece.mode for piece, path in zip(pieces, paths, strict=True) for _ in path]
    metres = [piece.metre for piece, path in zip(pieces, paths, strict=True) for _ in path]
    names = titles(len(pieces), rng)
    seeds = [int(rng.integers(2**31)) for _ in pieces]
    composed = []
    if targets is None:
        sections = _decode(np.concatenate(paths), modes, metres, model, temperature, rng)
        start = 0
        for piece, path, name, seed in zip(pieces, paths, names, seeds, strict=True):
            own = sections[start : start + len(path)]
            start += len(path)
            performance = _arranged(piece, own, palette, seed)
            composed.append(_finish(piece, path, own, performance, name, seed, temperature))
        return composed
    drawn = _drawn(pieces, paths, starts, dense, model) if free_density else None
    ladders = _ladders(pieces, paths, modes, targets, drawn, model, temperature, rng)
    searches = [
        CalmSearch(ladder, [piece.form.count(label) for label in distinct(piece.form)], target)
        for piece, ladder, target in zip(pieces, ladders, targets, strict=True)
    ]
    open_places = iter(
        Place.for_melody(search.melody(), target, piece.tonic, piece.mode, free_key=free_keys)
        for piece, search, target in zip(pieces, searches, targets, strict=True)
    )
    order = [None] * len(pieces) if neighbours is None else neighbours
    places = [next(open_places) if there is None else Place.of(there) for there in order]
    slots = [slot for slot, there in enumerate(order) if there is None]
    for slot, piece, search, target, name, seed in zip(slots, pieces, searches, targets, names, seeds, strict=True):
        # Anew for every piece, since those before it came out a little higher or lower than was to be foreseen.
        choice = best_key_path(places)[slot]
        melody_shift = int(places[slot].shifts[choice])
        piece = replace(piece, tonic=melody_shift % 12)
        chosen, performance = _nearest(piece, search, target, melody_shift, palette, seed)
        z = np.stack([section.z for section in chosen])
        made = _finish(piece, z, [s.tokens for s in chosen], performance, name, seed, temperature)
        composed.append(made)
        places[slot] = places[slot].settled(choice, made.register)
    return composed


def _drawn(
    pieces: Sequence[PlannedPiece],
    paths: Sequence[FloatArray],
    homes: Sequence[FloatArray | None],
    dense: Sequence[float | None],
    model: SectionModel,
) -> list[Sequence[float] | None]:
    """Return the notes a bar that the sections of each path have before they are moved, where that is no usual density.

    Near a piece heard before they are about as dense as that is: they are decoded to find out.
    """
    drawn: list[Sequence[float] | None] = [
        None if density is None else [density] * len(path) for density, path in zip(dense, paths, strict=True)
    ]
    near = [n for n, home in enumerate(homes) if home is not None]
    if near:
        metres = [pieces[n].metre for n in near for _ in paths[n]]
        densities = iter(written(np.concatenate([paths[n] for n in near]), "density", metres, model))
        for n in near:
            drawn[n] = [next(densities) for _ in paths[n]]
    return drawn


def _ladders(
    pieces: Sequence[PlannedPiece],
    paths: Sequence[FloatArray],
    modes: Sequence[str],
    targets: Sequence[float],
    drawn: Sequence[Sequence[float] | None] | None,
    model: SectionModel,
    temperature: float,
    rng: np.random.Generator,
) -> list[list[list[DecodedSection]]]:
    """Decode the sections of all pieces at several densities, in one batch: [piece][section][level].

    Without what they were `drawn` with, because a density was asked for, they are decoded as often, as they are.
    """
    levels: list[list[FloatArray]] = [[] for _ in LEVELS]
    for n, (piece, path, target) in enumerate(zip(pieces, paths, targets, strict=True)):
        moved = [path] * len(LEVELS)
        if drawn is not None:
            guess = guessed_density(target, piece.tempo, piece.metre)
            moved = at_levels(path, model, guess, drawn[n], piece.metre)
        for held, z in zip(levels, moved, strict=True):
            held.append(z)
    z = np.concatenate([np.concatenate(held) for held in levels]).astype(np.float32)
    tokens = model.decode(
        z,
        temperature=temperature,
        rng=rng,
        pitch_classes=np.tile(_scales(modes), (len(LEVELS), 1)),
        chromatic=_CHROMATIC,
        consonance=_CONSONANCE,
    )
    tokens = in_metres(
        tokens, [piece.metre for piece, path in zip(pieces, paths, strict=True) for _ in path] * len(LEVELS)
    )
    ladders: list[list[list[DecodedSection]]] = []
    start = 0
    for piece, path in zip(pieces, paths, strict=True):
        rows = [[start + n + level * len(modes) for level in range(len(LEVELS))] for n in range(len(path))]
        ladders.append(
            [
                [measured(z[row], tokens[row], piece.tempo, piece.metre) for row in row_of_levels]
                for row_of_levels in rows
            ]
        )
        start += len(path)
    return ladders


def _nearest(
    piece: PlannedPiece, search: CalmSearch, target: float, melody_shift: int, palette: str, seed: int
) -> tuple[Sequence[DecodedSection], Performance]:
    """Choose sections of a piece so that it is as calm as wanted; return them, and the piece."""

    def arranged(chosen: Sequence[DecodedSection]) -> tuple[float, tuple[float, Sequence[DecodedSection], Performance]]:
        performance = _arranged(piece, [section.tokens for section in chosen], palette, seed, target, melody_shift)
        score = calmness_of(performance).score
        return score, (score, chosen, performance)

    score, chosen, performance = search.fitted(arranged)
    return chosen, performance.with_velocity_offset(touch_towards(target, score))


def check_temperature(temperature: float) -> None:
    """Raise PlanError where a temperature is out of range."""
    low, high = TEMPERATURES
    if not low <= temperature <= high:
        raise PlanError(f"temperature {temperature:g} is out of range; give {low:g} to {high:g}")


def check_metre(metre: Metre, model: SectionModel) -> None:
    """Raise PlanError where a model does not write bars of a metre."""
    if metre.beats not in model.metres:
        written = " or ".join(f"--metre {metre_of(beats).name}" for beats in model.metres)
        raise PlanError(f"model {model.name} writes no bars of {metre.name}; give {written}, or another model")


def check_palette(palette: str) -> None:
    """Raise PlanError where a palette is not known."""
    if palette not in PALETTES:
        raise PlanError(f"palette {palette!r} is not known; give one of: {', '.join(PALETTES)}")


def _decode(
    z: FloatArray,
    modes: Sequence[str],
    metres: Sequence[Metre],
    model: SectionModel,
    temperature: float,
    rng: np.random.Generator,
) -> list[Tokens]:
    """Decode every z several times in one batch, within its scale; return the calmest candidate of each."""
    tokens = model.decode(
        np.repeat(z, _CANDIDATES, axis=0),
        temperature=temperature,
        rng=rng,
        pitch_classes=np.repeat(_scales(modes), _CANDIDATES, axis=0),
        chromatic=_CHROMATIC,
        consonance=_CONSONANCE,
    )
    tokens = in_metres(tokens, [metre for metre in metres for _ in range(_CANDIDATES)])
    return [max(tokens[n : n + _CANDIDATES], key=_calm) for n in range(0, len(tokens), _CANDIDATES)]


def _scales(modes: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return the pitch classes (n, 12) that sections on tonic C may have."""
    allowed = np.zeros((len(modes), 12), dtype=bool)
    for row, mode in zip(allowed, modes, strict=True):
        row[sorted(scale_pitch_classes(0, mode))] = True
    return allowed


def _arranged(
    piece: PlannedPiece,
    sections: Sequence[Tokens],
    palette: str,
    seed: int,
    target: float | None = None,
    melody_shift: int | None = None,
) -> Performance:
    by_label = dict(zip(distinct(piece.form), sections, strict=True))
    return arrange(
        [by_label[label] for label in piece.form],
        tonic=piece.tonic,
        mode=piece.mode,
        tempo=piece.tempo,
        palette=palette,
        seed=seed,
        velocity_offset=0 if target is None else velocity_offset(target),
        pad_gain=1.0 if target is None else pad_gain(target),
        melody_shift=melody_shift,
        form=piece.form,
        metre=piece.metre,
    )


def _finish(
    piece: PlannedPiece,
    path: FloatArray,
    sections: Sequence[Tokens],
    performance: Performance,
    title: str,
    seed: int,
    temperature: float,
) -> ComposedPiece:
    scored = calmness_of(performance)
    register = register_of(performance)
    return ComposedPiece(
        title=title,
        form=piece.form,
        z=path,
        sections=tuple(sections),
        seed=seed,
        temperature=temperature,
        palette=performance.palette,
        key=key_name(piece.tonic, piece.mode),
        tempo=piece.tempo,
        duration_s=round(performance.duration, 3),
        midi=to_midi(performance, title=title),
        features={name: round(value, 4) for name, value in scored.values.items()},
        register=None if register is None else round(register, 2),
        metre=piece.metre.name,
        calm=round(scored.score, 4),
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
    return score if filled >= FILLED else filled - 1.0
