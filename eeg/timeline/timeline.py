"""The timeline of a recording: plays, silences, and the source that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eeg.timeline.known_pieces import MUSIC, Item
from therapy_gen.text import clock

_QUIET = "baseline (silence)"


@dataclass(frozen=True)
class Timeline:
    """What will be scored.

    Parameters
    ----------
    items : tuple of Item
        Plays and silences inside the recording, by onset.
    baseline : tuple of Item
        Silences, and the time before the first and after the last item.
    source : str
        Where the timeline comes from, in words.
    session : str or None
        The session, where there is exactly one.
    notes : tuple of str
        What was ignored, cut or assumed.
    """

    items: tuple[Item, ...]
    baseline: tuple[Item, ...]
    source: str
    session: str | None
    notes: tuple[str, ...]

    @property
    def plays(self) -> tuple[Item, ...]:
        """The items that are music."""
        return tuple(item for item in self.items if item.role == MUSIC)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "source": self.source,
            "session": self.session,
            "plays": [asdict(item) for item in self.plays],
            "baseline": [asdict(item) for item in self.baseline],
            "notes": list(self.notes),
        }

    def lines(self, names: Mapping[str, str] | None = None) -> list[str]:
        """Return the timeline as lines of text, one for each stretch; `names` are titles by piece."""
        names = names or {}
        rows = sorted((*self.plays, *self.baseline), key=lambda item: item.onset_s)
        text = [f"timeline from {self.source}", f"{'from':>9}  {'to':>9}  {'seconds':>8}  what"]
        text += [
            f"{moment(item.onset_s):>9}  {moment(item.end_s):>9}  {item.duration_s:8.1f}  "
            + (f"piece {item.piece}  {names.get(item.piece or '', '')}".rstrip() if item.role == MUSIC else _QUIET)
            for item in rows
        ]
        return text + [f"note: {note}" for note in self.notes]


def moment(seconds: float) -> str:
    """Return a moment as minutes and seconds."""
    return clock(seconds, decimals=1)
