"""Make the listening page: ten default pieces, their pictures, their figures beside real calm music and Magenta's.

    python docs/listening.py RUN/corpus.npz MAGENTA [--audio DIR | --without-sound] [--check]

RUN is the folder of a `therapy-gen model train` run, which caches the windows of its corpus there; MAGENTA the folder
of Google's mel_2bar_small (TensorFlow.js). The pieces are those of `session new --seed 1` and `--seed 2`. Pictures go
to docs/listening/, the table of figures into its page; DIR keeps the sound, which is never committed. --without-sound
renders none, and leaves its figures out. Beside them stand ten held-out pieces as the corpus has them. With --check,
which needs neither corpus nor checkpoint, nothing is written: the page must show a picture for each of ten pieces.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from therapy_gen.music.performance import Note, Part, Performance

DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "listening"
PAGE = FOLDER / "index.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
SEEDS = (1, 2)
COUNT = 10
SAMPLES = 64
SHOWN_SAMPLES = 10
SHOWN_STRETCHES = 4
# At this tempo notes without one are scored, as the corpus reader scores its windows.
QUARTER_S = 60.0 / 66.0

sys.path.insert(0, str(DOCS.parent / "benchmarks" / "music"))

Sound = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Figures:
    """What is said of a piece: scale, interval, notes a bar, dissonance, calm without velocities, self-similarity."""

    scale: float
    interval: float
    notes: float
    dissonance: float
    calm: float
    alike: float

    def cells(self) -> tuple[str, ...]:
        """Return them as cells of a table; what there is none of is left empty."""
        values = (self.scale, self.interval, self.notes, self.dissonance, self.calm, self.alike)
        forms = ("{:.3f}", "{:.2f}", "{:.1f}", "{:.3f}", "{:.3f}", "{:.2f}")
        return tuple("" if np.isnan(value) else form.format(value) for form, value in zip(forms, values, strict=True))


SOUND = ("loudness, LUFS", "peak", "longest below -60 dBFS", "centroid", "above 4 kHz")
ODDITIES = ("longest without a stroke", "longest held", "leaps over a sixth", "melody under the inner voice")
HEAD = ("", "in scale", "interval", "notes a bar", "dissonant", "calm", "alike")


def figures(parts: Sequence[Sequence[tuple[int, int, int, int]]], steps: int) -> Figures:
    """Measure stretches of `steps` sixteenths of notes (start, end, pitch, voice): means over a piece's stretches."""
    from therapy_gen.music.analysis.calmness import calmness

    rows = []
    for part in parts:
        notes = np.array([note[:4] for note in part])
        classes = np.bincount(notes[:, 2] % 12, minlength=12)
        major = np.array([classes[[(tonic + d) % 12 for d in (0, 2, 4, 5, 7, 9, 11)]].sum() for tonic in range(12)])
        melody = notes[notes[:, 3] == 0][:, 2]
        seconds = QUARTER_S / 4
        scored = calmness(notes[:, 0] * seconds, (notes[:, 1] - notes[:, 0]) * seconds, notes[:, 2])
        rows.append(
            (
                major.max() / len(notes),
                np.abs(np.diff(melody)).mean() if len(melody) > 1 else np.nan,
                len(notes) * 16 / steps,
                _dissonance(notes, steps),
                scored.score,
            )
        )
    return Figures(*_means(rows), _alike(parts, steps))


