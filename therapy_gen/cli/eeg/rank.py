"""`therapy-gen rank`: what a listener's recordings say about the pieces."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from therapy_gen.cli.completion import listener_names
from therapy_gen.cli.context import GlobalOptions, global_options, use_one_thread
from therapy_gen.cli.output import AsJson, brief, clock, count, print_json, print_table, printable, progress, say
from therapy_gen.text import criterion_text

if TYPE_CHECKING:
    from eeg.ranking.ranked_pieces import Ranking
    from sessions.export.export import WrittenFile
    from sessions.export.sound_settings import Sound
    from sessions.storage.evidence import Evidence
    from sessions.storage.store import Store

EPILOG = "Example: therapy-gen rank --listener ana"

_LONGEST_TITLE = 22


def rank(
    context: typer.Context,
    listener: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            autocompletion=listener_names,
            help="Whose ranking; with --group, give it for each who is to count  [default: the only one there is; of a "
            "group all]",
        ),
    ] = None,
    plan: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which of the listener's analysis plans  [default: main]")
    ] = None,
    group: Annotated[bool, typer.Option("--group", help="Rank over listeners together")] = False,
    with_ratings: Annotated[
        bool, typer.Option("--with-ratings/--no-ratings", help="Also show the order in which ratings count, a little")
    ] = False,
    json: AsJson = False,
) -> None:
    """Rank a listener's pieces, with the uncertainty of the order."""
    use_one_thread()
    store = global_options(context).store_to_read()
    if group:
        if with_ratings:
            raise typer.BadParameter("--group is of plays alone; leave --with-ratings out")
        _rank_group(store, listener, plan, json=json)
        return
    if listener is not None and len(listener) > 1:
        raise typer.BadParameter("--listener names one person; add --group to rank over several")
    made, evidence = _ranking(store, listener[0] if listener else None, plan)
    if not made.pieces and not with_ratings:
        from therapy_gen.errors import InputError

        who = evidence.listener
        raise InputError(
            f"{_called(who)} has ratings, but no scored recording; to rank by ratings alone: therapy-gen rank"
            f"{_option(who)} --with-ratings"
        )
    if json:
        print_json(ranking_document(made, evidence, with_ratings=with_ratings))
    else:
        print_ranking(made, evidence, titles(store, (), made), with_ratings=with_ratings)


def _rank_group(store: Store, listeners: Sequence[str] | None, plan: str | None, *, json: bool) -> None:
    from sessions.storage.library import titles_of
    from therapy_gen.cli.eeg.group import group_document, print_group
    from therapy_gen.study.groups import group_evidence, rank_evidence, without_plays

    evidence = group_evidence(store, listeners or None, plan)
    made = rank_evidence(evidence)
    left_out = without_plays(evidence, listeners)
    if json:
        print_json(group_document(made, evidence, left_out))
    else:
        print_group(made, evidence, left_out, titles_of(store, {piece.piece for piece in made.pieces}))


def _called(listener: str | None) -> str:
    return f"listener {listener}" if listener else "no listener named"


def _option(listener: str | None) -> str:
    return f" --listener {shlex.quote(listener)}" if listener else ""


def export_ranking(
    options: GlobalOptions,
    listener: str | None,
    top: int | None,
    format: str,
    out: Path,
    sound: Sound,
    *,
    with_name: bool = False,
    **how: Any,
) -> list[WrittenFile]:
    """Write a listener's best pieces, for `export --ranked`."""
    use_one_thread()
    from sessions.export.ranking import export_ranked, ranked_programme

    store = options.store_to_read()
    made, evidence = _ranking(store, listener)
    if not made.reliable_order:
        say(made.reason, quiet=options.quiet)
    if not made.pieces:
        from therapy_gen.errors import InputError

        raise InputError(
            f"{_called(evidence.listener)} has no scored recording: nothing was measured that could be exported"
        )
    document = ranking_document(made, evidence)
    programme = ranked_programme(store, document, top, with_name=with_name)
    with progress("rendering", programme.duration_s, quiet=options.quiet) as advance:
        return export_ranked(
            store, document, programme, format, out, replace(sound, advance=advance), with_name=with_name, **how
        )


def _ranking(store: Store, listener: str | None, plan: str | None = None) -> tuple[Ranking, Evidence]:
    """Return a listener's ranking, and what it is made from; InputError where there is none."""
    from therapy_gen.errors import InputError
    from therapy_gen.study.posterior import evidence_for, posterior

    evidence = evidence_for(store, listener, plan)
    made = posterior(evidence)
    if made is None and evidence.recordings:
        raise InputError(
            f"{_called(evidence.listener)} has {count(len(evidence.recordings), 'recording')}, and no clean play that "
            f"can be ranked by {criterion_text(evidence.criterion)}; `score-eeg` tells why, and --plan ranks by another"
        )
    if made is None:
        raise InputError(
            f"{_called(evidence.listener)} has no scored recording; to score one: therapy-gen score-eeg RECORDING"
            f"{_option(evidence.listener)}"
        )
    return made, evidence


