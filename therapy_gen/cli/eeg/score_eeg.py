"""`therapy-gen score-eeg`: recordings -> band power of every play, stored; then the listener's ranking."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from eeg.io.formats import names_of_formats
from therapy_gen.cli.completion import listener_names, one_of, session_ids
from therapy_gen.cli.context import global_options, use_one_thread
from therapy_gen.cli.eeg.recording_arguments import owners_of, recordings_meant
from therapy_gen.cli.eeg.score_options import codes_of, criterion_of, given_settings, labels_in, recordings_at
from therapy_gen.cli.output import AsJson, print_json, printable, progress, say, with_options

if TYPE_CHECKING:
    from eeg.ranking.ranked_pieces import Ranking
    from eeg.results import RecordingScore
    from eeg.settings import Settings
    from eeg.timeline.known_pieces import Library
    from sessions.storage.evidence import Evidence
    from sessions.storage.store import Store
    from sessions.studies.analysis_plans import AnalysisPlan
    from therapy_gen.cli.context import GlobalOptions
    from therapy_gen.study.posterior import Ranker

EPILOG = "Example: therapy-gen score-eeg ana_raw.fif --listener ana --report ana.html"
_LONGEST_OFFSET_S = 30 * 86400.0


def score_eeg(
    context: typer.Context,
    recordings: Annotated[
        list[Path],
        typer.Argument(metavar="RECORDING…", help=f"Files of {names_of_formats()}; or BIDS folders"),
    ],
    session: Annotated[
        int | None,
        typer.Option(
            metavar="ID", autocompletion=session_ids, help="The session that was heard, where the file does not say"
        ),
    ] = None,
    events: Annotated[
        Path | None, typer.Option(metavar="TSV", help="BIDS events.tsv that says which piece played when")
    ] = None,
    offset: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="When the session (or the events' clock) began, from the first sample"),
    ] = None,
    code: Annotated[
        list[str] | None,
        typer.Option(metavar="N=LABEL", help="What a code of the stimulus channel means, as 1=piece/ID; repeatable"),
    ] = None,
    map_: Annotated[
        Path | None,
        typer.Option("--map", metavar="TSV", help="Own labels: a table with the columns label and piece, tab between"),
    ] = None,
    any_label: Annotated[
        bool, typer.Option("--any-label", help="Take every label for a piece; nothing is stored")
    ] = False,
    clicks: Annotated[
        str | None,
        typer.Option(
            metavar="CHANNEL|AUDIO",
            help="Clicks that mark pieces: a channel of the recording, or audio recorded with it, from --offset on",
        ),
    ] = None,
    stream: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which stream of an XDF file is the EEG, where it has several")
    ] = None,
    listener: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=listener_names,
            help="Whose recordings these are  [default: the session's listener]",
        ),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Analysis plan to score by; one of another name is kept apart  [default: main]"
        ),
    ] = None,
    picks: Annotated[
        str | None,
        typer.Option(
            metavar="all|central|NAMES",
            autocompletion=one_of("all", "central"),
            help="Channels to score; names with commas between  [default: all]",
        ),
    ] = None,
    beta: Annotated[str | None, typer.Option(metavar="LOW-HIGH", help="Beta band in Hz  [default: 13-30]")] = None,
    gamma: Annotated[str | None, typer.Option(metavar="LOW-HIGH", help="Gamma band in Hz  [default: 30-45]")] = None,
    band: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=LOW-HIGH]", help="One more band, as alpha, theta or smr=12-15; repeatable"),
    ] = None,
    lower_is_better: Annotated[
        str | None,
        typer.Option(
            metavar="BAND|both",
            autocompletion=one_of("both"),
            help="What to rank by: a band, or as alpha-asymmetry  [default: beta]",
        ),
    ] = None,
    higher_is_better: Annotated[
        str | None,
        typer.Option(metavar="BAND|both", autocompletion=one_of("both"), help="The same, the other way round"),
    ] = None,
    muscle: Annotated[
        bool | None,
        typer.Option("--muscle/--no-muscle", help="Regress the ranking on muscle activity  [default: muscle]"),
    ] = None,
    ica: Annotated[
        bool | None, typer.Option("--ica/--no-ica", help="Remove components of eyes and muscles first")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv|parquet", help="Also write all values as a table, and its data dictionary"),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="play|channel|window",
            autocompletion=one_of("play", "channel", "window"),
            help="What a row of --table is",
        ),
    ] = "play",
    report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Also write a report to read")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which piece would be scored when")] = False,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS|local:N", help="Score on a Dask cluster, or in N processes here")
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete the scores of these recordings from the database")
    ] = False,
    json: AsJson = False,
) -> None:
    """Score EEG recordings: beta, gamma and other band power for every piece that played.

    Which piece played when comes from --clicks or --events, from marks in the recording (piece/ID, session/ID), from
    its stimulus channel, from --session with --offset, or from the log of `session play` and the recording's date.
    Values are dB against the listener's own silence. No direction is good in itself: you declare what to rank by.
    Bands, channels and criterion are the listener's analysis plan: the first recording fixes it, later ones follow it.
    """
    options = global_options(context)
    use_one_thread()
    given = given_settings(picks, beta, gamma, band or (), ica, muscle)
    criterion = criterion_of(lower_is_better, higher_is_better)
    _check_one(recordings, events, offset, clicks)
    codes = codes_of(code or ())
    recordings = recordings_meant(options, recordings_at(recordings), parts=forget)
    _check_targets(report, table, by, forget=forget, dry_run=dry_run)
    store = options.store_to_read() if dry_run else options.store()
    from therapy_gen.study.scoring import known

    library = known(store)
    timing: dict[str, Any] = {
        "events": events,
        "codes": codes or None,
        "session": None if session is None else str(session),
        "offset_s": offset,
        "labels": labels_in(map_),
        "any_label": any_label,
        "clicks": clicks,
        "stream": stream,
    }
    if forget:
        from therapy_gen.cli.eeg.forget_scores import forget_scores

        forget_scores(store, recordings, json=json)
        return
    if any_label:
        from therapy_gen.cli.eeg.score_labels import score_labels

        timing |= {"settings": _first_settings(given)}
        score_labels(options, recordings, timing, criterion, table, by, json=json)
        return
    if dry_run:
        _show_plans(store, recordings, library, {**timing, "settings": _first_settings(given)}, json=json)
        return
    said: dict[str, Any] = {**timing, "settings": _first_settings(given)}
    owners = owners_of(store, recordings, library, listener, said)
    if report is not None and len(set(owners.values())) > 1:
        raise typer.BadParameter(f"--report tells of one listener, these are of {len(set(owners.values()))}")
    plans = {who: _plan_for(store, who, plan, given, criterion) for who in dict.fromkeys(owners.values())}
    if cluster is not None:
        _on_cluster(options, store, owners, plans, timing, cluster, alone=report is None and table is None, json=json)
        return
    scores = _score(options, owners, plans, library, timing)
    from therapy_gen.study.posterior import Ranker, ranked_by

    ranker = Ranker()
    replaced = _store(store, scores, session, plans, ranker, quiet=options.quiet)
    found = [_Scored(who, made, *ranked_by(store, who, plans[who].name, ranker)) for who, made in scores.items()]
    _write(options, store, found, report, table, by)
    _show(store, found, replaced, json=json)


def _store(
    store: Store,
    scores: Mapping[str, Sequence[RecordingScore]],
    session: int | None,
    plans: Mapping[str, AnalysisPlan],
    ranker: Ranker,
    *,
    quiet: bool,
) -> list[str]:
    """Store what recordings came to, by listener, and return the names of those that were stored before."""
    from sessions.storage.recordings import store_recordings
    from therapy_gen.study.scoring import other_owners, to_store

    replaced: list[str] = []
    for who, made in scores.items():
        for score in made:
            for doubt in other_owners(store, score, who):
                say(f"{Path(score.file).name}: {doubt}", quiet=quiet)
        rows = [to_store(store, score, session, plans[who]) for score in made]
        replaced += store_recordings(store, rows, ranker, listener=who)
    return replaced


def _check_one(recordings: Sequence[Path], events: Path | None, offset: float | None, clicks: str | None) -> None:
    """Refuse options for one recording where there are several, and an offset out of range."""
    if len(recordings) > 1 and (events is not None or offset is not None):
        raise typer.BadParameter("--events and --offset speak of one recording; give them with one")
    if events is not None and clicks is not None:
        raise typer.BadParameter("--events and --clicks both say when pieces played; give one of them")
    if offset is not None and not abs(offset) <= _LONGEST_OFFSET_S:
        raise typer.BadParameter(f"--offset {offset:g} is no number of seconds within a month")


def _on_cluster(
    options: GlobalOptions,
    store: Store,
    owners: Mapping[Path, str],
    plans: Mapping[str, AnalysisPlan],
    timing: Mapping[str, Any],
    cluster: str,
    *,
    alone: bool,
    json: bool,
) -> None:
    """Score recordings on a cluster; results are only in the database."""
    from therapy_gen.cli.eeg.cluster import score_all, tell
    from therapy_gen.study.batch import ScoringJob

    if not alone or timing["events"] is not None or any(timing[name] for name in ("codes", "labels", "clicks")):
        raise typer.BadParameter("--cluster goes without --report, --table, --events, --code, --map and --clicks")
    session = None if timing["session"] is None else int(timing["session"])
    jobs = [
        ScoringJob(str(path.absolute()), who, plans[who], session, timing["offset_s"]) for path, who in owners.items()
    ]
    tell(score_all(options, store, jobs, cluster), {}, json=json)


class _Scored(NamedTuple):
    """Scores of one listener's recordings, and the ranking together with earlier ones."""

    listener: str
    scores: list[RecordingScore]
    evidence: Evidence
    ranking: Ranking | None


