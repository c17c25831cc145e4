import numpy as np
import pytest

from tenfold.pipelines.molecules.properties import chemical_accuracy
from tenfold.pipelines.molecules.scores import score_classes, score_regression


def test_errors_of_three_molecules_by_hand():
    true, mean = np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 2.3, 2.7, 9.0])
    found = score_regression(true, mean, np.full(4, 0.2), name="gap", unit="eV")
    assert found["molecules"] == 3
    assert found["mae"] == pytest.approx(0.2)
    assert found["rmse"] == pytest.approx(np.sqrt(0.18 / 3))
    assert found["r2"] == pytest.approx(1 - 0.06 / (2 / 3))
    assert found["error_ratio"] == pytest.approx(0.2 / 0.043)
    assert found["coverage_68"] == pytest.approx(1 / 3)
    assert found["coverage_95"] == 1
    assert found["mae_low"] <= found["mae"] <= found["mae_high"]


def test_the_interval_of_the_mean_absolute_error_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(5)
    truth = np.sqrt(2 / np.pi)  # of unit Gaussian errors
    inside = 0
    for seed in range(100):
        error = generator.standard_normal(200)
        found = score_regression(np.zeros(200), error, np.ones(200), name="x", unit="", seed=seed, draws=200)
        inside += found["mae_low"] <= truth <= found["mae_high"]
    assert inside >= 88  # binomial, 95 expected: 88 or fewer has a chance of 0.4 %


def test_ranking_of_four_molecules_by_hand():
    found = score_classes(np.array([0, 0, 1, 1, np.nan]), np.array([0.1, 0.4, 0.35, 0.8, 0.5]))
    assert found["roc_auc"] == pytest.approx(3 / 4)  # of four pairs, three in order
    assert found["pr_auc"] == pytest.approx((1 + 2 / 3) / 2)
    assert (found["positives"], found["molecules"]) == (2, 4)


def test_a_class_without_both_labels_has_no_ranking():
    found = score_classes(np.zeros(5), np.linspace(0, 1, 5))
    assert found["roc_auc"] is None
    assert found["molecules"] == 5


def test_chemical_accuracy_in_the_units_of_the_labels():
    assert chemical_accuracy("U0", "eV") == 0.043
    assert chemical_accuracy("u0_atom", "kcal/mol") == pytest.approx(0.9916, rel=1e-4)
    assert chemical_accuracy("homo", "Ha") == pytest.approx(0.00158, rel=1e-2)
    assert chemical_accuracy("mu", "D") == 0.1
    assert chemical_accuracy("mu", "e*bohr") is None
    assert chemical_accuracy("solubility", "log mol/L") is None
