"""Form and phrase endings of pieces as `session new` makes them, beside real calm pieces.

    python benchmarks/music/form.py RUN/corpus.npz [--sessions 12] [--seed 1]

RUN is the folder of a `therapy-gen model train` run, which caches the windows of its corpus there. All figures of made
pieces are of the arranged music, read from its MIDI; all music is brought to the tonic C.

First table, quartiles over pairs of stretches of sixteen bars. same: share of sixteenths at which the same pitch class
sounds, mean of melody and bass, where either sounds; bar: for each bar of one stretch the most similar bar of the
other, mean, so that what returns in another place counts; rhythm: share of the melody's
onsets that both have at the same place.

Second table, at the ends of phrases of 4, 8 and 16 bars: share whose last melody note, and last bass note, is of the
tonic triad; whose bass is the tonic; whose last melody note lasts a quarter at least. Other bars stand beside them.

Third table, of whole endings: share in which the last change of bass goes to the tonic, from the dominant, from the
fourth degree, stepwise.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.measure import machine, table
from sessions.builder import new_session
from sessions.planning.plan import SessionRequest
from sessions.records import PieceRecord
from sessions.storage.library import midi_of
from sessions.storage.store import Store
from therapy_gen.music.arranging.arrange import steps_of
from therapy_gen.music.corpus.corpus import Corpus
from therapy_gen.music.metre import FOUR_FOUR
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.tokens import (
    BARS_PER_SECTION,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    STEPS_PER_SECTION,
    VOICES,
    VoiceNote,
    tokens_to_notes,
)
from therapy_gen.music.tonality import parse_key
from therapy_gen.musicvae.model import Model, load_model

Classes = npt.NDArray[np.int8]

MELODY, BASS = 0, 2
_CALM = 1 / 3
_TRIADS = {False: (0, 4, 7), True: (0, 3, 7)}


@dataclass(frozen=True)
class Window:
    """Sixteen bars: the pitch class each voice sounds at each sixteenth (steps, voices), -1 for none; its notes."""

    classes: Classes
    notes: tuple[VoiceNote, ...]
    minor: bool

    @classmethod
    def of(cls, notes: Sequence[VoiceNote], minor: bool) -> Window:
        """Paint notes whose steps count from the start of the stretch."""
        classes = np.full((STEPS_PER_SECTION, len(VOICES)), -1, dtype=np.int8)
        for start, end, pitch, voice in notes:
            classes[max(start, 0) : end, voice] = pitch % 12
        return cls(classes, tuple(note for note in notes if note.start >= 0), minor)


@dataclass(frozen=True)
class MadePiece:
    """A piece's labels, its sections, and the whole line of its bass, ending included."""

    form: tuple[str, ...]
    sections: tuple[Window, ...]
    bass: tuple[VoiceNote, ...]
    melody: tuple[VoiceNote, ...]


def same(a: Classes, b: Classes) -> float:
    """Return the share of steps at which the same pitch class sounds, where either sounds; mean of melody and bass."""
    return float(_same(a[None, None], b[None, None])[0, 0])


def bar_by_bar(a: Classes, b: Classes) -> float:
    """Return how similar the bars of `b` are to those of `a` which resemble them most."""
    one, other = (part.reshape(BARS_PER_SECTION, STEPS_PER_BAR, -1) for part in (a, b))
    return float(_same(one[:, None], other[None]).max(axis=0).mean())


def _same(a: Classes, b: Classes) -> npt.NDArray[np.float64]:
    """Return `same` over the last two axes (steps, voices)."""
    x, y = a[..., (MELODY, BASS)], b[..., (MELODY, BASS)]
    either = (x >= 0) | (y >= 0)
    shares = ((x == y) & either).sum(axis=-2) / np.maximum(either.sum(axis=-2), 1)
    return np.asarray(shares.mean(axis=-1))


def rhythm(a: Window, b: Window) -> float:
    """Return the share of the melody's onsets that both have."""
    x, y = ({note.start for note in part.notes if note.voice == MELODY} for part in (a, b))
    return len(x & y) / max(len(x | y), 1)


def pair(a: Window, b: Window) -> tuple[float, float, float]:
    """Return the three figures of two stretches."""
    return same(a.classes, b.classes), bar_by_bar(a.classes, b.classes), rhythm(a, b)


