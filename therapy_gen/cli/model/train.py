"""`therapy-gen model train`: from folders of scores to a model of one's own."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from therapy_gen.cli.completion import model_names, one_of
from therapy_gen.cli.context import global_options
from therapy_gen.cli.model.corpus import Cluster, read_corpus
from therapy_gen.cli.output import AsJson, print_json, say

if TYPE_CHECKING:
    from therapy_gen.music.corpus.corpus import Corpus
    from therapy_gen.musicvae.config import Config
    from therapy_gen.musicvae.training.diagnostics import Symptom
    from therapy_gen.musicvae.training.package import PriorMaterial
    from therapy_gen.musicvae.training.train import Material, TrainingProgress

EPILOG = "Example: therapy-gen model train my-midi/ --name mine --minutes 120"

_CACHE = "corpus.npz"
_MAX_LIST_BYTES = 20_000_000
# The prior is fitted to the calmer part of the windows, of those that begin where phrases do; samples have the density
# of the calmest third, which is also what the held-out figures are of.
_PRIOR_CALMEST = 0.7
_CALM = 1 / 3
# With fewer held-out windows than this, all are used, not only calm ones.
_LEAST_HELD_OUT = 32
_BARS = (2, 16)
# Steps between two measurements on held-out windows: an epoch, within these.
_JUDGE_EVERY = (20, 500)
_FINE_TUNING_RATE = 3e-4
_CURVE = "learning-curve.svg"


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
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME_OR_FILE",
            autocompletion=model_names,
            help="Begin with this model's weights (fine-tuning), e.g. calm",
        ),
    ] = None,
    bars: Annotated[
        int, typer.Option(metavar="2|16", autocompletion=one_of("2", "16"), help="Bars that the model writes at a time")
    ] = 16,
    patience: Annotated[
        int,
        typer.Option(metavar="N", help="Stop when held-out loss was not lower for N measurements; 0 trains on"),
    ] = 10,
    free_bits: Annotated[
        float | None,
        typer.Option(metavar="BITS", help="KL divergence of a section's z that costs nothing  [default: 32 a bar]"),
    ] = None,
    calmest: Annotated[float, typer.Option(help="Share of the windows to learn from, by calmness; 0 to 1")] = 1.0,
    leave_out: Annotated[
        Path | None, typer.Option(help="Text file that names scores (paths in their folder) not to use, one a line")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Windows a step")] = 64,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=NUMBER", help="Another value of the configuration that `model info` prints"
        ),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="float32, or mixed_bfloat16 where the processor or GPU multiplies it in hardware")
    ] = "float32",
    seed: Annotated[int, typer.Option(help="Fixes initial weights and the order of windows")] = 0,
    cluster: Cluster = None,
    json: AsJson = False,
) -> None:
    """Train a model, going on where the run's folder stopped.

    Ctrl-C saves everything and writes the model as it is; the same command goes on from there. The weights that were
    best on held-out pieces are kept. The run's folder gets a picture of the learning curve. What went wrong is said,
    with what to change.
    """
    _check(calmest, minutes, precision, bars, patience, free_bits, seed, batch_size)
    from therapy_gen.music.corpus.corpus import crop

    chosen = global_options(context)
    run = folder or chosen.home_folder() / "runs" / name
    config, weights = _beginning(start, chosen.models_folder(), name, bars, batch_size, free_bits)
    config = config.with_values(values or ())
    run.mkdir(parents=True, exist_ok=True)
    path = output or chosen.home_folder() / "models" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    windows = crop(_windows(corpus, run / _CACHE, leave_out, bars, cluster=cluster, quiet=chosen.quiet), bars)
    material = _material(windows, calmest)
    if start is not None:
        material = replace(material, facts={**material.facts, "from": start})
    from therapy_gen.musicvae.training.train import check_enough

    check_enough(material, config)
    # Imported after the scores are read, so that errors in those come at once.
    from therapy_gen.musicvae.training.quiet import load_keras

    load_keras()
    from therapy_gen.musicvae.training.package import finish
    from therapy_gen.musicvae.training.train import train as run_training
    from therapy_gen.musicvae.training.train import weights_file

    judge_every = min(max(len(material.train) // batch_size, _JUDGE_EVERY[0]), _JUDGE_EVERY[1])
    with _terminated_as_interrupted():
        try:
            trained = run_training(
                config,
                material,
                run,
                until_step=steps,
                for_seconds=None if minutes is None else minutes * 60,
                seed=seed,
                judge_every=judge_every,
                patience=patience or None,
                start=weights,
                precision=precision,
                report=lambda at: say(_line(at, config.batch_size), quiet=chosen.quiet),
                on_interrupt=lambda: say("stopping when this step has ended", quiet=chosen.quiet),
            )
        except KeyboardInterrupt:
            trained = weights_file(run, patience or None)
            say(f"interrupted: saved in {run}; the same command goes on from there", quiet=chosen.quiet)
    say("fitting the prior", quiet=chosen.quiet)
    facts = finish(trained, material.held_out, _prior_material(windows), path, seed=seed)
    curve = _curve(run, name)
    symptoms = _symptoms(path, material, int(facts["train_pieces"]), seed)
    for symptom in symptoms:
        say(f"warning: {symptom}", quiet=chosen.quiet)
    _show(name, path, facts, curve, symptoms, json=json)


def _check(
    calmest: float,
    minutes: float | None,
    precision: str,
    bars: int,
    patience: int,
    free_bits: float | None,
    seed: int,
    batch_size: int,
) -> None:
    """Refuse values that are out of range, before scores are read."""
    from sessions.builder import check_seed
    from therapy_gen.errors import InputError, MissingExtraError

    if not 0 < calmest <= 1:
        raise InputError(f"--calmest {calmest} is out of range; give a share above 0, up to 1")
    if minutes is not None and not 0 < minutes <= 1e6:
        raise InputError(f"--minutes {minutes} is out of range; give more than 0")
    if precision not in ("float32", "mixed_bfloat16"):
        raise InputError(f"--precision {precision!r} is not known; give float32 or mixed_bfloat16")
    if bars not in _BARS:
        raise InputError(f"--bars {bars} is not offered; give one of: {', '.join(map(str, _BARS))}")
    if patience < 0:
        raise InputError(f"--patience {patience} is out of range; give 0 or more")
    if free_bits is not None and not 0 <= free_bits <= 1e5:
        raise InputError(f"--free-bits {free_bits} is out of range; give 0 or more")
    check_seed(seed)
    if batch_size < 1:
        raise InputError(f"--batch-size {batch_size} is out of range; give 1 or more")
    if find_spec("keras") is None:
        raise MissingExtraError("training", "train")


def _show(
    name: str, path: Path, facts: Mapping[str, Any], curve: Path | None, symptoms: list[Symptom], *, json: bool
) -> None:
    """Print the result of a training."""
    if json:
        rows = [{"name": each.name, "measured": each.measured, "change": each.change} for each in symptoms]
        model = {"name": name, "file": str(path), "facts": facts}
        print_json({"model": model, "curve": None if curve is None else str(curve), "warnings": rows})
        return
    print(f"{path}: {facts['windows_seen']} windows seen")
    held_out = facts["held_out"]
    if held_out:
        shares = ", ".join(f"{voice} {share:.1%}" for voice, share in held_out["teacher_forced"].items())
        nats = f"{held_out['reconstruction_nats']:.0f} + {held_out['kl_nats']:.0f} nats a section"
        print(f"held out, {held_out['sections']} sections: right steps {shares}; {nats}")
    if curve is not None:
        print(f"learning curve: {curve}")


def _beginning(
    start: str | None, models: Path, name: str, bars: int, batch_size: int, free_bits: float | None
) -> tuple[Config, Mapping[str, Any] | None]:
    """Return the config of a run and, for fine-tuning, the weights to begin with."""
    from therapy_gen.errors import InputError
    from therapy_gen.musicvae.config import Config
    from therapy_gen.musicvae.load import open_model
    from therapy_gen.musicvae.model import Model

    config = Config()
    weights = None
    if start is not None:
        model = open_model(start, models)
        if not isinstance(model, Model):
            raise InputError(f"--from {start} is a network of Magenta's; give one of therapy-gen's own, e.g. calm")
        # The latent space is in use already, and large steps would undo what was learned.
        config = replace(
            model.config, learning_rate=_FINE_TUNING_RATE, min_learning_rate=_FINE_TUNING_RATE / 10, beta_delay=0
        )
        weights = model.arrays
    bits = config.free_bits * bars / config.bars if free_bits is None else free_bits
    # All weights are shared between bars, so that a model of sixteen bars serves for two as well.
    return replace(config, name=name, bars=bars, batch_size=batch_size, free_bits=bits), weights


def _curve(run: Path, name: str) -> Path | None:
    """Draw the run's log; None where it has no line yet."""
    from therapy_gen.files import write_bytes
    from therapy_gen.musicvae.training.learning_curve import draw_curve, read_curve
    from therapy_gen.musicvae.training.train import LOG

    if not (run / LOG).is_file():
        return None
    path = run / _CURVE
    write_bytes(path, draw_curve(read_curve(run / LOG), f"{name}: learning curve").encode())
    return path


