"""Attributes of sections that a session can request, and for which the model has latent directions.

A new attribute is an entry of `ATTRIBUTES`: training measures it and finds its direction, requests check it, and the
command line takes its option from it, as do help, completion and manual. Nothing of weight is imported, since help
texts read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from therapy_gen.musicvae.latent.attributes import SectionNotes


@dataclass(frozen=True)
class AttributeOption:
    """How ``session new`` asks for an attribute, by an option of its name.

    Attributes
    ----------
    between : str
        Text between the lower and the higher value: ``".."`` makes it ``--name LOW..HIGH``.
    order : str
        Which pieces get the higher value and which the lower, in words.
    """

    between: str
    order: str


@dataclass(frozen=True)
class Attribute:
    """An attribute of a section.

    Attributes
    ----------
    about : str
        What it is, for help texts and the manual.
    unit : str
        What its value counts, for errors.
    of : callable
        From a section to its value.
    limits : (float, float)
        Least and greatest value that may be requested.
    akin : str or None
        An attribute of the same quality, which may change along with this one.
    option : AttributeOption or None
        None: the command line does not ask for it.
    """

    about: str
    unit: str
    of: Callable[[SectionNotes], float]
    limits: tuple[float, float]
    akin: str | None = None
    option: AttributeOption | None = None


ATTRIBUTES: dict[str, Attribute] = {
    "density": Attribute(
        "notes a bar, of all voices together",
        "notes a bar",
        lambda section: section.notes_a_bar,
        (1.0, 32.0),
        option=AttributeOption("..", "from most in the first piece to fewest in the last"),
    ),
    "interval": Attribute(
        "mean interval between successive melody notes, in semitones",
        "semitones",
        lambda section: section.mean_interval,
        (0.0, 24.0),
        akin="range",
    ),
    "range": Attribute(
        "range of the melody in semitones, 5th to 95th percentile",
        "semitones",
        lambda section: section.melody_range,
        (3.0, 36.0),
        akin="interval",
        option=AttributeOption("-", "from widest to narrowest"),
    ),
    "syncopation": Attribute(
        "mean weight, a melody note, by which a note on a weak step is held over a stronger one "
        "(Longuet-Higgins & Lee 1984)",
        "levels of the metre",
        lambda section: section.syncopation,
        (0.0, 4.0),
    ),
}
"""Every attribute by its name, which is also its name in model files."""


def attribute_table() -> str:
    """Return the table of attributes for the manual, as Markdown."""
    rows = [f"| {name} | {one.about} | {one.limits[0]:g} to {one.limits[1]:g} |" for name, one in ATTRIBUTES.items()]
    return "\n".join(["| attribute | what it is | least and most |", "| --- | --- | --- |", *rows])
