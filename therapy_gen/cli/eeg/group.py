"""`therapy-gen rank --group`: what recordings of several listeners say about the pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from therapy_gen.cli.output import brief, count, print_table, printable
from therapy_gen.text import criterion_text

if TYPE_CHECKING:
    from eeg.ranking.group import GroupRanking
    from sessions.storage.evidence import Evidence

_LONGEST_TITLE = 22
_DIFFERENCES_SHOWN = 5


def group_document(ranking: GroupRanking, evidence: Sequence[Evidence], left_out: Sequence[str]) -> dict[str, Any]:
    """Return what `rank --group --json` prints."""
    plan = evidence[0].plan
    return {
        **ranking.as_dict(),
        "group": [one.listener for one in evidence if one.listener not in left_out],
        "without_plays": list(left_out),
        "plan": plan.name,
        "settings": dict(plan.settings),
        "versions": dict(evidence[0].versions),
    }


def print_group(
    ranking: GroupRanking, evidence: Sequence[Evidence], left_out: Sequence[str], names: Mapping[str, str]
) -> None:
    """Print a group's ranking as a table, its verdict first, and who differs."""
    want = "lower" if ranking.lower_is_better else "higher"
    print(
        f"Ranking over {count(ranking.listeners, 'listener')} by {criterion_text(ranking.criterion)}, {want} is better "
        "(as declared): "
        f"{count(ranking.plays, 'play')} in {count(ranking.recordings, 'recording')}"
    )
    print(ranking.reason[0].upper() + ranking.reason[1:])
    print()
    print_table(
        ("", "title", "dB", "90 % interval", "P(best)", "rank", "listeners", "plays", "piece"),
        [
            (
                str(piece.rank),
                names.get(piece.piece, "")[:_LONGEST_TITLE],
                f"{piece.mean_db:+.2f}",
                "{:+.2f} to {:+.2f}".format(*piece.ci90_db),
                f"{piece.p_best:.2f}",
                f"{piece.expected_rank:.1f}",
                str(piece.listeners),
                str(piece.plays),
                piece.piece[:10],
            )
            for piece in ranking.pieces
        ],
        right=(0, 2, 3, 4, 5, 6, 7),
    )
    print()
    print("dB against silence" if ranking.against_silence else "dB against the mean of all plays")
    spread, (low, high) = ranking.between_db
    print(f"SD between listeners, of a piece: {spread:.2f} dB ({low:.2f} to {high:.2f})")
    if ranking.against_silence:
        spread, (low, high) = ranking.music_between_db
        print(f"SD between listeners, of music as a whole: {spread:.2f} dB ({low:.2f} to {high:.2f})")
    differing = [one for one in ranking.differences if one.differs]
    if not differing:
        print("nobody differs from the group in any piece by more than chance explains")
    for one in differing[:_DIFFERENCES_SHOWN]:
        title = brief(names.get(one.piece, one.piece))
        print(
            printable(
                f"{one.listener} differs in {title}: {one.mean_db:+.2f} dB "
                f"({one.ci90_db[0]:+.2f} to {one.ci90_db[1]:+.2f})"
            )
        )
    if left_out:
        print(printable(f"without clean plays, not counted: {', '.join(left_out)}"))
    print(printable(f"plan {evidence[0].plan.name}"))
