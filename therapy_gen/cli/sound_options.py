"""Options for how a session sounds, and the `Sound` that they make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from therapy_gen.cli.completion import layer_names, space_names, transition_names
from therapy_gen.music.audio.loudness_target import LOUDNESS_LUFS, TARGET_LUFS

if TYPE_CHECKING:
    from sessions.export.sound_settings import Sound

SoundfontOption = Annotated[
    Path | None,
    typer.Option("--soundfont", metavar="FILE", help="SF2 or SF3 instruments  [default: the embedded ones]"),
]
LayerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        metavar="NAME[:LEVEL]",
        autocompletion=layer_names,
        help="Under the music, as rain:-18dB: rain, sea, wind, brown, pink (noise) or drone; repeatable; none: without",
    ),
]
TransitionOption = Annotated[
    str | None,
    typer.Option(
        "--transition",
        metavar="silence|crossfade|bridge",
        autocompletion=transition_names,
        help="Between pieces: nothing, their chords fading into each other, or a passage  [default: silence]",
    ),
]
SpaceOption = Annotated[
    str | None,
    typer.Option(
        "--space",
        metavar="dry|room|hall",
        autocompletion=space_names,
        help="Where it sounds  [default: room]",
    ),
]
FadeOption = Annotated[
    float | None,
    typer.Option("--fade", metavar="MINUTES", help="Die away over the last minutes  [default: 0; a quarter, to sleep]"),
]
LoudnessOption = Annotated[
    float | None,
    typer.Option(
        "--loudness",
        metavar="LUFS",
        help="Of every piece, {:g} to {:g}  [default: {:g}]".format(*LOUDNESS_LUFS, TARGET_LUFS),
    ),
]


def requested_sound(
    soundfont: Path | None = None,
    *,
    layers: list[str] | None = None,
    transition: str | None = None,
    space: str | None = None,
    fade: float | None = None,
    loudness: float | None = None,
    advance: Callable[[float], None] = lambda seconds: None,
) -> Sound:
    """Return the sound that options ask for; InputError where one is out of range or a file is not a soundfont."""
    from sessions.export.sound_settings import Sound, read_layers

    requested = None if layers is None else read_layers([layer for layer in layers if layer != "none"])
    return Sound(soundfont, advance, space, loudness, requested, transition, None if fade is None else fade * 60.0)
