"""How real calm music, samples and sessions are composed: phrases, harmony, cadences, dissonances, texture, keys.

    python benchmarks/music/composition.py RUN/corpus.npz [--model calm] [--sessions 12] [--first-seed 20000]

RUN is the folder of a `therapy-gen model train` run, which caches the windows of its corpus there. Sections are of
4/4, on tonic C. real: held-out stretches of sixteen bars of the calmest third, at phrases, and a second column of
training pieces, which says how far two halves of real music are apart. sample: what `therapy-gen sample` writes.
written: sections of default sessions as the model writes them; arranged: read from the MIDI of the pieces, with the
patterns and the keys of contrasts. Figures are means over sections.

The second table is of pieces of two such stretches or more: how often one has another texture than the one before,
and how often a piece has a stretch in another key than its first, as the profiles of Krumhansl & Kessler find keys.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from composition_figures import Written, composition, key_of, key_relation, texture_of
from form import made_sessions, read_piece, real_pieces
from sampling import decoded, drawn, real, session_sections

from benchmarks.measure import machine, table
from therapy_gen.music.corpus.corpus import Corpus
from therapy_gen.music.metre import FOUR_FOUR
from therapy_gen.musicvae.model import load_model

RELATIONS = ("dominant", "subdominant", "relative", "parallel", "further")
_CALM = 1 / 3


def means(sections: Sequence[Written]) -> dict[str, float]:
    """Return the mean of each figure, over sections that have it."""
    found = [composition(section) for section in sections]
    return {name: float(np.nanmean([each[name] for each in found])) for name in found[0]}


def pieces_line(name: str, pieces: Sequence[Sequence[Written]]) -> tuple[str, ...]:
    """Return a line of the second table."""
    several = [piece for piece in pieces if len(piece) > 1]
    turns = [texture_of(a) != texture_of(b) for piece in several for a, b in pairwise(piece)]
    away: Counter[str] = Counter()
    for piece in several:
        home, *others = (key_of(section) for section in piece)
        away.update({key_relation(home, other) for other in others} - {"same"})
    moved = sum(any(key_of(section) != key_of(piece[0]) for section in piece[1:]) for piece in several)
    count = max(len(several), 1)
    return (
        name,
        str(len(several)),
        f"{np.mean(turns):.2f}",
        f"{moved / count:.2f}",
        *(f"{away[relation] / count:.2f}" for relation in RELATIONS),
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", default="calm")
    parser.add_argument("--sessions", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=20000)
    parser.add_argument("--sections", type=int, default=512, help="real ones and samples, at most")
    arguments = parser.parse_args()
    corpus, model = Corpus.load(arguments.corpus).of_metre(FOUR_FOUR), load_model(arguments.model)
    held, other = (real(corpus, "", arguments.sections, held_out=held_out, calmest=_CALM) for held_out in (True, False))
    kinds = {
        "real": [Written.of_tokens(*each) for each in zip(held.tokens, held.minor, strict=True)],
        "real, training": [Written.of_tokens(*each) for each in zip(other.tokens, other.minor, strict=True)],
    }
    z = drawn(model, held.minor, FOUR_FOUR)
    kinds["sample"] = [Written.of_tokens(*each) for each in zip(decoded(model, z, held.minor), held.minor, strict=True)]
    written = session_sections(model, arguments.sections, FOUR_FOUR, arguments.first_seed)
    kinds["written"] = [Written.of_tokens(*each) for each in zip(written.tokens, written.minor, strict=True)]
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.sessions)
    arranged = [
        [Written.of_notes(section.notes, section.minor) for section in read_piece(piece, midi).sections]
        for piece, midi in made_sessions(model, seeds)
    ]
    kinds["arranged"] = [section for piece in arranged for section in piece]
    print(machine())
    print(f"model {model.name}, sha256 {model.sha256[:12]}; corpus {corpus.digest[:12]}, 4/4")
    print(", ".join(f"{len(sections)} {name}" for name, sections in kinds.items()) + "\n")
    found = {name: means(sections) for name, sections in kinds.items()}
    rows = [(figure, *(f"{found[name][figure]:.3f}" for name in kinds)) for figure in found["real"]]
    print(table(("means over sections", *kinds), rows) + "\n")
    of_pieces = [
        [Written.of_notes(stretch.notes, stretch.minor) for stretch in piece]
        for piece in real_pieces(corpus, in_its_key=True)
    ]
    head = ("pieces of two sections or more", "n", "texture changes", "another key", *RELATIONS)
    print(table(head, [pieces_line("real", of_pieces), pieces_line("sessions, arranged", arranged)]))


if __name__ == "__main__":
    main()
