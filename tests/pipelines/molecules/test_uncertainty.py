"""The page says first what is off: standard deviations outside their band, and answers that are confidently wrong."""

import numpy as np
import pytest

from tenfold.pipelines.molecules.report import headline
from tenfold.pipelines.molecules.scores import score_regression
from tenfold.pipelines.molecules.uncertainty import check_sigma, doubts, outside

SMILES = [f"{'C' * (1 + n)}O" for n in range(400)]


def scored(factor: float = 1.0, *, wrong: int = 0, unit: str = "eV", seed: int = 0):
    """Scores of 400 Gaussian answers whose σ is `factor` times the right one, `wrong` of them far off."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=400)
    mean, sigma = true + 0.1 * generator.normal(size=400), np.full(400, 0.1 * factor)
    true[:wrong], mean[:wrong], sigma[:wrong] = 1.4, -5.9 + 0.5 * np.arange(wrong), 0.52
    found = score_regression(true, mean, sigma, name="lumo", unit=unit, draws=50)
    return found | check_sigma(true, mean, sigma, SMILES)


def metrics(*, dft=(), **targets):
    """What a page is written from; the forest is far behind."""
    rival = {name: scores | {"mae": 9.0} for name, scores in targets.items()}
    return {"targets": targets, "rivals": {"random_forest": rival}, "dft": list(dft)}


def test_a_calibrated_network_is_not_doubted():
    found = headline(metrics(homo=scored()), regression=True)
    assert found == ("Beside a random forest on fingerprints, by mean absolute error, the network beats it for homo.")


def test_the_headline_says_which_sigma_are_too_wide():
    wide = scored(1.6)
    assert outside(wide, "coverage_68") == outside(wide, "coverage_95") == 1
    found = headline(metrics(band_gap=wide, homo=scored()), regression=True)
    assert f"Its σ is too wide where too many answers lie within 1σ, which should be 68 %: {shares(wide)}." in found
    assert "too narrow" not in found and "homo." in found.split(" Its")[0]


def test_the_headline_says_which_sigma_are_too_narrow():
    found = doubts({"band_gap": scored(0.8), "homo": scored(), "lumo": scored(0.8, seed=1)})
    assert len(found) == 2
    assert "too narrow where too few answers lie within 1σ, which should be 68 %" in found[0]
    assert "within 1.96σ, which should be 95 %" in found[1]
    assert all("for band gap, " in each and "for lumo." in each and "homo" not in each for each in found)


def shares(scores) -> str:
    return f"{100 * scores['coverage_68']:.0f} % for band gap"


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
    found = headline(metrics(lumo=scored(), dft=named), regression=True)
    assert found.endswith(
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
