"""Layers too wide for a core's cache: in blocks, shared among threads."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest

from therapy_gen.musicvae.magenta.cells import layer
from therapy_gen.musicvae.shared_products import share

SECTIONS, UNITS = 3, 512


def test_a_wide_layer_is_the_same_layer_whatever_threads_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    kernel = 0.05 * rng.standard_normal((2 * UNITS, 4 * UNITS), dtype=np.float32)
    arrays = {"cell/kernel": kernel, "cell/bias": rng.standard_normal(4 * UNITS, dtype=np.float32)}
    x = rng.standard_normal((SECTIONS, 2 * UNITS), dtype=np.float32)
    cell = rng.standard_normal((SECTIONS, UNITS), dtype=np.float32)
    made = []
    for threads in ("1", "2", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        cells = layer(arrays, "cell")
        made.append(cells.step(x, cells.bias, cell))
    into, new, forget, out = np.split(x.astype(float) @ kernel + arrays["cell/bias"], 4, axis=-1)
    after = cell / (1 + np.exp(-(forget + 1.0))) + np.tanh(new) / (1 + np.exp(-into))
    np.testing.assert_allclose(made[0][1], after, atol=1e-5)
    np.testing.assert_allclose(made[0][0], np.tanh(after) / (1 + np.exp(-out)), atol=1e-5)
    for hidden, state in made[1:]:
        assert hidden.tobytes() == made[0][0].tobytes()
        assert state.tobytes() == made[0][1].tobytes()


def test_what_a_thread_does_not_come_to_do_is_done_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0, 1}, raising=False)
    here, may_end = threading.current_thread(), threading.Event()
    held, done = threading.Event(), Counter[int]()

    def work(number: int) -> None:
        if threading.current_thread() is not here:
            held.set()
            may_end.wait(10)
            return
        held.wait(10)
        done[number] += 1

    share(work, 4)
    may_end.set()
    assert sorted(done) == [0, 1, 2, 3]
