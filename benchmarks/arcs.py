"""Print how near sessions come to the curve that their arc asks for, and how smoothly they follow it.

    python benchmarks/arcs.py [--seeds 10] [--minutes 24]

For each arc, and from several stated arousals: the root mean square distance of the calmness score from the target,
over all music, by seed. Then, over all seeds, the largest steps between neighbouring pieces: of the tempo, up and
down, of the key on the circle of fifths, and of the register (mean pitch of all notes, in semitones).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

# As the program does: small matrices gain nothing from more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from measure import machine, table

from sessions.arcs import rms
from sessions.builder import new_session
from sessions.keys import fifths_between
from sessions.library import midi_of
from sessions.plan import SessionRequest, usual_tempo
from sessions.records import SessionRecord
from sessions.store import Store
from therapy_gen.music.midi import read_performance
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


def steps(store: Store, session: SessionRecord) -> tuple[float, float, int, float, int]:
    """Return the largest steps: tempo up, tempo down, fifths, register; and the number of palettes."""
    pieces = session.pieces()
    midi = midi_of(store, [piece.id for piece in pieces])
    registers = [
        float(np.mean([note.pitch for part in read_performance(midi[piece.id]).parts for note in part.notes]))
        for piece in pieces
    ]
    pairs = list(pairwise(pieces))
    changes = [b.tempo - a.tempo for a, b in pairs] or [0.0]
    keys = [fifths_between(parse_key(a.key), parse_key(b.key)) for a, b in pairs] or [0]
    moved = [abs(b - a) for a, b in pairwise(registers)] or [0.0]
    return (
        max(*changes, 0.0),
        max(0.0, *(-change for change in changes)),
        max(keys),
        max(moved),
        len({piece.palette for piece in pieces}),
    )


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
            found, largest = [], []
            for seed in range(1, options.seeds + 1):
                made = new_session(store, model, request, seed=seed)
                found.append(rms(made.curve(), made.achieved()))
                largest.append(steps(store, made))
            name = arc if start is None else f"{arc} --from {start:g}"
            met = "yes" if max(found) < LIMIT else "NO"
            distances.append([name, *(f"{value:.3f}" for value in found), f"{max(found):.3f}", met])
            up, down, fifths, register, palettes = np.max(np.array(largest), axis=0)
            print(f"{name}: {max(found):.3f}", file=sys.stderr, flush=True)
            smooth.append([name, f"{up:.1f}", f"{down:.1f}", f"{fifths:.0f}", f"{register:.1f}", f"{palettes:.0f}"])
    head = ["arc", *(str(seed) for seed in range(1, options.seeds + 1)), "largest", f"< {LIMIT:g}"]
    print(table(head, distances) + "\n")
    print(table(("arc", "faster by", "slower by", "fifths", "register", "palettes"), smooth))


if __name__ == "__main__":
    main()
