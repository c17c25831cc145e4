import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from tenfold.stats.temperature import MAX_SLOPE, MIN_LABELS, inverse_temperature


def draw(logits, generator):
    """Labels that have the probabilities softmax(logits)."""
    return (softmax(logits, axis=1).cumsum(axis=1) < generator.random((len(logits), 1))).sum(axis=1)


@pytest.mark.parametrize("slope", [0.4, 1.0, 2.5])
def test_the_slope_that_labels_were_drawn_with_is_found(slope):
    generator = np.random.default_rng(1)
    scores = generator.normal(size=(20_000, 4))
    label = draw(slope * scores, generator)
    assert inverse_temperature(scores, label) == pytest.approx(slope, rel=0.05)


def test_the_slope_does_not_depend_on_a_common_shift_and_is_never_negative():
    generator = np.random.default_rng(2)
    scores = generator.normal(size=(500, 3))
    label = draw(scores, generator)
    assert inverse_temperature(log_softmax(scores, axis=1), label) == pytest.approx(inverse_temperature(scores, label))
    assert inverse_temperature(-3 * scores, label) == pytest.approx(0, abs=1e-4)


def test_scores_that_separate_all_classes_have_a_finite_slope():
    label = np.arange(30) % 3
    assert 1 < inverse_temperature(3 * np.eye(3)[label], label) < MAX_SLOPE


def test_few_labels_leave_the_scores_as_they_are():
    scores = np.random.default_rng(3).normal(size=(MIN_LABELS - 1, 3))
    assert inverse_temperature(scores, np.arange(MIN_LABELS - 1) % 3) == 1
    assert inverse_temperature(np.ones((50, 3)), np.zeros(50)) == 1
