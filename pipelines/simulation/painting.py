"""Mass assignment on a periodic mesh: nearest grid point (NGP) and cloud in cell (CIC).

Positions are in cells, 0 ≤ x ≤ N along each axis. For NGP, cell i extends from i to i + 1; for CIC, mesh point i is at
x = i.
"""

import numba
import numpy as np


@numba.njit(cache=True)
def paint_ngp(positions: np.ndarray, mesh: np.ndarray) -> None:
    """Count the particles in each cell, and add the counts to the mesh.

    Parameters
    ----------
    positions
        Shape (particles, 3) [cells].
    mesh
        Shape (N, N, N), any integer or float type; changed in place.
    """
    side = mesh.shape[0]
    for p in range(positions.shape[0]):
        i = int(positions[p, 0])
        j = int(positions[p, 1])
        k = int(positions[p, 2])
        # single precision may round a value just below N up to N
        i = i if i < side else 0
        j = j if j < side else 0
        k = k if k < side else 0
        mesh[i, j, k] += 1


@numba.njit(cache=True, fastmath=True)
def paint_cic(positions: np.ndarray, mesh: np.ndarray, mass: float) -> None:
    """Assign each particle to the eight mesh points around it, and add it to the mesh.

    Parameters
    ----------
    positions
        Shape (particles, 3) [cells].
    mesh
        Shape (N, N, N), float; changed in place.
    mass
        Mass of one particle.
    """
    side = mesh.shape[0]
    one, weight = np.float32(1), np.float32(mass)
    for p in range(positions.shape[0]):
        x, y, z = positions[p, 0], positions[p, 1], positions[p, 2]
        i, j, k = int(x), int(y), int(z)
        fx, fy, fz = np.float32(x - i), np.float32(y - j), np.float32(z - k)
        i = i if i < side else 0
        j = j if j < side else 0
        k = k if k < side else 0
        i1 = i + 1 if i + 1 < side else 0
        j1 = j + 1 if j + 1 < side else 0
        k1 = k + 1 if k + 1 < side else 0
        gx, gy, gz = weight * (one - fx), one - fy, one - fz
        fx = weight * fx
        a, b, c, d = gx * gy, gx * fy, fx * gy, fx * fy
        mesh[i, j, k] += a * gz
        mesh[i, j, k1] += a * fz
        mesh[i, j1, k] += b * gz
        mesh[i, j1, k1] += b * fz
        mesh[i1, j, k] += c * gz
        mesh[i1, j, k1] += c * fz
        mesh[i1, j1, k] += d * gz
        mesh[i1, j1, k1] += d * fz


def paint(positions: np.ndarray, side: int, assignment: str) -> np.ndarray:
    """Assign particles of equal mass to a periodic mesh.

    Parameters
    ----------
    positions
        Shape (particles, 3), in units of the box side: 0 ≤ x ≤ 1.
    side
        Cells per side of the mesh.
    assignment
        "ngp": counts, the smallest of int16 and int32 that holds them; "cic": float32, in particles.

    Returns
    -------
    np.ndarray
        Shape (side, side, side). The sum is the number of particles: exactly for NGP, to rounding for CIC.
    """
    scaled = positions * np.float32(side)
    if assignment == "ngp":
        counts = np.zeros((side,) * 3, np.int32)
        paint_ngp(scaled, counts)
        return counts.astype(np.int16) if counts.max() <= np.iinfo(np.int16).max else counts
    if assignment == "cic":
        mesh = np.zeros((side,) * 3, np.float32)
        paint_cic(scaled, mesh, 1.0)
        return mesh
    raise ValueError(f'assignment must be "ngp" or "cic", found {assignment!r}')
