"""Print how near sessions come to the curve that their arc asks for, and how smoothly they follow it.

    python benchmarks/arcs.py [--seeds 10] [--minutes 24]

For each arc, and from several stated arousals: the root mean square distance of the calmness score from the target,
over all music, by seed. Then, over all seeds, the largest steps between neighbouring pieces: of the tempo, up and
down, and of the key on the circle of fifths; and the mean and the largest step of the register, in semitones, of the
mean pitch of the melody and of all notes, and by how much the melody sinks from the first piece to the last, on the
average.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import mean

# As the program does: small matrices gain nothing from more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from measure import machine, table

from sessions.arcs import rms
from sessions.builder import new_session
from sessions.keys import fifths_between
from sessions.library import midi_of
from sessions.plan import SessionRequest, usual_tempo
from sessions.records import SessionRecord
from sessions.store import Store
from therapy_gen.music.midi import read_performance
from therapy_gen.music.register import register_of
from therapy_gen.music.tonality import parse_key
from therapy_gen.musicvae.runtime import load_model

LIMIT = 0.05
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
            f"{self.palettes}",
        ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=24)
    options = parser.parse_args()
    print(f"{machine()}; {options.minutes:g} minutes, seeds 1 to {options.seeds}\n")
    model = load_model()
    distances, smooth = [], []
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder, "arcs.db"))
        for arc, start in ARCS:
            request = SessionRequest(minutes=options.minutes, arc=arc, arousal=start, tempo=usual_tempo(arc, start))
            found, steps = [], Steps()
            for seed in range(1, options.seeds + 1):
                made = new_session(store, model, request, seed=seed)
                found.append(rms(made.curve(), made.achieved()))
                steps.add(store, made)
            name = arc if start is None else f"{arc} --from {start:g}"
            met = "yes" if max(found) < LIMIT else "NO"
            distances.append([name, *(f"{value:.3f}" for value in found), f"{max(found):.3f}", met])
            print(f"{name}: {max(found):.3f}", file=sys.stderr, flush=True)
            smooth.append([name, *steps.row()])
    head = ["arc", *(str(seed) for seed in range(1, options.seeds + 1)), "largest", f"< {LIMIT:g}"]
    print(table(head, distances) + "\n")
    print(table(("arc", "faster", "slower", "fifths", "melody", "most", "notes", "most", "sinks", "palettes"), smooth))


if __name__ == "__main__":
    main()
