"""The error where nothing says which piece played when: what the recording holds, and what to give."""

from __future__ import annotations

from datetime import tzinfo

from eeg.io.recording import Recording
from eeg.timeline.events import code_of
from eeg.timeline.known_pieces import Library
from eeg.timeline.labels import few, labels_of
from eeg.timeline.logged_plays import begin_of


def why_none(recording: Recording, library: Library, session: str | None, zone: tzinfo | None) -> str:
    """Return why no timeline was found, in one line."""
    stim = [channel.name for channel in recording.channels if channel.kind == "stim"]
    numbers = sorted({code for one in recording.annotations if (code := code_of(one.text)) is not None})
    hint = f"; it has a stimulus channel ({stim[0]}): `code` 1=piece/ID says what its codes mean" if stim else ""
    if numbers and not stim:
        hint = f"; it holds numbers ({few(map(str, numbers), 12)}): `code` {numbers[0]}=piece/ID says what they mean"
    begin = begin_of(recording, zone)
    if begin is not None and library.play_log:
        nearest = min((play.started for play in library.play_log), key=lambda started: abs(started - begin))
        hint += (
            f"; its date ({begin:%Y-%m-%d %H:%M:%S %z}) meets no session in the play log, of which the nearest began "
            f"{nearest.astimezone(begin.tzinfo):%Y-%m-%d %H:%M:%S %z}"
        )
    if session is not None:
        return (
            f"{recording.path} does not say when session {session} began ({labels_of(recording.annotations)}{hint}): "
            "give `offset` SECONDS from the first sample"
        )
    return (
        f"{recording.path} does not say which piece played when ({labels_of(recording.annotations)}{hint}): "
        "give `events` FILE.tsv, or `session` ID with `offset` SECONDS"
    )
