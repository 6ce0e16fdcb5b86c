"""Two-second epochs, each wholly inside one play and outside every span marked bad."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eeg.io.recording import Annotation, Recording

_EPOCH_S = 2.0
# MNE's words for spans to leave out (`reject_by_annotation`): BAD…, and EDGE where pieces of data were joined.
_BAD = re.compile(r"(?:^|/)\s*(?:bad|edge|boundary)", re.IGNORECASE)
_NOT_BAD = re.compile(r"(?:^|/)(?:piece|session)/", re.IGNORECASE)


@dataclass(frozen=True)
class Span:
    """Samples ``start`` to ``stop`` (exclusive) of a recording that belong together: a play, or a baseline."""

    start: int
    stop: int


def epoch_length(sfreq: float) -> int:
    """Return the samples of an epoch: 2 s, an even number."""
    return 2 * round(_EPOCH_S * sfreq / 2)


def bad_spans(recording: Recording) -> list[tuple[int, int]]:
    """Return the spans of a recording that are marked bad, as samples; a moment (a seam) counts as one sample."""
    return bad_samples(recording.annotations, recording.sfreq)


def bad_samples(annotations: Iterable[Annotation], sfreq: float) -> list[tuple[int, int]]:
    """Return the annotations that mean "bad", as merged ``(start, stop)`` in samples."""
    spans = sorted(
        (
            int(np.floor(annotation.onset_s * sfreq + 1e-6)),
            max(
                int(np.ceil((annotation.onset_s + annotation.duration_s) * sfreq - 1e-6)),
                int(np.floor(annotation.onset_s * sfreq + 1e-6)) + 1,
            ),
        )
        for annotation in annotations
        if _BAD.search(annotation.text) and not _NOT_BAD.search(annotation.text)
    )
    merged: list[tuple[int, int]] = []
    for start, stop in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def overlap(spans: Iterable[Span], bad: Sequence[tuple[int, int]]) -> int:
    """Return how many samples of some spans, which do not overlap, lie in bad ones (merged)."""
    return sum(max(0, min(span.stop, stop) - max(span.start, start)) for span in spans for start, stop in bad)


def cut(
    spans: Sequence[Span], bad: Sequence[tuple[int, int]], n_samples: int, length: int, hop: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut spans into epochs.

    Epochs start afresh after every bad span, so that as little as possible is lost.

    Parameters
    ----------
    spans : sequence of Span
    bad : sequence of (int, int)
        Merged, by start.
    n_samples : int
        Of the recording.
    length, hop : int
        Samples of an epoch, and from one start to the next.

    Returns
    -------
    starts : array of int, shape (n_epochs,)
        First sample of each epoch.
    owners : array of int, shape (n_epochs,)
        Which span it lies in.
    """
    starts: list[npt.NDArray[np.int64]] = []
    owners: list[npt.NDArray[np.int64]] = []
    for owner, span in enumerate(spans):
        at, end = max(span.start, 0), min(span.stop, n_samples)
        good: list[tuple[int, int]] = []
        for bad_start, bad_stop in bad:
            if bad_stop <= at or bad_start >= end:
                continue
            good.append((at, bad_start))
            at = max(at, bad_stop)
        good.append((at, end))
        for start, stop in good:
            if stop - start >= length:
                here = np.arange(start, stop - length + 1, hop, dtype=np.int64)
                starts.append(here)
                owners.append(np.full(len(here), owner, dtype=np.int64))
    if not starts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(starts), np.concatenate(owners)
