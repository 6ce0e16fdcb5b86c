"""Orders of pieces that are balanced within a participant and over participants."""

from __future__ import annotations

import numpy as np

Order = tuple[int, ...]


def balanced_orders(pieces: int, participants: int, sessions: int, repeats: int, seed: int) -> list[list[list[Order]]]:
    """Return the rounds of every session of every participant.

    One participant's rounds are rows of a Williams design (`sessions.planning.counterbalance`). The next hears the same
    rounds with every piece exchanged for the next one, so that over `pieces` participants, or a multiple, each piece is
    equally often at each place of each round, and follows each other piece equally often; with an odd number of pieces
    every second such group hears the rounds backwards.

    Parameters
    ----------
    pieces, participants, sessions, repeats : int
    seed : int

    Returns
    -------
    list
        By participant, session and round: the pieces' numbers in order.

    Examples
    --------
    >>> firsts = [person[0][0][0] for person in balanced_orders(4, 8, 1, 2, seed=1)]
    >>> sorted(firsts)
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    from sessions.planning.counterbalance import rounds_of, williams

    rows = williams(pieces)
    rng = np.random.default_rng(seed)
    used: list[int] = []
    base: list[list[Order]] = []
    for _ in range(sessions):
        chosen = rounds_of(pieces, repeats, used, rng)
        used += chosen
        base.append([tuple(rows[row]) for row in chosen])
    first = rng.permutation(pieces)
    everyone = []
    for person in range(participants):
        shift, backwards = int(first[person % pieces]), pieces % 2 == 1 and (person // pieces) % 2 == 1
        everyone.append([_exchanged(rounds, shift, pieces, backwards=backwards) for rounds in base])
    return everyone


def _exchanged(rounds: list[Order], shift: int, pieces: int, *, backwards: bool) -> list[Order]:
    found = [tuple((piece + shift) % pieces for piece in order) for order in rounds]
    return [order[::-1] for order in found[::-1]] if backwards else found
