"""The click track of a session: pulses that say when each item begins, and which one it is.

A mark is a row of pulses of 20 ms in slots of 60 ms: a start pulse at the item's onset, eight bits (the item's number
from 1 on, lowest bit first), a bit of odd parity, and a stop pulse. A pulse of this length passes the filters of sound
cards (from 20 Hz) and of amplifiers sampled at 250 Hz, with either polarity.
"""

from __future__ import annotations

from collections.abc import Sequence

PULSE_S = 0.02
SLOT_S = 0.06
BITS = 8
MOST = 2**BITS - 1
# From the first pulse of a mark to its last one.
MARK_S = (BITS + 2) * SLOT_S


def pulses(number: int) -> tuple[float, ...]:
    """Return when the pulses of a mark begin, in seconds from its own beginning.

    Parameters
    ----------
    number : int
        Of the item, 1 to `MOST`.

    Examples
    --------
    >>> pulses(2)
    (0.0, 0.12, 0.6)
    """
    if not 1 <= number <= MOST:
        raise ValueError(f"{number} is not 1 to {MOST}")
    bits = [number >> bit & 1 for bit in range(BITS)]
    slots = [1, *bits, 1 - sum(bits) % 2, 1]
    return tuple(round(slot * SLOT_S, 6) for slot, there in enumerate(slots) if there)


def number_of(offsets: Sequence[float], tolerance_s: float = SLOT_S / 4) -> int | None:
    """Return the number that pulses encode; None where they are not a complete mark.

    Parameters
    ----------
    offsets : sequence of float
        When they began, in seconds from the first of them, which is 0.
    tolerance_s : float
        How far each may be from its slot.

    Examples
    --------
    >>> number_of((0.0, 0.121, 0.598))
    2
    >>> number_of((0.0, 0.121)) is None
    True
    """
    slots = [round(offset / SLOT_S) for offset in offsets]
    if any(abs(offset - slot * SLOT_S) > tolerance_s for offset, slot in zip(offsets, slots, strict=True)):
        return None
    if len(set(slots)) < len(slots) or not slots or slots[0] != 0 or slots[-1] != BITS + 2:
        return None
    number = sum(1 << (slot - 1) for slot in slots if 1 <= slot <= BITS)
    odd = (sum(1 <= slot <= BITS + 1 for slot in slots) % 2) == 1
    return number if odd and number else None
