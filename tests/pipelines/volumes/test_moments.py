import numpy as np
import pytest

from tenfold.pipelines.volumes.moments import Moments


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_moments_of_parts_add_up_to_those_of_the_whole(shift):
    values = np.random.default_rng(0).normal(size=1000) + shift
    parts = sum((Moments.of(part) for part in np.split(values, [1, 10, 300])), Moments())
    assert parts.count == 1000
    merged = [parts.mean, parts.std, parts.low, parts.high]
    assert merged == pytest.approx([values.mean(), values.std(), values.min(), values.max()], rel=1e-9)


def test_values_with_their_counts_have_the_moments_of_all_values():
    counts = np.random.default_rng(0).poisson(3.0, size=500)
    values, times = np.unique(counts, return_counts=True)
    weighted, expected = Moments.of(values, times), Moments.of(counts)
    assert (weighted.count, weighted.low, weighted.high) == (expected.count, expected.low, expected.high)
    assert [weighted.mean, weighted.std] == pytest.approx([expected.mean, expected.std])


def test_adding_no_values_changes_nothing():
    one = Moments.of(np.array([1.0, 2.0]))
    assert one + Moments() == Moments() + one == one
