"""Differentiable statistics: waves and spikes computed by hand, and agreement with `tenfold.stats`."""

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tenfold.emulators.differentiable_statistics import (
    SOFT_PEAK_WIDTH,
    band_pass,
    contour_integrals,
    histogram_by_threshold,
    mean_excess,
    minkowski_integrals,
    peak_mask,
    soft_peak_mask,
    starlet_transform,
    third_moments,
)
from tenfold.emulators.lognormal import bispectrum_band_edges, wavenumbers
from tenfold.stats.bispectrum import bispectrum
from tenfold.stats.minkowski import minkowski_functionals
from tenfold.stats.wavelets import starlet


def test_a_pixel_contributes_to_the_two_bins_it_lies_between():
    """−3 is below all thresholds, 0.5 half-way from 0 to 1, 1.75 nearer to 2, and 5 above all thresholds."""
    x, thresholds = np.array([-3, 0.5, 1.75, 5], np.float32).reshape(1, 1, 2, 2), (0.0, 1.0, 2.0, 3.0)
    histogram = np.asarray(histogram_by_threshold(mean_excess(x, thresholds), thresholds))[0, :, 0]
    np.testing.assert_allclose(histogram * 4, [0.5 + 0.25, 0.75, 5 - 2, 5 - 3], rtol=1e-5)


def test_a_spike_with_a_higher_neighbour_is_not_a_peak():
    x = np.zeros((1, 1, 16, 16), np.float32)
    x[0, 0, 4, 7], x[0, 0, 4, 8] = 5, 6
    mask = np.asarray(peak_mask(keras.ops.convert_to_tensor(x)))[0, 0]
    assert np.argwhere(mask).tolist() == [[3, 7]]


def test_a_soft_peak_is_one_half_where_its_highest_neighbour_is_equal():
    x = np.zeros((3, 1, 16, 16), np.float32)
    x[:, 0, 4, 7], x[:, 0, 4, 8] = 5, [5, 5 - SOFT_PEAK_WIDTH / 2, 5 - 2 * SOFT_PEAK_WIDTH]
    mask = np.asarray(soft_peak_mask(keras.ops.convert_to_tensor(x)))[:, 0]
    np.testing.assert_allclose(mask[:, 3, 6], [0.5, 0.75, 1], atol=1e-5)
    np.testing.assert_allclose(mask[:, 3, 7], [0.5, 0.25, 0], atol=1e-5)


def test_starlets_agree_with_stats_away_from_the_edges():
    maps = np.random.default_rng(0).standard_normal((2, 64, 64)).astype(np.float32)
    expected = starlet(maps, 3, periodic=True)
    scales = starlet_transform(keras.ops.convert_to_tensor(maps[:, None]), 3)
    assert len(scales) == expected.shape[1]
    for scale, coefficients in enumerate(scales):
        edge = (64 - coefficients.shape[-1]) // 2
        inner = expected[:, scale, edge : 64 - edge, edge : 64 - edge]
        np.testing.assert_allclose(np.asarray(coefficients)[:, 0], inner, atol=1e-6)


def test_minkowski_integrals_of_squares_and_a_ring():
    """A square of 3² pixels: half perimeter 6, one component; a ring of 8 pixels with a hole: 6 + 2, and 1 − 1."""
    maps = np.zeros((3, 1, 16, 16), np.float32)
    maps[0, 0, 4:7, 4:7] = 1
    maps[1] = maps[0]
    maps[1, 0, 5, 5] = 0
    maps[2] = maps[0] + np.roll(maps[0], 6, axis=2)  # two components
    x = keras.ops.convert_to_tensor(maps)
    integrals = np.asarray(minkowski_integrals(x, mean_excess(x, (0.5,)), (0.5,)))
    n_pixels, n_pairs, n_squares = 16 * 16, 16 * 15, 15 * 15  # of a map
    pixels, pairs, squares = np.array([9, 8, 18]), np.array([12, 8, 24]), np.array([4, 0, 8])
    euler = 0.5 * (pixels / n_pixels - pairs / n_pairs + squares / n_squares)
    np.testing.assert_allclose(integrals[:, 0, 1], euler, atol=1e-6)
    np.testing.assert_allclose(integrals[:, 0, 0], 0.5 * (2 * pixels / n_pixels - pairs / n_pairs), atol=1e-6)
    assert (pixels - pairs + squares).tolist() == [1, 0, 2]
    assert (2 * pixels - pairs).tolist() == [6, 8, 12]


