"""Minkowski functionals of a periodic cube, including the genus, by Crofton's formula.

The cells above a threshold form a body of unit cubes, whose cubes, faces, edges and corners are counted. Schmalzing &
Buchert (astro-ph/9702130) express the functionals of an isotropic field by these counts. The counts are made for the
closed body, with its boundary, and for the open body, without it, and the mean of both is returned. Cells that touch
only at an edge or a corner are connected in the closed but not in the open body, and only the mean treats a field and
its negative in the same way.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from tenfold.stats.bins import checked_edges


@dataclass(frozen=True)
class MinkowskiFunctionals3D:
    """V0 to V3 of a cube at thresholds. A ball of radius R has 4πR³/3, 2πR²/3, 4R/3 and 1.

    Attributes
    ----------
    thresholds
        Thresholds, shape (thresholds,) [unit of the field].
    v0
        Fraction of the volume above the threshold, shape (thresholds,).
    v1
        Sixth of the surface area per volume, shape (thresholds,) [1/length unit].
    v2
        Integrated mean curvature over 3π, per volume, shape (thresholds,) [1/length unit²].
    v3
        Euler characteristic per volume, shape (thresholds,) [1/length unit³].
    """

    thresholds: np.ndarray
    v0: np.ndarray
    v1: np.ndarray
    v2: np.ndarray
    v3: np.ndarray

    @property
    def genus(self) -> np.ndarray:
        """Genus per volume, holes minus isolated regions, shape (thresholds,) [1/length unit³]."""
        return -self.v3

    @property
    def rows(self) -> np.ndarray:
        """V0 to V3 concatenated, shape (4 thresholds,)."""
        return np.concatenate([self.v0, self.v1, self.v2, self.v3])


def minkowski_functionals_3d(field: np.ndarray, thresholds: ArrayLike, *, cell: float = 1.0) -> MinkowskiFunctionals3D:
    """Measure the Minkowski functionals of a periodic cube.

    The field must be smooth over a few cells, since the functionals are those of the digitised body.

    Parameters
    ----------
    field
        Field, shape (N, N, N).
    thresholds
        Thresholds, shape (thresholds,), increasing [unit of the field].
    cell
        Side of a cell, in the length unit of V1 to V3.

    Returns
    -------
    MinkowskiFunctionals3D
        Functionals at the thresholds.

    Raises
    ------
    ValueError
        The field is not a cube or not finite, or the thresholds are not increasing.
    """
    field = np.asarray(field)
    if field.ndim != 3 or len(set(field.shape)) != 1 or field.shape[0] < 3:
        raise ValueError(f"minkowski_functionals_3d needs a cube of at least 3 cells per side, found {field.shape}")
    if not (np.isfinite(field.min()) and np.isfinite(field.max())):
        raise ValueError("minkowski_functionals_3d: the field has cells that are not finite")
    thresholds = checked_edges(thresholds, "thresholds")
    closed, interior = _counts_above(np.ascontiguousarray(field), thresholds) / field.size
    n3 = closed[3]
    # without the boundary the alternating sums change sign
    faces = (closed[2] - interior[2]) / 2
    edges = (closed[1] + interior[1]) / 2
    corners = (closed[0] - interior[0]) / 2
    return MinkowskiFunctionals3D(
        thresholds,
        v0=n3,
        v1=2 / 9 * faces / cell,
        v2=2 / 9 * (edges - (closed[2] + interior[2]) + 3 * n3) / cell**2,
        v3=(corners - (closed[1] - interior[1]) / 2 + faces) / cell**3,
    )


def _counts_above(field: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Number of corners, edges, faces and cubes of the closed and of the open body above each threshold.

    Shape (2, 4, thresholds).
    """
    level = np.empty(field.shape, np.uint8 if len(thresholds) < 256 else np.uint32)
    for plane, plane_level in zip(field, level, strict=True):
        plane_level[:] = np.searchsorted(thresholds, plane)  # number of thresholds strictly below the value
    counts = np.zeros((2, 4, len(thresholds) + 1), np.int64)
    _count_elements(level, counts[0], counts[1])
    # an element of level l belongs to the bodies above thresholds 0 … l − 1
    return counts[:, :, :0:-1].cumsum(axis=2)[:, :, ::-1]


@numba.njit(cache=True)
def _count_elements(level: np.ndarray, closed: np.ndarray, interior: np.ndarray) -> None:
    """Count corners, edges, faces and cubes by the level of the highest and of the lowest adjacent cell."""
    side = level.shape[0]
    for i in range(side):
        slab, next_slab = level[i], level[(i + 1) % side]
        for j in range(side):
            k = (j + 1) % side
            # the columns (i, j), (i, j + 1), (i + 1, j) and (i + 1, j + 1)
            a, b, c, d = slab[j], slab[k], next_slab[j], next_slab[k]
            for z in range(side):
                up = z + 1 if z + 1 < side else 0
                one, two, three, four = a[z], b[z], c[z], d[z]
                five, six, seven, eight = a[up], b[up], c[up], d[up]
                closed[3, one] += 1
                closed[2, max(one, two)] += 1
                closed[2, max(one, three)] += 1
                closed[2, max(one, five)] += 1
                closed[1, max(one, two, three, four)] += 1
                closed[1, max(one, two, five, six)] += 1
                closed[1, max(one, three, five, seven)] += 1
                closed[0, max(one, two, three, four, five, six, seven, eight)] += 1
                interior[2, min(one, two)] += 1
                interior[2, min(one, three)] += 1
                interior[2, min(one, five)] += 1
                interior[1, min(one, two, three, four)] += 1
                interior[1, min(one, two, five, six)] += 1
                interior[1, min(one, three, five, seven)] += 1
                interior[0, min(one, two, three, four, five, six, seven, eight)] += 1


def gaussian_minkowski_3d(
    thresholds: ArrayLike, sigma_0: float, sigma_1: float, mean: float = 0.0
) -> MinkowskiFunctionals3D:
    """Expected Minkowski functionals of an isotropic Gaussian field.

    Tomita (1986); Schmalzing & Buchert (astro-ph/9702130).

    Parameters
    ----------
    thresholds
        Shape (thresholds,) [unit of the field].
    sigma_0, sigma_1
        Standard deviation of the field and of its gradient, ⟨|∇δ|²⟩^(1/2) [unit of the field, the same/length unit].
    mean
        Mean of the field.
    """
    thresholds = checked_edges(thresholds, "thresholds")
    nu = (thresholds - mean) / sigma_0
    scale = sigma_1 / sigma_0 / np.sqrt(6 * np.pi)
    bell = np.exp(-(nu**2) / 2) / np.sqrt(2 * np.pi)
    return MinkowskiFunctionals3D(
        thresholds,
        v0=ndtr(-nu),
        v1=2 / 3 * scale * bell,
        v2=2 / 3 * scale**2 * nu * bell,
        v3=scale**3 * (nu**2 - 1) * bell,
    )
