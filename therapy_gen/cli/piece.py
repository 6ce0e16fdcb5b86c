"""`therapy-gen piece`: the library of pieces."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sessions.export.formats import piece_suffixes
from therapy_gen.cli.completion import piece_ids
from therapy_gen.cli.context import global_options
from therapy_gen.cli.output import (
    AsJson,
    Limit,
    clock,
    day_and_time,
    figure,
    page_of,
    print_json,
    print_json_list,
    print_table,
    print_text,
    printable,
    progress,
    say,
    say_more,
)
from therapy_gen.cli.sound_options import LoudnessOption, SoundfontOption, SpaceOption, requested_sound

if TYPE_CHECKING:
    from therapy_gen.music.analysis.additive import Feature

app = typer.Typer(
    help="List, show, import, rename, export and delete pieces.",
    epilog="Example: therapy-gen piece list",
    rich_markup_mode=None,
)

Piece = Annotated[
    str,
    typer.Argument(
        metavar="PIECE", autocompletion=piece_ids, help="Its id, or the first characters of it (four or more)"
    ),
]


@app.command("list", epilog="Example: therapy-gen piece list --json")
def list_(
    context: typer.Context,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Only pieces with this text in their title")] = None,
    limit: Limit = None,
    json: AsJson = False,
) -> None:
    """List the pieces, oldest first."""
    from sessions.storage.library import count_pieces, iter_pieces, list_pieces

    options = global_options(context)
    store, most = options.store_to_read(), page_of(limit, json)
    if json:
        print_json_list("pieces", (piece.document() for piece in iter_pieces(store, title=title, limit=most)))
        return
    found = list_pieces(store, title=title, limit=most)
    say_more(len(found), lambda: count_pieces(store, title=title), "pieces", quiet=options.quiet)
    if not found and title is not None:
        print("No piece has that in its title")
        return
    if not found:
        print("No pieces yet. To make some: therapy-gen session new")
        return
    rows = [
        (piece.id, piece.title, clock(piece.duration_s), piece.key, figure(piece.tempo, 1), figure(piece.calm, 2))
        for piece in found
    ]
    print_table(("piece", "title", "length", "key", "tempo", "calm"), rows, right=(2, 4, 5))


@app.command(epilog="Example: therapy-gen piece show 01KAT4X2")
def show(context: typer.Context, piece: Piece, json: AsJson = False) -> None:
    """Show what is known about a piece."""
    from sessions.storage.library import get_piece
    from therapy_gen.music.analysis.register import pitch_name

    found = get_piece(global_options(context).store_to_read(), piece)
    if json:
        print_json({"piece": {**found.full_document(), **_sources(found.features)}})
        return
    facts = [
        ("piece", found.id),
        ("title", found.title),
        ("length", clock(found.duration_s)),
        ("key", found.key),
        ("tempo", None if found.tempo is None else f"{found.tempo:.1f} quarter notes a minute"),
        ("register", None if found.register is None else f"melody about {pitch_name(found.register)}"),
        ("calm", None if found.calm is None else f"{found.calm:.2f} (0 to 1, higher is calmer)"),
        ("valence", None if found.valence is None else f"{found.valence:.2f} (0 to 1, higher sounds more pleasant)"),
        ("form", found.form),
        ("metre", found.metre),
        ("palette", found.palette),
        ("model", found.model),
        ("temperature", None if found.temperature is None else f"{found.temperature:g}"),
        ("source", found.source),
        ("music", "recorded: no notes, so neither key, tempo nor calmness" if found.recorded else None),
        ("made", day_and_time(found.created)),
    ]
    shown = [(name, printable(value)) for name, value in facts if value]
    width = max(len(name) for name, _ in shown)
    for name, value in shown:
        print(f"{name:<{width}}  {value}")
    if found.features:
        _show_features(found.features)


def _sources(values: Mapping[str, float]) -> dict[str, list[dict[str, object]]]:
    """Return how the two scores are computed: the logit of each is the sum of its features' contributions."""
    from therapy_gen.music.analysis import calmness, valence

    return {"calm_from": _explained(values, calmness.FEATURES), "valence_from": _explained(values, valence.FEATURES)}


def _explained(values: Mapping[str, float], features: Mapping[str, Feature]) -> list[dict[str, object]]:
    from therapy_gen.music.analysis.additive import contributions_of

    return [
        {
            "feature": name,
            "value": values[name],
            "unit": features[name].unit,
            "weight": features[name].weight,
            "adds": round(added, 4),
            "source": features[name].source,
        }
        for name, added in contributions_of(features, values).items()
    ]


