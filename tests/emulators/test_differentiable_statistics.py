"""What a critic is told of maps: hand-checkable waves and spikes, and the same starlets as the statistics' own."""

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tenfold.emulators.differentiable_statistics import (
    SOFT_PEAK_WIDTH,
    SummaryStatistics,
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
from tenfold.emulators.intensity import IntensityTransform
from tenfold.emulators.lognormal import bispectrum_band_edges, n_statistics, power_band_edges, wavenumbers
from tenfold.stats.bispectrum import bispectrum
from tenfold.stats.minkowski import minkowski_functionals
from tenfold.stats.wavelets import starlet


def told(
    x: np.ndarray,
    thresholds: tuple[float, ...],
    heights: tuple[float, ...] = (0.0, 1.0),
    scales: int = 1,
    counted: bool = False,
) -> tuple[np.ndarray, int]:
    """Answers on maps (n, N, N) that are arcsinh κ, and how many of the first are powers."""
    edges = power_band_edges(x.shape[1])
    arcsinh = vars(IntensityTransform(scale=(1.0,)))
    summary = SummaryStatistics(edges, thresholds, heights, np.ones((scales + 1, 1)), 1.0, arcsinh, counted)
    summary.build((*x.shape, 1))
    answers = summary.statistics(keras.ops.convert_to_tensor(x[..., None].astype(np.float32)))
    return np.asarray(answers), 2 * (len(edges) - 1)


def test_one_wave_has_its_power_in_one_band():
    k, side = 3, 16
    wave = np.sqrt(2) * np.cos(2 * np.pi * k * np.arange(side) / side)[None, :, None] * np.ones((1, 1, side))
    answers, bands = told(wave, (0.0,))
    edges = power_band_edges(side)
    band = np.digitize(k, edges) - 1
    count = (np.digitize(wavenumbers(side), edges) == band + 1).sum()
    assert answers[0, band] == pytest.approx(np.log(side**2 / count), rel=1e-4)
    assert (np.delete(answers[0, : bands // 2], band) < -15).all()
    above = np.clip(np.sqrt(2) * np.cos(2 * np.pi * k * np.arange(side) / side), 0, None).mean()
    assert answers[0, bands] == pytest.approx(above, rel=1e-4)


def test_a_spike_and_a_hole_exceed_each_threshold_above_and_below():
    """Of 16² pixels one is 5 and one is −3: by how much they exceed thresholds; as extremes, of inner pixels."""
    x = np.zeros((1, 16, 16))
    x[0, 4, 7], x[0, 9, 9] = 5, -3
    answers, bands = told(x, (1.0, 2.0), (-2.0, 1.0, 4.0))
    pixels, tops = answers[0, bands : bands + 4], answers[0, bands + 4 : bands + 10]
    np.testing.assert_allclose(pixels * 16**2, [4, 2, 3, 1], rtol=1e-5)  # 5 over 1, −(−3) over 1, over 2 …
    np.testing.assert_allclose(tops * 14**2, [7, 5, 4, 2, 1, 0], rtol=1e-5)


def test_a_spike_and_a_hole_are_counted_by_height():
    """6 lies half way between 5 and 7, and half a step over 5; 4 lies half way between 3 and 5."""
    x = np.zeros((1, 16, 16))
    x[0, 4, 7], x[0, 9, 9] = 6, -4
    heights = (1.0, 3.0, 5.0, 7.0)  # about 3, about 5, over 5, over 7
    answers, bands = told(x, heights, heights, counted=True)
    pixels, tops = answers[0, bands : bands + 8].reshape(4, 2), answers[0, bands + 8 : bands + 16].reshape(4, 2)
    np.testing.assert_allclose(pixels.T * 16**2, [[0, 0.5, 0.5, 0], [0.5, 0.5, 0, 0]], atol=1e-4)
    np.testing.assert_allclose(tops.T * 14**2, [[0, 0.5, 0.5, 0], [0.5, 0.5, 0, 0]], atol=1e-4)


def test_values_count_for_the_heights_they_lie_between():
    """Of four pixels −3 is below all heights, 0.5 lies half way from 0 to 1, 1.75 nearer to 2, and 5 is beyond all."""
    x, heights = np.array([-3, 0.5, 1.75, 5], np.float32).reshape(1, 1, 2, 2), (0.0, 1.0, 2.0, 3.0)
    counted = np.asarray(histogram_by_threshold(mean_excess(x, heights), heights))[0, :, 0]
    np.testing.assert_allclose(counted * 4, [0.5 + 0.25, 0.75, 5 - 2, 5 - 3], rtol=1e-5)


def test_power_is_that_of_the_map_and_that_of_kappa():
    """A spike has as much in every mode: its height squared over the pixels, 5² in the map and sinh²(5) in κ."""
    x = np.zeros((1, 16, 16))
    x[0, 4, 7] = 5
    answers, bands = told(x, (0.0,))
    powers = np.exp(answers[0, :bands]).reshape(2, -1) * 16**2
    np.testing.assert_allclose(powers, np.array([[25], [np.sinh(5) ** 2]]) * np.ones_like(powers), rtol=1e-3)


def test_a_spike_that_has_a_higher_neighbour_is_no_peak():
    x = np.zeros((1, 1, 16, 16), np.float32)
    x[0, 0, 4, 7], x[0, 0, 4, 8] = 5, 6
    found = np.asarray(peak_mask(keras.ops.convert_to_tensor(x)))[0, 0]
    assert np.argwhere(found).tolist() == [[3, 7]]


def test_a_soft_peak_is_half_one_where_its_highest_neighbour_is_as_high():
    x = np.zeros((3, 1, 16, 16), np.float32)
    x[:, 0, 4, 7], x[:, 0, 4, 8] = 5, [5, 5 - SOFT_PEAK_WIDTH / 2, 5 - 2 * SOFT_PEAK_WIDTH]
    found = np.asarray(soft_peak_mask(keras.ops.convert_to_tensor(x)))[:, 0]
    np.testing.assert_allclose(found[:, 3, 6], [0.5, 0.75, 1], atol=1e-5)
    np.testing.assert_allclose(found[:, 3, 7], [0.5, 0.25, 0], atol=1e-5)


def test_starlets_are_those_of_the_statistics_away_from_the_edges():
    maps = np.random.default_rng(0).standard_normal((2, 64, 64)).astype(np.float32)
    whole = starlet(maps, 3, periodic=True)
    found = starlet_transform(keras.ops.convert_to_tensor(maps[:, None]), 3)
    assert len(found) == whole.shape[1]
    for scale, each in enumerate(found):
        cut = (64 - each.shape[-1]) // 2
        np.testing.assert_allclose(np.asarray(each)[:, 0], whole[:, scale, cut : 64 - cut, cut : 64 - cut], atol=1e-6)


def test_minkowski_functionals_of_squares_and_a_ring():
    """A square of 3² pixels: half its perimeter is 6 and it is one piece; a ring of 8 with a hole: 6 + 2, and 1 − 1."""
    maps = np.zeros((3, 1, 16, 16), np.float32)
    maps[0, 0, 4:7, 4:7] = 1
    maps[1] = maps[0]
    maps[1, 0, 5, 5] = 0
    maps[2] = maps[0] + np.roll(maps[0], 6, axis=2)  # two pieces
    given = keras.ops.convert_to_tensor(maps)
    found = np.asarray(minkowski_integrals(given, mean_excess(given, (0.5,)), (0.5,)))
    single, pair, square = 16 * 16, 16 * 15, 15 * 15  # of how many each is a mean
    pixels, pairs, squares = np.array([9, 8, 18]), np.array([12, 8, 24]), np.array([4, 0, 8])
    euler = 0.5 * (pixels / single - pairs / pair + squares / square)
    np.testing.assert_allclose(found[:, 0, 1], euler, atol=1e-6)
    np.testing.assert_allclose(found[:, 0, 0], 0.5 * (2 * pixels / single - pairs / pair), atol=1e-6)
    assert (pixels - pairs + squares).tolist() == [1, 0, 2]
    assert (2 * pixels - pairs).tolist() == [6, 8, 12]


@pytest.fixture
def steep(monkeypatch):
    """Whatever slopes at all counts as a slope."""
    monkeypatch.setattr("tenfold.emulators.differentiable_statistics.SLOPE_FLOOR", 1e-5)


@pytest.mark.usefixtures("steep")
def test_contours_of_a_slope_are_straight_and_those_of_a_hill_are_circles():
    """|∇x| is 3 on the slope and r on the hill; times the curvature, 0 and 1 / r, it is 0 and 1 but for the hilltop."""
    across, down = np.meshgrid(np.arange(-8.0, 8), np.arange(-8.0, 8))
    radius = np.hypot(across, down)
    maps = np.stack([3 * across, 40 - radius**2 / 2])[:, None].astype(np.float32)
    found = np.asarray(contour_integrals(keras.ops.convert_to_tensor(maps), (0.0, 15.0)))
    for n, (length, curvature) in enumerate([(np.full((16, 16), 3.0), radius * 0), (radius, np.sign(radius))]):
        for t, threshold in enumerate((0.0, 15.0)):
            over = np.clip(maps[n, 0] - threshold, 0, None)[1:-1, 1:-1]
            assert found[n, t, 0] == pytest.approx((over * length[1:-1, 1:-1]).mean(), rel=1e-3)
            assert found[n, t, 1] == pytest.approx((over * curvature[1:-1, 1:-1]).mean(), rel=1e-3)


@pytest.mark.usefixtures("steep")
def test_contours_are_those_of_the_statistics():
    """V1 and V2 of smooth noise, integrated twice from each threshold upwards."""
    maps = gaussian_filter(np.random.default_rng(0).normal(size=(4, 128, 128)), (0, 2, 2))
    maps /= maps.std()
    at, thresholds = np.linspace(-4, 6, 201), (-0.5, 0.5, 1.5)
    judged = minkowski_functionals(maps, at, periodic=False)
    found = np.asarray(contour_integrals(keras.ops.convert_to_tensor(maps[:, None].astype(np.float32)), thresholds))
    for t, threshold in enumerate(thresholds):
        weight = np.clip(at - threshold, 0, None) * (at[1] - at[0])
        np.testing.assert_allclose(found[:, t, 0] / 4, (judged.v1 * weight).sum(axis=1), rtol=0.01)
        np.testing.assert_allclose(found[:, t, 1] / (2 * np.pi), (judged.v2 * weight).sum(axis=1), rtol=0.03)


def test_small_structure_where_the_large_is_high_is_seen():
    one = np.random.default_rng(0).standard_normal((1, 1, 8, 8)).astype(np.float32)
    other = np.float32(np.arange(12 * 12).reshape(1, 1, 12, 12))
    skewness, found, own = third_moments([keras.ops.convert_to_tensor(each) for each in (other, one)])
    assert np.asarray(skewness)[0, 0] == pytest.approx((other[0, 0, 2:10, 2:10] ** 3).mean(), rel=1e-4)
    assert np.asarray(own)[0, 0] == pytest.approx((one**3).mean(), rel=1e-4)
    assert np.asarray(found)[0, 0] == pytest.approx((one[0, 0] * other[0, 0, 2:10, 2:10] ** 2).mean(), rel=1e-4)


@pytest.mark.parametrize("counted", [False, True])
def test_it_tells_as_many_numbers_as_are_counted(counted):
    x = np.random.default_rng(0).standard_normal((4, 32, 32))
    answers, bands = told(x, (0.0, 1.0), (-1.0, 0.0, 1.0), 2, counted)
    assert answers.shape == (
        4,
        n_statistics(bands // 2, 2, 3, 3, len(bispectrum_band_edges(32)) - 1 if counted else 0, 1),
    )


def test_waves_crossed_are_the_bispectra_of_the_statistics():
    side = 24
    maps = np.exp(gaussian_filter(np.random.default_rng(0).normal(size=(3, side, side)), (0, 1, 1), mode="wrap"))
    edges = bispectrum_band_edges(side)
    assert edges[-1] == side / 3
    k, bands = wavenumbers(side), len(edges) - 1
    inside = np.stack([(edges[n] <= k) & (k < edges[n + 1]) for n in range(bands)]).astype(np.float32)
    found = third_moments(band_pass(keras.ops.convert_to_tensor(maps[:, None].astype(np.float32)), inside))
    triangles = [(bands - 1 - wide, *[bands - 1 - narrow] * 2) for wide in range(bands) for narrow in range(wide + 1)]
    judged = bispectrum(maps, 360.0, edges - 1e-6, triangles)
    mean = judged.bispectrum * judged.triangles / np.deg2rad(360.0) ** 4  # of the product of three fields
    np.testing.assert_allclose(np.concatenate(found, axis=1), mean, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("counted", [False, True])
def test_a_gradient_of_a_gradient_is_the_same_to_the_bit_however_often_it_is_taken(counted):
    """So that a training that was interrupted ends where it would have ended."""
    import tensorflow as tf

    x = tf.constant(np.random.default_rng(0).standard_normal((8, 16, 16, 1)).astype(np.float32))
    arcsinh = vars(IntensityTransform(scale=(1.0,)))
    summary = SummaryStatistics(
        power_band_edges(16), (-0.5, 0.5, 1.5), (-0.5, 0.5), np.ones((2, 1)), 1.0, arcsinh, counted
    )
    summary.build(x.shape)

    @tf.function(autograph=False)
    def gradients(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                answers = summary.statistics(x)
                total = tf.reduce_sum(answers * tf.range(1.0, answers.shape[1] + 1.0))
            first = inner.gradient(total, x)
            steep = tf.reduce_sum(first**2)
        return first, outer.gradient(steep, x)

    found = [tuple(each.numpy().tobytes() for each in gradients(x)) for _ in range(50)]
    assert len(set(found)) == 1
