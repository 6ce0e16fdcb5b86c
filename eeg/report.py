"""The report on scored recordings: one HTML file with everything in it, to be read by a person."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eeg.channels import place_of, position_of
from eeg.errors import ParameterError
from eeg.figures import GREY, INK, Plot, colours_of, number, ticks, topography
from eeg.ranking import Ranking
from eeg.results import PlayScore, RecordingScore
from eeg.timeline import clock

Float64 = npt.NDArray[np.float64]

WIDTH = 960

_STYLE = """
body{font:15px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;color:#222;max-width:1000px;margin:0 auto;
padding:24px 20px 60px;background:#fff}
h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:38px 0 6px;padding-top:10px;border-top:2px solid #ddd}
h3{font-size:16px;margin:22px 0 4px}p{margin:6px 0 10px;max-width:78ch}svg{max-width:100%;height:auto;display:block}
table{border-collapse:collapse;margin:8px 0;font-size:14px}th,td{padding:4px 12px 4px 0;text-align:left;vertical-align:top}
th{border-bottom:1.5px solid #999;font-weight:600}td{border-bottom:1px solid #eee}td.n,th.n{text-align:right}
.lead{font-size:17px;padding:10px 14px;background:#f2f6fa;border-left:4px solid #0072b2;max-width:none}
.lead.no{background:#faf6ee;border-color:#e69f00}.note{color:#555}.warn{background:#fdf6e7;padding:8px 14px;margin:8px 0}
.warn ul{margin:4px 0;padding-left:20px}.row{display:flex;flex-wrap:wrap;gap:26px}.key{display:inline-block;width:12px;height:12px;
border-radius:2px;margin-right:6px;vertical-align:-1px}.piece{white-space:nowrap}code{font-size:13px}details summary{cursor:pointer;margin:6px 0}
@media print{h2{break-after:avoid}svg,table{break-inside:avoid}}
"""


def write_report(
    path: str | Path,
    scores: Sequence[RecordingScore],
    ranking: Ranking | None = None,
    *,
    names: Mapping[str, str] | None = None,
    listener: str | None = None,
) -> None:
    """Write the report, whole or not at all.

    Parameters
    ----------
    path : str or Path
        An ``.html`` file.
    scores : sequence of RecordingScore
        Each gets a chapter.
    ranking : Ranking, optional
        Of the listener, over all recordings.
    names : mapping of str to str, optional
        What to call a piece; by default the end of its id.
    listener : str, optional

    Raises
    ------
    ParameterError
        The file cannot be written.
    """
    path = Path(path)
    text = render(scores, ranking, names=names, listener=listener)
    try:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=".report-", suffix=".html")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(part, 0o666 & ~_umask())
            os.replace(part, path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ParameterError(
            f"report {path} cannot be written ({error.strerror}): name a file in a folder that exists"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def render(
    scores: Sequence[RecordingScore],
    ranking: Ranking | None = None,
    *,
    names: Mapping[str, str] | None = None,
    listener: str | None = None,
) -> str:
    """Return the report as HTML; parameters as in `write_report`."""
    pieces = [rank.piece for rank in ranking.pieces] if ranking else []
    pieces += [
        p for score in scores for p in dict.fromkeys(play.piece for play in score.plays) if p and p not in pieces
    ]
    pieces = list(dict.fromkeys(pieces))
    look = _Look({piece: _short(piece, names) for piece in pieces}, colours_of(pieces))
    who = f", listener {escape(listener)}" if listener else ""
    body = [
        f"<h1>Band power per piece{who}</h1>",
        f'<p class="note">{_count(len(scores), "recording")}, written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Values are dB against '
        "the listener's own silence in the same recording; less than zero is less power than in silence. "
        "Which direction is wanted is a setting, not a finding.</p>",
    ]
    if ranking is not None:
        body += _ranking(ranking, look)
    for score in scores:
        body += _recording(score, look)
    title = f"Band power per piece{', listener ' + listener if listener else ''}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, '
        f'initial-scale=1"><title>{escape(title)}</title><style>{_STYLE}</style></head><body>{"".join(body)}</body></html>\n'
    )


class _Look:
    """What a piece is called and how it is coloured, the same in every picture."""

    def __init__(self, names: Mapping[str, str], colours: Mapping[str, str]) -> None:
        self.names, self.colours = names, colours

    def key(self, piece: str) -> str:
        return (
            f'<span class="piece" title="{escape(piece)}"><span class="key" style="background:{self.colours[piece]}"></span>'
            f"{escape(self.names[piece])}</span>"
        )


def _short(piece: str, names: Mapping[str, str] | None) -> str:
    if names and piece in names:
        return names[piece]
    return piece if len(piece) <= 14 else "…" + piece[-8:]


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _db(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int]) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}{' class=n' if i in numeric else ''}>{cell}</{tag}>" for i, cell in enumerate(row))

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table><tr>{cells(head, 'th')}</tr>{body}</table>"


def _ranking(ranking: Ranking, look: _Look) -> list[str]:
    against = "silence" if ranking.against_silence else "the mean of all plays"
    height = 64 + 30 * len(ranking.pieces)
    low = min([0.0, *(piece.ci90_db[0] for piece in ranking.pieces)])
    high = max([0.0, *(piece.ci90_db[1] for piece in ranking.pieces)])
    pad = 0.06 * (high - low) + 0.02
    plot = Plot(WIDTH, height, (low - pad, high + pad), (len(ranking.pieces) + 0.5, 0.5), left=190, top=8)
    plot.line([0, 0], [0.5, len(ranking.pieces) + 0.5], GREY, width=1.2, dash="4 3")
    for piece in ranking.pieces:
        colour, row = look.colours[piece.piece], piece.rank
        plot.line(piece.ci90_db, [row, row], colour, width=4, title=f"{piece.piece}: 90 % interval")
        plot.dots(np.array([piece.mean_db]), np.array([float(row)]), colour, radius=6)
        plot.text(plot.x[0], row, f"{row}  {look.names[piece.piece]}", anchor="end", size=13, dx=-10, dy=4)
    plot.axes(f"{ranking.criterion} power against {against}, dB (mean and 90 % interval)", "", y_ticks=[])
    rows = [
        [
            str(piece.rank),
            look.key(piece.piece),
            _db(piece.mean_db),
            f"{_db(piece.ci90_db[0])} to {_db(piece.ci90_db[1])}",
            f"{piece.p_best:.2f}",
            f"{piece.expected_rank:.1f}",
            str(piece.plays),
            f"{piece.clean_s:.0f}",
            escape(", ".join(piece.flags)),
        ]
        for piece in ranking.pieces
    ]
    wanted = "less" if ranking.lower_is_better else "more"
    bands = {"beta": "beta", "gamma": "gamma", "both": "beta and gamma"}[ranking.criterion]
    css = "lead" if ranking.reliable_order else "lead no"
    claim = "There is a reliable order" if ranking.reliable_order else "There is no reliable order"
    return [
        "<h2>Ranking</h2>",
        f'<p class="{css}"><b>{claim}.</b> {escape(_sentence(ranking.reason))}</p>',
        f"<p>Declared criterion: {wanted} {bands} power is better. {_count(ranking.plays, 'play')} in "
        f"{_count(ranking.recordings, 'recording')}. Means are drawn towards the listener's mean as far as the data are few; "
        f"what goes with muscle ({number(round(ranking.muscle_slope, 2))} dB for one dB) and with time is taken out. "
        f"Between pieces the SD is about {ranking.tau_db:.2f} dB, of one play of 60 s {ranking.noise_db:.2f} dB.</p>",
        plot.svg("Ranking of the pieces with 90 % intervals"),
        _table(
            ["", "piece", "mean dB", "90 % interval", "P(best)", "expected rank", "plays", "clean s", ""],
            rows,
            numeric=(0, 2, 3, 4, 5, 6, 7),
        ),
    ]


def _sentence(text: str) -> str:
    text = text.removeprefix("no reliable order: ")
    return text[:1].upper() + text[1:] + "."


def _recording(score: RecordingScore, look: _Look) -> list[str]:
    facts = [
        f"{score.format}, {score.sfreq:g} Hz, {_count(len(score.channels), 'EEG channel')}, {clock(score.duration_s)} long",
        f"reference: {score.reference}",
        f"line frequency: {f'{score.line_freq:g} Hz' if score.line_freq else 'not found'}",
        f"timeline from {score.source}",
    ]
    out = [f"<h2>{escape(Path(score.file).name)}</h2>", f'<p class="note">{escape(" · ".join(facts))}</p>']
    if score.warnings:
        out.append(f'<div class="warn"><ul>{"".join(f"<li>{escape(text)}</li>" for text in score.warnings)}</ul></div>')
    out += ["<h3>Timeline</h3>", _legend(score, look), _timeline(score, look)]
    out += ["<h3>Band power over the session</h3>"]
    out += [
        "<p>Each dot is a clean window; each bar the mean of a play (coloured) or of a stretch of silence (grey). "
        "A slope over the whole picture is time on task.</p>"
    ]
    for band in ("beta", "gamma"):
        if score.bands[band] is not None:
            out.append(_course(score, look, band))
    out += ["<h3>Spectra</h3>", '<div class="row">', _spectra(score, look), _spectra_against(score, look), "</div>"]
    out += _maps(score)
    out += ["<h3>Plays</h3>", _plays(score, look)]
    out += _left_out(score)
    out += _parameters(score)
    return out


def _legend(score: RecordingScore, look: _Look) -> str:
    here = {play.piece for play in score.plays}
    keys = [look.key(piece) for piece in look.names if piece in here]
    keys.append(f'<span class="key" style="background:{INK}"></span>silence')
    return f"<p>{' &nbsp; '.join(keys)}</p>"


def _minutes(score: RecordingScore) -> tuple[tuple[float, float], list[float]]:
    end = score.duration_s / 60
    return (0.0, end), ticks(0.0, end, 12)


def _timeline(score: RecordingScore, look: _Look) -> str:
    (low, high), marks = _minutes(score)
    plot = Plot(WIDTH, 170, (low, high), (0.0, 3.0), left=90, top=18)
    for block in score.baseline:
        plot.rect(block.onset_s / 60, (block.onset_s + block.duration_s) / 60, 1.75, 2.75, "#cccccc", title="silence")
    previous = -100.0
    for play in score.plays:
        assert play.piece is not None
        start, end = play.onset_s / 60, (play.onset_s + play.duration_s) / 60
        name = look.names[play.piece]
        plot.rect(start, end, 1.75, 2.75, look.colours[play.piece], title=f"{play.piece}, {clock(play.onset_s)}")
        if plot.px(end) - plot.px(start) > 7 * len(name) and plot.px(start) > previous:
            plot.text((start + end) / 2, 2.25, name, anchor="middle", size=12, colour="#ffffff", dy=4)
            previous = plot.px(start)
    figures = score.figures
    half = 1.0 / 60
    for middle, clean in zip(figures.window_s / 60, figures.window_clean, strict=True):
        if clean < 0.999:
            plot.rect(middle - half, middle + half, 0.25, 1.25, "#b2182b", opacity=float(np.clip(1 - clean, 0.12, 1)))
    plot.text(low, 2.25, "plays", anchor="end", size=13, dx=-8, dy=4)
    plot.text(low, 0.75, "left out", anchor="end", size=13, dx=-8, dy=4)
    plot.line([low, high], [0.25, 0.25], "#dddddd", width=1)
    plot.axes(
        "minutes from the first sample (the darker the red, the more channels are left out)",
        "",
        x_ticks=marks,
        y_ticks=[],
        grid=False,
    )
    return plot.svg("Timeline of plays, silence and what was left out")


def _band_value(play: PlayScore, band: str) -> float | None:
    return play.beta_db if band == "beta" else play.gamma_db


def _course(score: RecordingScore, look: _Look, band: str) -> str:
    figures = score.figures
    values = figures.window_beta_db if band == "beta" else figures.window_gamma_db
    finite = values[np.isfinite(values)]
    spread = np.quantile(finite, [0.01, 0.99]) if len(finite) else np.array([-1.0, 1.0])
    (low, high), marks = _minutes(score)
    plot = Plot(WIDTH, 250, (low, high), (float(min(spread[0], -1.0)) - 0.2, float(max(spread[1], 1.0)) + 0.2), left=62)
    inside = (values >= plot.y[0]) & (values <= plot.y[1])
    plot.line([low, high], [0, 0], GREY, width=1.2, dash="4 3")
    plot.dots(figures.window_s[inside] / 60, values[inside], "#8899aa", radius=1.7, opacity=0.5)
    for item in (*score.baseline, *score.plays):
        value = _band_value(item, band)
        if value is None:
            continue
        colour = look.colours[item.piece] if item.piece else INK
        start, end = item.onset_s / 60, (item.onset_s + item.duration_s) / 60
        plot.line(
            [start, end],
            [value, value],
            colour,
            width=5 if item.piece else 3,
            title=f"{item.piece or 'silence'}: {value:+.2f} dB",
        )
    limits = score.bands[band]
    assert limits is not None
    plot.axes("minutes from the first sample", f"{band} {limits[0]:g}–{limits[1]:g} Hz, dB", x_ticks=marks)
    return plot.svg(f"{band} power over the session")


def _shade(plot: Plot, score: RecordingScore) -> None:
    for band, colour in (("beta", "#56b4e9"), ("gamma", "#e69f00")):
        limits = score.bands[band]
        if limits is not None:
            plot.rect(*limits, *plot.y, colour, opacity=0.16)
            plot.text(
                float(np.sqrt(limits[0] * limits[1])), plot.y[1], band, anchor="middle", size=12, colour=GREY, dy=14
            )
    if score.line_freq and plot.x[0] < score.line_freq < plot.x[1]:
        plot.rect(
            max(score.line_freq - 2, plot.x[0]), min(score.line_freq + 2, plot.x[1]), *plot.y, "#999999", opacity=0.2
        )
        plot.text(score.line_freq, plot.y[1], "line", anchor="middle", size=11, colour=GREY, dy=30)


_FREQUENCIES = (2, 5, 10, 20, 30, 45, 70, 100)


def _spectra(score: RecordingScore, look: _Look) -> str:
    freqs = score.figures.freqs
    inside = freqs >= 2
    levels = {piece: 10 * np.log10(np.maximum(density, 1e-12)) for piece, density in score.figures.spectra.items()}
    every = np.concatenate([level[inside] for level in levels.values()])
    every = every[np.isfinite(every)]
    if not len(every):
        return ""
    plot = Plot(
        464, 320, (2.0, float(freqs[-1])), (float(every.min()) - 1, float(np.quantile(every, 0.999)) + 3), log_x=True
    )
    _shade(plot, score)
    for piece, level in levels.items():
        plot.line(
            freqs[inside],
            level[inside],
            look.colours[piece] if piece else INK,
            width=1.4 if piece else 2.2,
            title=piece or "silence",
        )
    plot.axes("Hz", "power density, dB re 1 µV²/Hz", x_ticks=[f for f in _FREQUENCIES if f <= freqs[-1]])
    return plot.svg("Power spectra of every piece and of silence")


def _spectra_against(score: RecordingScore, look: _Look) -> str:
    freqs = score.figures.freqs
    inside = freqs >= 2
    base = score.figures.spectra[""]
    levels = {}
    for piece, density in score.figures.spectra.items():
        if piece:
            level = 10 * np.log10(np.maximum(density, 1e-12) / np.maximum(base, 1e-12))
            smooth = np.convolve(level, np.ones(5) / 5, mode="same")
            levels[piece] = smooth
    every = np.concatenate([level[inside][:-3] for level in levels.values()])
    every = every[np.isfinite(every)]
    if not len(every):
        return ""
    top = max(1.0, float(np.abs(every).max()) * 1.15)
    plot = Plot(464, 320, (2.0, float(freqs[-1])), (-top, top), log_x=True)
    _shade(plot, score)
    plot.line([2.0, float(freqs[-1])], [0, 0], INK, width=1.4, dash="4 3")
    for piece, level in levels.items():
        plot.line(freqs[inside][:-3], level[inside][:-3], look.colours[piece], width=1.8, title=piece)
    against = (
        "silence" if not any("no-silence-baseline" in play.flags for play in score.plays) else "the mean of all plays"
    )
    plot.axes("Hz", f"dB against {against} (2.5 Hz mean)", x_ticks=[f for f in _FREQUENCIES if f <= freqs[-1]])
    return plot.svg("Power spectra of every piece against silence")


def _maps(score: RecordingScore) -> list[str]:
    figures = score.figures
    positions = figures.positions.copy()
    for i, label in enumerate(score.scored_channels):
        known = position_of(place_of(label))
        if not np.isfinite(positions[i]).all() and known is not None:
            positions[i] = known
    pictures = []
    known_values = [v for v in (figures.channel_beta_db, figures.channel_gamma_db) if np.isfinite(v).any()]
    if not known_values:
        return []
    limit = float(np.ceil(max(0.5, max(np.nanmax(np.abs(v)) for v in known_values)) * 2) / 2)
    for band, values in (("beta", figures.channel_beta_db), ("gamma", figures.channel_gamma_db)):
        if np.count_nonzero(np.isfinite(values) & np.isfinite(positions).all(axis=1)) >= 4:
            title = f"{band}: mean of all plays against silence"
            pictures.append(
                f"<div><b>{escape(title)}</b>{topography(values, positions, score.scored_channels, title, limit)}</div>"
            )
    if not pictures:
        return ["<h3>Topography</h3>", '<p class="note">Fewer than four electrodes have a known place.</p>']
    note = "What grows towards the rim is often muscle; what the brain does is rarely largest there."
    return ["<h3>Topography</h3>", f"<p>{note}</p>", f'<div class="row">{"".join(pictures)}</div>']


def _plays(score: RecordingScore, look: _Look) -> str:
    rows = [
        [
            clock(play.onset_s),
            look.key(play.piece) if play.piece else '<span class="note">silence</span>',
            f"{play.duration_s:.0f}",
            f"{play.clean_s:.0f}",
            _db(play.beta_db),
            _db(play.beta_adjusted_db),
            _db(play.gamma_db),
            _db(play.gamma_adjusted_db),
            _db(play.muscle_db),
            _db(play.line_db, 1),
            escape(", ".join(flag for flag in play.flags if flag != "aperiodic-short")),
        ]
        for play in sorted((*score.plays, *score.baseline), key=lambda play: play.onset_s)
    ]
    head = [
        "from",
        "piece",
        "s",
        "clean s",
        "beta dB",
        "beta above 1/f",
        "gamma dB",
        "gamma above 1/f",
        "muscle dB",
        "line dB",
        "",
    ]
    table = _table(head, rows, numeric=(0, 2, 3, 4, 5, 6, 7, 8, 9))
    words = (
        f"<p>Above 1/f: against the aperiodic part of the spectrum, fitted on all plays of the piece together. Muscle: {escape(score.muscle_index)}. "
        "Line: height of the line frequency over its surroundings.</p>"
    )
    if any("aperiodic-short" in play.flags for play in score.plays):
        words += (
            '<p class="note">Fits of the aperiodic part want 3 min; some pieces have less, and their values above 1/f '
            "are unsteady (in the data: aperiodic-short).</p>"
        )
    return words + (
        table if len(rows) <= 60 else f"<details><summary>{len(rows)} plays and silences</summary>{table}</details>"
    )


def _left_out(score: RecordingScore) -> list[str]:
    out = ["<h3>Left out</h3>"]
    cut = sum(play.windows for play in (*score.plays, *score.baseline))
    used = sum(play.windows_used for play in (*score.plays, *score.baseline))
    out.append(
        f"<p>{cut - used} of {_count(cut, 'window')} are left out in all channels. Of all windows of all channels:</p>"
    )
    rows = [[escape(reason), f"{100 * share:.2f} %"] for reason, share in score.rejected_windows.items()]
    out.append(_table(["reason", "left out"], rows, numeric=(1,)))
    if score.bad_channels:
        rows = [[escape(name), escape(why)] for name, why in score.bad_channels.items()]
        out.append(_table(["bad channel", "why"], rows, numeric=()))
    else:
        out.append("<p>No channel is bad as a whole.</p>")
    return out


def _parameters(score: RecordingScore) -> list[str]:
    rows = [[escape(str(key)), f"<code>{escape(str(value))}</code>"] for key, value in score.settings.items()]
    rows += [
        ["scored channels", escape(", ".join(score.scored_channels))],
        ["sha256", f"<code>{escape(score.sha256)}</code>"],
    ]
    rows += [[f"version of {escape(name)}", escape(version)] for name, version in score.versions.items()]
    return [
        f"<details><summary>Parameters, channels and versions</summary>{_table(['', ''], rows, numeric=())}</details>"
    ]
