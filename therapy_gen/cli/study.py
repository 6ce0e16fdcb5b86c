"""`therapy-gen study`: a study from its plan to its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from therapy_gen.cli.context import global_options, use_one_thread
from therapy_gen.cli.output import AsJson, count, print_json, print_table, printable, progress, say

if TYPE_CHECKING:
    from eeg.ranking.group import GroupRanking
    from sessions.storage.store import Store
    from sessions.studies.studies import StudyRecord

app = typer.Typer(
    epilog="Example: therapy-gen study new plan.toml",
    help="Studies of several people, from one plan to one report.",
    no_args_is_help=True,
)

PlanFile = Annotated[Path, typer.Argument(metavar="PLAN.toml", help="The study's plan: see docs/studies.md")]


@app.command(epilog="Example: therapy-gen study new calm.toml -o calm")
def new(
    context: typer.Context,
    plan: PlanFile,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Where sound, cue sheets and events are written")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS|local:N", help="Render on a Dask cluster, or in N processes here"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Make a study: its pieces, every session of every participant in balanced orders, and their files.

    The plan holds participants, pieces, repeats, seeds and the analysis, which is fixed with it before there are data.
    """
    options = global_options(context)
    use_one_thread()
    from sessions.errors import NotFoundError
    from sessions.studies.studies import get_study
    from therapy_gen.study.make import make_study, write_study
    from therapy_gen.study.protocol import read_protocol

    protocol = read_protocol(plan)
    store = options.store()
    folder = out if out is not None else Path(protocol.name)
    try:
        study = get_study(store, protocol.name)
    except NotFoundError:
        study = make_study(store, options.section_model(protocol.model, "numpy", protocol.seed), protocol)
    else:
        # It may have been stopped while writing files: what is missing is written now.
        _check_unchanged(study, plan)
        say(f"study {study.name} is stored already; writing what files are missing", quiet=options.quiet)
    from sessions.storage.library import get_session

    total = sum(get_session(store, one.id).duration_s for one in study.sessions) if protocol.audio != "none" else 1.0
    with progress("rendering", total, quiet=options.quiet) as advance:
        files = write_study(store, study, folder, protocol.audio, advance, cluster=cluster)
    people = list(dict.fromkeys(one.participant for one in study.sessions))
    if json:
        print_json(
            {
                "study": study.name,
                "folder": str(folder),
                "pieces": study.protocol["pieces"],
                "sessions": [
                    {"participant": one.participant, "number": one.number, "session": one.id} for one in study.sessions
                ],
                "files": [str(path) for path in files],
            }
        )
        return
    print(
        f"Study {study.name}: {count(len(people), 'participant')}, {count(len(study.sessions), 'session')}, "
        f"{count(len(study.protocol['pieces']), 'piece')}; files in {printable(str(folder))}"
    )
    print(f"Recordings go by the names {people[0]}_ses-1_task-music_eeg.edf and so on; then: therapy-gen study score")


@app.command(epilog="Example: therapy-gen study status calm.toml")
def status(context: typer.Context, plan: PlanFile, json: AsJson = False) -> None:
    """Show who has which recording, and how good they are."""
    from therapy_gen.study.status import flow_of, study_status

    store = global_options(context).store_to_read()
    study = _study(store, plan)
    rows = study_status(store, study)
    flow = flow_of(study, rows)
    if json:
        steps = [{"step": step, "number": number, "left_out": left} for step, number, left in flow.steps()]
        print_json({"study": study.name, "sessions": [row.document() for row in rows], "flow": steps})
        return
    print_table(
        ("participant", "ses", "recording", "channels", "bad", "plays", "usable", "clean"),
        [
            (
                row.participant,
                str(row.number),
                Path(row.file).name,
                str(row.channels),
                str(row.bad_channels),
                str(row.plays),
                str(row.usable),
                f"{row.clean:.0%}",
            )
            if row.recorded
            else (row.participant, str(row.number), "none yet", "", "", "", "", "")
            for row in rows
        ],
        right=(1, 3, 4, 5, 6, 7),
    )
    print()
    for step, number, left in flow.steps():
        print(f"{step}: {number}" + (f" ({left})" if left else ""))


