"""Public names of a package, imported when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def public_names(package: str, places: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package whose public names are in its modules (PEP 562).

    Parameters
    ----------
    package : str
        Its `__name__`.
    places : mapping of str to str
        Public name to its module, as ``"sessions.storage.store"``; ``"module:name"`` where it has another name there.
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = places[name].partition(":")
        return getattr(import_module(module), attribute or name)

    return get, lambda: sorted(places)
