"""Measure what notes of the embedded instruments sound like, for an estimate of loudness before anything is rendered.

python benchmarks/sound/instrument_levels.py -o therapy_gen/assets/levels.npz
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from therapy_gen.music.audio import SAMPLE_RATE
from therapy_gen.music.audio.instruments.pad import TIMBRES
from therapy_gen.music.audio.instruments.soundfont import SoundFont, default_soundfont
from therapy_gen.music.audio.instruments.soundfont_file import SoundFontFile
from therapy_gen.music.audio.live.estimate import BAND_EDGES_HZ, MEASURED_S, TIMES_S, LevelTable, pack
from therapy_gen.music.audio.loudness import LoudnessMeter
from therapy_gen.music.audio.synth import StruckNote, Synthesiser

KEYS = tuple(range(24, 109, 2))
VELOCITIES = (32, 56, 96)
_HELD_S, _SHORT_S = 7.5, 0.6
_SILENT_DB = -127.5

Frames = npt.NDArray[np.float32]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    programs = SoundFontFile(default_soundfont()).programs
    # What the soundfont lacks is played by another of its programs; that is measured once.
    stands_for = {program: _played(programs, program) for program in range(128)}
    measured = sorted(set(stands_for.values()))
    with ProcessPoolExecutor(options.workers) as pool:
        found = list(pool.map(_program, measured))
    table = LevelTable(
        rows=np.array([measured.index(stands_for[program]) for program in range(128)], np.int16),
        keys=np.array(KEYS, float),
        velocities=np.array(VELOCITIES, float),
        power=np.array([one[0] for one in found]),
        bands=np.array([one[1] for one in found]),
        sent=np.array([one[2] for one in found]),
        ring_s=np.array([one[3] for one in found]),
    )
    np.savez_compressed(options.out, **pack(table))  # type: ignore[arg-type]
    print(f"{options.out}: {len(measured)} instruments, {options.out.stat().st_size / 1e3:.0f} kB")


def _played(programs: dict[tuple[int, int], int], program: int) -> int:
    """Return the program whose sound is heard where one is asked for."""
    if program in TIMBRES or (0, program) in programs:
        return program
    family = [other for other in range(program & ~7, (program & ~7) + 8) if (0, other) in programs]
    return min(family, key=lambda other: abs(other - program), default=0)


@cache
def _synthesiser() -> Synthesiser:
    return Synthesiser(SoundFont(default_soundfont()), SAMPLE_RATE, pads=True)


def _program(program: int) -> tuple[list[object], list[object], list[float], list[float]]:
    """Return power and bands by key and velocity, and by key what is sent into the room and how long a key rings."""
    power: list[object] = []
    bands: list[object] = []
    sent: list[float] = []
    ring: list[float] = []
    for key in KEYS:
        each = [_held(program, key, velocity) for velocity in VELOCITIES]
        power.append([one[0] for one in each])
        bands.append([one[1] for one in each])
        sent.append(each[1][2])
        ring.append(_ring_s(program, key))
    return power, bands, sent, ring


def _held(program: int, key: int, velocity: int) -> tuple[list[float], list[float], float]:
    direct, sent = _note(program, key, velocity, _HELD_S, _HELD_S)
    energies = _energies(direct)
    middles = (np.arange(len(energies)) + 0.5) * 0.1
    power = []
    for number, at in enumerate(TIMES_S):
        low = 0.0 if number == 0 else (TIMES_S[number - 1] + at) / 2
        high = (at + TIMES_S[number + 1]) / 2 if number + 1 < len(TIMES_S) else at + 0.5
        near = energies[(middles >= low) & (middles < high)]
        power.append(_db(float(near.mean()) if len(near) else float(energies[int(at / 0.1)])))
    begun = round(MEASURED_S * SAMPLE_RATE)
    meter = LoudnessMeter(SAMPLE_RATE)
    meter.add(direct[:, :begun])
    weighted = float(energies[: round(MEASURED_S * 10)].sum())
    # Energies of the spectrum in the unit of mean squares: Parseval, both sides.
    step = SAMPLE_RATE // 10
    plain = 2 * meter.spectrum / step**2
    bands = []
    for low, high in pairwise(BAND_EDGES_HZ):
        part = float(plain[round(low / 10) : round(high / 10)].sum())
        bands.append(_db(part / weighted) if weighted > 0 else _SILENT_DB)
    room = float(_energies(np.stack([sent, np.zeros_like(sent)]))[: round(MEASURED_S * 10)].sum())
    return power, bands, _db(room / weighted) if weighted > 0 else 0.0


def _ring_s(program: int, key: int) -> float:
    """Return the energy after a key is released, in seconds of the power that it had then."""
    direct, _ = _note(program, key, VELOCITIES[1], _SHORT_S, _HELD_S)
    energies = _energies(direct)
    released = round(_SHORT_S * 10)
    before = float(energies[released - 1])
    return float(energies[released:].sum()) * 0.1 / before if before > 0 else 0.0


def _note(program: int, key: int, velocity: int, held_s: float, length_s: float) -> tuple[Frames, Frames]:
    frames = round(length_s * SAMPLE_RATE)
    blocks = _synthesiser().blocks([StruckNote(0.0, held_s, key, velocity, program)], frames, 1 << 16)
    direct, sent = zip(*blocks, strict=True)
    return np.concatenate(direct, axis=1)[:, :frames], np.concatenate(sent)[:frames]


def _energies(sound: Frames) -> npt.NDArray[np.float64]:
    """Return the weighted mean square of every 100 ms."""
    meter = LoudnessMeter(SAMPLE_RATE)
    meter.add(sound)
    return meter.energies


def _db(ratio: float) -> float:
    return float(10 * np.log10(ratio)) if ratio > 10 ** (_SILENT_DB / 10) else _SILENT_DB


if __name__ == "__main__":
    main()
