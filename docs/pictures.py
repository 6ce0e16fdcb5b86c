"""Pictures of every page: `python docs/pictures.py OUT`; with `--docs` those that the guides show.

Makes a home with sessions, measures and a simulated recording in a temporary folder, starts the app on it, writes the
reports and the manual, and photographs all of them in Chromium at 1280 and 390 pixels, light and dark. Needs the extras
`app` and `eeg`, mkdocs, and playwright with Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = [sys.executable, "-m", "therapy_gen.cli.main"]
NAME = "Anna M."
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
# Longer pages are cut here.
TALLEST = 2600
PATIENCE_S = 120.0
MANUAL = ("index", "guide-listener", "reference", "model", "eeg", "modules", "sessions")
# What the guides show.
SHOWN = {
    "listen": [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")],
    "client": [(1280, "light"), (390, "dark")],
}


def prepare(folder: Path) -> None:
    """Make a home, its reports and the manual."""

    def run(*words: str) -> None:
        subprocess.run([*PROGRAM, "--home", "home", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run("session", "new", "--minutes", "12", "--repeats", "2", "--baseline", "45", "--seed", "3", "--listener", NAME)
    run("session", "new", "--minutes", "6", "--seed", "4", "--listener", NAME)
    run("session", "new", "--minutes", "6", "--seed", "5", "--listener", "anna m")
    for number, before, after in ((1, "35", "60"), (2, "40", "72")):
        for scale, first, last in (("vas-calm", before, after), ("stai-6", "15", "11")):
            run("session", "measure", str(number), "--scale", scale, "--before", first, "--after", last)
        run("session", "rate", str(number), "1", "4")
    run("session", "note", "1", "Slept well the night before.")
    run("simulate-eeg", "--session", "1", "--channels", "8", "--seed", "1", "-o", "anna_raw.fif")
    run("score-eeg", "anna_raw.fif", "--listener", NAME, "--report", "eeg-report.html")
    run("session", "report", "1", "-o", "session-report.html")
    run("report", "--listener", NAME, "-o", "listener-report.html")
    site = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder / "site")]
    subprocess.run(site, cwd=ROOT, check=True)


class Photographer:
    """A browser that photographs pages into a folder."""

    def __init__(self, browser: Any, out: Path, wanted: dict[str, list[tuple[int, str]]] | None) -> None:
        self.browser, self.out, self.wanted = browser, out, wanted

    def takes(self, name: str) -> list[tuple[int, str]]:
        """Return in which widths and schemes a page is photographed."""
        everything = [(width, scheme) for width in WIDTHS for scheme in SCHEMES]
        return everything if self.wanted is None else self.wanted.get(name, [])

    def take(self, name: str, url: str, *, ready: str = "", enter: str = "", before: str = "") -> None:
        """Photograph a page, which `enter` lets in, once `ready` is true and the script `before` ran."""
        for width, scheme in self.takes(name):
            context = self.browser.new_context(viewport={"width": width, "height": 860}, color_scheme=scheme)
            tab = context.new_page()
            tab.set_default_timeout(PATIENCE_S * 1000)
            if enter:
                tab.goto(enter)
            tab.goto(url)
            end = time.monotonic() + PATIENCE_S
            while ready and not tab.evaluate(ready):
                assert time.monotonic() < end, f"{name}: never came: {ready}"
                tab.wait_for_timeout(100)
            if before:
                tab.evaluate(before)
                tab.wait_for_timeout(1500)
            wide = tab.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                print(f"{name}-{width}-{scheme}: {wide - width} pixels too wide", flush=True)
            tall = min(TALLEST, tab.evaluate("document.documentElement.scrollHeight")) if self.wanted is None else 860
            clip = {"x": 0, "y": 0, "width": width, "height": tall}
            tab.screenshot(path=str(self.out / f"{name}-{width}-{scheme}.png"), full_page=True, clip=clip)
            context.close()


def photograph_app(camera: Photographer, folder: Path) -> None:
    """Photograph the pages of the app."""
    command = [*PROGRAM, "--home", str(folder / "home"), "open", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as app:
        assert app.stdout is not None
        enter = app.stdout.readline().split()[1]
        base = enter.partition("?")[0]
        playing = "window.player && player.session !== null"
        begin = "player.play().then(() => player.pause())"
        camera.take("listen", f"{base}?session=2", enter=enter, ready=playing, before=begin)
        opened = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
        camera.take("listen-open", f"{base}?session=2", enter=enter, ready=playing, before=opened)
        camera.take("client", f"{base}clients/1", enter=enter)
        camera.take("client-open", f"{base}clients/1", enter=enter, before=opened)
        pages = ("history", "clients", "clients/1/print", "sessions/1", "scales", "headset", "sessions/99")
        for path in pages:
            camera.take(path.replace("/", "-"), base + path, enter=enter)
        camera.take("refused", base)
        app.terminate()


def photograph_files(camera: Photographer, folder: Path) -> None:
    """Photograph the reports and the manual, opened from the disk."""
    for name in ("eeg-report", "session-report", "listener-report"):
        camera.take(name, (folder / f"{name}.html").as_uri())
    for name in MANUAL:
        camera.take(f"manual-{name}", (folder / "site" / f"{name}.html").as_uri())
    search = (
        "document.querySelector('[data-bs-target=\"#mkdocs_search_modal\"]').click();"
        "const box = document.getElementById('mkdocs-search-query');"
        "box.value = 'calmness'; for (const name of ['input', 'keyup']) box.dispatchEvent(new Event(name));"
    )
    camera.take("manual-search", (folder / "site" / "index.html").as_uri(), before=search)


def main() -> None:
    """Take the pictures."""
    from playwright.sync_api import sync_playwright

    for_guides = sys.argv[1:] == ["--docs"]
    out = ROOT / "docs" / "app" if for_guides else Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        prepare(folder)
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        flags = ["--no-sandbox", "--disable-gpu", "--mute-audio", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=flags)
        camera = Photographer(browser, out, SHOWN if for_guides else None)
        photograph_app(camera, folder)
        photograph_files(camera, folder)
        browser.close()


if __name__ == "__main__":
    main()
