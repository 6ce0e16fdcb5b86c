"""`therapy-gen export`: a session or a ranking as a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sessions.export.formats import audio_formats, describe, find_format, format_of_suffix, names
from therapy_gen.cli.completion import export_format_names, listener_names, one_of, session_ids
from therapy_gen.cli.context import global_options
from therapy_gen.cli.output import AsJson, print_json, printable, progress
from therapy_gen.cli.sound_options import (
    FadeOption,
    LayerOption,
    LoudnessOption,
    SoundfontOption,
    SpaceOption,
    TransitionOption,
    requested_sound,
)

EPILOG = "Example: therapy-gen export --session 1 -o evening.flac"


def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="PATH", help="File to write")],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            autocompletion=export_format_names,
            help=f"{describe()}  [default: what the name of the file says]",
        ),
    ] = None,
    session: Annotated[
        int | None, typer.Option(metavar="ID", autocompletion=session_ids, help="Number of the session")
    ] = None,
    ranked: Annotated[
        bool, typer.Option("--ranked", help="In place of a session: a listener's pieces, best first")
    ] = False,
    listener: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", autocompletion=listener_names, help="Whose ranking  [default: the only one there is]"
        ),
    ] = None,
    top: Annotated[int | None, typer.Option(metavar="N", help="Only the best N of the ranking")] = None,
    audio: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(audio_formats()),
            autocompletion=one_of(*audio_formats()),
            help="Format of the files that a playlist points at  [default: flac]",
        ),
    ] = None,
    soundfont: SoundfontOption = None,
    space: SpaceOption = None,
    loudness: LoudnessOption = None,
    layer: LayerOption = None,
    transition: TransitionOption = None,
    fade: FadeOption = None,
    cue: Annotated[
        bool, typer.Option("--cue", help="Beside one audio file, a cue sheet that says where each piece begins")
    ] = False,
    clicks: Annotated[
        bool,
        typer.Option(
            "--clicks",
            help="The music in the left channel, in the right one clicks for the amplifier: score-eeg --clicks reads "
            "them",
        ),
    ] = False,
    relative_to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder that a playlist's paths begin from  [default: the playlist's own]"),
    ] = None,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Before every path in a playlist")] = "",
    urlencode: Annotated[bool, typer.Option("--urlencode", help="Percent-encode the paths in a playlist")] = False,
    pretend: Annotated[bool, typer.Option("--pretend", help="Only say what would be written")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that hold something else")] = False,
    with_name: Annotated[
        bool, typer.Option("--with-name", help="Name the listener in the files; without it none of them does")
    ] = False,
    json: AsJson = False,
) -> None:
    """Write a session, or a listener's best pieces, as MIDI, audio, a playlist, a table or events.

    Exporting again leaves files with the same content as they are, and refuses to replace others.
    """
    options = global_options(context)
    if ranked == (session is not None):
        raise typer.BadParameter("give either --session ID or --ranked")
    if not ranked and (listener is not None or top is not None):
        raise typer.BadParameter("--listener and --top belong to --ranked")
    if ranked and clicks:
        raise typer.BadParameter("--clicks belongs to --session")
    from sessions.export.export import FileWriter, check_audio_format, export_session
    from sessions.export.playlists import Naming
    from sessions.storage.library import get_session

    chosen = find_format(format_).name if format_ is not None else _said_by(out)
    audio_format = check_audio_format("flac" if audio is None else audio)
    _check_belongs_to_playlists(chosen, ranked, audio, relative_to, prefix, urlencode)
    naming = Naming(relative_to, prefix, urlencode)
    writer = FileWriter(overwrite=overwrite, pretend=pretend)
    sound = requested_sound(soundfont, layers=layer, transition=transition, space=space, fade=fade, loudness=loudness)
    if session is None:
        from therapy_gen.cli.eeg.rank import export_ranking

        done = export_ranking(
            options,
            listener,
            top,
            chosen,
            out,
            sound,
            audio=audio_format,
            naming=naming,
            writer=writer,
            cue=cue,
            with_name=with_name,
        )
    else:
        store = options.store_to_read()
        record = get_session(store, session)
        with progress("rendering", record.duration_s, quiet=options.quiet) as advance:
            done = export_session(
                store,
                record,
                chosen,
                out,
                replace(sound, advance=advance, clicks=clicks),
                audio=audio_format,
                naming=naming,
                writer=writer,
                cue=cue,
                with_name=with_name,
            )
    if json:
        files = [file.document() for file in done]
        print_json({"export": {"format": chosen, "path": str(out), "pretended": pretend, "files": files}})
    elif pretend:
        for file in done:
            print(f"{'keep ' if file.kept else 'write'} {printable(str(file.path))}")
    else:
        print(printable(str(out)))


def _said_by(path: Path) -> str:
    """Return the format that a file's name says; a usage error where it says none."""
    found = format_of_suffix(path)
    if found is None:
        raise typer.BadParameter(f"the name {path} does not say a format; give --format")
    return found.name


def _check_belongs_to_playlists(
    chosen: str, ranked: bool, audio: str | None, relative_to: Path | None, prefix: str, urlencode: bool
) -> None:
    """Raise ExportError where an option says something of a playlist's files and the format has none."""
    from sessions.errors import ExportError

    what = "ranking" if ranked else "session"
    naming = names(lambda format: what in format.names_audio)
    if chosen in naming:
        return
    given = {
        "--audio": audio is not None,
        "--relative-to": relative_to is not None,
        "--prefix": bool(prefix),
        "--urlencode": urlencode,
    }
    for option, is_given in given.items():
        if is_given:
            raise ExportError(
                f"{option} is for the files that a playlist names, not for {chosen}; "
                f"leave it out, or give --format {', '.join(naming)}"
            )
