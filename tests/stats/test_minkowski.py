import numpy as np
import pytest

from tenfold.stats.minkowski import field_moments, gaussian_minkowski, minkowski_functionals

NU = np.linspace(-3, 3, 25)


def gaussian_maps(count, side, scale, seed=0):
    """Periodic Gaussian maps of unit variance, smoothed by `scale` pixels."""
    n = np.fft.fftfreq(side)
    kernel = np.exp(-2 * (np.pi * scale * np.hypot(n[:, None], n[: side // 2 + 1])) ** 2)
    white = np.random.default_rng(seed).standard_normal((count, side, side))
    maps = np.fft.irfft2(np.fft.rfft2(white) * kernel, s=(side, side))
    return maps / maps.std()


def discs(side, radius, count=60):
    """Cones around many centres between the pixels, of which `radius` is the contour at 0."""
    x = np.arange(side) - side / 2
    shift = np.random.default_rng(1).uniform(size=(2, count, 1, 1))
    return radius - np.hypot(x[:, None] + shift[0], x + shift[1])


@pytest.mark.parametrize("periodic", [True, False])
def test_a_gaussian_field_has_the_functionals_of_its_two_moments(periodic):
    maps = gaussian_maps(60, 96, 4.0).astype(np.float32)
    measured = minkowski_functionals(maps, NU, periodic=periodic)
    sigma_0, sigma_1 = field_moments(maps, periodic=periodic)
    expected = gaussian_minkowski(NU, np.sqrt((sigma_0**2).mean()), np.sqrt((sigma_1**2).mean()))
    for name in ("v0", "v1", "v2"):
        rows, theory = getattr(measured, name), getattr(expected, name)[0]
        # a map's own error, and 1.5 % of the largest value for the differences' and the top hat's width
        error = rows.std(0) / np.sqrt(len(rows)) + 0.015 / 4 * np.abs(theory).max()
        assert np.abs((rows.mean(0) - theory) / error).max() < 4, name


def test_a_disc_has_its_area_its_contour_and_one_component():
    functionals = minkowski_functionals(discs(100, 30.0), np.linspace(-2, 2, 5), periodic=False, pixel=0.1)
    pixels, area = 98**2, 9.8**2
    radius = 30.0 - functionals.thresholds
    assert np.allclose(functionals.v0.mean(0) * pixels, np.pi * radius**2, rtol=0.01)
    assert np.allclose(functionals.v1.mean(0) * area, 2 * np.pi * radius * 0.1 / 4, rtol=0.01)
    assert np.allclose(functionals.v2.mean(0) * area, 1, rtol=0.01)


def test_a_hole_counts_as_minus_one():
    functionals = minkowski_functionals(-discs(100, 30.0), np.linspace(-2, 2, 5), periodic=False)
    assert np.allclose(functionals.v2.mean(0) * 98**2, -1, rtol=0.01)


def test_stripes_have_two_straight_sides_each():
    step = 2 * np.pi / 32
    phases = np.linspace(0, step, 200, endpoint=False)[:, None, None]
    waves = np.sin(step * np.arange(64)[:, None] + phases) * np.ones(64)
    functionals = minkowski_functionals(waves, np.linspace(-0.4, 0.4, 5), periodic=True)
    # two waves have four lines of 64 pixels; the derivative by differences is sin(h)/h of the derivative
    assert np.allclose(functionals.v1.mean(0) * 64**2, 4 * 64 / 4 * np.sin(step) / step, rtol=0.01)
    assert np.allclose(functionals.v2, 0, atol=1e-15)


def test_the_area_is_that_strictly_above_the_threshold():
    maps = np.arange(16.0).reshape(1, 4, 4)
    functionals = minkowski_functionals(maps, [-1, 3, 7, 15], periodic=True)
    assert (functionals.v0[0] * 16).tolist() == [16, 12, 8, 0]
    assert (minkowski_functionals(maps, [0, 5, 10, 15], periodic=True).v0[0] * 16).tolist() == [15, 10, 5, 0]
    assert (minkowski_functionals(maps.astype(np.float32), [4, 7], periodic=False).v0[0] * 4).tolist() == [4, 2]


def test_uneven_and_even_thresholds_give_the_same_functionals_at_common_thresholds():
    maps = gaussian_maps(3, 32, 2.0)
    even = minkowski_functionals(maps, [-1, 0, 1, 2], periodic=True)
    uneven = minkowski_functionals(maps, [-1, 0, 1, 2, 5], periodic=True)
    for name in ("v0", "v1", "v2"):
        assert np.allclose(getattr(uneven, name)[:, :3], getattr(even, name)[:, :3])


def test_a_flat_map_has_no_contour():
    functionals = minkowski_functionals(np.ones((1, 8, 8)), [0.0, 1.0, 2.0], periodic=True)
    assert functionals.v0[0].tolist() == [1, 0, 0]
    assert not functionals.v1.any() and not functionals.v2.any()


@pytest.mark.parametrize("moved", [lambda m: np.roll(m, (3, -5), (1, 2)), lambda m: np.rot90(m, axes=(1, 2))])
def test_shifts_and_quarter_turns_change_nothing(moved):
    maps = gaussian_maps(3, 32, 2.0)
    before, after = (minkowski_functionals(m, NU, periodic=True) for m in (maps, moved(maps)))
    assert np.allclose(after.rows, before.rows)


def test_functionals_of_chunks_of_maps_equal_those_of_all_maps():
    maps = gaussian_maps(5, 32, 2.0).astype(np.float32)
    rows = [minkowski_functionals(m, NU, periodic=True).rows for m in (maps[:2], maps[2:2], maps[2:])]
    assert np.array_equal(np.concatenate(rows), minkowski_functionals(maps, NU, periodic=True).rows)


def test_moments_of_a_wave():
    wave = 3 * np.sin(2 * np.pi * np.arange(64) / 64)[None, :, None] * np.ones(64)
    sigma_0, sigma_1 = field_moments(wave, periodic=True, pixel=2.0)
    assert np.isclose(sigma_0[0], 3 / np.sqrt(2))
    assert np.isclose(sigma_1[0], 3 / np.sqrt(2) * np.sin(2 * np.pi / 64) / 2)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="thresholds"):
        minkowski_functionals(np.zeros((1, 8, 8)), [0.0], periodic=True)
    with pytest.raises(ValueError, match=r"thresholds.*increasing"):
        minkowski_functionals(np.zeros((1, 8, 8)), [0.0, 0.0], periodic=True)
    with pytest.raises(ValueError, match=r"\(8, 8\)"):
        minkowski_functionals(np.zeros((8, 8)), NU, periodic=True)
