import numpy as np
import pytest
import scipy.fft

from tenfold.pipelines.simulation.cosmology import growth
from tenfold.pipelines.simulation.initial_conditions import displacements, linear_field
from tenfold.pipelines.simulation.nbody import _schedule, evolve
from tenfold.stats.painting import paint
from tenfold.stats.power import overdensity, power_spectrum

GROWTH = growth(0.3)


def weak(k):
    """Steep power spectrum with an rms overdensity of 0.3 % at the mesh scale, where linear theory holds."""
    return 2e-3 * k**-1.0


def test_weak_waves_grow_linearly_to_every_redshift():
    modes = linear_field(weak, 32, 100.0, np.random.default_rng(0))
    linear = power_spectrum(scipy.fft.irfftn(modes), 100.0).power
    redshifts = [3.0, 1.0, 0.0]
    for redshift, positions in zip(redshifts, evolve(modes, GROWTH, redshifts, steps=8, mesh_factor=2), strict=True):
        measured = power_spectrum(overdensity(paint(positions, 64, "cic")), 100.0, window_order=2).power[:4]
        # k up to a quarter of the particles' Nyquist wavenumber; at a third the smoothed force is 2.3 % short
        assert measured / (linear[:4] * GROWTH.factor(redshift) ** 2) == pytest.approx(np.ones(4), abs=0.02)


def test_a_single_wave_moves_as_zeldovich_says_exactly_until_sheets_cross():
    # in one dimension the Zel'dovich solution is exact; the sheets here cross at D = 1 / 0.7
    side, n, amplitude = 32, 1, 0.7
    wave = amplitude * np.cos(2 * np.pi * n * np.arange(side) / side)
    modes = scipy.fft.rfftn(np.broadcast_to(wave[:, None, None], (side,) * 3).astype(np.float32))
    psi, _ = displacements(modes)
    (positions,) = evolve(modes, GROWTH, [0.0], steps=8, mesh_factor=2)
    lattice = np.repeat(np.arange(side), side**2)
    moved = (positions[:, 0] * side - lattice + side / 2) % side - side / 2
    assert np.abs(moved - psi[:, 0]).max() < 0.02 * np.abs(psi).max()


def test_the_mean_displacement_of_particles_is_zero():
    modes = linear_field(lambda k: 300 * k**-1.5, 32, 64.0, np.random.default_rng(1))
    (positions,) = evolve(modes, GROWTH, [0.0], steps=6, mesh_factor=2)
    assert positions.min() >= 0
    assert positions.max() <= 1
    assert len(positions) == 32**3
    axis = np.arange(32) / 32
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    mean = ((positions - lattice + 0.5) % 1 - 0.5).mean(0)
    assert np.abs(mean).max() < 1e-4


def test_strong_waves_outgrow_linear_theory_on_small_scales():
    modes = linear_field(lambda k: 300 * k**-1.5, 32, 64.0, np.random.default_rng(1))
    linear = power_spectrum(scipy.fft.irfftn(modes), 64.0).power
    (positions,) = evolve(modes, GROWTH, [0.0], steps=6, mesh_factor=2)
    measured = power_spectrum(overdensity(paint(positions, 32, "cic")), 64.0, window_order=2).power
    assert np.all(measured[8:] > 2 * linear[8:])


def test_an_output_in_between_does_not_change_the_end():
    modes = linear_field(lambda k: 100 * k**-1.5, 16, 64.0, np.random.default_rng(2))
    (alone,) = evolve(modes, GROWTH, [0.0], steps=20, mesh_factor=2)
    *_, after = evolve(modes, GROWTH, [1.0, 0.0], steps=20, mesh_factor=2)
    apart = (alone - after + 0.5) % 1 - 0.5
    assert np.sqrt((apart**2).mean()) < 0.02 / 16  # of the particles' distance


def test_steps_are_shared_out_and_each_output_takes_at_least_one():
    first, last = _schedule(0.05, [0.1, 1.0], 10)
    assert (first[0], first[-1], last[0], last[-1]) == pytest.approx((0.05, 0.1, 0.1, 1.0))
    assert len(first) == 2
    assert 9 <= len(last) - 1 <= 10
    assert np.all(np.diff(last)[1:] < np.diff(last)[:-1])  # finer towards the end


@pytest.mark.parametrize("redshifts", [[], [0.0, 1.0], [1.0, 1.0]])
def test_redshifts_that_do_not_fall_are_refused(redshifts):
    with pytest.raises(ValueError, match="redshifts must be decreasing"):
        next(evolve(np.zeros((8, 8, 5), np.complex64), GROWTH, redshifts, steps=2, mesh_factor=1))
