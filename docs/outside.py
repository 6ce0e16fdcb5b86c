"""Brings pages that stand elsewhere in the repository into the manual, and leads links to them there (MkDocs hooks)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
# As the pages in docs/ name it -> what it is called in the manual.
OUTSIDE = {"therapy_gen/assets/calm.md": "model-card.md", "CHANGELOG.md": "changelog.md"}


def on_config(config: Any) -> Any:
    """Put pages that the navigation does not name under "More"."""
    folder = Path(config.docs_dir)
    named = set(_pages(config.nav)) | set(OUTSIDE.values())
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.md"))
    if more := [name for name in found if name not in named]:
        config.nav.append({"More": more})
    return config


def _pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for inner in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages(inner)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for source, name in OUTSIDE.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to where the pages are in the manual."""
    up = "../" * page.file.src_uri.count("/")
    for source, name in OUTSIDE.items():
        markdown = re.sub(rf"\]\((?:\.\./)+{re.escape(source)}", f"]({up}{name}", markdown)
    if page.file.src_uri in OUTSIDE.values():
        markdown = re.sub(r"\]\((?:\.\./)*docs/", "](", markdown)
    return markdown


def on_post_build(config: Any) -> None:
    """Let the search work from a disk: its index as a script, and a program that fetches nothing."""
    folder = Path(config.site_dir) / "search"
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"window.manualSearchIndex = {index};\n", encoding="utf-8")
    (folder / "main.js").write_text((ROOT / "docs" / "search.js").read_text(encoding="utf-8"), encoding="utf-8")
    # Without highlighting, the theme's switch of colours would stop at the styles that are not there.
    switch = Path(config.site_dir) / "js" / "darkmode.js"
    switched = re.sub(r"(hljs_\w+)\.disabled = ", r"if (\1) \1.disabled = ", switch.read_text(encoding="utf-8"))
    switch.write_text(switched, encoding="utf-8")
