"""`therapy-gen simulate-eeg`: the recording of a session by a listener who does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from therapy_gen.cli.completion import one_of, session_ids
from therapy_gen.cli.context import global_options, use_one_thread
from therapy_gen.cli.output import AsJson, print_json, print_table, printable, progress

if TYPE_CHECKING:
    from sessions.records import PieceRecord

EPILOG = "Example: therapy-gen simulate-eeg --session 1 -o ana_raw.fif"

_LARGEST_EFFECT_DB = 20.0


def simulate_eeg(
    context: typer.Context,
    session: Annotated[
        int, typer.Option(metavar="ID", autocompletion=session_ids, help="Number of the session that is heard")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.fif", help="Recording to write")],
    effect: Annotated[
        list[str] | None,
        typer.Option(metavar="PIECE=DB[:DB]", help="Effect of a piece on beta and gamma, against silence; repeatable"),
    ] = None,
    spread: Annotated[
        float,
        typer.Option(metavar="DB", help="SD of the other pieces' effects on beta; those on gamma are half as large"),
    ] = 1.0,
    taste: Annotated[
        int, typer.Option(metavar="N", help="Number of the simulated listener; the effects follow from it")
    ] = 0,
    seed: Annotated[int, typer.Option(metavar="N", help="Of this recording: noise, blinks, muscle")] = 0,
    channels: Annotated[int, typer.Option(metavar="N", help="How many, 1 to 256")] = 19,
    sfreq: Annotated[float, typer.Option(metavar="HZ", help="Sampling frequency")] = 250.0,
    drift: Annotated[float, typer.Option(metavar="DB", help="Drift of both bands over the recording")] = 0.5,
    blinks: Annotated[float, typer.Option(metavar="N", help="Blinks a minute")] = 12.0,
    muscle: Annotated[float, typer.Option(metavar="N", help="Bursts of muscle a minute")] = 3.0,
    marks: Annotated[
        str,
        typer.Option(
            metavar="piece|session|none",
            autocompletion=one_of("piece", "session", "none"),
            help="What the recording's annotations name",
        ),
    ] = "piece",
    json: AsJson = False,
) -> None:
    """Simulate the EEG of a stored session, to try the whole loop without a headset.

    Its beta and gamma follow each piece by a known number of decibels; that is printed, for comparison with what
    `score-eeg` and `rank` find.
    """
    options = global_options(context)
    use_one_thread()
    if marks not in ("piece", "session", "none"):
        raise typer.BadParameter(f"--marks {marks!r} is not known; give piece, session or none")
    _check("--spread", spread, 0.0, _LARGEST_EFFECT_DB)
    _check("--drift", drift, -_LARGEST_EFFECT_DB, _LARGEST_EFFECT_DB)
    _check("--blinks", blinks, 0.0, 200.0)
    _check("--muscle", muscle, 0.0, 200.0)
    _check("--seed", seed, 0, 2**63 - 1)
    _check("--channels", channels, 1, 256)
    from eeg.simulation.file import check_size, write_fif
    from eeg.simulation.simulate import Listener, simulate
    from eeg.timeline.known_pieces import Item
    from sessions.export_paths import check_file_target
    from sessions.storage.library import get_session

    check_file_target(out)
    record = get_session(options.store_to_read(), session)
    pieces = record.pieces()
    effects = {piece.id: _drawn(piece, taste, spread) for piece in pieces}
    effects |= _given(effect or (), pieces)
    items = [
        Item(item.role, item.piece.id if item.piece else None, item.onset_s, item.duration_s) for item in record.items
    ]
    listener = Listener(effects=effects, drift_db=drift, blinks_per_min=blinks, muscle_per_min=muscle)
    check_size(channels, sfreq, max(item.onset_s + item.duration_s for item in items))
    with progress("simulating", 1.0, quiet=options.quiet):
        made = simulate(items, sfreq=sfreq, channels=channels, listener=listener, seed=seed)
        write_fif(made, out, annotate={"piece": "piece", "session": f"session/{record.id}", "none": None}[marks])
    _print_effects(out, pieces, effects, json=json)


def _print_effects(
    out: Path, pieces: Sequence[PieceRecord], effects: dict[str, tuple[float, float]], *, json: bool
) -> None:
    """Print the simulated effects, for comparison."""
    if json:
        put = [{"piece": id_, "beta_db": beta, "gamma_db": gamma} for id_, (beta, gamma) in effects.items()]
        print_json({"file": str(out), "effects": put})
        return
    print(printable(str(out)))
    rows = [(p.title, f"{effects[p.id][0]:+.2f}", f"{effects[p.id][1]:+.2f}", p.id) for p in pieces]
    print_table(("title", "beta dB", "gamma dB", "piece"), rows, right=(1, 2))


def _check(name: str, value: float, low: float, high: float) -> None:
    from therapy_gen.errors import InputError

    if not low <= value <= high:
        raise InputError(f"{name} {value:g} is out of range; give {low:g} to {high:g}")


def _drawn(piece: PieceRecord, taste: int, spread: float) -> tuple[float, float]:
    """Return a piece's effect on a listener: the same in every session."""
    import zlib

    import numpy as np

    rng = np.random.default_rng([abs(taste), piece.seed or 0, zlib.crc32(piece.title.encode())])
    beta = round(float(spread * rng.standard_normal()), 2)
    return beta, round(beta / 2, 2)


def _given(texts: Sequence[str], pieces: Sequence[PieceRecord]) -> dict[str, tuple[float, float]]:
    from therapy_gen.errors import InputError

    given = {}
    for text in texts:
        prefix, equals, values = text.partition("=")
        beta, colon, gamma = values.partition(":")
        found = [piece.id for piece in pieces if prefix and piece.id.startswith(prefix.strip().upper())]
        if len(found) != 1:
            raise InputError(f"--effect {text!r}: {prefix!r} is not one piece of the session; give more of its id")
        try:
            both = float(beta), float(gamma if colon else beta)
        except ValueError:
            both = (float("nan"), 0.0)
        if not equals or not all(abs(value) <= _LARGEST_EFFECT_DB for value in both):
            raise InputError(f"--effect {text!r} is no number of decibels; write it as PIECE=-1.5 or PIECE=-1.5:-0.5")
        given[found[0]] = both
    return given
