import numpy as np
import pytest
import scipy.fft

from tenfold.pipelines.simulation.initial_conditions import displacements, linear_field
from tenfold.stats.power import power_spectrum


def law(k):
    return 100.0 * k**-1.5


def test_the_field_has_the_requested_spectrum():
    modes = linear_field(law, 32, 200.0, np.random.default_rng(0))
    spectrum = power_spectrum(scipy.fft.irfftn(modes), 200.0)
    deviation = (spectrum.power / law(spectrum.k) - 1) * np.sqrt(spectrum.modes)
    assert np.abs(deviation[1:]).max() < 4
    assert modes[0, 0, 0] == 0


def test_fixed_amplitudes_have_no_scatter_but_random_phases():
    first, other = (linear_field(law, 16, 200.0, np.random.default_rng(seed), fixed=True) for seed in (0, 1))
    assert np.allclose(np.abs(first[1, 2, 3]), np.abs(other[1, 2, 3]), rtol=1e-5)
    assert np.abs(first[1, 2, 3]) ** 2 == pytest.approx(law(2 * np.pi / 200 * 14**0.5) * 16**6 / 200.0**3, rel=1e-4)
    assert not np.allclose(first, other)


def test_a_plane_wave_is_displaced_along_itself_and_not_at_second_order():
    side, n, amplitude = 16, 2, 0.01
    k = 2 * np.pi * n / side
    q = np.arange(side)
    delta = np.broadcast_to(amplitude * np.cos(k * q)[:, None, None], (side,) * 3).astype(np.float32)
    psi_1, psi_2 = (psi.reshape(side, side, side, 3) for psi in displacements(scipy.fft.rfftn(delta)))
    # δ = −∇·ψ
    assert np.allclose(psi_1[:, 3, 5, 0], -amplitude / k * np.sin(k * q), atol=1e-6)
    assert np.allclose(psi_1[..., 1:], 0, atol=1e-7)
    assert np.allclose(psi_2, 0, atol=1e-7)


def test_second_order_of_two_crossed_waves():
    # φ = a cos kx + a cos ky: φ,xx φ,yy = a² k⁴ cos kx cos ky = ∇·ψ₂
    side, a = 16, 0.3
    k = 2 * np.pi / side
    q = np.arange(side)
    delta = -a * k**2 * (np.cos(k * q)[:, None, None] + np.cos(k * q)[None, :, None] + np.zeros((1, 1, side)))
    _, psi_2 = displacements(scipy.fft.rfftn(delta.astype(np.float32)))
    expected = a**2 * k**3 / 2 * np.sin(k * q)[:, None] * np.cos(k * q)
    assert np.allclose(psi_2.reshape(side, side, side, 3)[:, :, 4, 0], expected, atol=1e-6)
