"""Single sections as MIDI files: samples of the prior, and the way from one file to another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sessions.builder import check_seed
from sessions.compose import DEFAULT_PALETTE, DEFAULT_TEMPERATURE, check_palette, compose
from sessions.errors import PlanError
from sessions.files import make_folder, write_bytes
from sessions.plan import DEFAULT_TEMPO, PlannedPiece
from therapy_gen.errors import InputError
from therapy_gen.music.arrangement import arrange
from therapy_gen.music.midi import to_midi
from therapy_gen.music.score import read_score
from therapy_gen.music.tokens import STEPS_PER_SECTION, Tokens
from therapy_gen.music.windows import FoundWindow, WindowSettings, find_windows
from therapy_gen.musicvae.runtime import Model

MOST_SAMPLES = 1000
STEPS = (2, 100)
_TEMPO = sum(DEFAULT_TEMPO) / 2.0
# Nothing is judged: whatever has sixteen bars (or eight, heard twice) can be encoded.
_ANY_WINDOW = WindowSettings(largest_off_grid=1.0, least_melody_notes=1, least_melody_sound=0.0)


@dataclass(frozen=True)
class Sketch:
    """A file that was written; `calm` is None where it was not asked for."""

    path: Path
    title: str
    key: str
    calm: float | None = None


def write_samples(
    model: Model,
    folder: Path,
    *,
    count: int,
    seed: int,
    temperature: float = DEFAULT_TEMPERATURE,
    palette: str = DEFAULT_PALETTE,
) -> list[Sketch]:
    """Write `count` sections from the prior to ``sample-01.mid`` and so on.

    Raises
    ------
    InputError
        Where a value is out of range or the folder cannot be written.
    """
    if not 1 <= count <= MOST_SAMPLES:
        raise PlanError(f"-n {count} is out of range; give 1 to {MOST_SAMPLES}")
    check_seed(seed)
    rng = np.random.default_rng(seed)
    plans = [PlannedPiece(("A",), _TEMPO, 0, "major")] * count
    pieces = compose(plans, model, rng, temperature=temperature, palette=palette)
    make_folder(folder)
    sketches = []
    for number, piece in enumerate(pieces, 1):
        path = folder / f"sample-{number:0{max(2, len(str(count)))}d}.mid"
        write_bytes(path, piece.midi)
        sketches.append(Sketch(path, piece.title, piece.key, piece.calm))
    return sketches


def write_way(
    model: Model, start: Path, end: Path, folder: Path, *, steps: int = 8, palette: str = DEFAULT_PALETTE
) -> list[Sketch]:
    """Write the way from the first sixteen bars of one MIDI file to those of another, both ends included.

    The points lie on the great circle between the two posterior means; each is decoded to its likeliest notes and
    brought to the key of the nearer end.

    Raises
    ------
    InputError
        Where a file cannot be read, holds no sixteen bars of 4/4 or 2/4, or the folder cannot be written.
    """
    if not STEPS[0] <= steps <= STEPS[1]:
        raise PlanError(f"steps {steps} is out of range; give {STEPS[0]} to {STEPS[1]}")
    check_palette(palette)
    ends = [_first_window(path) for path in (start, end)]
    mu, _ = model.encode(np.stack([window.tokens for window in ends]))
    sections = model.decode(model.interpolate(mu[0], mu[1], steps), temperature=0.0)
    make_folder(folder)
    sketches = []
    for number, section in enumerate(sections, 1):
        nearer = ends[0] if 2 * number <= steps + 1 else ends[1]
        title = f"{start.stem} to {end.stem}, {number} of {steps}"
        performance = arrange(
            [_section(section)], tonic=nearer.tonic, mode=nearer.mode, tempo=_TEMPO, palette=palette, seed=number
        )
        path = folder / f"step-{number:0{max(2, len(str(steps)))}d}.mid"
        write_bytes(path, to_midi(performance, title=title))
        sketches.append(Sketch(path, title, performance.key))
    return sketches


def _first_window(path: Path) -> FoundWindow:
    left_out: Counter[str] = Counter()
    windows = find_windows(read_score(path), _ANY_WINDOW, left_out)
    if not windows:
        why = "; ".join(left_out) or "no notes"
        raise InputError(f"{path} has no sixteen bars in 4/4 or 2/4 that can be encoded ({why}); give another file")
    return windows[0]


def _section(tokens: Tokens) -> Tokens:
    if tokens.shape[0] != STEPS_PER_SECTION:
        raise InputError(f"the model writes {tokens.shape[0]} steps at a time; sections have {STEPS_PER_SECTION}")
    return tokens
