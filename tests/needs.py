"""Skip a test module where a package is not installed, without importing it while tests are collected."""

from __future__ import annotations

import importlib.util

import pytest


def needs(package: str, reason: str) -> None:
    """Skip the module that calls this unless the package is there."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(reason, allow_module_level=True)
