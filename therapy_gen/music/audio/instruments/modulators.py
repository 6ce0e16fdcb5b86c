"""Modulators of a soundfont: effects of velocity and key on a zone's generators (SoundFont 2.04, 8.2 to 8.4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RECORD = np.dtype(
    [("source", "<u2"), ("destination", "<u2"), ("amount", "<i2"), ("amount_source", "<u2"), ("transform", "<u2")]
)
"""A modulator record in a file (section 7.4)."""

_NONE, _VELOCITY, _KEY, _PITCH_WHEEL = 0, 2, 3, 14
_CONTROLLER, _NEGATIVE, _BIPOLAR = 0x80, 0x100, 0x200
_LINEAR, _CONCAVE, _CONVEX, _SWITCH = range(4)
_ABSOLUTE = 2
# Initial values of MIDI controllers. Volume, pan and expression are neutral, since the player sets levels itself.
_AT_REST = {7: 127, 8: 64, 10: 64, 11: 127} | dict.fromkeys(range(70, 80), 64)
_PAN_CONTROLLER = 10

_ATTENUATION, _FILTER_CUTOFF = 48, 8
# Section 8.4.1: a note struck softly sounds softly, by a concave curve over 96 dB.
_VELOCITY_TO_ATTENUATION = (0x0502, _ATTENUATION, 0)


@dataclass(frozen=True)
class Modulator:
    """How much a source, through its curve, changes a generator."""

    source: int
    destination: int
    amount: int
    amount_source: int
    transform: int

    @property
    def identity(self) -> tuple[int, int, int]:
        """The key by which a later modulator replaces an earlier one (section 9.5.1)."""
        return self.source, self.destination, self.amount_source

    def value(self, key: int, velocity: int) -> float:
        """Return what a note adds to the generator."""
        # FluidSynth leaves out the default that darkens soft notes (section 8.4.2); fonts are tuned for that.
        if self.destination == _FILTER_CUTOFF and self.amount_source & 0xFF == _VELOCITY:
            return 0.0
        share = _source(self.source, key, velocity)
        if self.amount_source:
            share *= _source(self.amount_source, key, velocity)
        moved = self.amount * share
        return abs(moved) if self.transform == _ABSOLUTE else moved


_DEFAULTS = (Modulator(*_VELOCITY_TO_ATTENUATION[:2], 960, 0, 0),)
"""The defaults of section 8.4 that have an effect without controllers."""

Modulators = Mapping[tuple[int, int, int], Modulator]


def read_modulators(records: npt.NDArray[np.void]) -> dict[tuple[int, int, int], Modulator]:
    """Return modulators by their identity; of two alike the last counts."""
    found = (Modulator(*(int(value) for value in record)) for record in records.tolist())
    return {modulator.identity: modulator for modulator in found}


def moved_by(instrument: Modulators, preset: Modulators, key: int, velocity: int) -> dict[int, float]:
    """Return what a note adds to generators: an instrument's modulators replace defaults, a preset's add to both."""
    offsets: dict[int, float] = {}
    replaced: Iterable[Modulator] = ({one.identity: one for one in _DEFAULTS} | dict(instrument)).values()
    for modulator in (*replaced, *preset.values()):
        if value := modulator.value(key, velocity):
            offsets[modulator.destination] = offsets.get(modulator.destination, 0.0) + value
    return offsets


def _source(operator: int, key: int, velocity: int) -> float:
    """Return a source's value through its curve: 0 to 1, or -1 to 1 where it is bipolar (section 8.2)."""
    index = operator & 0x7F
    if operator & _CONTROLLER:
        if index == _PAN_CONTROLLER:
            return 0.0
        share = _AT_REST.get(index, 0) / 127
    elif index == _NONE:
        return 1.0
    else:
        share = {_VELOCITY: velocity / 127, _KEY: key / 127, _PITCH_WHEEL: 0.5}.get(index, 0.0)
    if operator & _NEGATIVE:
        share = 1.0 - share
    curve = operator >> 10
    if not operator & _BIPOLAR:
        return _curve(curve, share)
    away = 2.0 * share - 1.0
    return away if curve == _LINEAR else math.copysign(_curve(curve, abs(away)), away)


def _curve(curve: int, share: float) -> float:
    if curve == _SWITCH:
        return float(share >= 0.5)
    if curve == _CONCAVE:
        return _concave(share)
    if curve == _CONVEX:
        return 1.0 - _concave(1.0 - share)
    return share


def _concave(share: float) -> float:
    """Return the concave curve: the decibels of an amplitude that falls as a square, as a share of 96."""
    return 1.0 if share >= 1.0 else min(-40 / 96 * math.log10(1.0 - share), 1.0)
