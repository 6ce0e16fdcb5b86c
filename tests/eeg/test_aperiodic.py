"""The aperiodic fit against known spectra and against specparam, whose algorithm it is."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from eeg.bandpower.aperiodic import fit_aperiodic
from eeg.scoring import score_recording
from eeg.settings import Settings

FREQS = np.arange(2.0, 40.5, 0.5)


def spectrum(offset: float, exponent: float, peaks: list[tuple[float, float, float]]) -> np.ndarray:
    logs = offset - exponent * np.log10(FREQS)
    for centre, height, width in peaks:
        logs = logs + height * np.exp(-((FREQS - centre) ** 2) / (2 * width**2))
    return 10**logs


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("peaks", [[], [(10.0, 1.0, 1.0)], [(10.0, 0.8, 1.0), (21.0, 0.3, 3.0)]])
def test_finds_the_exponent_under_peaks(exponent: float, peaks: list[tuple[float, float, float]]) -> None:
    found = fit_aperiodic(FREQS, spectrum(1.2, exponent, peaks))
    assert found is not None
    assert found.exponent == pytest.approx(exponent, abs=0.03)
    assert found.offset == pytest.approx(1.2, abs=0.04)


def test_nothing_to_fit() -> None:
    assert fit_aperiodic(FREQS[:10], spectrum(1, 1, [])[:10]) is None
    assert fit_aperiodic(FREQS, np.zeros(len(FREQS))) is None
    assert fit_aperiodic(FREQS, np.full(len(FREQS), np.nan)) is None


def agrees(density: np.ndarray) -> tuple[float, float]:
    """Return how far exponent, and level in beta in dB, are from specparam's."""
    specparam = pytest.importorskip("specparam", reason="specparam, the oracle, is not installed")
    ours = fit_aperiodic(FREQS, density)
    assert ours is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = specparam.SpectralModel(peak_width_limits=(1, 12), max_n_peaks=6, verbose=False)
        model.fit(FREQS, density, (2, 40))
        offset, exponent = model.get_params("aperiodic")
    beta = FREQS[(FREQS >= 13) & (FREQS < 30)]
    level = 10 * np.mean(np.log10(ours.density(beta)) - (offset - exponent * np.log10(beta)))
    return abs(ours.exponent - exponent), abs(float(level))


def test_agrees_with_specparam_on_noisy_spectra() -> None:
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(25):
        exponent = rng.uniform(0.6, 2.0)
        peaks = [
            (10 + rng.normal(), rng.uniform(0.2, 1.2), rng.uniform(0.8, 1.5)),
            (rng.uniform(16, 25), rng.uniform(0, 0.4), 2.5),
        ]
        noise = rng.gamma(60, 1 / 60, len(FREQS))
        differences.append(agrees(spectrum(1.0, exponent, peaks) * noise))
    exponents, levels = np.array(differences).T
    assert np.median(exponents) < 0.01
    assert np.quantile(exponents, 0.8) < 0.05
    assert np.median(levels) < 0.05


def test_agrees_with_specparam_on_real_rest(eeg_data: Path, tmp_path: Path) -> None:
    differences = []
    for subject in range(4):
        events = tmp_path / "events.tsv"
        events.write_text("onset\tduration\ttrial_type\n1\t160\tpiece/rest\n")
        score = score_recording(
            eeg_data / "eegmat" / f"Subject0{subject}_1.edf", events=events, settings=Settings(picks=("Pz",))
        )
        freqs = score.figures.freqs
        density = score.figures.spectra["rest"][(freqs >= 2) & (freqs <= 40)]
        differences.append(agrees(density))
    exponents, levels = np.array(differences).T
    assert np.median(exponents) < 0.05
    assert np.median(levels) < 0.2
