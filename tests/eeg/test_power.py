"""Spectra against scipy, closed forms and every usual sampling rate and number of channels."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from eeg.bandpower.psd import frequency_grid, hann_spectra, off_line, power, usable_band

RATES = [128.0, 160.0, 200.0, 250.0, 256.0, 500.0, 2048.0]


def density(samples: np.ndarray, sfreq: float, hop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    length = int(2 * sfreq)
    grid = frequency_grid(sfreq, length, 70.0)
    values = power(hann_spectra(samples.astype(np.float32), grid, hop or length), grid)
    return grid.freqs, values.mean(axis=1)


@pytest.mark.parametrize("sfreq", RATES)
@pytest.mark.parametrize("overlap", [0, 2])
def test_equals_welch(sfreq: float, overlap: int) -> None:
    rng = np.random.default_rng(1)
    samples = 1e-5 * scipy.signal.lfilter([1.0], [1.0, -0.9], rng.standard_normal((3, int(20 * sfreq))))
    length = int(2 * sfreq)
    freqs, ours = density(samples, sfreq, length // overlap if overlap else None)
    welch_freqs, theirs = scipy.signal.welch(
        samples,
        sfreq,
        "hann",
        nperseg=length,
        noverlap=length - length // overlap if overlap else 0,
        detrend="constant",
    )
    assert np.allclose(freqs, welch_freqs[1 : len(freqs) + 1])
    difference = 10 * np.log10(ours / (1e12 * theirs[:, 1 : len(freqs) + 1]))
    assert np.abs(difference[:, 2:]).max() < 1e-3


@pytest.mark.parametrize("sfreq", RATES)
def test_power_of_a_sine_is_half_its_amplitude_squared(sfreq: float) -> None:
    time = np.arange(int(30 * sfreq)) / sfreq
    samples = 10e-6 * np.sin(2 * np.pi * 20.3 * time)[None]
    freqs, values = density(samples, sfreq)
    band = (freqs >= 13) & (freqs < 30)
    assert values[0, band].sum() * (freqs[1] - freqs[0]) == pytest.approx(50.0, rel=0.005)


def test_sine_in_white_noise_has_the_sum_of_both_powers() -> None:
    sfreq, seconds = 256.0, 600
    rng = np.random.default_rng(0)
    time = np.arange(int(seconds * sfreq)) / sfreq
    noise_density = 0.5  # uV^2/Hz
    noise = np.sqrt(noise_density * sfreq / 2) * rng.standard_normal((16, len(time)))
    samples = 1e-6 * (3.0 * np.sin(2 * np.pi * 20.0 * time) + noise)
    freqs, values = density(samples, sfreq)
    band = (freqs >= 13) & (freqs < 30)
    measured = values[:, band].sum(axis=1).mean() * 0.5
    assert 10 * np.log10(measured / (4.5 + 17 * noise_density)) == pytest.approx(0.0, abs=0.05)


def test_an_offset_and_a_slow_drift_do_not_reach_the_bands() -> None:
    rng = np.random.default_rng(3)
    time = np.arange(60 * 250) / 250
    noise = 5e-6 * rng.standard_normal((1, len(time)))
    _, clean = density(noise, 250.0)
    _, drifting = density(noise + 1e-3 * np.sin(2 * np.pi * 0.02 * time), 250.0)
    assert np.abs(10 * np.log10(drifting / clean))[:, 26:60].max() < 0.01


@settings(max_examples=30, deadline=None)
@given(st.floats(4, 40), st.floats(2, 60), st.floats(10, 300))
def test_usable_band_never_exceeds_the_ceiling(low: float, width: float, ceiling: float) -> None:
    band = usable_band(low, low + width, ceiling)
    if band is not None:
        assert band[0] == low
        assert band[1] <= min(low + width, ceiling)
        assert band[1] - band[0] >= 2.0


def test_neighbouring_bands_share_no_bin_and_leave_none_out() -> None:
    grid = frequency_grid(250.0, 500, 70.0)
    beta, gamma = grid.band(13, 30), grid.band(30, 45)
    assert not (beta & gamma).any()
    assert (beta | gamma).sum() * grid.step == pytest.approx(32.0)


def test_bins_near_the_line_are_left_out() -> None:
    grid = frequency_grid(500.0, 1000, 130.0)
    left = grid.freqs[~off_line(grid, 60.0)]
    assert set(left) == set(np.arange(58.0, 62.5, 0.5)) | set(np.arange(118.0, 122.5, 0.5))
