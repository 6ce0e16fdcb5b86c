"""How a session sounds apart from its notes: instruments, space, loudness, layers, transitions and a fade."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from therapy_gen.errors import InputError
from therapy_gen.music.audio.layers import Layer
from therapy_gen.music.audio.loudness_target import LOUDNESS_LUFS, TARGET_LUFS
from therapy_gen.music.audio.reverb import DEFAULT_SPACE, check_space
from therapy_gen.music.audio.transitions import DEFAULT_TRANSITION, check_transition


@dataclass(frozen=True)
class Mix:
    """How to render.

    Attributes
    ----------
    soundfont : Path or None
        An .sf2 or .sf3 file; None takes the embedded instruments.
    space : str
        One of `therapy_gen.music.audio.reverb.SPACES`.
    loudness : float
        Of every piece, in LUFS.
    layers : tuple of Layer
        Under the music of a timeline, from its first note to its last.
    transition : str
        One of `therapy_gen.music.audio.transitions.TRANSITIONS`: between the pieces of a timeline.
    fade_s : float
        Length of the fade at the end of a timeline, in seconds.

    Raises
    ------
    InputError
        Where a value is out of range.
    """

    soundfont: Path | None = None
    space: str = DEFAULT_SPACE
    loudness: float = TARGET_LUFS
    layers: tuple[Layer, ...] = ()
    transition: str = DEFAULT_TRANSITION
    fade_s: float = 0.0

    def __post_init__(self) -> None:
        check_space(self.space)
        check_transition(self.transition)
        low, high = LOUDNESS_LUFS
        if not low <= self.loudness <= high:
            raise InputError(f"loudness {self.loudness:g} is out of range; give {low:g} to {high:g} LUFS")
        if not (math.isfinite(self.fade_s) and self.fade_s >= 0):
            raise InputError(f"fade {self.fade_s / 60:g} is no length; give minutes, 0 or more")
        if len({layer.name for layer in self.layers}) < len(self.layers):
            names = [layer.name for layer in self.layers]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"layer {twice} is given twice; give each once")
