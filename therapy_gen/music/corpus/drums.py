"""The drums of a MIDI file as nine kinds, as Magenta's trio models read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from therapy_gen.music.midi.reader import MIDI_SUFFIXES, read_midi_bytes, read_midi_file

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
    file = read_midi_file(read_midi_bytes(path), str(path))
    strokes = [
        (start / file.ticks, _KIND_OF[pitch])
        for line in file.lines
        if line.is_drums
        for start, _, pitch, _ in line.notes
        if pitch in _KIND_OF
    ]
    return np.array(sorted(strokes), dtype=np.float64).reshape(-1, 2)
