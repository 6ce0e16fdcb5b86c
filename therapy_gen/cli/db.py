"""`therapy-gen db`: the database itself."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from therapy_gen.cli.context import global_options
from therapy_gen.cli.output import AsJson, print_json, printable

if TYPE_CHECKING:
    from sessions.storage.store import Store

app = typer.Typer(
    help="Inspect, migrate, copy and check the database.",
    epilog="Example: therapy-gen db info",
    rich_markup_mode=None,
)


def _to_read(context: typer.Context) -> Store:
    """Return the database without migrating it, also on a read-only medium."""
    from sessions.storage.store import Store

    return Store(global_options(context).store_place(), read_only=True)


@app.command(epilog="Example: therapy-gen db info --json")
def info(context: typer.Context, json: AsJson = False) -> None:
    """Show where the database is, its schema revision, and how much it holds."""
    facts = _to_read(context).info()
    if json:
        print_json({"db": asdict(facts)})
        return
    print(f"database   {printable(facts.database)}")
    print(f"revision   {facts.revision or 'none'} (newest: {facts.newest})")
    if facts.bytes is not None:
        print(f"size       {facts.bytes / 1e6:.1f} MB")
    print(f"sessions   {facts.sessions}")
    print(f"pieces     {facts.pieces}")
    print(f"listeners  {facts.listeners}")


@app.command(epilog="Example: therapy-gen db upgrade")
def upgrade(context: typer.Context, json: AsJson = False) -> None:
    """Migrate the database to the newest schema; a copy of an older one stays beside it."""
    options = global_options(context)
    if options.db is None:
        options.home_folder()
    from sessions.storage.store import Store

    store = Store(options.store_place())
    before, after = store.upgrade()
    if json:
        print_json({"db": {"database": store.label, "before": before, "after": after}})
    elif before == after:
        print(f"{printable(store.label)} is at the newest revision, {after}")
    else:
        print(f"{printable(store.label)}: from revision {before or 'none'} to {after}")


@app.command(epilog="Example: therapy-gen db backup therapy-backup.db")
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file")] = False,
    json: AsJson = False,
) -> None:
    """Write a consistent copy of the database, also while others write to it."""
    store = _to_read(context)
    store.backup(file, overwrite=overwrite)
    if json:
        print_json({"db": {"database": store.label, "backup": str(file), "bytes": file.stat().st_size}})
    else:
        print(f"Copied {printable(store.label)} to {printable(str(file))}")


@app.command(epilog="Example: therapy-gen db check")
def check(context: typer.Context, json: AsJson = False) -> None:
    """Check the integrity of the database; exit code 1 where something is wrong."""
    store = _to_read(context)
    problems = store.check()
    if json:
        print_json({"db": {"database": store.label, "ok": not problems, "problems": problems}})
    elif not problems:
        print(f"{printable(store.label)} is sound")
    else:
        for problem in problems:
            print(printable(problem))
    if problems:
        raise typer.Exit(1)
