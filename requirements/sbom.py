"""Lists what an installation is made of: names, versions, licences and hashes, out of the locks.

`python requirements/sbom.py -o FOLDER` writes `sbom.json` (CycloneDX 1.5) and `licences.md` for what is installed and
locked, and fails where a lock names a package without a version or without hashes, or where a package has a licence
that one may not build on under Apache-2.0.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

LOCKS = Path(__file__).parent
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?![0-9a-f])")
# Strong copyleft; LGPL, MPL and the like let others link to them.
_REFUSED = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)
# Dual-licensed or linked at a distance, looked at by hand.
_LOOKED_AT: dict[str, str] = {}


def read_lock(path: Path) -> dict[str, tuple[str, list[str]]]:
    """Return version and SHA-256 hashes of every package of a lock, by its normal name; all have to have both."""
    found: dict[str, tuple[str, list[str]]] = {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pin = _PIN.match(line)
        hashes = _HASH.findall(line)
        if pin is None or not hashes:
            raise SystemExit(f"{path.name}: {line.split('--hash')[0].strip()!r} has no version or no hash")
        found[_normal(pin[1])] = (pin[2].rstrip(";"), hashes)
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(name: str) -> str:
    """Return what a package that is installed says of its licence; empty where it says nothing."""
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return ""
    expression = metadata.get("License-Expression")
    if expression:
        return expression
    classified = [
        value.rpartition("::")[2].strip()
        for value in metadata.get_all("Classifier") or ()
        if value.startswith("License")
    ]
    said = (metadata.get("License") or "").strip().splitlines()
    return "; ".join(classified) or (said[0][:80] if said else "")


def main() -> int:
    """Write both lists, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path())
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    packages: dict[str, tuple[str, list[str]]] = {}
    locks: dict[str, list[str]] = {}
    for path in sorted(LOCKS.glob("*.lock")):
        for name, value in read_lock(path).items():
            packages.setdefault(name, value)
            locks.setdefault(name, []).append(path.stem)
    licences = {name: licence_of(name) for name in packages}
    components = [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "hashes": [{"alg": "SHA-256", "content": value} for value in hashes],
            **({"licenses": [{"license": {"name": licences[name]}}]} if licences[name] else {}),
        }
        for name, (version, hashes) in sorted(packages.items())
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "therapy-gen", "version": own_version()}},
        "components": components,
    }
    (folder / "sbom.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    rows = [
        f"| {name} | {packages[name][0]} | {licences[name] or '?'} | {', '.join(locks[name])} |"
        for name in sorted(packages)
    ]
    head = ["| package | version | licence | locks |", "| --- | --- | --- | --- |"]
    (folder / "licences.md").write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
    refused = [f"{name}: {text}" for name, text in licences.items() if _REFUSED.search(text) and "LGPL" not in text]
    refused = [line for line in refused if "Lesser" not in line and line.partition(":")[0] not in _LOOKED_AT]
    sys.stdout.write(f"{len(packages)} packages in {len(list(LOCKS.glob('*.lock')))} locks, all with hashes; ")
    sys.stdout.write(f"{sum(1 for text in licences.values() if text)} say their licence\n")
    for line in refused:
        sys.stdout.write(f"licence that cannot be built on: {line}\n")
    return 1 if refused else 0


def own_version() -> str:
    """Return the version of this project as its pyproject.toml says it."""
    import tomllib

    return str(tomllib.loads((LOCKS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


if __name__ == "__main__":
    raise SystemExit(main())
