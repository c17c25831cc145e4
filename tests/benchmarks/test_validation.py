"""CPU time of the validation of an estimator: regression from the power spectrum, scores and bootstrap intervals."""

import time

import numpy as np
import pytest

from tenfold.pipelines.estimator.baseline import features, fit
from tenfold.stats.calibration import Bootstrap, rmse_ratio, scores


def spectra(count, rng, bins=32):
    """Power spectra of 128 Mpc/h boxes and their parameters.

    The transfer function is the fit of Bardeen et al. (1986); the scatter is that of Gaussian fields.
    """
    omega_m, sigma_8 = rng.uniform(0.1, 0.5, count), rng.uniform(0.5, 1.0, count)

    def linear(k):
        q = k / (0.7 * omega_m)[:, None]
        series = 1 + 3.89 * q + (16.1 * q) ** 2 + (5.46 * q) ** 3 + (6.71 * q) ** 4
        return k * (np.log(1 + 2.34 * q) / (2.34 * q)) ** 2 / np.sqrt(series)

    k_sigma = np.geomspace(1e-3, 10, 400)
    window = 3 * (np.sin(8 * k_sigma) - 8 * k_sigma * np.cos(8 * k_sigma)) / (8 * k_sigma) ** 3
    variance = np.trapezoid(k_sigma**3 * linear(k_sigma) * window**2, np.log(k_sigma), axis=1) / (2 * np.pi**2)
    n = np.arange(1, bins + 1) + 0.5
    k, modes = 2 * np.pi / 128 * n, 2 * np.pi * n**2
    power = linear(k) * (sigma_8**2 / variance)[:, None]
    return power * (1 + rng.normal(size=power.shape) / np.sqrt(modes)), np.stack([omega_m, sigma_8], axis=1)


@pytest.mark.benchmark
def test_regression_of_512_spectra_of_32_bins_takes_less_than_20_cpu_seconds():
    rng = np.random.default_rng(0)
    power, parameters = spectra(512, rng)
    test_power, true = spectra(2000, rng)
    start = time.process_time()
    regression = fit(features(power), parameters, np.arange(512), ("omega_m", "sigma_8"))
    seconds = time.process_time() - start
    predictions = regression.predict(features(test_power))
    rmse = np.sqrt(((predictions.mean - true) ** 2).mean(0))
    selected = [selection.method for selection in regression.selections]
    print(f"\nfit of 512 spectra: {seconds:.1f} CPU s; rms error {rmse}; selected {selected}")
    assert seconds < 20


@pytest.mark.benchmark
def test_scores_and_ratio_of_a_thousand_simulations():
    rng = np.random.default_rng(1)
    true, error, other = rng.random(1000), rng.normal(size=1000), rng.normal(size=1000)
    start = time.process_time()
    bootstrap = Bootstrap(np.arange(1000), seed=0)
    drawn = time.process_time()
    scores(true, true + error, np.ones(1000), bootstrap)
    rmse_ratio(true, true + error, true + other, bootstrap)
    end = time.process_time()
    print(f"\n10,000 draws of 1,000 simulations: {drawn - start:.2f} CPU s; scores and ratio: {end - drawn:.2f} CPU s")
