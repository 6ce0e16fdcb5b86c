"""`therapy-gen session play`: a session through the sound card, or in silence for those who only want markers."""

from __future__ import annotations

import contextlib
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from therapy_gen.cli.completion import one_of, session_ids
from therapy_gen.cli.context import global_options, use_one_thread
from therapy_gen.cli.output import clock, printable, say
from therapy_gen.cli.session.record import begin_recording, check_recording, chosen_while_playing, tell_recorded
from therapy_gen.cli.sound_options import (
    FadeOption,
    LayerOption,
    SoundfontOption,
    SpaceOption,
    TransitionOption,
    requested_sound,
)

if TYPE_CHECKING:
    from datetime import datetime

    from eeg.headset.recorder import Recorder
    from sessions.playback.log import QueuedPlayLog
    from sessions.playback.markers import LslMarkers
    from sessions.playback.player import PlaybackProgress
    from sessions.records import SessionRecord

EPILOG = "Example: therapy-gen session play 1 --lsl"

_REDRAW_S = 0.2
_WIDTH = 79


def play(
    context: typer.Context,
    number: Annotated[
        int,
        typer.Argument(
            metavar="ID", autocompletion=session_ids, help="Number of the session, as `session list` shows it"
        ),
    ],
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|NUMBER|none",
            autocompletion=one_of("none"),
            help="Sound device; none: in real time without sound  [default: the system's]",
        ),
    ] = None,
    begin: Annotated[
        int, typer.Option("--from", metavar="POSITION", help="Begin there, as `session show --json` counts: from 0")
    ] = 0,
    lsl: Annotated[
        bool, typer.Option("--lsl", help="Send a marker for each piece on a Lab Streaming Layer stream, therapy-gen")
    ] = False,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="With --lsl: wait so long for a recorder before beginning")
    ] = 0.0,
    soundfont: SoundfontOption = None,
    space: SpaceOption = None,
    layer: LayerOption = None,
    transition: TransitionOption = None,
    fade: FadeOption = None,
    record: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Record EEG meanwhile: lsl:NAME, or brainflow:BOARD[:ADDRESS]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE.fif", help="With --record: the recording, a new file")
    ] = None,
    score: Annotated[bool, typer.Option("--score", help="With --record: score it afterwards, and rank")] = False,
    any_contact: Annotated[
        bool, typer.Option("--any-contact", help="With --record: begin even where electrodes are dead")
    ] = False,
    adapt: Annotated[
        str | None,
        typer.Option(
            "--adapt",
            metavar="[yoked:SESSION]",
            help="With --record: draw each next piece from what was just measured; yoked: in the order of another "
            "play; no --transition sounds between them",
        ),
    ] = None,
) -> None:
    """Play a session, and log when each piece was heard, so that `score-eeg` can find it by a recording's date.

    With --record the EEG and markers of what is heard go into one growing file, which is readable even after a crash.

    On a terminal: space pauses, n goes to the next piece, q ends.
    """
    options = global_options(context)
    _check_wait(wait, lsl=lsl)
    check_recording(record, out, score=score, adapt=adapt)
    use_one_thread()
    from sessions.export.audio import SAMPLE_RATE, item_sounds, present_music
    from sessions.playback.log import QueuedPlayLog
    from sessions.playback.markers import MarkersTogether
    from sessions.playback.outputs import open_output
    from sessions.playback.player import Player
    from sessions.storage.library import get_session

    store = options.store(make=False)
    session = get_session(store, number)
    items = session.items[_first(session, begin) :]
    sound = requested_sound(soundfont, layers=layer, transition=transition, space=space, fade=fade).over(
        session.parameters
    )
    present_music(store, items)
    way_out = (
        f"to hear it elsewhere: therapy-gen export --session {number} --format flac -o session-{number}.flac "
        "(or --device none for markers without sound)"
    )
    output = open_output(device, SAMPLE_RATE, way_out)
    markers = _lsl_markers(number, wait, quiet=options.quiet) if lsl else None
    chosen = chosen_while_playing(store, session, adapt, out, sound)
    recorder = begin_recording(record, out, any_contact=any_contact)
    logs: list[QueuedPlayLog] = []

    def start_log(started: datetime) -> QueuedPlayLog:
        logs.append(QueuedPlayLog(store, number, started))
        return logs[-1]

    with (
        _ended_as_interrupted(),
        _keys() as keys,
        _teller(session, quiet=options.quiet) as tell,
        item_sounds(store, items, sound) as sounds,
    ):
        player = Player(
            number,
            output,
            start_log,
            markers=MarkersTogether([sink for sink in (markers, recorder) if sink is not None]),
            keys=keys,
            tell=tell,
        )
        try:
            if chosen is not None:
                finished = player.play(chosen.items(), chosen.sounds())
            else:
                finished = player.play(items, sounds)
        finally:
            _end(markers, logs, recorder, quiet=options.quiet)
    how = "to its end" if finished else "and stopped"
    print(f"Played {clock(player.heard_s)} of session {number} {how}")
    if score and out is not None:
        from therapy_gen.cli.eeg.score_eeg import score_eeg

        score_eeg(context, [out])


