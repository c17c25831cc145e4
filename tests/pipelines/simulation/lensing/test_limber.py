import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from scipy.integrate import quad

from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.light_cone import HUBBLE_DISTANCE, light_cone, shells
from tenfold.pipelines.simulation.lensing.limber import convergence_power, limber, smoothing_window


@pytest.mark.parametrize("omega_m", [0.1, 0.3, 1.0])
def test_distances_agree_with_astropy(omega_m):
    astropy, cone = FlatLambdaCDM(H0=70, Om0=omega_m), light_cone(omega_m)
    for z in (0.01, 0.3, 1.0, 3.0, 10.0):
        distance = astropy.comoving_distance(z).value * 0.7
        assert cone.distance(z) == pytest.approx(distance, rel=1e-6)
        assert float(cone.redshift(distance)) == pytest.approx(z, rel=1e-6)


def test_the_kernel_is_that_of_angular_diameter_distances():
    astropy, cone = FlatLambdaCDM(H0=70, Om0=0.3), light_cone(0.3)
    for z in (0.2, 0.5, 0.9):
        lens, source = astropy.angular_diameter_distance(z), astropy.angular_diameter_distance(1.0)
        between = (astropy.comoving_distance(1.0) - astropy.comoving_distance(z)) / 2
        # Σ_crit of a layer of thickness dχ: κ = 4πG ρ_m a D_l D_ls / (c² D_s) δ, and 4πG ρ_m = 3/2 Ωm H₀² (1 + z)³
        ratio = (lens * between / source).value * 0.7
        expected = 1.5 * 0.3 / HUBBLE_DISTANCE**2 * (1 + z) ** 2 * ratio
        assert cone.kernel(np.array([cone.distance(z)]), 1.0)[0] == pytest.approx(expected, rel=1e-4)
    assert cone.kernel(np.array([cone.distance(1.2)]), 1.0)[0] == 0


def test_shell_weights_add_up_to_the_whole_kernel():
    cone = light_cone(0.3)
    layers = shells(cone, 128.0, (0.7, 1.0))
    assert layers.distance[-1] + 64 >= cone.distance(1.0) > layers.distance[-1] - 64
    for source, weights in zip((0.7, 1.0), layers.weights.T, strict=True):
        whole, _ = quad(lambda chi, source=source: float(cone.kernel(np.array(chi), source)), 0, cone.distance(source))
        assert weights.sum() == pytest.approx(whole, rel=1e-3)


def test_limber_of_a_power_law_by_quadrature():
    cone = light_cone(0.3)

    def power(k, redshift):
        return 100 * k**-1.5 / (1 + redshift) ** 2

    def slice_of(chi, ell):
        return float(cone.kernel(np.array(chi), 1.0) ** 2 / chi**2 * power(ell / chi, cone.redshift(chi)))

    spectrum = convergence_power(np.array([100.0, 1000.0]), power, cone, (1.0,))
    for ell, value in zip((100.0, 1000.0), spectrum[:, 0], strict=True):
        assert value == pytest.approx(quad(slice_of, 1e-6, cone.distance(1.0), args=(ell,))[0], rel=1e-5)
    assert spectrum[0, 0] / spectrum[1, 0] == pytest.approx(10**1.5, rel=1e-9)


@pytest.fixture(scope="module")
def theory():
    ell = np.array([30.0, 300.0, 3000.0])
    return limber(Cosmology(), ell, (0.5, 1.0)), limber(Cosmology(), ell, (0.5, 1.0), linear=True)


def test_farther_sources_are_lensed_more_and_small_scales_are_not_linear(theory):
    nonlinear, linear = theory
    assert nonlinear.shape == (3, 2)
    assert np.all(nonlinear[:, 1] > nonlinear[:, 0])
    assert nonlinear[0, 1] / linear[0, 1] == pytest.approx(1, abs=0.05)
    assert nonlinear[2, 1] > 5 * linear[2, 1]


def test_pixels_and_smoothing_lower_the_power():
    ell = np.array([1.0, 1000.0, 5000.0])
    pixel = np.pi / 180 / 60 * ell
    assert smoothing_window(ell, 1.0, 0.0) == pytest.approx(1 - pixel**2 / 24, rel=0.02)
    assert smoothing_window(ell, 0.0, 2.0) == pytest.approx(np.exp(-2 * pixel**2), rel=1e-6)
