"""Warnings of a report: standard deviations with a coverage outside its band, and outliers."""

import numpy as np
import pytest

from tenfold.pipelines.predictor.scores import score_regression
from tenfold.pipelines.predictor.uncertainty import assess_uncertainty, calibration_warnings, coverage_deviation

SMILES = [f"{'C' * (1 + n)}O" for n in range(400)]


def scored(factor: float = 1.0, *, wrong: int = 0, unit: str = "eV", seed: int = 0):
    """Return scores of 400 Gaussian predictions with σ of `factor` times the true scatter and `wrong` outliers."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=400)
    mean, sigma = true + 0.1 * generator.normal(size=400), np.full(400, 0.1 * factor)
    true[:wrong], mean[:wrong], sigma[:wrong] = 1.4, -5.9 + 0.5 * np.arange(wrong), 0.52
    scores = score_regression(true, mean, sigma, name="lumo", unit=unit, draws=50)
    return scores | assess_uncertainty(true, mean, sigma, SMILES)


def test_a_calibrated_network_gives_no_warning():
    assert calibration_warnings({"homo": scored()}) == []


def test_too_large_sigma_are_reported():
    wide = scored(1.6)
    assert coverage_deviation(wide, "coverage_68") == coverage_deviation(wide, "coverage_95") == 1
    within = [f"{100 * wide[name]:.0f} %" for name in ("coverage_68", "coverage_95")]
    assert calibration_warnings({"band_gap": wide, "homo": scored()}) == [
        f"Predicted σ are too large: the coverage within 1σ is {within[0]} for band gap; expected 68 %.",
        f"Predicted σ are too large: the coverage within 1.96σ is {within[1]} for band gap; expected 95 %.",
    ]


def test_too_small_sigma_are_reported():
    warnings = calibration_warnings({"band_gap": scored(0.8), "homo": scored(), "lumo": scored(0.8, seed=1)})
    assert len(warnings) == 2
    assert warnings[0].startswith("Predicted σ are too small: the coverage within 1σ is ")
    assert warnings[1].startswith("Predicted σ are too small: the coverage within 1.96σ is ")
    assert all(
        " % for band gap, " in warning and " % for lumo; expected " in warning and "homo" not in warning
        for warning in warnings
    )


def test_the_worst_outlier_is_named():
    warnings = calibration_warnings({"homo": scored(), "lumo": scored(wrong=3)})
    assert warnings[-1] == (
        "3 of 800 test predictions are off by more than 5σ; none is expected for Gaussian errors. "
        "The worst: lumo of CO, predicted −5.90 ± 0.52 eV, true 1.40."
    )


def test_outliers_among_the_molecules_with_dft_are_reported():
    named = [
        {"smiles": "CC=O", "properties": {"lumo": {"gfn2": -6.0, "network": -6.3, "uncertainty": 0.5}}},
        {"smiles": "CO", "properties": {"lumo": {"gfn2": 1.4, "network": -5.9, "uncertainty": 0.5}}},
    ]
    (warning,) = calibration_warnings({"lumo": scored()}, named)
    assert warning == (
        "For the molecules with DFT calculations, 1 prediction differs from GFN2 by more than 5σ. "
        "The worst: lumo of CO, predicted −5.90 ± 0.50 eV, true 1.40."
    )


def test_missing_labels_are_omitted():
    true = np.array([0.0, np.nan, 1.0])
    assessed = assess_uncertainty(true, np.array([0.1, 50.0, 1.0]), np.full(3, 0.1), ["C", "CC", "CCC"])
    assert assessed["outliers"] == 0
    assert assessed["worst_outlier"] == {
        "smiles": "C",
        "true": 0.0,
        "predicted": 0.1,
        "uncertainty": pytest.approx(0.1),
    }
    nothing = assess_uncertainty(np.full(2, np.nan), np.zeros(2), np.ones(2), ["C", "CC"])
    assert nothing == {"coverage_68_band": None, "coverage_95_band": None, "outliers": 0, "worst_outlier": None}
