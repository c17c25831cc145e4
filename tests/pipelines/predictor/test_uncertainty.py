"""The page says first what is off: standard deviations outside their band, and answers that are confidently wrong."""

import numpy as np
import pytest

from tenfold.pipelines.predictor.scores import score_regression
from tenfold.pipelines.predictor.uncertainty import check_sigma, doubts, outside

SMILES = [f"{'C' * (1 + n)}O" for n in range(400)]


def scored(factor: float = 1.0, *, wrong: int = 0, unit: str = "eV", seed: int = 0):
    """Scores of 400 Gaussian answers whose σ is `factor` times the right one, `wrong` of them far off."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=400)
    mean, sigma = true + 0.1 * generator.normal(size=400), np.full(400, 0.1 * factor)
    true[:wrong], mean[:wrong], sigma[:wrong] = 1.4, -5.9 + 0.5 * np.arange(wrong), 0.52
    found = score_regression(true, mean, sigma, name="lumo", unit=unit, draws=50)
    return found | check_sigma(true, mean, sigma, SMILES)


def test_a_calibrated_network_is_not_doubted():
    assert doubts({"homo": scored()}) == []


def test_sigma_that_are_too_wide_are_said():
    wide = scored(1.6)
    assert outside(wide, "coverage_68") == outside(wide, "coverage_95") == 1
    within = [f"{100 * wide[name]:.0f} %" for name in ("coverage_68", "coverage_95")]
    assert doubts({"band_gap": wide, "homo": scored()}) == [
        f"Stated σ are too wide: within 1σ, where 68 % of the answers should lie, are {within[0]} for band gap.",
        f"Stated σ are too wide: within 1.96σ, where 95 % of the answers should lie, are {within[1]} for band gap.",
    ]


def test_sigma_that_are_too_narrow_are_said():
    found = doubts({"band_gap": scored(0.8), "homo": scored(), "lumo": scored(0.8, seed=1)})
    assert len(found) == 2
    assert found[0].startswith("Stated σ are too narrow: within 1σ, where 68 % of the answers should lie, are ")
    assert found[1].startswith("Stated σ are too narrow: within 1.96σ, where 95 % ")
    assert all(" % for band gap, " in each and each.endswith(" % for lumo.") and "homo" not in each for each in found)


def test_the_worst_of_the_confident_errors_is_named():
    found = doubts({"homo": scored(), "lumo": scored(wrong=3)})
    assert found[-1] == (
        "Of 800 test answers 3 are more than 5σ off, where a Gaussian has none; the worst: lumo of CO, "
        "predicted −5.90 ± 0.52 eV, true 1.40."
    )


def test_the_molecules_calculated_by_dft_are_looked_at_as_well():
    named = [
        {"smiles": "CC=O", "properties": {"lumo": {"gfn2": -6.0, "network": -6.3, "uncertainty": 0.5}}},
        {"smiles": "CO", "properties": {"lumo": {"gfn2": 1.4, "network": -5.9, "uncertainty": 0.5}}},
    ]
    (found,) = doubts({"lumo": scored()}, named)
    assert found == (
        "Of the molecules calculated by DFT as well, 1 answer is more than 5σ from GFN2's; the worst: lumo of CO, "
        "predicted −5.90 ± 0.50 eV, true 1.40."
    )


def test_labels_that_are_missing_play_no_part():
    true = np.array([0.0, np.nan, 1.0])
    found = check_sigma(true, np.array([0.1, 50.0, 1.0]), np.full(3, 0.1), ["C", "CC", "CCC"])
    assert found["confident_errors"] == 0
    assert found["worst"] == {"smiles": "C", "true": 0.0, "predicted": 0.1, "uncertainty": pytest.approx(0.1)}
    nothing = check_sigma(np.full(2, np.nan), np.zeros(2), np.ones(2), ["C", "CC"])
    assert nothing == {"coverage_68_band": None, "coverage_95_band": None, "confident_errors": 0, "worst": None}
