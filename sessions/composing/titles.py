"""Titles for pieces: gentle, and the same for the same seed."""

from __future__ import annotations

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


def titles(count: int, rng: np.random.Generator) -> list[str]:
    """Return `count` titles such as ``"Still Water"``; they differ as long as there are enough."""
    total = len(_QUALITIES) * len(_THINGS)
    chosen = rng.choice(total, size=count, replace=count > total)
    return [f"{_QUALITIES[n // len(_THINGS)]} {_THINGS[n % len(_THINGS)]}" for n in chosen.tolist()]
