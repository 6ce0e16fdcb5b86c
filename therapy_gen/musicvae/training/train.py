"""The training loop: batches, figures on held-out windows, saving, resuming, and stopping cleanly."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.files import write_bytes
from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.training.augment import shifts, transposed
from therapy_gen.musicvae.training.interrupts import held_interrupts
from therapy_gen.musicvae.weights import save_weights

Tokens = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Figures = dict[str, float]

STATE = "state.safetensors"
WEIGHTS = "model.safetensors"
BEST = "best.safetensors"
LOG = "log.jsonl"

# Settings that may change when a run is resumed.
_RATES = ("learning_rate", "decay_rate", "min_learning_rate")
# Steps that JAX takes in one call.
_TOGETHER = 10


@dataclass(frozen=True)
class Material:
    """Training data: tokens (n, steps, voices) to train on and held out, and their source."""

    train: Tokens
    held_out: Tokens
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class TrainingProgress:
    """Progress of training: step, seconds in all, and mean figures since the last report."""

    step: int
    seconds: float
    figures: Figures
    held_out: Figures | None


def train(
    config: Config,
    material: Material,
    folder: Path,
    *,
    until_step: int | None = None,
    for_seconds: float | None = None,
    seed: int = 0,
    save_every: float = 240.0,
    report_every: int = 50,
    judge_every: int = 500,
    patience: int | None = None,
    start: Mapping[str, FloatArray] | None = None,
    precision: str = "float32",
    report: Callable[[TrainingProgress], None] | None = None,
    on_interrupt: Callable[[], None] | None = None,
) -> Path:
    """Train the network of `config`, resuming the run in `folder`, and return the weights file.

    A run may be resumed with another learning rate or other scores; held-out loss is then measured anew.
    With `patience` it has the best weights on held-out windows, if those were measured.

    Parameters
    ----------
    config : Config
    material : Material
    folder : Path
        Holds the state to resume from, the log, and the weights.
    until_step, for_seconds : optional
        Stop at this step (of all runs together; with JAX, at the first multiple of ten from there), or after this long
        (of this run); without either, until interrupted.
    seed : int
        Fixes initial weights, order of windows, and noise.
    save_every : float
        Seconds between saves.
    report_every : int
        Steps between two lines of the log.
    judge_every : int
        Steps between two measurements on held-out windows.
    patience : int, optional
        Stop when held-out loss has reached no new minimum in so many measurements in a row.
    start : mapping of str to array, optional
        Weights to begin with (fine-tuning); a run that is resumed has its own.
    precision : {"float32", "mixed_bfloat16"}
        Keras dtype policy; bfloat16 is faster where the processor or GPU multiplies it in hardware.
    report : callable, optional
    on_interrupt : callable, optional
        Called on Ctrl-C, which takes effect when the step has ended; a second one takes effect at once.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, after everything was saved.
    InputError
        Where there is too little material, the folder holds another run, or training diverges: the run then stays as it
        was last saved.
    """
    check_enough(material, config)
    folder.mkdir(parents=True, exist_ok=True)
    with held_interrupts(on_interrupt) as let_interrupts_through:
        run = _Run(config, material, folder, seed, precision, start)
        run.resume()
        started = saved = time.monotonic()
        done_before = run.seconds
        sums: Figures = {}
        since = 0
        try:
            while (until_step is None or run.step < until_step) and not run.stale(patience):
                let_interrupts_through()
                before = run.step
                for name, value in run.advance().items():
                    sums[name] = sums.get(name, 0.0) + value
                since += run.step - before
                now = time.monotonic()
                run.seconds = done_before + now - started
                judging = run.step // judge_every > before // judge_every
                judged = run.judge(keep=patience is not None) if judging else None
                if judged or run.step // report_every > before // report_every:
                    progress = run.log({name: value / since for name, value in sums.items()}, judged)
                    if report:
                        report(progress)
                    sums, since = {}, 0
                if now - saved > save_every:
                    run.save()
                    saved = time.monotonic()
                if for_seconds is not None and now - started > for_seconds:
                    break
        finally:
            if not run.diverged:
                run.save()
        figures = run.evaluate()
        if since:
            progress = run.log({name: value / since for name, value in sums.items()}, figures or None)
            if report:
                report(progress)
    if figures and math.isfinite(run.lowest) and figures["loss"] < run.lowest:
        return folder / WEIGHTS
    return weights_file(folder, patience)


def check_enough(material: Material, config: Config) -> None:
    """Raise InputError where there is too little training data."""
    if len(material.train) < config.batch_size:
        raise InputError(
            f"too little music: {len(material.train)} of the {config.batch_size} windows that one batch needs; "
            "add scores, or give a smaller `batch_size`"
        )


def weights_file(folder: Path, patience: int | None) -> Path:
    """Return the file of a run's weights: with `patience` the best on held-out windows, else the last."""
    best = folder / BEST
    return best if patience is not None and best.is_file() else folder / WEIGHTS


