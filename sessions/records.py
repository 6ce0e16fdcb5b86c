"""Sessions and pieces as plain values, and as the documents that `--json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sessions.planning.arcs import Curve, rms


@dataclass(frozen=True)
class PieceRecord:
    """A stored piece without its music.

    Attributes
    ----------
    id : str
        ULID.
    source : str or None
        File it was imported from.
    model : str or None
        Name of the model it came from.
    duration_s : float
    tempo : float or None
        Quarter notes a minute; None for a recorded piece.
    calm : float or None
        0 to 1, higher is calmer; None for a recorded piece.
    valence : float or None
        How pleasant it sounds to most raters, 0 to 1; None for a piece stored before that was scored.
    register : float or None
        Mean MIDI pitch of the melody; None for a piece stored before that was noted.
    metre : str
        E.g. ``"3/4"``.
    more : mapping
        What else is stored of it, by column.
    """

    id: str
    title: str
    source: str | None
    model: str | None
    form: str | None
    seed: int | None
    temperature: float | None
    palette: str | None
    key: str
    tempo: float | None
    duration_s: float
    calm: float | None
    valence: float | None
    features: Mapping[str, float]
    register: float | None
    metre: str
    created: datetime
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def recorded(self) -> bool:
        """Whether it is recorded sound, whose notes are not known."""
        return self.tempo is None

    def about(self) -> str:
        """Return key and tempo in words."""
        if self.tempo is None:
            return "recorded"
        return ", ".join(fact for fact in (self.key, f"{self.tempo:.0f} beats a minute") if fact)

    def document(self) -> dict[str, Any]:
        """Return what `piece list --json` says of it."""
        return {
            "piece": self.id,
            "title": self.title,
            "source": self.source,
            "model": self.model,
            "duration_s": self.duration_s,
            "tempo": self.tempo,
            "key": self.key,
            "calm": self.calm,
        }

    def full_document(self) -> dict[str, Any]:
        """Return what `piece show --json` says of it."""
        return {
            **self.document(),
            "valence": self.valence,
            "form": self.form,
            "seed": self.seed,
            "temperature": self.temperature,
            "palette": self.palette,
            "features": dict(self.features),
            "register": self.register,
            "metre": self.metre or None,
            **self.more,
            "created": self.created.isoformat(),
        }


@dataclass(frozen=True)
class ItemRecord:
    """A stretch of a session's timeline.

    Attributes
    ----------
    piece : PieceRecord or None
        None for silence.
    rating : int or None
        1 to 5; None where none was given.
    why : str or None
        Why the piece is there.
    """

    position: int
    role: str
    piece: PieceRecord | None
    onset_s: float
    duration_s: float
    rating: int | None = None
    why: str | None = None

    def document(self) -> dict[str, Any]:
        """Return what `session show --json` says of it."""
        piece = self.piece
        return {
            "position": self.position,
            "role": self.role,
            "piece": piece.id if piece else None,
            "title": piece.title if piece else None,
            "onset_s": self.onset_s,
            "duration_s": self.duration_s,
            "tempo": piece.tempo if piece else None,
            "key": piece.key if piece else None,
            "calm": piece.calm if piece else None,
            "valence": piece.valence if piece else None,
            "register": piece.register if piece else None,
            "rating": self.rating,
            "why": self.why,
        }


@dataclass(frozen=True)
class Programme:
    """Pieces and silences in the order in which they are heard, one after the other, under a title.

    `sound` is what a session says of how it sounds, `created` when it was made.
    """

    title: str
    items: tuple[ItemRecord, ...]
    sound: Mapping[str, Any] = field(default_factory=dict)
    created: datetime | None = None

    @property
    def duration_s(self) -> float:
        """Length of all of it in seconds."""
        return sum(item.duration_s for item in self.items)


@dataclass(frozen=True)
class SessionRecord:
    """A stored session."""

    id: int
    listener: str | None
    arc: str
    seed: int
    duration_s: float
    parameters: Mapping[str, Any]
    created: datetime
    items: tuple[ItemRecord, ...]

    def without_name(self) -> SessionRecord:
        """Return the same session without the listener's name."""
        return replace(self, listener=None)

    def pieces(self) -> list[PieceRecord]:
        """Return its pieces, each once, in order of first appearance."""
        return list({item.piece.id: item.piece for item in self.items if item.piece}.values())

    def programme(self) -> Programme:
        """Return what is heard."""
        title = f"Session {self.id}" + (f" for {self.listener}" if self.listener else "")
        return Programme(title, self.items, self.parameters, self.created)

    def curve(self) -> Curve:
        """Return what its arc asked for, as pairs of seconds and calmness score; empty where that is not known."""
        return tuple((float(seconds), float(calm)) for seconds, calm in self.parameters.get("curve", ()))

    def achieved(self) -> list[tuple[float, float, float]]:
        """Return onset and end in seconds, and calmness score, of each piece that has one."""
        return [
            (item.onset_s, item.onset_s + item.duration_s, item.piece.calm)
            for item in self.items
            if item.piece and item.piece.calm is not None
        ]

    def document(self) -> dict[str, Any]:
        """Return what `session new --json` and `session show --json` print."""
        target = self.curve()
        curve = {
            "target": [list(point) for point in target],
            "achieved": [list(stretch) for stretch in self.achieved()],
            "rms": round(rms(target, self.achieved()), 4) if self.achieved() else None,
        }
        return {
            "session": {
                "id": self.id,
                "listener": self.listener,
                "arc": self.arc,
                "seed": self.seed,
                "duration_s": self.duration_s,
                "parameters": {name: value for name, value in self.parameters.items() if name != "curve"},
                "curve": curve if target else None,
                "items": [item.document() for item in self.items],
            }
        }


@dataclass(frozen=True)
class SessionSummary:
    """A line of `session list`."""

    id: int
    created: datetime
    listener: str | None
    arc: str
    seed: int
    duration_s: float
    pieces: int

    def document(self) -> dict[str, Any]:
        """Return what `session list --json` says of it."""
        return {
            "id": self.id,
            "created": self.created.isoformat(),
            "listener": self.listener,
            "arc": self.arc,
            "seed": self.seed,
            "duration_s": self.duration_s,
            "pieces": self.pieces,
        }
