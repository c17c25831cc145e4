import numpy as np
import pytest

from tenfold.stats.cross_power import cross_power
from tenfold.stats.modes import mesh_modes
from tenfold.stats.power import power_spectrum


def noise(seed, side=16):
    return np.random.default_rng(seed).standard_normal((side, side, side))


def test_the_cross_power_of_a_field_with_its_multiple():
    spectrum = power_spectrum(noise(0), 100.0)
    cross = cross_power(mesh_modes(noise(0)), mesh_modes(-3 * noise(0)), 100.0)
    assert np.allclose(cross.power, -3 * spectrum.power)
    assert np.allclose(cross.correlation, -1)
    assert np.array_equal(cross.modes, spectrum.modes) and np.array_equal(cross.k, spectrum.k)


def test_all_modes_are_counted_whatever_the_plane():
    a, b = noise(1, 12), noise(2, 12)
    measured = cross_power(mesh_modes(a), mesh_modes(b), 50.0)
    n = np.fft.fftfreq(12, 1 / 12)
    size = np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + n**2)
    cross = (np.fft.fftn(a) * np.fft.fftn(b).conj()).real * 50.0**3 / 12.0**6
    for i in range(1, 6):
        assert np.isclose(measured.power[i - 1], cross[(size >= i) & (size < i + 1)].mean())


def test_independent_fields_do_not_correlate_and_a_sum_does_by_its_share():
    a, b = noise(3, 32), noise(4, 32)
    apart = cross_power(mesh_modes(a), mesh_modes(b), 100.0)
    assert np.abs(apart.correlation * np.sqrt(2 * apart.modes)).max() < 4
    mixed = cross_power(mesh_modes(a), mesh_modes(a + b), 100.0)
    assert np.abs((mixed.correlation - np.sqrt(0.5)) * np.sqrt(2 * mixed.modes)).max() < 4


def test_a_quarter_turn_of_a_wave_has_no_cross_power():
    x = 2 * np.pi * 3 * np.arange(16) / 16
    a, b = (np.broadcast_to(f(x), (16, 16, 16)).copy() for f in (np.cos, np.sin))
    cross = cross_power(mesh_modes(a), mesh_modes(b), 100.0)
    assert np.allclose(cross.power, 0, atol=1e-12)


def test_both_fields_may_be_shifted_together():
    moved = [mesh_modes(np.roll(noise(seed), (1, 5, -3), (0, 1, 2))) for seed in (5, 6)]
    still = [mesh_modes(noise(seed)) for seed in (5, 6)]
    assert np.allclose(cross_power(*moved, 10.0).power, cross_power(*still, 10.0).power)


def test_an_empty_field_has_no_correlation():
    cross = cross_power(mesh_modes(noise(7)), mesh_modes(np.zeros((16, 16, 16))), 10.0)
    assert not cross.power.any()
    assert np.isnan(cross.correlation).all()


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"\(8, 8, 5\) and \(16, 16, 9\)"):
        cross_power(mesh_modes(noise(0, 8)), mesh_modes(noise(0)), 10.0)
