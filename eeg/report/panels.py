"""The report's pictures of one recording: timeline, course of the session, spectra, maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from eeg.io.channels import position_of, site_of
from eeg.report.head_map import topography
from eeg.results import PlayScore, RecordingScore
from eeg.timeline.timeline import moment
from therapy_gen.pages.plot import Plot
from therapy_gen.svg import GREY, INK, LINE, ticks

WIDTH = 960
# Silence, and spans marked bad, in the timeline.
SILENCE, MARKED, LEFT_OUT = "#cccccc", "var(--soft,#444444)", "var(--bad,#b2182b)"


@dataclass(frozen=True)
class Look:
    """Names and colours of pieces, the same in every picture.

    Parameters
    ----------
    names, colours : mapping of str to str
        By piece, in the order to list them.
    """

    names: Mapping[str, str]
    colours: Mapping[str, str]


def has_silence(score: RecordingScore) -> bool:
    """Return whether values are against silence; else there was too little of it, and they are against all plays."""
    return not any("no-silence-baseline" in play.flags for play in score.plays)


def against(*, silence: bool) -> str:
    """Return the words for what values are compared with."""
    return "silence" if silence else "the mean of all plays"


def what_values_are(scores: Iterable[RecordingScore]) -> str:
    """Say what the values of some recordings are compared with."""
    silent = {has_silence(score) for score in scores}
    if silent == {False}:
        return "Values are dB against the mean of all plays in the same recording, for want of silence"
    rest = "; where there is too little of it, against the mean of all plays" if False in silent else ""
    return f"Values are dB against the listener's own silence in the same recording{rest}"


def _minutes(score: RecordingScore) -> tuple[tuple[float, float], list[float]]:
    end = score.duration_s / 60
    return (0.0, end), ticks(0.0, end, 12, steps=(1, 2, 5, 10))


def timeline_picture(score: RecordingScore, look: Look) -> str:
    """Return plays and silences over time, and below what was left out."""
    (low, high), marks = _minutes(score)
    plot = Plot(WIDTH, 170, (low, high), (0.0, 3.0), left=90, top=18)
    for block in score.baseline:
        plot.rect(block.onset_s / 60, (block.onset_s + block.duration_s) / 60, 1.75, 2.75, SILENCE, title="silence")
    previous = -100.0
    for play in score.plays:
        assert play.piece is not None
        start, end = play.onset_s / 60, (play.onset_s + play.duration_s) / 60
        name = look.names[play.piece]
        plot.rect(start, end, 1.75, 2.75, look.colours[play.piece], title=f"{play.piece}, {moment(play.onset_s)}")
        if plot.px(end) - plot.px(start) > 7 * len(name) and plot.px(start) > previous:
            plot.text((start + end) / 2, 2.25, name, anchor="middle", size=12, colour="#ffffff", dy=4)
            previous = plot.px(start)
    figures = score.figures
    for start, end in figures.marked_bad_s / 60:
        plot.rect(start, end, 0.25, 1.25, MARKED, title=f"marked bad in the file, from {moment(60 * start)}")
    half = 1.0 / 60
    for middle, clean in zip(figures.epoch_s / 60, figures.epoch_clean, strict=True):
        if clean < 0.999:
            plot.rect(middle - half, middle + half, 0.25, 1.25, LEFT_OUT, opacity=float(np.clip(1 - clean, 0.12, 1)))
    plot.text(low, 2.25, "plays", anchor="end", size=13, dx=-8, dy=4)
    plot.text(low, 0.75, "left out", anchor="end", size=13, dx=-8, dy=4)
    plot.line([low, high], [0.25, 0.25], LINE, width=1)
    plot.axes(
        "minutes from the first sample",
        "",
        x_ticks=marks,
        y_ticks=[],
        grid=False,
    )
    return plot.svg("Timeline of plays, silence and what was left out")


def _band_value(play: PlayScore, band: str) -> float | None:
    return play.band(band).db


def course_picture(score: RecordingScore, look: Look, band: str) -> str:
    """Return a band over the session: clean windows as dots, means of plays and silences as bars."""
    figures = score.figures
    values = figures.epoch_db[band]
    finite = values[np.isfinite(values)]
    spread = list(np.quantile(finite, [0.01, 0.99])) if len(finite) else []
    spread += [-1.0, 1.0]
    spread += [value for item in (*score.baseline, *score.plays) if (value := _band_value(item, band)) is not None]
    (low, high), marks = _minutes(score)
    plot = Plot(WIDTH, 250, (low, high), (float(min(spread)) - 0.2, float(max(spread)) + 0.2), left=62)
    inside = (values >= plot.y[0]) & (values <= plot.y[1])
    plot.line([low, high], [0, 0], GREY, width=1.2, dash="4 3")
    plot.dots(figures.epoch_s[inside] / 60, values[inside], "#8899aa", radius=1.7, opacity=0.5)
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


_SHADES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442")


def _shade(plot: Plot, score: RecordingScore) -> None:
    for i, (band, limits) in enumerate(score.bands.items()):
        colour = _SHADES[i % len(_SHADES)]
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


def spectra_picture(score: RecordingScore, look: Look) -> str:
    """Return the power spectra of every piece and of the baseline, bands shaded."""
    base = against(silence=has_silence(score))
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
            title=piece or base,
        )
    plot.axes("Hz", "power density, dB re 1 µV²/Hz", x_ticks=[f for f in _FREQUENCIES if f <= freqs[-1]])
    return plot.svg(f"Power spectra of every piece and of {base}")


def difference_picture(score: RecordingScore, look: Look) -> str:
    """Return the spectra of every piece against silence (without any, against all plays), dB."""
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
    top = max(1.0, float(np.abs(every).max()) * 1.3)
    plot = Plot(464, 320, (2.0, float(freqs[-1])), (-top, top), log_x=True)
    _shade(plot, score)
    plot.line([2.0, float(freqs[-1])], [0, 0], INK, width=1.4, dash="4 3")
    for piece, level in levels.items():
        plot.line(freqs[inside][:-3], level[inside][:-3], look.colours[piece], width=1.8, title=piece)
    base_name = against(silence=has_silence(score))
    plot.axes("Hz", f"dB against {base_name} (2.5 Hz mean)", x_ticks=[f for f in _FREQUENCIES if f <= freqs[-1]])
    return plot.svg(f"Power spectra of every piece against {base_name}")


def maps(score: RecordingScore) -> list[tuple[str, str]] | None:
    """Return a map of each band that at least four electrodes with a known place have, as title and SVG.

    None where there is nothing to map: no silence, or no value.
    """
    if not has_silence(score):
        return None
    figures = score.figures
    positions = figures.positions.copy()
    for i, label in enumerate(score.scored_channels):
        known = position_of(site_of(label))
        if not np.isfinite(positions[i]).all() and known is not None:
            positions[i] = known
    pictures = []
    known_values = [v for v in figures.channel_db.values() if np.isfinite(v).any()]
    if not known_values:
        return None
    limit = float(np.ceil(max(0.5, max(np.nanmax(np.abs(v)) for v in known_values)) * 2) / 2)
    for band, values in figures.channel_db.items():
        if np.count_nonzero(np.isfinite(values) & np.isfinite(positions).all(axis=1)) >= 4:
            title = f"{band}: mean of all plays against silence"
            pictures.append((title, topography(values, positions, score.scored_channels, title, limit)))
    return pictures
