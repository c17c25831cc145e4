import numpy as np
import pytest

from tenfold.stats.anisotropic_power import anisotropic_power
from tenfold.stats.modes import mesh_modes

FUNDAMENTAL = 2 * np.pi / 50.0


def noise(seed=0, side=12):
    return np.random.default_rng(seed).standard_normal((side, side, side))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_all_modes_are_counted_whatever_the_axis(axis):
    a, b = noise(0), noise(1)
    measured = anisotropic_power(mesh_modes(a), 50.0, axis=axis, other=mesh_modes(b))
    n = np.array(np.meshgrid(*[np.fft.fftfreq(12, 1 / 12)] * 3, indexing="ij"))
    par = np.abs(n[axis])
    perp = np.sqrt((n**2).sum(axis=0) - n[axis] ** 2)
    cross = (np.fft.fftn(a) * np.fft.fftn(b).conj()).real * 50.0**3 / 12.0**6
    for i, j in np.ndindex(6, 6):
        inside = (perp >= i) & (perp < i + 1) & (par == j) & (perp + par > 0)
        assert measured.modes[i, j] == inside.sum() / 2
        assert np.isclose(measured.power[i, j], cross[inside].mean() if inside.any() else 0)
        if inside.any():
            assert np.isclose(measured.k_perp[i], perp[inside].mean() * FUNDAMENTAL)
    assert np.allclose(measured.k_par, np.arange(6) * FUNDAMENTAL)


def test_a_plane_wave_has_power_in_its_own_bin_only():
    x = 2 * np.pi * np.arange(16) / 16
    wave = 0.1 * np.cos(3 * x[:, None, None] + 4 * x[:, None] + 2 * x)
    measured = anisotropic_power(mesh_modes(wave), 50.0, axis=2)
    share = measured.power * 2 * measured.modes / 50.0**3
    assert np.isclose(share[5, 2], 0.1**2 / 2)
    assert np.isclose(share.sum(), 0.1**2 / 2)


def test_redshift_distortions_have_the_kaiser_anisotropy():
    # linear redshift distortions of white noise: (1 + β μ²)² more power
    side, beta = 32, 0.5
    n = np.fft.fftfreq(side, 1 / side)
    square = n[:, None, None] ** 2 + n[:, None] ** 2 + n[: side // 2 + 1] ** 2
    square[0, 0, 0] = 1
    modes = mesh_modes(noise(2, side)) * (1 + beta * n[:, None, None] ** 2 / square)
    measured = anisotropic_power(modes, 50.0, axis=0)
    k_perp, k_par = measured.k_perp[2:, None] / FUNDAMENTAL, measured.k_par / FUNDAMENTAL
    expected = (1 + beta * k_par**2 / (k_perp**2 + k_par**2)) ** 2 * 50.0**3 / side**3
    deviation = (measured.power[2:] / expected - 1) * np.sqrt(measured.modes[2:])
    assert abs(deviation.mean()) < 4 / np.sqrt(deviation.size)
    assert np.isclose(deviation.std(), 1, atol=0.2)


def test_shifts_and_turns_about_the_axis_change_nothing():
    still = anisotropic_power(mesh_modes(noise()), 50.0, axis=1)
    for moved in (np.roll(noise(), (1, 2, 3), (0, 1, 2)), np.rot90(noise(), axes=(0, 2)), noise()[:, ::-1]):
        assert np.allclose(anisotropic_power(mesh_modes(np.ascontiguousarray(moved)), 50.0, axis=1).power, still.power)


def test_wrong_input_is_named():
    modes = mesh_modes(noise())
    with pytest.raises(ValueError, match="axis must be 0, 1 or 2, found 3"):
        anisotropic_power(modes, 50.0, axis=3)
    with pytest.raises(ValueError, match=r"\(12, 12, 6\)"):
        anisotropic_power(modes[:, :, :6], 50.0)
    with pytest.raises(ValueError, match="box_mpc_h"):
        anisotropic_power(modes, -50.0)
