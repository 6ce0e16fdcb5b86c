"""Results for MNE-Python: the report as an `mne.Report`, spectra as `mne.time_frequency.SpectrumArray`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from eeg.io.mne import import_mne, quiet_mne
from eeg.ranking.ranked_pieces import Ranking
from eeg.report.report import Parts, report_parts
from eeg.results import RecordingScore

# Name of the one channel, the geometric mean over those scored.
_MEAN_CHANNEL = "mean"


def to_spectra(score: RecordingScore) -> dict[str, Any]:
    """Return the pooled spectra of a scored recording as MNE-Python's.

    Parameters
    ----------
    score : RecordingScore

    Returns
    -------
    dict of str to mne.time_frequency.SpectrumArray
        By piece, and ``"baseline"``: one channel, the geometric mean over the channels scored, V^2/Hz.

    Raises
    ------
    MissingEEGExtraError
        MNE-Python is not installed.

    Examples
    --------
    >>> spectra = to_spectra(score)  # doctest: +SKIP
    >>> spectra["baseline"].plot()  # doctest: +SKIP
    """
    mne = import_mne()
    with quiet_mne():
        info = mne.create_info([_MEAN_CHANNEL], score.sfreq, "eeg")
        return {
            piece or "baseline": mne.time_frequency.SpectrumArray(
                np.asarray(density, dtype=np.float64)[None] * 1e-12, info, np.asarray(score.figures.freqs, np.float64)
            )
            for piece, density in score.figures.spectra.items()
        }


def to_mne_report(
    scores: Sequence[RecordingScore],
    ranking: Ranking | None = None,
    *,
    names: Mapping[str, str] | None = None,
    listener: str | None = None,
    report: Any = None,
) -> Any:
    """Return the report's sections as an `mne.Report`, to add to and to save.

    Parameters
    ----------
    scores : sequence of RecordingScore
    ranking : Ranking, optional
    names : mapping of str to str, optional
        What to call a piece.
    listener : str, optional
    report : mne.Report, optional
        To which they are added; a new one by default.

    Returns
    -------
    mne.Report

    Examples
    --------
    >>> to_mne_report([score], ranking).save("ana.html")  # doctest: +SKIP
    """
    mne = import_mne()
    parts: Parts = report_parts(scores, ranking, names=names)
    with quiet_mne():
        who = f", listener {listener}" if listener else ""
        made = mne.Report(title=f"Band power per piece{who}", verbose="error") if report is None else report
        made.add_custom_css(parts.style)
        if parts.ranking:
            made.add_html(parts.ranking, title="Ranking of the pieces", section="Ranking", tags=("ranking",))
        for score, content in zip(scores, parts.recordings, strict=True):
            name = Path(score.file).name
            made.add_html(content, title=escape(name), section="Band power", tags=("band-power",))
    return made
