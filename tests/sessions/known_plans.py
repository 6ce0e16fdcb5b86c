"""Plans of known requests, as text: what a request and a seed were laid out as stays so.

`python tests/sessions/known_plans.py` writes them anew after a change that is meant to change plans.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from sessions.planning.counterbalance import Design
from sessions.planning.placement import HeldPiece
from sessions.planning.plan import SessionPlan, plan_session
from sessions.planning.request import SessionRequest

FILE = Path(__file__).with_suffix(".txt")
HELD = tuple(
    HeldPiece(f"held{n}", 150.0 + 20 * n, calm, key, register)
    for n, (calm, key, register) in enumerate(
        [(0.97, "C major", 64.0), (0.7, "A minor", 67.5), (0.9, "E♭ major", 61.0), (None, "no key", None)]
    )
)
REQUESTS: dict[str, tuple[SessionRequest, dict[str, object]]] = {
    "calm": (SessionRequest(), {}),
    "iso": (SessionRequest(arc="iso", arousal=0.5), {}),
    "flat": (SessionRequest(minutes=17.0, arc="flat"), {}),
    "sleep": (SessionRequest(minutes=45.0, arc="sleep"), {}),
    "short": (SessionRequest(minutes=3.0), {}),
    "long": (SessionRequest(minutes=120.0), {}),
    "silences": (SessionRequest(minutes=12.0, baseline_s=30.0, gap_s=5.0), {}),
    "tempo": (SessionRequest(minutes=12.0, tempo=(52.0, 58.0), tempo_requested=True, key="Am"), {}),
    "repeats": (SessionRequest(minutes=24.0, repeats=3, baseline_s=10.0), {}),
    "one piece": (SessionRequest(minutes=9.0, repeats=4), {"new": 1}),
    "play": (SessionRequest(minutes=12.0, repeats=2, play_s=60.0), {}),
    "held": (SessionRequest(minutes=24.0), {"held": HELD}),
    "held on iso": (SessionRequest(minutes=30.0, arc="iso"), {"held": HELD[:3], "new": 4}),
    "held on flat": (SessionRequest(minutes=20.0, arc="flat"), {"held": HELD}),
    "held, again": (
        SessionRequest(minutes=24.0, repeats=2),
        {"held": HELD, "new": 0, "designs": [Design(tuple(piece.id for piece in HELD), (0, 2))]},
    ),
    "three": (SessionRequest(minutes=24.0, metre="3/4"), {}),
}


def lasts(sections: int, tempo: float) -> float:
    """Seconds of so many sections of sixteen bars of 4/4, and an ending."""
    return round(sections * 64 * 60.0 / tempo + 4.0, 3)


def told(plan: SessionPlan) -> str:
    """A plan in a few words: pieces, then items as piece at onset."""
    pieces = [
        piece.id if isinstance(piece, HeldPiece) else f"{piece.form} {piece.tempo:.2f} {piece.tonic} {piece.mode}"
        for piece in plan.pieces
    ]
    items = [f"{'-' if item.piece is None else item.piece}@{item.onset_s:.3f}" for item in plan.items]
    return f"{'; '.join(pieces)} | {' '.join(items)} | {plan.duration_s:.3f} {plan.rows} {plan.numbers}"


def plans() -> list[str]:
    """Every request, laid out with two seeds."""
    lines = []
    for (name, (request, options)), seed in itertools.product(REQUESTS.items(), (1, 2)):
        made = plan_session(request, np.random.default_rng(seed), lasts, **options)  # type: ignore[arg-type]
        lines.append(f"{name}, {seed}: {told(made)}")
    return lines


if __name__ == "__main__":
    FILE.write_text("\n".join(plans()) + "\n", encoding="utf-8")
