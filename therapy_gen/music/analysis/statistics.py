"""Statistics of sections, in the measures by which the literature compares generated music."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from therapy_gen.music.analysis.tension import tonal_tension
from therapy_gen.music.metre import FOUR_FOUR, Metre
from therapy_gen.music.tokens import STEPS_PER_QUARTER, VoiceNote, tokens_to_notes

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.float64]

# The measures of MusPy (Dong et al. 2020, arXiv 2008.01951), at sixteenths, and MGEval's counts and intervals (Yang and
# Lerch 2020, doi 10.1007/s00521-018-3849-7), and tonal tension (Herremans and Chew 2016, TENOR).
MEASURES = (
    "pitch_class_entropy",
    "scale_consistency",
    "groove_consistency",
    "polyphony",
    "pitch_range",
    "empty_beat_rate",
    "notes_a_bar",
    "mean_interval",
    "cloud_diameter",
    "cloud_momentum",
    "tensile_strain",
)
# Natural minor scales are those of their relative major.
_SCALES = np.array([np.roll([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], tonic) for tonic in range(12)], dtype=np.float64)
_GRID_POINTS = 400


def measure(tokens: IntArray, metre: Metre = FOUR_FOUR) -> dict[str, float]:
    """Measure one section.

    Parameters
    ----------
    tokens : int array, shape (steps, voices)
        Melodic voices only.
    metre : Metre
        Of the section; steps that take no time are not measured.

    Returns
    -------
    dict
        ``pitch_class_entropy`` in bits; ``scale_consistency``: largest share of notes in one major (or its relative
        minor) scale; ``groove_consistency``: 1 less the mean share of sixteenths at which neighbouring bars differ in
        whether a note begins; ``polyphony``: notes that sound, where any do; ``pitch_range`` in semitones;
        ``empty_beat_rate``: share of quarters in which nothing sounds; ``notes_a_bar``; ``mean_interval``: semitones
        from note to note of the first voice; ``cloud_diameter``, ``cloud_momentum``, ``tensile_strain``: see
        `therapy_gen.music.analysis.tension.tonal_tension`. NaN where there is no note to measure.
    """
    tokens = metre.in_time(tokens)
    notes = tokens_to_notes(tokens)
    steps = len(tokens)
    if not notes:
        values = dict.fromkeys(MEASURES, float("nan"))
        return {**values, "empty_beat_rate": 1.0, "notes_a_bar": 0.0, "groove_consistency": 1.0}
    pitches = np.array([note.pitch for note in notes])
    classes = np.bincount(pitches % 12, minlength=12) / len(notes)
    present = classes[classes > 0]
    sounding = _sounding(notes, steps)
    begins = np.zeros(steps, dtype=bool)
    begins[[note.start for note in notes]] = True
    bars = begins[: steps // metre.steps * metre.steps].reshape(-1, metre.steps)
    beats = sounding[: steps // STEPS_PER_QUARTER * STEPS_PER_QUARTER].reshape(-1, STEPS_PER_QUARTER)
    line = np.array([note.pitch for note in notes if note.voice == 0])
    return {
        "pitch_class_entropy": float(-(present * np.log2(present)).sum()),
        "scale_consistency": float((_SCALES @ classes).max()),
        "groove_consistency": float(1.0 - (bars[1:] != bars[:-1]).mean()) if len(bars) > 1 else 1.0,
        "polyphony": float(sounding[sounding > 0].mean()),
        "pitch_range": float(np.ptp(pitches)),
        "empty_beat_rate": float((beats.max(axis=1) == 0).mean()),
        "notes_a_bar": len(notes) * metre.steps / steps,
        "mean_interval": float(np.abs(np.diff(line)).mean()) if len(line) > 1 else float("nan"),
        **tonal_tension(notes, steps),
    }


def _sounding(notes: Sequence[VoiceNote], steps: int) -> npt.NDArray[np.int64]:
    change = np.zeros(steps + 1, dtype=np.int64)
    for note in notes:
        change[note.start] += 1
        change[note.end] -= 1
    return np.cumsum(change)[:steps]


def compare(
    real: Sequence[IntArray], made: Sequence[IntArray], metres: Sequence[Metre] | None = None
) -> dict[str, dict[str, float]]:
    """Compare two sets of sections, measure by measure.

    Parameters
    ----------
    real, made : sequence of int arrays, shape (steps, voices)
        Melodic voices only.
    metres : sequence of Metre, optional
        Of each section, the same for both sets; without it all are in 4/4.

    Returns
    -------
    dict of dict
        For each measure ``real`` and ``made`` (means), ``overlap`` (the area that the two densities share, 1 where they
        are equal) and ``kl`` (Kullback-Leibler divergence of the second from the first, in nats), as MGEval has them.
        Measures that either set has no values of are left out.
    """
    rows = [
        [measure(section, metre) for section, metre in zip(own, metres or [FOUR_FOUR] * len(own), strict=True)]
        for own in (real, made)
    ]
    table: dict[str, dict[str, float]] = {}
    for name in MEASURES:
        values = [np.array([row[name] for row in own if np.isfinite(row[name])]) for own in rows]
        if min(len(own) for own in values) < 2:
            continue
        overlap, divergence = _densities(values[0], values[1])
        table[name] = {
            "real": round(float(values[0].mean()), 4),
            "made": round(float(values[1].mean()), 4),
            "overlap": round(overlap, 4),
            "kl": round(divergence, 4),
        }
    return table


def _densities(real: FloatArray, made: FloatArray) -> tuple[float, float]:
    """Return overlap and divergence of two Gaussian kernel densities (Silverman's bandwidth)."""
    both = np.concatenate([real, made])
    spread = float(both.std())
    if spread <= 1e-9 * max(1.0, float(np.abs(both).max())):
        # All are equal but for rounding.
        spread = 1.0
    low, high = float(both.min()) - spread, float(both.max()) + spread
    grid = np.linspace(low, high, _GRID_POINTS)
    step = grid[1] - grid[0]
    p, q = (_density(values, grid, spread) for values in (real, made))
    overlap = float(np.minimum(p, q).sum() * step)
    floor = 1e-12
    divergence = float((p * np.log((p + floor) / (q + floor))).sum() * step)
    return min(overlap, 1.0), max(divergence, 0.0)


def _density(values: FloatArray, grid: FloatArray, spread: float) -> FloatArray:
    own = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    width = max(1.06 * own * len(values) ** -0.2, 1e-2 * spread)
    density: FloatArray = np.exp(-0.5 * ((grid[:, None] - values) / width) ** 2).sum(axis=1)
    total: float = float(density.sum() * (grid[1] - grid[0]))
    return density / total