def real_pieces(corpus: Corpus, *, held_out: bool | None = None, in_its_key: bool = False) -> list[list[Window]]:
    """Return, for each piece with calm windows, its calm stretches of sixteen bars, one after the other.

    With `in_its_key` each is in the key that the piece has there, not on tonic C.
    """
    calm = np.union1d(*(corpus.choose(held_out=held, calmest=_CALM) for held in (False, True)))
    if held_out is not None:
        calm = calm[corpus.held_out[calm] == held_out]
    pieces = []
    for piece in np.unique(corpus.piece[calm]):
        of_piece = calm[corpus.piece[calm] == piece]
        bars = corpus.bar[of_piece]
        chosen = of_piece[(bars - bars.min()) % BARS_PER_SECTION == 0]
        chosen = chosen[np.argsort(corpus.bar[chosen])]
        up = corpus.tonic[chosen] if in_its_key else np.zeros(len(chosen), dtype=np.int8)
        pieces.append(
            [
                Window.of(
                    [note._replace(pitch=note.pitch + int(shift)) for note in tokens_to_notes(corpus.tokens[n])],
                    bool(corpus.mode[n]),
                )
                for n, shift in zip(chosen, up, strict=True)
            ]
        )
    return pieces


def kin(corpus: Corpus, count: int = 300) -> list[tuple[Window, Window]]:
    """Return calm first stretches of pieces, each with the later one of its piece, at any bar, that is most like it."""
    calm = set(corpus.choose(held_out=False, calmest=_CALM).tolist())
    found = []
    for piece in np.random.default_rng(0).permutation(np.unique(corpus.piece)):
        of_piece = np.flatnonzero(corpus.piece == piece)
        first = of_piece[corpus.bar[of_piece].argmin()]
        later = of_piece[corpus.bar[of_piece] >= corpus.bar[first] + BARS_PER_SECTION]
        if first in calm and len(later) and len(found) < count:
            one, *others = (Window.of(tokens_to_notes(corpus.tokens[n]), bool(corpus.mode[n])) for n in (first, *later))
            found.append((one, max(others, key=lambda other: same(one.classes, other.classes))))
    return found


