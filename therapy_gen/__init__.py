"""Calm music from a MusicVAE.

In: a seed, or MIDI files. Out: music as notes, MIDI and sound. The package `sessions` has sessions, `eeg` has EEG, and
`therapy_gen.study` connects them; `docs/python.md` is a tutorial of all.

Examples
--------
>>> import therapy_gen
>>> model = therapy_gen.load_model()
>>> model.can_encode
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from therapy_gen.lazy import public_names

if TYPE_CHECKING:
    from therapy_gen.music.analysis.calmness import calmness_of as calmness
    from therapy_gen.music.arranging.arrange import arrange
    from therapy_gen.music.audio.render import render
    from therapy_gen.music.midi.midi import read_performance as read_midi
    from therapy_gen.music.midi.midi import to_midi
    from therapy_gen.musicvae.model import Model, load_model

    __version__: str

__all__ = ["Model", "__version__", "arrange", "calmness", "load_model", "read_midi", "render", "to_midi"]

_get, _dir = public_names(
    __name__,
    {
        "Model": "therapy_gen.musicvae.model",
        "arrange": "therapy_gen.music.arranging.arrange",
        "calmness": "therapy_gen.music.analysis.calmness:calmness_of",
        "load_model": "therapy_gen.musicvae.model",
        "read_midi": "therapy_gen.music.midi.midi:read_performance",
        "render": "therapy_gen.music.audio.render",
        "to_midi": "therapy_gen.music.midi.midi",
    },
)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("therapy-gen")
    return _get(name)


def __dir__() -> list[str]:
    return [*_dir(), "__version__"]
