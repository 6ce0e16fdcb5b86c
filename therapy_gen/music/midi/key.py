"""The key of a MIDI file: from its key signatures and, where they leave it open, its notes."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

import numpy as np

from therapy_gen.music.midi.reader import MidiFile
from therapy_gen.music.tonality import MODES, find_key, key_name, pitch_class_weights


def named_keys(file: MidiFile) -> list[tuple[int, int, str]]:
    """Return tick, tonic and mode of the keys that a file names.

    C major is left out, since programs write it where no key was chosen.
    """
    return [
        (tick, (7 * sharps - 3 * minor) % 12, MODES[minor])
        for tick, sharps, minor in file.keys
        if (sharps, minor) != (0, 0)
    ]


def key_of(file: MidiFile) -> str:
    """Return the key that most of the music is in, e.g. ``"D major"``; an empty string where nothing has a pitch.

    The key of each stretch under one key signature is found by `find_key` with that signature.
    """
    rows = [
        (start, end - start, pitch) for line in file.lines if not line.is_drums for start, end, pitch, _ in line.notes
    ]
    if not rows:
        return ""
    start, length, pitch = np.array(rows, dtype=np.int64).T
    changes = [0, *(tick for tick, _, _ in file.keys if tick > 0), int(start.max()) + 1]
    signed = [tick for tick, _, _ in file.keys]
    named = {tick: (tonic, mode) for tick, tonic, mode in named_keys(file)}
    lasts: dict[tuple[int, str], int] = {}
    for begin, end in pairwise(changes):
        inside = (start >= begin) & (start < end)
        if not inside.any():
            continue
        at = bisect_right(signed, begin) - 1
        sharps, name = (file.keys[at][1], named.get(signed[at])) if at >= 0 else (None, None)
        key = find_key(pitch_class_weights(pitch[inside], length[inside].astype(float)), sharps, name)
        lasts[key] = lasts.get(key, 0) + int(length[inside].sum())
    return key_name(*max(lasts, key=lambda key: lasts[key]))
