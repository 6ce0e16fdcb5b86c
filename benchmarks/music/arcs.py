"""Print how near sessions come to the curve that their arc asks for, and how smoothly they follow it.

    python benchmarks/music/arcs.py [--seeds 10] [--minutes 24] [--metre 3/4]

For each arc, and from several stated arousals: the root mean square distance of the calmness score from the target,
over all music, by seed. "heard": sessions of pieces out of six others, drawn in an order of chance, with new ones.

Then, over all seeds, steps between neighbouring pieces: the largest of the tempo, up and down, in BPM, and of the key,
in fifths; the mean and the largest of the register, in semitones, as the mean pitch of the melody and of all
notes, and by how much the melody sinks from the first piece to the last, on the average. Last the instruments:
the largest step of the melody's velocity, and by how much that falls from the first piece to the last, on the average;
the same of the pad's level, in dB, which grows; and the palettes in a session.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import mean

# As the program does: small matrices gain nothing from more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from benchmarks.measure import machine, table
from sessions.builder import new_session
from sessions.planning.arcs import rms
from sessions.planning.choosing import Drawn, Preference
from sessions.planning.keys import fifths_between
from sessions.planning.plan import SessionRequest, usual_tempo
from sessions.records import SessionRecord
from sessions.storage.library import midi_of
from sessions.storage.store import Store
from therapy_gen.music.analysis.register import register_of
from therapy_gen.music.metre import FOUR_FOUR, METRES
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.tonality import parse_key
from therapy_gen.musicvae.model import Model, load_model

LIMIT = 0.05
PAD = "Pad"
HEARD_SEEDS = (101, 102, 103)
# Sessions of pieces heard before, of the same minutes or a share of them.
HEARD: tuple[tuple[str, float | None, float], ...] = (
    ("calm", None, 1.0),
    ("flat", None, 1.0),
    ("iso", None, 1.0),
    ("iso", 0.5, 1.0),
    ("iso", None, 0.5),
    ("iso", None, 1 / 3),
)
STEPS_HEAD = (
    *("arc", "faster", "slower", "fifths", "melody", "most", "notes", "most"),
    *("sinks", "touch", "softer", "pad", "grows", "palettes"),
)
ARCS: tuple[tuple[str, float | None], ...] = (
    ("calm", None),
    ("iso", None),
    ("flat", None),
    *(("iso", start) for start in (0.1, 0.3, 0.5, 0.7, 1.0)),
    ("calm", 0.4),
    ("flat", 0.3),
)


@dataclass
class Steps:
    """Steps between neighbouring pieces of sessions of an arc."""

    tempo: list[float] = field(default_factory=lambda: [0.0])
    fifths: list[int] = field(default_factory=lambda: [0])
    melody: list[float] = field(default_factory=lambda: [0.0])
    notes: list[float] = field(default_factory=lambda: [0.0])
    sinks: list[float] = field(default_factory=list)
    touch: list[float] = field(default_factory=lambda: [0.0])
    softer: list[float] = field(default_factory=list)
    pad: list[float] = field(default_factory=lambda: [0.0])
    grows: list[float] = field(default_factory=list)
    palettes: int = 0

    def add(self, store: Store, session: SessionRecord) -> None:
        """Measure a session."""
        pieces = session.pieces()
        midi = midi_of(store, [piece.id for piece in pieces])
        heard = [read_performance(midi[piece.id]) for piece in pieces]
        melodies = [register_of(performance) or 0.0 for performance in heard]
        means = [mean(note.pitch for part in performance.parts for note in part.notes) for performance in heard]
        self.tempo += [b.tempo - a.tempo for a, b in pairwise(pieces)]
        self.fifths += [fifths_between(parse_key(a.key), parse_key(b.key)) for a, b in pairwise(pieces)]
        self.melody += [abs(b - a) for a, b in pairwise(melodies)]
        self.notes += [abs(b - a) for a, b in pairwise(means)]
        struck = [mean(note.velocity for note in performance.parts[0].notes) for performance in heard]
        pads = [20 * math.log10(part.level) for performance in heard for part in performance.parts if part.name == PAD]
        self.touch += [b - a for a, b in pairwise(struck)]
        self.softer.append(struck[0] - struck[-1])
        self.pad += [b - a for a, b in pairwise(pads)]
        self.grows.append(pads[-1] - pads[0])
        self.sinks.append(melodies[0] - melodies[-1])
        self.palettes = max(self.palettes, len({piece.palette for piece in pieces}))

    def row(self) -> list[str]:
        """Return what is printed of them."""
        return [
            f"{max(self.tempo):.1f}",
            f"{abs(min(self.tempo)):.1f}",
            f"{max(self.fifths)}",
            f"{mean(self.melody[1:]):.1f}",
            f"{max(self.melody):.1f}",
            f"{mean(self.notes[1:]):.1f}",
            f"{max(self.notes):.1f}",
            f"{mean(self.sinks):+.1f}",
            f"{max(map(abs, self.touch)):.0f}",
            f"{mean(self.softer):+.0f}",
            f"{max(map(abs, self.pad)):.1f}",
            f"{mean(self.grows):+.1f}",
            f"{self.palettes}",
        ]


def library(store: Store, model: Model, metre: str) -> list[str]:
    """Make sessions and return the ids of their pieces."""
    made = [
        new_session(store, model, SessionRequest(arc=arc, tempo=usual_tempo(arc), metre=metre), seed=seed)
        for seed in HEARD_SEEDS
        for arc in ("calm", "iso")
    ]
    return [piece.id for session in made for piece in session.pieces()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=24)
    parser.add_argument("--metre", choices=METRES, default=FOUR_FOUR.name)
    options = parser.parse_args()
    print(f"{machine()}; {options.minutes:g} minutes in {options.metre}, seeds 1 to {options.seeds}\n")
    model = load_model()
    distances, smooth = [], []
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder, "arcs.db"))
        known = library(store, model, options.metre)
        for arc, start, share in [*((arc, start, None) for arc, start in ARCS), *HEARD]:
            minutes = options.minutes * (share or 1.0)
            request = SessionRequest(
                minutes=minutes, arc=arc, arousal=start, tempo=usual_tempo(arc, start), metre=options.metre
            )
            found, steps = [], Steps()
            for seed in range(1, options.seeds + 1):
                preference = None
                if share is not None:
                    order = np.random.default_rng(seed).permutation(len(known))
                    preference = Preference(tuple(Drawn(known[n], "heard before") for n in order))
                made = new_session(store, model, request, seed=seed, preference=preference)
                found.append(rms(made.curve(), made.achieved()))
                steps.add(store, made)
            name = arc if start is None else f"{arc} --from {start:g}"
            if share is not None:
                name = f"{name}, {minutes:g} min, heard"
            met = "yes" if max(found) < LIMIT else "NO"
            distances.append([name, *(f"{value:.3f}" for value in found), f"{max(found):.3f}", met])
            print(f"{name}: {max(found):.3f}", file=sys.stderr, flush=True)
            smooth.append([name, *steps.row()])
    head = ["arc", *(str(seed) for seed in range(1, options.seeds + 1)), "largest", f"< {LIMIT:g}"]
    print(table(head, distances) + "\n")
    print(table(STEPS_HEAD, smooth))


if __name__ == "__main__":
    main()
