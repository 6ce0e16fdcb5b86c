"""The report on scored recordings: one HTML file with everything in it, to be read by a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eeg.errors import ParameterError
from eeg.ranking.ranked_pieces import Ranking
from eeg.report.head_map import colours_of
from eeg.report.panels import (
    LEFT_OUT,
    MARKED,
    SILENCE,
    WIDTH,
    Look,
    against,
    course_picture,
    difference_picture,
    has_silence,
    maps,
    spectra_picture,
    timeline_picture,
    what_values_are,
)
from eeg.results import FLAGS, PlayScore, RecordingScore
from eeg.timeline.timeline import clock
from therapy_gen.files import write_bytes
from therapy_gen.pages.plot import Plot
from therapy_gen.svg import GREY, number

Float64 = npt.NDArray[np.float64]

# Nothing is loaded, run or sent: the page is text and pictures of its own.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_STYLE = """
body{font:15px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;color:#222;
max-width:1000px;margin:0 auto;padding:24px 20px 60px;background:#fff}
h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:38px 0 6px;padding-top:10px;border-top:2px solid #ddd}
h3{font-size:16px;margin:22px 0 4px}p{margin:6px 0 10px;max-width:78ch}svg{max-width:100%;height:auto;display:block}
table{border-collapse:collapse;margin:8px 0;font-size:14px}th,td{padding:4px 12px 4px 0;text-align:left;
vertical-align:top}
th{border-bottom:1.5px solid #999;font-weight:600}td{border-bottom:1px solid #eee}td.n,th.n{text-align:right}
.lead{font-size:17px;padding:10px 14px;background:#f2f6fa;border-left:4px solid #0072b2;max-width:none}
.lead.no{background:#faf6ee;border-color:#e69f00}.note{color:#555}.warn{background:#fdf6e7;padding:8px 14px;
margin:8px 0}.warn ul{margin:4px 0;padding-left:20px}.row{display:flex;flex-wrap:wrap;gap:26px}
.key{display:inline-block;width:12px;height:12px;border-radius:2px;margin-right:6px;vertical-align:-1px}.piece{white-space:nowrap}
code{font-size:13px}details summary{cursor:pointer;margin:6px 0}
.wide{overflow-x:auto;max-width:100%}.wide>svg{min-width:var(--least)}td.n{white-space:nowrap}
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

    Examples
    --------
    >>> from eeg.simulation.file import write_fif
    >>> from eeg.simulation.simulate import Listener, simulate
    >>> from eeg.timeline.known_pieces import Item
    >>> items = [Item("silence", None, 0.0, 90.0), Item("music", "A", 90.0, 60.0), Item("music", "B", 150.0, 60.0)]
    >>> made = simulate(items, sfreq=250.0, channels=4, listener=Listener(effects={"A": (-2.0, 0.0)}), seed=1)
    >>> write_fif(made, "rec.fif")
    >>> from pathlib import Path
    >>> import eeg
    >>> eeg.write_report("rec.html", [eeg.score_recording("rec.fif")])
    >>> Path("rec.html").read_text(encoding="utf-8")[:15].lower()
    '<!doctype html>'
    """
    text = render(scores, ranking, names=names, listener=listener)
    write_bytes(Path(path), text.encode(), private=True, error=ParameterError)


def render(
    scores: Sequence[RecordingScore],
    ranking: Ranking | None = None,
    *,
    names: Mapping[str, str] | None = None,
    listener: str | None = None,
) -> str:
    """Return the report as HTML; parameters as in `write_report`."""
    who = f", listener {escape(listener)}" if listener else ""
    parts = report_parts(scores, ranking, names=names)
    body = [
        f"<h1>Band power per piece{who}</h1>",
        f'<p class="note">{_count(len(scores), "recording")}, written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. '
        f"{what_values_are(scores)}: −1 dB is a fifth less power, −3 dB half of it, +3 dB twice as much. "
        "Which direction is wanted is a setting, not a finding.</p>",
        *parts.ranking,
    ]
    for content in parts.recordings:
        body += content
    title = f"Band power per piece{', listener ' + listener if listener else ''}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


class Parts(NamedTuple):
    """Sections of the report as HTML: the ranking's, each recording's, and their style sheet."""

    ranking: list[str]
    recordings: list[list[str]]
    style: str


def report_parts(
    scores: Sequence[RecordingScore], ranking: Ranking | None = None, *, names: Mapping[str, str] | None = None
) -> Parts:
    """Return the report's sections; parameters as in `write_report`."""
    pieces = [rank.piece for rank in ranking.pieces] if ranking else []
    pieces += [p for score in scores for p in dict.fromkeys(play.piece for play in score.plays) if p]
    pieces = list(dict.fromkeys(pieces))
    look = Look({piece: _short(piece, names) for piece in pieces}, colours_of(pieces))
    return Parts(
        _ranking(ranking, look) if ranking is not None else [], [_recording(score, look) for score in scores], _STYLE
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
    return f'<div class="wide"><table><tr>{cells(head, "th")}</tr>{body}</table></div>'


def _ranking(ranking: Ranking, look: Look) -> list[str]:
    base = against(silence=ranking.against_silence)
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
    better = "left, less" if ranking.lower_is_better else "right, more"
    band = "beta and gamma" if ranking.criterion == "both" else ranking.criterion
    plot.axes(f"{band} power against {base}, dB: mean and 90 % interval ({better}, is better)", "", y_ticks=[])
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
    css = "lead" if ranking.reliable_order else "lead no"
    claim = "There is a reliable order" if ranking.reliable_order else "There is no reliable order"
    return [
        "<h2>Ranking</h2>",
        f'<p class="{css}"><b>{claim}.</b> {escape(_sentence(ranking))}</p>',
        f"<p>Declared criterion: {wanted} {band} power is better. {_count(ranking.plays, 'play')} in "
        f"{_count(ranking.recordings, 'recording')}. Means are drawn towards the listener's mean as far as the data "
        "are few; "
        f"what goes with muscle ({number(round(ranking.muscle_slope, 2))} dB for one dB) and with time is taken out. "
        f"Between pieces the SD is about {ranking.tau_db:.2f} dB, of one play of 60 s {ranking.noise_db:.2f} dB. "
        "Neighbours whose intervals overlap may stand the other way round." + "</p>",
        plot.svg("Ranking of the pieces with 90 % intervals"),
        _table(
            ["", "piece", "mean dB", "90 % interval", "P(best)", "expected rank", "plays", "clean s", ""],
            rows,
            numeric=(0, 2, 3, 4, 5, 6, 7),
        ),
        '<p class="note">P(best): how probable it is that the piece is the best of all; expected rank: its rank on '
        "average over everything that the data allow.</p>",
        *_flags(flag for piece in ranking.pieces for flag in piece.flags),
    ]


def _flags(flags: Iterable[str]) -> list[str]:
    """Return what some flags mean, each once."""
    said = [f"{escape(flag)}: {escape(FLAGS[flag])}" for flag in dict.fromkeys(flags)]
    return [f'<p class="note">{"; ".join(said)}.</p>'] if said else []


def _sentence(ranking: Ranking) -> str:
    text = ranking.reason.removeprefix("no reliable order: ")
    often = f"they would look as different as here in {100 * ranking.p_value:.0f} of 100 such recordings"
    if not ranking.reliable_order and text.startswith("equal pieces"):
        text = f"if all pieces were equal, {often}"
    elif not ranking.reliable_order and text.startswith("one recording"):
        text = (
            f"if all pieces were equal, but differed by {ranking.day_db[1]:g} dB from day to day, {often}; record "
            "another day, in another order"
        )
    return text[:1].upper() + text[1:] + "."


def _recording(score: RecordingScore, look: Look) -> list[str]:
    base = against(silence=has_silence(score))
    facts = [
        f"{score.format}, {score.sfreq:g} Hz, {_count(len(score.channels), 'EEG channel')}",
        *([f"recorded {score.meas_date[:16].replace('T', ' ')}"] if score.meas_date else []),
        f"{clock(score.duration_s)} long",
        f"reference: {score.reference}",
        f"line frequency: {f'{score.line_freq:g} Hz' if score.line_freq else 'not found'}",
        f"timeline from {score.source}",
    ]
    out = [f"<h2>{escape(Path(score.file).name)}</h2>", f'<p class="note">{escape(" · ".join(facts))}</p>']
    if score.warnings:
        out.append(f'<div class="warn"><ul>{"".join(f"<li>{escape(text)}</li>" for text in score.warnings)}</ul></div>')
    out += ["<h3>Timeline</h3>", _legend(score, look), timeline_picture(score, look)]
    out += ["<h3>Band power over the session</h3>"]
    out += [
        "<p>Each dot is a clean window of 2 s; each bar the mean of a play (coloured) or of a stretch of silence "
        "(black). A slope over the whole picture is time on task.</p>"
    ]
    for band in ("beta", "gamma"):
        if score.bands[band] is not None:
            out.append(course_picture(score, look, band))
    out += [
        "<h3>Spectra</h3>",
        f"<p>Left: power at every frequency, {base} in black. Right: every piece against {base}; under the dashed "
        "line is less. What is scored is shaded; around the line frequency nothing is taken.</p>",
        '<div class="row">',
        spectra_picture(score, look),
        difference_picture(score, look),
        "</div>",
    ]
    out += maps(score)
    out += ["<h3>Pieces</h3>", _pieces(score, look), "<h3>Plays</h3>", _plays(score, look)]
    out += _left_out(score)
    out += _parameters(score)
    return out


def _legend(score: RecordingScore, look: Look) -> str:
    here = {play.piece for play in score.plays}
    keys = [look.key(piece) for piece in look.names if piece in here]
    keys.append(_key(SILENCE, "silence"))
    keys.append(_key(LEFT_OUT, "left out: the darker, the more channels"))
    if len(score.figures.marked_bad_s):
        keys.append(_key(MARKED, "marked bad in the file"))
    return f"<p>{' &nbsp; '.join(keys)}</p>"


def _key(colour: str, text: str) -> str:
    return f'<span class="piece"><span class="key" style="background:{colour}"></span>{text}</span>'


def _pieces(score: RecordingScore, look: Look) -> str:
    """Return the means of each piece in this recording, muscle and line beside the bands."""

    def mean(plays: Sequence[PlayScore], name: str) -> float | None:
        known = [(getattr(play, name), play.clean_s) for play in plays if getattr(play, name) is not None]
        total = sum(weight for _, weight in known)
        return sum(value * weight for value, weight in known) / total if total else None

    rows = []
    for piece in (*look.names, None):
        plays = [play for play in (score.plays if piece else score.baseline) if play.piece == piece]
        if not plays:
            continue
        rows.append(
            [
                look.key(piece) if piece else '<span class="note">silence</span>',
                str(len(plays)),
                f"{sum(play.clean_s for play in plays):.0f}",
                *(_db(mean(plays, name)) for name in ("beta_db", "beta_adjusted_db", "gamma_db", "gamma_adjusted_db")),
                _db(mean(plays, "muscle_db")),
                _db(mean(plays, "line_db"), 1),
            ]
        )
    head = ["", "plays", "clean s", "beta dB", "beta above 1/f", "gamma dB", "gamma above 1/f", "muscle dB", "line dB"]
    words = (
        "<p>Above 1/f: against the aperiodic part of the spectrum, fitted on all plays of the piece together. "
        f"Muscle: {escape(score.muscle_index)}. Line: height of the line frequency over its surroundings.</p>"
    )
    if any("aperiodic-short" in play.flags for play in score.plays):
        words += (
            '<p class="note">Fits of the aperiodic part want 3 min; some pieces have less, and their values above 1/f '
            "are unsteady (in the data: aperiodic-short).</p>"
        )
    return words + _table(head, rows, numeric=range(1, 9))


def _plays(score: RecordingScore, look: Look) -> str:
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
    shown = " open" if len(rows) <= 30 else ""
    words = "".join(_flags(flag for play in score.plays for flag in play.flags if flag != "aperiodic-short"))
    return f"<details{shown}><summary>{len(rows)} plays and silences</summary>{table}{words}</details>"


def _left_out(score: RecordingScore) -> list[str]:
    out = ["<h3>Left out</h3>"]
    cut = sum(play.windows for play in (*score.plays, *score.baseline))
    used = sum(play.windows_used for play in (*score.plays, *score.baseline))
    out.append(
        f"<p>{cut - used} of {_count(cut, 'window')} are left out in all channels. "
        "Of all windows of all good channels:</p>"
    )
    if score.marked_bad_s:
        out.insert(
            1,
            f"<p>{clock(score.marked_bad_s)} of plays and silences are marked bad in the file: no windows are cut "
            "there.</p>",
        )
    rows = [[escape(reason), f"{100 * share:.2f} %"] for reason, share in score.rejected_windows.items()]
    out.append(_table(["reason", "left out"], rows, numeric=(1,)))
    most = sorted(score.figures.left_out.items(), key=lambda pair: -pair[1])[:5]
    if most and most[0][1] > 0:
        named = ", ".join(f"{escape(name)} ({100 * share:.1f} %)" for name, share in most if share > 0)
        out.append(f"<p>Most of it in {named}.</p>")
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
