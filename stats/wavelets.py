"""The starlet transform of maps and its ℓ1-norm per scale, the higher-order statistic of Ajani et al. (2101.01542).

The starlet is the isotropic undecimated wavelet of the B3 spline by the "à trous" algorithm (Starck, Fadili & Murtagh
2007): each scale is the difference of two smoothings, so that all scales and the last smoothing add up to the map.
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
        Edges of the bins of the coefficients, per scale, shape (scales + 1, bins + 1) [map unit].
    l1
        Sum of |coefficient| over the pixels whose coefficient is in the bin, shape (maps, scales + 1, bins) [map unit];
        scale j reaches over 2^(j + 1) pixels, the last is what remains smooth.
    """

    edges: np.ndarray
    l1: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """All scales side by side, shape (maps, (scales + 1) bins)."""
        return self.l1.reshape(len(self.l1), self.l1.shape[1] * self.l1.shape[2])


def starlet(maps: np.ndarray, scales: int, *, periodic: bool) -> np.ndarray:
    """Starlet transform of maps.

    Parameters
    ----------
    maps
        Shape (maps, N, N).
    scales
        Number of wavelet scales, finest first, of 2, 4, 8 … pixels; 2^scales < N.
    periodic
        Whether maps wrap; if not, they are mirrored at the border pixels.

    Returns
    -------
    np.ndarray
        Wavelet coefficients of each scale and the last smoothing, whose sum is the map, shape
        (maps, scales + 1, N, N), float32 or float64 as the maps.

    Raises
    ------
    ValueError
        If the shape does not fit or there are more scales than the map has room for.
    """
    maps = _checked(maps, scales)
    out = np.empty((len(maps), scales + 1, *maps.shape[1:]), maps.dtype)
    _starlet(maps, _sources(maps.shape[1], scales, periodic), _spline(maps.dtype), out)
    return out


def starlet_l1(maps: np.ndarray, edges: ArrayLike, *, scales: int = 4, periodic: bool) -> WaveletL1:
    """Starlet ℓ1-norm of maps, per scale in bins of the coefficient.

    Parameters
    ----------
    maps
        Shape (maps, N, N).
    edges
        Edges of the bins [map unit]: shape (bins + 1,) for all scales, or (scales + 1, bins + 1), since coefficients
        of different scales differ in size; edge i ≤ coefficient < edge i + 1, the last edge included.
    scales, periodic
        As of `starlet`.

    Raises
    ------
    ValueError
        If a shape does not fit or edges do not rise.
    """
    maps, edges = _checked(maps, scales), np.asarray(edges, np.float64)
    if edges.ndim not in (1, 2) or (edges.ndim == 2 and len(edges) != scales + 1):
        raise ValueError(f"edges: shape (bins + 1,) or ({scales + 1}, bins + 1) is needed, found {edges.shape}")
    edges = np.array([checked_edges(each) for each in np.broadcast_to(edges, (scales + 1, edges.shape[-1]))])
    l1 = np.zeros((len(maps), scales + 1, edges.shape[1] - 1))
    bounds, per_unit = np.array([bounds_of(each) for each in edges]), np.array([bins_per_unit(each) for each in edges])
    sources, spline = _sources(maps.shape[1], scales, periodic), _spline(maps.dtype)
    coefficients = np.empty((1, scales + 1, *maps.shape[1:]), maps.dtype)
    for m in range(len(maps)):  # a map at a time stays in the processor's cache
        _starlet(maps[m : m + 1], sources, spline, coefficients)
        _add_l1(coefficients[0], bounds, per_unit, l1[m])
    return WaveletL1(edges, l1)


def _checked(maps: np.ndarray, scales: int) -> np.ndarray:
    maps = checked_maps(maps)
    if scales < 1 or 2**scales >= maps.shape[1]:
        raise ValueError(f"scales: at least 1, and 2^scales below the {maps.shape[1]} pixels of a side, found {scales}")
    return maps


def _spline(kind: np.dtype) -> np.ndarray:
    return np.array([1, 4, 6], kind) / kind.type(16)


def _sources(side: int, scales: int, periodic: bool) -> np.ndarray:
    """Pixel that stands at each place of a line padded on both sides, shape (N + 2^(scales + 1),).

    A scale of step 2^j needs 2·2^j more pixels on each side; the widest is step 2^(scales − 1).
    """
    place = np.arange(-(2**scales), side + 2**scales)
    if periodic:
        return place % side
    place = np.abs(place) % (2 * side - 2)
    return np.minimum(place, 2 * side - 2 - place)


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
    found = np.empty(coefficients.shape[2], np.int32)
    # two places to add to, in turn: the next addition need not wait for the last
    tally = np.empty((2, bounds.shape[1] - 1))
    for scale in range(coefficients.shape[0]):
        tally[:] = 0
        for row in coefficients[scale]:
            find_bins(row, bounds[scale], per_unit[scale], found)
            for j in range(found.size):
                tally[j & 1, found[j]] += abs(row[j])
        l1[scale] = tally[0, 1:-1] + tally[1, 1:-1]
