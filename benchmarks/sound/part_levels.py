"""How far the melody stands out: loudness of each part of a palette's pieces, alone in its room.

python benchmarks/sound/part_levels.py [--palettes pad piano] [--seeds 1 2] [--font MUSESCORE.sf3]

Printed are the melody's integrated loudness (BS.1770) and by how much the other parts, each and together, lie below it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.measure import machine, table
from sessions.builder import new_session
from sessions.planning.plan import SessionRequest
from sessions.storage.library import midi_of
from sessions.storage.store import Store
from therapy_gen.music.arranging.palettes import MELODY_PART, PAD_PART, PALETTES
from therapy_gen.music.audio.loudness import LoudnessMeter
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.render import SAMPLE_RATE, PieceRenderer, struck_notes
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.performance import Part, Performance
from therapy_gen.musicvae.model import load_model

_MINUTES = 1.5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--palettes", nargs="+", default=list(PALETTES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--font", type=Path, help="a soundfont in place of the embedded instruments")
    options = parser.parse_args()
    renderer = PieceRenderer(Mix(options.font), SAMPLE_RATE)
    model, rows = load_model(), []
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder, "a.db"))
        for palette in options.palettes:
            for seed in options.seeds:
                made = new_session(store, model, SessionRequest(minutes=_MINUTES), seed=seed, palette=palette)
                first = made.pieces()[0].id
                performance = read_performance(midi_of(store, [first])[first])
                rows.append([palette, str(seed), *_apart(renderer, performance)])
                print(*rows[-1], flush=True)
    print(f"\n{machine()}\n")
    print(table(("palette", "seed", "melody LUFS", "inner voice", "bass", "pad", "all but the melody"), rows))


def _apart(renderer: PieceRenderer, performance: Performance) -> list[str]:
    """Return the melody's loudness, and how far below it the others are."""
    others = [part for part in performance.parts if part.name != MELODY_PART]
    melody = _loudness(renderer, performance, [part for part in performance.parts if part.name == MELODY_PART])
    groups = [[part for part in others if part.name == name] for name in ("Inner voice", "Bass", PAD_PART)]
    found = [_loudness(renderer, performance, group) for group in (*groups, others)]
    return [f"{melody:.1f}", *(f"{level - melody:+.1f}" for level in found)]


def _loudness(renderer: PieceRenderer, performance: Performance, parts: Sequence[Part]) -> float:
    notes = [note for part in parts for note in struck_notes(Performance((part,), performance.tempo, "", 0.0, ""))]
    meter = LoudnessMeter(SAMPLE_RATE)
    for block in renderer.bare(notes, round(performance.duration * SAMPLE_RATE)):
        meter.add(np.ascontiguousarray(block.T))
    # As it is, it lies far below the level that counts as silence.
    return meter.integrated(100.0)


if __name__ == "__main__":
    main()