def made_sessions(model: Model, seeds: Iterable[int]) -> Iterator[tuple[PieceRecord, bytes]]:
    """Yield the pieces of sessions as `session new --seed N` makes them, and their MIDI."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "therapy.db")
        for seed in seeds:
            pieces = new_session(store, model, SessionRequest(), seed=seed).pieces()
            midi = midi_of(store, [piece.id for piece in pieces])
            yield from ((piece, midi[piece.id]) for piece in pieces)


def read_piece(piece: PieceRecord, midi: bytes) -> MadePiece:
    """Bring an arranged piece back to the grid, on the tonic C."""
    tonic, mode = parse_key(piece.key)
    form, minor = tuple(piece.form.split()), mode == "minor"
    # The seed has how the player breathes with the phrases: without it, notes land beside their steps.
    steps = np.array(steps_of(len(form), piece.tempo, seed=piece.seed))
    middles = (steps[1:] + steps[:-1]) / 2
    parts = {part.name: part.notes for part in read_performance(midi).parts}
    notes = []
    for voice, name in enumerate(("Melody", "Inner voice", "Bass")):
        for note in parts[name]:
            start, end = (int(np.searchsorted(middles, at)) for at in (note.onset, note.onset + note.duration))
            notes.append(VoiceNote(start, max(end, start + 1), note.pitch - tonic, voice))
    notes.sort()
    sections = []
    for n in range(len(form)):
        begin, end = n * STEPS_PER_SECTION, (n + 1) * STEPS_PER_SECTION
        inside = [
            note._replace(start=note.start - begin, end=min(note.end, end) - begin)
            for note in notes
            if note.start < end and note.end > begin
        ]
        sections.append(Window.of(inside, minor))
    bass, melody = (tuple(note for note in notes if note.voice == voice) for voice in (BASS, MELODY))
    return MadePiece(form, tuple(sections), bass, melody)


def pairs_of(made: Sequence[MadePiece], wanted: str) -> Iterator[tuple[Window, Window]]:
    """Yield pairs of sections: again (A, A), variation (A, A'), contrast (A, B)."""
    for piece in made:
        for (a, one), (b, other) in combinations(zip(piece.form, piece.sections, strict=True), 2):
            kind = "again" if a == b else "variation" if a[0] == b[0] else "contrast"
            if kind == wanted:
                yield one, other


def quartiles(pairs: Sequence[tuple[Window, Window]]) -> list[str]:
    """Return the quartiles of the figures of pairs, and how many pairs there are."""
    figures = np.array([pair(a, b) for a, b in pairs])
    return [
        str(len(pairs)),
        *(" / ".join(f"{q:.2f}" for q in np.percentile(column, [25, 50, 75])) for column in figures.T),
    ]


def phrase_ends(stretches: Sequence[Window], bars: Sequence[int]) -> list[float]:
    """Return, over bars that end phrases (counted from 1), the four shares of the second table."""
    melody, bass, tonic, long = [], [], [], []
    for stretch in stretches:
        triad = _TRIADS[stretch.minor]
        for bar in bars:
            begin, end = (bar - 1) * STEPS_PER_BAR, bar * STEPS_PER_BAR
            for voice, found in ((MELODY, melody), (BASS, bass)):
                heard = stretch.classes[begin:end, voice]
                if (heard >= 0).any():
                    last = int(heard[heard >= 0][-1])
                    found.append(last in triad)
                    if voice == BASS:
                        tonic.append(last == 0)
            last_notes = [note for note in stretch.notes if note.voice == MELODY and begin <= note.start < end]
            if last_notes:
                long.append(last_notes[-1].end - last_notes[-1].start >= STEPS_PER_QUARTER)
    return [float(np.mean(found)) if found else float("nan") for found in (melody, bass, tonic, long)]


def last_move(bass: Sequence[VoiceNote]) -> tuple[int, int]:
    """Return the last two different pitch classes of a bass."""
    line = [note.pitch % 12 for note in bass]
    ends = line[-1]
    return next((before for before in reversed(line) if before != ends), ends), ends


def endings(basses: Sequence[Sequence[VoiceNote]]) -> list[str]:
    """Return the shares of the third table."""
    moves = [last_move(bass) for bass in basses if len(bass)]
    home = [before for before, ends in moves if ends == 0]
    count = max(len(moves), 1)
    from_dominant, from_fourth = sum(b == 7 for b in home), sum(b == 5 for b in home)
    stepwise = sum(b in (1, 2, 10, 11) for b in home)
    return [str(len(moves)), *(f"{share / count:.2f}" for share in (len(home), from_dominant, from_fourth, stepwise))]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", default="calm")
    parser.add_argument("--sessions", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    corpus, model = Corpus.load(arguments.corpus).of_metre(FOUR_FOUR), load_model(arguments.model)
    real = real_pieces(corpus)
    seeds = range(arguments.seed, arguments.seed + arguments.sessions)
    made = [read_piece(piece, midi) for piece, midi in made_sessions(model, seeds)]
    print(machine())
    print(f"model {model.name}, sha256 {model.sha256[:12]}; corpus {corpus.digest[:12]}")
    print(f"{len(real)} real pieces with calm stretches; {len(made)} made ones\n")
    rng = np.random.default_rng(0)
    firsts = [piece[0] for piece in real]
    strangers = [(firsts[a], firsts[b]) for a, b in rng.integers(len(firsts), size=(400, 2)) if a != b]
    made_firsts = [piece.sections[0] for piece in made]
    rows = [
        ("real, one stretch and the next", *quartiles([(p[n], p[n + 1]) for p in real for n in range(len(p) - 1)])),
        ("real, any two of a piece", *quartiles([pair for p in real for pair in combinations(p, 2)])),
        ("real, a stretch and the one most like it", *quartiles(kin(corpus))),
        ("real, of two pieces", *quartiles(strangers)),
        ("made, a section and its variation", *quartiles(list(pairs_of(made, "variation")))),
        ("made, a section and its contrast", *quartiles(list(pairs_of(made, "contrast")))),
        ("made, a section that returns", *quartiles(list(pairs_of(made, "again")))),
        ("made, of two pieces", *quartiles(list(combinations(made_firsts, 2))[:400])),
    ]
    print(table(("stretches of sixteen bars", "pairs", "same", "bar", "rhythm"), rows) + "\n")
    rows = []
    for name, stretches in (
        ("real", [stretch for piece in real for stretch in piece]),
        ("made", [stretch for piece in made for stretch in piece.sections]),
    ):
        for label, bars in (
            ("4, 8, 12, 16", (4, 8, 12, 16)),
            ("8, 16", (8, 16)),
            ("16", (16,)),
            ("others", (1, 2, 3, 5, 6, 7)),
        ):
            rows.append((name, label, *(f"{share:.2f}" for share in phrase_ends(stretches, bars))))
    print(
        table(("pieces", "ends of bars", "melody on triad", "bass on triad", "bass on tonic", "long note"), rows) + "\n"
    )
    last_stretches = [[note for note in piece[-1].notes if note.voice == BASS] for piece in real]
    rows = [
        ("real, last calm stretch", *endings(last_stretches)),
        ("made, whole pieces", *endings([piece.bass for piece in made])),
    ]
    print(table(("endings", "n", "on the tonic", "from the dominant", "from the fourth", "stepwise"), rows))


if __name__ == "__main__":
    main()
