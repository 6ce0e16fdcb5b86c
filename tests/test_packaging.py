"""What is shipped: locks, wheel, arrows between packages, and what a command imports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
LOCKS = sorted(path.stem for path in (ROOT / "requirements").glob("*.lock"))
HEAVY = {
    "bokeh",
    "jax",
    "keras",
    "librosa",
    "magenta",
    "matplotlib",
    "mne",
    "music21",
    "note_seq",
    "numba",
    "partitura",
}
HEAVY |= {"pandas", "tensorflow", "tf_keras", "torch"}
PACKAGES = ("therapy_gen", "eeg", "sessions")


def read_lock(name: str) -> list[Requirement]:
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    return [Requirement(line.rstrip("\\").strip()) for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]


def declared(extra: str) -> list[Requirement]:
    """Every requirement that an extra declares, those of the extras it names included."""
    texts = PYPROJECT["project"]["dependencies"] if extra == "base" else EXTRAS[extra]
    found = []
    for requirement in map(Requirement, texts):
        if canonicalize_name(requirement.name) == "therapy-gen":
            found += [r for name in requirement.extras for r in declared(name)]
        else:
            found.append(requirement)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_every_package_with_a_hash_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    assert "://" not in text
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)[1:]
    assert blocks
    assert [block.splitlines()[0] for block in blocks if "==" not in block or "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("name", LOCKS)
def test_lock_satisfies_what_pyproject_declares(name: str) -> None:
    locked: dict[str, list[str]] = {}
    for requirement in read_lock(name):
        version = str(requirement.specifier).removeprefix("==")
        locked.setdefault(canonicalize_name(requirement.name), []).append(version)
    behind = [
        str(requirement)
        for requirement in declared("base") + (declared(name) if name != "base" else [])
        if not any(requirement.specifier.contains(v) for v in locked.get(canonicalize_name(requirement.name), []))
    ]
    assert behind == [], "run requirements/compile"


@pytest.mark.parametrize("name", [name for name in LOCKS if name != "dev"])
def test_locks_agree_with_each_other(name: str) -> None:
    versions, dev = ({(r.name, str(r.specifier)) for r in read_lock(lock)} for lock in (name, "dev"))
    known = {package for package, _ in dev}
    # What measurements alone compare with is in no other lock.
    assert {one for one in versions - dev if name != "benchmarks" or one[0] in known} == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out], cwd=ROOT, check=True)
    (path,) = out.glob("therapy_gen-*.whl")
    return path


def test_wheel_carries_packages_migrations_and_model(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(n for n in names if n.endswith("entry_points.txt"))
        assert "therapy-gen = therapy_gen.cli.main:main" in archive.read(metadata).decode()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)
    assert "sessions/migrations/env.py" in names
    assert any(re.fullmatch(r"sessions/migrations/versions/\w+\.py", name) for name in names)
    assert "therapy_gen/assets/calm.safetensors" in names
    assert {"therapy_gen/pages/templates/page.css", "sessions/reports/templates/player.js"} <= names
    assert any(re.fullmatch(r"therapy_gen/assets/.*\.md", name) for name in names), "the model card"
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_wheel_carries_every_module_of_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py")}
    assert modules - names == set()
    assert {f"{package}/py.typed" for package in PACKAGES} - names == set()


def test_embedded_model_is_under_12_megabytes() -> None:
    assert (ROOT / "therapy_gen/assets/calm.safetensors").stat().st_size < 14e6


def test_arrows_between_packages() -> None:
    command = [Path(sys.executable).parent / "lint-imports", "--config", ROOT / "pyproject.toml", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


LIST_MODULES = """
import json, sys
from therapy_gen.cli.main import main
try:
    status = main()
except SystemExit as leaving:
    status = leaving.code
print(json.dumps([status or 0, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def modules_after(home: Path, *arguments: str) -> set[str]:
    """Run a command in a process of its own and return the packages that it has imported."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, *arguments],
        env={**os.environ, "THERAPY_GEN_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    status, modules = json.loads(done.stderr.splitlines()[-1])
    assert status == 0, done.stderr
    return set(modules)


@pytest.fixture(scope="module")
def home_after_session_new(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    home = tmp_path_factory.mktemp("home")
    return home, modules_after(home, "session", "new", "--minutes", "3", "--seed", "1")


def test_a_new_session_imports_nothing_heavy(home_after_session_new: tuple[Path, set[str]]) -> None:
    assert HEAVY & home_after_session_new[1] == set()


@pytest.mark.parametrize(
    "command", ["session list", "session show 1", "export --session 1 --format midi -o {home}/out"]
)
def test_reading_a_session_imports_nothing_heavy(command: str, home_after_session_new: tuple[Path, set[str]]) -> None:
    home, _ = home_after_session_new
    assert HEAVY & modules_after(home, *command.format(home=home).split()) == set()


@pytest.mark.parametrize("command", ["--help", "--version", "session --help"])
def test_help_imports_neither_numbers_nor_database(command: str, tmp_path: Path) -> None:
    assert (HEAVY | {"numpy", "scipy", "sqlalchemy", "alembic"}) & modules_after(tmp_path, *command.split()) == set()
