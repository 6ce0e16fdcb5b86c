"""`therapy-gen session`: make, list, show, rate, note, play and delete sessions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sessions.export.formats import audio_formats
from sessions.planning.arcs import ARCS
from therapy_gen.cli.completion import listener_names, model_names, one_of, palette_names, piece_ids, session_ids
from therapy_gen.cli.context import DEFAULT_MODEL, drawn_seed, global_options, use_one_thread
from therapy_gen.cli.output import (
    AsJson,
    Limit,
    clock,
    day_and_time,
    page_of,
    print_json,
    print_json_list,
    print_table,
    print_text,
    printable,
    say,
    say_more,
)
from therapy_gen.cli.session import diary, play, report
from therapy_gen.cli.session.diary import SessionNumber
from therapy_gen.cli.session.new_options import (
    AttributePairs,
    audio_target,
    pieces_again,
    preference_for,
    render,
    tempo_range,
    with_attribute_options,
)
from therapy_gen.cli.session.print_session import print_session
from therapy_gen.cli.sound_options import (
    FadeOption,
    LayerOption,
    LoudnessOption,
    SoundfontOption,
    SpaceOption,
    TransitionOption,
    requested_sound,
)
from therapy_gen.music.arranging.palettes import PALETTES

if TYPE_CHECKING:
    pass

app = typer.Typer(
    help="Make, list, show, play, rate and delete sessions.",
    epilog="Example: therapy-gen session new --minutes 24",
    rich_markup_mode=None,
)


@app.command(epilog="Example: therapy-gen session new --minutes 12 --audio flac --out evening")
@with_attribute_options
def new(
    context: typer.Context,
    minutes: Annotated[float, typer.Option(help="Length of the session, silences included")] = 24.0,
    arc: Annotated[
        str,
        typer.Option(
            metavar="|".join(ARCS),
            autocompletion=one_of(*ARCS),
            help="How calm it is over time. " + "; ".join(f"{name}: {arc.about}" for name, arc in ARCS.items()),
        ),
    ] = "calm",
    arousal: Annotated[
        float | None,
        typer.Option("--from", metavar="0..1", help="How aroused it begins: 0 calm; an arc leads down from there"),
    ] = None,
    listener: Annotated[
        str | None, typer.Option(metavar="NAME", autocompletion=listener_names, help="Who it is for")
    ] = None,
    explore: Annotated[
        float | None,
        typer.Option(
            metavar="0..1",
            help="Share of new pieces, once the listener has heard some; with --with or --again, 0 adds none  "
            "[default: 0.25]",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="The same seed and model give the same music  [default: drawn]")
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME_OR_FILE", autocompletion=model_names, help="Model that writes the music")
    ] = DEFAULT_MODEL,
    engine: Annotated[
        str,
        typer.Option(
            metavar="numpy|magenta",
            autocompletion=one_of("numpy", "magenta"),
            help="What runs the model: NumPy, or Magenta's own TrainedModel",
        ),
    ] = "numpy",
    holding: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="PIECE",
            autocompletion=piece_ids,
            help="A piece of the library to hold, an imported one too; repeatable",
        ),
    ] = None,
    again: Annotated[
        int | None,
        typer.Option(
            metavar="ID",
            autocompletion=session_ids,
            help="Hold the pieces of a session, as many as have room; with --palette through other instruments, with "
            "--repeats in the next orders for them",
        ),
    ] = None,
    key: Annotated[
        str,
        typer.Option(
            metavar="auto|C|Am…",
            autocompletion=one_of("auto", "C", "Am"),
            help="Key of all pieces; auto: near keys, some in minor",
        ),
    ] = "auto",
    tempo: Annotated[
        str | None,
        typer.Option(
            metavar="BPM[:BPM]",
            help="Slowest and fastest tempo, in quarter notes a minute  "
            "[default: 54:72; wider where an arc begins less calm, with --play-length, and in a session of a minute]",
        ),
    ] = None,
    *,
    attributes: AttributePairs,
    metre: Annotated[
        str, typer.Option(metavar="4/4|3/4", autocompletion=one_of("4/4", "3/4"), help="Of the new pieces")
    ] = "4/4",
    baseline: Annotated[
        float, typer.Option(metavar="SECONDS", help="Silence before and after the music, within the minutes")
    ] = 0.0,
    repeats: Annotated[
        int, typer.Option(metavar="N", help="Play each piece N times, in orders balanced over the listener's sessions")
    ] = 1,
    gap: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Silence between two plays  "
            "[default: 8 with repeats; else 6 to 10, up to 30 where pieces do not fill it]",
        ),
    ] = None,
    play: Annotated[
        float | None,
        typer.Option("--play-length", metavar="SECONDS", help="About how long each play is, 60 to 900"),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            metavar="T", help="How freely the model chooses, 0.05 to 2  [default: 0.05; 0.5 without a memory]"
        ),
    ] = None,
    palette: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", autocompletion=palette_names, help=f"Instruments: {', '.join(PALETTES)}  [default: piano]"
        ),
    ] = None,
    audio: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(audio_formats()),
            autocompletion=one_of(*audio_formats()),
            help="Also render the pieces, with a playlist",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the audio  [default: renders in --home; flac without --audio]"),
    ] = None,
    soundfont: SoundfontOption = None,
    space: SpaceOption = None,
    loudness: LoudnessOption = None,
    layer: LayerOption = None,
    transition: TransitionOption = None,
    fade: FadeOption = None,
    json: AsJson = False,
) -> None:
    """Generate pieces, arrange them into a session, and store it."""
    options = global_options(context)
    use_one_thread()
    from sessions.builder import new_session
    from sessions.composing.compose import DEFAULT_PALETTE
    from sessions.planning.plan import SessionRequest, usual_tempo

    request = SessionRequest(
        minutes=minutes,
        arc=arc,
        arousal=arousal,
        tempo=usual_tempo(arc, arousal, play) if tempo is None else tempo_range(tempo),
        tempo_requested=tempo is not None,
        key=None if key == "auto" else key,
        baseline_s=baseline,
        repeats=repeats,
        gap_s=gap,
        play_s=play,
        metre=metre,
        attributes=attributes,
    )
    sound = requested_sound(soundfont, layers=layer, transition=transition, space=space, fade=fade, loudness=loudness)
    if audio is None and out is None and not (soundfont is None and loudness is None):
        named = "--loudness" if soundfont is None else "--soundfont"
        raise typer.BadParameter(f"{named} is of audio: give --audio or --out with it")
    folder = None
    if audio is not None or out is not None:
        audio, folder = audio_target(audio, out if out is not None else options.home_folder() / "renders")
    store = options.store()
    requested = [*(holding or ()), *(pieces_again(store, again, palette) if again is not None else ())]
    seed = seed if seed is not None else drawn_seed()
    preference = preference_for(store, listener, explore, seed, quiet=options.quiet)
    made = new_session(
        store,
        options.section_model(model, engine, seed),
        request,
        seed=seed,
        preference=preference,
        listener=listener,
        temperature=temperature,
        palette=DEFAULT_PALETTE if palette is None else palette,
        requested=requested,
        may_drop=again is not None and not holding,
        sound=sound.parameters(),
    )
    playlist = None
    if folder is not None and audio is not None:
        playlist = render(store, made, folder, audio, sound, quiet=options.quiet)
    if json:
        print_json(made.document())
        return
    print_session(made)
    if playlist is not None:
        print(f"\nTo hear it, open {printable(str(playlist))}")
    else:
        words = ("export", "--session", str(made.id), "--format", "flac", "-o", f"session-{made.id}.flac")
        print(f"\nTo hear it: {options.hint(*words)}")


@app.command("list", epilog="Example: therapy-gen session list --json")
def list_(
    context: typer.Context,
    listener: Annotated[
        str | None, typer.Option(metavar="NAME", autocompletion=listener_names, help="Only those of a listener")
    ] = None,
    limit: Limit = None,
    json: AsJson = False,
) -> None:
    """List the sessions, oldest first."""
    from sessions.storage.library import count_sessions, iter_sessions, list_sessions

    options = global_options(context)
    store, most = options.store_to_read(), page_of(limit, json)
    if json:
        print_json_list("sessions", (one.document() for one in iter_sessions(store, listener=listener, limit=most)))
        return
    found = list_sessions(store, listener=listener, limit=most)
    say_more(len(found), lambda: count_sessions(store, listener=listener), "sessions", quiet=options.quiet)
    if not found:
        print("No sessions yet. To make one: therapy-gen session new")
        return
    rows = [
        (
            str(summary.id),
            day_and_time(summary.created),
            summary.listener or "",
            summary.arc,
            clock(summary.duration_s),
            str(summary.pieces),
            str(summary.seed),
        )
        for summary in found
    ]
    print_table(("id", "made", "listener", "arc", "length", "pieces", "seed"), rows, right=(0, 4, 5, 6))


@app.command(epilog="Example: therapy-gen session show 1")
def show(context: typer.Context, number: SessionNumber, json: AsJson = False) -> None:
    """Show the timeline of a session, the reasons for its pieces, and its arc: target and result."""
    from sessions.storage.library import get_session

    record = get_session(global_options(context).store_to_read(), number)
    if json:
        print_json(record.document())
        return
    print_session(record)
    from therapy_gen.cli.session.arc_plot import arc_lines, register_line

    if lines := arc_lines(record):
        print()
        for line in lines:
            print_text(line, indent="  ") if not line.startswith(" ") and "|" not in line else print(line)
    if line := register_line(record):
        print_text(printable(line), indent="  ")


@app.command(epilog="Example: therapy-gen session rate 1 2 5")
def rate(
    context: typer.Context,
    number: SessionNumber,
    piece: Annotated[
        str,
        typer.Argument(
            metavar="PIECE",
            autocompletion=piece_ids,
            help="Its number in the session (1 is the first piece), title or id",
        ),
    ],
    value: Annotated[int, typer.Argument(metavar="1-5", help="1 not at all, 5 very much")],
    json: AsJson = False,
) -> None:
    """Note how much a piece of a session was liked; a later rating replaces an earlier one."""
    use_one_thread()
    from sessions.storage.library import rate as rate_piece
    from therapy_gen.study.posterior import Ranker

    session, rated = rate_piece(global_options(context).store(make=False), number, piece, value, Ranker())
    if json:
        print_json({"rating": {"session": session.id, "piece": rated.id, "listener": session.listener, "value": value}})
    else:
        print(f"Rated {rated.title} ({rated.id}) in session {session.id}: {value} of 5")
    if session.listener is None:
        assign = f"therapy-gen session assign {session.id} --listener NAME"
        say(f"note: session {session.id} is nobody's, and its ratings lead no other; to give it to somebody: {assign}")


app.command(epilog=play.EPILOG)(play.play)
app.command("heard", epilog=diary.HEARD_EPILOG)(diary.heard)
app.command("note", epilog=diary.NOTE_EPILOG)(diary.note)
app.command("measure", epilog=diary.MEASURE_EPILOG)(diary.measure)
app.command("assign", epilog=diary.ASSIGN_EPILOG)(diary.assign)
app.command("report", epilog=report.SESSION_EPILOG)(report.session_report)


@app.command(epilog="Example: therapy-gen session delete 1 --yes")
def delete(
    context: typer.Context,
    number: SessionNumber,
    pieces: Annotated[
        bool,
        typer.Option("--pieces", help="Also delete its pieces that nothing else uses; without it they stay"),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; without a terminal on standard input it deletes unasked")
    ] = False,
) -> None:
    """Delete a session, its ratings and the log of its plays. Recordings and their scores stay."""
    from sessions.storage.library import delete_session, get_session

    store = global_options(context).store(make=False)
    if not yes and sys.stdin.isatty():
        record = get_session(store, number)
        if not typer.confirm(f"Delete session {record.id} of {day_and_time(record.created)}?"):
            print("Nothing was deleted")
            return
    from therapy_gen.study.posterior import Ranker

    gone = delete_session(store, number, with_pieces=pieces, ranker=Ranker())
    print(f"Deleted session {number}" + (f" and {gone} of its pieces" if pieces else ""))
