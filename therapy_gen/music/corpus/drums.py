"""The drums of a MIDI file, as nine kinds: what Magenta's trio models read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.corpus.score import MIDI_SUFFIXES

# General MIDI's percussion by kind of sound, as note_seq groups it (`DEFAULT_DRUM_TYPE_PITCHES`): bass drum, snare,
# closed hi-hat, open hi-hat, low, middle and high tom, crash, ride.
KINDS: tuple[tuple[int, ...], ...] = (
    (36, 35),
    (38, 27, 28, 31, 32, 33, 34, 37, 39, 40, 56, 65, 66, 75, 85),
    (42, 44, 54, 68, 69, 70, 71, 73, 78, 80, 22),
    (46, 67, 72, 74, 79, 81, 26),
    (45, 29, 41, 43, 61, 64, 84),
    (48, 47, 60, 63, 77, 86, 87),
    (50, 30, 62, 76, 83),
    (49, 52, 55, 57, 58),
    (51, 53, 59, 82),
)
_KIND_OF = {pitch: kind for kind, pitches in enumerate(KINDS) for pitch in pitches}


def read_drums(path: Path) -> npt.NDArray[np.float64]:
    """Return onset (in quarter notes) and kind (0 to 8) of each stroke of a MIDI file's drum tracks, (n, 2).

    Other files have none.
    """
    if path.suffix.lower() not in MIDI_SUFFIXES:
        return np.zeros((0, 2))
    import symusic

    midi: Any
    try:
        midi = symusic.Score(str(path))
    except Exception as error:
        raise InputError(f"{path} is not a readable MIDI file: {' '.join(str(error).split())}") from error
    strokes = [
        (note.time / midi.tpq, _KIND_OF[note.pitch])
        for track in midi.tracks
        if track.is_drum
        for note in track.notes
        if note.pitch in _KIND_OF
    ]
    return np.array(sorted(strokes), dtype=np.float64).reshape(-1, 2)
