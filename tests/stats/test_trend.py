import numpy as np
import pytest

from tenfold.stats.agreement import agreement
from tenfold.stats.trend import fit_trend

RNG = np.random.default_rng(1)
PARAMETERS = RNG.uniform([0.1, 0.6], [0.5, 1.0], (20, 2))


def truth(parameters):
    a, b = np.log(parameters).T
    return np.stack([1 + a * b, 3 + b**2, 2 - a + 0.5 * a**2], axis=1)


def test_a_polynomial_of_second_degree_is_recovered():
    groups = np.repeat(np.arange(20), 3)
    rows = truth(PARAMETERS)[groups]
    fitted = fit_trend(rows, PARAMETERS[groups], groups)
    there = RNG.uniform([0.1, 0.6], [0.5, 1.0], (7, 2))
    np.testing.assert_allclose(fitted(there), truth(there), rtol=1e-8)


def test_products_of_powers_of_positive_parameters_are_fitted_by_the_first_degree():
    """The logarithm of a product of powers is linear in those of the parameters, also beyond the fitted points."""
    groups = np.arange(20)
    ln_rows = np.log(PARAMETERS) @ np.array([[0.7, 2.0], [1.5, -3.0]])
    fitted = fit_trend(ln_rows, PARAMETERS, groups)
    assert fitted.logarithmic.tolist() == [True, True]
    np.testing.assert_allclose(fitted(PARAMETERS / 2), np.log(PARAMETERS / 2) @ [[0.7, 2.0], [1.5, -3.0]], rtol=1e-8)


def test_parameters_that_may_be_negative_are_not_transformed_to_logarithms():
    points = PARAMETERS - [0.0, 0.8]
    fitted = fit_trend(points**2, points, np.arange(20))
    assert fitted.logarithmic.tolist() == [True, False]
    np.testing.assert_allclose(fitted(points)[:, 1], points[:, 1] ** 2, atol=1e-12)


def test_without_the_trend_the_null_is_that_of_one_cosmology():
    """Rows of 20 cosmologies scatter by 2 %, their means by half: only divided by the trend the 2 % are left."""
    groups = np.repeat(np.arange(20), 40)
    parameters = PARAMETERS[groups]
    mean = 10 * (3 + np.log(parameters[:, :1])) * np.ones(3)
    simulated, generated = (mean * (1 + 0.02 * RNG.standard_normal((800, 3))) for _ in range(2))
    as_is = agreement(simulated, generated, groups=groups, tolerance=0.05)
    assert not as_is.usable.any()
    trend = fit_trend(simulated, parameters, groups)(parameters)
    detrended = agreement(simulated / trend, generated / trend, groups=groups, tolerance=0.05)
    assert detrended.usable.all()
    assert detrended.mean.passed
    assert detrended.mean.null < 0.01


@pytest.mark.parametrize(("simulations", "degree"), [(12, 2), (11, 1), (6, 1), (5, 0)])
def test_few_simulations_are_not_fitted_by_many_terms(simulations, degree):
    points = PARAMETERS[:simulations]
    line = 2 + np.log(points) @ np.array([[1.0, 0.5], [3.0, -1.0]])
    fitted = fit_trend(line, points, np.arange(simulations))
    assert fitted.degree == degree
    expected = line if degree else np.broadcast_to(line.mean(0), line.shape)
    np.testing.assert_allclose(fitted(points), expected, rtol=1e-9)
