"""The Python interface: public names, found when they are used."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PACKAGES = ("therapy_gen", "sessions", "eeg", "therapy_gen.study")
NAMES = [(package, name) for package in PACKAGES for name in importlib.import_module(package).__all__]


@pytest.mark.parametrize(("package", "name"), NAMES, ids=lambda value: str(value))
def test_public_names_are_there_and_listed(package: str, name: str) -> None:
    module = importlib.import_module(package)
    assert getattr(module, name) is not None
    assert name in dir(module)


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match=package):
        _ = importlib.import_module(package).nothing


def test_importing_the_packages_imports_nothing_of_weight() -> None:
    code = (
        "import sys, therapy_gen, sessions, eeg, therapy_gen.study;"
        "print([m for m in ('numpy', 'sqlalchemy', 'mne', 'scipy', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_program_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "therapy_gen", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("therapy-gen ")


def test_another_projects_package_of_our_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "eeg").mkdir()
    (tmp_path / "eeg" / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "therapy_gen", "--home", str(tmp_path), "score-eeg", "rec.fif"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the package 'eeg' that Python finds")
    assert len(done.stderr.splitlines()) == 1


def test_the_whole_way_in_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mne")
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).resolve().parents[1] / "docs" / "python.md"
    said: list[str] = []
    test = doctest.DocTestParser().get_doctest(page.read_text(encoding="utf-8"), {}, page.name, str(page), 0)
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert result.attempted > 20
    assert result.failed == 0, "".join(said)


@pytest.mark.parametrize(("package", "name"), NAMES, ids=lambda value: str(value))
def test_every_public_name_has_an_example_that_runs(
    package: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Any = getattr(importlib.import_module(package), name)
    if isinstance(made, str):
        return
    monkeypatch.chdir(tmp_path)
    text = inspect.getdoc(made) or ""
    test = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    runnable = [example for example in test.examples if not example.options.get(doctest.SKIP)]
    assert runnable, f"{package}.{name} has no example that runs"
    assert len(runnable) == len(test.examples), f"{package}.{name} has an example that does not run"
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(
        test, out=said.append
    )
    assert result.failed == 0, "".join(said)
