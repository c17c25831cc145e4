"""Minkowski functionals of maps, and their expectation for a Gaussian field.

V0 is the fraction of the area above a threshold, V1 a quarter of the contour length and V2 the integrated curvature
of the contour over 2π (the Euler characteristic), both per unit area. Derivatives are central differences; see
Schmalzing & Górski (astro-ph/9710185) and Petri et al. (arXiv:1309.4460).
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from tenfold.stats.bins import bins_per_unit, checked_edges
from tenfold.stats.maps import checked_maps


@dataclass(frozen=True)
class MinkowskiFunctionals:
    """V0, V1 and V2 of maps at thresholds, with one row per map.

    Attributes
    ----------
    thresholds
        Thresholds, shape (thresholds,) [map unit].
    v0
        Fraction of the area above the threshold, shape (maps, thresholds).
    v1
        Quarter of the contour length per area, shape (maps, thresholds) [1/length unit].
    v2
        Euler characteristic per area, shape (maps, thresholds) [1/length unit²].
    """

    thresholds: np.ndarray
    v0: np.ndarray
    v1: np.ndarray
    v2: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """V0, V1 and V2 concatenated, shape (maps, 3 thresholds)."""
        return np.concatenate([self.v0, self.v1, self.v2], axis=1)


def minkowski_functionals(
    maps: np.ndarray, thresholds: ArrayLike, *, periodic: bool, pixel: float = 1.0
) -> MinkowskiFunctionals:
    """Measure the Minkowski functionals of maps.

    V0 is exact at the thresholds. For V1 and V2 the delta function is replaced by a top hat around each threshold that
    extends halfway to its neighbours. The error is of second order in the distance between thresholds.

    Parameters
    ----------
    maps
        Maps, shape (maps, N, N).
    thresholds
        Thresholds, shape (thresholds,), increasing [map unit].
    periodic
        Whether maps are periodic; if not, border pixels, which have no derivatives, are excluded from all three.
    pixel
        Side of a pixel, in the length unit of V1 and V2.

    Returns
    -------
    MinkowskiFunctionals
        One row per map.

    Raises
    ------
    ValueError
        The shapes do not match, or the thresholds are not increasing.
    """
    maps, thresholds = checked_maps(maps, smallest=3), checked_edges(thresholds, "thresholds")
    # alternately the midpoints between thresholds and the thresholds
    half = np.diff(thresholds) / 2
    midpoints = np.concatenate([thresholds[:1] - half[:1], thresholds[:-1] + half, thresholds[-1:] + half[-1:]])
    levels = np.empty(2 * len(thresholds) + 1)
    levels[::2], levels[1::2] = midpoints, thresholds
    border = 0 if periodic else 1
    sums = np.zeros((len(maps), 3, len(levels) + 1))
    kind = maps.dtype.type
    _level_sums(maps, border, levels, kind(levels[0]), kind(bins_per_unit(levels)), kind(0.5), sums)
    pixels = (maps.shape[1] - 2 * border) ** 2
    above = sums[:, 0, ::-1].cumsum(axis=1)[:, ::-1]
    around = (sums[:, 1:, 1:-1:2] + sums[:, 1:, 2:-1:2]) / (pixels * np.diff(midpoints))
    return MinkowskiFunctionals(
        thresholds, above[:, 2::2] / pixels, around[:, 0] / (4 * pixel), around[:, 1] / (2 * np.pi * pixel**2)
    )


@numba.njit(cache=True, fastmath=True)
def _level_sums(
    maps: np.ndarray, border: int, levels: np.ndarray, lowest: float, per_unit: float, half: float, sums: np.ndarray
) -> None:
    """Sum 1, |∇κ| and the curvature term over the pixels between levels, level i − 1 < κ ≤ level i.

    sums has shape (maps, 3, levels + 1). lowest, per_unit and half must have the dtype of the maps: a wider one would
    widen all arithmetic.
    """
    side, count = maps.shape[1], levels.size
    bounds = np.empty(count + 2)
    bounds[0], bounds[count + 1] = -np.finfo(np.float64).max, np.finfo(np.float64).max
    bounds[1 : count + 1] = levels
    zero, one, top = half - half, half + half, maps.dtype.type(count)
    tiny = maps.dtype.type(1e-37)
    wrapped = np.empty((side + 2, side + 2), maps.dtype)
    gradient_norm, curvature = np.empty(side, maps.dtype), np.empty(side, maps.dtype)
    level = np.empty(side, np.int32)
    # two alternating accumulators: the next addition need not wait for the previous one
    tally = np.empty((2, count + 1, 3))
    for m in range(maps.shape[0]):
        tally[:] = 0
        for i in range(side + 2):
            source = maps[m, (i - 1) % side]
            wrapped[i, 0], wrapped[i, side + 1] = source[side - 1], source[0]
            wrapped[i, 1 : side + 1] = source
        for i in range(border, side - border):
            up, row, down = wrapped[i], wrapped[i + 1], wrapped[i + 2]
            for j in range(side):
                here = row[j + 1]
                x, y = row[j + 2] - row[j], down[j + 1] - up[j + 1]  # twice the first derivatives
                xx, yy = row[j + 2] + row[j] - here - here, down[j + 1] + up[j + 1] - here - here
                xy = down[j + 2] - down[j] - up[j + 2] + up[j]  # four times the mixed derivative
                square = x * x + y * y
                gradient_norm[j] = np.sqrt(square)
                curvature[j] = (half * x * y * xy - x * x * yy - y * y * xx) / max(square, tiny)
                level[j] = int(min(max((here - lowest) * per_unit + one, zero), top))
            for j in range(border, side - border):
                here, guess = row[j + 1], level[j]
                if per_unit > 0:
                    # rounding of the product across a level is corrected here
                    guess += int(here > bounds[guess + 1]) - int(here <= bounds[guess])
                else:
                    guess = np.searchsorted(levels, here)
                bin_sums = tally[j & 1, guess]
                bin_sums[0] += 1.0
                bin_sums[1] += gradient_norm[j]
                bin_sums[2] += curvature[j]
        for b in range(count + 1):
            sums[m, 0, b] = tally[0, b, 0] + tally[1, b, 0]
            sums[m, 1, b] = (tally[0, b, 1] + tally[1, b, 1]) / 2
            sums[m, 2, b] = tally[0, b, 2] + tally[1, b, 2]


def field_moments(maps: np.ndarray, *, periodic: bool, pixel: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Measure the standard deviation σ0 of maps and σ1 = ⟨|∇κ|²⟩^(1/2) of their gradient, by the same differences.

    Parameters
    ----------
    maps, periodic, pixel
        As for `minkowski_functionals`.

    Returns
    -------
    tuple of np.ndarray
        σ0 [map unit] and σ1 [map unit/length unit], shape (maps,).
    """
    maps = checked_maps(maps, smallest=3)
    inside = slice(None) if periodic else slice(1, -1)
    square = np.zeros(len(maps))
    for axis in (1, 2):
        twice = (np.roll(maps, -1, axis) - np.roll(maps, 1, axis))[:, inside, inside]
        square += np.mean(np.square(twice, dtype=np.float64), axis=(1, 2)) / 4
    return maps[:, inside, inside].std(axis=(1, 2), dtype=np.float64), np.sqrt(square) / pixel


def gaussian_minkowski(
    thresholds: ArrayLike, sigma_0: ArrayLike, sigma_1: ArrayLike, mean: ArrayLike = 0.0
) -> MinkowskiFunctionals:
    """Expected Minkowski functionals of an isotropic Gaussian field (Tomita 1986).

    Parameters
    ----------
    thresholds
        Shape (thresholds,) [map unit].
    sigma_0, sigma_1
        Standard deviation of the field and of its gradient; single or shape (maps,) [map unit, map unit/length unit].
    mean
        Mean of the field [map unit].
    """
    thresholds = checked_edges(thresholds, "thresholds")
    sigma_0, sigma_1, mean = (
        np.atleast_1d(np.asarray(value, np.float64))[:, None] for value in (sigma_0, sigma_1, mean)
    )
    nu, slope = (thresholds - mean) / sigma_0, sigma_1 / sigma_0
    bell = np.exp(-(nu**2) / 2)
    return MinkowskiFunctionals(
        thresholds, ndtr(-nu), slope / (8 * np.sqrt(2)) * bell, nu * slope**2 / (2 * (2 * np.pi) ** 1.5) * bell
    )
