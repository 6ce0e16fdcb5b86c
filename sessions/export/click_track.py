"""A click track beside the music: what an amplifier records of it says which item began when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from sessions.errors import ExportError
from sessions.records import ItemRecord
from therapy_gen.click_track import MARK_S, MOST, PULSE_S, pulses

Samples = npt.NDArray[np.float32]

_RATE = 44100
_LEVEL = np.float32(0.5)


def with_clicks(blocks: Iterable[Samples], items: Sequence[ItemRecord]) -> Iterator[Samples]:
    """Give the sound of items with the music in the left channel and a mark for the onset of each in the right one.

    Parameters
    ----------
    blocks : iterable of array, shape (frames, 2)
        At 44,100 Hz.
    items : sequence of ItemRecord
        That it is the sound of, from its beginning.

    Raises
    ------
    ExportError
        There are more items than marks, or one is shorter than its mark.
    """
    if len(items) > MOST:
        raise ExportError(
            f"a click track marks at most {MOST} parts, and these are {len(items)}; make a shorter session"
        )
    ends = np.rint(np.cumsum([0.0, *(item.duration_s for item in items)]) * _RATE).astype(np.int64)
    short = [item for item in items if item.duration_s < 2 * MARK_S]
    if short:
        raise ExportError(f"a part of {short[0].duration_s:.1f} s is too short for its clicks; give longer silences")
    starts = [
        int(end) + round(pulse * _RATE) for number, end in enumerate(ends[:-1], start=1) for pulse in pulses(number)
    ]
    at, length = 0, round(PULSE_S * _RATE)
    for block in blocks:
        out = np.zeros_like(block)
        out[:, 0] = block.mean(axis=1)
        while starts and starts[0] + length <= at:
            del starts[0]
        for start in starts:
            if start >= at + len(block):
                break
            out[max(start - at, 0) : max(start + length - at, 0), 1] = _LEVEL
        at += len(block)
        yield out
