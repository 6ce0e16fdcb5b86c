"""The manual: what it says of the program is what the program says, and it builds without a warning."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.command_tree import all_commands, program

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_reference_is_what_the_program_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "reference.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_listening_page_shows_ten_pieces() -> None:
    script = ROOT / "docs" / "listening.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_the_manual_builds_without_a_warning_and_stays_on_the_disk(tmp_path: Path) -> None:
    if find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r'<(?:script|link|img|iframe|audio)\b[^>]*\b(?:src|href)="([^"]+)"', text)
        outside = [address for address in fetched if re.match(r"https?:|//", address)]
        assert outside == [], page.name


@pytest.mark.long
def test_the_manual_is_read_and_searched_from_the_disk(tmp_path: Path, chromium: Any) -> None:
    if find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed")
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")]
    subprocess.run(build, cwd=ROOT, check=True)
    for scheme in ("light", "dark"):
        context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
        page = context.new_page()
        page.set_default_timeout(90_000)
        for name in ("index", "model", "reference", "guide-listener", "reliability"):
            page.goto((tmp_path / "site" / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        page.set_viewport_size({"width": 1280, "height": 844})
        # The links of the navigation are not of the colour of what they stand on.
        contrast = """() => [...document.querySelectorAll('.navbar a:not(.disabled):not(.active)')].map((link) => {
            const light = (style) => style.match(/[\\d.]+/g).slice(0, 3).reduce((sum, one) => sum + Number(one), 0);
            const ground = getComputedStyle(link.closest('.dropdown-menu') ?? document.querySelector('.navbar'));
            return Math.abs(light(getComputedStyle(link).color) - light(ground.backgroundColor)) / 765;
        })"""
        assert min(page.evaluate(contrast)) > 0.3
        page.click('[data-bs-target="#mkdocs_search_modal"]')
        page.fill("#mkdocs-search-query", "calmness")
        page.wait_for_selector("#mkdocs-search-results article a")
        with page.expect_navigation(wait_until="load"):
            page.click("#mkdocs-search-results article a >> nth=0")
        assert page.url.startswith((tmp_path / "site").as_uri())
        assert "calm" in page.inner_text("body").lower()
        context.close()


def shown_commands() -> list[tuple[str, str]]:
    """Every command line of the program in a code block of the README or the manual."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S):
            for line in re.sub(r"\\\n\s*", "", block).splitlines():
                words = re.match(r"^\s*(?:\$ )?(?:\.venv/bin/)?therapy-gen (.*)$", line)
                # Three blanks: a row of a table that measured it.
                if words and "   " not in words[1] and words[1] != "--install-completion":
                    found.append((page.name, words[1]))
    return found


def parsed(line: str) -> None:
    """Parse a command line as the program does, and stop before it does anything."""
    line = re.sub(r'"?\$\(.*\)"?', "VALUE", line)
    words = shlex.split(re.split(r" [|>#&] ?| *\\$| 2> ", line)[0])
    command = program()
    context = None
    while True:
        context = command.make_context(command.name or "therapy-gen", words, parent=context)
        rest = [*context._protected_args, *context.args] if hasattr(context, "_protected_args") else context.args
        if not hasattr(command, "commands"):
            return
        _, command, words = command.resolve_command(context, rest)


EXAMPLES = [(command.epilog or "").removeprefix("Example: therapy-gen ") for _, command in all_commands()]


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_of_a_help_is_a_command_line_of_the_program(line: str) -> None:
    parsed(line)


@pytest.mark.long
def test_every_command_that_the_pages_show_is_one_of_the_program() -> None:
    shown = shown_commands()
    assert len(shown) > 20
    wrong = []
    for page, line in shown:
        try:
            parsed(line)
        except Exception as error:
            # `--help` and `--version` end there, which is right.
            if type(error).__name__ != "Exit":
                wrong.append(f"{page}: {line}: {error}")
    assert wrong == []


def test_an_example_that_is_none_is_found() -> None:
    with pytest.raises(Exception, match="no-such-option"):
        parsed("session new --no-such-option")


def test_help_names_every_palette() -> None:
    from therapy_gen.music.arranging.arrange import PALETTES

    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    lines = [line for line in reference.splitlines() if line.startswith("- `--palette")]
    assert len(lines) == 3
    for line in lines:
        assert all(name in line for name in PALETTES), line
