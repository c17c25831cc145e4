"""Starlet transform of maps and its ℓ1-norm per scale, the statistic of Ajani et al. (arXiv:2101.01542).

The starlet is the isotropic undecimated B3-spline wavelet, computed by the "à trous" algorithm (Starck, Fadili &
Murtagh 2007). Each scale is the difference of two smoothings, so that all scales and the last smoothing add up to the
map.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike

from tenfold.stats.bins import bins_per_unit, bounds_of, checked_edges, find_bins
from tenfold.stats.maps import checked_maps


@dataclass(frozen=True)
class WaveletL1:
    """Starlet ℓ1-norm of maps.

    Attributes
    ----------
    edges
        Bin edges of the coefficients per scale, shape (scales + 1, bins + 1) [map unit].
    l1
        Sum of |coefficient| over the pixels whose coefficient is in the bin, shape (maps, scales + 1, bins) [map unit].
        Scale j extends over 2^(j + 1) pixels; the last is the smooth residual.
    """

    edges: np.ndarray
    l1: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """All scales concatenated, shape (maps, (scales + 1) bins)."""
        return self.l1.reshape(len(self.l1), self.l1.shape[1] * self.l1.shape[2])


def starlet(maps: np.ndarray, scales: int, *, periodic: bool) -> np.ndarray:
    """Compute the starlet transform of maps.

    Parameters
    ----------
    maps
        Maps, shape (maps, N, N).
    scales
        Number of wavelet scales, finest first, of 2, 4, 8 … pixels; 2^scales < N.
    periodic
        Whether maps are periodic; if not, they are mirrored at the border pixels.

    Returns
    -------
    np.ndarray
        Wavelet coefficients of each scale and the smooth residual, whose sum is the map, shape
        (maps, scales + 1, N, N), float32 or float64 as the maps.

    Raises
    ------
    ValueError
        The shape is wrong, or the map is too small for this number of scales.
    """
    maps = _checked(maps, scales)
    out = np.empty((len(maps), scales + 1, *maps.shape[1:]), maps.dtype)
    _starlet(maps, _sources(maps.shape[1], scales, periodic), _spline(maps.dtype), out)
    return out


def starlet_l1(maps: np.ndarray, edges: ArrayLike, *, scales: int = 4, periodic: bool) -> WaveletL1:
    """Measure the starlet ℓ1-norm of maps per scale, in bins of the coefficient.

    Parameters
    ----------
    maps
        Maps, shape (maps, N, N).
    edges
        Bin edges [map unit], shape (bins + 1,) for all scales, or (scales + 1, bins + 1) for each scale;
        edge i ≤ coefficient < edge i + 1, the last edge included.
    scales, periodic
        As for `starlet`.

    Returns
    -------
    WaveletL1
        One row per map.

    Raises
    ------
    ValueError
        A shape is wrong, or the edges are not increasing.
    """
    maps, edges = _checked(maps, scales), np.asarray(edges, np.float64)
    if edges.ndim not in (1, 2) or (edges.ndim == 2 and len(edges) != scales + 1):
        raise ValueError(f"edges: shape (bins + 1,) or ({scales + 1}, bins + 1) is needed, found {edges.shape}")
    edges = np.array([checked_edges(row) for row in np.broadcast_to(edges, (scales + 1, edges.shape[-1]))])
    l1 = np.zeros((len(maps), scales + 1, edges.shape[1] - 1))
    bounds, per_unit = np.array([bounds_of(row) for row in edges]), np.array([bins_per_unit(row) for row in edges])
    sources, spline = _sources(maps.shape[1], scales, periodic), _spline(maps.dtype)
    coefficients = np.empty((1, scales + 1, *maps.shape[1:]), maps.dtype)
    for m in range(len(maps)):  # one map at a time fits into the processor's cache
        _starlet(maps[m : m + 1], sources, spline, coefficients)
        _add_l1(coefficients[0], bounds, per_unit, l1[m])
    return WaveletL1(edges, l1)


def _checked(maps: np.ndarray, scales: int) -> np.ndarray:
    maps = checked_maps(maps)
    if scales < 1 or 2**scales >= maps.shape[1]:
        raise ValueError(
            f"scales: must be at least 1, with 2^scales below the {maps.shape[1]} pixels per side, found {scales}"
        )
    return maps


def _spline(kind: np.dtype) -> np.ndarray:
    return np.array([1, 4, 6], kind) / kind.type(16)


def _sources(side: int, scales: int, periodic: bool) -> np.ndarray:
    """Index of the pixel at each position of a line padded on both sides, shape (N + 2^(scales + 1),).

    A scale of step 2^j needs 2·2^j more pixels on each side; the largest step is 2^(scales − 1).
    """
    position = np.arange(-(2**scales), side + 2**scales)
    if periodic:
        return position % side
    position = np.abs(position) % (2 * side - 2)
    return np.minimum(position, 2 * side - 2 - position)


@numba.njit(cache=True, fastmath=True)
def _starlet(maps: np.ndarray, sources: np.ndarray, spline: np.ndarray, out: np.ndarray) -> None:
    side, scales = maps.shape[1], out.shape[1] - 1
    pad = (sources.size - side) // 2
    edge, near, centre = spline[0], spline[1], spline[2]
    rows, line = np.empty((side, side), maps.dtype), np.empty(side + 2 * pad, maps.dtype)
    for m in range(maps.shape[0]):
        out[m, 0] = maps[m]
        for scale in range(scales):
            step = 2**scale
            finer, smooth = out[m, scale], out[m, scale + 1]
            for i in range(side):
                a, b, c = finer[sources[pad + i - 2 * step]], finer[sources[pad + i - step]], finer[i]
                d, e = finer[sources[pad + i + step]], finer[sources[pad + i + 2 * step]]
                for j in range(side):
                    rows[i, j] = edge * (a[j] + e[j]) + near * (b[j] + d[j]) + centre * c[j]
            for i in range(side):
                line[pad : pad + side] = rows[i]
                for j in range(pad - 2 * step, pad):
                    line[j] = rows[i, sources[j]]
                for j in range(pad + side, pad + side + 2 * step):
                    line[j] = rows[i, sources[j]]
                a, b, c = line[pad - 2 * step :], line[pad - step :], line[pad:]
                d, e = line[pad + step :], line[pad + 2 * step :]
                for j in range(side):
                    smooth[i, j] = edge * (a[j] + e[j]) + near * (b[j] + d[j]) + centre * c[j]
                for j in range(side):
                    finer[i, j] -= smooth[i, j]


@numba.njit(cache=True)
def _add_l1(coefficients: np.ndarray, bounds: np.ndarray, per_unit: np.ndarray, l1: np.ndarray) -> None:
    indices = np.empty(coefficients.shape[2], np.int32)
    # two alternating accumulators: the next addition need not wait for the previous one
    tally = np.empty((2, bounds.shape[1] - 1))
    for scale in range(coefficients.shape[0]):
        tally[:] = 0
        for row in coefficients[scale]:
            find_bins(row, bounds[scale], per_unit[scale], indices)
            for j in range(indices.size):
                tally[j & 1, indices[j]] += abs(row[j])
        l1[scale] = tally[0, 1:-1] + tally[1, 1:-1]