def _first_settings(given: Mapping[str, Any]) -> Settings:
    """Return the parameters without any plan, to find out which piece played when."""
    from eeg.settings import Settings

    return Settings(**given)


def _plan_for(
    store: Store, who: str, name: str | None, given: Mapping[str, Any], criterion: tuple[str, bool] | None
) -> AnalysisPlan:
    from therapy_gen.study.analysis_plan import CriterionError, plan_for

    try:
        return plan_for(store, who, name, given=given, criterion=criterion)
    except CriterionError as error:
        raise typer.BadParameter(with_options(str(error))) from error


def _check_targets(report: Path | None, table: Path | None, by: str, *, forget: bool, dry_run: bool) -> None:
    """Refuse files that cannot be written, before hours are spent on scoring."""
    if forget and dry_run:
        raise typer.BadParameter("--forget and --dry-run exclude each other")
    from eeg.table import check_table
    from sessions.export_paths import check_file_target

    for path in (report, table):
        if path is not None:
            check_file_target(path)
    check_table(table or Path("table.csv"), by)


def _score(
    options: GlobalOptions,
    owners: Mapping[Path, str],
    plans: Mapping[str, AnalysisPlan],
    library: Library,
    timing: Mapping[str, Any],
) -> dict[str, list[RecordingScore]]:
    """Score recordings one after the other, each by its listener's plan; duplicates count once."""
    from eeg.scoring import score_recording
    from therapy_gen.cli.eeg.score_labels import shares
    from therapy_gen.study.analysis_plan import settings_of
    from therapy_gen.study.scoring import missing_criterion

    made: dict[str, RecordingScore] = {}
    found: dict[str, list[RecordingScore]] = {}
    for path, who in owners.items():
        with progress(f"scoring {path.name}", 1.0, quiet=options.quiet) as advance:
            how = settings_of(plans[who])
            score = score_recording(path, library, progress=shares(advance), settings=how, **timing)
        if score.sha256 in made:
            say(f"{path}: the same recording as {made[score.sha256].file}: counted once", quiet=options.quiet)
            continue
        made[score.sha256] = score
        found.setdefault(who, []).append(score)
        missing = missing_criterion(score, plans[who])
        for warning in [*score.warnings, *([missing] if missing else [])]:
            say(f"{path.name}: {warning}", quiet=options.quiet)
    return found