def _symptoms(path: Path, material: Material, pieces: int, seed: int) -> list[Symptom]:
    from therapy_gen.musicvae.model import Model
    from therapy_gen.musicvae.training.diagnostics import find_symptoms
    from therapy_gen.musicvae.weights import load_weights

    model = Model(load_weights(path), path.stem)
    tuned = "from" in material.facts
    return find_symptoms(model, material.train, material.held_out, pieces, fine_tuned=tuned, seed=seed)


def _windows(
    folders: list[Path], cache: Path, leave_out: Path | None, bars: int, *, cluster: str | None, quiet: bool
) -> Corpus:
    from therapy_gen.errors import InputError
    from therapy_gen.files import read_input
    from therapy_gen.music.corpus.corpus import Corpus

    if cache.is_file():
        say(f"windows as read before, from {cache}; remove it to read the scores again", quiet=quiet)
        return Corpus.load(cache)
    unwanted: list[str] = []
    if leave_out is not None:
        try:
            lines = read_input(leave_out, _MAX_LIST_BYTES).decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(f"{leave_out} is no text in UTF-8; give the names of files, one a line") from error
        unwanted = [line.strip() for line in lines if line.strip()]
    windows = read_corpus(folders, bars, leave_out=unwanted, cluster=cluster, quiet=quiet)
    windows.save(cache)
    for line in windows.report.lines():
        say(line, quiet=quiet)
    return windows


