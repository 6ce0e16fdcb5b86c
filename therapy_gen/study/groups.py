"""Ranking over listeners: their stored evidence under one analysis plan, and the group's ranking."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from therapy_gen.errors import InputError

if TYPE_CHECKING:
    from eeg.ranking.group import GroupRanking
    from sessions.storage.evidence import Evidence
    from sessions.storage.store import Store


def group_evidence(store: Store, listeners: Sequence[str] | None = None, plan: str | None = None) -> list[Evidence]:
    """Return the evidence of listeners who have recordings, all analysed the same way.

    Parameters
    ----------
    store : Store
    listeners : sequence of str, optional
        Who; all by default.
    plan : str, optional
        Name of the analysis plan: only listeners who have one of that name count. By default the main plan.

    Raises
    ------
    InputError
        Where nobody has such a plan, there are fewer than two listeners, or their plans differ.
    """
    from sessions.storage.evidence import evidence_of
    from sessions.storage.recordings import listeners_with_evidence
    from sessions.studies.analysis_plans import differences

    known = listeners if listeners is not None else [name for name in listeners_with_evidence(store) if name]
    every = list({one.listener: one for one in (evidence_of(store, name) for name in known)}.values())
    if plan is not None:
        planned = {one.listener: [own.name for own in one.plans] for one in every}
        if every and not any(plan in names for names in planned.values()):
            there = dict.fromkeys(name for names in planned.values() for name in names)
            raise InputError(f"there is no analysis plan {plan!r}; give one of: {', '.join(there)}")
        every = [evidence_of(store, name, plan) for name, names in planned.items() if plan in names]
    found = [one for one in every if one.recordings]
    if len(found) < 2:
        by_plan = "" if plan is None else f" by plan {plan}"
        raise InputError(
            f"a group needs two listeners with recordings scored{by_plan}, and there {_how_many(found)}; to score one: "
            f"therapy-gen score-eeg RECORDING --listener NAME{'' if plan is None else f' --plan {shlex.quote(plan)}'}"
        )
    first = found[0]
    for one in found[1:]:
        other = differences(first.plan, one.plan)
        if other:
            raise InputError(
                f"the analysis plans of {first.listener} and {one.listener} differ: the first {other[0]}; "
                "score them by one plan (`plan` NAME), and rank the group by it, or leave one out (`listener` NAME for "
                "each who is to count)"
            )
    return found


def _how_many(found: Sequence[Evidence]) -> str:
    return f"is 1, {found[0].listener}" if found else "is none"


def without_plays(evidence: Sequence[Evidence], listeners: Sequence[str] | None = None) -> list[str]:
    """Return who does not count in a group's ranking: those of `listeners` without recordings, or without clean plays.

    Parameters
    ----------
    evidence : sequence of Evidence
        As `group_evidence` gave it.
    listeners : sequence of str, optional
        Who were asked for.
    """
    from sessions.storage.listeners import listener_name
    from therapy_gen.study.posterior import observations_of

    counting = {one.listener for one in evidence if any(row.piece is not None for row in observations_of(one))}
    names = [*(listener_name(name) for name in listeners or ()), *(str(one.listener) for one in evidence)]
    return [name for name in dict.fromkeys(names) if name not in counting]


def rank_evidence(evidence: Sequence[Evidence]) -> GroupRanking:
    """Rank pieces by the evidence of several listeners.

    Raises
    ------
    TooLittleDataError
        Where fewer than two of them have plays with enough clean data.
    """
    from eeg.ranking.group import rank_group
    from therapy_gen.study.posterior import observations_of

    plan = evidence[0].plan
    return rank_group(
        {str(one.listener): observations_of(one) for one in evidence},
        criterion=plan.criterion,
        lower_is_better=plan.lower_is_better,
        use_muscle=bool(plan.settings.get("muscle", True)),
    )
