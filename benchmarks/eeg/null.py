"""How often is a reliable order claimed where there is none, and do 90 % intervals cover? Real and simulated rest.

    python benchmarks/eeg/null.py [--data DIR] [--assignments 20] [--listeners 200] [--part NAME]

Real: resting recordings (eegmat, eyes closed, 10 subjects) are cut into slots; slots are called silence or one of three
pieces at random, many times over. No piece is better than another, so every claim is false, and the truth of every
piece is the level of silence, 0 dB. One recording is ranked as it is ("that day"), and, as users see it, with what
other days may differ by. Simulated: whole recordings (1/f, alpha, blinks, muscle bursts, drift), and plays drawn from
the model's kind of noise. Assignments of one recording share its drift and its silence, so that a share is
estimated from recordings, not from rankings: beside the coverage stands its standard error over recordings. The folder
of recordings is `eeg` in `THERAPY_GEN_DATA` or ../shared/data.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from eeg.io.recording import open_recording  # noqa: E402
from eeg.ranking.observations import Observation, observations  # noqa: E402
from eeg.ranking.rank import rank  # noqa: E402
from eeg.ranking.ranked_pieces import Ranking  # noqa: E402
from eeg.results import RecordingScore  # noqa: E402
from eeg.scoring import score_recording, score_timeline  # noqa: E402
from eeg.settings import Settings  # noqa: E402
from eeg.simulation.file import write_fif  # noqa: E402
from eeg.simulation.simulate import Listener, simulate, timeline  # noqa: E402
from eeg.timeline.known_pieces import Item  # noqa: E402
from eeg.timeline.timeline import Timeline  # noqa: E402

HEAD = f"{'':66}{'rankings':>9}{'claimed':>9}{'covered':>9}{'se':>7}{'width dB':>9}"

# SD from day to day of what a piece, and what music as a whole, does.
DAY_DB = (0.0, 0.3, 0.5)


class Tally:
    """Counts false claims and covering intervals."""

    def __init__(self) -> None:
        self.claims: list[bool] = []
        self.covered: dict[object, list[bool]] = {}
        self.widths: list[float] = []

    def add(self, ranking: Ranking, recording: object, truth: float = 0.0) -> None:
        """Count one ranking of equal pieces, from a recording (or listener) that others may share."""
        self.claims.append(ranking.reliable_order)
        for piece in ranking.pieces:
            low, high = piece.ci90_db
            self.covered.setdefault(recording, []).append(low <= truth <= high)
            self.widths.append(high - low)

    def row(self, name: str) -> str:
        """Return a line of the table."""
        shares = 100 * np.array([np.mean(values) for values in self.covered.values()])
        error = shares.std(ddof=1) / np.sqrt(len(shares)) if len(shares) > 1 else np.nan
        return (
            f"{name:66}{len(self.claims):9}{100 * np.mean(self.claims):8.1f}%"
            f"{shares.mean():8.1f}%{error:6.1f}%{np.mean(self.widths):9.2f}"
        )


def score_slots(path: Path, slots: int, picks: str | tuple[str, ...]) -> RecordingScore:
    """Score a resting recording cut into equal slots, all called one piece."""
    with open_recording(path) as recording:
        length = (recording.duration_s - 2.0) / slots
        items = tuple(Item("music", "x", 1.0 + i * length, length) for i in range(slots))
        return score_timeline(recording, Timeline(items, (), "slots", None, ()), Settings(picks=picks))


def relabel(data: Sequence[Observation], labels: Sequence[str | None]) -> list[Observation]:
    """Call the slots otherwise; what they are measured against drops out of the model."""
    return [replace(row, piece=label) for row, label in zip(data, labels, strict=True)]


def mixed_labels(rng: np.random.Generator, slots: int) -> list[str | None]:
    """Return three pieces as often as they fit, and silence for the rest, shuffled."""
    pieces = [f"p{i}" for i in range(3)]
    plays = slots // 4
    labels: list[str | None] = [piece for piece in pieces for _ in range(plays)]
    labels += [None] * (slots - len(labels))
    return [labels[i] for i in rng.permutation(slots)]


def framed_labels(rng: np.random.Generator, slots: int) -> list[str | None]:
    """Return silence at both ends and three pieces in shuffled rounds between them."""
    inner = slots - 4
    rounds = [f"p{i}" for _ in range(-(-inner // 3)) for i in rng.permutation(3)][:inner]
    return [None, None, *rounds, None, None]


def real_rest(files: Sequence[Path], slots: int, assignments: int, picked: Sequence[str]) -> None:
    """Print the rows of real recordings."""
    totals = {True: Tally(), False: Tally()}
    scored = {
        picks: [score_slots(path, slots, tuple(picks.split(",")) if "," in picks else picks) for path in files]
        for picks in picked
    }
    for name, label in (("silence and pieces mixed", mixed_labels), ("silence at both ends", framed_labels)):
        for picks, scores in scored.items():
            for criterion in ("beta", "gamma"):
                tallies = {True: Tally(), False: Tally()}
                for number, score in enumerate(scores):
                    data = observations([score], criterion)
                    rng = np.random.default_rng(number)
                    for _ in range(assignments):
                        labelled = relabel(data, label(rng, len(data)))
                        for other_days, tally in tallies.items():
                            ranking = rank(labelled, criterion=criterion, other_days=other_days)
                            tally.add(ranking, number)
                            totals[other_days].add(ranking, number)
                for other_days, tally in tallies.items():
                    kind = "" if other_days else ", that day"
                    print(tally.row(f"real rest, {name}, {picks} channels, {criterion}{kind}"), flush=True)
    print(totals[True].row("real rest, all of these"), flush=True)
    print(totals[False].row("real rest, all of these, that day"), flush=True)


def simulated_recordings(listeners: int) -> None:
    """Print the rows of simulated recordings without any effect."""
    tallies = {criterion: Tally() for criterion in ("beta", "gamma")}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rest_raw.fif"
        for seed in range(listeners):
            listener = Listener(wander_db=0.3, drift_db=1.0, blinks_per_min=12, muscle_per_min=3)
            items = timeline(["a", "b", "c", "d"], repeats=4, play_s=60, silence_s=120, seed=seed)
            write_fif(simulate(items, sfreq=128, channels=4, listener=listener, seed=seed), path)
            score = score_recording(path)
            for criterion, tally in tallies.items():
                tally.add(rank(observations([score], criterion), criterion=criterion), seed)
    for criterion, tally in tallies.items():
        print(tally.row(f"simulated recordings, 4 pieces x 4 plays, {criterion}"), flush=True)


def simulated_plays(listeners: int) -> None:
    """Print the rows of plays drawn directly, in several kinds of noise."""
    kinds = (
        ("usual noise", {}),
        ("quiet listener", {"sampling": 0.15, "drift": 0.05}),
        ("noisy listener", {"sampling": 0.7}),
        ("strong drift", {"drift": 0.4}),
        ("trend of 3 dB over the session", {"trend": 1.5}),
        ("muscle differs between pieces (0.5 dB per dB)", {"muscle": 0.5}),
        ("two plays of each", {"plays": 2}),
        ("four recordings, two plays of each", {"plays": 2, "recordings": 4}),
        ("drift of 1.0 dB, silence at both ends", {"drift": 1.0}),
        ("middle 0.8 dB above both ends", {"bend": 0.8}),
    )
    for name, options in kinds:
        tally = Tally()
        for seed in range(listeners):
            data = draw_plays(np.random.default_rng(seed), np.zeros(5), **options)
            tally.add(rank(data, other_days=False), seed)
        print(tally.row(f"simulated plays, 5 pieces, {name}"), flush=True)


def days(listeners: int, of_recordings: Sequence[int], day_db: Sequence[float]) -> None:
    """Print the rows of recordings in which pieces, and music as a whole, differ from day to day."""
    for recordings in of_recordings:
        plays = 4 if recordings == 1 else 2
        for db in day_db:
            tally = Tally()
            for seed in range(listeners):
                rng = np.random.default_rng(seed)
                data = draw_plays(rng, np.zeros(5), plays=plays, recordings=recordings)
                tally.add(rank(by_days(rng, data, db, db)), seed)
            often = "one recording" if recordings == 1 else f"{recordings} recordings"
            print(tally.row(f"{often}, {plays} plays of each, SD of days {db:g} dB"), flush=True)


def by_days(
    rng: np.random.Generator, data: Sequence[Observation], piece_db: float, music_db: float
) -> list[Observation]:
    """Add what a piece, and music as a whole, does on one day alone."""
    music: dict[str, float] = {}
    pieces: dict[tuple[str, str], float] = {}
    found = []
    for row in data:
        more = 0.0
        if row.piece is not None:
            more += music.setdefault(row.recording, music_db * rng.standard_normal())
            more += pieces.setdefault((row.recording, row.piece), piece_db * rng.standard_normal())
        found.append(replace(row, value_db=row.value_db + more))
    return found


def looks(seeds: Sequence[int], day_db: Sequence[float]) -> None:
    """Print how often an order is claimed at any of eight looks, one after each recording, and after the last."""
    for db in day_db:
        claims = []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            data = by_days(rng, draw_plays(rng, np.zeros(5), plays=2, recordings=8), db, db)
            claims.append(
                [rank([row for row in data if int(row.recording[1:]) <= look]).reliable_order for look in range(8)]
            )
        name = f"a look after each of 8 recordings, SD of days {db:g} dB"
        at_any, at_last = 100 * np.mean(np.any(claims, axis=1)), 100 * np.mean(np.array(claims)[:, -1])
        bound = 100 * at_most(int(np.any(claims, axis=1).sum()), len(claims))
        said = f"(at most {bound:.1f}%; at the last look {at_last:.1f}%)"
        print(f"{name:66}{len(claims):9}{at_any:8.1f}%   {said}", flush=True)


def at_most(found: int, of: int) -> float:
    """Return the share that is not exceeded with a probability of 0.95 where so many were found (Clopper-Pearson)."""
    from scipy.stats import beta

    return float(beta.ppf(0.95, found + 1, of - found)) if found < of else 1.0


def one_order(listeners: int) -> None:
    """Print the row of sessions in one and the same order, with a curved time course of 2 dB."""
    tally = Tally()
    for seed in range(listeners):
        rng = np.random.default_rng(seed)
        data = []
        for recording in range(4):
            times = 30.0 + 62.0 * np.arange(9)
            curve = 2.0 * (np.linspace(-1, 1, 9) ** 2 - 1 / 3)
            labels = [None, None, *(f"p{i}" for i in range(5)), None, None]
            y = curve + 0.3 * rng.standard_normal(9)
            data += [
                Observation(label, f"r{recording}", float(t), float(v), 0.0, 56.0)
                for label, t, v in zip(labels, times, y, strict=True)
            ]
        tally.add(rank(data), seed)
    print(tally.row("four sessions in one order, curved time course of 2 dB"), flush=True)


def draw_plays(
    rng: np.random.Generator,
    effects: np.ndarray,
    *,
    plays: int = 4,
    recordings: int = 1,
    silences: int = 4,
    sampling: float = 0.3,
    drift: float = 0.15,
    trend: float = 0.0,
    bend: float = 0.0,
    muscle: float = 0.0,
) -> list[Observation]:
    """Draw plays of 60 s in mixed order, silence before and after; noise with a memory of 200 s."""
    data = []
    for recording in range(recordings):
        order = np.concatenate([rng.permutation(len(effects)) for _ in range(plays)])
        labels: list[int | None] = [None] * (silences // 2) + [int(i) for i in order] + [None] * (silences // 2)
        times = 30.0 + 62.0 * np.arange(len(labels))
        covariance = drift**2 * np.exp(-np.abs(times[:, None] - times) / 200) + sampling**2 * np.eye(len(times))
        noise = np.linalg.cholesky(covariance) @ rng.standard_normal(len(times)) + trend * np.linspace(
            -1, 1, len(times)
        )
        noise = noise - bend * np.linspace(-1, 1, len(times)) ** 2
        more = 0.6 if muscle else 0.0  # dB of muscle from one piece to the next
        emg = 0.3 * rng.standard_normal(len(times)) + [0.0 if i is None else more * i for i in labels]
        y = noise + muscle * emg + [0.0 if i is None else effects[i] for i in labels]
        data += [
            Observation(None if i is None else f"p{i}", f"r{recording}", float(t), float(v), float(m), 56.0)
            for i, t, v, m in zip(labels, times, y, emg, strict=True)
        ]
    return data


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("THERAPY_GEN_DATA", ROOT.parent / "shared" / "data")) / "eeg"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--assignments", type=int, default=20)
    parser.add_argument("--listeners", type=int, default=200)
    parts = ("real", "recordings", "plays", "days", "looks", "order")
    parser.add_argument("--part", choices=parts, action="append")
    parser.add_argument("--recordings", type=int, nargs="+", default=[1, 2, 4], help="of each listener, in `days`")
    parser.add_argument("--picks", nargs="+", default=["all", "central"], help="or names, as C3,Cz,C4; of real rest")
    parser.add_argument("--first-seed", type=int, default=0, help="of the listeners, in `looks`")
    parser.add_argument("--day-db", type=float, nargs="+", default=DAY_DB, help="SD from day to day")
    options = parser.parse_args()
    wanted = options.part or parts
    print(HEAD)
    if "real" in wanted:
        files = sorted((options.data / "eegmat").glob("*_1.edf"))
        if files:
            real_rest(files, 14, options.assignments, options.picks)
        else:
            print(f"no recordings in {options.data / 'eegmat'}: real rest is left out")
    if "recordings" in wanted:
        simulated_recordings(max(options.listeners // 5, 1))
    for name, part in (
        ("plays", simulated_plays),
        ("days", lambda listeners: days(listeners, options.recordings, options.day_db)),
        ("looks", lambda listeners: looks(range(options.first_seed, options.first_seed + listeners), options.day_db)),
        ("order", one_order),
    ):
        if name in wanted:
            part(options.listeners)


if __name__ == "__main__":
    main()
