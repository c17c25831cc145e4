"""A generator whose spectrum, mean and distribution of pixels are off has them set right, at every cosmology."""

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
def test_power_and_pixels_come_back_from_where_they_were_put(conditions):
    rng = np.random.default_rng(3)
    points = rng.uniform((0.5, -2.5), (2.0, -1.5), (24, 2)) if conditions else np.array([[1.0, -2.0]] * 24)
    maps = np.concatenate([strength * lognormal(SIDE, 0.5, slope, MAPS, rng) for strength, slope in points])
    parameters = np.repeat(points, MAPS, axis=0)[:, :conditions]
    groups = np.repeat(np.arange(24), MAPS)
    right = fit_lognormal_model(maps, parameters, groups, periodic=True)
    wrong = dataclasses.replace(right, ln_power=right.ln_power.copy(), mean=right.mean.copy())
    wrong.ln_power[0] += np.linspace(0.4, -0.4, len(right.knots))[:, None]
    wrong.mean[0] += 0.2
    shape = GAN(size=SIDE, conditions=conditions, filters=(4, 4), critic_filters=(4,))
    network = build_generator(shape, wrong)
    bent = network.get_layer("spline_coefficients").coefficients
    bent.assign(np.asarray(bent) + 0.3 * np.sin(KNOTS) * (np.arange(bent.shape[0]) == 0)[:, None])

    def maker(network):
        def make(wanted, turn):
            given, _ = draw_inputs(shape, (turn,), range(len(wanted)))
            return np.asarray(network(given | ({"parameters": wanted} if conditions else {})))

        return make

    worst = calibrate(network, maker(network), right, maps, parameters, groups)
    assert min(worst.power[0], worst.pixels[0]) > 0.3
    already = build_generator(shape, right)
    chance = calibrate(already, maker(already), right, maps, parameters, groups)
    # every round makes other maps: of a wrong generator no more is left than of one that was right
    assert worst.power[-1] < 1.5 * max(chance.power)
    assert worst.pixels[-1] < 1.5 * max(chance.pixels)
    made = maker(network)(parameters.astype(np.float32), 9)
    unit = np.repeat([maps[groups == n].std() for n in range(24)], MAPS)[:, None, None, None]
    ratio = band_powers(made / unit, right.band_edges).mean(0) / band_powers(maps / unit, right.band_edges).mean(0)
    np.testing.assert_allclose(ratio, 1, atol=0.15)  # 960 maps, few modes in the lowest bands
    shares = (0.002, 0.02, 0.2, 0.5, 0.8, 0.98, 0.998)
    np.testing.assert_allclose(np.quantile(made / unit, shares), np.quantile(maps / unit, shares), rtol=0.05, atol=0.05)
    assert (made / unit).mean() == pytest.approx((maps / unit).mean(), abs=0.06)
