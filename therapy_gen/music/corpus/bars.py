"""Stretches of a score in one metre, on its own bar lines."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from therapy_gen.music.corpus.score import Score
from therapy_gen.music.metre import FOUR_FOUR, SIX_EIGHT, THREE_FOUR, Metre

_TOLERANCE = 0.02
# The metre in which bars are read, and how many bars of it each is.
_OF_LENGTH = {4.0: (FOUR_FOUR, 1.0), 2.0: (FOUR_FOUR, 0.5)}
_OF_SIGNATURE = {
    (4, 2): (FOUR_FOUR, 2.0),
    (3, 4): (THREE_FOUR, 1.0),
    (6, 4): (THREE_FOUR, 2.0),
    (6, 8): (SIX_EIGHT, 1.0),
    (3, 8): (SIX_EIGHT, 0.5),
    (12, 8): (SIX_EIGHT, 2.0),
}
SOURCES = ("4/4", "2/4", "3/4", "6/8", "12/8")


@dataclass(frozen=True)
class Stretch:
    """Consecutive bars of one metre: their bar lines in quarters, the last one included."""

    lines: list[float]
    metre: Metre

    @property
    def steps_per_quarter(self) -> int:
        """Steps of a quarter that it is written in: six where triplets are eighths."""
        return round(self.metre.steps / (self.lines[1] - self.lines[0]))

    def in_triplets(self) -> Stretch:
        """Return bars of 4/4 as two of 6/8 each: a quarter is a dotted quarter then, a triplet eighth an eighth."""
        half = [start + (end - start) / 2 for start, end in pairwise(self.lines)]
        return Stretch(sorted([*self.lines, *half]), SIX_EIGHT)


@dataclass(frozen=True)
class _Bar:
    start: float
    end: float
    signature: tuple[int, int] | None
    opens: bool
    """Whether a movement begins here."""


def find_stretches(score: Score, left_out: Counter[str] | None = None) -> list[Stretch]:
    """Return the runs of consecutive bars of four quarters, of 3/4, and of 6/8, that `score` has.

    Bars of 4/4 and 2/2 count one by one, bars of two quarters (2/4) in pairs, those of 4/2 as two; so do bars of 6/8,
    3/8 and 12/8, and of 3/4 and 6/4. A bar that is written in several pieces (at a repeat sign) is one. Any other bar,
    a pick-up too, ends a stretch, and so does the end of a movement.
    """
    runs: list[Stretch] = []
    run: list[float] = []
    metre = FOUR_FOUR
    half = False

    def close() -> None:
        nonlocal run, half
        if len(run) > 1:
            runs.append(Stretch(run, metre))
        run, half = [], False

    for bar in _whole_bars(score):
        found = _metre_of(bar)
        if bar.opens or found is None or (run and metre != found[0]) or (half and found[1] != 0.5):
            close()
        if found is None:
            if left_out is not None:
                left_out["bars of other metres (9/8, 5/4, pick-ups)"] += 1
            continue
        metre, share = found
        if half:
            run.append(bar.end)
            half = False
            continue
        run = run or [bar.start]
        if share == 0.5:
            half = True
        elif share == 2.0:
            run += [(bar.start + bar.end) / 2, bar.end]
        else:
            run.append(bar.end)
    close()
    return runs


def _metre_of(bar: _Bar) -> tuple[Metre, float] | None:
    """Return the metre in which a bar is read, and how many bars of it that is."""
    length = bar.end - bar.start
    if bar.signature in _OF_SIGNATURE:
        metre, share = _OF_SIGNATURE[bar.signature]
        if abs(length - metre.quarters * share) < _TOLERANCE:
            return metre, share
    return next((found for wanted, found in _OF_LENGTH.items() if abs(length - wanted) < _TOLERANCE), None)


def _whole_bars(score: Score) -> Iterator[_Bar]:
    """Yield the bars of a score; bars written in several pieces are joined."""
    signatures = deque(score.metres)
    signature: tuple[int, int] | None = None
    ends = deque(score.ends)
    waiting: list[_Bar] = []
    for start, end in pairwise(score.bars.tolist()):
        changes = False
        while signatures and signatures[0][0] <= start + _TOLERANCE:
            signature = (signatures[0][1], signatures[0][2])
            signatures.popleft()
            changes = True
        opens = bool(ends) and ends[0] <= start + _TOLERANCE
        while ends and ends[0] <= start + _TOLERANCE:
            ends.popleft()
        bar = _Bar(start, end, signature, opens)
        full = signature[0] * 4.0 / signature[1] if signature else 4.0
        if opens or changes:
            yield from waiting
            waiting = []
        if end - start > full - _TOLERANCE:
            yield from waiting
            yield bar
            waiting = []
            continue
        waiting.append(bar)
        total = end - waiting[0].start
        if abs(total - full) < _TOLERANCE:
            # The first bar of a movement is a pick-up, whatever follows it.
            yield _Bar(waiting[0].start, end, signature, waiting[0].opens)
            waiting = []
        elif total > full:
            yield from waiting[:-1]
            waiting = waiting[-1:]
    yield from waiting
