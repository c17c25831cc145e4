"""Monotonic spline: constant, linear and random coefficients."""

import numpy as np

from tenfold.emulators.monotonic_spline import KNOTS, MonotonicSpline, cubic_b_spline

U = np.linspace(-6, 7, 400, dtype=np.float32).reshape(1, 20, 20, 1)


def transformed(coefficients: np.ndarray) -> np.ndarray:
    return np.asarray(MonotonicSpline()([U, np.float32(coefficients)[None]])).ravel()


def test_b_splines_are_a_partition_of_unity():
    x = np.linspace(0, 1, 11, dtype=np.float32)
    total = sum(np.asarray(cubic_b_spline(np.abs(x - j))) for j in range(-2, 4))
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_constant_coefficients_shift_and_linear_coefficients_stretch():
    u = U.ravel()
    np.testing.assert_allclose(transformed(np.full(len(KNOTS), 0.3)), u + 0.3, atol=1e-5)
    inside = (u > KNOTS[1]) & (u < KNOTS[-2])
    np.testing.assert_allclose(transformed(0.1 * KNOTS)[inside], 1.1 * u[inside], atol=1e-5)
    assert (transformed(np.zeros(len(KNOTS))) == u).all()


def test_increasing_coefficients_give_an_increasing_transform():
    rng = np.random.default_rng(0)
    for _ in range(20):
        outputs = np.sort(rng.uniform(-4, 4, len(KNOTS)))
        assert (np.diff(transformed(outputs - KNOTS)) > -1e-6).all()


def test_each_map_and_channel_has_its_own_coefficients():
    u = np.zeros((2, 4, 4, 2), np.float32)
    shifts = np.float32([[1, 2], [3, 4]])
    flat = np.repeat(shifts[:, None], len(KNOTS), axis=1).reshape(2, -1)
    result = np.asarray(MonotonicSpline()([u, flat]))
    np.testing.assert_allclose(result, np.broadcast_to(shifts[:, None, None], u.shape), atol=1e-6)
