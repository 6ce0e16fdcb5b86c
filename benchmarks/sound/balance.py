"""Levels of a palette's parts against one another, and against FluidSynth with MuseScore General.

python benchmarks/sound/balance.py [--palettes pad piano] [--font MUSESCORE.sf3]

Each part plays three notes of three seconds, dry, at its own velocity and level. Printed is by how much it is louder
than FluidSynth's, the mean of the palette's parts taken off. FluidSynth and the soundfont are Debian's: fluidsynth,
musescore-general-soundfont-small.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

import therapy_gen
from benchmarks.measure import machine, table
from therapy_gen.music.arranging.palettes import PALETTES, Instrument
from therapy_gen.music.audio import SAMPLE_RATE
from therapy_gen.music.audio.loudness import LoudnessMeter
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.render import PieceRenderer, struck_notes
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.performance import Note, Part, Performance

_FONT = Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3")
_KEYS, _HELD_S, _EVERY_S, _PART_S = (48, 57, 66), 3.0, 5.0, 15.0

Levels = npt.NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--palettes", nargs="+", default=list(PALETTES))
    parser.add_argument("--font", type=Path, default=_FONT)
    options = parser.parse_args()
    renderers = {
        "embedded": PieceRenderer(Mix(space="dry"), SAMPLE_RATE),
        "MuseScore General": PieceRenderer(Mix(options.font, space="dry"), SAMPLE_RATE),
    }
    rows = []
    for name in options.palettes:
        palette = PALETTES[name]
        midi = _in_turn([*palette.voices, palette.pad])
        reference = _fluidsynth(midi, options.font)
        for instruments, renderer in renderers.items():
            apart = _own(renderer, midi) - reference
            rows.append([name, instruments, *(f"{value:+.1f}" for value in apart - apart.mean())])
    print(f"{machine()}\n")
    print(table(("palette", "our player with", "melody, dB", "inner", "bass", "pad"), rows))


def _in_turn(parts: Sequence[Instrument]) -> bytes:
    """Return MIDI in which parts play one after the other."""
    made = []
    for number, part in enumerate(parts):
        notes = tuple(Note(number * _PART_S + n * _EVERY_S, _HELD_S, key, part.velocity) for n, key in enumerate(_KEYS))
        made.append(Part(part.name, part.program, notes, pedal=(), level=part.level))
    return therapy_gen.to_midi(Performance(tuple(made), 60, "", len(parts) * _PART_S, ""), title="Parts in turn")


def _own(renderer: PieceRenderer, midi: bytes) -> Levels:
    performance = read_performance(midi, name="the parts")
    blocks = renderer.bare(struck_notes(performance), round(performance.duration * SAMPLE_RATE))
    return _levels(np.concatenate(list(blocks)))


def _fluidsynth(midi: bytes, font: Path) -> Levels:
    with tempfile.TemporaryDirectory() as folder:
        source, sound = Path(folder, "a.mid"), Path(folder, "a.wav")
        source.write_bytes(midi)
        command = ["fluidsynth", "-ni", "-R", "0", "-C", "0", "-r", str(SAMPLE_RATE), "-g", "0.5", "-F", sound, font]
        subprocess.run([*map(str, command), str(source)], check=True, capture_output=True)
        return _levels(soundfile.read(sound, dtype="float32", always_2d=True)[0])


def _levels(sound: npt.NDArray[np.float32]) -> Levels:
    """Return the weighted energy of each part's turn, in decibels."""
    meter = LoudnessMeter(SAMPLE_RATE)
    meter.add(np.ascontiguousarray(sound.T))
    steps = round(_PART_S * 10)
    turns = [meter.energies[n * steps : (n + 1) * steps].sum() for n in range(4)]
    return np.asarray(10 * np.log10(turns))


if __name__ == "__main__":
    main()
