"""Additive scores: the logit is a sum over named features, each of them monotone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Feature:
    """One named feature of a score.

    Attributes
    ----------
    of : callable
        From notes, as its score prepares them, to its value; None where the notes do not determine it.
    about : str
        How it is measured, for the manual.
    unit : str
        What its value counts.
    centre, scale : float
        The value that adds nothing, and the size of one unit; both of log(`offset` + value) where there is an offset.
    weight : float
        What a unit adds to the logit of the score, or (`lowers`) subtracts; never negative.
    source : str
        The evidence for it.
    offset : float, optional
        Makes the feature count by its logarithm.
    most : float, optional
        Limit of the units that it counts, either way, approached by a hyperbolic tangent.
    lowers : bool
        Whether larger values lower the score.
    """

    of: Callable[[Any], float | None]
    about: str
    unit: str
    centre: float
    scale: float
    weight: float
    source: str
    offset: float | None = None
    most: float | None = None
    lowers: bool = True

    def contribution(self, value: float) -> float:
        """Return a value's contribution to the logit of the score."""
        level = value if self.offset is None else math.log(self.offset + value)
        units = (level - self.centre) / self.scale
        bent = units if self.most is None else self.most * math.tanh(units / self.most)
        return (-self.weight if self.lowers else self.weight) * bent


@dataclass(frozen=True)
class AdditiveScore:
    """A score from 0 to 1, with what each feature measured and what it added (in logits).

    Features that the notes do not determine are missing from `values` and `contributions`.
    """

    score: float
    values: Mapping[str, float]
    contributions: Mapping[str, float]


def measured(features: Mapping[str, Feature], notes: Any) -> dict[str, float]:
    """Return the value of every feature that the notes determine, by its name."""
    values = {name: feature.of(notes) for name, feature in features.items()}
    return {name: value for name, value in values.items() if value is not None}


def contributions_of(features: Mapping[str, Feature], values: Mapping[str, float]) -> dict[str, float]:
    """Return each measured feature's contribution to the logit of a score; unknown names are left out."""
    return {name: features[name].contribution(value) for name, value in values.items() if name in features}


def added_up(features: Mapping[str, Feature], values: Mapping[str, float]) -> AdditiveScore:
    """Return the score from measured values."""
    parts = contributions_of(features, values)
    logit = max(-50.0, min(50.0, sum(parts.values())))
    return AdditiveScore(1.0 / (1.0 + math.exp(-logit)), values, parts)


def feature_table(features: Mapping[str, Feature]) -> str:
    """Return the table of features for the manual, as Markdown."""
    rows = [
        f"| {name} | {one.about}{'; bent' if one.most is not None else ''} | {one.weight:g} | {one.source} |"
        for name, one in features.items()
    ]
    return "\n".join(["| feature | how it is measured | weight | evidence |", "| --- | --- | --- | --- |", *rows])
