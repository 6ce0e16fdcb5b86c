"""`therapy-gen listener`: the people who listen."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from therapy_gen.cli.completion import listener_names
from therapy_gen.cli.context import global_options, use_one_thread
from therapy_gen.cli.output import AsJson, count, day_and_time, print_json, print_table, say
from therapy_gen.text import clock, printable

if TYPE_CHECKING:
    from sessions.storage.store import Store

app = typer.Typer(
    help="List, show, rename, merge, export and forget listeners.",
    epilog="Example: therapy-gen listener list",
    rich_markup_mode=None,
)

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", autocompletion=listener_names, help="Of the listener, as `listener list` shows it"),
]


@app.command("list", epilog="Example: therapy-gen listener list --json")
def list_(context: typer.Context, json: AsJson = False) -> None:
    """List the listeners, by name."""
    from sessions.storage.listeners import list_listeners

    found = list_listeners(global_options(context).store_to_read())
    if json:
        print_json({"listeners": [one.document() for one in found]})
        return
    if not found:
        print("No listeners yet. To make a session for one: therapy-gen session new --listener NAME")
        return
    rows = [
        (
            one.name,
            str(one.sessions),
            str(one.plays),
            str(one.ratings),
            str(one.recordings),
            day_and_time(one.last) if one.last else "",
        )
        for one in found
    ]
    columns = ("listener", "sessions", "plays", "ratings", "recordings", "last session")
    print_table(columns, rows, right=(1, 2, 3, 4))


@app.command(epilog="Example: therapy-gen listener show ana")
def show(context: typer.Context, name: Name, json: AsJson = False) -> None:
    """Show what is kept of a listener: sessions, plays, ratings, measures and notes."""
    from sessions.clients.client_overview import client_overview

    found = client_overview(global_options(context).store_to_read(), name)
    if json:
        print_json({"listener": found.document()})
        return
    summary = found.summary
    print(printable(summary.name) + (f" (shown as {printable(summary.alias)})" if summary.alias else ""))
    counts = ("sessions", "plays", "ratings", "recordings")
    print(", ".join(count(getattr(summary, what), what[:-1]) for what in counts))
    if found.sessions:
        print()
        rows = [
            (
                str(one.id),
                day_and_time(one.created),
                one.arc,
                clock(one.duration_s),
                str(one.plays),
                f"{one.rating:.1f}" if one.rating is not None else "",
                "; ".join(one.measures),
            )
            for one in found.sessions
        ]
        columns = ("id", "made", "arc", "length", "plays", "rated", "before and after")
        print_table(columns, rows, right=(0, 3, 4, 5))


@app.command(epilog='Example: therapy-gen listener edit "Anna M." --alias "A. M." --colour teal')
def edit(
    context: typer.Context,
    name: Name,
    alias: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Shown on pages in place of the name, such as initials; '' for none"),
    ] = None,
    colour: Annotated[
        str | None,
        typer.Option(metavar="COLOUR", help="Marks the listener on pages: teal, blue, purple, rose…; '' for none"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Set what pages show in place of a listener's name."""
    from sessions.storage.listeners import list_listeners, show_listener_as

    store = global_options(context).store(make=False)
    show_listener_as(store, name, alias=alias, colour=colour)
    (now,) = list_listeners(store, name)
    if json:
        print_json({"listener": now.document()})
    else:
        print(f"{printable(now.name)} is shown as {printable(now.shown)}" + (f", {now.colour}" if now.colour else ""))


@app.command(epilog='Example: therapy-gen listener rename ana "Ana Lima"')
def rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Name now")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Name from now on")],
    json: AsJson = False,
) -> None:
    """Give a listener another name."""
    from sessions.storage.listeners import rename_listener

    options = global_options(context)
    store = options.store(make=False)
    name = rename_listener(store, old, new)
    warn_of_similar(store, name, quiet=options.quiet)
    if json:
        print_json({"listener": {"before": old.strip(), "listener": name}})
    else:
        print(f"{printable(old.strip())} is now {printable(name)}")


@app.command(epilog='Example: therapy-gen listener merge "anna m." "Anna M."')
def merge(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="Listener whose sessions are given away")],
    target: Annotated[str, typer.Argument(metavar="INTO", help="Listener who gets them")],
    json: AsJson = False,
) -> None:
    """Merge two listeners: all that FROM has goes to INTO, and FROM is deleted."""
    use_one_thread()
    from sessions.clients.sessions_of import merge_listeners
    from therapy_gen.study.posterior import Ranker

    moved = merge_listeners(global_options(context).store(make=False), source, target, Ranker())
    if json:
        print_json({"listener": {"from": source.strip(), "into": target.strip(), "sessions": moved}})
    else:
        print(f"{printable(source.strip())} is now {printable(target.strip())}: {count(moved, 'session')} moved")


@app.command(epilog="Example: therapy-gen listener export ana -o ana.zip")
def export(
    context: typer.Context,
    name: Name,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.zip", help="File to write")],
    json: AsJson = False,
) -> None:
    """Write all that is kept of a listener as a zip of JSON, CSV and MIDI, readable without this program."""
    from sessions.clients.archive import export_listener

    lines = export_listener(global_options(context).store_to_read(), name, out)
    if json:
        print_json({"listener": {"file": str(out), "bytes": out.stat().st_size, "tables": lines}})
    else:
        print(f"Wrote {printable(str(out))}: {count(lines['sessions'], 'session')}, {count(lines['pieces'], 'piece')}")


@app.command(epilog="Example: therapy-gen listener forget ana --yes")
def forget(
    context: typer.Context,
    name: Name,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; without a terminal on standard input it forgets unasked")
    ] = False,
    json: AsJson = False,
) -> None:
    """Delete all that is kept of a listener, for ever: in the database's bytes, its copies, and renders.

    Files are searched afterwards. Exports and backups that were written elsewhere are not touched.
    """
    from sessions.clients.forget import forget_listener
    from sessions.storage.listeners import list_listeners

    options = global_options(context)
    store = options.store(make=False)
    (summary,) = list_listeners(store, name)
    if not yes and sys.stdin.isatty():
        what = f"{count(summary.sessions, 'session')}, {count(summary.ratings, 'rating')}"
        what += f" and {count(summary.recordings, 'recording')}"
        if not typer.confirm(f"Forget {printable(summary.name)}, with {what}, for ever?"):
            print("Nothing was deleted")
            return
    done = forget_listener(store, name, [options.home_folder() / "renders", options.home_folder() / "recordings"])
    if json:
        print_json(
            {
                "forgotten": {
                    "listener": done.listener,
                    "sessions": done.sessions,
                    "pieces": done.pieces,
                    "recordings": done.recordings,
                    "files": [str(path) for path in done.files],
                    "searched": done.searched,
                }
            }
        )
        return
    gone = ((done.sessions, "session"), (done.pieces, "piece"), (len(done.files), "file"))
    print(f"Forgot {printable(done.listener)}: {', '.join(count(*one) for one in gone)}")
    print(
        f"Searched {done.searched} files: nothing is left in them. Exports and backups elsewhere are yours to delete."
    )


def warn_of_similar(store: Store, name: str, *, quiet: bool) -> None:
    """Warn on standard error where there is a listener with nearly the same name."""
    from sessions.storage.listeners import similar_listeners

    for other in similar_listeners(store, name):
        command = f"therapy-gen listener merge {shlex.quote(name)} {shlex.quote(other)}"
        say(f"note: there is a listener {other!r} beside {name!r}; to make them one: {command}", quiet=quiet)
