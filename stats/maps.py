"""Statistics of flat-sky maps: angular power spectrum, pixel distribution, peaks and minima, one row per map.

The row of a map does not depend on the other maps, so rows of different calls can be concatenated, or accumulated with
`tenfold.stats.covariance`.
"""

from dataclasses import dataclass

import numba
import numpy as np
import scipy.fft
from numpy.typing import ArrayLike

from tenfold.stats.bins import bins_per_unit, bounds_of, checked_edges, find_bins


@dataclass(frozen=True)
class AngularPower:
    """Angular power spectrum C_ℓ of maps in bins ℓ_lo < ℓ ≤ ℓ_hi.

    Attributes
    ----------
    ell
        Mean multipole of the modes of each bin, shape (bins,).
    power
        Mean power of the modes of each bin, shape (maps, bins) [map unit² sr].
    modes
        Number of independent modes of each bin (a mode and its complex conjugate count once), shape (bins,): the
        relative error of a Gaussian field's power is modes^(−1/2).
    """

    ell: np.ndarray
    power: np.ndarray
    modes: np.ndarray


@dataclass(frozen=True)
class Histogram:
    """Histogram in bins edge i ≤ value < edge i + 1, the last edge included, with one row per map.

    Attributes
    ----------
    edges
        Bin edges, shape (bins + 1,) [map unit].
    counts
        Counts per bin, shape (maps, bins).
    total
        Total count, inside the edges or not, shape (maps,).
    """

    edges: np.ndarray
    counts: np.ndarray
    total: np.ndarray

    @property
    def centres(self) -> np.ndarray:
        """Centre of each bin, shape (bins,) [map unit]."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def per_unit(self) -> np.ndarray:
        """Counts per unit value, shape (maps, bins) [1/map unit]."""
        return self.counts / np.diff(self.edges)

    @property
    def density(self) -> np.ndarray:
        """Probability density: counts per unit value divided by the total, shape (maps, bins) [1/map unit]."""
        return self.per_unit / np.maximum(self.total, 1)[:, None]


def checked_maps(maps: np.ndarray, name: str = "maps", smallest: int = 4) -> np.ndarray:
    """Convert maps to a contiguous array of float32 or float64, shape (maps, N, N), and check them.

    Raises
    ------
    ValueError
        The shape is not (maps, N, N) with N of at least `smallest`, or a pixel is not finite.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2] or maps.shape[1] < smallest:
        raise ValueError(
            f"{name}: complete square maps are needed, shape (maps, N, N) with N ≥ {smallest}, found {maps.shape}"
            + ("; for other maps see tenfold.stats.masked_maps" if maps.ndim == 3 else "")
            + ("; pass a single map as maps[None]" if maps.ndim == 2 else "")
        )
    maps = np.ascontiguousarray(maps, np.float32 if maps.dtype == np.float32 else np.float64)
    if len(maps) and not (np.isfinite(maps.min()) and np.isfinite(maps.max())):
        bad = np.flatnonzero(~np.isfinite(maps).all(axis=(1, 2)))
        raise ValueError(f"{name}: map {bad[0]} has pixels that are not finite ({len(bad)} such maps)")
    return maps


def angular_power(
    maps: np.ndarray, side_deg: float, ell_edges: ArrayLike, *, other: np.ndarray | None = None
) -> AngularPower:
    """Measure the angular power spectrum of flat-sky maps, |FT|² θ²/N⁴, or the cross spectrum of pairs of maps.

    Parameters
    ----------
    maps
        Maps, shape (maps, N, N), any unit.
    side_deg
        Side of the maps θ [degrees].
    ell_edges
        Bin edges, shape (bins + 1,); ℓ_lo < ℓ ≤ ℓ_hi.
    other
        Second map of each pair, same shape. The real part of FT(map) FT(other)* is then binned.

    Returns
    -------
    AngularPower
        One row per map.

    Raises
    ------
    ValueError
        The shapes do not match, the side is not positive, or a bin has no mode.
    """
    maps = checked_maps(maps)
    partners = maps if other is None else checked_maps(other, "other")
    if partners.shape != maps.shape:
        raise ValueError(f"other: shape {maps.shape} is needed, found {partners.shape}")
    if not side_deg > 0:
        raise ValueError(f"side_deg: must be positive, found {side_deg}")
    edges = checked_edges(ell_edges, "ell_edges")
    side, fundamental = maps.shape[1], 360.0 / side_deg
    rings, ell, modes = _rings(side, edges / fundamental)
    if not modes.all():
        empty = int(np.flatnonzero(modes == 0)[0])
        raise ValueError(
            f"ell_edges: no mode has {edges[empty]:g} < ℓ ≤ {edges[empty + 1]:g} in maps of {side} pixels and "
            f"{side_deg:g} degrees per side, whose smallest ℓ is {fundamental:g}"
        )
    total = np.zeros((len(maps), len(modes) + 1))
    for row, image, partner in zip(total, maps, partners, strict=True):
        transform = scipy.fft.rfft2(image, workers=1)
        _ring_sums(transform, transform if other is None else scipy.fft.rfft2(partner, workers=1), rings, row)
    scale = np.deg2rad(side_deg) ** 2 / float(side) ** 4
    return AngularPower(ell=ell * fundamental, power=total[:, :-1] * (scale / modes), modes=modes)


