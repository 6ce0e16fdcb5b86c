"""MNE-Python, imported where it is needed, and without its warnings and its log."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from eeg.errors import MissingEEGExtraError


class quiet_mne:
    """Keep MNE's log and warnings off the terminal; this package checks what matters."""

    def __enter__(self) -> None:
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        self._logger = logging.getLogger("mne")
        self._level = self._logger.level
        self._logger.setLevel(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)
        self._warnings.__exit__(None, None, None)


def import_mne() -> Any:
    """Import MNE-Python; MissingEEGExtraError where it is not installed."""
    try:
        import mne
    except ImportError:
        raise MissingEEGExtraError from None
    return mne
