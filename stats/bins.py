"""Assignment of values to bins, edge i ≤ value < edge i + 1 with the last edge included."""

import numba
import numpy as np
from numpy.typing import ArrayLike


def checked_edges(edges: ArrayLike, name: str = "edges") -> np.ndarray:
    """Convert bin edges (or thresholds) to float64, shape (bins + 1,), and check them.

    Raises
    ------
    ValueError
        There are fewer than two edges, or they are not finite or not increasing.
    """
    edges = np.asarray(edges, np.float64)
    if edges.ndim != 1 or len(edges) < 2:
        raise ValueError(f"{name}: at least two values in one dimension are needed, found shape {edges.shape}")
    if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise ValueError(f"{name}: must be finite and increasing, found {edges}")
    return edges


def bins_per_unit(edges: np.ndarray) -> float:
    """Number of bins per unit value, or 0 where bins cannot be found by a multiplication.

    Bins of unequal width cannot, nor can bins that are too narrow for single precision at the size of their edges.
    """
    width = (edges[-1] - edges[0]) / (len(edges) - 1)
    uniform = np.allclose(np.diff(edges), width, rtol=1e-6, atol=0) and width > 1e-5 * np.abs(edges).max()
    return float(1 / width) if uniform else 0.0


def bounds_of(edges: np.ndarray) -> np.ndarray:
    """Edges padded by one value beyond all data on either side, for `find_bins`, shape (bins + 3,)."""
    largest = np.finfo(np.float64).max
    return np.concatenate([[-largest], edges[:-1], [np.nextafter(edges[-1], largest), largest]])


@numba.njit(cache=True)
def find_bins(values: np.ndarray, bounds: np.ndarray, per_unit: float, indices: np.ndarray) -> None:
    """Find the bin of each value, counted from 1. Index 0 is below all edges, bins + 1 above.

    Parameters
    ----------
    values
        Finite values, shape (n,), float32 or float64.
    bounds, per_unit
        Outputs of `bounds_of` and `bins_per_unit`.
    indices
        Output array, shape (n,), int32.
    """
    if per_unit > 0:
        # fast, in the values' own precision; rounding across an edge is corrected below
        kind = values.dtype.type
        lowest, scale = kind(bounds[1]), kind(per_unit)
        zero, one, top = kind(0), kind(1), kind(bounds.size - 2)
        for i in range(values.size):
            indices[i] = int(min(max((values[i] - lowest) * scale + one, zero), top))
        for i in range(values.size):
            guess = indices[i]
            indices[i] += int(values[i] >= bounds[guess + 1]) - int(values[i] < bounds[guess])
    else:
        for i in range(values.size):
            indices[i] = np.searchsorted(bounds[1:-1], values[i], side="right")
