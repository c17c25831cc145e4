import numpy as np
import pytest

from tenfold.pipelines.simulation.lensing.convergence import (
    LensPlanes,
    apply_symmetry,
    convergence_map,
    interpolate_plane,
    pixel_window,
    shape_noise,
    spline_coefficients,
)
from tenfold.pipelines.simulation.lensing.planes import paint_plane, plane_power, project, wavenumbers
from tenfold.pipelines.simulation.lensing.sharpening import fit_sharpening

SIDE = 32


def wave(side, n, phase=0.0):
    """Transform of cos(2π n x + phase) on a plane of side points."""
    x = np.arange(side) / side
    return np.fft.rfft2(np.broadcast_to(np.cos(2 * np.pi * n * x + phase)[:, None], (side, side)), norm="forward")


@pytest.fixture
def positions():
    return np.random.default_rng(1).random((20_000, 3), dtype=np.float32)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_projection_keeps_the_mass(positions, axis):
    plane = paint_plane(positions, axis, SIDE, 1.0)
    assert plane.sum(dtype=np.float64) == pytest.approx(len(positions), rel=1e-5)
    assert project(positions, axis, SIDE)[0, 0] == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_particle_lands_where_it_is(axis):
    position = np.full((1, 3), 0.5, np.float32)
    position[0, (axis + 1) % 3], position[0, (axis + 2) % 3] = 4 / SIDE, 1.0  # the far edge is the near one
    plane = paint_plane(position, axis, SIDE, 1.0)
    assert np.unravel_index(plane.argmax(), plane.shape) == (4, 0)
    assert plane[4, 0] == pytest.approx(4 / 9, rel=1e-5)


def test_planes_are_periodic():
    """Particles moved by whole points, over the edge or not: the plane is rolled by as many."""
    places = np.random.default_rng(2).integers(0, 256, (2_000, 3)) / np.float32(256)  # exact in single precision
    moved = (places + np.array([0, 5, 30], np.float32) / SIDE) % 1
    rolled = np.roll(paint_plane(places.astype(np.float32), 0, SIDE, 1.0), (5, 30), axis=(0, 1))
    assert paint_plane(moved.astype(np.float32), 0, SIDE, 1.0) == pytest.approx(rolled, rel=1e-5, abs=1e-5)


def test_unclustered_particles_have_the_power_of_shot_noise(positions):
    power = np.mean([plane_power(project(positions, axis, 64), 10.0, np.array([2.0, 12.0]))[1] for axis in range(3)])
    assert power == pytest.approx(1000 / len(positions), rel=0.05)


def test_a_spline_goes_through_its_plane():
    modes = wave(SIDE, 3, 0.4)
    seen = np.empty((SIDE, SIDE), np.float32)
    interpolate_plane(spline_coefficients(modes), np.zeros(2), 1.0, seen)
    assert seen == pytest.approx(np.fft.irfft2(modes, norm="forward"), abs=1e-5)


def test_a_spline_is_read_between_points_and_past_the_edge():
    coefficients, seen = spline_coefficients(wave(64, 3)), np.empty((40, 40), np.float32)
    interpolate_plane(coefficients, np.array([60.25, 3.0]), 0.7, seen)
    expected = np.cos(2 * np.pi * 3 * (60.25 + 0.7 * np.arange(40)) / 64)
    assert seen == pytest.approx(np.broadcast_to(expected[:, None], (40, 40)), abs=2e-3)


