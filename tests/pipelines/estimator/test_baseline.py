"""The power-spectrum regression: close to the Cramér-Rao bound, calibrated errors, no leakage."""

import numpy as np
import pytest

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.baseline import Baseline, features, fit, training_mean

QUICK = Baseline(folds=3, members=1)


def spectra(count, rng):
    """Power laws A k^n with the cosmic variance of a Gaussian field, and (A, n)."""
    k = np.arange(1, 13) + 0.5
    modes = 2 * np.pi * k**2
    amplitude, slope = rng.uniform(0.5, 1.5, count), rng.uniform(-2, -1, count)
    power = amplitude[:, None] * k ** slope[:, None] * rng.gamma(modes, 1 / modes, (count, len(k)))
    return power, np.stack([amplitude, slope], axis=1), k, modes


@pytest.fixture(scope="module")
def fitted():
    power, parameters, _, _ = spectra(160, np.random.default_rng(0))
    return fit(features(power), parameters, np.arange(160), ("amplitude", "slope"), QUICK), parameters


def test_the_error_is_close_to_the_cramer_rao_bound(fitted):
    regression, _ = fitted
    power, true, k, modes = spectra(400, np.random.default_rng(1))
    error = regression.predict(features(power)).mean - true
    # ln P = ln A + n ln k with error modes^-1/2: the bound of weighted least squares
    design = np.stack([np.ones_like(k), np.log(k)], axis=1)
    bound = np.sqrt(np.diag(np.linalg.inv(design.T @ (design * modes[:, None]))))
    bound = np.sqrt([(bound[0] ** 2 * true[:, 0] ** 2).mean(), bound[1] ** 2])
    rmse = np.sqrt((error**2).mean(0))
    assert (rmse < 1.35 * bound).all()
    assert (rmse > 0.8 * bound).all(), "better than a flat prior over the range allows: leakage"


def test_predicted_errors_are_calibrated_and_vary_with_the_parameters(fitted):
    regression, _ = fitted
    power, true, _, _ = spectra(400, np.random.default_rng(2))
    estimates = regression.predict(features(power))
    assert ((estimates.mean - true) ** 2 / estimates.sigma**2).mean(0) == pytest.approx([1, 1], abs=0.3)
    # cosmic variance is a fraction of A: its error grows with A
    amplitude = true[:, 0]
    assert estimates.sigma[amplitude > 1.3, 0].mean() > 1.3 * estimates.sigma[amplitude < 0.7, 0].mean()


def test_cross_validation_selects_the_best_candidate_and_reports_the_error_of_each(fitted):
    regression, _ = fitted
    for selection, name in zip(regression.selections, ("amplitude", "slope"), strict=True):
        assert selection.parameter == name
        assert selection.cv_rmse[selection.method] == min(selection.cv_rmse.values())
        assert len(selection.cv_rmse) == 6
        assert max(selection.cv_rmse.values()) < 0.15  # of a range of 1


def test_no_estimate_leaves_the_range_that_was_simulated(fitted):
    regression, parameters = fitted
    rng = np.random.default_rng(3)
    estimates = regression.predict(features(np.exp(rng.normal(0, 5, (50, 12)))))
    assert (estimates.mean >= parameters.min(0) - 1e-12).all()
    assert (estimates.mean <= parameters.max(0) + 1e-12).all()
    assert np.isfinite(estimates.sigma).all()


def test_same_seed_same_regression(fitted):
    regression, parameters = fitted
    power, _, _, _ = spectra(160, np.random.default_rng(0))
    again = fit(features(power), parameters, np.arange(160), ("amplitude", "slope"), QUICK)
    assert again.selections == regression.selections
    np.testing.assert_array_equal(again.predict(features(power)).mean, regression.predict(features(power)).mean)


def test_records_of_one_simulation_do_not_help_each_other_across_folds():
    # The parameters are independent of the spectra, and every simulation has four nearly equal records: if a simulation
    # were in two folds, the error would be near zero; the right error is the spread of the parameters.
    rng = np.random.default_rng(4)
    power = np.repeat(np.exp(rng.normal(size=(40, 4))), 4, axis=0) * np.exp(1e-3 * rng.normal(size=(160, 4)))
    parameters = np.repeat(rng.random((40, 1)), 4, axis=0)
    regression = fit(features(power), parameters, np.repeat(np.arange(40), 4), ("nothing",), QUICK)
    (selection,) = regression.selections
    assert min(selection.cv_rmse.values()) > 0.85 * parameters.std()


def test_features_are_logarithms_of_all_bins_and_of_the_mean_where_it_varies():
    power = np.arange(1.0, 13.0).reshape(2, 3, 2)
    np.testing.assert_allclose(features(power), np.log(power.reshape(2, 6)))
    np.testing.assert_allclose(features(power, np.full((2, 2), 0.5)), np.log(power.reshape(2, 6)))
    with_mean = features(power, np.array([[1.0, 5.0], [2.0, 5.0]]))
    np.testing.assert_allclose(with_mean[:, 6:], np.log([[1.0], [2.0]]))


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_the_record_of_an_empty_field_is_named(value):
    power = np.ones((5, 4))
    power[3, 2] = value
    with pytest.raises(InputError, match=r"Record 3 \(1 in all\)"):
        features(power)


def test_the_mean_and_the_spread_of_the_training_parameters():
    estimates = training_mean(np.array([[0.1, 1.0], [0.3, 3.0]]), 4)
    assert estimates.mean.shape == estimates.sigma.shape == (4, 2)
    np.testing.assert_allclose(estimates.mean[2], [0.2, 2])
    np.testing.assert_allclose(estimates.sigma[2], [np.sqrt(0.02), np.sqrt(2)])


def test_too_few_simulations_and_constant_parameters_are_refused():
    x, y = np.random.default_rng(5).normal(size=(40, 3)), np.ones((40, 1))
    with pytest.raises(InputError, match="needs 6 simulations"):
        fit(x, y, np.repeat(np.arange(5), 8), ("h",), QUICK)
    with pytest.raises(InputError, match="h does not vary"):
        fit(x, y, np.arange(40), ("h",), QUICK)
    with pytest.raises(ValueError, match="folds"):
        Baseline(folds=1)
