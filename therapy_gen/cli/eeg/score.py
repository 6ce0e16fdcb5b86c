"""`therapy-gen score-eeg`: recordings -> band power of every play, stored; then the listener's ranking."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eeg.io.formats import names_of_formats
from therapy_gen.cli.context import settings, use_one_thread
from therapy_gen.cli.output import AsJson, brief, print_json, printable, progress, say

if TYPE_CHECKING:
    from eeg.ranking.rank import Ranking
    from eeg.results import RecordingScore
    from eeg.settings import Settings
    from eeg.timeline.library import Library
    from sessions.storage.store import Store
    from therapy_gen.cli.context import Settings as Options

EPILOG = "Example: therapy-gen score-eeg ana_raw.fif --listener ana --report ana.html"
_LONGEST_OFFSET_S = 30 * 86400.0


def score_eeg(
    context: typer.Context,
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING…", help=f"Files of {names_of_formats()}")],
    session: Annotated[
        int | None, typer.Option(metavar="ID", help="The session that was heard, where the file does not say")
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
    listener: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose recordings these are  [default: the session's listener]")
    ] = None,
    picks: Annotated[
        str, typer.Option(metavar="all|central|NAMES", help="Channels to score; names with commas between")
    ] = "all",
    beta: Annotated[str, typer.Option(metavar="LOW-HIGH", help="Beta band in Hz")] = "13-30",
    gamma: Annotated[str, typer.Option(metavar="LOW-HIGH", help="Gamma band in Hz")] = "30-45",
    band: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=LOW-HIGH]", help="One more band, as alpha, theta or smr=12-15; repeatable"),
    ] = None,
    lower_is_better: Annotated[
        str | None,
        typer.Option(metavar="BAND|both", help="What to rank by: a band, or as alpha-asymmetry  [default: beta]"),
    ] = None,
    higher_is_better: Annotated[
        str | None, typer.Option(metavar="BAND|both", help="The same, the other way round")
    ] = None,
    muscle: Annotated[
        bool, typer.Option("--muscle/--no-muscle", help="Take what goes with muscle out of the ranking")
    ] = True,
    ica: Annotated[bool, typer.Option("--ica", help="Take out components of eyes and muscles first")] = False,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv|parquet", help="Also write all values as a table, and its data dictionary"),
    ] = None,
    by: Annotated[str, typer.Option(metavar="play|channel|window", help="What a row of --table is")] = "play",
    report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Also write a report to read")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which piece is taken to play when")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Take what these recordings were scored out of the database again")
    ] = False,
    json: AsJson = False,
) -> None:
    """Score EEG recordings: beta, gamma and other band power for every piece that played.

    Which piece played when comes from --events, from marks in the recording (piece/ID, session/ID), from its stimulus
    channel, from --session with --offset, or from the log of `session play` and the recording's date. Values are dB
    against the listener's own silence. No direction is good in itself: what to rank by is for you to declare.
    """
    options = settings(context)
    use_one_thread()
    parameters = _settings(picks, beta, gamma, band or (), ica, muscle, lower_is_better or higher_is_better)
    criterion, lower = _criterion(lower_is_better, higher_is_better, parameters)
    if len(recordings) > 1 and (events is not None or offset is not None):
        raise typer.BadParameter("--events and --offset speak of one recording; give them with one")
    if offset is not None and not abs(offset) <= _LONGEST_OFFSET_S:
        raise typer.BadParameter(f"--offset {offset:g} is no number of seconds within a month")
    codes = _codes(code or ())
    recordings = _each_once(recordings)
    if forget and dry_run:
        raise typer.BadParameter("--forget and --dry-run exclude each other")
    _check_targets(report, table, by)
    store = options.store_to_read() if dry_run else options.store()
    from therapy_gen.study.scoring import known

    library = known(store)
    ways: dict[str, Any] = {
        "events": events,
        "codes": codes or None,
        "session": None if session is None else str(session),
        "offset_s": offset,
        "settings": parameters,
    }
    if forget:
        _forget(store, recordings, json=json)
        return
    if dry_run:
        _show_plans(store, recordings, library, ways, json=json)
        return
    scores = _score(options, recordings, library, ways)
    from therapy_gen.study.scoring import listener_of, to_store

    who = listener_of(store, scores, session, listener)
    from sessions.storage.recordings import store_recordings
    from therapy_gen.cli.eeg.rank import titles
    from therapy_gen.study.posterior import Ranker

    ranker = Ranker()
    replaced = store_recordings(
        store, [to_store(score, session, criterion, lower) for score in scores], ranker, listener=who
    )
    ranking = ranker.made[who]
    names = titles(store, {play.piece for score in scores for play in score.plays if play.piece}, ranking)
    _write(options, scores, ranking, names, who, report, table, by)
    _show(scores, ranking, names, who, replaced, json=json)


def _check_targets(report: Path | None, table: Path | None, by: str) -> None:
    """Refuse files that cannot be written before hours are spent on them."""
    from eeg.table import check_table
    from sessions.files import check_file_target

    for path in (report, table):
        if path is not None:
            check_file_target(path)
    check_table(table or Path("table.csv"), by)


def _score(
    options: Options, recordings: Sequence[Path], library: Library, ways: Mapping[str, Any]
) -> list[RecordingScore]:
    """Score recordings one after the other; the same one twice counts once."""
    from eeg.scoring import score_recording

    made: dict[str, RecordingScore] = {}
    for path in recordings:
        with progress(f"scoring {path.name}", 1.0, quiet=options.quiet) as advance:
            score = score_recording(path, library, progress=_steps(advance), **ways)
        if score.sha256 in made:
            say(f"{path}: the same recording as {made[score.sha256].file}: counted once", quiet=options.quiet)
            continue
        made[score.sha256] = score
        for warning in score.warnings:
            say(f"{path.name}: {warning}", quiet=options.quiet)
    return list(made.values())


def _write(
    options: Options,
    scores: Sequence[RecordingScore],
    ranking: Ranking | None,
    names: Mapping[str, str],
    who: str | None,
    report: Path | None,
    table: Path | None,
    by: str,
) -> None:
    if report is not None:
        from eeg.report.report import write_report

        write_report(report, scores, ranking, names=names, listener=who)
        say(f"report: {report}", quiet=options.quiet)
    if table is not None:
        from eeg.table import write_table

        dictionary = write_table(table, scores, by)
        say(f"table: {table}, its columns explained in {dictionary}", quiet=options.quiet)


def _show(
    scores: Sequence[RecordingScore],
    ranking: Ranking | None,
    names: dict[str, str],
    who: str | None,
    replaced: Collection[str],
    *,
    json: bool,
) -> None:
    from therapy_gen.cli.eeg.print_scores import print_score
    from therapy_gen.cli.eeg.rank import print_ranking, ranking_document

    if json:
        print_json(
            {
                "listener": who,
                "recordings": [score.as_dict() for score in scores],
                "ranking": None if ranking is None else ranking_document(ranking, who),
            }
        )
        return
    for score in scores:
        print_score(score, names, stored="scored again" if score.sha256 in replaced else "scored")
    if ranking is not None:
        print_ranking(ranking, who, names)


def _criterion(lower: str | None, higher: str | None, parameters: Settings) -> tuple[str, bool]:
    from eeg.settings import ASYMMETRY

    if lower is not None and higher is not None:
        raise typer.BadParameter("--lower-is-better and --higher-is-better exclude each other")
    chosen = lower or higher or "beta"
    if chosen != "both" and chosen.removesuffix(ASYMMETRY) not in parameters.all_bands:
        known = ", ".join((*parameters.all_bands, "both"))
        raise typer.BadParameter(f"{chosen!r} is no criterion; give one of: {known}, or name the band with --band")
    return chosen, higher is None


def _settings(
    picks: str, beta: str, gamma: str, bands: Sequence[str], ica: bool, muscle: bool, criterion: str | None
) -> Settings:
    """Return the parameters of the scoring; a band that is ranked by is scored, where its name says what it is."""
    from eeg.settings import ASYMMETRY, NAMED_BANDS, Settings, parse_band, parse_named_band

    names = tuple(name.strip() for name in picks.split(",") if name.strip())
    found = dict(parse_named_band(text) for text in bands)
    wanted = (criterion or "beta").removesuffix(ASYMMETRY)
    if wanted in NAMED_BANDS and wanted not in ("beta", "gamma"):
        found.setdefault(wanted, NAMED_BANDS[wanted])
    return Settings(
        beta=found.pop("beta", parse_band(beta)),
        gamma=found.pop("gamma", parse_band(gamma)),
        bands=found,
        muscle=muscle,
        picks=names[0] if len(names) == 1 else names,
        ica=ica,
    )


def _each_once(paths: Sequence[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in paths:
        found.setdefault(path.resolve(), path)
    return list(found.values())


def _codes(pairs: Sequence[str]) -> dict[int, str]:
    from therapy_gen.study.scoring import is_number

    codes = {}
    for pair in pairs:
        number, equals, text = pair.partition("=")
        if not equals or not text.strip() or not is_number(number.strip()):
            raise typer.BadParameter(f"--code {brief(pair, 60)!r} is no code and label; write it as 1=piece/ID")
        codes[int(number)] = text.strip()
    return codes


def _show_plans(
    store: Store, recordings: Sequence[Path], library: Library, ways: Mapping[str, Any], *, json: bool
) -> None:
    from eeg.scoring import plan_recording
    from therapy_gen.cli.eeg.rank import titles

    plans = [(path, plan_recording(path, library, **ways)) for path in recordings]
    if json:
        print_json({"recordings": [{"file": str(path), **plan.as_dict()} for path, plan in plans]})
        return
    for path, plan in plans:
        print(printable(str(path)))
        for line in plan.lines(titles(store, {play.piece for play in plan.plays if play.piece}, None)):
            print(printable(line))


def _forget(store: Store, recordings: Sequence[Path], *, json: bool) -> None:
    """Take recordings out of the database, and show what is left of their listeners' rankings."""
    from eeg.errors import RecordingError
    from eeg.io.recording import open_recording
    from eeg.scoring import sha256_of
    from sessions.storage.recordings import forget_recordings
    from therapy_gen.cli.eeg.rank import print_ranking, ranking_document, titles
    from therapy_gen.study.posterior import Ranker

    named: list[tuple[str, str | None]] = []
    for path in recordings:
        try:
            with open_recording(path) as recording:
                digest: str | None = sha256_of(recording.files)
        except RecordingError:  # gone, or no longer what it was: what was stored by that name is meant
            digest = None
        named.append((str(path.absolute()), digest))
    ranker = Ranker()
    listeners = forget_recordings(store, named, ranker)
    left = [(who, ranker.made[who]) for who in listeners]
    if json:
        rankings = [ranking_document(made, who) for who, made in left if made is not None]
        print_json({"forgotten": [str(path) for path in recordings], "rankings": rankings})
        return
    for path in recordings:
        print(f"{printable(str(path))}: its scores are taken out")
    for who, made in left:
        if made is not None:
            print()
            print_ranking(made, who, titles(store, (), made))


def _steps(advance: Callable[[float], None]) -> Callable[[float], None]:
    """Return a function that is told the share done, for one that is told the step."""
    done = 0.0

    def step(share: float) -> None:
        nonlocal done
        advance(share - done)
        done = share

    return step
