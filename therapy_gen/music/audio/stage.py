"""The stereo picture: where the keys of an instrument lie from left to right, and how much of it goes into the room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Seat:
    """How an instrument stands in the picture.

    Attributes
    ----------
    spread : float
        From the middle of its keys to two and a half octaves above, as a share of the way to the right; its low keys
        lie as far to the left. 0 for what was recorded in stereo and for what stands in one place.
    send : float
        Factor of what goes into the room.
    """

    spread: float
    send: float


_MIDDLE_KEY, _REACH = 62, 30
_MOST = 0.9

# By families of eight General MIDI programs: piano, chromatic percussion, organ, guitar, bass, strings, ensembles,
# brass, reeds, pipes, leads, pads, effects, folk instruments, percussion, sounds.
_FAMILIES = (
    Seat(0.0, 1.0),
    Seat(0.75, 1.45),
    Seat(0.2, 1.0),
    Seat(0.9, 1.25),
    Seat(0.1, 0.6),
    Seat(0.3, 1.1),
    Seat(0.3, 1.1),
    Seat(0.2, 1.0),
    Seat(0.2, 1.1),
    Seat(0.2, 1.3),
    Seat(0.2, 1.0),
    Seat(0.15, 0.8),
    Seat(0.3, 1.0),
    Seat(0.4, 1.0),
    Seat(0.3, 0.8),
    Seat(0.0, 0.8),
)
_SEATS: Mapping[int, Seat] = MappingProxyType({46: Seat(0.9, 1.95)})


def seat_of(program: int) -> Seat:
    """Return how a General MIDI program stands in the picture."""
    return _SEATS.get(program, _FAMILIES[program >> 3])


def pan_of(seat: Seat, pitch: int, pan: float) -> float:
    """Return where a key lies, -1 (left) to 1 (right), of an instrument that stands at `pan`."""
    return min(max(pan + seat.spread * (pitch - _MIDDLE_KEY) / _REACH, -_MOST), _MOST)
