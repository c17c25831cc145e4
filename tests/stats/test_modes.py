import numpy as np
import pytest
import scipy.fft

from tenfold.stats.modes import mesh_modes, power_grid, wavenumbers
from tenfold.stats.power import overdensity, power_spectrum, spectrum_of_modes


def waves(side, n, phase=0.0, moved=0.0):
    """The continuous wave cos(2π n·x/N + phase), sampled at the cells of a mesh, all moved by +`moved` cells."""
    x = np.arange(side) - moved
    return np.cos(2 * np.pi / side * (n[0] * x[:, None, None] + n[1] * x[:, None] + n[2] * x) + phase)


def painted(positions, side, order, moved=0.0):
    """Counts by NGP (order 1) or CIC (order 2), cell i centred at i, of particles moved by +`moved` cells."""
    counts = np.zeros((side,) * 3)
    places = positions + moved
    if order == 1:
        np.add.at(counts, tuple(np.rint(places).astype(int).T % side), 1.0)
        return counts
    low = np.floor(places).astype(int)
    part = places - low
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=1)
        np.add.at(counts, tuple((low + corner).T % side), weight)
    return counts


def test_modes_without_a_window_are_those_of_the_transform():
    delta = np.random.default_rng(0).standard_normal((8, 8, 8)).astype(np.float32)
    modes = mesh_modes(delta)
    assert modes.dtype == np.complex64
    assert np.allclose(modes, np.fft.rfftn(delta), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_a_window_is_divided_out_by_its_order_or_by_its_values(order):
    n = np.array((3, -2, 1))
    damping = np.prod(np.sinc(n / 16)) ** order
    exact = np.fft.rfftn(waves(16, n))
    for window in (order, np.sinc(np.fft.fftfreq(16)) ** order):
        assert np.allclose(mesh_modes(waves(16, n) * damping, window=window), exact, atol=1e-9)


def test_interlacing_leaves_waves_alone_and_removes_their_odd_aliases():
    # a wave and two waves that a mesh of 16 cells cannot tell from it: one period more along one axis, or along two
    true, odd, even = (2, -1, 3), (18, -1, 3), (18, 15, 3)
    meshes = [[waves(16, n, 0.3, moved) for moved in (0.0, 0.5)] for n in (true, odd, even)]
    assert np.allclose(meshes[1][0], meshes[0][0])
    for (plain, shifted), kept in zip(meshes, (1.0, 0.0, 1.0), strict=True):
        modes = mesh_modes(plain, shifted=shifted)
        assert np.allclose(modes[2, -1, 3], kept * np.exp(0.3j) * 16**3 / 2)
        assert np.allclose(np.abs(modes).sum(), kept * 16**3 / 2)


@pytest.mark.parametrize(("order", "gain"), [(1, 1.5), (2, 3)])
def test_interlaced_and_deconvolved_modes_are_nearer_those_of_the_particles(order, gain):
    side, rng = 16, np.random.default_rng(1)
    positions = rng.uniform(0, side, (4000, 3))
    n = np.fft.fftfreq(side, 1 / side)
    turns = [np.exp(-2j * np.pi / side * np.outer(n, positions[:, axis])) for axis in range(3)]
    exact = np.einsum("xp,yp,zp->xyz", turns[0], turns[1], turns[2][: side // 2 + 1], optimize=True)
    plain = painted(positions, side, order)
    shifted = painted(positions, side, order, moved=0.5)
    size = np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + n[: side // 2 + 1] ** 2)
    inside = (size > 0) & (size < 4)
    alone, both = (mesh_modes(plain, window=order, **more) for more in ({}, {"shifted": shifted}))
    errors = [np.sqrt((np.abs(estimate - exact)[inside] ** 2).mean()) for estimate in (alone, both)]
    assert errors[1] * gain < errors[0], errors


def test_the_spectrum_of_modes_is_the_spectrum_of_the_cube():
    delta = np.random.default_rng(2).standard_normal((12, 12, 12))
    one, two = spectrum_of_modes(mesh_modes(delta, window=2), 50.0), power_spectrum(delta, 50.0, window_order=2)
    assert np.allclose(one.power, two.power)
    assert np.array_equal(one.modes, two.modes) and np.array_equal(one.k, two.k)


def test_the_grid_of_powers_holds_the_variance():
    delta = np.random.default_rng(3).standard_normal((8, 8, 8))
    power = power_grid(mesh_modes(delta), 50.0)
    twice = np.where((np.arange(5) == 0) | (np.arange(5) == 4), 1, 2)
    assert np.isclose((power * twice).sum() / 50.0**3, (delta**2).mean())
    kx, ky, kz = wavenumbers(8, 50.0)
    size = np.sqrt(kx**2 + ky**2 + kz**2)
    assert size.shape == power.shape
    assert np.isclose(size[-1, 2, 4], 2 * np.pi / 50 * np.sqrt(1 + 4 + 16))
    assert np.allclose(power_grid(mesh_modes(delta), 50.0, other=mesh_modes(-2 * delta)), -2 * power)


def test_a_poisson_field_is_flat_mode_by_mode():
    counts = np.random.default_rng(4).poisson(4.0, (24, 24, 24))
    power = power_grid(np.asarray(scipy.fft.rfftn(overdensity(counts))), 100.0)[:, :, 1:12] * counts.sum() / 100.0**3
    for axis in range(3):  # exponentially distributed about 1 whatever the direction
        planes = power.mean(axis=tuple(i for i in range(3) if i != axis))
        assert np.abs((planes - 1) * np.sqrt(power.size / len(planes))).max() < 4.5
    assert np.isclose((power < np.log(2)).mean(), 0.5, atol=0.02)


def test_wrong_input_is_named():
    cube = np.zeros((4, 4, 4))
    with pytest.raises(ValueError, match=r"cube.*\(4, 4, 5\)"):
        mesh_modes(np.zeros((4, 4, 5)))
    with pytest.raises(ValueError, match="order of at least 0"):
        mesh_modes(cube, window=-1)
    with pytest.raises(ValueError, match=r"window: shape \(4,\) without zeros"):
        mesh_modes(cube, window=np.zeros(4))
    with pytest.raises(ValueError, match="shifted"):
        mesh_modes(cube, shifted=np.zeros((5, 5, 5)))
    with pytest.raises(ValueError, match=r"modes.*\(4, 4, 4\)"):
        power_grid(cube, 1.0)
    with pytest.raises(ValueError, match="box_mpc_h"):
        power_grid(mesh_modes(cube), 0.0)
