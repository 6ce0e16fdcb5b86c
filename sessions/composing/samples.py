"""Single sections as MIDI files: samples of the prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sessions.builder import check_seed
from sessions.composing.compose import DEFAULT_PALETTE, DEFAULT_TEMPERATURE, check_temperature, compose
from sessions.errors import PlanError
from sessions.export.scores import SCORE_SUFFIXES, plain_midi, score_of
from sessions.export_paths import make_folder, write_bytes
from sessions.planning.plan import DEFAULT_TEMPO, PlannedPiece
from therapy_gen.errors import InputError
from therapy_gen.music.analysis.calmness import calmness_of
from therapy_gen.music.arranging.literal import MAGENTA_TEMPO, literal_performance
from therapy_gen.music.metre import metre_of
from therapy_gen.music.midi.midi import to_midi
from therapy_gen.musicvae.load import writes_sections
from therapy_gen.musicvae.section_model import LatentModel

_MOST_SAMPLES = 1000
FORMATS = ("midi", "musicxml")
_TEMPO = sum(DEFAULT_TEMPO) / 2.0


@dataclass(frozen=True)
class WrittenSection:
    """A file that was written; `calm` is None where it was not asked for."""

    path: Path
    title: str
    key: str
    calm: float | None = None


def write_samples(
    model: LatentModel,
    folder: Path,
    *,
    count: int,
    seed: int,
    temperature: float | None = None,
    palette: str | None = None,
    format: str = FORMATS[0],
    plain: bool = False,
) -> list[WrittenSection]:
    """Write `count` sections from the prior to ``sample-01.mid`` and so on.

    They are in 4/4 where the model writes that. Those of therapy-gen's models are arranged; those of Magenta's are
    written note for note, at Magenta's tempo.

    Parameters
    ----------
    temperature : float, optional
        `DEFAULT_TEMPERATURE`, which `music_vae_generate` of Magenta has as well.
    palette : str, optional
        Instruments; for therapy-gen's own models only.
    format : {"midi", "musicxml"}
    plain : bool
        Write MIDI as the score has it: on the grid, in one tempo, at one loudness, without pedal and pad.

    Raises
    ------
    InputError
        Where a value is out of range or the folder cannot be written.
    """
    if not 1 <= count <= _MOST_SAMPLES:
        raise PlanError(f"count {count} is out of range; give 1 to {_MOST_SAMPLES}")
    if format not in FORMATS:
        raise PlanError(f"format {format!r} is not known; give one of: {', '.join(FORMATS)}")
    check_seed(seed)
    rng = np.random.default_rng(seed)
    if temperature is not None:
        check_temperature(temperature)
    if not writes_sections(model):
        if palette is not None:
            raise InputError(
                "`palette` arranges what therapy-gen's own models write, sixteen bars at a time; "
                "leave it out with Magenta's and with those of fewer bars"
            )
        chosen = DEFAULT_TEMPERATURE if temperature is None else temperature
        written = _literal(model, count=count, rng=rng, temperature=chosen)
        return _write(folder, [(midi, title, "", calm) for midi, title, calm in written], format, plain)
    plans = [PlannedPiece(("A",), _TEMPO, 0, "major", metre=metre_of(model.metres[0]))] * count
    pieces = compose(
        plans,
        model,
        rng,
        temperature=temperature,
        palette=palette or DEFAULT_PALETTE,
    )
    return _write(folder, [(piece.midi, piece.title, piece.key, piece.calm) for piece in pieces], format, plain)


def _write(
    folder: Path, made: Sequence[tuple[bytes, str, str, float | None]], format: str, plain: bool
) -> list[WrittenSection]:
    """Write MIDI, title, key and calm of each sample in the format that is wanted."""
    make_folder(folder)
    digits = max(2, len(str(len(made))))
    samples = []
    for number, (midi, title, key, calm) in enumerate(made, 1):
        scored = format == "musicxml"
        path = folder / f"sample-{number:0{digits}d}{SCORE_SUFFIXES[0] if scored else '.mid'}"
        write_bytes(path, score_of(midi, title) if scored else plain_midi(midi, title) if plain else midi)
        samples.append(WrittenSection(path, title, key, calm))
    return samples


def _literal(
    model: LatentModel,
    *,
    count: int,
    rng: np.random.Generator,
    temperature: float,
) -> list[tuple[bytes, str, float | None]]:
    """Decode samples and write them note for note, at Magenta's tempo: MIDI, title and calmness."""
    metre = metre_of(model.metres[0])
    z = model.sample_prior(count, rng, metre=metre.beats)
    tokens = model.decode(z, temperature=temperature, rng=rng)
    samples: list[tuple[bytes, str, float | None]] = []
    for number, section in enumerate(tokens, 1):
        performance = literal_performance(
            [section.astype(np.int64)],
            model.voices,
            tempi=[MAGENTA_TEMPO],
            band="drums" in model.voices,
            metre=metre,
        )
        title = f"{model.label}, sample {number}"
        sounded = any(part.notes for part in performance.parts)
        calm = round(calmness_of(performance).score, 4) if sounded else None
        samples.append((to_midi(performance, title=title), title, calm))
    return samples
