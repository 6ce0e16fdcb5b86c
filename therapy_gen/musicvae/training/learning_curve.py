"""The learning curve of a training run, as an SVG picture."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from therapy_gen.errors import InputError

# Okabe & Ito's colours, distinguishable with colour blindness.
_TRAINING, _HELD_OUT = "#0072b2", "#d55e00"
_WIDTH, _LEFT, _RIGHT, _TOP = 860, 64, 150, 54
_PANEL, _GAP = 210, 46

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class LearningCurve:
    """The curves in a run's log: points (step, nats a section) of training and of held-out windows."""

    reconstruction: Points
    kl: Points
    held_out_reconstruction: Points
    held_out_kl: Points
    lowest_at: int | None


def read_curve(log: Path) -> LearningCurve:
    """Read the log of a training run; for steps repeated after a crash, the later line counts.

    Raises
    ------
    InputError
        Where the log cannot be read.
    """
    lines = {}
    try:
        for text in log.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            lines[int(line["step"])] = line
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{log} is not the log of a training run ({error}); remove it to train on") from error
    steps = sorted(lines)
    judged = [step for step in steps if lines[step].get("held_out")]
    losses = {step: lines[step]["held_out"]["loss"] for step in judged if "loss" in lines[step]["held_out"]}
    return LearningCurve(
        [(step, lines[step]["reconstruction"]) for step in steps],
        [(step, lines[step]["kl"]) for step in steps],
        [(step, lines[step]["held_out"]["reconstruction"]) for step in judged],
        [(step, lines[step]["held_out"]["kl"]) for step in judged],
        min(losses, key=lambda step: losses[step]) if losses else None,
    )


def draw_curve(curve: LearningCurve, title: str) -> str:
    """Return a self-contained SVG document: reconstruction above, KL below, both over training steps.

    The vertical line is where the loss on held-out windows was lowest.
    """
    height = _TOP + 2 * (_PANEL + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" font-size="15">{escape(title)}</text>',
    ]
    panels = (
        ("reconstruction, nats a section", curve.reconstruction, curve.held_out_reconstruction),
        ("KL, nats a section", curve.kl, curve.held_out_kl),
    )
    for number, (name, training, held_out) in enumerate(panels):
        parts += _panel(name, training, held_out, curve.lowest_at, _TOP + number * (_PANEL + _GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(name: str, training: Points, held_out: Points, lowest_at: int | None, top: int) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, top + _PANEL
    everything = [*training, *held_out]
    last = max((step for step, _ in everything), default=1.0) or 1.0
    highest = max((value for _, value in everything if math.isfinite(value)), default=1.0) or 1.0
    step_y, step_x = _nice(highest / 4), _nice(last / 6)
    ceiling = math.ceil(highest / step_y) * step_y

    def x(step: float) -> float:
        return _LEFT + (right - _LEFT) * step / last

    def y(value: float) -> float:
        return bottom - _PANEL * min(value / ceiling, 1.0)

    parts = [f'<text x="{_LEFT}" y="{top - 6}">{escape(name)}</text>']
    for n in range(round(ceiling / step_y) + 1):
        level = y(n * step_y)
        parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{level:.1f}" y2="{level:.1f}" stroke="#e2e2e2"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{level + 4:.1f}" text-anchor="end">{n * step_y:g}</text>')
    for n in range(int(last / step_x) + 1):
        parts.append(f'<text x="{x(n * step_x):.1f}" y="{bottom + 16}" text-anchor="middle">{n * step_x:g}</text>')
    parts.append(f'<text x="{right + 14}" y="{bottom + 16}">step</text>')
    if lowest_at is not None:
        at = x(lowest_at)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}" stroke="#777" stroke-dasharray="4"/>')
    for n, (label, points, colour) in enumerate(
        (("training", training, _TRAINING), ("held out", held_out, _HELD_OUT)),
    ):
        line = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in points if math.isfinite(value))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if points is held_out or len(points) == 1:
            parts += _dots([(x(step), y(value)) for step, value in points], colour)
        row = top + 14 + 18 * n
        parts.append(f'<rect x="{right + 14}" y="{row - 9}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{right + 34}" y="{row - 2}">{label}</text>')
    if lowest_at is not None:
        parts.append(f'<text x="{right + 14}" y="{top + 50}" fill="#555">lowest held-out</text>')
        parts.append(f'<text x="{right + 14}" y="{top + 66}" fill="#555">loss: step {lowest_at}</text>')
    return parts


def _dots(points: Sequence[tuple[float, float]], colour: str) -> list[str]:
    return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]


def _nice(size: float) -> float:
    """Return 1, 2 or 5 times a power of ten, not below `size`."""
    power = 10.0 ** math.floor(math.log10(size)) if size > 0 else 1.0
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= size * (1 - 1e-9))
