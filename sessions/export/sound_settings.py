"""How a stored session is rendered: what was asked for now, and where nothing was, what the session was made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessions.errors import ExportError

if TYPE_CHECKING:
    from therapy_gen.music.audio.layers import Layer
    from therapy_gen.music.audio.mix import Mix
    from therapy_gen.music.audio.render_cache import RenderCache


@dataclass(frozen=True)
class Sound:
    """How to render. What is None is as the session has it, or as usual.

    Attributes
    ----------
    soundfont : Path or None
        An SF2 or SF3 file; None takes the embedded instruments.
    advance : callable
        Told the seconds of music that are done since it was last called.
    space : str or None
        One of `therapy_gen.music.audio.reverb.SPACES`.
    loudness : float or None
        In LUFS.
    layers : tuple of Layer or None
        Under the music; an empty one takes away those of the session.
    transition : str or None
        Between pieces.
    fade_s : float or None
        Over so many seconds it dies away at the end.
    clicks : bool
        Whether the left channel has the music, in mono, and the right one a click track (`therapy_gen.click_track`).
    threads : int
        That render the pieces ahead; with 0 each is rendered when its turn comes, and measured before it is written,
        on one core.
    cache : RenderCache or None
        Where pieces are kept that were rendered, for the next session that holds them.

    Raises
    ------
    InputError
        Where the soundfont is none, or another value is out of range.
    """

    soundfont: Path | None = None
    advance: Callable[[float], None] = lambda seconds: None
    space: str | None = None
    loudness: float | None = None
    layers: tuple[Layer, ...] | None = None
    transition: str | None = None
    fade_s: float | None = None
    clicks: bool = False
    threads: int = 2
    cache: RenderCache | None = None

    def __post_init__(self) -> None:
        if self.soundfont is not None:
            from therapy_gen.music.audio.instruments.soundfont import SoundFont

            if not self.soundfont.is_file():
                raise ExportError(f"soundfont {self.soundfont} is not a file; give an SF2 or SF3 file")
            SoundFont(self.soundfont)
        if any(value is not None for value in (self.space, self.loudness, self.layers, self.transition, self.fade_s)):
            self.mix()

    def over(self, parameters: Mapping[str, Any]) -> Sound:
        """Return the same, with what a session's parameters say where nothing is said here."""
        from therapy_gen.music.audio.layers import parse_layer

        own = self
        if self.space is None and "space" in parameters:
            own = replace(own, space=str(parameters["space"]))
        if self.transition is None and "transition" in parameters:
            own = replace(own, transition=str(parameters["transition"]))
        if self.fade_s is None and "fade_s" in parameters:
            own = replace(own, fade_s=float(parameters["fade_s"]))
        if self.layers is None and "layers" in parameters:
            own = replace(own, layers=tuple(parse_layer(layer) for layer in parameters["layers"]))
        return own

    def mix(self) -> Mix:
        """Return it as the renderer takes it."""
        from therapy_gen.music.audio.mix import Mix

        given = {
            "space": self.space,
            "loudness": self.loudness,
            "layers": self.layers,
            "transition": self.transition,
            "fade_s": self.fade_s,
        }
        return Mix(self.soundfont, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]

    def parameters(self) -> dict[str, Any]:
        """Return what a session is to remember of it."""
        values = {
            "space": self.space,
            "layers": None if self.layers is None else [str(layer) for layer in self.layers],
            "transition": self.transition,
            "fade_s": self.fade_s,
        }
        return {name: value for name, value in values.items() if value is not None}


def read_layers(texts: Sequence[str]) -> tuple[Layer, ...]:
    """Read layers such as ``rain:-18dB``; InputError where one is not known, its level none, or it comes twice."""
    from therapy_gen.music.audio.layers import parse_layer
    from therapy_gen.music.audio.mix import Mix

    return Mix(layers=tuple(parse_layer(text) for text in texts)).layers
