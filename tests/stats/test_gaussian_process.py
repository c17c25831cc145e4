"""Gaussian processes: exact cases, the gradient, and length scales of irrelevant features."""

import numpy as np
import pytest

from tenfold.stats.gaussian_process import Kernel, condition, fit_kernel


def test_without_noise_the_process_goes_through_its_points():
    x = np.linspace(-1, 1, 6)[:, None]
    y = np.sin(3 * x[:, 0])
    kernel = Kernel(rbf_variance=1, linear_variance=1e-9, noise_variance=1e-10, length_scale=np.array([0.5]))
    process = condition(kernel, x, y)
    assert process(x) == pytest.approx(y, abs=1e-6)
    assert process(np.array([[0.5]]))[0] == pytest.approx(np.sin(1.5), abs=0.02)


def test_two_points_by_hand():
    # One point with value 1, noise 1: k/(k + noise) = 1/2 of it there, exp(-1/2)/2 one scale away.
    process = condition(
        Kernel(rbf_variance=1, linear_variance=0, noise_variance=1, length_scale=np.ones(1)),
        np.zeros((1, 1)),
        np.ones(1),
    )
    assert process(np.array([[0.0], [1.0]])) == pytest.approx([0.5, 0.5 * np.exp(-0.5)])


def test_an_irrelevant_feature_gets_a_long_length_scale_and_the_noise_is_recovered():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    y = np.sin(2 * x[:, 0]) + 0.1 * rng.normal(size=200)
    kernel = fit_kernel(x, y, isotropic=False)
    assert kernel.length_scale[0] < 2
    assert kernel.length_scale[1:].min() > 3 * kernel.length_scale[0]
    assert np.sqrt(kernel.noise_variance) == pytest.approx(0.1, rel=0.25)
    isotropic = fit_kernel(x, y, isotropic=True)
    assert np.ptp(isotropic.length_scale) == 0
    fresh = rng.normal(size=(500, 4))

    def error(fitted):
        return np.std(condition(fitted, x, y)(fresh) - np.sin(2 * fresh[:, 0]))

    assert error(kernel) < 0.5 * error(isotropic)


def test_the_fitted_kernel_is_a_maximum_of_the_likelihood():
    # No neighbour of the optimum, one parameter moved by 10 %, is likelier (prior included).
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2))
    y = x[:, 0] + 0.3 * x[:, 1] ** 2 + 0.2 * rng.normal(size=60)
    best = fit_kernel(x, y, isotropic=False, steps=500)

    def cost(rbf_variance, linear_variance, noise_variance, a, b):
        kernel = Kernel(
            rbf_variance=rbf_variance, linear_variance=linear_variance, noise_variance=noise_variance,
            length_scale=np.array([a, b]),
        )  # fmt: skip
        covariance = kernel.covariance(x, x) + noise_variance * np.eye(60)
        prior = 0.5 * (np.log(np.array([a, b]) / (3 * np.sqrt(2))) ** 2).sum()
        return 0.5 * y @ np.linalg.solve(covariance, y) + 0.5 * np.linalg.slogdet(covariance)[1] + prior

    maximum = np.array([best.rbf_variance, best.linear_variance, best.noise_variance, *best.length_scale])
    for moved in (*(maximum * (1 + 0.1 * np.eye(5))), *(maximum * (1 - 0.1 * np.eye(5)))):
        assert cost(*moved) > cost(*maximum) - 1e-6
