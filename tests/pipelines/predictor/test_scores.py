import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from tenfold.pipelines.molecules.properties import chemical_accuracy
from tenfold.pipelines.predictor.scores import (
    average_precision,
    roc_auc,
    score_binary,
    score_multiclass,
    score_regression,
)


def test_errors_of_three_molecules_by_hand():
    true, mean = np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 2.3, 2.7, 9.0])
    scores = score_regression(true, mean, np.full(4, 0.2), name="gap", unit="eV")
    assert scores["molecules"] == 3
    assert scores["mae"] == pytest.approx(0.2)
    assert scores["rmse"] == pytest.approx(np.sqrt(0.18 / 3))
    assert scores["r2"] == pytest.approx(1 - 0.06 / (2 / 3))
    assert scores["error_ratio"] == pytest.approx(0.2 / 0.043)
    assert scores["coverage_68"] == pytest.approx(1 / 3)
    assert scores["coverage_95"] == 1
    assert scores["mae_low"] <= scores["mae"] <= scores["mae_high"]


def test_the_interval_of_the_mean_absolute_error_has_its_nominal_coverage():
    generator = np.random.default_rng(5)
    truth = np.sqrt(2 / np.pi)  # of unit Gaussian errors
    inside = 0
    for seed in range(100):
        error = generator.standard_normal(200)
        scores = score_regression(np.zeros(200), error, np.ones(200), name="x", unit="", seed=seed, draws=200)
        inside += scores["mae_low"] <= truth <= scores["mae_high"]
    assert inside >= 88  # binomial, 95 expected: 88 or fewer has a chance of 0.4 %


def test_ranking_of_four_molecules_by_hand():
    scores = score_binary(np.array([0, 0, 1, 1, np.nan]), np.array([0.1, 0.4, 0.35, 0.8, 0.5]))
    assert scores["roc_auc"] == pytest.approx(3 / 4)  # of four pairs, three in order
    assert scores["pr_auc"] == pytest.approx((1 + 2 / 3) / 2)
    assert (scores["positives"], scores["molecules"]) == (2, 4)


def test_labels_of_one_class_have_no_ranking_score():
    scores = score_binary(np.zeros(5), np.linspace(0, 1, 5))
    assert scores["roc_auc"] is None
    assert scores["molecules"] == 5


def test_chemical_accuracy_in_the_units_of_the_labels():
    assert chemical_accuracy("U0", "eV") == 0.043
    assert chemical_accuracy("u0_atom", "kcal/mol") == pytest.approx(0.9916, rel=1e-4)
    assert chemical_accuracy("homo", "Ha") == pytest.approx(0.00158, rel=1e-2)
    assert chemical_accuracy("mu", "D") == 0.1
    assert chemical_accuracy("mu", "e*bohr") is None
    assert chemical_accuracy("solubility", "log mol/L") is None


def test_three_classes_by_hand():
    true = np.array([0, 1, 2, 2, np.nan])
    probability = np.array([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7], [0.6, 0.1, 0.3], [1, 0, 0]])
    scores = score_multiclass(true, probability, ["a", "b", "c"])
    assert (scores["molecules"], scores["class_counts"]) == (4, {"a": 1, "b": 1, "c": 2})
    assert scores["accuracy"] == 3 / 4
    # of class a two of three pairs are in order, of b three of three, of c four of four
    assert scores["roc_auc"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert scores["pr_auc"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert scores["log_loss"] == pytest.approx(-np.log([0.5, 0.6, 0.7, 0.3]).mean())
    assert scores["brier"] == pytest.approx((0.38 + 0.24 + 0.14 + (0.36 + 0.01 + 0.49)) / 4)
    assert scores["roc_auc_low"] <= scores["roc_auc"] <= scores["roc_auc_high"]


def test_the_multiclass_score_of_two_classes_is_the_binary_score():
    generator = np.random.default_rng(0)
    true, probability = generator.integers(0, 2, 50).astype(float), generator.random(50).round(1)
    one = score_binary(true, probability, draws=50)
    two = score_multiclass(true, np.stack([1 - probability, probability], axis=1), ["no", "yes"], draws=50)
    assert two["roc_auc"] == pytest.approx(one["roc_auc"])
    assert two["brier"] == pytest.approx(2 * one["brier"])


def test_areas_are_those_of_scikit_learn_ties_included():
    generator = np.random.default_rng(1)
    for _ in range(20):
        label, score = generator.random(40) < 0.3, generator.random(40).round(1)
        assert roc_auc(label, score) == pytest.approx(roc_auc_score(label, score))
        assert average_precision(label, score) == pytest.approx(average_precision_score(label, score))


def test_a_class_absent_from_the_test_split_is_omitted_from_the_mean():
    probability = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]] * 6)
    scores = score_multiclass(np.array([0, 1] * 6), probability, ["a", "b", "c"])
    assert scores["roc_auc"] == scores["roc_auc_low"] == 1
    assert scores["class_counts"]["c"] == 0
    assert score_multiclass(np.zeros(4), probability[:4], ["a", "b", "c"])["roc_auc"] is None
    assert score_multiclass(np.full(4, np.nan), probability[:4], ["a", "b", "c"])["molecules"] == 0
