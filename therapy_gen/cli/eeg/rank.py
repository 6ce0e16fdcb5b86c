"""`therapy-gen rank`: what a listener's recordings say about the pieces."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from therapy_gen.cli.context import Settings, settings, use_one_thread
from therapy_gen.cli.output import AsJson, brief, clock, print_json, print_table, printable, progress, say

if TYPE_CHECKING:
    from eeg.ranking.rank import Ranking
    from sessions.export.session import WrittenFile
    from sessions.storage.store import Store

EPILOG = "Example: therapy-gen rank --listener ana"

_LONGEST_TITLE = 22


def rank(
    context: typer.Context,
    listener: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose ranking  [default: the only one there is]")
    ] = None,
    ratings: Annotated[bool, typer.Option("--ratings/--no-ratings", help="Let ratings count, a little")] = True,
    json: AsJson = False,
) -> None:
    """Rank a listener's pieces, and say how sure that is."""
    use_one_thread()
    store = settings(context).store_to_read()
    made, who = _ranking(store, listener, with_ratings=ratings)
    if json:
        print_json(ranking_document(made, who))
    else:
        print_ranking(made, who, titles(store, (), made))


def export_ranking(
    options: Settings,
    listener: str | None,
    top: int | None,
    format: str,
    out: Path,
    soundfont: Path | None,
    *,
    with_name: bool = False,
    **how: Any,
) -> list[WrittenFile]:
    """Write a listener's best pieces: the part of `export` that `--ranked` asks for."""
    use_one_thread()
    from sessions.export.audio import Sound
    from sessions.export.ranking import export_ranked, ranked_programme

    store = options.store_to_read()
    made, who = _ranking(store, listener)
    if not made.reliable_order:
        say(made.reason, quiet=options.quiet)
    document = ranking_document(made, who)
    programme = ranked_programme(store, document, top, with_name=with_name)
    with progress("rendering", programme.duration_s, quiet=options.quiet) as advance:
        return export_ranked(
            store, document, programme, format, out, Sound(soundfont, advance), with_name=with_name, **how
        )


def _ranking(store: Store, listener: str | None, *, with_ratings: bool = True) -> tuple[Ranking, str | None]:
    """Return a listener's ranking, and who that is; InputError where there is none."""
    from therapy_gen.errors import InputError
    from therapy_gen.study.posterior import evidence_for, posterior

    evidence = evidence_for(store, listener)
    made = posterior(evidence, with_ratings=with_ratings)
    if made is None:
        who = f"listener {evidence.listener}" if evidence.listener else "no listener named"
        raise InputError(
            f"{who} has no scored recording; to score one: therapy-gen score-eeg RECORDING"
            + (f" --listener {shlex.quote(evidence.listener)}" if evidence.listener else "")
        )
    return made, evidence.listener


def ranking_document(ranking: Ranking, listener: str | None) -> dict[str, Any]:
    """Return what `rank --json` prints."""
    return {"listener": listener, **ranking.as_dict()}


def titles(store: Store, pieces: Collection[str], ranking: Ranking | None) -> dict[str, str]:
    """Return the titles of pieces, and of those that are ranked."""
    from sessions.storage.library import titles_of

    return titles_of(store, {*pieces, *(piece.piece for piece in (ranking.pieces if ranking else ()))})


def print_ranking(ranking: Ranking, listener: str | None, names: dict[str, str]) -> None:
    """Print a ranking as a table, its verdict first."""
    from eeg.ranking.observations import RATING_DB

    band = "beta and gamma" if ranking.criterion == "both" else ranking.criterion
    want = "lower" if ranking.lower_is_better else "higher"
    who = f" for {printable(listener)}" if listener else ""
    print(
        f"Ranking{who} by {band} power, {want} is better (as declared): "
        f"{_count(ranking.plays, 'play')} in {_count(ranking.recordings, 'recording')}"
        + (f", {_count(ranking.ratings, 'rating')}" if ranking.ratings else "")
    )
    print(ranking.reason[0].upper() + ranking.reason[1:])
    print()
    rows = []
    for piece in ranking.pieces:
        low, high = piece.ci90_db
        rows.append(
            (
                str(piece.rank),
                names.get(piece.piece, "")[:_LONGEST_TITLE],
                f"{piece.mean_db:+.2f}",
                f"{low:+.2f} to {high:+.2f}",
                f"{piece.p_best:.2f}",
                f"{piece.expected_rank:.1f}",
                str(piece.plays),
                clock(piece.clean_s),
                piece.piece[:10],
            )
        )
    print_table(
        ("", "title", "dB", "90 % interval", "P(best)", "rank", "plays", "clean", "piece"),
        rows,
        right=(0, 2, 3, 4, 5, 6, 7),
    )
    flagged = {flag for piece in ranking.pieces for flag in piece.flags}
    print()
    if ranking.plays:
        print("dB against silence" if ranking.against_silence else "dB against the mean of all plays")
    if ranking.ratings:
        print(f"a point of a rating counts for {RATING_DB:g} dB, one rating for less than a play")
    for flag, meaning in _FLAGS.items():
        if flag in flagged:
            pieces = [brief(names.get(piece.piece, piece.piece)) for piece in ranking.pieces if flag in piece.flags]
            print(f"{meaning}: {printable(', '.join(pieces))}")


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


_FLAGS = {
    "only-rated": "Rated, but never recorded",
    "one-play": "Played only once",
    "short": "Under a minute of clean data",
    "gamma-may-be-muscle": "Gamma may be muscle",
}