def test_a_thin_lens_by_hand():
    """One plane, a wave of amplitude 1, weight 0.02: the map is that wave, 0.02 high, stretched by distance."""
    planes = LensPlanes(
        distance=np.array([1000.0]),
        weights=np.array([[0.02, 0.01]]),
        fields=spline_coefficients(wave(64, 1))[None, None],
        box_mpc_h=100.0,
    )
    side_deg = np.degrees(0.1)  # 1000 Mpc/h away that is all of the box
    kappa = convergence_map(planes, side_deg, 50, np.random.default_rng(3))
    assert kappa.shape == (50, 50, 2) and kappa.dtype == np.float32
    assert kappa.std(axis=(0, 1)) == pytest.approx([0.02 / np.sqrt(2), 0.01 / np.sqrt(2)], rel=1e-4)
    assert kappa.mean() == pytest.approx(0, abs=1e-6)
    modes = np.abs(np.fft.fft2(kappa[..., 0], norm="forward"))
    assert sorted(map(tuple, np.argwhere(modes > 1e-3))) in ([(0, 1), (0, 49)], [(1, 0), (49, 0)])
    near = LensPlanes(planes.distance / 2, planes.weights, planes.fields, planes.box_mpc_h)
    half = convergence_map(near, side_deg, 50, np.random.default_rng(3))
    turned = half if np.ptp(half[:, 0, 0]) > np.ptp(half[0, :, 0]) else half.transpose(1, 0, 2)
    assert len(np.flatnonzero(np.diff(np.sign(turned[:, 0, 0])))) == 1  # half a wave


def test_the_mean_convergence_of_many_maps_is_zero():
    rng = np.random.default_rng(5)
    white = np.fft.rfft2(rng.standard_normal((SIDE, SIDE)), norm="forward")
    white[0, 0] = 0
    fields = spline_coefficients(white)[None, None]
    planes = LensPlanes(np.array([500.0]), np.array([[1.0]]), fields, 100.0)
    means = [convergence_map(planes, 4.0, 16, np.random.default_rng(seed)).mean() for seed in range(400)]
    assert abs(np.mean(means)) < 4 * np.std(means) / 20


def test_pixels_average_over_their_area():
    """A wave averaged over a pixel of half its length is 2/π as high."""
    window = pixel_window(SIDE, 100.0, 50.0)
    assert window[1, 0] == window[0, 1] == pytest.approx(2 / np.pi)
    assert window[0, 0] == 1 and window[2, 0] == pytest.approx(0, abs=1e-12)
    smooth = pixel_window(SIDE, 100.0, 0.0, 10.0)
    assert smooth == pytest.approx(np.exp(-0.5 * (wavenumbers(SIDE, 100.0) * 10) ** 2))


def test_the_symmetries_of_the_square_are_eight():
    image = np.arange(9).reshape(3, 3)
    assert len({apply_symmetry(image, which).tobytes() for which in range(8)}) == 8


@pytest.mark.parametrize("smoothing", [0.0, 2.0])
def test_shape_noise_has_its_variance(smoothing):
    noise = shape_noise(256, 256 / 60, 0.3, 30.0, smoothing, np.random.default_rng(1))  # pixels of an arcminute
    smoothed = 1.0 if not smoothing else 1 / (4 * np.pi * smoothing**2)
    assert noise.shape == (256, 256) and noise.dtype == np.float32
    assert noise.var() == pytest.approx(0.3**2 / 30 * smoothed, rel=0.1)


def test_sharpening_corrects_the_shape_and_optionally_the_amplitude():
    redshift, k = np.linspace(0, 1, 10), np.geomspace(0.8, 5, 16)
    x = np.log(k / 0.8)
    lost = np.exp(-(0.3 + 0.1 * redshift[:, None]) * x**2)
    shape, power = (
        fit_sharpening(k, 1.2 * lost, np.full(16, 500.0), redshift, (0.8, 5.0), w) for w in ("shape", "power")
    )
    for n, z in enumerate(redshift):
        assert shape.factor(k, z) ** 2 * lost[n] == pytest.approx(np.ones(16), rel=1e-6)
        assert power.factor(k, z) ** 2 * 1.2 * lost[n] == pytest.approx(np.ones(16), rel=1e-6)
    assert shape.factor(np.array([0.1, 0.8]), 0.5) == pytest.approx([1, 1])
    assert power.factor(np.array([0.1, 0.2, 0.4, 0.8]), 0.5) ** -2 == pytest.approx([1, 1, 1.2**0.5, 1.2])
    for sharpening in (shape, power):
        assert sharpening.factor(np.array([12.0]), 0.5)[0] < 0.01  # noise is not lifted