def _names(store: Store, found: Sequence[_Scored]) -> dict[str, str]:
    from therapy_gen.cli.eeg.rank import titles

    names: dict[str, str] = {}
    for one in found:
        names |= titles(store, {play.piece for score in one.scores for play in score.plays if play.piece}, one.ranking)
    return names


def _write(
    options: GlobalOptions, store: Store, found: Sequence[_Scored], report: Path | None, table: Path | None, by: str
) -> None:
    if report is not None:
        from eeg.report.report import write_report

        (one,) = found
        write_report(report, one.scores, one.ranking, names=_names(store, found), listener=one.listener)
        say(f"report: {report}", quiet=options.quiet)
    if table is not None:
        from eeg.table import write_table

        dictionary = write_table(table, [score for one in found for score in one.scores], by)
        say(f"table: {table}, its columns explained in {dictionary}", quiet=options.quiet)


def _show(store: Store, found: Sequence[_Scored], replaced: Collection[str], *, json: bool) -> None:
    from therapy_gen.cli.eeg.print_scores import print_score
    from therapy_gen.cli.eeg.rank import print_ranking, ranking_document

    if json:
        rankings = [ranking_document(one.ranking, one.evidence) if one.ranking else None for one in found]
        recordings = [{**score.as_dict(), "listener": one.listener} for one in found for score in one.scores]
        alone = len(found) == 1
        document = {"listener": found[0].listener if alone else None, "recordings": recordings}
        print_json({**document, "ranking": rankings[0] if alone else None, "rankings": rankings})
        return
    names = _names(store, found)
    for one in found:
        for score in one.scores:
            print_score(score, names, stored="scored again" if score.sha256 in replaced else "scored")
        if one.ranking is not None:
            print_ranking(one.ranking, one.evidence, names)


def _show_plans(
    store: Store, recordings: Sequence[Path], library: Library, timing: Mapping[str, Any], *, json: bool
) -> None:
    from eeg.scoring import plan_recording
    from therapy_gen.cli.eeg.rank import titles

    plans = [(path, plan_recording(path, library, **timing)) for path in recordings]
    if json:
        print_json({"recordings": [{"file": str(path), **plan.as_dict()} for path, plan in plans]})
        return
    for path, plan in plans:
        print(printable(str(path)))
        for line in plan.lines(titles(store, {play.piece for play in plan.plays if play.piece}, None)):
            print(printable(line))
