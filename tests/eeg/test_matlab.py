"""MATLAB 5 files are walked through before SciPy reads them: on damaged ones it may end the process."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from eeg.errors import RecordingError
from eeg.io.matlab import check_matlab

CONTENT = {
    "data": np.arange(12.0).reshape(3, 4),
    "letters": "häöl",
    "complex": np.array([[1 + 2j]]),
    "struct": {"x": 1, "y": [1, 2, {"z": "q"}], "empty": ""},
    "none": np.zeros((0, 3)),
    "cells": np.array([["a", "bb"]], dtype=object),
    "logical": np.array([True, False]),
    "sparse": scipy.sparse.csc_matrix(np.eye(3)),
}


@pytest.mark.parametrize("packed", [False, True])
def test_what_scipy_writes_is_sound(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "sound.set"
    scipy.io.savemat(path, CONTENT, do_compression=packed)
    check_matlab(path)


def test_real_files_are_sound(eeg_data: Path) -> None:
    check_matlab(eeg_data / "formats" / "eeglab_data.set")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_cut_short(tmp_path: Path, packed: bool, share: float) -> None:
    path = tmp_path / "short.set"
    scipy.io.savemat(path, CONTENT, do_compression=packed)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(RecordingError, match=r"short\.set is cut short or damaged"):
        check_matlab(path)


def test_a_matrix_that_is_smaller_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "wrong.set"
    scipy.io.savemat(path, {"data": CONTENT["data"]})
    whole = path.read_bytes()
    sizes = np.array([3, 4], "<i4").tobytes()
    assert whole.count(sizes) == 1
    for wrong in ([30_000, 40_000], [-3, 4], [3, 5]):
        path.write_bytes(whole.replace(sizes, np.array(wrong, "<i4").tobytes()))
        with pytest.raises(RecordingError, match="damaged"):
            check_matlab(path)


def test_scipy_survives_what_passes(tmp_path: Path) -> None:
    """Bytes changed at random: what the walk lets through, SciPy reads, or raises an error of its own."""
    path = tmp_path / "some.set"
    scipy.io.savemat(path, CONTENT)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    passed = 0
    for _ in range(400):
        data = bytearray(whole)
        for at in rng.integers(128, len(data), rng.integers(1, 4)):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        with contextlib.suppress(RecordingError):
            check_matlab(path)
            passed += 1
            with contextlib.suppress(Exception):
                scipy.io.loadmat(path)
    assert 0 < passed < 400
