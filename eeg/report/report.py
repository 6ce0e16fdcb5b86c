"""The report on scored recordings: one HTML file with everything in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

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
from eeg.timeline.timeline import moment
from therapy_gen.files import write_bytes
from therapy_gen.pages.html import asset, environment
from therapy_gen.pages.plot import PHONE, Plot, for_both
from therapy_gen.svg import GREY, number
from therapy_gen.text import criterion_text

if TYPE_CHECKING:
    from jinja2 import Environment

# Nothing is loaded, run or sent: the page is text and pictures of its own.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
# In the tables of pieces; each is the mean of its plays, weighted by their clean seconds.
_MEANS = ("beta_db", "beta_adjusted_db", "gamma_db", "gamma_adjusted_db", "muscle_db", "line_db")


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
    chapters = [("ranking", "Ranking")] if ranking is not None else []
    chapters += [(f"recording-{n}", Path(score.file).name) for n, score in enumerate(scores, 1)]
    return _filled(
        "report.html",
        policy=_POLICY,
        chapters=chapters,
        listener=listener,
        recordings=len(scores),
        written=datetime.now(UTC),
        values=what_values_are(scores),
        parts=report_parts(scores, ranking, names=names),
    )


class Parts(NamedTuple):
    """Sections of the report as HTML: the ranking's (empty without one), each recording's, and their style sheet."""

    ranking: str
    recordings: list[str]
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
        _ranking(ranking, look) if ranking is not None else "",
        [_recording(score, look) for score in scores],
        asset("eeg.report", "report.css"),
    )


@cache
def _templates() -> Environment:
    made = environment("eeg.report")
    made.filters.update(db=_db, span=moment)
    return made


def _filled(template: str, **values: Any) -> str:
    return _templates().get_template(template).render(**values)


def _short(piece: str, names: Mapping[str, str] | None) -> str:
    if names and piece in names:
        return names[piece]
    return piece if len(piece) <= 14 else "…" + piece[-8:]


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _db(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")


def _ranking(ranking: Ranking, look: Look) -> str:
    measure = criterion_text(ranking.criterion)
    return _filled(
        "ranking.html",
        ranking=ranking,
        look=look,
        measure=measure,
        sentence=_sentence(ranking),
        muscle=number(round(ranking.muscle_slope, 2)),
        picture=for_both(_intervals(ranking, look, measure), _intervals(ranking, look, measure, narrow=True)),
        flags=_once(flag for piece in ranking.pieces for flag in piece.flags),
        texts=FLAGS,
    )


def _intervals(ranking: Ranking, look: Look, measure: str, *, narrow: bool = False) -> str:
    """Return the picture of every piece's mean and interval; a narrow one has names above the intervals."""
    base = against(silence=ranking.against_silence)
    many = len(ranking.pieces)
    low = min([0.0, *(piece.ci90_db[0] for piece in ranking.pieces)])
    high = max([0.0, *(piece.ci90_db[1] for piece in ranking.pieces)])
    pad = 0.06 * (high - low) + 0.02
    width, row_height, left = (PHONE, 46, 12) if narrow else (WIDTH, 30, 190)
    plot = Plot(width, 64 + row_height * many, (low - pad, high + pad), (many + 0.5, 0.5), left=left, top=8)
    plot.line([0, 0], [0.5, many + 0.5], GREY, width=1.2, dash="4 3")
    for piece in ranking.pieces:
        colour, row = look.colours[piece.piece], piece.rank
        plot.line(piece.ci90_db, [row, row], colour, width=4, title=f"{piece.piece}: 90 % interval")
        plot.dots(np.array([piece.mean_db]), np.array([float(row)]), colour, radius=6)
        name = f"{row}  {look.names[piece.piece]}"
        if narrow:
            plot.text(plot.x[0], row, name, size=13, dy=-12)
        else:
            plot.text(plot.x[0], row, name, anchor="end", size=13, dx=-10, dy=4)
    better = "left, less" if ranking.lower_is_better else "right, more"
    what = f"{measure}, dB" if narrow else f"{measure} against {base}, dB: mean and 90 % interval"
    plot.axes(f"{what} ({better}, is better)", "", y_ticks=[])
    return plot.svg("Ranking of the pieces with 90 % intervals")


def _once(flags: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(flags))


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


def _recording(score: RecordingScore, look: Look) -> str:
    facts = [
        f"{score.format}, {score.sfreq:g} Hz, {_count(len(score.channels), 'EEG channel')}",
        *([f"recorded {score.meas_date[:16].replace('T', ' ')}"] if score.meas_date else []),
        f"{moment(score.duration_s)} long",
        f"reference: {score.reference}",
        f"line frequency: {f'{score.line_freq:g} Hz' if score.line_freq else 'not found'}",
        f"timeline from {score.source}",
    ]
    here = {play.piece for play in score.plays}
    plays = sorted((*score.plays, *score.baseline), key=lambda play: play.onset_s)
    left_out = sorted(score.figures.left_out.items(), key=lambda pair: -pair[1])[:5]
    return _filled(
        "recording.html",
        score=score,
        look=look,
        name=Path(score.file).name,
        facts=facts,
        heard=[piece for piece in look.names if piece in here],
        colours={"silence": SILENCE, "left_out": LEFT_OUT, "marked": MARKED},
        base=against(silence=has_silence(score)),
        timeline=timeline_picture(score, look),
        courses=[course_picture(score, look, band) for band in ("beta", "gamma") if score.bands[band] is not None],
        spectra=spectra_picture(score, look),
        difference=difference_picture(score, look),
        maps=maps(score),
        pieces=_pieces(score, look),
        short_fits=any("aperiodic-short" in play.flags for play in score.plays),
        plays=plays,
        flags=_once(flag for play in score.plays for flag in play.flags if flag != "aperiodic-short"),
        texts=FLAGS,
        cut=sum(play.windows for play in plays),
        used=sum(play.windows_used for play in plays),
        worst=[(name, share) for name, share in left_out if share > 0],
    )


def _pieces(score: RecordingScore, look: Look) -> list[dict[str, Any]]:
    """Return the means of each piece in this recording, and of silence: muscle and line beside the bands."""

    def mean(plays: Sequence[PlayScore], name: str) -> float | None:
        known = [(getattr(play, name), play.clean_s) for play in plays if getattr(play, name) is not None]
        total = sum(weight for _, weight in known)
        return sum(value * weight for value, weight in known) / total if total else None

    rows = []
    for piece in (*look.names, None):
        plays = [play for play in (score.plays if piece else score.baseline) if play.piece == piece]
        if plays:
            seconds = sum(play.clean_s for play in plays)
            means = {name: mean(plays, name) for name in _MEANS}
            rows.append({"piece": piece, "plays": len(plays), "clean_s": seconds, **means})
    return rows