class _Run:
    """One network with its optimiser, its order of windows and its files."""

    def __init__(
        self,
        config: Config,
        material: Material,
        folder: Path,
        seed: int,
        precision: str,
        start: Mapping[str, FloatArray] | None,
    ) -> None:
        import keras

        from therapy_gen.musicvae.training.network import MusicVAE, batch_inputs, weight_arrays
        from therapy_gen.musicvae.training.network_weights import assign_weights

        self.config, self.material, self.folder, self.seed = config, material, folder, seed
        self.batch_inputs, self.weight_arrays = batch_inputs, weight_arrays
        self.step = 0
        self.saved: int | None = None
        self.seconds = 0.0
        self.last: Figures = {}
        self.diverged = False
        # Of held-out loss: its lowest, the step of that, and the measurements since.
        self.lowest, self.lowest_at, self.since_lowest = math.inf, 0, 0
        # Keras takes seeds of 32 bits.
        keras.utils.set_random_seed(seed % 2**32)
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(precision)
        try:
            self.model = MusicVAE(config, seed=seed % 2**32)
            schedule = _Decay(config)
            optimizer = keras.optimizers.Adam(schedule.rate(0), global_clipnorm=config.clip_norm)
            on_jax = keras.backend.backend() == "jax"
            # JAX runs operation by operation unless it compiles; the other backends have graphs of their own.
            self.model.compile(optimizer=optimizer, jit_compile=on_jax)
            inputs, _ = batch_inputs(material.train[: config.batch_size], config)
            self.model(inputs)
            optimizer.build(self.model.trainable_variables)
        finally:
            keras.config.set_dtype_policy(before)
        if start is not None:
            assign_weights(self.model, start)
        self.compiled: Any = None
        if on_jax:
            from therapy_gen.musicvae.training.jax_steps import CompiledSteps

            self.compiled = CompiledSteps(self.model, material.train, config)
        self.schedule = schedule

    def advance(self) -> Figures:
        """Take a step, or with JAX several, and return the sums of their figures."""
        taken = 1 if self.compiled is None else _TOGETHER
        steps = range(self.step, self.step + taken)
        draws = [np.random.default_rng([self.seed, 0, step]) for step in steps]
        if self.compiled is not None:
            figures = self.compiled.run(
                np.stack([self._batch(step) for step in steps]),
                np.stack([shifts(self.config.batch_size, self.config.transposed, rng) for rng in draws]),
                np.array([self.schedule.rate(step) for step in steps], dtype=np.float32),
            )
            values = {name: float(value.sum()) for name, value in figures.items()}
        else:
            self.model.optimizer.learning_rate = self.schedule.rate(self.step)
            tokens = transposed(self.material.train[self._batch(self.step)], self.config.transposed, draws[0])
            inputs, targets = self.batch_inputs(tokens, self.config)
            values = {
                name: float(value)
                for name, value in self.model.train_on_batch(inputs, targets, return_dict=True).items()
            }
            self.model.reset_metrics()
        if not np.isfinite(values["loss"]):
            self.diverged = True
            kept = f"is as it was last saved, at step {self.saved}" if self.saved is not None else "was not saved yet"
            raise InputError(
                f"training diverged at step {self.step} (loss {values['loss']}): the run in {self.folder} {kept}; "
                f"go on with a lower learning rate than {self.schedule.rate(self.step):.2g} (`set` learning_rate=...)"
            )
        self.step += taken
        return values

    def _batch(self, step: int) -> npt.NDArray[np.intp]:
        """Return the windows of a step: each epoch is a permutation that follows from the seed, so runs resume."""
        size = self.config.batch_size
        per_epoch = len(self.material.train) // size
        epoch, number = divmod(step, per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.material.train))
        return order[number * size : (number + 1) * size]

    def evaluate(self, most: int = 512) -> Figures:
        """Return mean figures over held-out windows, with z at the posterior mean."""
        held_out = self.material.held_out
        if len(held_out) > most:
            held_out = held_out[np.linspace(0, len(held_out) - 1, most).astype(int)]
        if not len(held_out):
            return {}
        sums: Figures = {}
        size = self.config.batch_size
        for start in range(0, len(held_out), size):
            tokens = held_out[start : start + size]
            inputs, targets = self.batch_inputs(tokens, self.config)
            figures = self.model.test_on_batch(inputs, targets, return_dict=True)
            self.model.reset_metrics()
            for name, value in figures.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(tokens) / len(held_out)
        # The loss at full beta: while beta rises, the loss of training rises with it.
        above = max(sums["kl"] - self.config.free_bits * math.log(2.0), 0.0)
        sums["loss"] = sums["reconstruction"] + self.config.max_beta * above
        return sums

    def judge(self, *, keep: bool) -> Figures | None:
        """Measure the loss on held-out windows, and save the weights if it is the lowest so far."""
        figures = self.evaluate()
        if not figures:
            return None
        self.last = figures
        if figures["loss"] < self.lowest:
            self.lowest, self.lowest_at, self.since_lowest = figures["loss"], self.step, 0
            if keep:
                self.write(BEST)
        else:
            self.since_lowest += 1
        return figures

    def stale(self, patience: int | None) -> bool:
        """Return whether held-out loss has not fallen for so many measurements."""
        return patience is not None and self.since_lowest >= patience

    def log(self, figures: Figures, held_out: Figures | None) -> TrainingProgress:
        progress = TrainingProgress(self.step, self.seconds, figures, held_out)
        line: dict[str, Any] = {"step": self.step, "seconds": round(self.seconds, 1), **figures}
        if held_out:
            line["held_out"] = held_out
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        return progress

    def save(self) -> None:
        """Save the state to go on from, then the weights; each file whole or not at all."""
        from keras import ops
        from safetensors.numpy import save

        state = {
            f"{n:04d}": np.ascontiguousarray(ops.convert_to_numpy(variable.value))
            for n, variable in enumerate(self._variables())
        }
        metadata = {
            "config": self.config.to_json(),
            "step": str(self.step),
            "seconds": str(self.seconds),
            "held_out": json.dumps(self.last),
            "lowest": json.dumps([self.lowest, self.lowest_at, self.since_lowest]),
            "corpus": str(self.material.facts.get("corpus_digest", "")),
        }
        write_bytes(self.folder / STATE, save(state, metadata=metadata))
        self.write(WEIGHTS)
        self.saved = self.step

    def write(self, name: str) -> None:
        """Write the weights as they are now."""
        facts = {
            **self.material.facts,
            "steps": self.step,
            "windows_seen": self.step * self.config.batch_size,
            "training_seconds": round(self.seconds),
            "held_out": self.last,
        }
        save_weights(self.folder / name, self.weight_arrays(self.model), self.config, facts, half=False)

    def resume(self) -> None:
        from safetensors import SafetensorError, safe_open

        path = self.folder / STATE
        if not path.is_file():
            return
        try:
            with safe_open(str(path), framework="numpy") as stored:
                metadata = stored.metadata()
                theirs = Config.from_json(metadata["config"], f"the config of {path}")
                if replace(theirs, **{name: getattr(self.config, name) for name in _RATES}) != self.config:
                    raise InputError(f"{self.folder} holds a run with another config; train into another folder")
                for n, variable in enumerate(self._variables()):
                    variable.assign(stored.get_tensor(f"{n:04d}").reshape(variable.shape))
        except (SafetensorError, KeyError, ValueError) as error:
            raise InputError(f"{path} is damaged or of another version ({error}); train into another folder") from error
        self.step = int(metadata["step"])
        self.seconds = float(metadata["seconds"])
        self.last = json.loads(metadata["held_out"])
        self.saved = self.step
        same_music = metadata.get("corpus", "") == str(self.material.facts.get("corpus_digest", ""))
        if "lowest" in metadata and same_music:
            self.lowest, self.lowest_at, self.since_lowest = json.loads(metadata["lowest"])

    def _variables(self) -> list[Any]:
        noise = [self.model.noise.state]
        return [*self.model.trainable_variables, *noise, *self.model.optimizer.variables]


@dataclass(frozen=True)
class _Decay:
    config: Config

    def rate(self, step: int) -> float:
        c = self.config
        return max(c.min_learning_rate, c.learning_rate * c.decay_rate**step)