def _check_wait(wait: float, *, lsl: bool) -> None:
    if not 0 <= wait <= 86400:
        raise typer.BadParameter(f"--wait {wait:g} is no number of seconds within a day")
    if wait and not lsl:
        raise typer.BadParameter("--wait belongs to --lsl")


def _lsl_markers(number: int, wait: float, *, quiet: bool) -> LslMarkers:
    """Open the stream of markers, and wait for its recorder."""
    from sessions.playback.markers import LslMarkers

    markers = LslMarkers(number)
    if wait:
        say("waiting for a recorder of the stream therapy-gen", quiet=quiet)
        if not markers.wait(wait):
            say(f"nobody receives the markers after {wait:g} s; playing all the same", quiet=quiet)
    return markers


def _end(markers: LslMarkers | None, logs: list[QueuedPlayLog], recorder: Recorder | None, *, quiet: bool) -> None:
    """Close the markers, the log and the recording of a play."""
    if markers is not None:
        markers.close()
    for log in logs:
        log.wait()
    if recorder is not None:
        tell_recorded(recorder.finish(), quiet=quiet)
    for log in logs:
        if log.problem is not None:
            say(f"the log of this play is not complete: {log.problem}")


def _first(record: SessionRecord, begin: int) -> int:
    if not 0 <= begin < len(record.items):
        from therapy_gen.errors import InputError

        raise InputError(f"position {begin} is not in session {record.id}; give --from 0 to {len(record.items) - 1}")
    return begin


@contextlib.contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """Let SIGTERM and SIGHUP (a closed terminal) end playing as Ctrl-C does, with a complete log.

    What is ignored, as SIGHUP is under nohup, stays so.
    """
    # Windows has no SIGHUP.
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    taken = [number for number in numbers if before[number] not in (signal.SIG_IGN, None)]

    def interrupt(signum: int, frame: object) -> None:
        # An ending shell passes SIGHUP on: a second one must not prevent writing the log.
        for number in taken:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    """Give a function that returns the keys pressed since it was last called; always none without a terminal."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        yield lambda: ""
        return
    try:
        import termios
        import tty
    except ImportError:
        yield _windows_keys
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield lambda: _pressed(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _pressed(descriptor: int) -> str:
    import os

    if not select.select([descriptor], [], [], 0)[0]:
        return ""
    return os.read(descriptor, 64).decode("ascii", "ignore").lower()


def _windows_keys() -> str:
    import msvcrt

    pressed = ""
    while msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]
        pressed += msvcrt.getwch().lower()  # type: ignore[attr-defined,unused-ignore]
    return pressed


@contextlib.contextmanager
def _teller(record: SessionRecord, *, quiet: bool) -> Iterator[Callable[[PlaybackProgress], None]]:
    """Give a function that shows the position: one changing line on a terminal, else a line for each item."""
    if quiet:
        yield lambda progress: None
        return
    if not sys.stderr.isatty():
        last: list[int] = []

        def line(progress: PlaybackProgress) -> None:
            if last != [progress.item.position]:
                last[:] = [progress.item.position]
                say(_described(record, progress))

        yield line
        return
    drawn = 0.0

    def draw(progress: PlaybackProgress) -> None:
        nonlocal drawn
        if time.monotonic() - drawn < _REDRAW_S:
            return
        drawn = time.monotonic()
        keys = "space resume" if progress.paused else "space pause"
        text = f"{_described(record, progress)}  [{keys}, n next, q quit]"
        print(f"\r{printable(text)[:_WIDTH]:<{_WIDTH}}", end="", file=sys.stderr, flush=True)

    try:
        yield draw
    finally:
        print(file=sys.stderr)


def _described(record: SessionRecord, progress: PlaybackProgress) -> str:
    item = progress.item
    at = f"{clock(item.onset_s + progress.at_s)}/{clock(record.duration_s)}"
    title = item.piece.title if item.piece else "(silence)"
    paused = "  paused" if progress.paused else ""
    return f"{at}  {item.position}  {title}  {clock(progress.at_s)}/{clock(item.duration_s)}{paused}"
