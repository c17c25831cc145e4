import numpy as np
import pytest

from tenfold.stats.power import overdensity, power_spectrum


def plane_wave(side, n, amplitude):
    x = np.arange(side) / side
    return amplitude * np.cos(2 * np.pi * (n[0] * x[:, None, None] + n[1] * x[:, None] + n[2] * x))


def test_a_plane_wave_has_all_its_power_in_its_own_bin():
    spectrum = power_spectrum(plane_wave(16, (2, 1, 0), 0.1), 100.0)
    # ⟨δ²⟩ = 0.1²/2 is the sum of P over all modes, over the volume; a mode and its conjugate count once
    assert np.isclose((spectrum.power * 2 * spectrum.modes)[1] / 100.0**3, 0.1**2 / 2)
    assert np.allclose(np.delete(spectrum.power, 1), 0, atol=1e-20)


def test_bins_are_one_fundamental_mode_wide_up_to_nyquist_and_the_mean_is_left_out():
    spectrum = power_spectrum(plane_wave(16, (0, 0, 1), 0.1) + 5.0, 100.0)
    assert len(spectrum.k) == 7
    # |n| in [1, 2): 6 faces, 12 edges, 8 corners; half of them independent
    assert spectrum.modes[0] == 13
    assert np.isclose(spectrum.k[0], 2 * np.pi / 100 * (6 + 12 * np.sqrt(2) + 8 * np.sqrt(3)) / 26)
    assert np.all(np.floor(spectrum.k / (2 * np.pi / 100)) == np.arange(1, 8))


def test_all_modes_are_counted_whatever_the_plane():
    rng = np.random.default_rng(0)
    delta = rng.standard_normal((12, 12, 12))
    spectrum = power_spectrum(delta, 50.0)
    n = np.fft.fftfreq(12, 1 / 12)
    size = np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + n**2)
    power = np.abs(np.fft.fftn(delta)) ** 2 * 50.0**3 / 12.0**6
    for i in range(1, 6):
        inside = (size >= i) & (size < i + 1)
        assert np.isclose(spectrum.power[i - 1], power[inside].mean())
        assert np.isclose(spectrum.k[i - 1], 2 * np.pi / 50 * size[inside].mean())
        assert spectrum.modes[i - 1] == inside.sum() / 2


def test_a_poisson_field_has_the_flat_spectrum_of_its_shot_noise():
    counts = np.random.default_rng(1).poisson(8.0, (32, 32, 32))
    spectrum = power_spectrum(overdensity(counts), 100.0, particles=int(counts.sum()))
    deviation = (spectrum.power / spectrum.shot_noise - 1) * np.sqrt(spectrum.modes)
    assert np.abs(deviation).max() < 4
    assert np.isclose(spectrum.shot_noise, 100.0**3 / counts.sum())


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_window_is_divided_out_of_a_smoothed_wave(order):
    n = np.array((3, 2, 1))
    smoothed = plane_wave(16, n, 0.1) * np.prod(np.sinc(n / 16)) ** order
    exact = power_spectrum(plane_wave(16, n, 0.1), 100.0).power[2]
    assert np.isclose(power_spectrum(smoothed, 100.0, window_order=order).power[2], exact)


def test_single_precision_is_enough():
    delta = np.random.default_rng(2).standard_normal((32, 32, 32))
    single = power_spectrum(delta.astype(np.float32), 100.0).power
    assert np.allclose(single, power_spectrum(delta, 100.0).power, rtol=1e-5)


def test_overdensity_of_counts_has_no_mean():
    delta = overdensity(np.array([[[0, 2], [1, 1]], [[4, 0], [0, 0]]], np.int16))
    assert delta.dtype == np.float32
    assert delta[0, 0].tolist() == [-1.0, 1.0]
    assert delta.sum() == 0


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="positive mean"):
        overdensity(np.zeros((4, 4, 4)))
    with pytest.raises(ValueError, match=r"cube.*\(4, 4, 5\)"):
        power_spectrum(np.zeros((4, 4, 5)), 1.0)
    with pytest.raises(ValueError, match="box_mpc_h"):
        power_spectrum(np.zeros((4, 4, 4)), -1.0)
    with pytest.raises(ValueError, match="window_order"):
        power_spectrum(np.zeros((4, 4, 4)), 1.0, window_order=5)
