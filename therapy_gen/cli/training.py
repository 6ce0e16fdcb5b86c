"""`therapy-gen model train`: from folders of scores to a model of one's own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from therapy_gen.cli.output import AsJson, print_json, progress, say
from therapy_gen.cli.settings import settings

if TYPE_CHECKING:
    from therapy_gen.music.corpus import Corpus
    from therapy_gen.musicvae.finish import PriorMaterial
    from therapy_gen.musicvae.train import Material, Progress

EPILOG = "Example: therapy-gen model train my-midi/ --name mine --minutes 120"

_CACHE = "corpus.npz"
# The prior is fitted to the calmer part of the windows, of those that begin where phrases do; samples have the density
# of the calmest third, which is also what the held-out figures are of.
_PRIOR_CALMEST = 0.7
_CALM = 1 / 3
_PHRASE_BARS = 4


def train(
    context: typer.Context,
    corpus: Annotated[list[Path], typer.Argument(metavar="CORPUS...", help="Folders of MIDI, MusicXML or ABC files")],
    name: Annotated[str, typer.Option(help="Name of the model; it lands in the folder `models` of --home")] = "mine",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write instead")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of the run: corpus, state, log  [default: runs/NAME in --home]")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this long; without it, train until interrupted")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Stop at this step of the whole run")] = None,
    calmest: Annotated[float, typer.Option(help="Share of the windows to learn from, by calmness; 0 to 1")] = 1.0,
    leave_out: Annotated[
        Path | None, typer.Option(help="Text file that names scores (paths in their folder) not to use, one a line")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Windows a step")] = 64,
    precision: Annotated[
        str, typer.Option(help="float32, or mixed_bfloat16 where the processor or GPU multiplies it in hardware")
    ] = "float32",
    seed: Annotated[int, typer.Option(help="Fixes initial weights and the order of windows")] = 0,
    json: AsJson = False,
) -> None:
    """Train a model, going on where the run's folder stopped.

    Ctrl-C saves everything and writes the model as it is; the same command goes on from there.
    """
    from therapy_gen.errors import InputError, MissingExtraError

    if not 0 < calmest <= 1:
        raise InputError(f"--calmest {calmest} is out of range; give a share above 0, up to 1")
    if minutes is not None and not 0 < minutes <= 1e6:
        raise InputError(f"--minutes {minutes} is out of range; give more than 0")
    if precision not in ("float32", "mixed_bfloat16"):
        raise InputError(f"--precision {precision!r} is not known; give float32 or mixed_bfloat16")
    if find_spec("keras") is None:
        raise MissingExtraError("training", "train")
    from therapy_gen.musicvae.config import Config
    from therapy_gen.musicvae.finish import finish
    from therapy_gen.musicvae.train import WEIGHTS
    from therapy_gen.musicvae.train import train as run_training

    chosen = settings(context)
    run = folder or chosen.home_folder() / "runs" / name
    run.mkdir(parents=True, exist_ok=True)
    path = output or chosen.models_folder() / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    windows = _windows(corpus, run / _CACHE, leave_out, quiet=chosen.quiet)
    material = _material(windows, calmest)
    config = replace(Config(), name=name, batch_size=batch_size)
    with _terminated_as_interrupted():
        try:
            run_training(
                config,
                material,
                run,
                until_step=steps,
                for_seconds=None if minutes is None else minutes * 60,
                seed=seed,
                precision=precision,
                report=lambda at: say(_line(at, config.batch_size), quiet=chosen.quiet),
            )
        except KeyboardInterrupt:
            say(f"interrupted: saved in {run}; the same command goes on from there", quiet=chosen.quiet)
    say("fitting the prior", quiet=chosen.quiet)
    facts = finish(run / WEIGHTS, material.held_out, _prior_material(windows), path, seed=seed)
    if json:
        print_json({"model": {"name": name, "file": str(path), "facts": facts}})
        return
    print(f"{path}: {facts['windows_seen']} windows seen; held out: {facts['held_out']}")


def _windows(folders: list[Path], cache: Path, leave_out: Path | None, *, quiet: bool) -> Corpus:
    from therapy_gen.errors import InputError
    from therapy_gen.music.corpus import Corpus, build_corpus
    from therapy_gen.music.windows import WindowSettings

    if cache.is_file():
        return Corpus.load(cache)
    unwanted: list[str] = []
    if leave_out is not None:
        try:
            unwanted = [line.strip() for line in leave_out.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{leave_out} cannot be read: {error}") from error
    with progress("reading scores", 1.0, quiet=quiet) as advance:
        windows = build_corpus(
            folders,
            WindowSettings(stride_bars=1),
            leave_out=unwanted,
            workers=2,
            progress=lambda done, of: advance(1.0 / of),
        )
    windows.save(cache)
    for line in windows.report.lines():
        say(line, quiet=quiet)
    return windows


def _material(windows: Corpus, calmest: float) -> Material:
    from therapy_gen.musicvae.train import Material

    learn = windows.choose(held_out=False, calmest=calmest)
    held_out = windows.choose(held_out=True, calmest=_CALM)
    facts: dict[str, Any] = {
        "corpus_digest": windows.digest,
        "corpus_pieces": len(set(windows.piece.tolist())),
        "calmest": calmest,
        "train_windows": len(learn),
        "held_out_windows": len(held_out),
    }
    return Material(windows.tokens[learn], windows.tokens[held_out], facts)


def _prior_material(windows: Corpus) -> PriorMaterial:
    """Return the calmer windows that begin a phrase."""
    import numpy as np

    from therapy_gen.music.tonality import MODES
    from therapy_gen.musicvae.finish import PriorMaterial

    def chosen(calmest: float) -> Any:
        return np.concatenate([windows.choose(held_out=which, calmest=calmest) for which in (False, True)])

    found = chosen(_PRIOR_CALMEST)
    found = found[windows.bar[found] % _PHRASE_BARS == 0]
    return PriorMaterial(
        windows.tokens[found],
        windows.mode[found] == MODES.index("minor"),
        windows.held_out[found],
        np.isin(found, chosen(_CALM)),
    )


def _line(at: Progress, batch_size: int) -> str:
    def figures(values: dict[str, float]) -> str:
        accuracy = "/".join(f"{value:.3f}" for name, value in sorted(values.items()) if name.startswith("accuracy"))
        return f"reconstruction {values['reconstruction']:.1f} KL {values['kl']:.1f} nats, right {accuracy}"

    line = f"step {at.step}, {at.seconds / 60:.1f} min, {at.step * batch_size / at.seconds:.0f} windows/s: "
    return line + figures(at.figures) + (f"; held out: {figures(at.held_out)}" if at.held_out else "")


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let a run in the background be stopped by SIGTERM as one in the foreground is by Ctrl-C."""

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
