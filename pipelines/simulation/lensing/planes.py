"""Projection of the particles of a box onto lens planes by cubic-spline mass assignment."""

import numba
import numpy as np
import scipy.fft

from tenfold.stats.painting import bspline


def paint_plane(positions: np.ndarray, axis: int, side: int, mass: float) -> np.ndarray:
    """Assign particles to the 16 points of a periodic plane around each by cubic splines (PCS).

    Parameters
    ----------
    positions
        Positions, shape (particles, 3), float32, in units of the box side: 0 ≤ x ≤ 1.
    axis
        Line of sight, 0, 1 or 2. The axes of the plane are the next two in cyclic order.
    side
        Points per side of the plane, M. Point i is at x = i/M.
    mass
        Mass of one particle.

    Returns
    -------
    np.ndarray
        Mass on the plane, float32, shape (M, M).
    """
    # padded by one row and column before and three after (x = 1 is allowed), so that no edges need to be handled
    padded = np.zeros((side + 4, side + 4), np.float32)
    _paint(positions, (axis + 1) % 3, (axis + 2) % 3, side, padded, mass)
    for view in (padded, padded.T):
        view[side : side + 1] += view[:1]
        view[1:4] += view[side + 1 :]
    return np.ascontiguousarray(padded[1:-3, 1:-3])


@numba.njit(cache=True, fastmath=True)
def _paint(positions, first, second, side, padded, mass):
    scale, weight = np.float32(side), np.float32(mass)
    flat, width, one = padded.reshape(-1), np.uintp(padded.shape[1]), np.uintp(1)
    for p in range(positions.shape[0]):
        x, y = positions[p, first] * scale, positions[p, second] * scale
        i, j = np.uintp(x), np.uintp(y)
        across, (y0, y1, y2, y3) = bspline(x - np.float32(i)), bspline(y - np.float32(j))
        at = i * width + j
        for a in range(4):  # four neighbours in memory: vectorised
            row_weight = weight * across[a]
            flat[at] += row_weight * y0
            flat[at + one] += row_weight * y1
            flat[at + one + one] += row_weight * y2
            flat[at + one + one + one] += row_weight * y3
            at += width


def project(positions: np.ndarray, axis: int, side: int) -> np.ndarray:
    """Compute the Fourier modes of the overdensity averaged along an axis of a periodic box.

    The full depth is projected. The power of a plane is then that of the modes of the box perpendicular to the line of
    sight, divided by the depth, as the Limber approximation assumes.

    Parameters
    ----------
    positions
        Positions of particles of equal mass, shape (particles, 3), float32, in units of the box side.
    axis
        Line of sight.
    side
        Points per side of the plane, M.

    Returns
    -------
    np.ndarray
        scipy.fft.rfft2 of δ divided by M², with the assignment window divided out, complex64, shape (M, M//2 + 1).
    """
    plane = paint_plane(positions, axis, side, side**2 / len(positions))
    modes = scipy.fft.rfft2(plane, norm="forward", workers=1)
    window = np.sinc(np.fft.fftfreq(side)).astype(np.float32) ** -4
    modes *= window[:, None] * window[: side // 2 + 1]
    modes[0, 0] = 0
    return modes


def wavenumbers(side: int, box_mpc_h: float) -> np.ndarray:
    """Wavenumbers |k| of the modes of a plane [h/Mpc], shape (M, M//2 + 1)."""
    n = np.fft.fftfreq(side, 1 / side)
    return 2 * np.pi / box_mpc_h * np.hypot(n[:, None], n[: side // 2 + 1])


def plane_power(modes: np.ndarray, box_mpc_h: float, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure P(k) of a box from the modes of one of its planes.

    Parameters
    ----------
    modes
        Output of `project`, shape (M, M//2 + 1).
    box_mpc_h
        Side of the box [Mpc/h].
    edges
        Bin edges, shape (bins + 1,) [h/Mpc].

    Returns
    -------
    tuple of np.ndarray
        Mean k [h/Mpc], power [(Mpc/h)³] and number of independent modes of each bin, shape (bins,); NaN for empty bins.
    """
    side = modes.shape[0]
    k = wavenumbers(side, box_mpc_h)
    twice = np.full(modes.shape[1], 2.0)
    twice[[0, -1]] = 1.0
    count = np.broadcast_to(twice, modes.shape).reshape(-1)
    indices = np.digitize(k.reshape(-1), edges)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(indices, values, len(edges) + 1)[1:-1]

    number = total(count)
    with np.errstate(invalid="ignore"):
        mean_k = total(count * k.reshape(-1)) / number
        power = total(count * np.abs(modes.reshape(-1)) ** 2) / number * box_mpc_h**3
    return mean_k, power, number / 2
