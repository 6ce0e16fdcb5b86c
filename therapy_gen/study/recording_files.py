"""Finding a study's recordings by their BIDS names, and the session of each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from therapy_gen.errors import InputError

if TYPE_CHECKING:
    from sessions.studies.studies import StudyRecord, StudySession

# Files of a recording in several files other than the one that names it.
_PARTS = (".eeg", ".vmrk", ".fdt", ".events.tsv")
_RUN = re.compile(r"_run-([0-9]+)_")
_ENTITIES = re.compile(r"(sub-[A-Za-z0-9]+)(?:_ses-([A-Za-z0-9]+))?_")


def recordings_in(places: Iterable[Path]) -> list[Path]:
    """Return the named recordings, and all EEG files with BIDS names in the named folders.

    Raises
    ------
    InputError
        Where a place does not exist.
    """
    from eeg.io.formats import formats

    suffixes = tuple(suffix for one in formats() for suffix in one.suffixes)
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise InputError(f"{place} does not exist; name recordings, or folders that hold them")
        if place.is_dir():
            inside = (path for path in place.rglob("sub-*") if path.name.lower().endswith(suffixes))
            found += sorted(
                path
                for path in inside
                if "derivatives" not in path.parts
                and _ENTITIES.match(path.name)
                and not path.name.lower().endswith(_PARTS)
            )
        else:
            found.append(place)
    return list(dict.fromkeys(found))


def sessions_of(
    study: StudyRecord, paths: Iterable[Path]
) -> tuple[list[tuple[Path, StudySession]], list[tuple[Path, str, InputError]]]:
    """Return the session of each recording of a study, and those that have none, whose they may be, and why.

    Of several recordings of one session, which would count twice, the first is taken, and runs of it
    (``sub-01_ses-1_task-music_run-2_eeg.edf``).
    """
    found: dict[tuple[int, str], tuple[Path, StudySession]] = {}
    without = []
    for path in paths:
        try:
            one = session_of(study, path)
            run = _RUN.search(path.name)
            first, _ = found.setdefault((one.id, run.group(1) if run else ""), (path, one))
            if first != path:
                raise InputError(
                    f"{path} is a second recording of ses-{one.number} of {one.participant} beside {first.name}, and "
                    "would count twice; leave one in, or call them run-1 and run-2"
                )
        except InputError as error:
            named = _ENTITIES.match(path.name)
            without.append((path, named.group(1) if named else "", error))
    return list(found.values()), without


def session_of(study: StudyRecord, path: Path) -> StudySession:
    """Return the session of a study that a recording's name states.

    Raises
    ------
    InputError
        Where it states none.
    """
    named = _ENTITIES.match(path.name)
    if named is None:
        raise InputError(f"{path} does not tell whose it is; name recordings as sub-01_ses-1_task-music_eeg.edf")
    who, number = named.group(1), named.group(2)
    own = [one for one in study.sessions if one.participant == who]
    if not own:
        raise InputError(f"{path}: {who} takes no part in study {study.name!r}")
    if number is None and len(own) == 1:
        return own[0]
    for one in own:
        if number is not None and number.isdigit() and one.number == int(number):
            return one
    raise InputError(
        f"{path} does not tell which session of {who} it is; {who} has ses-1 to ses-{len(own)}, as in "
        f"{who}_ses-1_task-music_eeg.edf"
    )
