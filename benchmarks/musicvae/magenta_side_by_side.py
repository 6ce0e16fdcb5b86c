"""Time 16 samples of hierdec-mel_16bar here and in Magenta, cold and warm, on the same weights.

    python benchmarks/musicvae/magenta_side_by_side.py [--runs 3] [--samples 16] [--batch 16] [--busy 2]

Magenta makes a checkpoint of full size with random weights (176 million); `therapy-gen model import` reads it. Cold is
a whole process: `therapy-gen sample` writes 16 MIDI files; Magenta's process imports, builds its graph, loads, and
samples 16 NoteSequences (`TrainedModel.sample`). Warm is one call once all is loaded, in a process of its own: decoding
16 points of the prior here, with tokens made into MIDI files in memory, and `TrainedModel.sample` there, each the best
of three calls after one that is not counted. Magenta has all cores; here a call is timed as the commands of therapy-gen
run (products shared by threads of our own, BLAS on one), on one core, and with BLAS as it is found. All take turns, so
that other work falls on all of them; `--busy` starts so many processes beside them that compute without end. Memory is
the largest resident set of each process. Rates are those of the decoder's products: each of its weights is read once a
step, and multiplied by as many rows as there are samples.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.measure import PROGRAM, TIMING_HEAD, machine, run, table, timing_row

HERE = Path(__file__).parent
CONFIG = "hierdec-mel_16bar"
WARM_CALLS = 3
STEPS = 256
# Of the decoder's layers and its projection: what a step reads.
STEP_WEIGHTS = 1024 * 4096 + 2048 * 4096 + 1024 * 90


def warm(model: Path, samples: int) -> None:
    """Print the seconds of a call once the model is loaded; run in a process of its own."""
    import numpy as np

    from therapy_gen.music.arranging.literal import MAGENTA_TEMPO, literal_performance
    from therapy_gen.music.midi.midi import to_midi
    from therapy_gen.musicvae.load import open_model

    found = open_model(str(model))
    seconds, processor = [], []
    for seed in range(WARM_CALLS + 1):
        rng = np.random.default_rng(seed)
        started, used = time.perf_counter(), time.process_time()
        tokens = found.decode(found.sample_prior(samples, rng), temperature=0.5, rng=rng)
        for section in tokens:
            to_midi(
                literal_performance([section.astype(np.int64)], found.voices, tempi=[MAGENTA_TEMPO]), title="sample"
            )
        seconds.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    print(json.dumps({"warm_s": seconds[1:], "warm_cpu_s": processor[1:]}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16, help="Magenta's batch size")
    parser.add_argument("--warm", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--busy", type=int, default=0, help="processes beside that compute without end")
    options = parser.parse_args()
    if options.warm:
        warm(options.warm, options.samples)
        return
    print(
        f"{machine()}; {options.samples} samples of {CONFIG}, Magenta's batch size {options.batch}; "
        f"{options.busy} busy processes beside\n",
        flush=True,
    )
    beside = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
    try:
        measure(options.samples, options.batch, options.runs)
    finally:
        for process in beside:
            process.kill()


def measure(samples: int, batch: int, runs: int) -> None:
    """Run both, turn by turn, and print the tables."""
    ways = {
        "all cores": {"OPENBLAS_NUM_THREADS": "1"},
        "one core": {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        "BLAS as found": {},
    }
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint, home = Path(scratch, "checkpoint", "model.ckpt"), Path(scratch, "home")
        subprocess.run([sys.executable, HERE / "magenta_sample.py", "prepare", checkpoint], check=True)
        size = sum(file.stat().st_size for file in checkpoint.parent.iterdir()) / 1e6
        imported = run([PROGRAM, "--home", home, "model", "import", checkpoint, "--config", CONFIG])
        sample = [PROGRAM, "--home", home, "sample", "-n", samples, "--seed", 1, "--model", CONFIG, "-o"]
        theirs = [sys.executable, HERE / "magenta_sample.py", "sample", checkpoint, samples, batch]
        run([*sample, Path(scratch, "warm-up")])
        warm_call = [
            sys.executable,
            __file__,
            "--samples",
            samples,
            "--warm",
            home / "models" / f"{CONFIG}.safetensors",
        ]
        cold, magenta = [], []
        ours_warm: dict[str, list[dict[str, list[float]]]] = {way: [] for way in ways}
        for n in range(runs):
            cold.append(run([*sample, Path(scratch, f"out{n}")]))
            magenta.append(run([*theirs, WARM_CALLS]))
            for way, variables in ways.items():
                ours_warm[way].append(json.loads(run(warm_call, variables).stdout))
    rows = [
        timing_row(f"model import ({size:.0f} MB)", [imported]),
        timing_row("therapy-gen sample", cold),
        timing_row("Magenta, whole process", magenta),
    ]
    print(table(TIMING_HEAD, rows) + "\n")
    their_warm = [json.loads(each.stdout) for each in magenta]
    rows = [
        calls_row("Magenta, all cores", their_warm, samples),
        *(calls_row(f"here, {way}", found, samples) for way, found in ours_warm.items()),
    ]
    print(table(("warm calls", "least s", "median s", "cpu s", "GFLOP/s", "GB/s"), rows) + "\n")
    whole = statistics.median(each.wall_s for each in cold)
    # Magenta's warm calls are no part of its cold process.
    their_whole = statistics.median(
        each.wall_s - sum(found["warm_s"]) for each, found in zip(magenta, their_warm, strict=True)
    )
    peak, their_peak = max(each.peak_mb for each in cold), max(each.peak_mb for each in magenta)
    call, their_call = (seconds(found, statistics.median) for found in (ours_warm["all cores"], their_warm))
    met = {True: "yes", False: "no"}
    results = [
        ("cold: times faster", f"{their_whole / whole:.1f}", ">= 3", met[their_whole / whole >= 3]),
        ("warm call, all cores, median s", f"{call:.2f}", f"<= {their_call:.2f}", met[call <= their_call]),
        ("memory, MB", f"{peak:.0f}", f"<= {their_peak:.0f}", met[peak <= their_peak]),
        ("import, peak MB", f"{imported.peak_mb:.0f}", f"< {2 * size:.0f}", met[imported.peak_mb < 2 * size]),
    ]
    print(table(("figure", "measured", "wanted", "met"), results))


def seconds(
    found: Sequence[Mapping[str, list[float]]], of: Callable[[list[float]], float], key: str = "warm_s"
) -> float:
    """Return the least or the median over the calls of all runs."""
    return of([each for one in found for each in one[key]])


def calls_row(name: str, found: Sequence[Mapping[str, list[float]]], samples: int) -> tuple[str, ...]:
    """Return a line of the second table; rates are those of the shortest call."""
    least = seconds(found, min)
    return (
        name,
        f"{least:.2f}",
        f"{seconds(found, statistics.median):.2f}",
        f"{seconds(found, statistics.median, 'warm_cpu_s'):.2f}",
        f"{2 * samples * STEP_WEIGHTS * STEPS / least / 1e9:.0f}",
        f"{4 * STEP_WEIGHTS * STEPS / least / 1e9:.1f}",
    )


if __name__ == "__main__":
    main()
