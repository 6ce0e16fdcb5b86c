"""The command line: global options, and the groups of commands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command
from typer.models import CommandInfo

from therapy_gen import files
from therapy_gen.cli import db, export, listener, open, piece, sample, study
from therapy_gen.cli.context import PROGRAM, GlobalOptions
from therapy_gen.cli.eeg import headset, rank, simulate
from therapy_gen.cli.eeg import score_eeg as score
from therapy_gen.cli.model import model
from therapy_gen.cli.session import report, session

app = typer.Typer(
    help="Calm music from a MusicVAE, arranged into listening sessions.",
    epilog="Example: therapy-gen session new --minutes 24",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(session.app, name="session")
app.add_typer(listener.app, name="listener")
app.add_typer(piece.app, name="piece")
app.add_typer(model.app, name="model")
app.add_typer(headset.app, name="headset")
app.add_typer(study.app, name="study")
app.add_typer(db.app, name="db")
app.command("open", epilog=open.EPILOG)(open.open_app)
app.command("sample", epilog=sample.SAMPLE_EPILOG)(sample.sample)
app.command("interpolate", epilog=sample.INTERPOLATE_EPILOG)(sample.interpolate)
app.command("score-eeg", epilog=score.EPILOG)(score.score_eeg)
app.command("simulate-eeg", epilog=simulate.EPILOG)(simulate.simulate_eeg)
app.command("rank", epilog=rank.EPILOG)(rank.rank)
app.command("report", epilog=report.LISTENER_EPILOG)(report.listener_report)
app.command("export", epilog=export.EPILOG)(export.export)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    db: Annotated[
        str | None,
        typer.Option(metavar="URL_OR_PATH", envvar="THERAPY_GEN_DB", help="Database  [default: therapy.db in --home]"),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="THERAPY_GEN_HOME",
            help="Folder for database, models and renders  [default: the user data folder]",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only errors on standard error")] = False,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            envvar="THERAPY_GEN_SHARED",
            help="Give files the permissions of the umask, for studies of several people, not the owner's alone",
        ),
    ] = False,
    pseudonym: Annotated[
        bool,
        typer.Option(
            "--pseudonym",
            help="From now on store a keyed hash in place of listeners' names; the key lies in --home",
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks with errors")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit")
    ] = False,
) -> None:
    """Read the global options."""
    typed = {
        name: (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
        for name in ("home", "db")
    }
    context.obj = GlobalOptions(
        db=db, home=home, quiet=quiet, debug=debug, shared=shared, home_typed=typed["home"], db_typed=typed["db"]
    )
    files.share_files(shared)
    if pseudonym or (context.obj.home_place() / "pseudonym.key").exists():
        context.obj.store_pseudonyms(make=pseudonym)
    home = context.obj.home_place()
    for folder in (Path.cwd(), home, home / "renders", home / "models"):
        files.remove_leftovers(folder)


def invoke(arguments: Sequence[str]) -> None:
    """Run a command line; errors are raised, `typer.Exit` included."""
    if instruction := os.environ.get(f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"):
        from therapy_gen.cli.completion import complete

        raise typer.Exit(complete(get_command(app), PROGRAM, instruction))
    command = get_command(_only(app, _words(arguments)))
    with command.make_context(PROGRAM, _with_values(arguments) or ["--help"]) as context:
        command.invoke(context)


def _with_values(arguments: Sequence[str]) -> list[str]:
    """Return a command line in which `--adapt` has its usual value where none is given: Typer knows no such options."""
    after = [*arguments, ""][1:]
    return [
        f"{word}=on" if word == "--adapt" and not following.startswith("yoked:") else word
        for word, following in zip(arguments, after, strict=True)
    ]


def command_path(arguments: Sequence[str]) -> str:
    """Return the command that a command line calls, as far as its words name one, after the program's name."""
    command: Any = get_command(app)
    path = [PROGRAM]
    for word in _words(arguments):
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            break
        path.append(word)
    return " ".join(path)


def _only(program: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """Return a program, or a group, with only the command that is called, since Typer reads every command's options.

    Where the words name no command (help, or a slip), all commands are there, without options.
    """
    commands = [info for info in program.registered_commands if _name(info) in words[:1]]
    groups = [copy(info) for info in program.registered_groups if info.name in words[:1]]
    if not commands and not groups:
        commands = [_named(info) for info in program.registered_commands]
        groups = [copy(info) for info in program.registered_groups]
    for info in groups:
        if info.typer_instance is not None:
            info.typer_instance = _only(info.typer_instance, words[1:])
    only = copy(program)
    only.registered_commands, only.registered_groups = commands, groups
    return only


def _named(info: CommandInfo) -> CommandInfo:
    """Return a command with its name and what it does, without its options."""

    def nothing() -> None:
        raise RuntimeError(f"the command {_name(info)} was not found by its words")

    nothing.__name__, nothing.__doc__ = getattr(info.callback, "__name__", ""), getattr(info.callback, "__doc__", None)
    named = copy(info)
    named.callback = nothing
    return named


def _name(info: CommandInfo) -> str:
    return info.name or getattr(info.callback, "__name__", "").replace("_", "-")


def _words(arguments: Sequence[str]) -> list[str]:
    """Return what is neither an option nor the value of a global one."""
    before = ["", *arguments]
    return [
        word
        for word, last in zip(arguments, before, strict=False)
        if not word.startswith("-") and last not in ("--db", "--home")
    ]
