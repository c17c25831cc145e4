"""The bispectrum of maps and of periodic cubes, in bins of wavenumber, by Fourier transforms.

The mean of FT(a) FT(b) FT(c) over all triangles a + b + c = 0 with a side in each of three bins is the mean over
space of the product of three fields, each with the modes of one bin alone, over the same of unit modes, which counts
the triangles (Scoccimarro, arXiv:1506.02729; Watkinson et al., arXiv:1705.06284). The grid of the product is large
enough for no triangle to close around it.
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
"""The bins of a triangle's three sides."""


@dataclass(frozen=True)
class Bispectrum:
    """Bispectrum of maps, one row per map, or of a cube, one row.

    Attributes
    ----------
    sides
        Mean wavenumber of the modes of the three bins, shape (triangles, 3) [ℓ, or h/Mpc].
    bispectrum
        Mean over the triangles, shape (rows, triangles) [unit³ sr², or (Mpc/h)⁶].
    triangles
        Number of triangles: ordered triples of modes, a triple and its complex conjugate both counted, shape
        (triangles,). A Gaussian field of power P₁, P₂, P₃ has variance s P₁P₂P₃ × area (volume) / triangles, with
        s = 6, 2, 1 for three, two or no equal bins.
    """

    sides: np.ndarray
    bispectrum: np.ndarray
    triangles: np.ndarray


def equilateral(bins: int) -> list[Triangle]:
    """Triangles with all sides in one bin, for each of a number of bins."""
    return [(i, i, i) for i in range(bins)]


def squeezed(bins: int, *, long: int = 0) -> list[Triangle]:
    """Isosceles triangles of one long wave, the side in bin `long`, and two short ones in each bin after it."""
    return [(long, i, i) for i in range(long + 1, bins)]


def bispectrum(
    maps: np.ndarray, side_deg: float, ell_edges: ArrayLike, triangles: Sequence[Triangle] | None = None
) -> Bispectrum:
    """Bispectrum of flat-sky maps.

    Parameters
    ----------
    maps
        Shape (maps, N, N), any unit.
    side_deg
        Side of the maps [degrees].
    ell_edges
        Edges of the bins, ℓ_lo < ℓ ≤ ℓ_hi, shape (bins + 1,); below the Nyquist mode, 180 N/side_deg.
    triangles
        Bins of the sides of each triangle; by default `equilateral` of all bins. Triangles are counted anew by each
        call: give it many maps at once.

    Raises
    ------
    ValueError
        If the maps' shape does not fit, an edge is beyond Nyquist, or no triangle closes.
    """
    maps = checked_maps(maps)
    if not side_deg > 0:
        raise ValueError(f"side_deg: must be positive, found {side_deg}")
    return _measured(maps, np.deg2rad(side_deg), checked_edges(ell_edges, "ell_edges"), triangles)


def bispectrum_3d(
    delta: np.ndarray, box_mpc_h: float, k_edges: ArrayLike, triangles: Sequence[Triangle] | None = None
) -> Bispectrum:
    """Bispectrum of a periodic cube; the result has one row.

    Parameters
    ----------
    delta
        Overdensity, shape (N, N, N).
    box_mpc_h
        Side of the cube [Mpc/h].
    k_edges
        Edges of the bins, k_lo < k ≤ k_hi, shape (bins + 1,) [h/Mpc]; below the Nyquist mode, π N/box_mpc_h.
    triangles
        Bins of the sides of each triangle; by default `equilateral` of all bins.

    Raises
    ------
    ValueError
        If delta is no cube, an edge is beyond Nyquist, or no triangle closes.
    """
    delta = np.asarray(delta)
    if delta.ndim != 3 or len(set(delta.shape)) != 1 or delta.shape[0] < 4:
        raise ValueError(f"bispectrum_3d needs a cube of at least 4 cells a side, found shape {delta.shape}")
    if not box_mpc_h > 0:
        raise ValueError(f"box_mpc_h must be positive, found {box_mpc_h}")
    return _measured(delta[None], box_mpc_h, checked_edges(k_edges, "k_edges"), triangles)


