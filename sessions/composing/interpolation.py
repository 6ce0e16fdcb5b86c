"""Interpolation from one file to another through the latent space, as MIDI files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sessions.composing.samples import WrittenSection
from sessions.errors import PlanError
from sessions.export_paths import make_folder, write_bytes
from therapy_gen.errors import InputError
from therapy_gen.music.arranging.arrange import MAX_TEMPO, MIN_TEMPO, arrange
from therapy_gen.music.arranging.literal import MAGENTA_TEMPO, canonical, literal_performance
from therapy_gen.music.arranging.palettes import check_palette
from therapy_gen.music.corpus.excerpt import Excerpt, take_excerpt
from therapy_gen.music.metre import FOUR_FOUR, Metre, in_metres, metre_of
from therapy_gen.music.midi.midi import to_midi
from therapy_gen.music.performance import Performance
from therapy_gen.music.tonality import key_name
from therapy_gen.musicvae.latent.even_spacing import FINER, distances, even_choice, unevenness
from therapy_gen.musicvae.load import writes_sections
from therapy_gen.musicvae.section_model import LatentModel

STEPS = (2, 100)
_JOINED = "way.mid"
# A point this near to an end (in each dimension) is that end.
_SAME = 1e-6

IntArray = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Interpolation:
    """What was written.

    Attributes
    ----------
    samples : list of WrittenSection
    changes : list of float
        From each file to the next: the share of sixteenths at which another note sounds.
    unevenness : float
        Deviation of `changes` over their mean.
    joined : Path or None
        The file with all samples one after the other.
    ends : tuple of Excerpt
        The excerpts of the two files.
    """

    samples: list[WrittenSection]
    changes: list[float]
    unevenness: float
    joined: Path | None
    ends: tuple[Excerpt, Excerpt]


def write_interpolation(
    model: LatentModel,
    start: Path,
    end: Path,
    folder: Path,
    *,
    steps: int = 8,
    palette: str | None = None,
    smooth: bool = False,
    joined: bool = False,
) -> Interpolation:
    """Write the interpolation from the best bars of one MIDI file to those of another, both ends included.

    The points lie on the great circle between the two posterior means. The first and the last file have the files' own
    notes; each point between is decoded to its likeliest notes. A model that was trained on one tonic writes them in
    the key of the nearer end, and in the metre of both files where it is one. The tempo goes from that of one file to
    that of the other.

    Parameters
    ----------
    palette : str, optional
        Arrange each step as `session new` does its pieces; without it, notes are written as decoded.
    smooth : bool
        Choose the points so that each step changes the music equally.
    joined : bool
        Also write all steps as one file.

    Raises
    ------
    InputError
        Where a file cannot be read or holds nothing for the model, or the folder cannot be written.
    """
    if not STEPS[0] <= steps <= STEPS[1]:
        raise PlanError(f"steps {steps} is out of range; give {STEPS[0]} to {STEPS[1]}")
    if palette is not None:
        check_palette(palette)
        if not writes_sections(model):
            raise InputError(
                "`palette` arranges what therapy-gen's own models write, sixteen bars at a time; "
                "leave it out with Magenta's and with those of fewer bars"
            )
    voices, band = model.voices, "drums" in model.voices
    ends = _ends(model, start, end)
    metre = ends[0].metre
    mu, _ = model.encode(np.stack([stretch.tokens for stretch in ends]))
    count = (steps - 1) * FINER + 1 if smooth else steps
    sections = _sections(model, mu, ends, count, voices)
    if metre != FOUR_FOUR:
        sections = list(in_metres(np.stack(sections), [metre] * count))
    in_time = [metre.in_time(section) for section in sections]
    chosen = even_choice(distances(in_time, voices), steps) if smooth else list(range(count))
    sections = [sections[n] for n in chosen]
    along = [n / (count - 1) for n in chosen]
    changes = distances([in_time[n] for n in chosen], voices)
    make_folder(folder)
    samples = []
    nearer = [ends[0] if share <= 0.5 else ends[1] for share in along]
    tempi = _tempi(ends, along)
    for number, section in enumerate(sections, 1):
        title = f"{start.stem} to {end.stem}, {number} of {steps}"
        at = number - 1
        performance = (
            _literal([section], [nearer[at]], [tempi[at]], voices, band=band)
            if palette is None
            else _arranged(section, nearer[at], tempi[at], palette, seed=number)
        )
        path = folder / f"step-{number:0{max(2, len(str(steps)))}d}.mid"
        write_bytes(path, to_midi(performance, title=title))
        samples.append(WrittenSection(path, title, performance.key))
    together = None
    if joined:
        together = folder / _JOINED
        performance = _literal(sections, nearer, tempi, voices, band=band)
        write_bytes(together, to_midi(performance, title=f"{start.stem} to {end.stem}"))
    return Interpolation(samples, [round(float(change), 4) for change in changes], unevenness(changes), together, ends)


def _ends(model: LatentModel, start: Path, end: Path) -> tuple[Excerpt, Excerpt]:
    """Take the best bars of both files: in their metre where it is one that the model writes, else in 4/4."""

    def both(metres: Sequence[Metre]) -> tuple[Excerpt, Excerpt]:
        first, last = (
            take_excerpt(path, model.bars, model.voices, common_tonic=model.common_tonic, metres=metres)
            for path in (start, end)
        )
        return first, last

    ends = both([metre_of(beats) for beats in model.metres])
    return ends if ends[0].metre == ends[1].metre else both([FOUR_FOUR])


def _sections(
    model: LatentModel, mu: npt.NDArray[np.float32], ends: Sequence[Excerpt], count: int, voices: Sequence[str]
) -> list[IntArray]:
    points = model.interpolate(mu[0], mu[1], count)
    decoded = model.decode(points, temperature=0.0)
    sections: list[IntArray] = []
    for number, (point, section) in enumerate(zip(points, decoded, strict=True)):
        if number == 0 or np.abs(point - mu[0]).max() < _SAME:
            sections.append(ends[0].tokens)
        elif number == count - 1 or np.abs(point - mu[1]).max() < _SAME:
            sections.append(ends[1].tokens)
        else:
            columns = [
                section[:, n].astype(np.int64) if name == "drums" else canonical(section[:, n].astype(np.int64))
                for n, name in enumerate(voices)
            ]
            sections.append(np.stack(columns, axis=-1))
    return sections


def _tempi(ends: Sequence[Excerpt], along: Sequence[float]) -> list[float]:
    first, last = (min(max(stretch.tempo or MAGENTA_TEMPO, MIN_TEMPO), MAX_TEMPO) for stretch in ends)
    return [round(first + (last - first) * share, 3) for share in along]


def _literal(
    sections: Sequence[IntArray], ends: Sequence[Excerpt], tempi: Sequence[float], voices: Sequence[str], *, band: bool
) -> Performance:
    return literal_performance(
        sections,
        voices,
        tempi=tempi,
        key=key_name(ends[0].tonic, ends[0].mode),
        shifts=[-stretch.shift for stretch in ends],
        band=band,
        metre=ends[0].metre,
    )


def _arranged(section: IntArray, nearer: Excerpt, tempo: float, palette: str, *, seed: int) -> Performance:
    return arrange(
        [section.astype(np.uint8)],
        tonic=nearer.tonic,
        mode=nearer.mode,
        tempo=tempo,
        palette=palette,
        seed=seed,
        metre=nearer.metre,
    )
