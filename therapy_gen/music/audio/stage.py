"""The stereo image: panning of an instrument's keys, and its reverb send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class StereoPlacement:
    """An instrument's place in the stereo image.

    Attributes
    ----------
    spread : float
        Pan of a key two and a half octaves above the middle of its keys; keys as far below are panned as far to the
        left. 0 for instruments recorded in stereo and those in one place.
    send : float
        Factor of the reverb send.
    """

    spread: float
    send: float


_MIDDLE_KEY, _REACH = 62, 30
_MOST = 0.9

# By families of eight General MIDI programs: piano, chromatic percussion, organ, guitar, bass, strings, ensembles,
# brass, reeds, pipes, leads, pads, effects, folk instruments, percussion, sounds.
_FAMILIES = (
    StereoPlacement(0.0, 1.0),
    StereoPlacement(0.75, 1.45),
    StereoPlacement(0.2, 1.0),
    StereoPlacement(0.9, 1.25),
    StereoPlacement(0.1, 0.6),
    StereoPlacement(0.3, 1.1),
    StereoPlacement(0.3, 1.1),
    StereoPlacement(0.2, 1.0),
    StereoPlacement(0.2, 1.1),
    StereoPlacement(0.2, 1.3),
    StereoPlacement(0.2, 1.0),
    StereoPlacement(0.15, 0.8),
    StereoPlacement(0.3, 1.0),
    StereoPlacement(0.4, 1.0),
    StereoPlacement(0.3, 0.8),
    StereoPlacement(0.0, 0.8),
)
_PLACEMENTS: Mapping[int, StereoPlacement] = MappingProxyType({46: StereoPlacement(0.9, 2.15)})


def placement_of(program: int) -> StereoPlacement:
    """Return the stereo placement of a General MIDI program."""
    return _PLACEMENTS.get(program, _FAMILIES[program >> 3])


def pan_of(placement: StereoPlacement, pitch: int, pan: float) -> float:
    """Return the pan of a key, -1 (left) to 1 (right), of an instrument at `pan`."""
    return min(max(pan + placement.spread * (pitch - _MIDDLE_KEY) / _REACH, -_MOST), _MOST)
