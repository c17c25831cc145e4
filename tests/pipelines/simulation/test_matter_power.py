import numpy as np
import pytest

from tenfold.pipelines.simulation import matter_power
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.matter_power import camb_power, linear_power, nodes, sound_horizon, tabulate, transfer

WIDE = (0.1 * 0.49, 0.5 * 0.49)  # Ω_m from 0.1 to 0.5, h = 0.7
POINT = (0.049 * 0.49, 0.049 * 0.49)
K = np.geomspace(0.02, 3.0, 200)  # from the fundamental mode of 256 Mpc/h to beyond what 64³ particles in 128 hold


@pytest.fixture(scope="module")
def table():
    return tabulate(WIDE, POINT, [transfer(*node) for node in nodes(WIDE, POINT)])


@pytest.mark.parametrize("omega_m", [0.13, 0.31, 0.47])
def test_the_table_gives_camb_s_linear_spectrum(table, omega_m):
    cosmology = Cosmology(omega_m=omega_m, sigma_8=0.7)
    linear, _ = camb_power(cosmology, K)
    error = linear_power(cosmology, table)(K) / linear - 1
    assert np.sqrt((error**2).mean()) < 1e-3
    assert np.abs(error).max() < 3e-3  # where the wiggles are strongest CAMB itself scatters by 2e-3


def test_the_spectrum_has_the_requested_sigma_8(table):
    power = linear_power(Cosmology(sigma_8=0.9), table)
    k = np.geomspace(1e-4, 50, 20_000)
    window = 3 * (np.sin(8 * k) - 8 * k * np.cos(8 * k)) / (8 * k) ** 3
    variance = np.trapezoid(k**3 * power(k) * window**2 / (2 * np.pi**2), np.log(k))
    assert np.sqrt(variance) == pytest.approx(0.9, rel=1e-3)


def test_nodes_of_two_densities_and_one():
    assert len(nodes(WIDE, POINT)) == matter_power.NODES
    assert nodes(POINT, POINT) == [(POINT[0], POINT[0])]
    assert len(nodes(WIDE, (0.02, 0.03))) == matter_power.NODES**2


def test_a_table_over_two_densities_gives_back_a_product_of_polynomials():
    mid = (0.02, 0.03)
    x = np.ones(len(transfer.__globals__["_wavenumbers"]()))
    values = [np.log(m) ** 2 * np.log(b) * x for m, b in nodes(WIDE, mid)]
    interpolated = tabulate(WIDE, mid, values)(0.15, 0.022)[1]
    assert interpolated == pytest.approx(np.log(0.15) ** 2 * np.log(0.022) * x, rel=1e-9)


def test_a_cosmology_outside_the_table_is_refused(table):
    with pytest.raises(ValueError, match="omega_m"):
        linear_power(Cosmology(omega_m=0.6), table)


def test_the_sound_horizon_of_our_universe():
    assert sound_horizon(0.143, 0.0224) == pytest.approx(150, rel=0.03)


def test_hmcode_follows_linear_theory_on_large_scales_and_exceeds_it_on_small():
    linear, nonlinear = camb_power(Cosmology(), np.array([0.005, 0.02, 1.0]))
    assert nonlinear[:2] == pytest.approx(linear[:2], rel=0.02)
    assert nonlinear[2] > 3 * linear[2]
