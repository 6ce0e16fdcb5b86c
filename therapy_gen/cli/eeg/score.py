"""`therapy-gen score-eeg`: recordings -> band power of every play, stored; then the listener's ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eeg.io.formats import names_of_formats
from therapy_gen.cli.context import settings, use_one_thread
from therapy_gen.cli.output import AsJson, brief, clock, print_json, print_table, printable, progress, say

if TYPE_CHECKING:
    from eeg.results import RecordingScore
    from eeg.settings import Settings
    from eeg.timeline.library import Library
    from sessions.storage.store import Store

EPILOG = "Example: therapy-gen score-eeg ana_raw.fif --listener ana --report ana.html"
CRITERIA = ("beta", "gamma", "both")
_LONGEST_OFFSET_S = 30 * 86400.0
# So common, and of one column only, that it is said below the table.
_BELOW = "aperiodic-short"


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
    lower_is_better: Annotated[
        str | None, typer.Option(metavar="beta|gamma|both", help="What to rank by  [default: beta]")
    ] = None,
    higher_is_better: Annotated[
        str | None, typer.Option(metavar="beta|gamma|both", help="The same, the other way round")
    ] = None,
    ica: Annotated[bool, typer.Option("--ica", help="Take out components of eyes and muscles first")] = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Also write a report to read")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which piece is taken to play when")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Take what these recordings were scored out of the database again")
    ] = False,
    json: AsJson = False,
) -> None:
    """Score EEG recordings: beta and gamma power for every piece that played.

    Which piece played when comes from --events, from marks in the recording (piece/ID, session/ID), from its stimulus
    channel, from --session with --offset, or from the log of `session play` and the recording's date. Values are dB
    against the listener's own silence. No direction is good in itself: what to rank by is for you to declare.
    """
    options = settings(context)
    use_one_thread()
    criterion, lower = _criterion(lower_is_better, higher_is_better)
    if len(recordings) > 1 and (events is not None or offset is not None):
        raise typer.BadParameter("--events and --offset speak of one recording; give them with one")
    if offset is not None and not abs(offset) <= _LONGEST_OFFSET_S:
        raise typer.BadParameter(f"--offset {offset:g} is no number of seconds within a month")
    parameters = _settings(picks, beta, gamma, ica)
    codes = _codes(code or ())
    recordings = _each_once(recordings)
    if forget and dry_run:
        raise typer.BadParameter("--forget and --dry-run exclude each other")
    if report is not None:
        from sessions.files import check_file_target

        check_file_target(report)
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
    scores = list(made.values())
    from therapy_gen.study.scoring import listener_of, to_store

    who = listener_of(store, scores, session, listener)
    from sessions.storage.recordings import store_recordings
    from therapy_gen.cli.eeg.rank import print_ranking, ranking_document, titles
    from therapy_gen.study.posterior import Ranker

    ranker = Ranker()
    rows = [to_store(score, session, criterion, lower) for score in scores]
    replaced = store_recordings(store, rows, ranker, listener=who)
    ranking = ranker.made[who]
    names = titles(store, {play.piece for score in scores for play in score.plays if play.piece}, ranking)
    if report is not None:
        from eeg.report.report import write_report

        write_report(report, scores, ranking, names=names, listener=who)
        say(f"report: {report}", quiet=options.quiet)
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
        _print_score(score, names, again=score.sha256 in replaced)
    if ranking is not None:
        print_ranking(ranking, who, names)


def _criterion(lower: str | None, higher: str | None) -> tuple[str, bool]:
    if lower is not None and higher is not None:
        raise typer.BadParameter("--lower-is-better and --higher-is-better exclude each other")
    chosen = lower or higher or "beta"
    if chosen not in CRITERIA:
        raise typer.BadParameter(f"{chosen!r} is no criterion; give one of: {', '.join(CRITERIA)}")
    return chosen, higher is None


def _settings(picks: str, beta: str, gamma: str, ica: bool) -> Settings:
    from eeg.settings import Settings, parse_band

    names = tuple(name.strip() for name in picks.split(",") if name.strip())
    return Settings(
        beta=parse_band(beta),
        gamma=parse_band(gamma),
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


def _print_score(score: RecordingScore, names: Mapping[str, str], *, again: bool) -> None:
    from eeg.results import FLAGS

    channels = f"{len(score.scored_channels)} of {len(score.channels)} channels"
    line = f", line {score.line_freq:g} Hz" if score.line_freq else ""
    stored = "scored again" if again else "scored"
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
    print_table(
        ("at", "title", "clean", "beta", "gamma", "beta over 1/f", "muscle", "flags"),
        [
            (
                clock(play.onset_s),
                names.get(play.piece or "", play.piece or ""),
                f"{clock(play.clean_s)} of {clock(play.duration_s)}",
                _db(play.beta_db),
                _db(play.gamma_db),
                _db(play.beta_adjusted_db),
                _db(play.muscle_db),
                " ".join(flag for flag in play.flags if flag != _BELOW),
            )
            for play in score.plays
        ],
        right=(0, 2, 3, 4, 5, 6),
    )
    for flag in dict.fromkeys(flag for play in score.plays for flag in play.flags):
        which = dict.fromkeys(play.piece or "" for play in score.plays if flag in play.flags)
        titles = ", ".join(brief(names.get(piece, piece)) for piece in which)
        print(printable(f"{flag}: {FLAGS[flag]}" + (f" ({titles})" if flag == _BELOW else "")))
    print()


def _db(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"
