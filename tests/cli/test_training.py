"""`model train` makes a model from a folder of scores, goes on where it stopped, and says what is wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.needs import needs

needs("symusic", "symusic has no wheels for this Python")
needs("keras", "keras is an extra")

import symusic

Cli = Callable[..., Any]
PROGRAM = [sys.executable, "-c", "import sys; from therapy_gen.cli.main import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    for number in range(12):
        rng = np.random.default_rng(number)
        score = symusic.Score(4)
        score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
        track = symusic.Track("tune", 0, False)
        for beat in range(4 * 24):
            track.notes.append(symusic.Note(beat * 4, 4, int(rng.choice([60, 62, 64, 65, 67, 72])), 60))
            if beat % 4 == 0:
                track.notes.append(symusic.Note(beat * 4, 16, int(rng.choice([36, 41, 43])), 60))
        score.tracks.append(track)
        score.dump_midi(str(folder / f"{number:02d}.mid"))
    return folder


def therapy_gen(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, "--home", str(home), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.long
def test_a_model_of_ones_own_is_stopped_goes_on_and_is_used(scores: Path, tmp_path: Path) -> None:
    # Of two bars: the prior of sixteen takes a minute to fit. Without patience, so that the last weights are used.
    arguments = ["--home", str(tmp_path), "model", "train", str(scores), "--batch-size", "8", "--bars", "2"]
    # The KL term counts from the first step on: z stays small, and the prior is fitted sooner.
    arguments += ["--patience", "0", "--set", "beta_delay=0", "--set", "beta_rate=0.5"]
    with subprocess.Popen(
        [*PROGRAM, *arguments, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As from a terminal: some runners start their children with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stderr is not None
        lines = iter(process.stderr)
        before = []
        for training in lines:
            if training.startswith("step "):
                break
            before.append(training)
        process.send_signal(signal.SIGINT)
        said, told = process.communicate(timeout=300)
    assert "12 files, 12 of them used" in "".join(before)
    assert "KL" in training
    assert process.returncode == 0, told
    assert "stopping when this step has ended" in told
    assert "interrupted: saved in" in told
    model = json.loads(said)["model"]
    assert set(model["facts"]["held_out"]["teacher_forced"]) == {"melody", "inner", "bass"}
    assert (tmp_path / "models" / "mine.safetensors").is_file()
    steps = model["facts"]["steps"]
    assert model["facts"]["windows_seen"] == 8 * steps
    again = subprocess.run(
        [*PROGRAM, *arguments, "--steps", str(steps + 1)], capture_output=True, text=True, check=False
    )
    assert f"{8 * (steps + 1)} windows seen" in again.stdout, again.stderr
    session = therapy_gen(tmp_path, "session", "new", "--minutes", "3", "--model", "mine", "--json")
    assert session.returncode == 0, session.stderr
    assert json.loads(session.stdout)["session"]["items"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing"], "missing is not a folder"),
        (["{scores}", "--calmest", "0"], "--calmest"),
        (["{scores}", "--minutes", "-1"], "--minutes"),
        (["{scores}", "--precision", "int8"], "--precision"),
        (["{scores}", "--bars", "4"], "--bars 4 is not offered; give one of: 2, 16"),
        (["{scores}", "--patience", "-1"], "--patience"),
        (["{scores}", "--from", "nonesuch"], "nonesuch"),
        (["{empty}"], "no scores"),
        (["{scores}", "--batch-size", "100000"], "of the 100000 windows that one batch needs"),
    ],
)
def test_what_cannot_be_trained_is_told_in_one_line(
    scores: Path, tmp_path: Path, cli: Cli, arguments: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    filled = [text.format(scores=scores, empty=tmp_path / "empty") for text in arguments]
    done = cli("model", "train", *filled)
    assert done.status == 1
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert said in line
    assert "Traceback" not in done.err


@pytest.mark.long
def test_a_model_of_two_bars_is_fine_tuned_and_used(scores: Path, tmp_path: Path) -> None:
    arguments = ["model", "train", str(scores), "--from", "calm", "--bars", "2", "--batch-size", "8", "--json"]
    done = therapy_gen(tmp_path, *arguments, "--steps", "20")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    facts = document["model"]["facts"]
    assert facts["from"] == "calm"
    assert facts["held_out_windows"] > 0
    # The embedded model knows what a tune in quarters is; twenty steps from nothing would not.
    assert facts["held_out"]["teacher_forced"]["melody"] > 0.8
    assert "few-examples" in {warning["name"] for warning in document["warnings"]}
    assert "of 11 pieces are few" in done.stderr
    assert Path(document["curve"]).read_text().startswith("<svg")
    samples = therapy_gen(tmp_path, "sample", "-n", "2", "--seed", "1", "--model", "mine", "-o", str(tmp_path / "s"))
    assert samples.returncode == 0, samples.stderr
    assert symusic.Score(str(tmp_path / "s" / "sample-01.mid")).to("quarter").end() <= 8.0
    tunes = [str(scores / name) for name in ("00.mid", "01.mid")]
    way = therapy_gen(tmp_path, "interpolate", *tunes, "--model", "mine", "--steps", "3", "-o", str(tmp_path / "way"))
    assert way.returncode == 0, way.stderr
    session = therapy_gen(tmp_path, "session", "new", "--minutes", "3", "--model", "mine", "--json")
    assert session.returncode == 0, session.stderr
    assert json.loads(session.stdout)["session"]["items"]
