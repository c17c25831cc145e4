"""Bins of values, edge i ≤ value < edge i + 1 with the last edge included: which bin a value lies in."""

import numba
import numpy as np
from numpy.typing import ArrayLike


def checked_edges(edges: ArrayLike, name: str = "edges") -> np.ndarray:
    """Edges of bins as float64, shape (bins + 1,).

    Raises
    ------
    ValueError
        If there are fewer than two edges, or they are not finite or do not rise.
    """
    edges = np.asarray(edges, np.float64)
    if edges.ndim != 1 or len(edges) < 2:
        raise ValueError(f"{name}: at least two in one dimension are needed, found shape {edges.shape}")
    if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise ValueError(f"{name}: must be finite and rise, found {edges}")
    return edges


def bins_per_unit(edges: np.ndarray) -> float:
    """Bins per unit value, or 0 where a bin is not found by a multiplication.

    That is where bins differ in width, or are too narrow for single precision at the size of their edges.
    """
    width = (edges[-1] - edges[0]) / (len(edges) - 1)
    even = np.allclose(np.diff(edges), width, rtol=1e-6, atol=0) and width > 1e-5 * np.abs(edges).max()
    return float(1 / width) if even else 0.0


def bounds_of(edges: np.ndarray) -> np.ndarray:
    """Edges with one beyond all values on either side, for `find_bins`, shape (bins + 3,)."""
    most = np.finfo(np.float64).max
    return np.concatenate([[-most], edges[:-1], [np.nextafter(edges[-1], most), most]])


@numba.njit(cache=True)
def find_bins(values: np.ndarray, bounds: np.ndarray, per_unit: float, found: np.ndarray) -> None:
    """Find the bin of each value, counted from 1; 0 is below all edges, bins + 1 above.

    Parameters
    ----------
    values
        Finite, shape (n,), float32 or float64.
    bounds, per_unit
        Of `bounds_of` and `bins_per_unit`.
    found
        Shape (n,), int32; filled.
    """
    if per_unit > 0:
        # in the values' own precision, which is quick and may be rounded across an edge; the edges themselves decide
        kind = values.dtype.type
        lowest, scale = kind(bounds[1]), kind(per_unit)
        zero, one, top = kind(0), kind(1), kind(bounds.size - 2)
        for i in range(values.size):
            found[i] = int(min(max((values[i] - lowest) * scale + one, zero), top))
        for i in range(values.size):
            guess = found[i]
            found[i] += int(values[i] >= bounds[guess + 1]) - int(values[i] < bounds[guess])
    else:
        for i in range(values.size):
            found[i] = np.searchsorted(bounds[1:-1], values[i], side="right")
