"""A study as a BIDS dataset: recordings with their sidecars, and band power of each play as derivatives."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_gen.errors import InputError, MissingExtraError
from therapy_gen.files import write_bytes

if TYPE_CHECKING:
    from eeg.timeline.timeline import Timeline
    from sessions.storage.store import Store
    from sessions.studies.studies import StudyRecord

# Written as they are; everything else becomes BrainVision.
_KEPT = {".edf": "EDF", ".bdf": "BDF", ".vhdr": "BrainVision", ".set": "EEGLAB"}
_COLUMNS = {
    "onset": {"Description": "Start of the play, from the first sample", "Units": "s"},
    "duration": {"Description": "Length of the play", "Units": "s"},
    "trial_type": {"Description": "The piece that was heard, as piece/<id>"},
    "band": {"Description": "Frequency band, or the asymmetry of one: ln of right minus left"},
    "db": {"Description": "Power against the listener's own silence in the same recording", "Units": "dB"},
    "adjusted_db": {"Description": "The same above the aperiodic part of the spectrum", "Units": "dB"},
    "muscle_db": {"Description": "Muscle index against silence", "Units": "dB"},
    "clean": {"Description": "Clean time, mean over channels", "Units": "s"},
}


def write_bids(
    store: Store,
    study: StudyRecord,
    recordings: Sequence[Path],
    root: Path,
    *,
    offset_s: float | None = None,
    done: Callable[[Path], None] | None = None,
) -> list[Path]:
    """Write a study's recordings as a BIDS dataset, with scores as derivatives.

    Parameters
    ----------
    store : Store
    study : StudyRecord
    recordings : sequence of Path
        Named as `therapy_gen.study.recording_files.session_of` reads them.
    root : Path
        Of the dataset: a new or empty folder.
    offset_s : float, optional
        When sessions began, where files do not say.
    done : callable, optional
        Called with each recording.

    Returns
    -------
    list of Path
        The recordings in the dataset.

    Raises
    ------
    InputError
        A recording cannot be read or written, or the folder holds something.
    MissingExtraError
        mne-bids is not installed.
    """
    try:
        import mne_bids
    except ModuleNotFoundError as error:
        raise MissingExtraError("a BIDS dataset", "bids") from error
    from therapy_gen.study.recording_files import session_of

    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root} holds something already; name a new folder for the dataset")
    written = []
    for path in recordings:
        one = session_of(study, path)
        place = mne_bids.BIDSPath(
            subject=one.participant.removeprefix("sub-"),
            session=str(one.number),
            task="music",
            datatype="eeg",
            root=root,
        )
        _write_recording(store, path, str(one.id), place, offset_s)
        written.append(Path(place.copy().update(suffix="eeg").fpath))
        if done is not None:
            done(path)
    mne_bids.make_dataset_description(path=root, name=study.name, dataset_type="raw", overwrite=True, verbose="error")
    _explain_participants(root)
    _write_derivatives(store, study, root)
    return written


def _write_recording(store: Store, path: Path, session: str, place: Any, offset_s: float | None) -> None:
    import mne
    import mne_bids

    from eeg.io.mne import quiet_mne
    from eeg.scoring import plan_recording
    from therapy_gen.study.scoring import known

    timeline = plan_recording(path, known(store), session=session, offset_s=offset_s)
    try:
        with quiet_mne():
            raw = mne.io.read_raw(path, preload=False)
            if raw.info["line_freq"] is None:
                raw.info["line_freq"] = 50.0
            kept = _KEPT.get(path.suffix.lower())
            raw.set_annotations(_annotations(raw, timeline))
            if kept is None:
                raw.load_data()
            mne_bids.write_raw_bids(
                raw,
                place,
                format="auto" if kept else "BrainVision",
                allow_preload=kept is None,
                overwrite=True,
                verbose="error",
            )
    except (OSError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be written as BIDS ({said}); export it as EDF or BrainVision") from error


def _annotations(raw: Any, timeline: Timeline) -> Any:
    """Return plays and silences as annotations, with the spans that the file marks as bad."""
    import mne

    bad = [one for one in raw.annotations if str(one["description"]).upper().startswith(("BAD", "EDGE"))]
    first = raw.first_time if raw.annotations.orig_time is not None else 0.0
    rows = [(play.onset_s + first, play.duration_s, f"piece/{play.piece}") for play in timeline.plays]
    rows += [(item.onset_s + first, item.duration_s, "silence") for item in timeline.baseline]
    rows += [(float(one["onset"]), float(one["duration"]), str(one["description"])) for one in bad]
    rows.sort()
    onsets, durations, texts = zip(*rows, strict=True) if rows else ((), (), ())
    return mne.Annotations(onsets, durations, texts, orig_time=raw.annotations.orig_time)


def _explain_participants(root: Path) -> None:
    """Reduce the participants table to labels."""
    table = root / "participants.tsv"
    if table.is_file():
        people = [line.split("\t")[0] for line in table.read_text(encoding="utf-8-sig").splitlines()]
        write_bytes(table, ("\n".join(people) + "\n").encode())
        (root / "participants.json").unlink(missing_ok=True)


def _write_derivatives(store: Store, study: StudyRecord, root: Path) -> None:
    from sessions.studies.studies import study_power

    place = root / "derivatives" / "therapy-gen"
    place.mkdir(parents=True, exist_ok=True)
    description = {
        "Name": f"{study.name}: band power",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "therapy-gen", "Version": version("therapy-gen")}],
        "SourceDatasets": [{"URL": "../../"}],
    }
    _json(place / "dataset_description.json", description)
    numbers = {one.id: one for one in study.sessions}
    for session, settings, rows in study_power(store, study.name):
        if session not in numbers:
            continue
        one = numbers[session]
        folder = place / one.participant / f"ses-{one.number}" / "eeg"
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{one.participant}_ses-{one.number}_task-music_desc-bandpower_eeg"
        lines = ["\t".join(_COLUMNS), *("\t".join(_cell(row[name]) for name in _COLUMNS) for row in rows)]
        write_bytes(folder / f"{stem}.tsv", ("\n".join(lines) + "\n").encode())
        _json(folder / f"{stem}.json", {**_COLUMNS, "Settings": settings})


def _cell(value: Any) -> str:
    if value is None:
        return "n/a"
    return f"{value:.4f}" if isinstance(value, float) else re.sub(r"\s", " ", str(value))


def _json(path: Path, document: Any) -> None:
    write_bytes(path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
