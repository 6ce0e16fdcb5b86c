"""A stored session as sound, while it is listened to."""

from __future__ import annotations

import numpy as np
import pytest

from sessions.builder import new_session
from sessions.export.audio import SAMPLE_RATE, stream_session
from sessions.planning.plan import SessionRequest
from sessions.storage.store import Store
from therapy_gen.musicvae.model import Model


@pytest.mark.long
def test_a_stream_from_any_position_is_what_the_whole_has_there(store: Store, model: Model) -> None:
    made = new_session(store, model, SessionRequest(minutes=2.0, baseline_s=3.0), seed=4)
    whole = np.concatenate(list(stream_session(store, made.id)))
    assert len(whole) == round(made.duration_s * SAMPLE_RATE)
    for start in (0.5, 20.25, made.duration_s - 2.0):
        stream = stream_session(store, made.id, start_s=start)
        first = next(stream)
        stream.close()
        at = round(start * SAMPLE_RATE)
        assert first.dtype == np.float32
        assert np.array_equal(first, whole[at : at + len(first)])
    assert list(stream_session(store, made.id, start_s=made.duration_s)) == []