@pytest.fixture
def small_slope_floor(monkeypatch):
    """Lower the floor of |∇x|² so that it does not bias the curvature."""
    monkeypatch.setattr("tenfold.emulators.differentiable_statistics.SLOPE_FLOOR", 1e-5)


@pytest.mark.usefixtures("small_slope_floor")
def test_contours_of_a_plane_are_straight_and_those_of_a_paraboloid_are_circles():
    """|∇x| is 3 on the plane and r on the paraboloid; times the curvature, 0 and 1 / r, it is 0 and 1."""
    across, down = np.meshgrid(np.arange(-8.0, 8), np.arange(-8.0, 8))
    radius = np.hypot(across, down)
    maps = np.stack([3 * across, 40 - radius**2 / 2])[:, None].astype(np.float32)
    integrals = np.asarray(contour_integrals(keras.ops.convert_to_tensor(maps), (0.0, 15.0)))
    for n, (length, curvature) in enumerate([(np.full((16, 16), 3.0), radius * 0), (radius, np.sign(radius))]):
        for t, threshold in enumerate((0.0, 15.0)):
            excess = np.clip(maps[n, 0] - threshold, 0, None)[1:-1, 1:-1]
            assert integrals[n, t, 0] == pytest.approx((excess * length[1:-1, 1:-1]).mean(), rel=1e-3)
            assert integrals[n, t, 1] == pytest.approx((excess * curvature[1:-1, 1:-1]).mean(), rel=1e-3)


@pytest.mark.usefixtures("small_slope_floor")
def test_contour_integrals_agree_with_stats():
    """V1 and V2 of smooth noise, integrated twice from each threshold upwards."""
    maps = gaussian_filter(np.random.default_rng(0).normal(size=(4, 128, 128)), (0, 2, 2))
    maps /= maps.std()
    levels, thresholds = np.linspace(-4, 6, 201), (-0.5, 0.5, 1.5)
    expected = minkowski_functionals(maps, levels, periodic=False)
    integrals = np.asarray(contour_integrals(keras.ops.convert_to_tensor(maps[:, None].astype(np.float32)), thresholds))
    for t, threshold in enumerate(thresholds):
        weight = np.clip(levels - threshold, 0, None) * (levels[1] - levels[0])
        np.testing.assert_allclose(integrals[:, t, 0] / 4, (expected.v1 * weight).sum(axis=1), rtol=0.01)
        np.testing.assert_allclose(integrals[:, t, 1] / (2 * np.pi), (expected.v2 * weight).sum(axis=1), rtol=0.03)


def test_third_moments_of_two_fields_of_different_size():
    coarse = np.random.default_rng(0).standard_normal((1, 1, 8, 8)).astype(np.float32)
    fine = np.float32(np.arange(12 * 12).reshape(1, 1, 12, 12))
    fine_skewness, mixed, coarse_skewness = third_moments([keras.ops.convert_to_tensor(x) for x in (fine, coarse)])
    assert np.asarray(fine_skewness)[0, 0] == pytest.approx((fine[0, 0, 2:10, 2:10] ** 3).mean(), rel=1e-4)
    assert np.asarray(coarse_skewness)[0, 0] == pytest.approx((coarse**3).mean(), rel=1e-4)
    assert np.asarray(mixed)[0, 0] == pytest.approx((coarse[0, 0] * fine[0, 0, 2:10, 2:10] ** 2).mean(), rel=1e-4)


def test_third_moments_of_band_passed_maps_are_bispectra():
    side = 24
    maps = np.exp(gaussian_filter(np.random.default_rng(0).normal(size=(3, side, side)), (0, 1, 1), mode="wrap"))
    edges = bispectrum_band_edges(side)
    assert edges[-1] == side / 3
    k, bands = wavenumbers(side), len(edges) - 1
    inside = np.stack([(edges[n] <= k) & (k < edges[n + 1]) for n in range(bands)]).astype(np.float32)
    moments = third_moments(band_pass(keras.ops.convert_to_tensor(maps[:, None].astype(np.float32)), inside))
    triangles = [(bands - 1 - coarse, *[bands - 1 - fine] * 2) for coarse in range(bands) for fine in range(coarse + 1)]
    expected = bispectrum(maps, 360.0, edges - 1e-6, triangles)
    mean = expected.bispectrum * expected.triangles / np.deg2rad(360.0) ** 4  # of the product of three fields
    np.testing.assert_allclose(np.concatenate(moments, axis=1), mean, rtol=1e-3, atol=1e-6)
