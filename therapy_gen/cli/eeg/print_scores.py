"""How `score-eeg` shows a scored recording on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from therapy_gen.cli.output import brief, clock, print_table, printable

if TYPE_CHECKING:
    from eeg.results import PlayScore, RecordingScore

# A common flag that concerns one column only: it is explained below the table.
_BELOW = "aperiodic-short"


def print_score(score: RecordingScore, names: Mapping[str, str], *, stored: str) -> None:
    """Print channels, what was left out, and a table of plays; `names` are the titles of pieces."""
    from eeg.results import FLAGS

    channels = f"{len(score.scored_channels)} of {len(score.channels)} channels"
    line = f", line {score.line_freq:g} Hz" if score.line_freq else ""
    print(f"{printable(score.file)}: {stored}, {clock(score.duration_s)} at {score.sfreq:g} Hz, {channels}{line}")
    for name, why in score.bad_channels.items():
        print(printable(f"bad channel {name}: {why}"))
    lost = sum(score.rejected_windows.values())
    if lost:
        reasons = sorted(score.rejected_windows.items(), key=lambda pair: -pair[1])
        print(f"left out {lost:.1%}: " + ", ".join(f"{reason} {share:.1%}" for reason, share in reasons if share > 0))
    if score.marked_bad_s:
        print(f"left out as well, marked bad in the file: {clock(score.marked_bad_s)} of plays and silence")
    print()
    _print_plays(score, names)
    for flag in dict.fromkeys(flag for play in score.plays for flag in play.flags):
        which = dict.fromkeys(play.piece or "" for play in score.plays if flag in play.flags)
        titles = ", ".join(brief(names.get(piece, piece)) for piece in which)
        print(printable(f"{flag}: {FLAGS[flag]}" + (f" ({titles})" if flag == _BELOW else "")))
    print()


def _print_plays(score: RecordingScore, names: Mapping[str, str]) -> None:
    more = [name for name in score.bands if name not in ("beta", "gamma")]
    sides = more if score.asymmetry_pair else []
    header = ("at", "title", "clean", "beta", "gamma", *more, *(f"{name} R-L" for name in sides), "beta over 1/f")
    rows = [
        (
            clock(play.onset_s),
            names.get(play.piece or "", play.piece or ""),
            f"{clock(play.clean_s)} of {clock(play.duration_s)}",
            *_values(play, more, sides),
            _db(play.muscle_db),
            " ".join(flag for flag in play.flags if flag != _BELOW),
        )
        for play in score.plays
    ]
    print_table((*header, "muscle", "flags"), rows, right=(0, 2, *range(3, len(header) + 1)))


def _values(play: PlayScore, more: list[str], sides: list[str]) -> tuple[str, ...]:
    return (
        _db(play.beta_db),
        _db(play.gamma_db),
        *(_db(play.band(name).db) for name in more),
        *(_db(play.band(name).asymmetry_db) for name in sides),
        _db(play.beta_adjusted_db),
    )


def _db(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"
