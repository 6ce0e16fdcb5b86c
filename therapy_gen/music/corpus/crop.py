"""Sections of fewer bars out of a corpus of sixteen-bar windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from therapy_gen.music.corpus.corpus import Corpus
from therapy_gen.music.tokens import BARS_PER_SECTION, NOTE_OFF, STEPS_PER_BAR

_LEAST_NOTES_A_BAR = 1
# More bars and more stretches than any piece has.
_BARS, _STRETCHES = 1 << 20, 1 << 20


def shortened(corpus: Corpus, bars: int) -> Corpus:
    """Return every stretch of so many bars that the windows hold, each once.

    Parameters
    ----------
    corpus : Corpus
    bars : int
        1 to 16.

    Returns
    -------
    Corpus
        Tokens (n, 16 * bars, 3); `bar` is where a stretch begins. Stretches whose melody has less than a note a bar are
        left out; mode and calmness are those of the window they are from.
    """
    if bars == BARS_PER_SECTION:
        return corpus
    count = len(corpus.tokens)
    offsets = np.arange(BARS_PER_SECTION - bars + 1)
    window = np.tile(np.arange(count), len(offsets))
    offset = np.repeat(offsets, count)
    inside = offset + bars <= corpus.length[window]
    window, offset = window[inside], offset[inside]
    stretch = corpus.piece[window].astype(np.int64) * _STRETCHES + corpus.stretch[window]
    keys = stretch * _BARS + corpus.offset[window] + offset
    # Windows that begin where the stretch does come first, and the first of each is taken.
    _, first = np.unique(keys, return_index=True)
    window, offset = window[first], offset[first]
    cut = corpus.tokens.reshape(count, BARS_PER_SECTION, STEPS_PER_BAR, -1)
    tokens = np.concatenate([cut[window, offset + n] for n in range(bars)], axis=1)
    sung = (tokens[:, :, 0] > NOTE_OFF).sum(axis=1) >= _LEAST_NOTES_A_BAR * bars
    window, offset, tokens = window[sung], offset[sung], tokens[sung]
    return replace(
        corpus,
        tokens=tokens,
        bar=(corpus.bar[window] + offset).astype(np.int32),
        offset=(corpus.offset[window] + offset).astype(np.int32),
        length=np.full(len(tokens), bars, dtype=np.int8),
        **{
            name: getattr(corpus, name)[window]
            for name in ("piece", "stretch", "tonic", "mode", "calm", "metre", "held_out")
        },
    )
