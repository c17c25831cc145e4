"""A generator whose spectrum and mean are off has them set right, at every cosmology."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lognormal import lognormal

from tenfold.emulators.gan import GAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.latents import draw
from tenfold.pipelines.massmaps.first_guess import band_powers, first_guess
from tenfold.pipelines.massmaps.spectral_calibration import calibrate

SIDE, MAPS = 16, 40


@pytest.mark.parametrize("conditions", [0, 2])
def test_power_and_mean_come_back_from_where_they_were_put(conditions):
    rng = np.random.default_rng(3)
    points = rng.uniform((0.5, -2.5), (2.0, -1.5), (24, 2)) if conditions else np.array([[1.0, -2.0]] * 24)
    maps = np.concatenate([strength * lognormal(SIDE, 0.5, slope, MAPS, rng) for strength, slope in points])
    parameters = np.repeat(points, MAPS, axis=0)[:, :conditions]
    groups = np.repeat(np.arange(24), MAPS)
    right = first_guess(maps, parameters, groups, periodic=True)
    wrong = dataclasses.replace(right, ln_power=right.ln_power.copy(), mean=right.mean.copy())
    wrong.ln_power[0] += np.linspace(0.4, -0.4, len(right.knots))[:, None]
    wrong.mean[0] += 0.2
    shape = GAN(size=SIDE, conditions=conditions, filters=(4, 4), critic_filters=(4,))
    network = build_generator(shape, wrong)
    worst = calibrate(network, shape, right, maps, parameters, groups, seed=1)
    assert worst[0] > 0.3
    assert worst[-1] < 0.05
    given, _ = draw(shape, (9,), range(960))
    made = np.asarray(network(given | ({"parameters": parameters.astype(np.float32)} if conditions else {})))
    unit = np.repeat([maps[groups == n].std() for n in range(24)], MAPS)[:, None, None, None]
    ratio = band_powers(made / unit, right.band_edges).mean(0) / band_powers(maps / unit, right.band_edges).mean(0)
    np.testing.assert_allclose(ratio, 1, atol=0.15)  # 960 maps, few modes in the lowest bands
    assert (made / unit).mean() == pytest.approx((maps / unit).mean(), abs=0.06)
