"""Particles of a box onto planes: projected along an axis, painted by cubic splines, their window divided out."""

import numba
import numpy as np
import scipy.fft

from tenfold.pipelines.simulation.gravity import bspline


def paint_plane(positions: np.ndarray, axis: int, side: int, mass: float) -> np.ndarray:
    """Spread particles over the 16 points of a periodic plane around each by cubic splines (PCS).

    Parameters
    ----------
    positions
        Shape (particles, 3), float32, in units of the box side: 0 ≤ x ≤ 1.
    axis
        Line of sight, 0, 1 or 2; the plane's axes are the two that follow, cyclically.
    side
        Points per side of the plane, M. Point i sits at x = i/M.
    mass
        Mass of one particle.

    Returns
    -------
    np.ndarray
        float32, shape (M, M).
    """
    # one row and column before, three after (x = 1 is a place too): painting needs not look for the plane's edges
    wide = np.zeros((side + 4, side + 4), np.float32)
    _paint(positions, (axis + 1) % 3, (axis + 2) % 3, side, wide, mass)
    for each in (wide, wide.T):
        each[side : side + 1] += each[:1]
        each[1:4] += each[side + 1 :]
    return np.ascontiguousarray(wide[1:-3, 1:-3])


@numba.njit(cache=True, fastmath=True)
def _paint(positions, first, second, side, wide, mass):
    scale, weight = np.float32(side), np.float32(mass)
    flat, width, one = wide.reshape(-1), np.uintp(wide.shape[1]), np.uintp(1)
    for p in range(positions.shape[0]):
        x, y = positions[p, first] * scale, positions[p, second] * scale
        i, j = np.uintp(x), np.uintp(y)
        across, (y0, y1, y2, y3) = bspline(x - np.float32(i)), bspline(y - np.float32(j))
        at = i * width + j
        for a in range(4):  # four neighbours in memory: one vector
            share = weight * across[a]
            flat[at] += share * y0
            flat[at + one] += share * y1
            flat[at + one + one] += share * y2
            flat[at + one + one + one] += share * y3
            at += width


def project(positions: np.ndarray, axis: int, side: int) -> np.ndarray:
    """Transform of the overdensity averaged along an axis of a periodic box.

    The whole depth is projected, so that the power of a plane is that of the box's modes across the line of sight over
    its depth: exactly what Limber's approximation takes it to be.

    Parameters
    ----------
    positions
        Equal particles, shape (particles, 3), float32, in units of the box side.
    axis
        Line of sight.
    side
        Points per side of the plane, M.

    Returns
    -------
    np.ndarray
        scipy.fft.rfft2 of δ over M², its window divided out, complex64, shape (M, M//2 + 1).
    """
    plane = paint_plane(positions, axis, side, side**2 / len(positions))
    modes = scipy.fft.rfft2(plane, norm="forward", workers=1)
    window = np.sinc(np.fft.fftfreq(side)).astype(np.float32) ** -4
    modes *= window[:, None] * window[: side // 2 + 1]
    modes[0, 0] = 0
    return modes


def wavenumbers(side: int, box_mpc_h: float) -> np.ndarray:
    """|k| of the modes of a plane [h/Mpc], shape (M, M//2 + 1)."""
    n = np.fft.fftfreq(side, 1 / side)
    return 2 * np.pi / box_mpc_h * np.hypot(n[:, None], n[: side // 2 + 1])


def plane_power(modes: np.ndarray, box_mpc_h: float, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P(k) of the box that a plane was projected from, by the modes of the plane.

    Parameters
    ----------
    modes
        By `project`, shape (M, M//2 + 1).
    box_mpc_h
        Side of the box [Mpc/h].
    edges
        Of the bins, shape (bins + 1,) [h/Mpc].

    Returns
    -------
    tuple of np.ndarray
        Mean k [h/Mpc], power [(Mpc/h)³] and number of independent modes of each bin, shape (bins,); NaN where a bin is
        empty.
    """
    side = modes.shape[0]
    k = wavenumbers(side, box_mpc_h)
    twice = np.full(modes.shape[1], 2.0)
    twice[[0, -1]] = 1.0
    count = np.broadcast_to(twice, modes.shape).reshape(-1)
    inside = np.digitize(k.reshape(-1), edges)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(inside, values, len(edges) + 1)[1:-1]

    number = total(count)
    with np.errstate(invalid="ignore"):
        mean_k = total(count * k.reshape(-1)) / number
        power = total(count * np.abs(modes.reshape(-1)) ** 2) / number * box_mpc_h**3
    return mean_k, power, number / 2
