"""Errors of the EEG package: what is wrong with which recording, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from therapy_gen.errors import InputError, MissingExtraError


class RecordingError(InputError):
    """A file cannot be read as an EEG recording."""


class SplitPartError(RecordingError):
    """A file is a later part of a recording that was split into several.

    Attributes
    ----------
    first : Path
        The file that stands for the whole.
    """

    def __init__(self, path: Path, first: Path) -> None:
        super().__init__(
            f"{path} is a part of a split recording: name its first file, {first.name}, which stands for all"
        )
        self.first = first


class DeadElectrodesError(RecordingError):
    """Electrodes of a headset measure nothing.

    Attributes
    ----------
    channels : tuple of str
    """

    def __init__(self, channels: Sequence[str]) -> None:
        super().__init__(
            f"dead electrodes: {', '.join(channels)}; mend their contact, or begin all the same with any contact"
        )
        self.channels = tuple(channels)


class TimelineError(InputError):
    """It cannot be said which piece played when."""


class TooLittleDataError(InputError):
    """Not enough clean data to give any score."""


class ParameterError(InputError):
    """A parameter of the scoring is out of its range."""


class MissingEEGExtraError(MissingExtraError):
    """MNE-Python (or pyxdf) is not installed.

    Parameters
    ----------
    what : str
        What was asked for, as the user would say it.
    """

    def __init__(self, what: str = "reading EEG recordings") -> None:
        super().__init__(what, "eeg")


__all__ = [
    "DeadElectrodesError",
    "MissingEEGExtraError",
    "MissingExtraError",
    "ParameterError",
    "RecordingError",
    "SplitPartError",
    "TimelineError",
    "TooLittleDataError",
]
