"""Speed and memory of scoring: 60 min, 64 channels, 500 Hz, float32 FIF, against reading alone and MNE's `compute_psd`.

    python benchmarks/eeg/speed.py [--minutes 60] [--channels 64] [--sfreq 500] [--repeats 3] [--folder DIR]

All ways run in turn in one process, `repeats` times, and the best of each is printed; `therapy-gen score-eeg`,
database and ranking included, runs in a process of its own, timed from its start. The recording is simulated noise
with 20 plays of 150 s. Beside the clock's seconds stand the processor's, which other programs change little.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# As the program does: small matrices gain nothing from more.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

SEGMENT_S = 30.0


def make_recording(path: Path, minutes: float, channels: int, sfreq: float) -> None:
    """Write coloured noise with marked plays."""
    import mne
    import scipy.signal

    from eeg.io.mne import quiet_mne
    from eeg.simulation.simulate import channel_names

    n = int(minutes * 60 * sfreq)
    rng = np.random.default_rng(0)
    samples = np.empty((channels, n), np.float32)
    for row in samples:
        row[:] = scipy.signal.lfilter([4e-6], [1.0, -0.95], rng.standard_normal(n, dtype=np.float32))
    with quiet_mne():
        raw = mne.io.RawArray(
            samples, mne.create_info(list(channel_names(channels)), sfreq, "eeg"), copy="auto", verbose="error"
        )
        start, play = 120.0, (minutes * 60 - 240.0) / 20
        onsets = start + play * np.arange(20)
        raw.set_annotations(mne.Annotations(onsets, [play] * 20, [f"piece/P{i % 5}" for i in range(20)]))
        raw.save(path, fmt="single", overwrite=True)


def read_only(path: Path) -> None:
    """Read everything in segments, as MNE gives it."""
    import mne

    raw = mne.io.read_raw_fif(path, preload=False, verbose="error")
    step = int(SEGMENT_S * raw.info["sfreq"])
    for start in range(0, raw.n_times, step):
        raw[:, start : start + step]


def compute_psd(path: Path) -> None:
    """Take MNE's Welch spectrum of every segment, 2 s Hann windows."""
    import mne

    raw = mne.io.read_raw_fif(path, preload=False, verbose="error")
    sfreq = raw.info["sfreq"]
    window = int(2 * sfreq)
    for i in range(int(raw.times[-1] // SEGMENT_S)):
        raw.compute_psd(
            "welch",
            tmin=i * SEGMENT_S,
            tmax=(i + 1) * SEGMENT_S - 1 / sfreq,
            fmax=70.0,
            n_fft=window,
            n_per_seg=window,
            n_overlap=0,
            window="hann",
            verbose="error",
        )


def power_only(path: Path) -> None:
    """Read and transform every window and add up its power, in one thread."""
    from eeg.bandpower.psd import frequency_grid, hann_spectra, power
    from eeg.io.recording import open_recording

    recording = open_recording(path)
    grid = frequency_grid(recording.sfreq, int(2 * recording.sfreq), 70.0)
    total = np.zeros((len(recording.eeg), grid.bins))
    step, part = int(SEGMENT_S * recording.sfreq), 7 * grid.length
    for start in range(0, recording.n_samples, step):
        samples = recording.read32(start, min(start + step, recording.n_samples), recording.eeg)
        for at in range(0, samples.shape[1] - grid.length + 1, part):
            total += power(hann_spectra(samples[:, at : at + part], grid, grid.length), grid).sum(axis=1)


def collect_power(path: Path) -> None:
    """Read and transform every window, rejection and re-referencing included."""
    from eeg.bandpower.accumulate import collect, make_processing
    from eeg.io.recording import open_recording
    from eeg.preparation import prepare
    from eeg.settings import Settings
    from eeg.timeline.find_timeline import find_timeline

    recording = open_recording(path)
    prepared = prepare(recording, find_timeline(recording), Settings())
    processing = make_processing(
        prepared.quality,
        prepared.grid,
        prepared.hop,
        len(prepared.eeg),
        average=True,
        bands=list(prepared.bands.values()),
        unmix=None,
    )
    collect(recording, prepared.eeg, prepared.starts, prepared.owners, len(prepared.segments.items), processing)


def store_session(folder: Path, minutes: float) -> list[str]:
    """Store a session that is as long as the recording; return the program's arguments up to the recording."""
    program = [sys.executable, "-m", "therapy_gen.cli.main", "--home", str(folder / "home")]
    made = subprocess.run(
        [*program, "session", "new", "--minutes", f"{minutes:g}", "--baseline", "120", "--seed", "1", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    events = folder / "events.tsv"
    with events.open("w", encoding="utf-8") as file:
        file.write("onset\tduration\ttrial_type\n")
        for item in json.loads(made.stdout)["session"]["items"]:
            if item["piece"]:
                file.write(f"{item['onset_s']}\t{item['duration_s']}\tpiece/{item['piece']}\n")
    return [*program, "score-eeg", "--listener", "ana", "--events", str(events)]


def whole(arguments: list[str], path: Path, repeats: int) -> tuple[float, float, float]:
    """Run `score-eeg`; return seconds of the clock (from the start of its process) and the processor, and peak MiB."""
    best, work, memory = float("inf"), float("inf"), 0.0
    for _ in range(repeats):
        start = time.perf_counter()
        running = subprocess.Popen([*arguments, str(path)], stdout=subprocess.DEVNULL, cwd=ROOT)
        _, status, usage = os.wait4(running.pid, 0)
        best = min(best, time.perf_counter() - start)
        work = min(work, usage.ru_utime + usage.ru_stime)
        if status:
            sys.exit("score-eeg failed")
        memory = max(memory, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))
    return best, work, memory


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--sfreq", type=float, default=500.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="keeps the recording there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        path = folder / f"speed_{options.minutes:g}min_{options.channels}ch_{options.sfreq:g}Hz_raw.fif"
        if not path.exists():
            # In a process of its own: its memory must not count.
            arguments = [str(path), str(options.minutes), str(options.channels), str(options.sfreq)]
            code = (
                "import sys; from pathlib import Path; sys.path.insert(0, 'benchmarks/eeg'); import speed; "
                "p, m, c, s = sys.argv[1:]; speed.make_recording(Path(p), float(m), int(c), float(s))"
            )
            subprocess.run([sys.executable, "-c", code, *arguments], check=True, cwd=ROOT)
        ways: dict[str, Callable[[Path], None]] = {
            "reading only": read_only,
            "reading and power": power_only,
            "the same, bad channels and rejection": collect_power,
            "raw.compute_psd per 30 s": compute_psd,
        }
        # First, while this process is small: what it holds when it starts another counts as the other's memory.
        wall, cpu, memory = whole(store_session(Path(scratch), options.minutes), path, options.repeats)
        best = dict.fromkeys(ways, float("inf"))
        work = dict.fromkeys(ways, float("inf"))
        read_only(path)
        for _ in range(options.repeats):
            for name, way in ways.items():
                start, before = time.perf_counter(), time.process_time()
                way(path)
                best[name] = min(best[name], time.perf_counter() - start)
                work[name] = min(work[name], time.process_time() - before)
        size = path.stat().st_size / 2**20
    reading = best["reading only"]
    print(
        f"{options.minutes:g} min, {options.channels} channels, {options.sfreq:g} Hz, float32 FIF, {size:.0f} MiB; ",
        end="",
    )
    print(f"{os.cpu_count()} cores, best of {options.repeats}, load {os.getloadavg()[0]:.1f}")
    print(f"{'':40}{'wall s':>8}{'x reading':>11}{'processor s':>13}{'x reading':>11}")
    for name, seconds in best.items():
        ratio = work[name] / work["reading only"]
        print(f"{name:40}{seconds:8.2f}{seconds / reading:11.2f}{work[name]:13.2f}{ratio:11.2f}")
    print(f"{'therapy-gen score-eeg, process start on':40}{wall:8.2f}{'':11}{cpu:13.2f}   {memory:.0f} MiB at most")
    slow = best["raw.compute_psd per 30 s"]
    plain, full = best["reading and power"], best["the same, bad channels and rejection"]
    print(f"faster than raw.compute_psd: {slow / plain:.1f} times; with rejection {slow / full:.1f} times")


if __name__ == "__main__":
    main()
