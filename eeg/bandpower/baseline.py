"""Mean spectra of every play and block of silence, and of the baseline that they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eeg.bandpower.accumulate import Spectra
from eeg.bandpower.psd import Bool, Float64
from eeg.settings import FLAG_BELOW_S, REFUSE_BELOW_S

# A channel without this many clean epochs of baseline has no reference; and no score.
MIN_BASELINE_EPOCHS = 5


@dataclass(frozen=True)
class SegmentSpectra:
    """Mean power density of every segment (plays, then blocks of silence) at the scored channels, and of the baseline.

    Parameters
    ----------
    pieces : tuple of str or None, length n_segments
        None for silence.
    is_play : array of bool, shape (n_segments,)
    clean_s : tuple of float, length n_segments
        Clean seconds, mean over channels.
    piece_clean_s : tuple of float, length n_segments
        The same, of all plays of the piece together.
    density : array, shape (n_segments, n_channels, bins)
        uV^2/Hz; nan without a clean epoch.
    baseline : array, shape (n_channels, bins)
        uV^2/Hz.
    reference : array of bool, shape (n_segments,)
        Segments that the baseline is made of.
    against : str
        ``"silence"``, or ``"plays"`` where there is too little of it.
    warnings : tuple of str
    """

    pieces: tuple[str | None, ...]
    is_play: Bool
    clean_s: tuple[float, ...]
    piece_clean_s: tuple[float, ...]
    density: Float64
    baseline: Float64
    reference: Bool
    against: str
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def enough(self) -> Bool:
        """Which segments have enough clean data to be scored, shape (n_segments,)."""
        return np.array(
            [not play or s >= REFUSE_BELOW_S for play, s in zip(self.is_play, self.piece_clean_s, strict=True)]
        )

    def of_piece(self, piece: str) -> Bool:
        """Return which segments are plays of a piece, shape (n_segments,)."""
        return np.array([play and name == piece for play, name in zip(self.is_play, self.pieces, strict=True)])


def segment_spectra(
    spectra: Spectra, pieces: Sequence[str | None], n_plays: int, scored: Sequence[int], *, hop_s: float, epoch_s: float
) -> SegmentSpectra:
    """Turn sums of power into the mean density of every segment, and choose the baseline.

    Parameters
    ----------
    spectra : Spectra
    pieces : sequence of str or None
        Of each segment.
    n_plays : int
        Segments that are plays, the first ones; the others are silence.
    scored : sequence of int
        Channels to average.
    hop_s, epoch_s : float
        From one epoch to the next, and its length, in seconds.
    """
    n = len(pieces)
    is_play = np.arange(n) < n_plays
    scored = list(scored)
    counts = spectra.count[:, scored]
    extra_s = epoch_s - hop_s  # the last of overlapping epochs is counted in full
    clean_s = (counts * hop_s + extra_s * (counts > 0)).mean(axis=1).tolist()
    by_piece = {p: sum(s for s, q in zip(clean_s[:n_plays], pieces[:n_plays], strict=True) if q == p) for p in pieces}
    warnings: list[str] = []
    against, reference = _choose(is_play, clean_s, warnings)
    base = spectra.mean(reference)[scored]
    base[spectra.count[reference].sum(axis=0)[scored] < MIN_BASELINE_EPOCHS] = np.nan
    if not np.isfinite(base).any():
        base = spectra.mean(np.ones(n, dtype=np.bool_))[scored]
    return SegmentSpectra(
        pieces=tuple(pieces),
        is_play=is_play,
        clean_s=tuple(clean_s),
        piece_clean_s=tuple(by_piece.get(p, 0.0) if i < n_plays else clean_s[i] for i, p in enumerate(pieces)),
        density=np.stack([spectra.mean(np.arange(n) == i)[scored] for i in range(n)]),
        baseline=base,
        reference=reference,
        against=against,
        warnings=tuple(warnings),
    )


def _choose(
    is_play: npt.NDArray[np.bool_], clean_s: Sequence[float], warnings: list[str]
) -> tuple[str, npt.NDArray[np.bool_]]:
    """Return which segments are the baseline: the silences, or all plays where there is too little silence."""
    silent = sum(s for s, play in zip(clean_s, is_play, strict=True) if not play)
    if silent >= REFUSE_BELOW_S:
        if silent < FLAG_BELOW_S:
            warnings.append(f"only {silent:.0f} s of clean silence as baseline: at least {FLAG_BELOW_S:g} s are wanted")
        return "silence", ~is_play
    if not is_play.all():
        warnings.append(
            f"only {silent:.0f} s of clean silence ({REFUSE_BELOW_S:g} s are needed): "
            "values are against the mean of all plays"
        )
    return "plays", is_play
