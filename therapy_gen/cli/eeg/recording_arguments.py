"""The recordings that arguments name: each once, and split ones by their first file; and whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from therapy_gen.cli.output import say

if TYPE_CHECKING:
    from eeg.timeline.known_pieces import Library
    from sessions.storage.store import Store
    from therapy_gen.cli.context import GlobalOptions


def recordings_meant(options: GlobalOptions, paths: Sequence[Path], *, parts: bool = False) -> list[Path]:
    """Return the recordings to read; with `parts`, those of split recordings as well."""
    once = _each_once(paths)
    return once if parts else _wholes(options, once)


def owners_of(
    store: Store, recordings: Sequence[Path], library: Library, listener: str | None, said: Mapping[str, Any]
) -> dict[Path, str]:
    """Return whose each recording is; one name for files of several BIDS subjects is refused."""
    from therapy_gen.study.scoring import bids_subject, listener_of

    subjects = sorted({subject for path in recordings if (subject := bids_subject(path))})
    if listener is not None and len(subjects) > 1:
        raise typer.BadParameter(
            f"--listener names one person, and these recordings are called after several: {', '.join(subjects[:5])}; "
            "leave --listener out, or score each by itself"
        )
    alone = len(recordings) == 1
    return {path: listener_of(store, path, library, given=listener, alone=alone, **said) for path in recordings}


def _wholes(options: GlobalOptions, recordings: Sequence[Path]) -> list[Path]:
    """Leave out parts of split recordings whose first file is named as well, as by a shell pattern."""
    from eeg.errors import SplitPartError
    from eeg.io.recording import part_of

    first = {path.resolve() for path in recordings}
    kept = []
    for path in recordings:
        whole = part_of(path)
        if whole is None:
            kept.append(path)
        elif whole.resolve() in first:
            say(f"{path}: a part of {whole}, counted with it", quiet=options.quiet)
        else:
            raise SplitPartError(path, whole)
    return kept


def _each_once(paths: Sequence[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in paths:
        found.setdefault(path.resolve(), path)
    return list(found.values())
