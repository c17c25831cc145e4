import numpy as np
import pytest

from tenfold.stats.saliency import integrated_gradients, peak_match, rank_correlation, share_by_quantile, smooth_grad

RNG = np.random.default_rng(1)
FIELD = RNG.standard_normal((8, 8, 1)).astype(np.float32)
WEIGHTS = RNG.standard_normal((8, 8, 1)).astype(np.float32)


def linear(fields):
    return (fields * WEIGHTS).sum(axis=(1, 2, 3))


def linear_gradient(fields):
    return np.broadcast_to(WEIGHTS, fields.shape)


def cubes(fields):
    return (fields.astype(np.float64) ** 3).sum(axis=(1, 2, 3))


def cubes_gradient(fields):
    return 3 * fields.astype(np.float64) ** 2


def test_the_attribution_of_a_linear_function_is_weight_times_value():
    integrated = integrated_gradients(linear, linear_gradient, FIELD, np.zeros_like(FIELD), steps=2)
    np.testing.assert_allclose(integrated.attribution, WEIGHTS * FIELD, rtol=1e-5)
    assert integrated.completeness_error < 1e-4


def test_the_attribution_of_a_sum_of_cubes_is_the_cubes():
    """∫ 3 (t x)² x dt = x³, exact with two points of Gauss's rule."""
    integrated = integrated_gradients(cubes, cubes_gradient, FIELD, np.zeros_like(FIELD), steps=2)
    np.testing.assert_allclose(integrated.attribution, FIELD.astype(float) ** 3, rtol=1e-5, atol=1e-7)


def test_smoothing_keeps_a_constant_gradient_and_raises_that_of_a_sum_of_cubes_by_the_noise_variance():
    flat = smooth_grad(linear_gradient, FIELD, noise=0.5, samples=3, rng=np.random.default_rng(2))
    np.testing.assert_allclose(flat, WEIGHTS, rtol=1e-6)
    smooth = smooth_grad(cubes_gradient, FIELD, noise=1.0, samples=4000, rng=np.random.default_rng(2))
    excess = smooth - 3 * FIELD.astype(float) ** 2
    assert excess.mean() == pytest.approx(3 * FIELD.var(), rel=0.05)


def test_shares_by_density_add_up_and_locate_the_attribution():
    field = RNG.standard_normal((32, 32))
    even = share_by_quantile(np.ones_like(field), field)
    np.testing.assert_allclose(even, 0.1, atol=1e-3)
    dense = share_by_quantile(np.where(field > np.quantile(field, 0.9), -1.0, 0.0), field)
    assert dense[-1] == pytest.approx(1, abs=0.02)
    assert dense.sum() == pytest.approx(1)


def test_peaks_of_the_same_field_match_and_those_of_another_match_by_chance():
    fields = RNG.standard_normal((2, 64, 64))
    same = peak_match(fields[0], np.abs(fields[0]))
    assert same.matched == 1
    assert same.sigma > 5
    other = peak_match(fields[1], fields[0])
    assert abs(other.sigma) < 3.5
    beside = peak_match(np.roll(np.abs(fields[0]), 1, axis=0), np.abs(fields[0]), max_offset=1)
    assert beside.matched == 1


def test_rank_correlation_is_one_for_equal_and_zero_for_independent_attributions():
    first, second = RNG.standard_normal((2, 64, 64))
    assert rank_correlation(first, -3 * first) == pytest.approx(1)
    assert rank_correlation(first, second) == pytest.approx(0, abs=0.06)
