"""Importing Keras without its backend's messages about missing graphics cards."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from therapy_gen.errors import MissingExtraError

_STDERR = 2
# As Keras names them; the first is its own default.
_BACKENDS = ("tensorflow", "jax", "torch")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Capture what C libraries write to standard error; show it where an error ends the block.

    Before its log is set up TensorFlow ignores ``TF_CPP_MIN_LOG_LEVEL``.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        sys.stderr.flush()
        before = os.dup(_STDERR)
    except (AttributeError, OSError, ValueError):
        # There is no standard error to keep clean.
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), _STDERR)
        try:
            yield
        except BaseException:
            os.dup2(before, _STDERR)
            kept.seek(0)
            os.write(_STDERR, kept.read())
            raise
        finally:
            os.dup2(before, _STDERR)
            os.close(before)


def load_keras() -> None:
    """Import Keras and its backend, without their messages about graphics cards.

    The backend is the one that ``KERAS_BACKEND`` names; otherwise TensorFlow, or where that is not installed JAX or
    PyTorch.

    Raises
    ------
    MissingExtraError
        Where there is neither Keras nor a backend.
    """
    found = [name for name in _BACKENDS if find_spec(name) is not None]
    if find_spec("keras") is None or not found:
        raise MissingExtraError("training", "train")
    if found[0] != _BACKENDS[0]:
        os.environ.setdefault("KERAS_BACKEND", found[0])
    with quiet_libraries():
        import keras  # noqa: F401
