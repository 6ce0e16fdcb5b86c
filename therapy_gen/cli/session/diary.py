"""`therapy-gen session heard`, `note`, `measure` and `assign`: notes and measures of a session."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from therapy_gen.cli.completion import listener_names, session_ids
from therapy_gen.cli.context import global_options, use_one_thread
from therapy_gen.cli.listener import warn_of_similar
from therapy_gen.cli.output import AsJson, day_and_time, print_json, print_table
from therapy_gen.text import printable

HEARD_EPILOG = "Example: therapy-gen session heard 1 --at '2026-07-01 20:15'"
NOTE_EPILOG = "Example: therapy-gen session note 1 'Slept well afterwards.'"
MEASURE_EPILOG = "Example: therapy-gen session measure 1 --scale vas-calm --after 65"
ASSIGN_EPILOG = "Example: therapy-gen session assign 1 --listener ana"

SessionNumber = Annotated[
    int,
    typer.Argument(metavar="ID", autocompletion=session_ids, help="Number of the session, as `session list` shows it"),
]


def heard(
    context: typer.Context,
    number: SessionNumber,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="When it began, local time, such as 2026-07-01 20:15  [default: so that it ends now]"
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Note that a session was heard elsewhere, from its beginning to its end: an exported file in another player."""
    from sessions.storage.library import get_session
    from sessions.storage.play_log import note_heard

    store = global_options(context).store(make=False)
    record = get_session(store, number)
    play = note_heard(store, record, None if at is None else _moment(at))
    if json:
        print_json({"play": {"session": number, "started": play.started.isoformat(), "finished": play.finished}})
    else:
        print(f"Session {number} was heard from {day_and_time(play.started)}")


def _moment(text: str) -> datetime:
    from therapy_gen.errors import InputError

    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(f"{text!r} is no moment; give one such as 2026-07-01 20:15") from error
    return found.astimezone()


def note(
    context: typer.Context,
    number: SessionNumber,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What to keep  [default: show the notes]")] = None,
    json: AsJson = False,
) -> None:
    """Keep a note about a session; without a text, show its notes."""
    from sessions.clients.diary import add_note, list_notes
    from sessions.storage.library import get_session

    store = global_options(context).store(make=False)
    if text is not None:
        add_note(store, number, text)
    else:
        get_session(store, number)
    found = list_notes(store, session=number)
    if json:
        documents = [{"id": one.id, "created": one.created.isoformat(), "text": one.text} for one in found]
        print_json({"session": number, "notes": documents})
    elif text is not None:
        print(f"Noted; session {number} has {len(found)} note{'' if len(found) == 1 else 's'}")
    else:
        for one in found:
            print(f"{day_and_time(one.created)}  {printable(one.text)}")
        if not found:
            print(f"Session {number} has no notes")


def measure(
    context: typer.Context,
    number: SessionNumber,
    scale: Annotated[
        str | None, typer.Option(metavar="NAME", help="Such as vas-calm, vas-tension, stai-6  [default: show all]")
    ] = None,
    before: Annotated[float | None, typer.Option(metavar="X", help="Before the session")] = None,
    after: Annotated[float | None, typer.Option(metavar="Y", help="After it")] = None,
    own: Annotated[
        Path | None,
        typer.Option("--scales", metavar="FILE.toml", help="Scales of your own: [[scale]] with name, title, low, high"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Store values of a scale before and after a session; without --scale, show the session's values and all scales."""
    from sessions.clients.diary import list_measures, set_measure
    from sessions.clients.scales import add_scales, known_scales, read_scales
    from sessions.storage.library import get_session

    store = global_options(context).store(make=False)
    get_session(store, number)
    if own is not None:
        add_scales(store, read_scales(own))
    if scale is None and (before is not None or after is not None):
        raise typer.BadParameter("--before and --after belong to --scale")
    if scale is not None:
        set_measure(store, number, scale, before, after)
    scales = known_scales(store)
    found = list_measures(store, session=number)
    if json:
        documents = [
            {"scale": one.scale, "before": one.before, "after": one.after, "change": one.change} for one in found
        ]
        known = [one.document() for one in scales.values()]
        print_json({"session": number, "measures": documents, "scales": known})
        return
    if found:
        rows = [
            (scales[one.scale].title, _said(one.before), _said(one.after), _said(one.change, sign=True))
            for one in found
        ]
        print_table(("scale", "before", "after", "change"), rows, right=(1, 2, 3))
    if scale is None:
        print("Scales:" if not found else "\nScales:")
        known_rows = [(one.name, f"{one.low:g} to {one.high:g}", one.title) for one in scales.values()]
        print_table(("name", "from, to", "title"), known_rows)


def _said(value: float | None, *, sign: bool = False) -> str:
    if value is None:
        return ""
    return f"{value:+g}" if sign else f"{value:g}"


def assign(
    context: typer.Context,
    number: SessionNumber,
    listener: Annotated[
        str,
        typer.Option(
            metavar="NAME", autocompletion=listener_names, help="New owner; made where there is none of that name"
        ),
    ],
    json: AsJson = False,
) -> None:
    """Give a session, with its ratings and recordings, to a listener: they then guide the listener's next session."""
    options = global_options(context)
    use_one_thread()
    from sessions.clients.sessions_of import assign_session
    from therapy_gen.study.posterior import Ranker

    store = options.store(make=False)
    warn_of_similar(store, listener, quiet=options.quiet)
    record = assign_session(store, number, listener, Ranker())
    if json:
        print_json({"session": {"id": record.id, "listener": record.listener}})
    else:
        print(f"Session {record.id} is now {printable(record.listener or '')}'s")
