"""Errors that therapy-gen raises on purpose: each names what is wrong and how to mend it."""

from __future__ import annotations


class TherapyGenError(Exception):
    """Base of every error raised on purpose; its text is one line for the user."""


class InputError(TherapyGenError):
    """A file, value or stored object is at fault (the command line exits with 1)."""


class OutOfBoundsError(Exception):
    """A library took too much time or memory for a file; readers turn it into InputError."""


class MissingExtraError(TherapyGenError):
    """An optional part is not installed (the command line exits with 3).

    Parameters
    ----------
    what : str
        What was asked for, as the user would say it.
    extra : str
        The extra that brings it, e.g. ``"eeg"``.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part; install it with: {_install_command(extra)}")
        self.extra = extra


def _install_command(extra: str) -> str:
    # Magenta's own pins fail on every supported Python; its lock is resolved around them.
    if extra == "magenta":
        return "pip install --no-deps -r requirements/magenta.lock"
    return f"pip install 'therapy-gen[{extra}]'"
