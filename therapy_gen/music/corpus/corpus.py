"""A training corpus: sixteen-bar windows from folders of scores, filtered, split by piece and cached."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.files import atomic_write
from therapy_gen.music.corpus.bars import SOURCES
from therapy_gen.music.corpus.score import SUFFIXES, read_score
from therapy_gen.music.corpus.windows import FoundWindow, WindowSettings, find_windows
from therapy_gen.music.metre import Metre
from therapy_gen.music.tokens import BARS_PER_SECTION, NOTE_OFF, STEPS_PER_BAR, STEPS_PER_SECTION, VOICES, Tokens
from therapy_gen.music.tonality import MODES

# Part of every digest: raise it when the same files would give other windows.
FORMAT = 3
# Of the file that `Corpus.save` writes.
_CACHE_FORMAT = 4
_HELD_OUT_SHARE = 0.06
_PHRASE_BARS = 4
_LEAST_NOTES_A_BAR = 1
# More bars and more stretches than any piece has.
_BARS, _STRETCHES = 1 << 20, 1 << 20
_ARRAYS = ("tokens", "piece", "bar", "stretch", "offset", "tonic", "mode", "calm", "length", "metre", "held_out")

_Job = tuple[Path, WindowSettings]
_Read = tuple[str, list[FoundWindow], Counter[str], str]
# Like the built-in `map`, possibly over several machines; results come in the order of the jobs.
Map = Callable[[Callable[[_Job], _Read], Sequence[_Job]], Iterator[_Read]]


@dataclass
class CorpusReport:
    """Counts of what was read, and of what was left out by reason."""

    files: int = 0
    files_used: int = 0
    windows: int = 0
    duplicates: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """Return the report as lines of text, the most frequent reason first."""
        text = [
            f"{self.files} files, {self.files_used} of them used: {self.windows} windows "
            f"({self.duplicates} duplicates left out)"
        ]
        text += [f"  {count:7d}  {reason}" for reason, count in self.left_out.most_common()]
        text += [f"  unreadable: {name}: {why}" for name, why in sorted(self.unreadable.items())]
        return text


@dataclass(frozen=True)
class Corpus:
    """Windows of sixteen bars, transposed to one tonic.

    Attributes
    ----------
    tokens : array of uint8, shape (n, 256, 3)
    piece, bar, tonic, mode : int arrays, shape (n,)
        Index into `pieces`, first bar as the file counts them, its own tonic (0 to 11), its mode (0 major, 1 minor).
    stretch : int array, shape (n,)
        Number of the run of bars of one metre in its piece; a run that is written in triplets, too, has two numbers.
    offset : int array, shape (n,)
        First bar, counted from where its stretch begins (after a pick-up, for one).
    calm : float32 array, shape (n,)
        Calmness score of each window at the reference tempo.
    length : int8 array, shape (n,)
        Bars of each window that hold music: sixteen, or fewer with rests behind them.
    metre : int8 array, shape (n,)
        Beats in a bar of each window: 4 for 4/4, 3 for 3/4, 6 for 6/8 (see `metre.Metre`).
    held_out : bool array, shape (n,)
        True for windows of pieces that training never sees.
    pieces : tuple of str
        Paths of the files, from the corpus folder.
    digest : str
        SHA-256 over the files read and the settings.
    report : CorpusReport
    """

    tokens: Tokens
    piece: npt.NDArray[np.int32]
    bar: npt.NDArray[np.int32]
    stretch: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int32]
    tonic: npt.NDArray[np.int8]
    mode: npt.NDArray[np.int8]
    calm: npt.NDArray[np.float32]
    length: npt.NDArray[np.int8]
    metre: npt.NDArray[np.int8]
    held_out: npt.NDArray[np.bool_]
    pieces: tuple[str, ...]
    digest: str
    report: CorpusReport

    def choose(self, *, held_out: bool, calmest: float = 1.0) -> npt.NDArray[np.intp]:
        """Return the indices of a split, only the `calmest` share (0 to 1] of all windows by calmness."""
        floor = float(np.quantile(self.calm, 1.0 - calmest)) if calmest < 1.0 else -np.inf
        return np.flatnonzero((self.held_out == held_out) & (self.calm >= floor))

    def at_phrases(self, indices: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return those of `indices` whose windows begin where phrases do: every four bars of a run."""
        found: npt.NDArray[np.intp] = indices[self.offset[indices] % _PHRASE_BARS == 0]
        return found

    def of_metre(self, metre: Metre) -> Corpus:
        """Return the windows of one metre alone."""
        inside = self.metre == metre.beats
        return replace(self, **{name: getattr(self, name)[inside] for name in _ARRAYS})

    def save(self, path: Path) -> None:
        """Write everything to one compressed file, whole or not at all."""
        meta = {
            "format": _CACHE_FORMAT,
            "pieces": self.pieces,
            "digest": self.digest,
            "report": {**self.report.__dict__, "left_out": dict(self.report.left_out)},
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        with atomic_write(path) as part, part.open("wb") as stream:
            np.savez_compressed(stream, meta=np.array(json.dumps(meta)), **arrays)

    @classmethod
    def load(cls, path: Path) -> Corpus:
        """Read what `save` wrote; InputError for any other file."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                meta: dict[str, Any] = json.loads(str(stored["meta"]))
                if meta["format"] != _CACHE_FORMAT:
                    raise InputError(f"{path} was cached by another version; build it again from the scores")
                arrays = {name: stored[name] for name in stored.files if name != "meta"}
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
        except Exception as error:
            raise InputError(f"{path} is not a corpus cache; build it again from the scores") from error
        report = CorpusReport(**{**meta["report"], "left_out": Counter(meta["report"]["left_out"])})
        return cls(**arrays, pieces=tuple(meta["pieces"]), digest=meta["digest"], report=report)


def _score_files(folders: Iterable[Path]) -> list[tuple[Path, str]]:
    """Return every score under `folders` with its name from there, sorted; InputError where there is none."""
    files: list[tuple[Path, str]] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder; give one that holds MIDI, MusicXML or ABC files")
        files += [
            (path, path.relative_to(folder).as_posix())
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in SUFFIXES and path.is_file()
        ]
    if not files:
        raise InputError(f"no scores ({', '.join(SUFFIXES)}) under {', '.join(str(folder) for folder in folders)}")
    return files


def build_corpus(
    folders: Sequence[Path],
    settings: WindowSettings | None = None,
    *,
    leave_out: Iterable[str] = (),
    held_out_share: float = _HELD_OUT_SHARE,
    workers: int = 1,
    over: Map | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Read all scores under `folders` and cut them into windows.

    Parameters
    ----------
    folders : sequence of Path
    settings : WindowSettings, optional
    leave_out : iterable of str
        Names (paths from the folder) not to read.
    held_out_share : float
        Share of the pieces that training never sees. Pieces that share a window stay together. Of a small corpus at
        least one is held out.
    workers : int
        Processes that read.
    over : callable, optional
        Used instead of them: a `map` that keeps the order, possibly over other machines.
    progress : callable, optional
        Called with files done and files in all.
    """
    settings = settings or WindowSettings()
    unwanted = set(leave_out)
    files = [(path, name) for path, name in _score_files(folders) if name not in unwanted]
    report = CorpusReport(files=len(files))
    seen: dict[bytes, int] = {}
    groups = _Groups(len(files))
    kept: list[tuple[int, FoundWindow]] = []
    sums: list[str] = []
    for number, (sha256, windows, left_out, error) in enumerate(_read_all(files, settings, workers, over)):
        sums.append(sha256)
        report.left_out.update(left_out)
        if error:
            report.unreadable[files[number][1]] = error
        fresh = 0
        for window in windows:
            key = window.tokens.tobytes()
            if key in seen:
                report.duplicates += 1
                groups.join(seen[key], number)
                continue
            seen[key] = number
            kept.append((number, window))
            fresh += 1
        report.files_used += fresh > 0
        if progress:
            progress(number + 1, len(files))
    report.windows = len(kept)
    if not kept:
        why = "; ".join(" ".join(line.split()) for line in report.lines()[1:4])
        least = min(settings.shortest_bars, settings.repeat_from_bars or BARS_PER_SECTION)
        raise InputError(
            f"no score gave a usable window ({why}); give scores with {least} bars or more of {', '.join(SOURCES)}"
        )
    held = groups.held_out(sums, held_out_share, {number for number, _ in kept})
    chosen = dict(settings.__dict__)
    # Digests from before this setting existed stay valid.
    if chosen["shortest_bars"] == BARS_PER_SECTION:
        del chosen["shortest_bars"]
    digest = hashlib.sha256(json.dumps([FORMAT, sorted(sums), chosen], sort_keys=True).encode()).hexdigest()
    piece = np.array([number for number, _ in kept], dtype=np.int32)
    return Corpus(
        tokens=np.stack([window.tokens for _, window in kept]).reshape(-1, STEPS_PER_SECTION, len(VOICES)),
        piece=piece,
        bar=np.array([window.bar for _, window in kept], dtype=np.int32),
        stretch=np.array([window.stretch for _, window in kept], dtype=np.int32),
        offset=np.array([window.offset for _, window in kept], dtype=np.int32),
        tonic=np.array([window.tonic for _, window in kept], dtype=np.int8),
        mode=np.array([MODES.index(window.mode) for _, window in kept], dtype=np.int8),
        calm=np.array([window.calm for _, window in kept], dtype=np.float32),
        length=np.array([window.length for _, window in kept], dtype=np.int8),
        metre=np.array([window.metre.beats for _, window in kept], dtype=np.int8),
        held_out=held[piece],
        pieces=tuple(name for _, name in files),
        digest=digest,
        report=report,
    )


def crop(corpus: Corpus, bars: int) -> Corpus:
    """Return every stretch of so many bars that the windows hold, each once.

    Parameters
    ----------
    corpus : Corpus
    bars : int
        1 to 16.

    Returns
    -------
    Corpus
        Tokens (n, 16 * bars, 3); `bar` is where a stretch begins. Stretches whose melody has less than a note a bar are
        left out; mode and calmness are those of the window they are from.
    """
    if bars == BARS_PER_SECTION:
        return corpus
    count = len(corpus.tokens)
    offsets = np.arange(BARS_PER_SECTION - bars + 1)
    window = np.tile(np.arange(count), len(offsets))
    offset = np.repeat(offsets, count)
    inside = offset + bars <= corpus.length[window]
    window, offset = window[inside], offset[inside]
    stretch = corpus.piece[window].astype(np.int64) * _STRETCHES + corpus.stretch[window]
    keys = stretch * _BARS + corpus.offset[window] + offset
    # Windows that begin where the stretch does come first, and the first of each is taken.
    _, first = np.unique(keys, return_index=True)
    window, offset = window[first], offset[first]
    cut = corpus.tokens.reshape(count, BARS_PER_SECTION, STEPS_PER_BAR, -1)
    tokens = np.concatenate([cut[window, offset + n] for n in range(bars)], axis=1)
    sung = (tokens[:, :, 0] > NOTE_OFF).sum(axis=1) >= _LEAST_NOTES_A_BAR * bars
    window, offset, tokens = window[sung], offset[sung], tokens[sung]
    return replace(
        corpus,
        tokens=tokens,
        bar=(corpus.bar[window] + offset).astype(np.int32),
        offset=(corpus.offset[window] + offset).astype(np.int32),
        length=np.full(len(tokens), bars, dtype=np.int8),
        **{
            name: getattr(corpus, name)[window]
            for name in ("piece", "stretch", "tonic", "mode", "calm", "metre", "held_out")
        },
    )


def _read_one(job: _Job) -> _Read:
    path, settings = job
    left_out: Counter[str] = Counter()
    sha256 = hashlib.sha256().hexdigest()
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        score = read_score(path)
        left_out.update(score.remarks)
        windows = find_windows(score, settings, left_out)
    except InputError as error:
        return sha256, [], Counter({"unreadable files": 1}), str(error)
    except OSError as error:
        return sha256, [], Counter({"unreadable files": 1}), f"{path} cannot be read: {error.strerror or error}"
    return sha256, windows, left_out, ""


def _read_all(
    files: list[tuple[Path, str]], settings: WindowSettings, workers: int, over: Map | None
) -> Iterator[_Read]:
    if over is not None:
        # The folders have the same names on the machines that read.
        yield from over(_read_one, [(path.absolute(), settings) for path, _ in files])
        return
    jobs = [(path, settings) for path, _ in files]
    if workers <= 1:
        yield from map(_read_one, jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_read_one, jobs, chunksize=8)


class _Groups:
    """Pieces that share a window, joined (a union-find), so that no copy of a training piece is held out."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))

    def find(self, item: int) -> int:
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def join(self, a: int, b: int) -> None:
        self.parent[self.find(a)] = self.find(b)

    def held_out(self, sums: list[str], share: float, used: set[int]) -> npt.NDArray[np.bool_]:
        """Choose by the group's smallest file hash, so that the choice does not depend on the rest of the corpus."""
        least: dict[int, str] = {}
        for item, sha256 in enumerate(sums):
            root = self.find(item)
            least[root] = min(least.get(root, sha256), sha256)
        groups = {self.find(item) for item in used}
        lowest = min((least[root] for root in groups), default="")
        if share > 0 and len(groups) > 1 and int(lowest[:8], 16) / 2**32 >= share:
            return np.array([least[self.find(item)] == lowest for item in range(len(sums))])
        return np.array([int(least[self.find(item)][:8], 16) / 2**32 < share for item in range(len(sums))])
