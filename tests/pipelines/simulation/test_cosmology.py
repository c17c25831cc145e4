import numpy as np
import pytest
from scipy.integrate import quad

from tenfold.pipelines.simulation.cosmology import Cosmology, growth, sample_cosmologies

RANGES = {"omega_m": (0.1, 0.5), "sigma_8": (0.5, 1.0)}


def test_growth_of_first_order_is_the_known_integral():
    # flat ΛCDM: D ∝ H ∫ da / (aH)³ (Heath 1977)
    def heath(a, matter):
        hubble = lambda a: np.sqrt(matter / a**3 + 1 - matter)  # noqa: E731
        return hubble(a) * quad(lambda a: (a * hubble(a)) ** -3, 0, a)[0]

    for matter in (0.1, 0.3, 0.5):
        linear_growth = growth(matter)
        for redshift in (0.0, 0.5, 3.0, 19.0):
            exact = heath(1 / (1 + redshift), matter) / heath(1.0, matter)
            assert linear_growth.factor(redshift) == pytest.approx(exact, rel=1e-5)


def test_in_a_universe_of_matter_growth_is_the_scale_factor():
    growth_factors = growth(1.0)
    assert growth_factors.factor(1.0) == pytest.approx(0.5, rel=1e-6)
    d = np.array([0.25, 0.5])
    assert growth_factors.second(d) == pytest.approx(-3 / 7 * d**2, rel=1e-4)
    assert growth_factors.second_slope(d) == pytest.approx(-6 / 7 * d, rel=1e-4)


def test_growth_of_second_order_follows_bouchet_s_fit():
    # E ≈ −3/7 D² Ω_m(a)^(−1/143) (astro-ph/9406013), D here growing as a at first
    growth_factors = growth(0.3)
    assert growth_factors.second(1.0) == pytest.approx(-3 / 7 * 0.3 ** (-1 / 143), rel=2e-3)


def test_a_longer_draw_begins_with_the_shorter():
    assert sample_cosmologies(RANGES, 5, seed=1) == sample_cosmologies(RANGES, 37, seed=1)[:5]
    assert sample_cosmologies(RANGES, 5, seed=1) != sample_cosmologies(RANGES, 5, seed=2)
    assert sample_cosmologies(dict(reversed(RANGES.items())), 5, seed=1) == sample_cosmologies(RANGES, 5, seed=1)


def test_a_sobol_draw_fills_its_ranges_evenly():
    drawn = sample_cosmologies(RANGES, 64, seed=3)
    for name, (low, high) in RANGES.items():
        places = np.sort([(getattr(cosmology, name) - low) / (high - low) for cosmology in drawn])
        assert np.all(np.floor(places * 64) == np.arange(64))  # one in each 64th
    assert {cosmology.h for cosmology in drawn} == {0.7}


def test_impossible_cosmologies_are_refused():
    with pytest.raises(ValueError, match=r"omega_m.*1\.5"):
        Cosmology(omega_m=1.5)
    with pytest.raises(ValueError, match="omega_b"):
        Cosmology(omega_m=0.1, omega_b=0.15)
    with pytest.raises(ValueError, match="Omega_m"):
        sample_cosmologies({"Omega_m": (0.1, 0.5)}, 3, seed=1)
    with pytest.raises(ValueError, match="count"):
        sample_cosmologies(RANGES, 0, seed=1)
