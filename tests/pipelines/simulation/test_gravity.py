import numpy as np
import pytest

from tenfold.pipelines.simulation.gravity import force_mesh, kick, paint_pcs


def pull(positions, side):
    """Acceleration −∇φ of particles on each other."""
    velocities = np.zeros_like(positions)
    kick(positions, velocities, force_mesh(side).potential(positions), 0.0, 1.0)
    return velocities


def test_painting_conserves_mass_and_knows_no_border():
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 8, (1000, 3)).astype(np.float32)
    positions[:4] = [[0, 0, 0], [8, 8, 8], [7.999, 0.001, 4], [0.5, 7.5, 7.9]]
    mesh = np.zeros((8, 8, 8), np.float32)
    paint_pcs(positions, mesh, 2.0)
    assert mesh.sum(dtype=float) == pytest.approx(2000, rel=1e-6)
    shifted = np.zeros_like(mesh)
    paint_pcs((positions + np.float32([3, 5, 6])) % np.float32(8), shifted, 2.0)
    assert np.allclose(shifted, np.roll(mesh, (3, 5, 6), (0, 1, 2)), atol=1e-4)


def test_a_particle_on_a_mesh_point_has_the_spline_s_weights():
    mesh = np.zeros((8, 8, 8), np.float32)
    paint_pcs(np.array([[4, 4, 7]], np.float32), mesh, 1.0)
    assert mesh[3:6, 4, 7] == pytest.approx(np.array([1, 4, 1]) / 6 * (4 / 6) ** 2)
    assert mesh[4, 4, [6, 7, 0]] == pytest.approx(np.array([1, 4, 1]) / 6 * (4 / 6) ** 2)


def test_a_particle_s_pull_points_to_it_and_falls_as_the_square_of_distance():
    side = 64
    centre = np.array([[30.3, 31.7, 29.1]], np.float32)
    potential = force_mesh(side).potential(centre)
    directions = np.random.default_rng(0).standard_normal((50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for distance in (5.0, 10.0):
        probes = (centre + distance * directions).astype(np.float32)
        force = np.zeros_like(probes)
        kick(probes, force, potential, 0.0, 1.0)
        inward = -(force * directions).sum(1)
        # ∇²φ = δ, and the particle is all the mass of side³ cells; the box's images pull outwards by 4π r³/3 of side³
        exact = side**3 / (4 * np.pi * distance**2) - distance / 3
        assert inward.mean() == pytest.approx(exact, rel=0.05)
        assert inward.std() < 0.05 * exact
        assert np.linalg.norm(force + inward[:, None] * directions, axis=1).max() < 0.05 * exact


def test_a_particle_hardly_pulls_itself():
    position = np.array([[10.37, 11.81, 3.22]], np.float32)
    scale = 32**3 / (4 * np.pi)  # of its mass at a distance of one cell
    assert np.abs(pull(position, 32)).max() < 0.03 * scale


def test_an_even_lattice_is_at_rest():
    axis = np.arange(0, 16, 2, dtype=np.float32) + np.float32(0.3)
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    assert np.abs(pull(lattice, 16)).max() < 1e-4


def test_a_weak_wave_pulls_as_linear_theory_says_whatever_its_place_on_the_mesh():
    side, k = 32, 2 * np.pi * 2 / 32  # a quarter of the particles' Nyquist wavenumber
    axis = np.arange(0, side, 2, dtype=np.float32)
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    for place in (0.0, 0.5):
        positions = lattice + np.float32(place)
        psi = 0.05 * np.sin(k * positions[:, 0])
        moved = positions.copy()
        moved[:, 0] = (moved[:, 0] + psi) % side
        # −∇φ of δ = −dψ/dx is ψ itself
        assert np.allclose(pull(moved, side)[:, 0], psi, atol=0.02 * 0.05)


def test_kick_keeps_the_share_of_the_old_velocity():
    positions = np.full((1, 3), 2.5, np.float32)
    velocities = np.array([[1, 2, 3]], np.float32)
    kick(positions, velocities, np.zeros((8, 8, 8), np.float32), 0.25, 1.0)
    assert velocities.tolist() == [[0.25, 0.5, 0.75]]