def _measured(fields: np.ndarray, length: float, edges: np.ndarray, triangles: Sequence[Triangle] | None) -> Bispectrum:
    """Bispectrum of periodic fields, shape (rows, N, …, N), of side `length`."""
    side, dimensions, bins = fields.shape[1], fields.ndim - 1, len(edges) - 1
    triangles = equilateral(bins) if triangles is None else list(triangles)
    if not triangles or not all(len(sides) == 3 and all(0 <= b < bins for b in sides) for sides in triangles):
        raise ValueError(f"triangles: each needs three of the bins 0 to {bins - 1}, found {triangles}")
    fundamental = 2 * np.pi / length
    shells = _Shells(side, dimensions, edges / fundamental)
    ones = np.ones((side,) * (dimensions - 1) + (side // 2 + 1,), np.complex128)
    counts = np.rint(shells.closed(ones, triangles))
    if not counts.all():
        none = triangles[int(np.flatnonzero(counts == 0)[0])]
        ranges = ", ".join(f"{edges[b]:g} to {edges[b + 1]:g}" for b in none)
        raise ValueError(
            f"triangles: no triangle closes with sides of {ranges}; modes are multiples of {fundamental:g}"
        )
    sums = np.array([shells.closed(scipy.fft.rfftn(field, workers=1), triangles) for field in fields])
    scale = float(length) ** (2 * dimensions) / float(side) ** (3 * dimensions)
    return Bispectrum(
        sides=shells.mean[np.array(triangles)] * fundamental,
        bispectrum=sums.reshape(-1, len(triangles)) * (scale / counts),
        triangles=counts.astype(np.int64),
    )


class _Shells:
    """Modes of a periodic field by bin, and where they stand on the grid on which bins are multiplied.

    Parameters
    ----------
    side, dimensions
        Shape of the field.
    edges
        Edges of the bins in fundamental modes.
    """

    def __init__(self, side: int, dimensions: int, edges: np.ndarray):
        if edges[0] < 0 or 2 * edges[-1] >= side:
            raise ValueError(
                f"edges of the bins must lie between 0 and the Nyquist mode, {side // 2} fundamental modes, found "
                f"{edges[0]:g} to {edges[-1]:g} of them"
            )
        reach = int(edges[-1] * (1 + 1e-12))
        # the components of three modes within reach add up to the grid's side at no time
        self.shape = (int(scipy.fft.next_fast_len(3 * reach + 1, real=True)),) * dimensions
        axes = [np.arange(-reach, reach + 1)] * (dimensions - 1) + [np.arange(reach + 1)]
        n = np.array(np.meshgrid(*axes, indexing="ij")).reshape(dimensions, -1)
        size = np.sqrt((n**2).sum(axis=0))
        label = np.searchsorted(edges * (1 + 1e-12), size, side="left") - 1
        label[size == 0] = -1
        self.modes, means = [], []
        for b in range(len(edges) - 1):
            inside = n[:, label == b]
            self.modes.append(tuple(inside))  # negative ones count from the end, on either grid, as indices do
            weight = np.where(inside[-1] == 0, 1, 2)
            means.append((size[label == b] * weight).sum() / max(weight.sum(), 1))
        self.mean = np.array(means)

    def closed(self, modes: np.ndarray, triangles: Sequence[Triangle]) -> np.ndarray:
        """Sum of the products of three modes over all closed triangles, shape (triangles,); modes as of rfftn."""
        sums, fields = np.empty(len(triangles)), {}
        for t, sides in enumerate(triangles):
            for b in set(sides) - set(fields):
                fields[b] = self._field(modes, b)
            sums[t] = _sum_of_products(*(fields[b].ravel() for b in sides)) / np.prod(self.shape, dtype=float)
            fields = _kept(fields, triangles[t + 1 :])
        return sums

    def _field(self, modes: np.ndarray, b: int) -> np.ndarray:
        """Field of the modes of one bin alone."""
        grid = np.zeros((*self.shape[:-1], self.shape[-1] // 2 + 1), modes.dtype)
        grid[self.modes[b]] = modes[self.modes[b]]
        return np.asarray(scipy.fft.irfftn(grid, s=self.shape, norm="forward", workers=1))


def _kept(fields: dict[int, np.ndarray], triangles: Iterable[Triangle]) -> dict[int, np.ndarray]:
    """Fields that triangles still need."""
    needed = {b for sides in triangles for b in sides}
    return {b: field for b, field in fields.items() if b in needed}


@numba.njit(cache=True, fastmath=True)
def _sum_of_products(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    total = 0.0
    for i in range(a.size):
        total += float(a[i]) * float(b[i]) * float(c[i])
    return total
