"""Pieces from a model: a short path in latent space, decoded at once for a whole session, arranged, scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sessions.composing.calm_fit import CalmSearch, DecodedSection, drawn_density, touch_towards
from sessions.composing.candidates import Draft, calmest_sections, decode_at_densities
from sessions.composing.key_path import Neighbour, Place, best_key_path
from sessions.composing.latent_path import LEANING, closing, distinct, latent_path, towards_attributes
from sessions.composing.titles import titles
from sessions.errors import PlanError
from sessions.planning.calm_levels import PAD_GAIN, VELOCITY_OFFSET
from sessions.planning.plan import PlannedPiece
from therapy_gen.music.analysis.calmness import calmness_of
from therapy_gen.music.analysis.register import register_of
from therapy_gen.music.analysis.valence import valence_of
from therapy_gen.music.arranging.arrange import arrange
from therapy_gen.music.arranging.contrast import contrast_shifts
from therapy_gen.music.arranging.palettes import check_palette
from therapy_gen.music.metre import Metre, metre_of
from therapy_gen.music.midi.midi import to_midi
from therapy_gen.music.performance import Performance
from therapy_gen.music.tokens import Tokens
from therapy_gen.music.tonality import key_name
from therapy_gen.musicvae.latent.interpolate import slerp
from therapy_gen.musicvae.model import DECODER_TEMPERATURE
from therapy_gen.musicvae.section_model import SectionModel

DEFAULT_TEMPERATURE = DECODER_TEMPERATURE
# The points of a memory were fitted to what is decoded greedily.
_MEMORY_TEMPERATURE = 0.05
DEFAULT_PALETTE = "piano"
_TEMPERATURES = (0.05, 2.0)

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Brief:
    """What a piece of a session should be like.

    Attributes
    ----------
    piece : PlannedPiece
    target : float
        How calm it is to be, 0 to 1.
    home : array, shape (z_size,), or None
        The point of the latent space near which it begins; None: anywhere.
    """

    piece: PlannedPiece
    target: float
    home: FloatArray | None = None


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
        Of the arrangement.
    features : mapping of str to float
        What the scores of calmness and of valence measured.
    register : float or None
        Mean MIDI pitch of the melody.
    metre : str
        E.g. ``"3/4"``.
    calm : float
        0 to 1, higher is calmer.
    valence : float or None
        How pleasant it sounds to most raters, 0 to 1; None without a pitched note.
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
    valence: float | None


def compose(
    pieces: Sequence[PlannedPiece],
    model: SectionModel,
    rng: np.random.Generator,
    *,
    temperature: float | None = None,
    palette: str = DEFAULT_PALETTE,
    attributes: Mapping[str, tuple[float, float]] | None = None,
) -> list[ComposedPiece]:
    """Write pieces without a target: of two candidates for every section, the calmer one.

    Parameters
    ----------
    pieces : sequence of PlannedPiece
    model : SectionModel
    rng : Generator
        Decides everything that is left open: the same state gives the same bytes.
    temperature : float, optional
        Of the model's choices, 0.05 to 2; `usual_temperature` by default.
    palette : str
        Instruments, one of `therapy_gen.music.arranging.palettes.PALETTES`.
    attributes : mapping of str to (float, float), optional
        Attributes of the model (see `therapy_gen.musicvae.latent.attributes`) that the music is led to: the higher
        value in the first piece, the lower one in the last.

    Raises
    ------
    PlanError
        Where temperature or palette is out of range, or the model has no vectors for the attributes.
    """
    if temperature is None:
        temperature = usual_temperature(begins_at_memory(model, (), attributes))
    _check(pieces, model, temperature, palette)
    if not pieces:
        return []
    drawn: set[int] = set()
    paths = [
        latent_path(piece.form, model, rng, piece.mode, None, piece.metre, remembering=not attributes, drawn=drawn)
        for piece in pieces
    ]
    drafts = _drafts(pieces, paths, model, attributes or {}, rng, begins_at_memory(model, (), attributes))
    composed = []
    for draft, sections in zip(drafts, calmest_sections(drafts, model, temperature, rng), strict=True):
        performance = _arranged(draft.piece, sections, palette, draft.seed)
        composed.append(_finish(draft, draft.piece, draft.path, sections, performance, temperature))
    return composed


def compose_session(
    briefs: Sequence[Brief],
    model: SectionModel,
    rng: np.random.Generator,
    *,
    temperature: float | None = None,
    palette: str = DEFAULT_PALETTE,
    attributes: Mapping[str, tuple[float, float]] | None = None,
    neighbours: Sequence[Neighbour | None] | None = None,
    free_keys: bool = False,
) -> list[ComposedPiece]:
    """Write the pieces of a session, each as calm as its brief wants it.

    Sections are decoded at several densities, and those taken that come nearest; the last section of a piece leans
    towards the first one of the next, and octaves are chosen so that melodies are as high as the arc wants them.

    Parameters
    ----------
    briefs : sequence of Brief
        By their place in the session.
    model, rng, temperature, palette, attributes
        As of `compose`. A density among the attributes overrides what the brief's target asks for.
    neighbours : sequence of (Neighbour or None), optional
        All pieces of the session in order, None for each one to be composed; by default all are to be composed.
    free_keys : bool
        Whether the keys of the briefs may give way to others that bring melodies nearer to where they should lie.

    Raises
    ------
    PlanError
        As `compose` does.
    """
    pieces = [brief.piece for brief in briefs]
    if temperature is None:
        temperature = usual_temperature(begins_at_memory(model, briefs, attributes))
    _check(pieces, model, temperature, palette)
    if not pieces:
        return []
    # A section of a memory is left as it is: on the way to another it would no longer be like real music.
    remembering = begins_at_memory(model, briefs, attributes)
    if not remembering:
        pieces = [replace(piece, form=closing(piece.form)) for piece in pieces[:-1]] + [pieces[-1]]
    free_density = "density" not in (attributes or {})
    densities = [
        drawn_density(brief.target, brief.piece.tempo, brief.piece.metre) if free_density else None for brief in briefs
    ]
    paths = [
        latent_path(piece.form, model, rng, piece.mode, brief.home, piece.metre, density, remembering=remembering)
        for piece, brief, density in zip(pieces, briefs, densities, strict=True)
    ]
    for path, following in pairwise(paths) if not remembering else ():
        path[-1] = slerp(path[-1], following[0], LEANING)
    drafts = [
        replace(draft, target=brief.target, home=brief.home, density=density)
        for draft, brief, density in zip(
            _drafts(pieces, paths, model, attributes or {}, rng, remembering), briefs, densities, strict=True
        )
    ]
    choices = decode_at_densities(drafts, model, temperature, rng, free_density=free_density)
    order = [None] * len(drafts) if neighbours is None else neighbours
    return _placed(drafts, choices, order, palette, temperature, free_keys=free_keys, mixed_levels=not remembering)


def _check(pieces: Sequence[PlannedPiece], model: SectionModel, temperature: float, palette: str) -> None:
    check_temperature(temperature)
    check_palette(palette)
    for metre in {piece.metre for piece in pieces}:
        _check_metre(metre, model)


def _drafts(
    pieces: Sequence[PlannedPiece],
    paths: list[FloatArray],
    model: SectionModel,
    attributes: Mapping[str, tuple[float, float]],
    rng: np.random.Generator,
    remembered: bool,
) -> list[Draft]:
    """Return pieces with their paths, moved towards the attributes, their titles and the seeds of arrangements."""
    paths = towards_attributes(paths, model, attributes, [piece.metre for piece in pieces])
    names = titles(len(pieces), rng)
    seeds = [int(rng.integers(2**31)) for _ in pieces]
    return [Draft(*each, remembered=remembered) for each in zip(pieces, paths, names, seeds, strict=True)]


def _placed(
    drafts: Sequence[Draft],
    choices: Sequence[Sequence[Sequence[DecodedSection]]],
    order: Sequence[Neighbour | None],
    palette: str,
    temperature: float,
    *,
    free_keys: bool,
    mixed_levels: bool,
) -> list[ComposedPiece]:
    """Choose key, octave and sections of one piece after the other, and arrange it."""
    choices = [_in_their_keys(draft, decoded) for draft, decoded in zip(drafts, choices, strict=True)]
    searches = [
        CalmSearch(
            decoded,
            [draft.piece.form.count(label) for label in distinct(draft.piece.form)],
            draft.target,
            mixed=mixed_levels,
        )
        for draft, decoded in zip(drafts, choices, strict=True)
    ]
    open_places = iter(
        Place.for_melody(search.melody(), draft.target, draft.piece.tonic, draft.piece.mode, free_key=free_keys)
        for draft, search in zip(drafts, searches, strict=True)
    )
    places = [next(open_places) if there is None else Place.of(there) for there in order]
    slots = [slot for slot, there in enumerate(order) if there is None]
    composed = []
    for slot, draft, search in zip(slots, drafts, searches, strict=True):
        # Searched anew for every piece, since those before it came out a little higher or lower than expected.
        choice = best_key_path(places)[slot]
        melody_shift = int(places[slot].shifts[choice])
        piece = replace(draft.piece, tonic=melody_shift % 12)
        chosen, performance = _nearest(piece, search, draft.target, melody_shift, palette, draft.seed)
        z = np.stack([section.z for section in chosen])
        made = _finish(draft, piece, z, [section.tokens for section in chosen], performance, temperature)
        composed.append(made)
        places[slot] = places[slot].with_choice(choice, made.register)
    return composed


def _in_their_keys(draft: Draft, decoded: Sequence[Sequence[DecodedSection]]) -> Sequence[Sequence[DecodedSection]]:
    """Return sections [section][level] with their melodies in the keys in which they will sound."""
    form = draft.piece.form
    shifts = dict(zip(form, contrast_shifts(form, draft.seed), strict=True))
    return [
        [replace(section, melody=section.melody + shifts[label]) for section in levels]
        for label, levels in zip(distinct(form), decoded, strict=True)
    ]


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


def begins_at_memory(
    model: SectionModel, briefs: Sequence[Brief], attributes: Mapping[str, tuple[float, float]] | None
) -> bool:
    """Return whether pieces begin at sections of the model's memory.

    Where attributes are requested, pieces begin near others heard before, or must be denser than calm music, they are
    drawn from the fitted prior instead, whose points can be moved.
    """
    return (
        model.memory is not None
        and not attributes
        and all(
            brief.home is None and drawn_density(brief.target, brief.piece.tempo, brief.piece.metre) is None
            for brief in briefs
        )
    )


def usual_temperature(remembered: bool) -> float:
    """Return the decoding temperature where none is requested: a lower one for sections from memory."""
    return _MEMORY_TEMPERATURE if remembered else DEFAULT_TEMPERATURE


def check_temperature(temperature: float) -> None:
    """Raise PlanError where a temperature is out of range."""
    low, high = _TEMPERATURES
    if not low <= temperature <= high:
        raise PlanError(f"temperature {temperature:g} is out of range; give {low:g} to {high:g}")


def _check_metre(metre: Metre, model: SectionModel) -> None:
    """Raise PlanError where a model does not write bars of a metre."""
    if metre.beats not in model.metres:
        written = " or ".join(f"`metre` {metre_of(beats).name}" for beats in model.metres)
        raise PlanError(f"model {model.name} writes no bars of {metre.name}; give {written}, or another model")


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
        velocity_offset=0 if target is None else round(VELOCITY_OFFSET.at(target)),
        pad_gain=1.0 if target is None else PAD_GAIN.at(target),
        melody_shift=melody_shift,
        form=piece.form,
        shifts=contrast_shifts(piece.form, seed),
        metre=piece.metre,
    )


def _finish(
    draft: Draft,
    piece: PlannedPiece,
    z: FloatArray,
    sections: Sequence[Tokens],
    performance: Performance,
    temperature: float,
) -> ComposedPiece:
    scored = calmness_of(performance)
    pleasant = valence_of(performance)
    register = register_of(performance)
    return ComposedPiece(
        title=draft.title,
        form=piece.form,
        z=z,
        sections=tuple(sections),
        seed=draft.seed,
        temperature=temperature,
        palette=performance.palette,
        key=key_name(piece.tonic, piece.mode),
        tempo=piece.tempo,
        duration_s=round(performance.duration, 3),
        midi=to_midi(performance, title=draft.title),
        features={
            name: round(value, 4) for name, value in {**scored.values, **(pleasant.values if pleasant else {})}.items()
        },
        register=None if register is None else round(register, 2),
        metre=piece.metre.name,
        calm=round(scored.score, 4),
        valence=None if pleasant is None else round(pleasant.score, 4),
    )
