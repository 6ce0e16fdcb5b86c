"""Change code a little, one change at a time, and count how many changes a test notices.

pip install cosmic-ray coverage
python benchmarks/program/mutation.py ranking --out ranking.jsonl [--sample 80] [--seed 1]

The changes are Cosmic Ray's. Each is made in a clone of HEAD and tried against the tests that run the changed line,
quickest first, as many as fit into `--budget` processor seconds; a change that only slower tests would notice counts as
one that survived, as does a change of a line that no test of the area runs. Results are appended as they come, and a
second start with the same file goes on behind them.
"""

from __future__ import annotations

import argparse
import ast
import collections
import contextlib
import difflib
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(subprocess.run(["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True).stdout.strip())


@dataclass(frozen=True)
class Area:
    """Code to change, and the files of tests that are to notice."""

    code: tuple[str, ...]
    tests: tuple[str, ...]


AREAS = {
    "ranking": Area(
        ("eeg/ranking/*.py",),
        (
            "tests/eeg/test_ranking*.py",
            "tests/eeg/test_group.py",
            "tests/eeg/test_mixed_model.py",
            "tests/eeg/test_docs.py",
            "tests/study/test_orders.py",
        ),
    ),
    "calmness": Area(
        ("therapy_gen/music/analysis/*.py",),
        ("tests/music/test_calmness*.py", "tests/music/test_tension.py", "tests/music/test_statistics.py"),
    ),
    "planning": Area(
        ("sessions/planning/*.py",),
        (
            "tests/sessions/test_plan*.py",
            "tests/sessions/test_arcs.py",
            "tests/sessions/test_choosing.py",
            "tests/sessions/test_counterbalance.py",
            "tests/sessions/test_register.py",
            "tests/sessions/test_metre.py",
            "tests/sessions/test_study_sessions.py",
        ),
    ),
    "storage": Area(
        ("sessions/storage/*.py",),
        (
            "tests/sessions/test_store*.py",
            "tests/sessions/test_schema.py",
            "tests/sessions/test_library.py",
            "tests/sessions/test_playlog.py",
            "tests/sessions/test_columns.py",
            "tests/sessions/test_choosing.py",
            "tests/sessions/test_study_sessions.py",
            "tests/reliability/test_pseudonyms.py",
            "tests/reliability/test_schemas.py",
            "tests/cli/test_completion.py",
            "tests/cli/test_listeners.py",
            "tests/cli/test_piece_import.py",
            "tests/cli/test_recorded_pieces.py",
            "tests/cli/test_score_eeg.py",
        ),
    ),
}

# What is imported before the first test, once for all changes: none of it is ours.
FIRST = (
    "numpy",
    "scipy.signal",
    "scipy.stats",
    "sqlalchemy.orm",
    "alembic.command",
    "typer",
    "rich.table",
    "hypothesis",
)

# Operators whose results differ only in style (`==` and `is`), and those that need names to put in.
LEFT_OUT = re.compile(r"ReplaceComparisonOperator_(?!Is)\w+_Is(Not)?$|Variable|ExceptionReplacer")


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    file: str
    line: int
    operator: str
    code: str

    def diff(self, original: str) -> str:
        """Return the changed lines."""
        lines = difflib.unified_diff(original.splitlines(), self.code.splitlines(), lineterm="", n=0)
        return "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def stripped(code: str) -> str:
    """Return a module's syntax without annotations, which no run reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(tree)


def mutants(files: list[Path], root: Path, rng: random.Random) -> Iterator[Mutant]:
    """Draw places of all files, each once, and one change of each."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    operators = {name: get_operator(name)() for name in operator_names() if not LEFT_OUT.search(name)}
    places: dict[tuple[Path, tuple[int, int]], list[tuple[str, int]]] = collections.defaultdict(list)
    for path in files:
        nodes = list(ast_nodes(get_ast(path.read_text(encoding="utf-8"))))
        for name, operator in operators.items():
            found = [place for node in nodes for place in operator.mutation_positions(node)]
            for occurrence, (start, _) in enumerate(found):
                places[path, start].append((name, occurrence))
    order = sorted(places)
    rng.shuffle(order)
    for path, start in order:
        name, occurrence = rng.choice(sorted(places[path, start]))
        original = path.read_text(encoding="utf-8")
        changed = mutate_code(original, operators[name], occurrence)
        with contextlib.suppress(SyntaxError):
            if changed is not None and stripped(changed) != stripped(original):
                yield Mutant(str(path.relative_to(root)), start[0], name.removeprefix("core/"), changed)


# pytest wants plugins that can be told apart.
@dataclass(eq=False)
class Tests:
    """What each test runs and how long it takes: a plugin of pytest."""

    coverage: Any
    seconds: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    fixtures: dict[str, set[str]] = field(default_factory=lambda: collections.defaultdict(set))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Count what is run from here on as this test's."""
        self.now = nodeid
        self.started = time.process_time()
        self.coverage.switch_context(nodeid)

    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> None:
        """Count what a fixture of several tests runs as run by each of them."""
        self.fixtures[fixturedef.argname].add(self.now)
        if fixturedef.scope != "function":
            self.coverage.switch_context(f"fixture {fixturedef.argname}")

    def pytest_runtest_call(self, item: Any) -> None:
        """Count what the test itself runs as its own again."""
        for name in item.fixturenames:
            self.fixtures[name].add(item.nodeid)
        self.coverage.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note tests that fail or skip without any change."""
        if report.outcome != "passed":
            self.failed.add(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note how long the test took."""
        self.seconds[nodeid] = time.process_time() - self.started


def survey(root: Path, area: Area, files: list[Path], out: Path) -> None:
    """Run the area's tests once without a change and write down which line is run by which test."""
    import coverage
    import pytest

    cover = coverage.Coverage(data_file=None, include=[str(path) for path in files])
    tests = Tests(cover)
    cover.start()
    paths = sorted({str(path) for pattern in area.tests for path in root.glob(pattern)})
    pytest.main([*PYTEST, *paths], plugins=[tests])
    cover.stop()
    data = cover.get_data()
    lines: dict[str, dict[str, list[str]]] = {}
    for path in files:
        by_line = data.contexts_by_lineno(str(path))
        lines[str(path.relative_to(root))] = {
            str(line): sorted({test for context in contexts for test in expanded(context, tests) if context})
            for line, contexts in by_line.items()
        }
    passed = {test: seconds for test, seconds in tests.seconds.items() if test not in tests.failed}
    out.write_text(json.dumps({"lines": lines, "seconds": passed, "failed": sorted(tests.failed)}))


def expanded(context: str, tests: Tests) -> set[str]:
    """Return the tests of a context: a test, or all that use a fixture."""
    return tests.fixtures[context.removeprefix("fixture ")] if context.startswith("fixture ") else {context}


PYTEST = ("-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not long and not hours", "--no-header", "-rN")


def in_child(work: Any, cpu_s: float, log: Path) -> str:
    """Run `work` in a child: `passed`, `killed`, `timeout` by processor time, or `stalled` by the clock.

    What stalls may have waited for a busy machine: it is not counted as noticed, and `--again` tries it again.
    """
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        limit = int(cpu_s) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 2))
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        status = 3
        try:
            status = int(work() or 0)
        finally:
            sys.stdout.flush()
            os._exit(status)
    until = time.monotonic() + 8 * cpu_s + 60
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "stalled"
        time.sleep(0.02)
    if os.WIFSIGNALED(status):
        return "timeout"
    return "passed" if os.waitstatus_to_exitcode(status) == 0 else "killed"


def chosen_tests(found: dict[str, Any], mutant: Mutant, end: int, budget: float) -> list[str]:
    """Return the tests that run the changed line, or, for what runs on import, the file; quickest first."""
    lines = found["lines"].get(mutant.file, {})
    covering = {test for line in range(mutant.line, end + 1) for test in lines.get(str(line), ())}
    if not covering and any(str(line) in lines for line in range(mutant.line, end + 1)):
        covering = {test for tests in lines.values() for test in tests}
    seconds = found["seconds"]
    tests, spent = [], 0.0
    for test in sorted(covering & set(seconds), key=lambda test: seconds[test]):
        spent += seconds[test]
        if spent > budget and tests:
            break
        tests.append(test)
    return tests


def statement_end(code: str, line: int) -> int:
    """Return the last line of the simple statement, or of the head of the compound one, that holds a line."""
    best = line
    smallest = 10**9
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and node.lineno <= line <= (node.end_lineno or 0):
            size = (node.end_lineno or 0) - node.lineno
            if size < smallest:
                smallest, best = size, node.end_lineno or line
    return best


def clone(area: Area) -> tuple[Path, list[Path]]:
    """Return a clone of HEAD and the files of an area in it."""
    root = Path(tempfile.mkdtemp(prefix="mutation-")) / "clone"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(root)], check=True)
    if (ROOT.parent / "shared").exists():
        (root.parent / "shared").symlink_to((ROOT.parent / "shared").resolve())
    return root, sorted(path for pattern in area.code for path in root.glob(pattern) if path.name != "__init__.py")