def _material(windows: Corpus, calmest: float) -> Material:
    from therapy_gen.musicvae.training.train import Material

    learn = windows.choose(held_out=False, calmest=calmest)
    held_out = windows.choose(held_out=True, calmest=_CALM)
    if len(held_out) < _LEAST_HELD_OUT:
        held_out = windows.choose(held_out=True)
    facts: dict[str, Any] = {
        "corpus_digest": windows.digest,
        "corpus_pieces": len(set(windows.piece.tolist())),
        "train_pieces": len(set(windows.piece[learn].tolist())),
        "calmest": calmest,
        "train_windows": len(learn),
        "held_out_windows": len(held_out),
    }
    return Material(windows.tokens[learn], windows.tokens[held_out], facts)


def _prior_material(windows: Corpus) -> PriorMaterial:
    """Return the calmer windows that begin a phrase."""
    import numpy as np

    from therapy_gen.music.tonality import MODES
    from therapy_gen.musicvae.training.package import PriorMaterial

    def chosen(calmest: float) -> Any:
        return np.concatenate([windows.choose(held_out=which, calmest=calmest) for which in (False, True)])

    found = windows.at_phrases(chosen(_PRIOR_CALMEST))
    return PriorMaterial(
        windows.tokens[found],
        windows.mode[found] == MODES.index("minor"),
        windows.metre[found],
        windows.held_out[found],
        np.isin(found, chosen(_CALM)),
        windows.piece[found],
    )


def _line(at: TrainingProgress, batch_size: int) -> str:
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
