"""Spectra of maps are in the units in which their size is known."""

import numpy as np
import pytest

from tenfold.pipelines.acceptance.map_statistics import statistics_for

SIDE = 32


@pytest.mark.parametrize(
    ("known", "axis", "fundamental", "area"),
    [
        ({"side_deg": 2.0}, "multipole ℓ", 180.0, np.deg2rad(2.0) ** 2),
        ({"side_deg": None, "box_mpc_h": 25.0}, "wavenumber k [h/Mpc]", 2 * np.pi / 25, 25.0**2),
        ({"side_deg": None}, "waves across the map", 1.0, (2 * np.pi) ** 2),
    ],
)
def test_the_power_of_white_noise_is_the_pixel_area_in_every_unit(known, axis, fundamental, area):
    maps = np.random.default_rng(1).standard_normal((200, SIDE, SIDE)).astype(np.float32)
    chosen = statistics_for(maps, known["side_deg"], box_mpc_h=known.get("box_mpc_h"))
    statistics = {statistic.name: statistic for statistic in chosen}
    power = statistics["angular_power" if known["side_deg"] else "power_spectrum"]
    assert power.axis == statistics["bispectrum_squeezed"].axis == axis
    assert power.spectral and not statistics["peaks"].spectral
    assert fundamental < power.bins[0] < 2 * fundamental
    assert 0.5 < power.bins[-1] / (fundamental * SIDE / 2) < 0.75
    np.testing.assert_allclose(power.rows(maps).mean(0), area / SIDE**2, rtol=0.1)