def prepare(root: Path) -> None:
    """Make this process, and those it starts, run the clone."""
    sys.dont_write_bytecode = True
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(root), OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    os.chdir(root)
    sys.path[:] = [
        str(root),
        *(entry for entry in sys.path if Path(entry).resolve() not in (ROOT, Path(__file__).resolve().parent)),
    ]
    for name in FIRST:
        with contextlib.suppress(ImportError):
            __import__(name)


def tried(root: Path, mutant: Mutant, found: dict[str, Any], budget: float) -> dict[str, Any]:
    """Make one change, run the tests, take it back, and return what came of it."""
    import pytest

    path = root / mutant.file
    original = path.read_text(encoding="utf-8")
    tests = chosen_tests(found, mutant, statement_end(original, mutant.line), budget)
    started = time.monotonic()
    outcome = "uncovered"
    if tests:
        expected = sum(found["seconds"][test] for test in tests)
        path.write_text(mutant.code, encoding="utf-8")
        try:
            arguments = [*PYTEST, "-x", *tests]
            outcome = in_child(lambda: pytest.main(arguments), 3 * expected + 30, root.parent / "log")
        finally:
            path.write_text(original, encoding="utf-8")
    return {
        "file": mutant.file,
        "line": mutant.line,
        "operator": mutant.operator,
        "outcome": {"passed": "survived"}.get(outcome, outcome),
        "tests": len(tests),
        "wall_s": round(time.monotonic() - started, 1),
        "diff": mutant.diff(original),
    }


