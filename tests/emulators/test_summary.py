"""What a critic is told of maps: hand-checkable waves and spikes, and the same starlets as the statistics' own."""

import keras
import numpy as np
import pytest

from tenfold.emulators.first_guess import LEVELS, edges_of, modes
from tenfold.emulators.remapping import bump
from tenfold.emulators.summary import Summary, extrema, minkowski, starlets
from tenfold.stats.minkowski import minkowski_functionals
from tenfold.stats.wavelets import starlet

LAST = 2 * len(LEVELS)
"""Answers that are Minkowski functionals."""


def told(x: np.ndarray, thresholds: tuple[float, ...], scales: int = 1, unit: float = 1.0) -> tuple[np.ndarray, int]:
    """Answers on maps (n, N, N), and how many of the first are powers."""
    edges = edges_of(x.shape[1])
    summary = Summary(edges, thresholds, np.full((scales, 1), unit), 1.0)
    summary.build((*x.shape, 1))
    return np.asarray(summary.answers(keras.ops.convert_to_tensor(x[..., None].astype(np.float32)))), len(edges) - 1


def test_one_wave_has_its_power_in_one_band():
    k, side = 3, 16
    wave = np.sqrt(2) * np.cos(2 * np.pi * k * np.arange(side) / side)[None, :, None] * np.ones((1, 1, side))
    answers, bands = told(wave, (0.0,))
    edges = edges_of(side)
    band = np.digitize(k, edges) - 1
    count = (np.digitize(modes(side), edges) == band + 1).sum()
    assert answers[0, band] == pytest.approx(np.log(side**2 / count), rel=1e-4)
    assert (np.delete(answers[0, :bands], band) < -15).all()
    above = np.clip(np.sqrt(2) * np.cos(2 * np.pi * k * np.arange(side) / side), 0, None).mean()
    assert answers[0, bands] == pytest.approx(above, rel=1e-4)


def test_a_spike_and_a_hole_are_counted_above_and_below_each_threshold():
    """Of 16² pixels one is 5 and one is −3: by how much they exceed 1 and 2, over all pixels, and over inner ones."""
    x = np.zeros((1, 16, 16))
    x[0, 4, 7], x[0, 9, 9] = 5, -3
    answers, bands = told(x, (1.0, 2.0))
    pixels, tops = answers[0, bands : bands + 4], answers[0, bands + 4 : bands + 8]
    np.testing.assert_allclose(pixels * 16**2, [4, 3, 2, 1], rtol=1e-5)
    np.testing.assert_allclose(tops * 14**2, [4, 3, 2, 1], rtol=1e-5)


def test_a_spike_that_has_a_higher_neighbour_is_no_peak():
    x = np.zeros((1, 16, 16, 1), np.float32)
    x[0, 4, 7], x[0, 4, 8] = 5, 6
    peaks, hollows = (np.asarray(each)[0, :, :, 0] for each in extrema(keras.ops.convert_to_tensor(x)))
    assert np.argwhere(peaks).tolist() == [[3, 7]]
    assert not hollows.any()


def test_starlets_are_those_of_the_statistics_away_from_the_edges():
    maps = np.random.default_rng(0).standard_normal((2, 64, 64)).astype(np.float32)
    whole = starlet(maps, 3, periodic=True)
    for scale, found in enumerate(starlets(keras.ops.convert_to_tensor(maps[..., None]), 3)):
        cut = 2 * (2 ** (scale + 1) - 1)
        inner = whole[:, scale, cut : 64 - cut, cut : 64 - cut]
        np.testing.assert_allclose(np.asarray(found)[..., 0], inner, atol=1e-6)


def test_wavelets_are_in_units_of_their_spread():
    x = np.random.default_rng(0).standard_normal((4, 32, 32))
    (one, bands), (other, _) = told(x, (0.0,), 2), told(x, (0.0,), 2, unit=2.0)
    np.testing.assert_allclose(other[:, bands + 4 : -LAST] * 2, one[:, bands + 4 : -LAST], rtol=1e-4)
    assert (one[:, bands + 4 : -LAST] > 0).all()


def test_minkowski_functionals_are_those_of_the_statistics():
    """A smooth field, and both measured about the same levels: the statistics', weighted by the same spline."""
    rng, side = np.random.default_rng(0), 64
    k = np.hypot(np.fft.fftfreq(side, 1 / side)[:, None], np.fft.fftfreq(side, 1 / side))
    maps = np.fft.ifft2(np.fft.fft2(rng.standard_normal((40, side, side))) * np.exp(-((k / 5) ** 2))).real
    maps = (maps / maps.std()).astype(np.float32)
    told_of = minkowski(keras.ops.convert_to_tensor(maps[..., None]), LEVELS)
    found = np.array([np.asarray(each)[:, 0].mean() for each in told_of])
    fine = np.linspace(-4, 4, 161)
    exact = minkowski_functionals(maps, fine, periodic=False)
    weight = np.stack([np.asarray(bump(np.abs(fine - level).astype(np.float32))) for level in LEVELS])
    weight *= fine[1] - fine[0]
    np.testing.assert_allclose(found[:5], weight @ exact.v1.mean(0), rtol=0.03)
    v2 = weight @ exact.v2.mean(0)
    np.testing.assert_allclose(found[5:], v2, atol=0.15 * np.abs(v2).max())
