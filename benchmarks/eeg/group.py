"""How often an order is claimed for groups of listeners where none exists, and how well pooled effects come back.

    python benchmarks/eeg/group.py [--groups 400] [--effects 100] [--listeners 8]

Plays are drawn as in `null.py`: four pieces, two plays of 60 s each in mixed order, silence before and after, noise
with a memory. Listeners differ in each piece (SD 0 or 0.3 dB) and in music as such (SD 0.3 dB). `covered` is the share
of 90 % intervals of the pooled means that hold the truth, with its standard error over groups.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from null import draw_plays  # noqa: E402

from eeg.ranking.group import GroupRanking, rank_group  # noqa: E402
from eeg.ranking.observations import Observation  # noqa: E402

PIECES = 4
MUSIC_DB = 0.3


def draw_group(
    rng: np.random.Generator, effects: np.ndarray, listeners: int, between_db: float
) -> dict[str, list[Observation]]:
    """Draw the plays of a group."""
    group = {}
    for number in range(listeners):
        own = effects + between_db * rng.standard_normal(len(effects)) + MUSIC_DB * rng.standard_normal()
        group[f"l{number}"] = draw_plays(rng, own, plays=2)
    return group


def row(name: str, size: float, between_db: float, groups: int, listeners: int) -> None:
    """Print one line of the table."""
    effects = np.linspace(-size, 0.0, PIECES)
    claims, covered, sds, first, named = [], [], [], [], []
    for seed in range(groups):
        made: GroupRanking = rank_group(draw_group(np.random.default_rng(seed), effects, listeners, between_db))
        truth = {f"p{i}": effect for i, effect in enumerate(effects)}
        claims.append(made.reliable_order)
        covered.append(np.mean([p.ci90_db[0] <= truth[p.piece] <= p.ci90_db[1] for p in made.pieces]))
        sds.append(made.between_db[0])
        first.append(made.pieces[0].piece == "p0")
        named.append(any(one.differs for one in made.differences))
    found = f"{100 * np.mean(first):7.0f}%" if size else f"{'':8}"
    error = 100 * np.std(covered, ddof=1) / np.sqrt(groups)
    print(
        f"{name:44}{groups:7}{100 * np.mean(claims):8.1f}%{found}{100 * np.mean(covered):8.1f}%{error:6.1f}%"
        f"{np.mean(sds):8.2f}{100 * np.mean(named):10.1f}%",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=400)
    parser.add_argument("--effects", type=int, default=100)
    parser.add_argument("--listeners", type=int, default=8)
    options = parser.parse_args()
    head = f"{'groups':>7}{'claimed':>9}{'first':>8}{'covered':>9}{'se':>7}{'SD dB':>8}{'differs':>11}"
    print(f"{f'{options.listeners} listeners':44}{head}")
    for between in (0.0, 0.3):
        row(f"no effect, listeners differ by {between:g} dB", 0.0, between, options.groups // 2, options.listeners)
    for size in (0.5, 1.0):
        row(f"{size:g} dB over the pieces, listeners by 0.3 dB", size, 0.3, options.effects, options.listeners)


if __name__ == "__main__":
    main()
