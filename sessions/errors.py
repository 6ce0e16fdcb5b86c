"""What can go wrong with the database, a plan or an export; each text is one line for the user."""

from __future__ import annotations

from therapy_gen.errors import InputError, MissingExtraError, TherapyGenError


class DatabaseError(InputError):
    """The database cannot be opened, read or written.

    Parameters
    ----------
    text : str
    passing : bool
        Whether the same may succeed a moment later: another program holds it, the disk is full, the server is away.
    """

    def __init__(self, text: str, *, passing: bool = False) -> None:
        super().__init__(text)
        self.passing = passing


class PlanError(InputError):
    """No session can be laid out as asked."""


class NotFoundError(InputError):
    """A session, piece or listener is not in the database."""


class ConflictError(InputError):
    """What is to be stored contradicts what is."""


class ExportError(InputError):
    """A file cannot be written where or as asked."""


class PlayError(InputError):
    """A session cannot be played: no sound device, or it went away."""


class MissingPortAudioError(MissingExtraError):
    """The sound library that sounddevice speaks to is not on this machine."""

    def __init__(self) -> None:
        TherapyGenError.__init__(
            self,
            "playing through the sound card needs the PortAudio library; install it with: "
            "apt install libportaudio2 (Debian, Ubuntu) or dnf install portaudio (Fedora)",
        )
        self.extra = "play"