def _means(rows: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean of each column over the rows that have it; nan where none has."""
    columns = [[value for value in column if not np.isnan(value)] for column in zip(*rows, strict=True)]
    return [float(np.mean(column)) if column else float("nan") for column in columns]


def _dissonance(notes: npt.NDArray[np.int64], steps: int) -> float:
    """Return the share of intervals between voices, by time, that are seconds, sevenths or tritones."""
    pitch = np.full((3, steps), -1)
    for start, end, key, voice in notes:
        pitch[voice, max(start, 0) : end] = key
    clashes = together = 0
    for a, b in combinations(range(3), 2):
        both = (pitch[a] >= 0) & (pitch[b] >= 0)
        clashes += int((np.isin(np.abs(pitch[a] - pitch[b]) % 12, (1, 2, 6, 10, 11)) & both).sum())
        together += int(both.sum())
    return clashes / together if together else float("nan")


def _alike(parts: Sequence[Sequence[tuple[int, int, int, int]]], steps: int) -> float:
    """Return how far the other stretches of a piece are its first one, mean; nan where there is one."""
    from form import Window, same

    if len(parts) < 2 or steps != 256:
        return float("nan")
    classes = [Window.of(part, False).classes for part in parts]
    return float(np.mean([same(classes[0], other) for other in classes[1:]]))


def real(corpus_file: Path) -> list[tuple[str, Figures]]:
    """Measure, and draw, ten calm pieces that no model was trained on, spread evenly over all of them."""
    from form import real_pieces

    from therapy_gen.music.corpus.corpus import Corpus
    from therapy_gen.music.metre import FOUR_FOUR

    corpus = Corpus.load(corpus_file).of_metre(FOUR_FOUR)
    calm = corpus.choose(held_out=True, calmest=1 / 3)
    names = [corpus.pieces[n] for n in np.unique(corpus.piece[calm])]
    named = zip(names, real_pieces(corpus, held_out=True), strict=True)
    # Pieces of two stretches or more have a self-similarity.
    long = [(name, stretches) for name, stretches in named if len(stretches) > 1]
    chosen = [long[n] for n in np.linspace(0, len(long) - 1, COUNT).astype(int)]
    for number, (name, stretches) in enumerate(chosen, 1):
        picture = _real_picture(name, [stretch.notes for stretch in stretches[:SHOWN_STRETCHES]])
        (FOLDER / f"real-{number:02d}.svg").write_text(picture, encoding="utf-8")
    return [(name, figures([stretch.notes for stretch in stretches], 256)) for name, stretches in chosen]


def _real_picture(name: str, parts: Sequence[Sequence[tuple[int, int, int, int]]]) -> str:
    """Draw stretches of sixteen bars one after the other, their voices in the colours that made ones have."""
    from therapy_gen.music.corpus.voices import MELODY

    sixteenth = QUARTER_S / 4
    voices = []
    for voice, (part, program) in enumerate((("Melody", 0), ("Inner voice", 0), ("Bass", 0)), MELODY):
        notes = [
            Note((256 * n + start) * sixteenth, (end - start) * sixteenth, pitch, 80)
            for n, stretch in enumerate(parts)
            for start, end, pitch, of in stretch
            if of == voice
        ]
        voices.append(Part(part, program, tuple(sorted(notes, key=lambda note: note.onset))))
    length = 256 * len(parts) * sixteenth
    return _picture(Performance(tuple(voices), 60.0 / QUARTER_S, "", length, "", title=name))


def magenta(checkpoint: Path, folder: Path) -> tuple[list[Figures], str]:
    """Import Google's checkpoint, draw samples at Magenta's temperature, measure them; and a picture of ten."""
    from therapy_gen.music.midi.midi import read_performance

    program = [str(Path(sys.executable).with_name("therapy-gen")), "--home", str(folder), "--quiet"]
    model = folder / "mel_2bar_small.safetensors"
    for words in (
        ("model", "import", str(checkpoint), "--config", "cat-mel_2bar_small", "-o", str(model)),
        (
            "sample",
            "-n",
            str(SAMPLES),
            "--temperature",
            "1",
            "--seed",
            "1",
            "--model",
            str(model),
            "-o",
            str(folder / "s"),
        ),
    ):
        done = subprocess.run([*program, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(words)}\n{done.stderr}")
    found, shown = [], []
    for number, path in enumerate(sorted((folder / "s").glob("*.mid"))):
        read = read_performance(path.read_bytes())
        sixteenth = 60.0 / read.tempo / 4
        notes = sorted(
            (round(n.onset / sixteenth), max(round((n.onset + n.duration) / sixteenth), round(n.onset / sixteenth) + 1),
             n.pitch, 0)
            for part in read.parts
            for n in part.notes
        )  # fmt: skip
        if notes:
            found.append(figures([notes], 32))
        if number < SHOWN_SAMPLES:
            shown += [
                replace(n, onset=n.onset + number * 36 * sixteenth, velocity=90)
                for part in read.parts
                for n in part.notes
            ]
    length = SHOWN_SAMPLES * 36 * sixteenth
    picture = Performance(
        (Part("Melody", 0, tuple(shown)),), read.tempo, "", length, "", title="mel_2bar_small, ten samples"
    )
    return found, _picture(picture)


def _picture(performance: Performance) -> str:
    from therapy_gen.music.pianoroll import piano_roll

    return piano_roll(performance, width=1400, row_height=5)


def sound_of(midi: bytes) -> tuple[Sound, tuple[str, ...]]:
    """Render a piece; return its sound and cells: LUFS, peak, longest near-silence, centroid, energy above 4 kHz."""
    from therapy_gen.music.audio import SAMPLE_RATE
    from therapy_gen.music.audio.loudness import LoudnessMeter
    from therapy_gen.music.audio.render import render

    sound = render(midi)
    meter = LoudnessMeter(SAMPLE_RATE)
    meter.add(np.ascontiguousarray(sound.T))
    mono = sound.mean(axis=1)
    tenths = mono[: len(mono) // 4410 * 4410].reshape(-1, 4410)
    level = 20 * np.log10(np.sqrt((tenths**2).mean(axis=1)) + 1e-9)
    # The last chord dies away for some seconds.
    silent, longest = 0, 0
    for quiet in level[: len(level) - 40] < -60.0:
        silent = silent + 1 if quiet else 0
        longest = max(longest, silent)
    power = np.zeros(2049)
    for start in range(0, len(mono) - 4096, 4096 * 4):
        power += np.abs(np.fft.rfft(mono[start : start + 4096] * np.hanning(4096))) ** 2
    hertz = np.arange(2049) * SAMPLE_RATE / 4096
    centroid = float((hertz * power).sum() / power.sum())
    above = 10 * np.log10(power[hertz > 4000].sum() / power.sum())
    return sound, (
        f"{meter.integrated():.1f}",
        f"{float(np.abs(sound).max()):.2f}",
        f"{longest / 10:.1f} s",
        f"{centroid:.0f} Hz",
        f"{above:.0f} dB",
    )


def _oddities(performance: Performance) -> tuple[str, ...]:
    """Return what may look wrong in a picture: time without a stroke, a held note, leaps and crossings of voices."""
    parts = {part.name: part.notes for part in performance.parts}
    onsets = sorted(note.onset for notes in parts.values() for note in notes)
    wait = max(after - before for before, after in pairwise(onsets))
    held = max(note.duration for name, notes in parts.items() if name != "Pad" for note in notes[:-2])
    melody, inner = parts["Melody"], parts["Inner voice"]
    leaps = np.abs(np.diff([note.pitch for note in melody]))
    below = sum(
        min(low.onset + low.duration, high.onset + high.duration) - max(low.onset, high.onset)
        for low in inner
        for high in melody
        if low.pitch > high.pitch
        and low.onset < high.onset + high.duration - 0.05
        and high.onset < low.onset + low.duration - 0.05
    )
    return (
        f"{wait:.1f} s",
        f"{held:.1f} s",
        f"{(leaps > 9).mean():.1%}",
        f"{below / performance.duration:.1%}",
    )


def mean(all_figures: Iterable[Figures]) -> Figures:
    """Return the means of figures."""
    return Figures(*_means([list(vars(each).values()) for each in all_figures]))


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def make(corpus: Path, checkpoint: Path, audio: Path | None, *, rendered: bool = True) -> None:
    """Write pictures and figures, those of the sound where it is `rendered`."""
    from form import made_sessions, read_piece

    from therapy_gen.music.midi.midi import read_performance
    from therapy_gen.musicvae.model import load_model

    model = load_model("calm")
    made, sounds = [], []
    for number, (piece, midi) in enumerate(made_sessions(model, SEEDS), 1):
        if number > COUNT:
            break
        performance = read_performance(midi)
        (FOLDER / f"piece-{number:02d}.svg").write_text(_picture(performance), encoding="utf-8")
        found = figures([section.notes for section in read_piece(piece, midi).sections], 256)
        made.append((f"{number} {piece.title}, {piece.key}, {piece.form}", found))
        sound, cells = sound_of(midi) if rendered else (None, ())
        sounds.append((f"{number} {piece.title}", *cells, *_oddities(performance)))
        if audio is not None and sound is not None:
            import soundfile

            audio.mkdir(parents=True, exist_ok=True)
            soundfile.write(audio / f"piece-{number:02d}.flac", sound, 44100)
    held_out = real(corpus)
    with tempfile.TemporaryDirectory() as folder:
        samples, picture = magenta(checkpoint, Path(folder))
    (FOLDER / "mel-2bar-small.svg").write_text(picture, encoding="utf-8")
    rows = [(name, *found.cells()) for name, found in made]
    rows += [("**ten pieces as `session new` makes them**", *mean(found for _, found in made).cells())]
    rows += [(name.replace("_", r"\_"), *found.cells()) for name, found in held_out]
    rows += [("**ten held-out calm pieces**", *mean(found for _, found in held_out).cells())]
    rows += [(f"**{len(samples)} samples of mel\\_2bar\\_small's prior**", *mean(samples).cells())]
    of_sound = markdown(("", *(SOUND if rendered else ()), *ODDITIES), sounds)
    text = PAGE.read_text(encoding="utf-8")
    fresh = (
        f"{BEGIN}\n\n{markdown(HEAD, rows)}\n\n{of_sound}\n\nModel {model.name}, sha256 {model.sha256[:12]}.\n\n{END}"
    )
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: fresh, text, flags=re.DOTALL), encoding="utf-8")


def check() -> None:
    """Exit with what is wrong where the page lacks a picture, a picture lacks notes, or the table lacks a piece."""
    text = PAGE.read_text(encoding="utf-8")
    for number in range(1, COUNT + 1):
        picture = FOLDER / f"piece-{number:02d}.svg"
        if f"({picture.name})" not in text or not re.search(rf"^\| {number} ", text, flags=re.MULTILINE):
            sys.exit(f"{PAGE.name} does not show piece {number}; run: python docs/listening.py")
        if not picture.is_file() or picture.read_text(encoding="utf-8").count("<rect") < 200:
            sys.exit(f"{picture.name} is no picture of a piece; run: python docs/listening.py")


def main() -> None:
    """Make the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?")
    parser.add_argument("magenta", type=Path, nargs="?")
    parser.add_argument("--audio", type=Path)
    parser.add_argument("--without-sound", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        check()
    elif arguments.corpus is None or arguments.magenta is None:
        parser.error("give corpus and checkpoint, or --check")
    else:
        make(arguments.corpus, arguments.magenta, arguments.audio, rendered=not arguments.without_sound)


if __name__ == "__main__":
    main()