def ranking_document(ranking: Ranking, evidence: Evidence, *, with_ratings: bool = False) -> dict[str, Any]:
    """Return what `rank --json` prints."""
    from therapy_gen.study.analysis_plan import looks

    return {
        "listener": evidence.listener,
        **ranking.as_dict(with_ratings=with_ratings),
        "plan": evidence.plan.name,
        "settings": dict(evidence.plan.settings),
        "versions": dict(evidence.versions),
        "looks": {
            "recordings": ranking.recordings,
            "plans": [plan.name for plan in evidence.plans],
            "bands": looks(evidence.plans),
        },
        "set_aside": [{"file": file, "plan_differs": difference} for file, difference in evidence.set_aside],
    }


def titles(store: Store, pieces: Collection[str], ranking: Ranking | None) -> dict[str, str]:
    """Return the titles of pieces, and of those that are ranked."""
    from sessions.storage.library import titles_of

    ranked = {piece.piece for piece in ranking.pieces} if ranking else set()
    if ranking and ranking.with_ratings:
        ranked |= {piece.piece for piece in ranking.with_ratings.pieces}
    return titles_of(store, {*pieces, *ranked})


def print_ranking(ranking: Ranking, evidence: Evidence, names: dict[str, str], *, with_ratings: bool = False) -> None:
    """Print a ranking as a table, its verdict first; below, where requested, the order with ratings."""
    who = f" for {printable(evidence.listener)}" if evidence.listener else ""
    if ranking.pieces:
        _print_measured(ranking, who, names)
        _print_looks(ranking, evidence)
    if with_ratings:
        _print_rated(ranking, who, names)
    elif ranking.ratings:
        print(f"{count(ranking.ratings, 'rating')} not counted here; --with-ratings shows what they add")


def _print_looks(ranking: Ranking, evidence: Evidence) -> None:
    """Say how often these data were tested, since frequent tests find something by chance."""
    from therapy_gen.study.analysis_plan import looks

    named = ", ".join(plan.name for plan in evidence.plans)
    print(
        f"plan {printable(evidence.plan.name)}; looks at these data: {count(looks(evidence.plans), 'band')} in "
        f"{count(len(evidence.plans), 'plan')} ({printable(named)}), after {count(ranking.recordings, 'recording')}"
    )
    for file, difference in evidence.set_aside:
        print(printable(f"not ranked, as its plan {difference}: {Path(file).name}"))


def _print_measured(ranking: Ranking, who: str, names: dict[str, str]) -> None:
    want = "lower" if ranking.lower_is_better else "higher"
    print(
        f"Ranking{who} by {criterion_text(ranking.criterion)}, {want} is better (as declared): "
        f"{count(ranking.plays, 'play')} in {count(ranking.recordings, 'recording')}"
    )
    print(ranking.reason[0].upper() + ranking.reason[1:])
    print()
    print_table(
        ("", "title", "dB", "90 % interval", "P(best)", "rank", "plays", "clean", "piece"),
        [
            (
                str(piece.rank),
                names.get(piece.piece, "")[:_LONGEST_TITLE],
                f"{piece.mean_db:+.2f}",
                "{:+.2f} to {:+.2f}".format(*piece.ci90_db),
                f"{piece.p_best:.2f}",
                f"{piece.expected_rank:.1f}",
                str(piece.plays),
                clock(piece.clean_s),
                piece.piece[:10],
            )
            for piece in ranking.pieces
        ],
        right=(0, 2, 3, 4, 5, 6, 7),
    )
    print()
    print("dB against silence" if ranking.against_silence else "dB against the mean of all plays")
    if ranking.recordings > 1:
        print(
            "from one recording to another, a piece differs by {1:.2f} dB (SD), music by {0:.2f}".format(
                *ranking.day_db
            )
        )
    for flag, meaning in _FLAGS.items():
        pieces = [brief(names.get(piece.piece, piece.piece)) for piece in ranking.pieces if flag in piece.flags]
        if pieces:
            print(f"{meaning}: {printable(', '.join(pieces))}")


def _print_rated(ranking: Ranking, who: str, names: dict[str, str]) -> None:
    from eeg.ranking.observations import RATING_DB

    print()
    if ranking.with_ratings is None:
        print("no ratings")
        return
    print(f"With {count(ranking.ratings, 'rating')}{who}: what the next session is drawn from, no measurement")
    print()
    print_table(
        ("", "title", "P(best)", "rank", "ratings", "piece"),
        [
            (
                str(piece.rank),
                names.get(piece.piece, "")[:_LONGEST_TITLE],
                f"{piece.p_best:.2f}",
                f"{piece.expected_rank:.1f}",
                str(piece.ratings),
                piece.piece[:10],
            )
            for piece in ranking.with_ratings.pieces
        ],
        right=(0, 2, 3, 4),
    )
    print()
    print(f"a point of a rating counts for {RATING_DB:g} dB, one rating for less than a play")


_FLAGS = {
    "one-play": "Played only once",
    "short": "Under a minute of clean data",
    "gamma-may-be-muscle": "Gamma may be muscle",
}
