"""`score-eeg --any-label`: scores of labels that stand for no piece of the library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_gen.cli.output import print_json, printable, progress, say

if TYPE_CHECKING:
    from therapy_gen.cli.context import GlobalOptions


def score_labels(
    options: GlobalOptions,
    recordings: Sequence[Path],
    timing: Mapping[str, Any],
    criterion: tuple[str, bool] | None,
    table: Path | None,
    by: str,
    *,
    json: bool,
) -> None:
    """Score labels that are not pieces of the library: shown, ranked and written, but not stored."""
    from eeg.ranking.observations import observations
    from eeg.ranking.rank import rank
    from eeg.scoring import score_recording
    from therapy_gen.cli.eeg.print_scores import print_score

    band, lower = criterion or ("beta", True)
    scores = []
    for path in recordings:
        with progress(f"scoring {path.name}", 1.0, quiet=options.quiet) as advance:
            scores.append(score_recording(path, progress=shares(advance), **timing))
    ranking = rank(observations(scores, band), criterion=band, lower_is_better=lower)
    if table is not None:
        from eeg.table import write_table

        say(f"table: {table}, its columns explained in {write_table(table, scores, by)}", quiet=options.quiet)
    if json:
        print_json({"recordings": [score.as_dict() for score in scores], "ranking": ranking.as_dict()})
        return
    for score in scores:
        print_score(score, {}, stored="scored, not stored")
    print(f"{ranking.reason[0].upper()}{ranking.reason[1:]}")
    for piece in ranking.pieces:
        low, high = piece.ci90_db
        print(printable(f"{piece.rank}  {piece.piece}  {piece.mean_db:+.2f} dB ({low:+.2f} to {high:+.2f})"))


def shares(advance: Callable[[float], None]) -> Callable[[float], None]:
    """Return a function that takes the share done, calling `advance` with each step."""
    done = 0.0

    def step(share: float) -> None:
        nonlocal done
        advance(share - done)
        done = share

    return step
