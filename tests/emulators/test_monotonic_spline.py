"""A change of values that rises: what constant, even and steep coefficients do to them."""

import numpy as np

from tenfold.emulators.monotonic_spline import KNOTS, MonotonicSpline, cubic_b_spline

U = np.linspace(-6, 7, 400, dtype=np.float32).reshape(1, 20, 20, 1)


def remapped(coefficients: np.ndarray) -> np.ndarray:
    return np.asarray(MonotonicSpline()([U, np.float32(coefficients)[None]])).ravel()


def test_the_splines_add_up_to_one():
    x = np.linspace(0, 1, 11, dtype=np.float32)
    total = sum(np.asarray(cubic_b_spline(np.abs(x - j))) for j in range(-2, 4))
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_shift_shifts_and_a_stretch_stretches():
    u = U.ravel()
    np.testing.assert_allclose(remapped(np.full(len(KNOTS), 0.3)), u + 0.3, atol=1e-5)
    inside = (u > KNOTS[1]) & (u < KNOTS[-2])
    np.testing.assert_allclose(remapped(0.1 * KNOTS)[inside], 1.1 * u[inside], atol=1e-5)
    assert (remapped(np.zeros(len(KNOTS))) == u).all()


def test_what_rises_at_the_knots_rises_everywhere():
    rng = np.random.default_rng(0)
    for _ in range(20):
        wanted = np.sort(rng.uniform(-4, 4, len(KNOTS)))
        assert (np.diff(remapped(wanted - KNOTS)) > -1e-6).all()


def test_each_map_of_a_batch_and_each_channel_has_coefficients_of_its_own():
    u = np.zeros((2, 4, 4, 2), np.float32)
    shifts = np.float32([[1, 2], [3, 4]])
    flat = np.repeat(shifts[:, None], len(KNOTS), axis=1).reshape(2, -1)
    made = np.asarray(MonotonicSpline()([u, flat]))
    np.testing.assert_allclose(made, np.broadcast_to(shifts[:, None, None], u.shape), atol=1e-6)
