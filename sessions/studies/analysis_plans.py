"""Analysis plans of listeners: how recordings are scored and what pieces are ranked by, fixed with the first one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sessions.errors import ConflictError
from sessions.storage.listeners import find_listener, is_listener
from sessions.storage.store import Store
from sessions.storage.tables import MAIN_PLAN, AnalysisPlanRow, RecordingRow

# Settings that do not change results.
_WITHOUT_EFFECT = {"threads"}


@dataclass(frozen=True)
class AnalysisPlan:
    """How a listener's recordings are analysed.

    Attributes
    ----------
    name : str
    criterion : str
        What pieces are ranked by.
    lower_is_better : bool
    settings : mapping
        Parameters of the scoring, plain values.
    """

    name: str
    criterion: str
    lower_is_better: bool
    settings: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "criterion": self.criterion,
            "lower_is_better": self.lower_is_better,
            "settings": dict(self.settings),
        }


def list_plans(store: Store, listener: str) -> list[AnalysisPlan]:
    """Return a listener's plans, the main one first; none where there is no such listener."""
    if not is_listener(store, listener):
        return []
    with store.read() as database:
        return plans_of(database, find_listener(database, listener).id)


def plans_of(database: Session, listener_id: int | None) -> list[AnalysisPlan]:
    """Return the plans of a listener by number, the main one first."""
    query = select(AnalysisPlanRow).where(AnalysisPlanRow.listener_id == listener_id).order_by(AnalysisPlanRow.id)
    found = [_plan(row) for row in database.scalars(query)]
    return sorted(found, key=lambda plan: plan.name != MAIN_PLAN)


def put_plan(database: Session, listener_id: int, plan: AnalysisPlan) -> None:
    """Store a plan; one that recordings were scored by is never changed.

    Raises
    ------
    ConflictError
        Where the listener has another plan of that name, which recordings were scored by.
    """
    own = AnalysisPlanRow.listener_id == listener_id
    row = database.scalar(select(AnalysisPlanRow).where(own, AnalysisPlanRow.name == plan.name))
    if row is None:
        database.add(
            AnalysisPlanRow(
                listener_id=listener_id,
                name=plan.name,
                criterion=plan.criterion,
                lower_is_better=plan.lower_is_better,
                settings=dict(plan.settings),
            )
        )
        return
    other = differences(_plan(row), plan)
    if other and _is_used(database, listener_id, plan.name):
        raise ConflictError(f"the plan {plan.name} changed while recordings were scored ({other[0]}); score them again")
    row.criterion, row.lower_is_better, row.settings = plan.criterion, plan.lower_is_better, dict(plan.settings)


def is_used(store: Store, listener: str, name: str) -> bool:
    """Say whether a listener has recordings that were scored by a plan."""
    with store.read() as database:
        return _is_used(database, find_listener(database, listener).id, name)


def _is_used(database: Session, listener_id: int, name: str) -> bool:
    query = select(RecordingRow.id).where(RecordingRow.listener_id == listener_id, RecordingRow.plan == name).limit(1)
    return database.scalar(query) is not None


def differences(plan: AnalysisPlan, other: AnalysisPlan) -> list[str]:
    """Return how two analyses differ, one line each, with the value of `plan` first."""
    found = settings_differences(plan.settings, other.settings)
    if (plan.criterion, plan.lower_is_better) != (other.criterion, other.lower_is_better):
        found.insert(0, f"ranks by {_direction(plan)}, not {_direction(other)}")
    return found


def settings_differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[str]:
    """Return where scoring parameters differ; one that only one of them has is not a difference."""
    found = []
    for name in sorted(one.keys() & two.keys() - _WITHOUT_EFFECT):
        here, there = _plain(one[name]), _plain(two[name])
        if here != there:
            found.append(f"has {name} {_shown(here)}, not {_shown(there)}")
    return found


def _direction(plan: AnalysisPlan) -> str:
    return f"{'less' if plan.lower_is_better else 'more'} {plan.criterion}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list):
        if len(value) == 2 and all(isinstance(item, int | float) for item in value):
            return f"{value[0]:g}-{value[1]:g}"
        return ",".join(map(str, value))
    return (
        {None: "automatic", True: "on", False: "off"}.get(value, str(value))
        if not isinstance(value, float)
        else (f"{value:g}")
    )


def _plan(row: AnalysisPlanRow) -> AnalysisPlan:
    return AnalysisPlan(row.name, row.criterion, row.lower_is_better, row.settings)
