"""Right against left: how much more power of a band lies over one frontal electrode than over its counterpart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from eeg.bandpower.accumulate import Spectra
from eeg.bandpower.baseline import MIN_BASELINE_EPOCHS
from eeg.bandpower.psd import Bool, Float64, FrequencyGrid

# Left and right, the first pair that a recording has: F4 - F3 is customary (Allen 2004,
# 10.1016/j.biopsycho.2004.03.008), AF8 - AF7 is what headsets with four electrodes have.
PAIRS = (("F3", "F4"), ("AF7", "AF8"), ("F7", "F8"), ("FP1", "FP2"))


def find_pair(sites: Sequence[str | None], bad: Sequence[int]) -> tuple[int, int] | None:
    """Return the channels, left and right, to compute asymmetry from; None where no pair is good.

    Parameters
    ----------
    sites : sequence of str or None
        10-10 site of each channel.
    bad : sequence of int
        Channels that are bad.
    """
    where = {site: i for i, site in enumerate(sites) if site is not None and i not in set(bad)}
    for left, right in PAIRS:
        if left in where and right in where:
            return where[left], where[right]
    return None


def asymmetry(
    spectra: Spectra,
    pair: tuple[int, int],
    reference: Bool,
    grid: FrequencyGrid,
    keep: Bool,
    bands: Mapping[str, tuple[float, float] | None],
) -> dict[str, tuple[Float64, Float64]]:
    """Return, for each band, ln right minus ln left in every segment, and the same against the baseline in dB.

    Parameters
    ----------
    spectra : Spectra
    pair : (int, int)
        Left and right channel.
    reference : array of bool, shape (n_segments,)
        Segments that are the baseline.
    grid : FrequencyGrid
    keep : array of bool, shape (bins,)
        Bins off the line frequency.
    bands : mapping of str to (float, float) or None

    Returns
    -------
    dict of str to (array, array), each of shape (n_segments,)
        nan where there is too little clean data, or the band is not carried.
    """
    n, chosen = len(spectra.epochs), list(pair)
    counts = spectra.count[:, chosen]
    base_counts = counts[reference].sum(axis=0)
    found = {}
    for name, band in bands.items():
        if band is None:
            found[name] = np.full(n, np.nan), np.full(n, np.nan)
            continue
        bins = grid.band(*band) & keep
        power = spectra.total[:, chosen][..., bins].mean(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            each = _difference(np.where(counts >= MIN_BASELINE_EPOCHS, power / counts, np.nan))
            base = _difference(
                np.where(base_counts >= MIN_BASELINE_EPOCHS, power[reference].sum(axis=0) / base_counts, np.nan)
            )
        found[name] = each, (each - base) * 10.0 / np.log(10.0)
    return found


def _difference(power: Float64) -> Float64:
    return np.asarray(np.log(power[..., 1]) - np.log(power[..., 0]))
