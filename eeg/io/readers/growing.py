"""Recordings of `session play --record` that are still growing, or were cut off."""

from __future__ import annotations

from pathlib import Path

from eeg.io.formats import Format, Opened

_MAGIC = b"therapy-gen recording 1\n"


def _open(path: Path) -> Opened:
    from eeg.headset.journal import journal_raw

    raw, journal = journal_raw(path)
    lost = sum(count for _, count in journal.lost) / journal.stream.sfreq
    notes = ["the recording was cut off: what was written until then is read"]
    if lost:
        notes.append(f"{lost:.1f} s never came from the headset; they are marked bad")
    return Opened(raw, (path,), "utc", notes=tuple(notes))


FORMAT = Format(
    name="growing recording",
    suffixes=(".fif",),
    recognises=lambda start, path: start.startswith(_MAGIC),
    open=_open,
    name_this="`.fif`",
    notes="of `session play --record`, cut off before its end",
)
