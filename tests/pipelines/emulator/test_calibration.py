"""Calibration corrects spectrum, mean and pixel distribution of a generator at every cosmology."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lognormal import lognormal

from tenfold.emulators.gan import GAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.generator_inputs import draw_inputs
from tenfold.emulators.monotonic_spline import KNOTS
from tenfold.pipelines.emulator.calibration import calibrate
from tenfold.pipelines.emulator.lognormal import band_powers, fit_lognormal_model

SIDE, MAPS = 16, 40


@pytest.mark.parametrize("conditions", [0, 2])
def test_calibration_removes_errors_of_power_and_pixels(conditions):
    rng = np.random.default_rng(3)
    points = rng.uniform((0.5, -2.5), (2.0, -1.5), (24, 2)) if conditions else np.array([[1.0, -2.0]] * 24)
    maps = np.concatenate([scale * lognormal(SIDE, 0.5, slope, MAPS, rng) for scale, slope in points])
    parameters = np.repeat(points, MAPS, axis=0)[:, :conditions]
    groups = np.repeat(np.arange(24), MAPS)
    model = fit_lognormal_model(maps, parameters, groups, periodic=True)
    wrong = dataclasses.replace(model, ln_power=model.ln_power.copy(), mean=model.mean.copy())
    wrong.ln_power[0] += np.linspace(0.4, -0.4, len(model.knots))[:, None]
    wrong.mean[0] += 0.2
    architecture = GAN(size=SIDE, conditions=conditions, filters=(4, 4), critic_filters=(4,))
    network = build_generator(architecture, wrong)
    spline = network.get_layer("spline_coefficients").coefficients
    spline.assign(np.asarray(spline) + 0.3 * np.sin(KNOTS) * (np.arange(spline.shape[0]) == 0)[:, None])

    def generate_with(network):
        def generate(parameters, number):
            inputs, _ = draw_inputs(architecture, (number,), range(len(parameters)))
            return np.asarray(network(inputs | ({"parameters": parameters} if conditions else {})))

        return generate

    calibration = calibrate(network, generate_with(network), model, maps, parameters, groups)
    assert min(calibration.power[0], calibration.pixels[0]) > 0.3
    correct = build_generator(architecture, model)
    noise = calibrate(correct, generate_with(correct), model, maps, parameters, groups)
    # every round generates new maps: only the sampling noise of a correct generator remains
    assert calibration.power[-1] < 1.5 * max(noise.power)
    assert calibration.pixels[-1] < 1.5 * max(noise.pixels)
    generated = generate_with(network)(parameters.astype(np.float32), 9)
    sigma = np.repeat([maps[groups == n].std() for n in range(24)], MAPS)[:, None, None, None]
    edges = model.band_edges
    ratio = band_powers(generated / sigma, edges).mean(0) / band_powers(maps / sigma, edges).mean(0)
    np.testing.assert_allclose(ratio, 1, atol=0.15)  # 960 maps, few modes in the lowest bands
    levels = (0.002, 0.02, 0.2, 0.5, 0.8, 0.98, 0.998)
    np.testing.assert_allclose(
        np.quantile(generated / sigma, levels), np.quantile(maps / sigma, levels), rtol=0.05, atol=0.05
    )
    assert (generated / sigma).mean() == pytest.approx((maps / sigma).mean(), abs=0.06)
