import numpy as np
import pytest
from scipy.special import expit

from tenfold.stats.platt import platt


def test_a_known_curve_is_recovered():
    generator = np.random.default_rng(3)
    score = 3 * generator.standard_normal(100_000)
    label = generator.random(100_000) < expit(0.5 * score - 1)
    assert platt(score, label) == pytest.approx((0.5, -1.0), abs=0.02)


def test_scores_that_separate_the_labels_keep_a_finite_slope():
    slope, offset = platt(np.linspace(-1, 1, 100), np.arange(100) >= 50)
    assert 1 < slope < 1000
    assert offset == pytest.approx(0, abs=1e-3)


def test_anticorrelated_scores_have_a_slope_of_zero():
    generator = np.random.default_rng(3)
    score = generator.standard_normal(1000)
    slope, offset = platt(score, generator.random(1000) < expit(-score))
    assert slope == pytest.approx(0, abs=1e-6)
    assert offset == pytest.approx(0, abs=0.3)


def test_too_few_labels_of_one_kind_change_nothing():
    assert platt(np.arange(100.0), np.arange(100) < 9) == (1.0, 0.0)