@app.command(epilog="Example: therapy-gen study score calm.toml recordings")
def score(
    context: typer.Context,
    plan: PlanFile,
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING…", help="Recordings with BIDS names, or folders that hold them")
    ],
    offset: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="When sessions began, from the first sample, where files do not say"),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS|local:N", help="Score on a Dask cluster, or in N processes here"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Score all recordings of a study by its analysis plan; failures are listed, and the others are scored.

    Recordings scored before are left alone, so that the command may be given again whenever there are new ones.
    """
    options = global_options(context)
    use_one_thread()
    from therapy_gen.cli.eeg.cluster import score_all, tell
    from therapy_gen.study.batch import FAILED, Outcome, ScoringJob
    from therapy_gen.study.make import analysis_of
    from therapy_gen.study.protocol import read_protocol
    from therapy_gen.study.recording_files import recordings_in, sessions_of

    store = options.store()
    study = _study(store, plan)
    protocol = read_protocol(plan)
    found, without = sessions_of(study, recordings_in(recordings))
    jobs = []
    for path, one in found:
        analysis = analysis_of(store, protocol, one.participant)
        jobs.append(ScoringJob(str(path.absolute()), one.participant, analysis, one.id, offset))
    if without and not jobs:
        raise without[0][2]
    if not jobs:
        from therapy_gen.errors import InputError

        raise InputError(
            "there is no recording with a BIDS name, as sub-01_ses-1_task-music_eeg.edf, in what was named"
        )
    misfits = [Outcome(str(path.absolute()), who, FAILED, str(error)) for path, who, error in without]
    for misfit in misfits:
        say(misfit.reason, quiet=options.quiet)
    tell([*score_all(options, store, jobs, cluster), *misfits], {"study": study.name}, json=json)


@app.command(epilog="Example: therapy-gen study report calm.toml -o calm.html")
def report(
    context: typer.Context,
    plan: PlanFile,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.html", help="Page to write")],
    json: AsJson = False,
) -> None:
    """Write a study as one page: flow and exclusions, the group's ranking, individual differences, every recording."""
    options = global_options(context)
    use_one_thread()
    from sessions.storage.library import titles_of
    from therapy_gen.study.status import study_status
    from therapy_gen.study.study_report import write_study_report

    store = options.store_to_read()
    study = _study(store, plan)
    rows = study_status(store, study)
    people = list(dict.fromkeys(row.participant for row in rows if row.recorded))
    ranking = _ranking(store, people, study.name)
    size = write_study_report(out, study, rows, ranking, titles_of(store, set(study.protocol["pieces"])))
    if json:
        document = None if ranking is None else ranking.as_dict()
        print_json({"report": {"file": str(out), "study": study.name, "bytes": size}, "group": document})
    else:
        print(f"Wrote {printable(str(out))} ({size / 1e3:.0f} kB); open it in a browser")


def _ranking(store: Store, people: list[str], plan: str) -> GroupRanking | None:
    from eeg.errors import TooLittleDataError
    from therapy_gen.study.groups import group_evidence, rank_evidence

    if len(people) < 2:
        return None
    try:
        return rank_evidence(group_evidence(store, people, plan))
    except TooLittleDataError:
        return None


def _study(store: Store, plan: Path) -> StudyRecord:
    """Return the stored study of a plan; the plan must not have changed."""
    from sessions.studies.studies import get_study
    from therapy_gen.study.protocol import read_protocol

    study = get_study(store, read_protocol(plan).name)
    _check_unchanged(study, plan)
    return study


def _check_unchanged(study: StudyRecord, plan: Path) -> None:
    from therapy_gen.errors import InputError
    from therapy_gen.study.protocol import changes, read_protocol

    changed = changes(study.protocol, read_protocol(plan))
    if changed:
        raise InputError(
            f"{plan} was changed after its study was made ({changed[0]}): put it back, or give the study another name"
        )


@app.command(epilog="Example: therapy-gen study bids calm.toml recordings -o calm-bids")
def bids(
    context: typer.Context,
    plan: PlanFile,
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING…", help="Recordings with BIDS names, or folders that hold them")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="New folder for the dataset")],
    offset: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="When sessions began, from the first sample, where files do not say"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Write a study's recordings as a BIDS dataset with sidecars, and band power of each play as derivatives."""
    options = global_options(context)
    use_one_thread()
    from therapy_gen.study.bids import write_bids
    from therapy_gen.study.recording_files import recordings_in

    store = options.store_to_read()
    study = _study(store, plan)
    paths = recordings_in(recordings)
    with progress("writing", float(len(paths)), quiet=options.quiet) as advance:
        written = write_bids(store, study, paths, out, offset_s=offset, done=lambda path: advance(1.0))
    if json:
        print_json({"study": study.name, "folder": str(out), "recordings": [str(path) for path in written]})
    else:
        print(f"{count(len(written), 'recording')} in {printable(str(out))}")
