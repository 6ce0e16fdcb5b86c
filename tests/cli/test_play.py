"""Playing a session in real time: the log, keys, markers, and what is said where there is no sound."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessions.storage.play_log import SessionPlay, list_plays
from sessions.storage.store import Store

PROGRAM = [sys.executable, "-m", "therapy_gen.cli.main"]
Cli = Callable[..., Any]

# As long as a loaded machine may take to begin.
_PATIENCE_S = 90.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose session 1 begins and ends with two seconds of silence: copy it, do not write to it."""
    folder = tmp_path_factory.mktemp("playable") / "home"
    arguments = ["session", "new", "--minutes", "5", "--baseline", "2", "--seed", "5"]
    subprocess.run([*PROGRAM, "--home", folder, *arguments], check=True, capture_output=True)
    return folder


@pytest.fixture
def playable(made: Path, home: Path) -> Path:
    import shutil

    return Path(shutil.copytree(made, home))


@pytest.fixture
def started(playable: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the program; it is ended after the test."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        options["preexec_fn"] = not_ignored
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        running.append(subprocess.Popen([*PROGRAM, *map(str, arguments)], **options))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def not_ignored() -> None:
    """Take signals as from a terminal: a launcher in the background, and nohup, have some ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def plays(home: Path) -> list[SessionPlay]:
    return list_plays(Store.open(home / "therapy.db"))


def items_of(cli: Cli) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli("session", "show", 1, "--json").document["session"]["items"]
    return found


def until(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + _PATIENCE_S
    while not (what := found()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.05)
    return what


def test_the_last_item_plays_to_its_end_in_real_time(cli: Cli, playable: Path) -> None:
    last = items_of(cli)[-1]["position"]
    before = time.monotonic()
    done = cli("session", "play", 1, "--device", "none", "--from", last)
    assert done.status == 0, done.err
    assert time.monotonic() - before >= 1.99
    assert done.out == "Played 0:02 of session 1 to its end\n"
    assert "(silence)" in done.err
    (play,) = plays(playable)
    assert play.finished
    (stretch,) = play.stretches
    assert (stretch.position, stretch.role, stretch.onset_s, stretch.from_s) == (last, "silence", 0.0, 0.0)
    # A busy machine is late, never early.
    assert stretch.duration_s >= 1.95
    assert play.ended_s is not None
    assert play.ended_s >= stretch.duration_s


@pytest.mark.long
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_ends_it_and_the_log_says_how_far_it_came(
    started: Callable[..., subprocess.Popen[str]], playable: Path, name: str
) -> None:
    if not hasattr(signal, name):
        pytest.skip(f"this system has no {name}")
    process = started("session", "play", 1, "--device", "none")
    assert process.stderr is not None
    assert "(silence)" in process.stderr.readline()
    assert "(silence)" not in process.stderr.readline()
    until(lambda: len(plays(playable)[0].stretches) == 2)
    # What was written is heard up to 0.2 s later.
    time.sleep(1.0)
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "error: interrupted"
    (play,) = plays(playable)
    assert not play.finished
    silence, music = play.stretches
    assert music.onset_s >= silence.onset_s + silence.duration_s - 1e-4
    assert 0.5 < music.duration_s < _PATIENCE_S
    assert play.ended_s is not None
    assert play.ended_s >= music.onset_s + music.duration_s - 1e-4


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of POSIX")
def test_keys_pause_resume_skip_and_quit(
    cli: Cli, started: Callable[..., subprocess.Popen[str]], playable: Path
) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = started("session", "play", 1, "--device", "none", "--from", 1, stdin=theirs, stderr=theirs)
    os.close(theirs)
    shown = ""

    def show() -> str:
        nonlocal shown
        # Its end reads as an error once the program has closed the other side.
        with contextlib.suppress(OSError):
            shown += os.read(ours, 4096).decode()
        return shown

    until(lambda: "space pause" in show() and "0:01" in shown.rpartition("\r")[2])
    os.write(ours, b" ")
    until(lambda: "paused" in show())
    os.write(ours, b" ")
    until(lambda: "space pause" in show().rpartition("\r")[2])
    until(lambda: len(plays(playable)[0].stretches) == 2)
    os.write(ours, b"n")
    until(lambda: show() and len(plays(playable)[0].stretches) == 3)
    os.write(ours, b"q")
    # The terminal has to be read, or the program would wait for it.
    until(lambda: show() and process.poll() is not None)
    assert process.wait(timeout=_PATIENCE_S) == 0
    os.close(ours)
    assert process.stdout is not None
    assert process.stdout.read().endswith("and stopped\n")
    (play,) = plays(playable)
    first, again, following = play.stretches
    assert (first.position, again.position, following.position) == (1, 1, 2)
    assert (first.onset_s, first.from_s) == (0.0, 0.0)
    # A machine that stalls takes longer over the same sound, never less long.
    assert 0.3 < again.from_s <= first.duration_s + 0.1
    assert again.onset_s > first.onset_s + first.duration_s
    assert following.onset_s >= again.onset_s + again.duration_s - 1e-4
    assert not play.finished


@pytest.mark.long
def test_markers_are_received(cli: Cli, started: Callable[..., subprocess.Popen[str]], playable: Path) -> None:
    pylsl = pytest.importorskip("pylsl", reason="the extra play is not installed", exc_type=ImportError)
    try:
        probe = pylsl.StreamOutlet(pylsl.StreamInfo("probe", "Markers", 1, 0, pylsl.cf_string, "therapy-gen-probe"))
    except RuntimeError:
        pytest.skip("LSL opens no stream here")
    if not pylsl.resolve_byprop("source_id", "therapy-gen-probe", 1, 10):
        pytest.skip("LSL finds no stream over this machine's network")
    del probe
    items = items_of(cli)
    process = started("session", "play", 1, "--device", "none", "--lsl", "--wait", 60)
    found = until(lambda: pylsl.resolve_byprop("source_id", "therapy-gen-session-1", 1, 2))
    assert (found[0].name(), found[0].type()) == ("therapy-gen", "Markers")
    inlet = pylsl.StreamInlet(found[0])
    received: list[tuple[str, float]] = []

    def pull() -> bool:
        sample, stamp = inlet.pull_sample(timeout=1.0)
        if sample:
            received.append((sample[0], stamp))
        return len(received) == 4

    until(pull)
    process.send_signal(signal.SIGINT)
    until(lambda: pull() or len(received) == 5)
    process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 130
    piece = items[1]["piece"]
    assert [text for text, _ in received] == ["session/1", "silence", "end/silence", f"piece/{piece}", f"end/{piece}"]
    # The markers' own clock agrees with the log.
    (play,) = plays(playable)
    for stretch, (_, stamp) in zip(play.stretches, (received[1], received[3]), strict=True):
        assert stamp - received[0][1] == pytest.approx(stretch.onset_s, abs=0.05)


def test_a_device_that_is_not_there_is_told_with_the_way_out(cli: Cli, playable: Path) -> None:
    pytest.importorskip("pylsl", reason="the extra play is not installed", exc_type=ImportError)
    done = cli("session", "play", 1, "--device", "no such device")
    if done.status == 3:
        assert "PortAudio" in done.error_line
        return
    assert done.status == 1
    assert "export --session 1 --format flac" in done.error_line
    assert plays(playable) == []


def test_a_sound_device_takes_the_session(
    program: Cli, cli: Cli, playable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ALSA's own null device, through PortAudio: it takes samples as fast as they come."""
    system = Path("/usr/share/alsa/alsa.conf")
    if not system.is_file():
        pytest.skip("ALSA is not installed")
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("sounddevice or PortAudio is not installed")
    settings = tmp_path / "asound.conf"
    settings.write_text(f"<{system}>\npcm.!default {{\n type null\n hint {{ show on description Null }}\n}}\n")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(settings))
    done = program("session", "play", 1, "--device", "default", "--from", items_of(cli)[-1]["position"])
    assert (done.status, done.out) == (0, "Played 0:02 of session 1 to its end\n"), done.err
    (play,) = plays(playable)
    assert play.finished
    assert len(play.stretches) == 1


def test_without_the_extra_the_line_says_what_installs_it(
    cli: Cli, playable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Python does for a module that is not installed.
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setitem(sys.modules, "pylsl", None)
    for arguments in ((), ("--device", "none", "--lsl")):
        done = cli("session", "play", 1, *arguments)
        assert done.status == 3
        assert "pip install 'therapy-gen[play]'" in done.error_line


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("9",), 1, "session 9 does not exist"),
        (("1", "--from", "99"), 1, "--from 0 to"),
        (("1", "--wait", "5"), 2, "--lsl"),
        (("1", "--lsl", "--wait", "nan"), 2, "--wait"),
        (("1", "--soundfont", "nowhere.sf2"), 1, "soundfont"),
    ],
)
def test_what_makes_no_sense_is_refused(
    cli: Cli, playable: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = cli("session", "play", "--device", "none", *arguments)
    assert done.status == status
    assert said in done.error_line
