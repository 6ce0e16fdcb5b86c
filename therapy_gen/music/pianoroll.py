"""Piano rolls as SVG pictures: time to the right, pitch upwards, a colour for each part."""

from __future__ import annotations

from html import escape

from therapy_gen.markup import held_by_xml
from therapy_gen.music.performance import Performance

# Okabe & Ito's colours, told apart by colour-blind eyes as well.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_LEFT, _TOP, _RIGHT, _BOTTOM = 44, 34, 10, 26
_BLACK_KEYS = frozenset((1, 3, 6, 8, 10))
# Seconds between the lines of the time axis: the first that leaves them this far apart.
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
_LEAST_STEP_PX = 60


def piano_roll(performance: Performance, *, width: int = 1600, row_height: int = 7, title: str | None = None) -> str:
    """Draw a performance.

    Parameters
    ----------
    performance : Performance
    width : int
        Of the picture, in pixels.
    row_height : int
        Pixels for each semitone.
    title : str, optional
        Above the picture; by default the performance's own.

    Returns
    -------
    str
        A self-contained SVG document. Soft notes are paler; the pedal is a line at the foot.
    """
    notes = [note for part in performance.parts for note in part.notes]
    low = min((note.pitch for note in notes), default=60) - 2
    high = max((note.pitch for note in notes), default=72) + 2
    height = _TOP + (high - low + 1) * row_height + _BOTTOM
    foot = height - _BOTTOM
    per_second = (width - _LEFT - _RIGHT) / max(performance.duration, 1e-3)

    def x(seconds: float) -> str:
        return f"{_LEFT + seconds * per_second:.2f}"

    def y(pitch: int) -> int:
        return _TOP + (high - pitch) * row_height

    heading = held_by_xml(performance.title if title is None else title)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11" role="img">',
        f"<title>{escape(heading or 'Piano roll')}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="14" font-size="13">{escape(heading)}</text>',
    ]
    for pitch in range(low, high + 1):
        if pitch % 12 in _BLACK_KEYS:
            out.append(
                f'<rect x="{_LEFT}" y="{y(pitch)}" width="{width - _LEFT - _RIGHT}" height="{row_height}" '
                'fill="#f2f2f2"/>'
            )
        if pitch % 12 == 0:
            out.append(f'<text x="{_LEFT - 6}" y="{y(pitch) + row_height}" text-anchor="end">C{pitch // 12 - 1}</text>')
    step = next((step for step in _STEPS_S if step * per_second >= _LEAST_STEP_PX), _STEPS_S[-1])
    for second in range(0, int(performance.duration) + 1, step):
        out.append(f'<path d="M{x(second)} {_TOP}V{foot}" stroke="#ddd"/>')
        label = f"{second // 60}:{second % 60:02d}"
        out.append(f'<text x="{x(second)}" y="{foot + 14}" text-anchor="middle">{label}</text>')
    # The pad first, so that it lies behind the voices.
    for index, part in sorted(enumerate(performance.parts), reverse=True):
        colour = _COLOURS[index % len(_COLOURS)]
        out.append(f'<g fill="{colour}" stroke="{colour}" stroke-width=".5">')
        for note in part.notes:
            opacity = (0.35 + 0.65 * note.velocity / 127) * (0.35 + 0.65 * min(part.level * 2, 1))
            out.append(
                f'<rect x="{x(note.onset)}" y="{y(note.pitch)}" width="{max(note.duration * per_second, 1):.2f}" '
                f'height="{row_height - 1}" rx="1" fill-opacity="{opacity:.2f}"/>'
            )
        pedal = "".join(f"M{x(down)} {foot + 1 + index}H{x(up)}" for down, up in part.pedal)
        if pedal:
            out.append(f'<path d="{pedal}" fill="none" stroke-width="1" opacity=".6"/>')
        out.append("</g>")
        legend_x = _LEFT + 150 * index
        out.append(f'<rect x="{legend_x}" y="21" width="10" height="8" fill="{colour}"/>')
        out.append(f'<text x="{legend_x + 14}" y="29">{escape(held_by_xml(part.name))}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"
