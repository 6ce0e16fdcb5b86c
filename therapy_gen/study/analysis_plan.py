"""The analysis plan by which a listener's recordings are scored: the stored one, or at first the one requested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from therapy_gen.errors import InputError

if TYPE_CHECKING:
    from eeg.settings import Settings
    from sessions.storage.store import Store
    from sessions.studies.analysis_plans import AnalysisPlan


class CriterionError(InputError):
    """The requested criterion is not a scored band."""


def settings_of(plan: AnalysisPlan) -> Settings:
    """Return a plan's scoring parameters; those that an older version did not know have their defaults."""
    from eeg.settings import Settings

    known = {field.name for field in fields(Settings)}
    return Settings(**{name: _frozen(value) for name, value in plan.settings.items() if name in known})


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _frozen(item) for name, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def plan_for(
    store: Store,
    listener: str,
    name: str | None = None,
    *,
    given: Mapping[str, Any] | None = None,
    criterion: tuple[str, bool] | None = None,
) -> AnalysisPlan:
    """Return the plan by which to score a recording.

    Parameters
    ----------
    store : Store
    listener : str
    name : str, optional
        Of the plan; ``"main"`` by default.
    given : mapping, optional
        Parameters of `eeg.settings.Settings` that are asked for; the others are as the plan has them, or else as usual.
    criterion : (str, bool), optional
        The requested criterion, and whether lower is better; by default as the plan has it, or else lower beta.

    Raises
    ------
    InputError
        Where the request differs from a plan that recordings were scored by, so that they would not be comparable.
    """
    from eeg.settings import Settings
    from sessions.storage.tables import MAIN_PLAN
    from sessions.studies.analysis_plans import AnalysisPlan, differences, is_used, list_plans

    name = plan_name(name) if name is not None else MAIN_PLAN
    stored = next((plan for plan in list_plans(store, listener) if plan.name == name), None)
    if stored is not None and not is_used(store, listener, name):
        stored = None
    base = settings_of(stored) if stored else Settings()
    ranked_by = criterion or ((stored.criterion, stored.lower_is_better) if stored else ("beta", True))
    settings = with_criterion(replace(base, **(given or {})), ranked_by[0])
    plan = AnalysisPlan(name, *ranked_by, settings.as_dict())
    if stored is not None and (other := differences(stored, plan)):
        raise InputError(
            f"the analysis plan {name!r} of listener {listener} {other[0]}; score by the plan, give this analysis a "
            "plan of its own with `plan` NAME, or take what was scored by the plan out first with `forget`"
        )
    return plan


def with_criterion(settings: Settings, criterion: str) -> Settings:
    """Return parameters with which the criterion is scored, too: a customary band is added by its name.

    Raises
    ------
    CriterionError
        Where it is neither a scored band nor the name of a customary one.
    """
    from eeg.settings import ASYMMETRY, NAMED_BANDS

    band = criterion.removesuffix(ASYMMETRY)
    if criterion == "both" or band in settings.all_bands:
        return settings
    if band in NAMED_BANDS:
        return replace(settings, bands={**settings.bands, band: NAMED_BANDS[band]})
    known = ", ".join((*settings.all_bands, "both"))
    raise CriterionError(f"{criterion!r} is no criterion; give one of: {known}, or name the band with `band`")


def plan_name(text: str) -> str:
    """Return the name of a plan; InputError where it is not valid."""
    name = text.strip()
    if not name or len(name) > 40 or not name.isprintable():
        raise InputError(f"{text[:60]!r} is no name for an analysis plan; give up to 40 letters")
    return name


def looks(plans: tuple[AnalysisPlan, ...]) -> int:
    """Return how often data were tested: each band of each plan counts."""
    return sum(2 + len(plan.settings.get("bands") or {}) for plan in plans)
