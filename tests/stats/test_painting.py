import numpy as np
import pytest

from tenfold.stats.painting import add_particles, paint
from tenfold.stats.power import overdensity, power_spectrum


def test_a_particle_counts_in_the_cell_it_is_in():
    counts = paint(np.array([[0.1, 0.3, 0.9], [0.1, 0.3, 0.9]], np.float32), 4, "ngp")
    assert counts.dtype == np.int16
    assert counts[0, 1, 3] == 2
    assert counts.sum() == 2


def test_a_cloud_is_shared_by_its_eight_mesh_points():
    mesh = paint(np.array([[0.3125, 0.5, 0.9375]], np.float32), 4, "cic")  # at (1.25, 2, 3.75): z wraps
    assert mesh.dtype == np.float32
    assert mesh[1, 2, 3] == pytest.approx(0.75 * 0.25)
    assert mesh[1, 2, 0] == pytest.approx(0.75 * 0.75)
    assert mesh[2, 2, 0] == pytest.approx(0.25 * 0.75)
    assert np.count_nonzero(mesh) == 4


def test_no_particle_is_lost():
    positions = np.random.default_rng(0).random((100_000, 3), dtype=np.float32)
    positions[:8] = np.stack(np.meshgrid((0, 1), (0, 1), (0, 1)), -1).reshape(8, 3)  # 1 is the other name of 0
    assert paint(positions, 16, "ngp").sum(dtype=np.int64) == 100_000
    assert paint(positions, 16, "cic").sum(dtype=np.float64) == pytest.approx(100_000, rel=1e-6)


def test_more_particles_than_int16_holds_are_still_counted():
    counts = paint(np.zeros((40_000, 3), np.float32), 4, "ngp")
    assert counts[0, 0, 0] == 40_000


def test_an_unknown_assignment_is_named():
    with pytest.raises(ValueError, match=r'"ngp", "cic", "tsc" or "pcs", found .cubic'):
        paint(np.zeros((1, 3), np.float32), 4, "cubic")


def weights_of(assignment, x):
    """Weights along x of a particle at x cells, on a mesh of 8."""
    mesh = paint(np.array([[x / 8, 0.5, 0.5]]), 8, assignment)
    return mesh.sum(axis=(1, 2), dtype=np.float64)


def test_the_weights_of_a_particle_halfway_between_two_points():
    np.testing.assert_allclose(weights_of("tsc", 2.5), [0, 0, 1 / 2, 1 / 2, 0, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(weights_of("pcs", 2.5), np.array([0, 1, 23, 23, 1, 0, 0, 0]) / 48, atol=1e-7)


def test_the_weights_of_a_particle_on_a_point():
    np.testing.assert_allclose(weights_of("cic", 0), [1, 0, 0, 0, 0, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(weights_of("tsc", 0), np.array([6, 1, 0, 0, 0, 0, 0, 1]) / 8, atol=1e-7)
    np.testing.assert_allclose(weights_of("pcs", 0), np.array([4, 1, 0, 0, 0, 0, 0, 1]) / 6, atol=1e-7)


@pytest.mark.parametrize("assignment", ["cic", "tsc", "pcs"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mass_and_its_centre_are_conserved(assignment, dtype):
    rng = np.random.default_rng(1)
    positions, masses = (0.3 + 0.4 * rng.random((1000, 3))).astype(dtype), rng.random(1000)
    mesh = paint(positions, 16, assignment, masses=masses)
    assert mesh.sum(dtype=np.float64) == pytest.approx(masses.sum(), rel=1e-6)
    centre = (np.arange(16) * mesh.sum(axis=(1, 2), dtype=np.float64)).sum() / masses.sum() / 16
    assert centre == pytest.approx((masses * positions[:, 0]).sum() / masses.sum(), rel=1e-5)


@pytest.mark.parametrize("assignment", ["ngp", "cic", "tsc", "pcs"])
def test_a_translation_by_whole_cells_around_the_border_moves_the_mesh(assignment):
    positions = np.random.default_rng(2).random((500, 3))
    moved = np.roll(paint(positions, 8, assignment), (3, -2, 7), axis=(0, 1, 2))
    again = paint(positions + np.array([3, -2, 7]) / 8, 8, assignment)  # beyond the box on either side
    np.testing.assert_allclose(again, moved, atol=1e-5)


def test_masses_with_ngp_are_summed_in_each_cell():
    mesh = paint(np.array([[0.1, 0.1, 0.1], [0.1, 0.1, 0.1]]), 4, "ngp", masses=np.array([1.5, 2.0]))
    assert mesh.dtype == np.float32
    assert mesh[0, 0, 0] == 3.5


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.1, -1.1])
@pytest.mark.parametrize("assignment", ["ngp", "cic", "tsc", "pcs"])
def test_impossible_positions_are_counted_and_left_out(assignment, value):
    positions = np.full((3, 3), 0.5)
    positions[1, 2] = value
    mesh = np.zeros((8, 8, 8), np.float32)
    assert add_particles(mesh, positions, assignment) == 1
    assert mesh.sum() == pytest.approx(2)
    with pytest.raises(ValueError, match="1 are not finite, or more than a box side outside"):
        paint(positions, 8, assignment)


def test_interlacing_removes_the_aliases_of_a_plane_wave():
    """A wave beyond the Nyquist frequency, 5 modes on a mesh of 8, is an alias at mode 3 of a single mesh alone."""
    n, waves = 64, 5
    axis = (np.arange(n) + 0.5) / n
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    masses = 1 + 0.5 * np.cos(2 * np.pi * waves * lattice[:, 0])
    single, shifted = (overdensity(paint(lattice, 8, "cic", masses=masses, shift=shift)) for shift in (0, 0.5))
    alias = power_spectrum(single, 8.0).power[2]
    assert alias > 1e-4
    assert power_spectrum(single, 8.0, shifted=shifted).power[2] < 1e-6 * alias


def test_interlacing_gives_the_shot_noise_of_random_particles_up_to_the_nyquist_frequency():
    """Without it, aliases of the white spectrum, divided by the window, raise the power at high k."""
    positions = np.random.default_rng(3).random((200_000, 3))
    single, shifted = (overdensity(paint(positions, 32, "cic", shift=shift)) for shift in (0, 0.5))
    white = 100.0**3 / 200_000
    one = power_spectrum(single, 100.0, window_order=2).power[-4:].mean() / white
    two = power_spectrum(single, 100.0, window_order=2, shifted=shifted).power[-4:].mean() / white
    assert one > 1.1
    assert two == pytest.approx(1, abs=0.05)  # 9,000 modes: 1 %, and weaker aliases