def summary(results: list[dict[str, Any]], name: str) -> str:
    """Return one line of figures."""
    counts = collections.Counter(result["outcome"] for result in results)
    killed = counts["killed"] + counts["timeout"]
    return f"{name}: {killed} of {len(results)} noticed, {killed / max(len(results), 1):.0%} ({dict(counts)})"


def main() -> None:
    """Draw, try, and append."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("area", choices=AREAS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=float, default=20.0, help="processor seconds of tests for one change")
    parser.add_argument("--again", type=Path, help="try only what survived in this file")
    parser.add_argument("--survey", type=Path, help="what each test runs, kept here for a second start at this commit")
    options = parser.parse_args()
    out = options.out.resolve()
    survey_file = options.survey and options.survey.resolve()
    before = [json.loads(line) for line in options.again.read_text().splitlines()] if options.again else None
    area = AREAS[options.area]
    root, files = clone(area)
    prepare(root)
    table = survey_file or root.parent / "tests.json"
    if not table.exists():
        in_child(lambda: survey(root, area, files, table), 3600, root.parent / "log")
    found = json.loads(table.read_text())
    print(
        f"{len(found['seconds'])} tests, {sum(found['seconds'].values()):.0f} s; left out: {found['failed']}",
        flush=True,
    )
    results = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    known = {(one["file"], one["diff"]) for one in results}
    wanted = {
        (one["file"], one["diff"]) for one in before or () if one["outcome"] in ("survived", "uncovered", "stalled")
    }
    for mutant in mutants(files, root, random.Random(options.seed)):
        key = (mutant.file, mutant.diff((root / mutant.file).read_text(encoding="utf-8")))
        if (before is not None and key not in wanted) or key in known:
            continue
        if len(results) >= options.sample:
            break
        results.append(tried(root, mutant, found, options.budget))
        with out.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(results[-1]) + "\n")
    print(summary(results, options.area))


if __name__ == "__main__":
    main()
