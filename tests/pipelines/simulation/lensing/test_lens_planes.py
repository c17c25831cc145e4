"""Trusted range of multipoles of maps, for planes of known power."""

from dataclasses import replace

import numpy as np
import pytest

from tenfold.pipelines.simulation.lensing.config import MassMaps
from tenfold.pipelines.simulation.lensing.lens_planes import trusted_range
from tenfold.pipelines.simulation.lensing.light_cone import light_cone, shells
from tenfold.pipelines.simulation.lensing.sharpening import corrected_range, fit_sharpening, power_bins

CONFIG = MassMaps(particles=64, plane=256, pixels=64)
CONE = light_cone(0.3)
LAYERS = shells(CONE, CONFIG.box_mpc_h, CONFIG.sources)
EDGES = power_bins(CONFIG.box_mpc_h, CONFIG.particles)
K = np.sqrt(EDGES[1:] * EDGES[:-1])


def power(k, redshift):
    return 1e3 * k**-1.5 / (1 + redshift) ** 2


def trusted(sharpen, ratio, config=CONFIG):
    """Trusted range of planes whose power is `ratio` times that of theory at all k."""
    measured = np.full((len(LAYERS.distance), len(K)), ratio)
    lifted = None
    if sharpen != "none":
        inside = corrected_range(config.box_mpc_h, config.particles)
        lifted = fit_sharpening(K, measured, np.full(len(K), 500.0), LAYERS.redshift, inside, sharpen)
    return trusted_range(config, CONE, LAYERS, power, lifted, (K, measured))


def test_power_is_trusted_up_to_the_scale_of_its_correction_whatever_the_power_of_the_box():
    low, high = trusted("power", 1.3)
    assert low == pytest.approx(2 * 360 / CONFIG.side_deg)
    assert high > 3 * low
    assert high == pytest.approx(trusted("power", 1.0)[1])
    assert high == pytest.approx(trusted("shape", 1.0)[1])


def test_an_amplitude_that_is_left_alone_is_not_called_theorys():
    low, right = trusted("power", 1.3)
    assert trusted("shape", 1.3) == trusted("none", 1.3) == (low, low)  # nowhere
    # a few per cent too little are soon too many with what is lost beyond, a few too much make up for it
    assert low < trusted("shape", 0.97)[1] < 0.8 * right < right < trusted("shape", 1.04)[1]


def test_the_range_is_that_of_the_lensing_without_noise_and_smoothing():
    noisy = replace(CONFIG, shape_noise=0.3, smoothing_arcmin=2.0)
    assert trusted("power", 1.0, noisy) == trusted("power", 1.0)
