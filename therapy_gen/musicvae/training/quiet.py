"""Importing TensorFlow without what its libraries say of graphics cards that are not there."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep what C libraries write to standard error; it is shown where an error ends the block.

    Before TensorFlow has its log set up it writes there whatever ``TF_CPP_MIN_LOG_LEVEL`` says.
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
    """Import Keras and its backend, and keep what they say of graphics cards."""
    with quiet_libraries():
        import keras  # noqa: F401
