"""Where the files of an export are put: kept, written, or only told of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sessions.errors import ExportError
from sessions.export.audio import AudioFile, Renderer, Sound
from sessions.export_paths import already_exists, atomic_write, check_file_target


@dataclass(frozen=True)
class WrittenFile:
    """A file of an export; `kept` says that it held what it is to hold."""

    path: Path
    kept: bool

    def document(self) -> dict[str, Any]:
        """Return what `export --json` says of it."""
        return {"path": str(self.path), "kept": self.kept}


@dataclass
class FileWriter:
    """Where files are put: kept, written, or, if only pretended, left alone.

    Attributes
    ----------
    overwrite : bool
        Whether files that hold something else are replaced.
    pretend : bool
        Whether nothing is written.
    written : list of WrittenFile
        In the order in which they were put.
    """

    overwrite: bool = False
    pretend: bool = False
    written: list[WrittenFile] = field(default_factory=list)

    def is_current(self, path: Path, content: bytes, *, side_of: Path | None = None) -> bool:
        """Say whether a file holds `content` already; ExportError where it holds something else and may not go.

        `side_of` is the file that was asked for, where this one only goes with it.
        """
        check_file_target(path)
        try:
            held = path.read_bytes() if path.exists() else None
        except OSError:
            held = b""
        if held is not None and held != content and not self.overwrite:
            raise already_exists(path, side_of)
        return held == content

    def put(self, path: Path, content: bytes) -> None:
        """Put a file of bytes."""
        kept = self.is_current(path, content)
        if not kept and not self.pretend:
            with atomic_write(path, replace=self.overwrite) as part:
                part.write_bytes(content)
        self.written.append(WrittenFile(path, kept))

    def put_audio(self, renderer: Renderer, files: Sequence[AudioFile], sound: Sound) -> None:
        """Put audio files; all of them are looked at before the first is written."""
        missing = []
        for file in files:
            check_file_target(file.path)
            try:
                kept = renderer.is_current(file)
            except ExportError:
                if not self.overwrite:
                    raise
                kept = False
            self.written.append(WrittenFile(file.path, kept))
            if kept:
                sound.advance(file.duration_s)
            else:
                missing.append(file)
        if missing and not self.pretend:
            renderer.write(missing, replace=self.overwrite)