def _rings(side: int, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bin of each mode (|n_x|, |n_y|), mean |n| and number of independent modes per bin.

    Edges are in units of the fundamental mode. Modes outside all bins have the index ``bins``.
    """
    n = np.arange(side // 2 + 1)
    size = np.hypot(n[:, None], n)
    # an edge at a multiple of the fundamental mode includes that mode, regardless of rounding
    rings = np.searchsorted(edges * (1 + 1e-12), size, side="left") - 1
    rings[(rings < 0) | (size == 0)] = len(edges) - 1
    multiplicity = np.where((n == 0) | (2 * n == side), 0.5, 1.0)
    weight = 2 * multiplicity[:, None] * multiplicity  # (±x, ±y): four modes, two of them independent
    bins = len(edges) - 1
    modes = np.bincount(rings.ravel(), weight.ravel(), bins + 1)[:bins]
    means = np.bincount(rings.ravel(), (weight * size).ravel(), bins + 1)[:bins] / np.maximum(modes, 0.5)
    return rings, means, modes


@numba.njit(cache=True, fastmath=True)
def _ring_sums(first: np.ndarray, second: np.ndarray, rings: np.ndarray, total: np.ndarray) -> None:
    """Add Re(first second*) of all independent modes to total[ring].

    The transforms have shape (N, N//2 + 1), total has shape (bins + 1,).
    """
    side, columns = first.shape
    row = np.empty(columns, first.real.dtype)
    for x in range(side // 2 + 1):
        for y in range(columns):
            row[y] = first[x, y].real * second[x, y].real + first[x, y].imag * second[x, y].imag
        if x > 0 and 2 * x != side:  # −x is in the same rings
            for y in range(columns):
                a, b = first[side - x, y], second[side - x, y]
                row[y] += a.real * b.real + a.imag * b.imag
        # the other half-plane is the complex conjugate, except for the columns y = 0 and y = N/2
        row[0] *= 0.5
        if side % 2 == 0:
            row[columns - 1] *= 0.5
        for y in range(columns):
            total[rings[x, y]] += row[y]


def pixel_distribution(maps: np.ndarray, edges: ArrayLike) -> Histogram:
    """Histogram the pixels of maps. Its `density` is the one-point PDF.

    Parameters
    ----------
    maps
        Maps, shape (maps, N, N).
    edges
        Bin edges, shape (bins + 1,) [map unit].
    """
    maps, edges = checked_maps(maps, smallest=1), checked_edges(edges)
    counts = np.zeros((len(maps), len(edges) - 1), np.int64)
    _count_pixels(maps, bounds_of(edges), bins_per_unit(edges), counts)
    return Histogram(edges, counts, np.full(len(maps), maps.shape[1] * maps.shape[2]))


@numba.njit(cache=True)
def _count_pixels(maps: np.ndarray, bounds: np.ndarray, per_unit: float, counts: np.ndarray) -> None:
    indices = np.empty(maps.shape[2], np.int32)
    # two alternating counters: the next count need not wait for the previous one
    tally = np.empty((2, bounds.size - 1), np.int64)
    for m in range(maps.shape[0]):
        tally[:] = 0
        for row in maps[m]:
            find_bins(row, bounds, per_unit, indices)
            for j in range(indices.size):
                tally[j & 1, indices[j]] += 1
        counts[m] = tally[0, 1:-1] + tally[1, 1:-1]


def peaks(maps: np.ndarray, edges: ArrayLike, *, periodic: bool) -> Histogram:
    """Histogram the heights of peaks: pixels strictly above their eight neighbours.

    Parameters
    ----------
    maps
        Maps, shape (maps, N, N).
    edges
        Bin edges of the height, shape (bins + 1,) [map unit].
    periodic
        Whether maps are periodic; if not, border pixels are excluded.
    """
    return _extrema(maps, edges, 1, periodic)


def minima(maps: np.ndarray, edges: ArrayLike, *, periodic: bool) -> Histogram:
    """Histogram the heights of minima: pixels strictly below their eight neighbours. Arguments as for `peaks`."""
    return _extrema(maps, edges, -1, periodic)


def _extrema(maps: np.ndarray, edges: ArrayLike, sign: int, periodic: bool) -> Histogram:
    maps, edges = checked_maps(maps, smallest=3), checked_edges(edges)
    counts, total = np.zeros((len(maps), len(edges) - 1), np.int64), np.zeros(len(maps), np.int64)
    border = 0 if periodic else 1
    _count_extrema(maps, maps.dtype.type(sign), border, bounds_of(edges), bins_per_unit(edges), counts, total)
    return Histogram(edges, counts, total)


@numba.njit(cache=True)
def _count_extrema(
    maps: np.ndarray,
    sign: float,
    border: int,
    bounds: np.ndarray,
    per_unit: float,
    counts: np.ndarray,
    total: np.ndarray,
) -> None:
    """Count pixels with sign × value above all neighbours, excluding `border` pixels on each side."""
    side = maps.shape[1]
    wrapped = np.empty((side + 2, side + 2), maps.dtype)
    column, above = np.empty(side + 2, maps.dtype), np.empty(side, np.bool_)
    heights, indices = np.empty(side * side, maps.dtype), np.empty(side * side, np.int32)
    for m in range(maps.shape[0]):
        for i in range(side + 2):
            source = maps[m, (i - 1) % side]
            wrapped[i, 0], wrapped[i, side + 1] = sign * source[side - 1], sign * source[0]
            for j in range(side):
                wrapped[i, j + 1] = sign * source[j]
        number = 0
        for i in range(border, side - border):
            up, middle, down = wrapped[i], wrapped[i + 1], wrapped[i + 2]
            for j in range(side + 2):
                column[j] = max(up[j], middle[j], down[j])
            for j in range(side):
                above[j] = middle[j + 1] > max(column[j], column[j + 2], up[j + 1], down[j + 1])
            for j in range(border, side - border):
                if above[j]:
                    heights[number] = sign * middle[j + 1]
                    number += 1
        find_bins(heights[:number], bounds, per_unit, indices)
        for b in indices[:number]:
            if 0 < b < bounds.size - 2:
                counts[m, b - 1] += 1
        total[m] = number
