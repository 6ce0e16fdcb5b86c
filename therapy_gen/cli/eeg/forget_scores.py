"""`score-eeg --forget`: delete the scores of recordings from the database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from therapy_gen.cli.output import print_json, printable

if TYPE_CHECKING:
    from sessions.storage.store import Store


def forget_scores(store: Store, recordings: Sequence[Path], *, json: bool) -> None:
    """Delete recordings from the database, and show what is left of their listeners' rankings."""
    from eeg.errors import RecordingError
    from eeg.io.recording import open_recording
    from eeg.scoring import sha256_of
    from sessions.storage.recordings import forget_recordings
    from therapy_gen.cli.eeg.rank import print_ranking, ranking_document, titles
    from therapy_gen.study.posterior import Ranker

    named: list[tuple[str, str | None]] = []
    for path in recordings:
        try:
            with open_recording(path) as recording:
                digest: str | None = sha256_of(recording.files)
        except RecordingError:  # gone, or no longer what it was: what was stored by that name is meant
            digest = None
        named.append((str(path.absolute()), digest))
    ranker = Ranker()
    listeners = forget_recordings(store, named, ranker)
    left = [(ranker.evidence[who], made) for who in listeners if (made := ranker.made[who]) is not None]
    if json:
        rankings = [ranking_document(made, evidence) for evidence, made in left]
        print_json({"forgotten": [str(path) for path in recordings], "rankings": rankings})
        return
    for path in recordings:
        print(f"{printable(str(path))}: its scores are taken out")
    for evidence, made in left:
        print()
        print_ranking(made, evidence, titles(store, (), made))
