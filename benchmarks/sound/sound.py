"""Measure what a listener hears first: width, air, room, evenness, clicks, peaks, touch; FluidSynth beside it.

python benchmarks/sound/sound.py [--minutes 3] [--palettes piano harp] [--fonts FLUIDR3.sf2 MUSESCORE.sf3] [--out DIR]

FluidSynth and soundfonts are Debian's: fluidsynth, fluid-soundfont-gm, musescore-general-soundfont-small.
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from benchmarks.measure import machine, table
from sessions.builder import new_session
from sessions.planning.plan import SessionRequest
from sessions.storage.library import midi_of
from sessions.storage.store import Store
from therapy_gen.music.arranging.palettes import MELODY_PART, PALETTES
from therapy_gen.music.audio.instruments.soundfont import default_soundfont
from therapy_gen.music.audio.loudness import LoudnessMeter
from therapy_gen.music.audio.render import render
from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.performance import Note, Part, Performance
from therapy_gen.musicvae.model import load_model

RATE = 44100
FONTS = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3")
Sound = npt.NDArray[np.float32]

HEAD = (
    "L/R corr.",
    "mono sum dB",
    "over 4 kHz dB",
    "early decay s",
    "swing LU",
    "clicks dB",
    "true peak dBTP",
    "floor dBFS",
    "first 50 ms dBFS",
    "LUFS",
)


def db(energy: float) -> float:
    """Return a mean square in decibels."""
    return 10 * math.log10(max(energy, 1e-20))


def correlation(sound: Sound) -> float:
    """Return the correlation of left and right over the whole piece."""
    return float(np.corrcoef(sound[:, 0], sound[:, 1])[0, 1])


def mono_sum(sound: Sound) -> float:
    """Return by how many decibels the mono sum differs from both channels' energy; 0 where they are the same."""
    mono = sound.mean(axis=1, dtype=np.float64)
    return db(float(np.mean(mono**2))) - db(float(np.mean(np.square(sound, dtype=np.float64))))


