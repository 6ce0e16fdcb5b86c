"""`therapy-gen export`: a session as a file to hear or to compute with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from therapy_gen.cli.output import printable, progress
from therapy_gen.cli.settings import settings

EPILOG = "Example: therapy-gen export --session 1 --format flac -o evening.flac"


def export(
    context: typer.Context,
    session: Annotated[int, typer.Option(metavar="ID", help="Number of the session")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="midi, wav, flac, ogg or mp3: one file with the whole session; m3u8: a playlist and its audio "
            "files; csv, json: the timeline",
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="PATH", help="File to write")],
    audio: Annotated[
        str, typer.Option(metavar="wav|flac|ogg|mp3", help="Format of the files that a playlist points at")
    ] = "flac",
    soundfont: Annotated[
        Path | None, typer.Option(metavar="FILE", help="SF2 instruments for audio  [default: a small one]")
    ] = None,
) -> None:
    """Write a session as MIDI, audio, a playlist, or a table."""
    options = settings(context)
    from sessions.export import Sound, check_audio_format, check_format, export_session
    from sessions.library import get_session

    form = check_format(format_)
    audio = check_audio_format(audio)
    store = options.store()
    record = get_session(store, session)
    with progress("rendering", record.duration_s, quiet=options.quiet) as advance:
        export_session(store, record, form, out, Sound(soundfont, advance), audio=audio)
    print(printable(str(out)))
