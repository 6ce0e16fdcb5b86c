"""Time 16 samples of hierdec-mel_16bar here and in Magenta, cold and warm, on the same weights.

    python benchmarks/musicvae/magenta_side_by_side.py [--runs 3] [--samples 16] [--batch 16]

Magenta makes a checkpoint of full size with random weights (176 million); `therapy-gen model import` reads it. Cold is
a whole process: `therapy-gen sample` writes 16 MIDI files; Magenta's process imports, builds its graph, loads, and
samples 16 NoteSequences (`TrainedModel.sample`). Warm is one call once all is loaded, in a process of its own: decoding
16 points of the prior here, with tokens made into MIDI files in memory, and `TrainedModel.sample` there, each the best
of three calls after one that is not counted. Magenta has all cores; here a call is timed with one thread, as the
commands of therapy-gen run, and with all. Memory is the largest resident set of each process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import PROGRAM, TIMING_HEAD, machine, run, table, timing_row

HERE = Path(__file__).parent
CONFIG = "hierdec-mel_16bar"
WARM_CALLS = 3


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
    options = parser.parse_args()
    if options.warm:
        warm(options.warm, options.samples)
        return
    print(f"{machine()}; {options.samples} samples of {CONFIG}, Magenta's batch size {options.batch}\n", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint, home = Path(scratch, "checkpoint", "model.ckpt"), Path(scratch, "home")
        subprocess.run([sys.executable, HERE / "magenta_sample.py", "prepare", checkpoint], check=True)
        size = sum(file.stat().st_size for file in checkpoint.parent.iterdir()) / 1e6
        imported = run([PROGRAM, "--home", home, "model", "import", checkpoint, "--config", CONFIG])
        sample = [PROGRAM, "--home", home, "sample", "-n", options.samples, "--seed", 1, "--model", CONFIG, "-o"]
        theirs = [sys.executable, HERE / "magenta_sample.py", "sample", checkpoint, options.samples, options.batch]
        run([*sample, Path(scratch, "warm-up")])
        cold = [run([*sample, Path(scratch, f"out{n}")]) for n in range(options.runs)]
        magenta = [run([*theirs, WARM_CALLS]) for _ in range(options.runs)]
        warm_call = [sys.executable, __file__, "--warm", home / "models" / f"{CONFIG}.safetensors"]
        ours_warm = {
            "one thread": run(warm_call, {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}),
            "all cores": run(warm_call),
        }
    rows = [
        timing_row(f"model import ({size:.0f} MB)", [imported]),
        timing_row("therapy-gen sample", cold),
        timing_row("Magenta, whole process", magenta),
    ]
    print(table(TIMING_HEAD, rows))
    calls = {threads: min(json.loads(each.stdout)["warm_s"]) for threads, each in ours_warm.items()}
    their_calls = min(min(json.loads(each.stdout)["warm_s"]) for each in magenta)
    cpu = min(json.loads(ours_warm["one thread"].stdout)["warm_cpu_s"])
    their_cpu = min(min(json.loads(each.stdout)["warm_cpu_s"]) for each in magenta)
    whole = statistics.median(each.wall_s for each in cold)
    # Magenta's warm calls are no part of its cold process.
    their_whole = statistics.median(each.wall_s - sum(json.loads(each.stdout)["warm_s"]) for each in magenta)
    peak, their_peak = max(each.peak_mb for each in cold), max(each.peak_mb for each in magenta)
    print()
    met = {True: "yes", False: "no"}
    results = [
        ("cold: times faster", f"{their_whole / whole:.1f}", ">= 3", met[their_whole / whole >= 3]),
        *(
            (f"warm call here, {threads}, s", f"{call:.2f}", f"<= {their_calls:.2f}", met[call <= their_calls])
            for threads, call in calls.items()
        ),
        ("its processor time, one thread, s", f"{cpu:.2f}", f"<= {their_cpu:.2f}", met[cpu <= their_cpu]),
        ("memory, MB", f"{peak:.0f}", f"<= {their_peak:.0f}", met[peak <= their_peak]),
        ("import, peak MB", f"{imported.peak_mb:.0f}", f"< {2 * size:.0f}", met[imported.peak_mb < 2 * size]),
    ]
    print(table(("figure", "measured", "wanted", "met"), results))


if __name__ == "__main__":
    main()