def air(sound: Sound) -> float:
    """Return the energy above 4 kHz against all of it, in decibels."""
    size = 1 << 14
    power = np.zeros(size // 2 + 1)
    for start in range(0, len(sound) - size, size // 2):
        power += (np.abs(np.fft.rfft(sound[start : start + size] * np.hanning(size)[:, None], axis=0)) ** 2).sum(axis=1)
    return db(float(power[np.fft.rfftfreq(size, 1 / RATE) > 4000].sum())) - db(float(power.sum()))


def short_term(sound: Sound) -> npt.NDArray[np.float64]:
    """Return the loudness of three seconds, every half second, in LUFS (EBU Tech 3341)."""
    found = []
    for start in range(0, len(sound) - 3 * RATE, RATE // 2):
        meter = LoudnessMeter(RATE)
        meter.add(np.ascontiguousarray(sound[start : start + 3 * RATE].T))
        energies = np.concatenate(meter._energies)
        found.append(-0.691 + db(float(energies.mean())))
    return np.array(found)


def swing(sound: Sound) -> float:
    """Return the distance from the 10th to the 90th percentile of short-term loudness inside a piece."""
    inside = short_term(sound[RATE : -6 * RATE])
    low, high = np.percentile(inside, (10, 90))
    return float(high - low)


def clicks(sound: Sound) -> float:
    """Return how far energy above 8 kHz leaps from one 3 ms to the next: the 99.9th percentile in decibels."""
    high = np.diff(sound.mean(axis=1, dtype=np.float64), n=4)
    frames = (high[: len(high) // 128 * 128].reshape(-1, 128) ** 2).mean(axis=1)
    before = np.convolve(frames, np.ones(8) / 8)[: len(frames)]
    loud = frames[8:] > frames.mean() * 1e-3
    leaps = frames[8:] / np.maximum(before[7:-1], frames.mean() * 1e-4)
    return db(float(np.percentile(leaps[loud], 99.9)))


def true_peak(sound: Sound) -> float:
    """Return the largest sample after fourfold oversampling, in dBTP."""
    from scipy import signal

    return 20 * math.log10(float(np.abs(signal.resample_poly(sound, 4, 1, axis=0)).max()))


def floor(sound: Sound) -> float:
    """Return the level of the quietest tenth of a second."""
    tenth = RATE // 10
    whole = sound[: len(sound) // tenth * tenth].reshape(-1, tenth * 2)
    return db(float(np.mean(np.square(whole, dtype=np.float64), axis=1).min()))


def early_decay(sound: Sound, released_s: float) -> float:
    """Return six times the seconds in which a released chord falls by 10 dB, by backward integration (ISO 3382-1)."""
    after = sound[round(released_s * RATE) :]
    energy = np.square(after, dtype=np.float64).sum(axis=1)[::-1].cumsum()[::-1]
    return 6 * float(np.argmax(energy < energy[0] / 10)) / RATE


def figures(sound: Sound, stopped: Sound) -> list[str]:
    """Return a row of `HEAD`."""
    meter = LoudnessMeter(RATE)
    meter.add(np.ascontiguousarray(sound.T))
    return [
        f"{correlation(sound):.2f}",
        f"{mono_sum(sound):+.1f}",
        f"{air(sound):.1f}",
        f"{early_decay(stopped, STOPPED_S):.2f}",
        f"{swing(sound):.1f}",
        f"{clicks(sound):.1f}",
        f"{true_peak(sound):.1f}",
        f"{floor(sound):.0f}",
        f"{db(float(np.mean(np.square(sound[: RATE // 20], dtype=np.float64)))):.0f}",
        f"{meter.integrated():.1f}",
    ]


STOPPED_S = 2.0


def stopped_chord(palette: str) -> bytes:
    """Return a chord of all voices of a palette that is released at `STOPPED_S`, the pedal up."""
    own = PALETTES[palette]
    parts = tuple(
        Part(one.name, one.program, (Note(1.0, STOPPED_S - 1.0, pitch, one.velocity),), pan=one.pan, level=one.level)
        for one, pitch in zip(own.voices, (72, 64, 48), strict=True)
    )
    return to_midi(Performance(parts, 60, "", 12.0, palette), title="stopped")


def touch(midi: bytes) -> tuple[float, float]:
    """Return the spread of the melody's velocities, and their correlation with an arch over each four bars."""
    performance = read_performance(midi)
    melody = next(part for part in performance.parts if part.name == MELODY_PART)
    bar_s = 240 / performance.tempo if performance.metre == "4/4" else 180 / performance.tempo
    velocities = np.array([note.velocity for note in melody.notes], dtype=float)
    place = np.array([note.onset / (4 * bar_s) % 1 for note in melody.notes])
    return float(velocities.std()), float(np.corrcoef(velocities, np.sin(np.pi * place))[0, 1])


def fluidsynth(midi: bytes, font: Path, scratch: Path) -> Sound:
    """Render with FluidSynth, its reverb and chorus as they are by default, at our loudness."""
    (scratch / "a.mid").write_bytes(midi)
    command = ["fluidsynth", "-ni", "-r", str(RATE), "-g", "0.5", "-F", scratch / "a.wav", font, scratch / "a.mid"]
    subprocess.run(command, check=True, capture_output=True)
    sound = soundfile.read(scratch / "a.wav", dtype="float32", always_2d=True)[0]
    meter = LoudnessMeter(RATE)
    meter.add(np.ascontiguousarray(sound.T))
    return sound * np.float32(10 ** ((-23 - meter.integrated()) / 20))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--palettes", nargs="+", default=list(PALETTES))
    parser.add_argument("--fonts", nargs="*", type=Path, default=[Path(font) for font in FONTS])
    parser.add_argument("--out", type=Path, help="keep what was rendered in this folder")
    options = parser.parse_args()
    fonts = [font for font in options.fonts if font.is_file() and shutil.which("fluidsynth")]
    # The same samples by another player: what of a leap is the instrument's.
    own = [default_soundfont()] if fonts else []
    rows, touches = [], []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        store = Store.open(scratch / "a.db")
        model = load_model()
        for palette in options.palettes:
            made = new_session(
                store, model, SessionRequest(minutes=options.minutes), seed=options.seed, palette=palette
            )
            first = made.pieces()[0]
            midi, chord = midi_of(store, [first.id])[first.id], stopped_chord(palette)
            touches.append([palette, *(f"{value:.2f}" for value in touch(midi))])
            rendered = {"therapy-gen": (render(midi), render(chord))}
            for font in (*fonts, *own):
                rendered[f"FluidSynth {font.stem}"] = tuple(fluidsynth(m, font, scratch) for m in (midi, chord))
                if options.out is not None and font not in own:
                    rendered[f"therapy-gen {font.stem}"] = tuple(render(m, soundfont=font) for m in (midi, chord))
            for name, (sound, stopped) in rendered.items():
                rows.append([palette, name, *figures(np.asarray(sound), np.asarray(stopped))])
                print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
                if options.out is not None:
                    options.out.mkdir(exist_ok=True, parents=True)
                    soundfile.write(options.out / f"{palette}-{name.replace(' ', '-')}.wav", sound, RATE)
    print(f"{machine()}; the first piece of {options.minutes:g} minutes, seed {options.seed}\n")
    print(table(("palette", "rendered by", *HEAD), rows))
    print()
    print(table(("palette", "melody's velocity SD", "correlation with an arch over four bars"), touches))


if __name__ == "__main__":
    main()
