"""Count modules, arrows between packages, and the longest functions of a checkout.

python benchmarks/program/structure.py [FOLDER]
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("therapy_gen", "sessions", "eeg")
LONG = 60


def modules(root: Path) -> dict[str, ast.Module]:
    """Return the syntax tree of every module by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1


def imports(tree: ast.Module) -> set[str]:
    """Return the modules that a module names in its imports, late ones too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT)
    root = parser.parse_args().folder
    trees = modules(root)
    packages = {name for name in trees if any(other.startswith(f"{name}.") for other in trees)} | set(PACKAGES)

    def package_of(name: str) -> str:
        return name if name in packages else name.rpartition(".")[0]

    held = Counter(package_of(name) for name in trees if name not in packages)
    arrows: dict[str, set[str]] = defaultdict(set)
    for name, tree in trees.items():
        for used in imports(tree) & set(trees):
            if package_of(used) != package_of(name):
                arrows[package_of(name)].add(package_of(used))
    print(f"{'package':<32} modules  packages it imports from")
    for package in sorted(packages):
        print(f"{package:<32} {held[package]:>7}  {len(arrows[package]):>3}")
    functions = [
        (body_lines(node), f"{name}.{node.name}")
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    longest = sorted(functions, reverse=True)
    lines = {name: (tree.body[-1].end_lineno or 0) if tree.body else 0 for name, tree in trees.items()}
    print(f"\n{len(trees)} modules, {len(functions)} functions")
    print(f"functions over {LONG} lines: {sum(count > LONG for count, _ in functions)}")
    print("longest function bodies: " + ", ".join(f"{name} {count}" for count, name in longest[:5]))
    largest = sorted(lines.items(), key=lambda pair: -pair[1])[:5]
    print("longest modules: " + ", ".join(f"{name} {count}" for name, count in largest))
    print(f"modules in the fullest package: {max(held.values())}")


if __name__ == "__main__":
    main()
