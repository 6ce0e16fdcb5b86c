"""Print what choosing by the posterior gains simulated listeners over ten sessions, beside choosing at random.

    python benchmarks/eeg/thompson_sampling.py [--listeners 8] [--sessions 10] [--minutes 20] [--svg docs/choosing.svg]

Each listener has a true effect for every piece, in dB of beta against silence (lower is better): half of its variance
goes by where the piece begins in the model's latent space, along a direction that is the listener's own, half by
chance. After every session, each play is stored as a scored recording, with noise as the ranking finds it in
recordings, and each piece is rated 1 to 5 by its true effect and a mood. Then the program makes the next session.
Beside it, the same listener has sessions whose pieces heard before are drawn at random, with as many new ones: the
same in all but the choice.

Regret is counted in each session against the best piece that the listener has heard by either way: the mean over the
session's pieces of how much worse they are. Databases, models and rankings are the program's own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

# As the program does: small matrices gain nothing from more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from benchmarks.measure import machine, table
from sessions.builder import new_session
from sessions.planning.choosing import Preference
from sessions.planning.plan import SessionRequest
from sessions.records import SessionRecord
from sessions.storage.library import rate, z_of
from sessions.storage.recordings import BandPower, ScoredPlay, ScoredRecording, store_recordings
from sessions.storage.store import Store
from therapy_gen.musicvae.model import Model, load_model
from therapy_gen.study.posterior import preference_of

Float64 = npt.NDArray[np.float64]

# SD between pieces and of a play, dB, and of a piece's effect that is the listener's own mood when rating.
TAU_DB, NOISE_DB, MOOD_DB = 0.7, 0.8, 0.7
BASELINE_S = 60.0
WAYS = ("posterior", "random")
# Okabe & Ito's colours, told apart by colour-blind eyes as well.
COLOURS = {"posterior": "#0072b2", "random": "#d55e00"}


class Listener:
    """Someone simulated: what pieces do to them, and what a recording and they themselves say of that."""

    def __init__(self, number: int, model: Model) -> None:
        self._rng = np.random.default_rng([number, 7])
        direction = self._rng.standard_normal(model.config.z_size)
        # Of unit SD over what the model writes.
        spread = model.sample_prior(512, np.random.default_rng(5), "major").reshape(512, -1) @ direction
        self._direction, self._middle = direction / spread.std(), spread.mean() / spread.std()
        self._number = number

    def effect(self, seed: int, z: npt.NDArray[np.float32]) -> float:
        """Return the true effect of a piece (of a seed, beginning at z), dB; the same at any time."""
        digest = hashlib.sha256(f"{self._number} {seed} {z.tobytes().hex()}".encode()).digest()
        chance = np.random.default_rng(np.frombuffer(digest, np.uint32)).standard_normal()
        return float(TAU_DB * (float(self._direction @ z) - self._middle + chance) / np.sqrt(2.0))


def live_through(
    store: Store, model: Model, listener: Listener, number: int, way: str, sessions: int, request: SessionRequest
) -> list[list[tuple[str, float]]]:
    """Return the pieces of each session with their true effects."""
    rng = np.random.default_rng([number, WAYS.index(way), 11])
    name = f"{way} {number}"
    heard = []
    for session in range(sessions):
        seed = 1000 * number + session
        preference = preference_of(store, name, None, seed)
        if way == "random":
            order = rng.permutation(len(preference.drawn)).tolist()
            preference = replace(preference, drawn=tuple(preference.drawn[index] for index in order))
        made = new_session(store, model, request, seed=seed, listener=name, preference=_plain(preference))
        z = z_of(store, [piece.id for piece in made.pieces()], model.sha256)
        effects = {piece.id: listener.effect(piece.seed or 0, z[piece.id]) for piece in made.pieces()}
        heard.append(list(effects.items()))
        _record(store, made, effects, rng, name, session)
    return heard


def _plain(preference: Preference) -> Preference | None:
    return preference if preference.drawn else None


def _record(
    store: Store, made: SessionRecord, effects: dict[str, float], rng: np.random.Generator, name: str, session: int
) -> None:
    """Store what a recording of the session says, and what the listener says."""
    level = float(rng.standard_normal())

    def scored(piece: str | None, onset: float, duration: float) -> ScoredPlay:
        clean = 0.85 * duration
        noise = NOISE_DB * np.sqrt(60.0 / min(clean, 120.0)) * rng.standard_normal()
        value = float(level + (effects[piece] if piece else 0.0) + noise)
        return ScoredPlay(piece, onset, duration, clean, int(clean), 0.0, {"beta": BandPower(value, None)}, ())

    recording = ScoredRecording(
        sha256=hashlib.sha256(f"{name} {session}".encode()).hexdigest(),
        file="simulated",
        session=made.id,
        measured=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=session),
        criterion="beta",
        lower_is_better=True,
        plays=[scored(item.piece.id, item.onset_s, item.duration_s) for item in made.items if item.piece],
        baseline=[scored(None, 0.0, BASELINE_S), scored(None, made.duration_s - BASELINE_S, BASELINE_S)],
        facts={},
        parameters={},
    )
    # The ranking is made again from what is stored where the next session is: not here, too.
    store_recordings(store, [recording], lambda evidence: None, listener=name)
    for piece, effect in effects.items():
        liked = 3.0 - (effect + MOOD_DB * rng.standard_normal()) / TAU_DB
        rate(store, made.id, piece, int(np.clip(round(liked), 1, 5)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--listeners", type=int, default=8)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args()
    print(f"{machine()}; {options.listeners} listeners, {options.sessions} sessions of {options.minutes:g} minutes\n")
    model = load_model()
    request = SessionRequest(minutes=options.minutes, arc="flat", baseline_s=BASELINE_S)
    effect = {way: np.zeros((options.listeners, options.sessions)) for way in WAYS}
    regret = {way: np.zeros((options.listeners, options.sessions)) for way in WAYS}
    for number in range(options.listeners):
        listener = Listener(number, model)
        lived = {}
        with tempfile.TemporaryDirectory() as folder:
            store = Store.open(Path(folder, "choosing.db"))
            for way in WAYS:
                lived[way] = live_through(store, model, listener, number, way, options.sessions, request)
        print(f"listener {number + 1} of {options.listeners}", file=sys.stderr, flush=True)
        best = min(value for heard in lived.values() for session in heard for _, value in session)
        for way, heard in lived.items():
            effect[way][number] = [np.mean([value for _, value in session]) for session in heard]
            regret[way][number] = effect[way][number] - best
    _print(effect, regret)
    if options.svg is not None:
        options.svg.write_text(picture(effect, {way: regret[way].cumsum(axis=1) for way in WAYS}), encoding="utf-8")
        print(f"\n{options.svg}")


def _print(effect: dict[str, Float64], regret: dict[str, Float64]) -> None:
    gain = effect["random"] - effect["posterior"]
    rows = []
    for session in range(gain.shape[1]):
        middle, half = _interval(gain[:, session])
        rows.append(
            [
                str(session + 1),
                *(f"{effect[way][:, session].mean():+.2f}" for way in WAYS),
                f"{middle:+.2f} ({middle - half:+.2f} to {middle + half:+.2f})",
                *(f"{regret[way][:, : session + 1].sum(axis=1).mean():.2f}" for way in WAYS),
            ]
        )
    head = ("session", "posterior dB", "random dB", "better by, 95 %", "regret: posterior", "random")
    print(table(head, rows))
    late = gain[:, gain.shape[1] // 2 :].mean(axis=1)
    middle, half = _interval(late)
    print(f"\nSecond half: better by {middle:.2f} dB (95 % {middle - half:.2f} to {middle + half:.2f}),", end=" ")
    print(f"in {int((late > 0).sum())} of {len(late)} listeners; pieces differ by {TAU_DB:g} dB (SD)")


def _interval(values: Float64) -> tuple[float, float]:
    """Return the mean, and half the width of its 95 % interval (normal)."""
    return float(values.mean()), float(1.96 * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def picture(effect: dict[str, Float64], regret: dict[str, Float64]) -> str:
    """Return an SVG: mean true effect in each session, and regret added up, with 95 % intervals over listeners."""
    width, panel, gap, top, left = 860, 220, 60, 50, 64
    height = top + 2 * (panel + gap)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{left}" y="20" font-size="15">Simulated listeners: choosing by the posterior, and at random</text>',
    ]
    panels = (("true effect of a session's pieces, dB (lower is better)", effect), ("regret, dB, added up", regret))
    for number, (name, values) in enumerate(panels):
        parts += _panel(name, values, left, width - 150, top + number * (panel + gap), panel)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(name: str, values: dict[str, Float64], left: int, right: int, top: int, height: int) -> list[str]:
    intervals = {way: [_interval(column) for column in values[way].T] for way in WAYS}
    low = min(0.0, *(middle - half for line in intervals.values() for middle, half in line))
    high = max(0.0, *(middle + half for line in intervals.values() for middle, half in line))
    step = 10.0 ** np.floor(np.log10((high - low) / 3))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (factor * step) <= 6)
    low, high = step * np.floor(low / step), step * np.ceil(high / step)
    count = len(intervals[WAYS[0]])

    def x(session: int) -> float:
        return left + (right - left) * session / max(count - 1, 1)

    def y(value: float) -> float:
        return float(top + height * (high - value) / (high - low))

    parts = [f'<text x="{left}" y="{top - 8}">{escape(name)}</text>']
    for level in np.arange(low, high + step / 2, step).tolist():
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y(level):.1f}" y2="{y(level):.1f}" stroke="#e2e2e2"/>')
        parts.append(f'<text x="{left - 8}" y="{y(level) + 4:.1f}" text-anchor="end">{level:.4g}</text>')
    for session in range(count):
        parts.append(f'<text x="{x(session):.1f}" y="{top + height + 16}" text-anchor="middle">{session + 1}</text>')
    parts.append(f'<text x="{right + 14}" y="{top + height + 16}">session</text>')
    for number, way in enumerate(WAYS):
        line = intervals[way]
        upper = [f"{x(n):.1f},{y(middle + half):.1f}" for n, (middle, half) in enumerate(line)]
        lower = [f"{x(n):.1f},{y(middle - half):.1f}" for n, (middle, half) in enumerate(line)]
        centre = " ".join(f"{x(n):.1f},{y(middle):.1f}" for n, (middle, _) in enumerate(line))
        colour, row = COLOURS[way], top + 14 + 18 * number
        parts.append(f'<polygon points="{" ".join(upper + lower[::-1])}" fill="{colour}" fill-opacity="0.15"/>')
        parts.append(f'<polyline points="{centre}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<rect x="{right + 14}" y="{row - 9}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{right + 34}" y="{row - 2}">{way}</text>')
    return parts


if __name__ == "__main__":
    main()
