"""A study as one page: flow of participants, recordings and plays, the group's ranking, every recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sessions.export_paths import check_file_target, write_bytes
from sessions.reports.charts import Interval, intervals
from sessions.reports.session_report import NO_CLAIM
from therapy_gen.pages.html import render
from therapy_gen.study.status import SessionStatus, flow_of
from therapy_gen.text import criterion_text

if TYPE_CHECKING:
    from eeg.ranking.group import GroupRanking
    from sessions.studies.studies import StudyRecord


def write_study_report(
    path: Path,
    study: StudyRecord,
    status: Sequence[SessionStatus],
    ranking: GroupRanking | None,
    titles: Mapping[str, str],
) -> int:
    """Write a study's page, whole or not at all, and return its size in bytes.

    Parameters
    ----------
    path : Path
    study : StudyRecord
    status : sequence of SessionStatus
    ranking : GroupRanking or None
        None where fewer than two participants were recorded.
    titles : mapping of str to str
        Of the pieces.

    Raises
    ------
    ExportError
        Where the file cannot be written.
    """
    check_file_target(path)
    protocol = study.protocol
    pieces = ranking.pieces if ranking is not None else ()
    rows = [Interval(titles.get(one.piece, one.piece), one.mean_db, *one.ci90_db) for one in pieces]
    content = render(
        "therapy_gen.study",
        "study.html",
        title=f"Study {study.name}",
        study=study.name,
        created=f"{study.created:%Y-%m-%d %H:%M} UTC",
        participants=len(protocol["participants"]),
        pieces=len(protocol["pieces"]),
        repeats=protocol["repeats"],
        direction="less" if protocol["lower_is_better"] else "more",
        measure=criterion_text(protocol["criterion"]),
        flow=[[step, str(number), left] for step, number, left in flow_of(study, status).steps()],
        verdict=_verdict(ranking),
        chart=intervals(rows, "Pieces over all participants with 90 % intervals") if rows else "",
        ranked=[
            [
                str(one.rank),
                titles.get(one.piece, one.piece),
                f"{one.mean_db:+.2f}",
                f"{one.ci90_db[0]:+.2f} to {one.ci90_db[1]:+.2f}",
                f"{one.p_best:.2f}",
                str(one.listeners),
                str(one.plays),
            ]
            for one in pieces
        ],
        between=_sd(ranking.between_db) if ranking else "",
        music_between=_sd(ranking.music_between_db) if ranking else "",
        differing=[
            [
                one.listener,
                titles.get(one.piece, one.piece),
                f"{one.mean_db:+.2f}",
                f"{one.ci90_db[0]:+.2f} to {one.ci90_db[1]:+.2f}",
            ]
            for one in (ranking.differences if ranking else ())
            if one.differs
        ],
        recordings=[_recording(one) for one in status],
        failed=[],
        no_claim=NO_CLAIM,
    ).encode()
    write_bytes(path, content)
    return len(content)


def _verdict(ranking: GroupRanking | None) -> str:
    if ranking is None:
        return "A group needs two participants with scored recordings."
    return ranking.reason[0].upper() + ranking.reason[1:] + "."


def _sd(value: tuple[float, tuple[float, float]]) -> str:
    mean, (low, high) = value
    return f"{mean:.2f} dB ({low:.2f} to {high:.2f})"


def _recording(one: SessionStatus) -> list[str]:
    who = [one.participant, str(one.number)]
    if not one.recorded:
        return [*who, "none yet", "", "", "", "", ""]
    # The file name alone: reports are shared, and should not show the folders of whoever made them.
    facts = [str(one.channels), str(one.bad_channels), str(one.plays), str(one.usable), f"{one.clean:.0%}"]
    return [*who, Path(one.file).name, *facts]
