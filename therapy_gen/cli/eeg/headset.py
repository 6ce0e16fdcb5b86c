"""`therapy-gen headset`: EEG sources, contact quality, and recordings that were cut off."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from therapy_gen.cli.context import global_options
from therapy_gen.cli.output import AsJson, print_json, print_table, printable, say

if TYPE_CHECKING:
    from eeg.headset.contact import Contact

app = typer.Typer(
    help="Find headsets and amplifiers, check their contact, finish recordings.",
    epilog="Example: therapy-gen headset check lsl:EEG",
    rich_markup_mode=None,
)

_LONGEST_S = 3600.0


@app.command("list", epilog="Example: therapy-gen headset list")
def list_(
    context: typer.Context,
    boards: Annotated[bool, typer.Option("--boards", help="Also every board that BrainFlow can connect to")] = False,
    json: AsJson = False,
) -> None:
    """List the EEG streams of Lab Streaming Layer that can be seen; boards are named, not searched for."""
    from eeg.headset.boards import list_boards
    from eeg.headset.lsl import list_streams

    found = [("lsl", stream) for stream in list_streams()]
    if boards:
        found += [("brainflow", board) for board in list_boards()]
    if json:
        print_json(
            {
                "sources": [
                    {"source": f"{kind}:{one.name}", "sfreq": one.sfreq, "channels": list(one.channels)}
                    for kind, one in found
                ]
            }
        )
        return
    if found:
        print_table(
            ("source", "Hz", "channels"),
            [(printable(f"{kind}:{one.name}"), f"{one.sfreq:g}", _names(one.channels)) for kind, one in found],
            right=(1,),
        )
    if not any(kind == "lsl" for kind, _ in found):
        say("no EEG stream of LSL can be seen; start the amplifier's program, or name a board: headset list --boards")


def _names(channels: tuple[str, ...], most: int = 6) -> str:
    more = f" and {len(channels) - most} more" if len(channels) > most else ""
    return printable(f"{len(channels)}: {' '.join(channels[:most])}{more}")


@app.command(epilog="Example: therapy-gen headset check brainflow:MUSE_2")
def check(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="lsl:NAME, or brainflow:BOARD[:ADDRESS]")],
    seconds: Annotated[float, typer.Option(metavar="SECONDS", help="How long to look")] = 10.0,
    json: AsJson = False,
) -> None:
    """Show each electrode's contact, updated every second, with advice.

    Ends with exit code 1 where an electrode is dead (flat or off the scale).
    """
    if not 3.0 <= seconds <= _LONGEST_S:
        raise typer.BadParameter(f"--seconds {seconds:g} is out of range; give 3 to {_LONGEST_S:g}")
    from eeg.errors import RecordingError
    from eeg.headset.contact import DEAD, watch_contact
    from eeg.headset.sources import open_source

    live = sys.stdout.isatty() and not json
    connected = open_source(source)
    last: list[Contact] = []
    try:
        for last in watch_contact(connected, seconds):
            if live:
                print("\x1b[H\x1b[J", end="")
                _print(last)
    finally:
        connected.close()
    if not last:
        raise RecordingError(f"{source} sent too little to judge: check that it is worn and sends")
    if json:
        print_json(
            {
                "source": source,
                "channels": [
                    {
                        "channel": one.channel,
                        "state": one.state,
                        "spread_uv": round(one.spread_uv, 1),
                        "line_uv": round(one.line_uv, 1),
                        "fast_uv": round(one.fast_uv, 1),
                        "to_do": one.to_do,
                    }
                    for one in last
                ],
            }
        )
    elif not live:
        _print(last)
    dead = [one.channel for one in last if one.state in DEAD]
    if dead:
        raise RecordingError(f"dead electrodes: {', '.join(dead)}; mend their contact before recording")


def _print(contacts: list[Contact]) -> None:
    print_table(
        ("channel", "contact", "1-40 Hz uV", "mains uV", "20-45 Hz uV", "what to do"),
        [
            (printable(c.channel), c.state, f"{c.spread_uv:.0f}", f"{c.line_uv:.0f}", f"{c.fast_uv:.1f}", c.to_do)
            for c in contacts
        ],
        right=(2, 3, 4),
    )


@app.command(epilog="Example: therapy-gen headset finish rec.fif")
def finish(
    context: typer.Context,
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="A recording that was cut off")],
    json: AsJson = False,
) -> None:
    """Convert a recording that was cut off to FIF, for other programs; `score-eeg` can also read it directly."""
    from eeg.errors import RecordingError
    from eeg.headset.recorder import finish_recording
    from eeg.io.formats import find_format

    quiet = global_options(context).quiet
    if find_format(recording).name != "growing recording":
        raise RecordingError(f"{recording} was not cut off: nothing is to be finished")
    made = finish_recording(recording)
    if json:
        print_json({"file": str(made.path), "duration_s": made.duration_s, "lost_s": made.lost_s})
        return
    print(printable(str(made.path)))
    if made.problem:
        say(made.problem, quiet=quiet)
