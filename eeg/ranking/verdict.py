"""Whether a listener's plays show a reliable order of the pieces, and the reason in one line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from eeg.ranking.design import DAY_ALONE_DB
from eeg.ranking.observations import Observation

# Of the test that the pieces are equal, at the first look. Rest without any effect wanders, which lets more of such
# listeners pass a test than its level says (benchmarks/eeg/null.py).
_ALPHA = 0.02
# Smaller p values are printed as this: the noise model is not that exact.
_SMALLEST_P = 0.001
# Of the probability that the first is before the last, and of intervals.
LEVEL = 0.90


def alpha(looks: int) -> float:
    """Return the level of the test where the data may have been looked at after each of so many recordings.

    A boundary that falls with the looks keeps what is claimed falsely at any of eight looks under 5 %
    (benchmarks/eeg/null.py); the level of each is near Pocock's for eight (0.0106; 10.1093/biomet/64.2.191).
    """
    return _ALPHA / (1.0 + 0.6 * math.log(max(looks, 1)))


def decide(data: Sequence[Observation], p_value: float, apart: float, *, other_days: bool = True) -> tuple[bool, str]:
    """Say whether the pieces differ; at most 5 % of listeners without any effect may be told so.

    Parameters
    ----------
    data : sequence of Observation
        Plays and silences, without ratings.
    p_value : float
        How probable it is that equal pieces would look as different.
    apart : float
        How probable it is that the first of the pieces is before the last.
    other_days : bool
        Whether differences between days are counted as noise.
    """
    plays: dict[str, list[Observation]] = {}
    for row in data:
        if row.piece is not None:
            plays.setdefault(row.piece, []).append(row)
    obstacle = _obstacle(plays)
    if obstacle:
        return False, f"no reliable order: {obstacle}"
    looks = len({row.recording for row in data})
    level = alpha(looks)
    after = f" after {looks} recordings" if looks > 1 else ""
    if p_value >= level and looks == 1 and other_days:
        return False, (
            f"no reliable order: one recording cannot tell pieces from its day, and equal ones that differ by "
            f"{DAY_ALONE_DB:g} dB from day to day would look as different with p = {p_value:.2g}; record another day"
        )
    if p_value >= level:
        required = f" (under {level:.2g} is required{after})" if p_value < 0.05 else ""
        return False, f"no reliable order: equal pieces would look as different with p = {p_value:.2g}{required}"
    p = f"p = {p_value:.2g}" if p_value >= _SMALLEST_P else f"p < {_SMALLEST_P:g}"
    if apart < LEVEL:
        return False, (
            f"no reliable order: the pieces differ ({p}), but first before last has a probability of only "
            f"{math.floor(100 * apart) / 100:.2f} ({LEVEL:.2f} is required)"
        )
    alone = ", in this one recording: other days may differ"
    if looks > 1:
        alone = ""
    elif other_days:
        alone = f", even where pieces differ by {DAY_ALONE_DB:g} dB from day to day"
    return True, f"the pieces differ ({p}); first before last with probability {apart:.2f}{alone}"


def _obstacle(plays: Mapping[str, Sequence[Observation]]) -> str:
    """Return why these plays cannot show an order, whatever their values; empty where they can."""
    if not plays:
        return "nothing was recorded, only rated"
    if len(plays) < 2:
        return "there is only one piece"
    repeated = [name for name, rows in plays.items() if len(rows) >= 2]
    if len(repeated) < 2:
        return "at least two pieces must have been played twice"
    if in_one_order(plays):
        return (
            "the pieces come in the same order in every recording, so that a change over the session looks like a "
            "piece; vary the order"
        )
    if 2 * sum(_mixed(name, plays) for name in repeated) < len(repeated):
        return "plays of a piece follow one another, so that a drift looks like a piece; mix them"
    return ""


def in_one_order(plays: Mapping[str, Sequence[Observation]]) -> bool:
    """Return whether all recordings play the pieces they share in the same order, over two or more recordings."""
    places: dict[str, dict[str, list[float]]] = {}
    for name, rows in plays.items():
        for row in rows:
            places.setdefault(row.recording, {}).setdefault(name, []).append(float(row.time_s))
    signs: dict[tuple[str, str], list[int]] = {}
    for here in places.values():
        for one, two in itertools.combinations(sorted(here), 2):
            before = sum((a < b) - (a > b) for a in here[one] for b in here[two])
            signs.setdefault((one, two), []).append((before > 0) - (before < 0))
    shared = [values for values in signs.values() if len(values) > 1]
    return bool(shared) and all(values[0] != 0 and len(set(values)) == 1 for values in shared)


def _mixed(name: str, plays: Mapping[str, Sequence[Observation]]) -> bool:
    """Return whether a piece was played in several recordings, or with another piece between two of its plays."""
    if len({row.recording for row in plays[name]}) > 1:
        return True
    times = [row.time_s for row in plays[name]]
    return any(
        min(times) < row.time_s < max(times) and row.recording == plays[name][0].recording
        for other, rows in plays.items()
        if other != name
        for row in rows
    )
