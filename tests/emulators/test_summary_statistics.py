"""Layer of summary statistics: waves and spikes computed by hand, number of statistics, reproducible gradients."""

import keras
import numpy as np
import pytest

from tenfold.emulators.intensity import IntensityTransform
from tenfold.emulators.lognormal import bispectrum_band_edges, n_statistics, power_band_edges, wavenumbers
from tenfold.emulators.summary_statistics import SummaryStatistics


def statistics(
    x: np.ndarray,
    thresholds: tuple[float, ...],
    heights: tuple[float, ...] = (0.0, 1.0),
    scales: int = 1,
    histograms: bool = False,
) -> tuple[np.ndarray, int]:
    """Raw statistics of maps (n, N, N) that are arcsinh κ, and the number of band powers, which come first."""
    edges = power_band_edges(x.shape[1])
    arcsinh = vars(IntensityTransform(scale=(1.0,)))
    layer = SummaryStatistics(edges, thresholds, heights, np.ones((scales + 1, 1)), 1.0, arcsinh, histograms)
    layer.build((*x.shape, 1))
    values = layer.statistics(keras.ops.convert_to_tensor(x[..., None].astype(np.float32)))
    return np.asarray(values), 2 * (len(edges) - 1)


def test_a_plane_wave_has_all_power_in_one_band():
    k, side = 3, 16
    wave = np.sqrt(2) * np.cos(2 * np.pi * k * np.arange(side) / side)[None, :, None] * np.ones((1, 1, side))
    values, n_powers = statistics(wave, (0.0,))
    edges = power_band_edges(side)
    band = np.digitize(k, edges) - 1
    count = (np.digitize(wavenumbers(side), edges) == band + 1).sum()
    assert values[0, band] == pytest.approx(np.log(side**2 / count), rel=1e-4)
    assert (np.delete(values[0, : n_powers // 2], band) < -15).all()
    excess = np.clip(np.sqrt(2) * np.cos(2 * np.pi * k * np.arange(side) / side), 0, None).mean()
    assert values[0, n_powers] == pytest.approx(excess, rel=1e-4)


def test_mean_excesses_of_a_spike_and_a_hole():
    """Of 16² pixels one is 5 and one is −3; peaks are averaged over the 14² inner pixels."""
    x = np.zeros((1, 16, 16))
    x[0, 4, 7], x[0, 9, 9] = 5, -3
    values, n_powers = statistics(x, (1.0, 2.0), (-2.0, 1.0, 4.0))
    pixels, extrema = values[0, n_powers : n_powers + 4], values[0, n_powers + 4 : n_powers + 10]
    np.testing.assert_allclose(pixels * 16**2, [4, 2, 3, 1], rtol=1e-5)  # 5 over 1, −(−3) over 1, over 2 …
    np.testing.assert_allclose(extrema * 14**2, [7, 5, 4, 2, 1, 0], rtol=1e-5)


def test_histograms_of_a_spike_and_a_hole():
    """6 lies half-way between 5 and 7, and half a step above 5; 4 lies half-way between 3 and 5."""
    x = np.zeros((1, 16, 16))
    x[0, 4, 7], x[0, 9, 9] = 6, -4
    heights = (1.0, 3.0, 5.0, 7.0)  # bins around 3 and 5, mean excess over 5 and 7
    values, n_powers = statistics(x, heights, heights, histograms=True)
    pixels, extrema = values[0, n_powers : n_powers + 16].reshape(2, 4, 2)
    np.testing.assert_allclose(pixels.T * 16**2, [[0, 0.5, 0.5, 0], [0.5, 0.5, 0, 0]], atol=1e-4)
    np.testing.assert_allclose(extrema.T * 14**2, [[0, 0.5, 0.5, 0], [0.5, 0.5, 0, 0]], atol=1e-4)


def test_power_of_a_spike_in_the_map_and_in_kappa():
    """A spike has equal power in all modes: its height squared over N², 5² in the map and sinh²(5) in κ."""
    x = np.zeros((1, 16, 16))
    x[0, 4, 7] = 5
    values, n_powers = statistics(x, (0.0,))
    powers = np.exp(values[0, :n_powers]).reshape(2, -1) * 16**2
    np.testing.assert_allclose(powers, np.array([[25], [np.sinh(5) ** 2]]) * np.ones_like(powers), rtol=1e-3)


@pytest.mark.parametrize("histograms", [False, True])
def test_n_statistics_is_the_number_of_statistics(histograms):
    x = np.random.default_rng(0).standard_normal((4, 32, 32))
    values, n_powers = statistics(x, (0.0, 1.0), (-1.0, 0.0, 1.0), 2, histograms)
    assert values.shape == (
        4,
        n_statistics(n_powers // 2, 2, 3, 3, len(bispectrum_band_edges(32)) - 1 if histograms else 0, 1),
    )


@pytest.mark.parametrize("histograms", [False, True])
def test_second_derivatives_are_reproducible_to_the_bit(histograms):
    """Otherwise an interrupted training would end with other weights."""
    import tensorflow as tf

    x = tf.constant(np.random.default_rng(0).standard_normal((8, 16, 16, 1)).astype(np.float32))
    arcsinh = vars(IntensityTransform(scale=(1.0,)))
    layer = SummaryStatistics(
        power_band_edges(16), (-0.5, 0.5, 1.5), (-0.5, 0.5), np.ones((2, 1)), 1.0, arcsinh, histograms
    )
    layer.build(x.shape)

    @tf.function(autograph=False)
    def gradients(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                values = layer.statistics(x)
                total = tf.reduce_sum(values * tf.range(1.0, values.shape[1] + 1.0))
            first = inner.gradient(total, x)
            penalty = tf.reduce_sum(first**2)
        return first, outer.gradient(penalty, x)

    results = [tuple(gradient.numpy().tobytes() for gradient in gradients(x)) for _ in range(50)]
    assert len(set(results)) == 1
