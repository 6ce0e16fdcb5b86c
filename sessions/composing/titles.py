"""Titles for pieces: gentle, and the same for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_QUALITIES = (
    "Still", "Slow", "Quiet", "Soft", "Pale", "Long", "Early", "Late", "Clear", "Warm", "Distant", "Gentle",
    "Open", "Low", "Silver", "Amber", "Blue", "Hidden", "Light", "Mild", "Drifting", "Even", "Far", "Hushed",
)  # fmt: skip
_THINGS = (
    "Water", "Lake", "River", "Shore", "Tide", "Harbour", "Field", "Meadow", "Valley", "Hill", "Forest", "Willow",
    "Garden", "Path", "Window", "Lantern", "Morning", "Evening", "Dusk", "Snow", "Rain", "Mist", "Cloud", "Moon",
    "Star", "Feather", "Heron", "Moss", "Stone", "Sail", "Island", "Horizon",
)  # fmt: skip

_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
    (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


def titles(count: int, rng: np.random.Generator) -> list[str]:
    """Return `count` titles such as ``"Still Water"``; they differ as long as there are enough."""
    total = len(_QUALITIES) * len(_THINGS)
    chosen = rng.choice(total, size=count, replace=count > total)
    return [f"{_QUALITIES[n // len(_THINGS)]} {_THINGS[n % len(_THINGS)]}" for n in chosen.tolist()]


def numbered(title: str, number: int) -> str:
    """Return the title of the piece of that number, from 1, which would have the same one: ``"Still Water II"``."""
    return title if number == 1 else f"{title} {_roman(number)}"


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        text += letters * count
    return text
