"""`therapy-gen session report` and `therapy-gen report`: self-contained pages, to hear and see in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from therapy_gen.cli.completion import listener_names, session_ids
from therapy_gen.cli.context import global_options, use_one_thread
from therapy_gen.cli.output import AsJson, print_json, printable, progress
from therapy_gen.cli.sound_options import SoundfontOption, requested_sound

if TYPE_CHECKING:
    from sessions.storage.store import Store

SESSION_EPILOG = "Example: therapy-gen session report 1 -o evening.html"
LISTENER_EPILOG = "Example: therapy-gen report --listener ana -o ana.html"

Out = Annotated[
    Path, typer.Option("-o", "--out", metavar="FILE.html", help="File to write; an existing one is replaced")
]


def session_report(
    context: typer.Context,
    number: Annotated[
        int,
        typer.Argument(
            metavar="ID", autocompletion=session_ids, help="Number of the session, as `session list` shows it"
        ),
    ],
    out: Out,
    soundfont: SoundfontOption = None,
    folder: Annotated[
        bool, typer.Option("--folder", help="Put the sound into a folder beside the page: it opens at once")
    ] = False,
    json: AsJson = False,
) -> None:
    """Write a session as one page that works offline: its sound, its notes, its arc, and what was measured."""
    options = global_options(context)
    use_one_thread()
    from sessions.export_paths import check_file_target
    from sessions.reports.session_report import write_session_report
    from sessions.storage.library import get_session

    check_file_target(out)
    store = options.store_to_read()
    record = get_session(store, number)
    total = sum({item.piece.id: item.duration_s for item in record.items if item.piece}.values())
    with progress("rendering", total, quiet=options.quiet) as advance:
        ranking = _ranking(store, record.listener)
        size = write_session_report(
            store, number, out, ranking, requested_sound(soundfont, advance=advance), folder=folder
        )
    if json:
        print_json({"report": {"file": str(out), "session": number, "pieces": len(record.pieces()), "bytes": size}})
    else:
        print(f"Wrote {printable(str(out))} ({size / 1e6:.1f} MB); open it in a browser")


def listener_report(
    context: typer.Context,
    listener: Annotated[str, typer.Option(metavar="NAME", autocompletion=listener_names, help="Whose history")],
    out: Out,
    json: AsJson = False,
) -> None:
    """Write a listener's history as one page that works offline: sessions, ratings, ranking, recordings over time."""
    options = global_options(context)
    use_one_thread()
    from sessions.export_paths import check_file_target
    from sessions.reports.listener_report import write_listener_report

    check_file_target(out)
    store = options.store_to_read()
    size = write_listener_report(store, listener, out, _ranking(store, listener))
    if json:
        print_json({"report": {"file": str(out), "listener": listener, "bytes": size}})
    else:
        print(f"Wrote {printable(str(out))} ({size / 1e3:.0f} kB); open it in a browser")


def _ranking(store: Store, listener: str | None) -> dict[str, Any] | None:
    """Return a listener's ranking as `rank --json` prints it; None where there is none."""
    from sessions.storage.evidence import evidence_of
    from therapy_gen.cli.eeg.rank import ranking_document
    from therapy_gen.study.posterior import posterior

    if listener is None:
        return None
    evidence = evidence_of(store, listener)
    if not evidence.recordings and not evidence.ratings:
        return None
    made = posterior(evidence)
    return None if made is None else ranking_document(made, evidence, with_ratings=True)
