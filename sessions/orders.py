"""Orders in which pieces are played: each several times, none always early or late."""

from __future__ import annotations

import numpy as np


def counterbalanced(pieces: int, repeats: int, rng: np.random.Generator) -> list[int]:
    """Return the order of `pieces * repeats` plays, in rounds that hold every piece once.

    The mean position of a piece is the same for all pieces, so that a drift over the session (fatigue, electrodes)
    favours none: two rounds mirror each other, three are shifted against each other (exact for an odd number of
    pieces, within half a position for an even one). Which piece stands where is drawn from `rng`.
    A single round keeps the order given.
    """
    if repeats == 1:
        return list(range(pieces))
    names = rng.permutation(pieces).tolist()
    rounds: list[list[int]] = []
    if repeats % 2:
        rounds = _three_rounds(pieces)
    while len(rounds) < repeats:
        forward = rng.permutation(pieces).tolist()
        rounds += [forward, forward[::-1]]
    return [names[index] for order in rounds for index in order]


def _three_rounds(pieces: int) -> list[list[int]]:
    shift = (pieces - 1) // 2 if pieces % 2 else pieces // 2
    first = list(range(pieces))
    place_in_second = [(index + shift) % pieces for index in first]
    second = sorted(first, key=lambda index: place_in_second[index])
    # The later a piece has stood so far, the earlier it comes now.
    third = sorted(first, key=lambda index: -(index + place_in_second[index]))
    return [first, second, third]