def _show_features(values: Mapping[str, float]) -> None:
    """Print how the scores are computed; features of an earlier version have no weight."""
    from therapy_gen.music.analysis import calmness, valence
    from therapy_gen.music.analysis.additive import contributions_of

    of_valence = {name: value for name, value in values.items() if name in valence.FEATURES}
    of_calmness = {name: value for name, value in values.items() if name not in of_valence}
    sources: dict[str, str] = {}
    for about, features, own in (
        ("calm is low arousal, not pleasantness; its logit is the sum of:", calmness.FEATURES, of_calmness),
        ("valence is how pleasant it sounds to most raters; its logit is the sum of:", valence.FEATURES, of_valence),
    ):
        if not own:
            continue
        added = contributions_of(features, own)
        rows = [
            (name, f"{value:.3f}", features[name].unit, f"{features[name].weight:.2f}", f"{added[name]:+.2f}")
            if name in added
            else (name, f"{value:.3f}", "", "", "")
            for name, value in own.items()
        ]
        print()
        print_text(about)
        print_table(("feature", "value", "unit", "weight", "adds"), rows, right=(1, 3, 4))
        sources |= {name: features[name].source for name in own if name in added}
    print("\nwhy they are in it:")
    for name, source in sources.items():
        print_text(f"  {name}: {source}", indent="    ")
    print_text("docs/calmness.md has the literature in full and how well the scores agree with listeners.")


@app.command("import", epilog="Example: therapy-gen piece import lullaby.mid")
def import_(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="MIDI files, or recorded music as WAV, FLAC, MP3 or Ogg")
    ],
    listener: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose they are: exported and forgotten with that listener")
    ] = None,
    json: AsJson = False,
) -> None:
    """Store MIDI files or recorded music as pieces; `session new --with PIECE` makes a session that holds them.

    Recorded pieces sound as loud as all others. They have no notes: no piano roll, score, key or calmness.
    """
    options = global_options(context)
    from sessions.storage.piece_import import import_pieces

    imported = import_pieces(options.store(), files, listener=listener)
    for one in imported:
        told = [] if one.new else ["the library had it already"]
        if told or one.remarks:
            say(f"{one.file}: {'; '.join((*told, *one.remarks))}", quiet=options.quiet)
    if json:
        documents = [{**one.piece.document(), "new": one.new, "remarks": list(one.remarks)} for one in imported]
        print_json({"pieces": documents})
        return
    rows = [(one.piece.id, one.piece.title[:30], clock(one.piece.duration_s), one.piece.key) for one in imported]
    print_table(("piece", "title", "length", "key"), rows, right=(2,))


@app.command(epilog="Example: therapy-gen piece export 01KAT4X2 -o water.flac")
def export(
    context: typer.Context,
    piece: Piece,
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="FILE", help=f"Its suffix says the format: musicxml, {', '.join(piece_suffixes())}"
        ),
    ],
    plain: Annotated[
        bool, typer.Option("--plain", help="MIDI as the score has it: on the grid, one tempo, one loudness, no pedal")
    ] = False,
    soundfont: SoundfontOption = None,
    space: SpaceOption = None,
    loudness: LoudnessOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that holds something else")] = False,
) -> None:
    """Write a piece as a score (MusicXML), as MIDI, or as audio."""
    options = global_options(context)
    from sessions.export.export import FileWriter, export_piece
    from sessions.storage.library import get_piece

    store = options.store_to_read()
    found = get_piece(store, piece)
    with progress("rendering", found.duration_s, quiet=options.quiet) as advance:
        writer = FileWriter(overwrite=overwrite)
        sound = requested_sound(soundfont, space=space, loudness=loudness, advance=advance)
        export_piece(store, found, out, sound, plain=plain, writer=writer)
    print(printable(str(out)))


@app.command(epilog='Example: therapy-gen piece rename 01KAT4X2 "Evening Water"')
def rename(
    context: typer.Context,
    piece: Piece,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="From now on")],
    json: AsJson = False,
) -> None:
    """Give a piece another title."""
    from sessions.storage.piece_edits import rename_piece

    found = rename_piece(global_options(context).store(make=False), piece, title)
    if json:
        print_json({"piece": found.document()})
    else:
        print(f"{found.id} is now {printable(found.title)}")


@app.command(epilog="Example: therapy-gen piece delete 01KAT4X2 --yes")
def delete(
    context: typer.Context,
    piece: Piece,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; without a terminal on standard input it deletes unasked")
    ] = False,
    json: AsJson = False,
) -> None:
    """Delete a piece with its ratings; one that a session or a scored recording holds is refused."""
    from sessions.storage.library import get_piece
    from sessions.storage.piece_edits import delete_piece

    store = global_options(context).store(make=False)
    found = get_piece(store, piece)
    if not yes and sys.stdin.isatty() and not typer.confirm(f"Delete {printable(found.title)} ({found.id})?"):
        print("Nothing was deleted")
        return
    delete_piece(store, found.id)
    if json:
        print_json({"deleted": {"piece": found.id, "title": found.title}})
    else:
        print(f"Deleted {printable(found.title)} ({found.id})")
