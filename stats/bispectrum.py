"""Bispectrum of maps and of periodic cubes in bins of wavenumber, by Fourier transforms.

The mean of FT(a) FT(b) FT(c) over all triangles a + b + c = 0 with one side in each of three bins is computed from
three fields, each of which contains the modes of one bin. It is the spatial mean of their product, divided by the same
mean for modes of unit amplitude, which counts the triangles (Scoccimarro, arXiv:1506.02729; Watkinson et al.,
arXiv:1705.06284). The grid of the product is large enough that no triangle closes by periodicity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numba
import numpy as np
import scipy.fft
from numpy.typing import ArrayLike

from tenfold.stats.bins import checked_edges
from tenfold.stats.maps import checked_maps

Triangle = tuple[int, int, int]
"""Bin indices of the three sides of a triangle."""


@dataclass(frozen=True)
class Bispectrum:
    """Bispectrum of maps, with one row per map, or of a cube, with a single row.

    Attributes
    ----------
    sides
        Mean wavenumber of the modes in the three bins, shape (triangles, 3) [ℓ, or h/Mpc].
    bispectrum
        Mean over all triangles of the bins, shape (rows, triangles) [unit³ sr², or (Mpc/h)⁶].
    triangles
        Number of triangles, shape (triangles,): ordered triples of modes, with a triple and its complex conjugate both
        counted. A Gaussian field of power P₁, P₂, P₃ has variance s P₁P₂P₃ × area (volume) / triangles, with
        s = 6, 2, 1 for three, two or no equal bins.
    """

    sides: np.ndarray
    bispectrum: np.ndarray
    triangles: np.ndarray


def equilateral(bins: int) -> list[Triangle]:
    """Equilateral triangles: all sides in the same bin, one triangle per bin."""
    return [(i, i, i) for i in range(bins)]


def squeezed(bins: int, *, long: int = 0) -> list[Triangle]:
    """Squeezed isosceles triangles: one side in bin `long`, two equal sides in each of the higher bins."""
    return [(long, i, i) for i in range(long + 1, bins)]


def bispectrum(
    maps: np.ndarray, side_deg: float, ell_edges: ArrayLike, triangles: Sequence[Triangle] | None = None
) -> Bispectrum:
    """Measure the bispectrum of flat-sky maps.

    Parameters
    ----------
    maps
        Maps, shape (maps, N, N), any unit.
    side_deg
        Side of the maps [degrees].
    ell_edges
        Edges of the bins, ℓ_lo < ℓ ≤ ℓ_hi, shape (bins + 1,); below the Nyquist mode, 180 N/side_deg.
    triangles
        Bins of the sides of each triangle; by default `equilateral` for all bins. Every call counts the triangles
        again, so pass many maps at once.

    Returns
    -------
    Bispectrum
        One row per map.

    Raises
    ------
    ValueError
        The maps do not have this shape, an edge is beyond Nyquist, or no triangle closes.
    """
    maps = checked_maps(maps)
    if not side_deg > 0:
        raise ValueError(f"side_deg: must be positive, found {side_deg}")
    return _measured(maps, np.deg2rad(side_deg), checked_edges(ell_edges, "ell_edges"), triangles)


def bispectrum_3d(
    delta: np.ndarray, box_mpc_h: float, k_edges: ArrayLike, triangles: Sequence[Triangle] | None = None
) -> Bispectrum:
    """Measure the bispectrum of a periodic cube.

    Parameters
    ----------
    delta
        Overdensity, shape (N, N, N).
    box_mpc_h
        Side of the cube [Mpc/h].
    k_edges
        Edges of the bins, k_lo < k ≤ k_hi, shape (bins + 1,) [h/Mpc]; below the Nyquist mode, π N/box_mpc_h.
    triangles
        Bins of the sides of each triangle; by default `equilateral` for all bins.

    Returns
    -------
    Bispectrum
        A single row.

    Raises
    ------
    ValueError
        delta is not a cube, an edge is beyond Nyquist, or no triangle closes.
    """
    delta = np.asarray(delta)
    if delta.ndim != 3 or len(set(delta.shape)) != 1 or delta.shape[0] < 4:
        raise ValueError(f"bispectrum_3d needs a cube of at least 4 cells per side, found shape {delta.shape}")
    if not box_mpc_h > 0:
        raise ValueError(f"box_mpc_h must be positive, found {box_mpc_h}")
    return _measured(delta[None], box_mpc_h, checked_edges(k_edges, "k_edges"), triangles)


def _measured(fields: np.ndarray, length: float, edges: np.ndarray, triangles: Sequence[Triangle] | None) -> Bispectrum:
    """Bispectrum of periodic fields, shape (rows, N, …, N), with sides of `length`."""
    side, dimensions, bins = fields.shape[1], fields.ndim - 1, len(edges) - 1
    triangles = equilateral(bins) if triangles is None else list(triangles)
    if not triangles or not all(len(sides) == 3 and all(0 <= b < bins for b in sides) for sides in triangles):
        raise ValueError(f"triangles: each needs three bins from 0 to {bins - 1}, found {triangles}")
    fundamental = 2 * np.pi / length
    shells = _Shells(side, dimensions, edges / fundamental)
    ones = np.ones((side,) * (dimensions - 1) + (side // 2 + 1,), np.complex128)
    counts = np.rint(shells.closed(ones, triangles))
    if not counts.all():
        empty = triangles[int(np.flatnonzero(counts == 0)[0])]
        ranges = ", ".join(f"{edges[b]:g} to {edges[b + 1]:g}" for b in empty)
        raise ValueError(f"triangles: no triangle has sides in {ranges}; wavenumbers are multiples of {fundamental:g}")
    sums = np.array([shells.closed(scipy.fft.rfftn(field, workers=1), triangles) for field in fields])
    scale = float(length) ** (2 * dimensions) / float(side) ** (3 * dimensions)
    return Bispectrum(
        sides=shells.mean[np.array(triangles)] * fundamental,
        bispectrum=sums.reshape(-1, len(triangles)) * (scale / counts),
        triangles=counts.astype(np.int64),
    )


class _Shells:
    """Modes of a periodic field by bin, and their positions on the grid of the products.

    Parameters
    ----------
    side, dimensions
        Cells per side and number of axes of the field.
    edges
        Bin edges in units of the fundamental mode.
    """

    def __init__(self, side: int, dimensions: int, edges: np.ndarray):
        if edges[0] < 0 or 2 * edges[-1] >= side:
            raise ValueError(
                f"bin edges must lie between 0 and the Nyquist mode of {side // 2} fundamental modes, found "
                f"{edges[0]:g} to {edges[-1]:g}"
            )
        reach = int(edges[-1] * (1 + 1e-12))
        # components of three modes then never add up to the side of the grid
        self.shape = (int(scipy.fft.next_fast_len(3 * reach + 1, real=True)),) * dimensions
        axes = [np.arange(-reach, reach + 1)] * (dimensions - 1) + [np.arange(reach + 1)]
        n = np.array(np.meshgrid(*axes, indexing="ij")).reshape(dimensions, -1)
        size = np.sqrt((n**2).sum(axis=0))
        label = np.searchsorted(edges * (1 + 1e-12), size, side="left") - 1
        label[size == 0] = -1
        self.modes, means = [], []
        for b in range(len(edges) - 1):
            inside = n[:, label == b]
            self.modes.append(tuple(inside))  # negative components index from the end, on either grid
            weight = np.where(inside[-1] == 0, 1, 2)
            means.append((size[label == b] * weight).sum() / max(weight.sum(), 1))
        self.mean = np.array(means)

    def closed(self, modes: np.ndarray, triangles: Sequence[Triangle]) -> np.ndarray:
        """Sum of the products of three modes over all closed triangles, shape (triangles,); modes as from rfftn."""
        sums, fields = np.empty(len(triangles)), {}
        for t, sides in enumerate(triangles):
            for b in set(sides) - set(fields):
                fields[b] = self._field(modes, b)
            sums[t] = _sum_of_products(*(fields[b].ravel() for b in sides)) / np.prod(self.shape, dtype=float)
            fields = _still_needed(fields, triangles[t + 1 :])
        return sums

    def _field(self, modes: np.ndarray, b: int) -> np.ndarray:
        """Field that contains only the modes of one bin."""
        grid = np.zeros((*self.shape[:-1], self.shape[-1] // 2 + 1), modes.dtype)
        grid[self.modes[b]] = modes[self.modes[b]]
        return np.asarray(scipy.fft.irfftn(grid, s=self.shape, norm="forward", workers=1))


def _still_needed(fields: dict[int, np.ndarray], triangles: Iterable[Triangle]) -> dict[int, np.ndarray]:
    """Fields that the remaining triangles need."""
    needed = {b for sides in triangles for b in sides}
    return {b: field for b, field in fields.items() if b in needed}


@numba.njit(cache=True, fastmath=True)
def _sum_of_products(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    total = 0.0
    for i in range(a.size):
        total += float(a[i]) * float(b[i]) * float(c[i])
    return total
