"""Minkowski functionals of a periodic cube, genus included, by Crofton's formula.

The cells above a threshold make a body of unit cubes, whose cubes, faces, edges and corners are counted. Schmalzing &
Buchert (astro-ph/9702130) give the functionals of an isotropic field in terms of the counts. The body is taken once
with its border and once without, and the mean of both is returned: cells that touch at an edge or a corner alone are
connected in the first and not in the second, and only the mean treats a field and its negative alike.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from tenfold.stats.minkowski import checked_thresholds


@dataclass(frozen=True)
class MinkowskiFunctionals3D:
    """V0 to V3 of a cube at thresholds; a ball of radius R has 4πR³/3, 2πR²/3, 4R/3 and 1.

    Attributes
    ----------
    thresholds
        Shape (thresholds,) [unit of the field].
    v0
        Fraction of the volume above the threshold, shape (thresholds,).
    v1
        A sixth of the surface per volume, shape (thresholds,) [1/length unit].
    v2
        Integrated mean curvature over 3π per volume, shape (thresholds,) [1/length unit²].
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
        """Genus per volume, holes less isolated regions, shape (thresholds,) [1/length unit³]."""
        return -self.v3

    @property
    def rows(self) -> np.ndarray:
        """All four side by side, shape (4 thresholds,)."""
        return np.concatenate([self.v0, self.v1, self.v2, self.v3])


def minkowski_functionals_3d(field: np.ndarray, thresholds: ArrayLike, *, cell: float = 1.0) -> MinkowskiFunctionals3D:
    """Minkowski functionals of a periodic cube.

    The field must be smooth over a few cells: what is counted is the digitised body.

    Parameters
    ----------
    field
        Shape (N, N, N).
    thresholds
        Shape (thresholds,), rising [unit of the field].
    cell
        Side of a cell in the length unit that V1 to V3 shall have.

    Raises
    ------
    ValueError
        If the field is no cube or not finite, or thresholds do not rise.
    """
    field = np.asarray(field)
    if field.ndim != 3 or len(set(field.shape)) != 1 or field.shape[0] < 3:
        raise ValueError(f"minkowski_functionals_3d needs a cube of at least 3 cells a side, found {field.shape}")
    if not (np.isfinite(field.min()) and np.isfinite(field.max())):
        raise ValueError("minkowski_functionals_3d: the field has cells that are not finite")
    thresholds = checked_thresholds(thresholds)
    closed, inner = _counts_above(np.ascontiguousarray(field), thresholds) / field.size
    n3 = closed[3]
    # the alternating sums change sign with the border left out
    faces = (closed[2] - inner[2]) / 2
    edges = (closed[1] + inner[1]) / 2
    corners = (closed[0] - inner[0]) / 2
    return MinkowskiFunctionals3D(
        thresholds,
        v0=n3,
        v1=2 / 9 * faces / cell,
        v2=2 / 9 * (edges - (closed[2] + inner[2]) + 3 * n3) / cell**2,
        v3=(corners - (closed[1] - inner[1]) / 2 + faces) / cell**3,
    )


def _counts_above(field: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Corners, edges, faces and cubes of the bodies above each threshold, with border and without.

    Shape (2, 4, thresholds).
    """
    level = np.empty(field.shape, np.uint8 if len(thresholds) < 256 else np.uint32)
    for plane, into in zip(field, level, strict=True):
        into[:] = np.searchsorted(thresholds, plane)  # thresholds strictly below the value
    found = np.zeros((2, 4, len(thresholds) + 1), np.int64)
    _count_elements(level, found[0], found[1])
    # an element of level l belongs to the body above each of the thresholds 0 … l − 1
    return found[:, :, :0:-1].cumsum(axis=2)[:, :, ::-1]


@numba.njit(cache=True)
def _count_elements(level: np.ndarray, closed: np.ndarray, inner: np.ndarray) -> None:
    """Count corners, edges, faces and cubes by level: of the highest cell they touch, and of the lowest."""
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
                inner[2, min(one, two)] += 1
                inner[2, min(one, three)] += 1
                inner[2, min(one, five)] += 1
                inner[1, min(one, two, three, four)] += 1
                inner[1, min(one, two, five, six)] += 1
                inner[1, min(one, three, five, seven)] += 1
                inner[0, min(one, two, three, four, five, six, seven, eight)] += 1


def gaussian_minkowski_3d(
    thresholds: ArrayLike, sigma_0: float, sigma_1: float, mean: float = 0.0
) -> MinkowskiFunctionals3D:
    """Minkowski functionals of a Gaussian isotropic field (Tomita 1986; Schmalzing & Buchert, astro-ph/9702130).

    Parameters
    ----------
    thresholds
        Shape (thresholds,) [unit of the field].
    sigma_0, sigma_1
        Standard deviation of the field and of its gradient, ⟨|∇δ|²⟩^(1/2) [unit of the field, the same/length unit].
    mean
        Mean of the field.
    """
    thresholds = checked_thresholds(thresholds)
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
