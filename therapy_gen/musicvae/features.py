"""The network's inputs: rows of its embedding tables for events, sounding notes and couplings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

HOLD = 0
NOTE_OFF = 1

# The order in which voices are decided within a step: the outer voices first, the inner voice between them.
_VOICE_ORDER = (0, 2, 1)

IntArray = npt.NDArray[np.int32]


def sounding(tokens: npt.NDArray[np.integer]) -> IntArray:
    """Return for tokens (..., steps, voices) the class of the note that sounds after each event, 0 for none."""
    steps = tokens.shape[-2]
    shape = (steps, 1)
    position = np.where(tokens != HOLD, np.arange(steps).reshape(shape), -1)
    last = np.maximum.accumulate(position, axis=-2)
    event = np.take_along_axis(tokens, np.maximum(last, 0), axis=-2)
    return np.where((last >= 0) & (event != NOTE_OFF), event, 0).astype(np.int32)


def token_rows(tokens: npt.NDArray[np.integer], num_classes: int) -> IntArray:
    """Return embedding rows (..., steps, 2 * voices): the event of each voice, then what sounds in it."""
    voices = tokens.shape[-1]
    offsets = (np.arange(2 * voices) * num_classes).astype(np.int32)
    return np.concatenate([tokens.astype(np.int32), sounding(tokens)], axis=-1) + offsets


def decoder_inputs(rows: IntArray, num_classes: int) -> IntArray:
    """Return the rows of the step before: `rows` shifted by one, silence at the start."""
    shifted = np.empty_like(rows)
    shifted[..., 1:, :] = rows[..., :-1, :]
    shifted[..., 0, :] = np.arange(rows.shape[-1]) * num_classes
    return shifted


def coupled_pairs(voices: int) -> tuple[tuple[int, int], ...]:
    """Return (speaker, listener) pairs: each voice hears, within a step, those decided before it."""
    order = _VOICE_ORDER if voices == len(_VOICE_ORDER) else tuple(range(voices))
    return tuple((speaker, listener) for n, listener in enumerate(order) for speaker in order[:n])


def coupling_rows(rows: IntArray, num_classes: int) -> IntArray:
    """Return rows of the coupling table (..., steps, pairs, 2): the speaker's event and what sounds in it."""
    voices = rows.shape[-1] // 2
    return np.stack(
        [
            np.stack(
                [
                    rows[..., speaker] + (2 * pair - speaker) * num_classes,
                    rows[..., voices + speaker] + (2 * pair + 1 - voices - speaker) * num_classes,
                ],
                axis=-1,
            )
            for pair, (speaker, _) in enumerate(coupled_pairs(voices))
        ],
        axis=-2,
    )
