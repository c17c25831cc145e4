import numpy as np
import pytest

from tenfold.stats.wavelets import starlet, starlet_l1

EVERYWHERE = [-100.0, 0.0, 100.0]


def noise(count=3, side=32, seed=0):
    return np.random.default_rng(seed).standard_normal((count, side, side))


@pytest.mark.parametrize("periodic", [True, False])
def test_the_scales_add_up_to_the_map(periodic):
    maps = noise(side=33)
    assert np.allclose(starlet(maps, 5, periodic=periodic).sum(axis=1), maps, atol=1e-14)
    single = maps.astype(np.float32)
    assert np.allclose(starlet(single, 5, periodic=periodic).sum(axis=1), single, atol=1e-6)


def test_the_smooth_scale_of_a_single_pixel_is_the_spline():
    point = np.zeros((1, 16, 16))
    point[0, 8, 8] = 1
    fine, coarse, rest = starlet(point, 2, periodic=True)[0]
    spline = np.array([1, 4, 6, 4, 1]) / 16
    square = np.outer(spline, spline)
    assert np.allclose(-fine[6:11, 6:11] + point[0, 6:11, 6:11], square)
    holes = np.zeros(9)
    holes[::2] = spline  # "à trous": the same spline on every second pixel
    twice = np.convolve(spline, holes)
    assert np.allclose(rest[2:15, 2:15], np.outer(twice, twice))
    assert np.isclose(coarse[8, 8], square[2, 2] - twice[6] ** 2)


def test_white_noise_has_the_known_deviation_at_each_scale():
    # the root of the summed squares of the response to one pixel, published for the B3 spline in two dimensions
    # (Starck & Murtagh, Astronomical Image and Data Analysis)
    point = np.zeros((1, 256, 256))
    point[0, 0, 0] = 1
    response = starlet(point, 5, periodic=True)[0, :5]
    known = [0.890796, 0.200664, 0.085508, 0.041217, 0.020425]
    assert np.allclose(np.sqrt((response**2).sum(axis=(1, 2))), known, atol=1e-6)


@pytest.mark.parametrize("periodic", [True, False])
def test_wavelet_coefficients_of_a_constant_are_zero(periodic):
    flat = starlet(np.full((1, 16, 16), 3.0), 3, periodic=periodic)[0]
    assert np.allclose(flat[:3], 0, atol=1e-15) and np.allclose(flat[3], 3)
    if periodic:
        assert np.allclose(starlet(noise(), 3, periodic=True)[:, :3].mean(axis=(2, 3)), 0, atol=1e-15)


def test_a_ramp_is_smooth_inside():
    ramp = np.add.outer(np.arange(32.0), 2 * np.arange(32.0))[None]
    assert np.allclose(starlet(ramp, 2, periodic=False)[0, :2, 6:-6, 6:-6], 0, atol=1e-13)


def test_open_maps_are_mirrored_at_the_border_pixels():
    maps = noise(side=9)
    mirrored = np.concatenate([maps, maps[:, -2:0:-1]], axis=1)
    mirrored = np.concatenate([mirrored, mirrored[:, :, -2:0:-1]], axis=2)
    assert np.allclose(starlet(maps, 3, periodic=False), starlet(mirrored, 3, periodic=True)[:, :, :9, :9])


def test_the_norm_is_the_sum_of_absolute_coefficients_by_bin():
    maps = noise()
    coefficients = starlet(maps, 3, periodic=False)
    measured = starlet_l1(maps, np.linspace(-2, 2, 9), scales=3, periodic=False)
    for m, j in np.ndindex(3, 4):
        values = coefficients[m, j].ravel()
        assert np.allclose(measured.l1[m, j], np.histogram(values, np.linspace(-2, 2, 9), weights=np.abs(values))[0])
    everything = starlet_l1(maps, EVERYWHERE, scales=3, periodic=False)
    assert np.allclose(everything.l1.sum(axis=2), np.abs(coefficients).sum(axis=(2, 3)))
    assert everything.rows.shape == (3, 8)


def test_each_scale_may_have_its_own_bins():
    edges = np.array([[-2, 0, 2], [-0.5, 0, 0.1], [-1, 0.2, 1]])
    measured = starlet_l1(noise(), edges, scales=2, periodic=True)
    for j in range(3):
        assert np.allclose(measured.l1[:, j], starlet_l1(noise(), edges[j], scales=2, periodic=True).l1[:, j])


@pytest.mark.parametrize("moved", [lambda m: np.roll(m, (3, -5), (1, 2)), lambda m: np.rot90(m, axes=(1, 2))])
def test_shifts_and_quarter_turns_change_nothing(moved):
    edges = np.linspace(-1, 1, 6)
    before, after = (starlet_l1(m, edges, periodic=True).l1 for m in (noise(), moved(noise())))
    assert np.allclose(after, before)


def test_coefficients_of_chunks_of_maps_equal_those_of_all_maps():
    maps = noise(5).astype(np.float32)
    rows = [starlet_l1(m, EVERYWHERE, periodic=True).rows for m in (maps[:2], maps[2:2], maps[2:])]
    assert np.array_equal(np.concatenate(rows), starlet_l1(maps, EVERYWHERE, periodic=True).rows)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"scales: .* 16 pixels per side, found 4"):
        starlet(np.zeros((1, 16, 16)), 4, periodic=True)
    with pytest.raises(ValueError, match=r"edges: .*\(3, bins \+ 1\) is needed, found \(2, 3\)"):
        starlet_l1(np.zeros((1, 16, 16)), [[0, 1, 2]] * 2, scales=2, periodic=True)
    with pytest.raises(ValueError, match=r"\(16, 16\)"):
        starlet(np.zeros((16, 16)), 2, periodic=True)
