"""Statistics of flat-sky maps that need not be square or complete: maps (maps, Y, X) with one mask (Y, X).

The power spectrum of a map times its mask is that of the sky convolved with that of the mask: the pseudo-C_ℓ. In bins,
its expectation is a matrix times the C_ℓ of the sky (Hivon et al. 2002, astro-ph/0105302; in the flat-sky limit).
Minkowski functionals, bispectra and wavelets of masked maps are not provided: they need complete square maps.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike
from scipy.ndimage import binary_erosion, maximum_filter

from tenfold.stats.bins import checked_edges
from tenfold.stats.maps import Histogram


@dataclass(frozen=True)
class PseudoPower:
    """Pseudo-C_ℓ of masked maps in bins ℓ_lo < ℓ ≤ ℓ_hi.

    Attributes
    ----------
    ell
        Mean multipole of the modes of each bin, shape (bins,).
    power
        Pseudo-C_ℓ divided by `f_sky`, shape (maps, bins) [map unit² sr]: the C_ℓ if it is nearly constant over the
        multipoles that the mask couples. The coupling is not removed.
    modes
        Approximate number of independent modes of each bin, shape (bins,): those of the rectangle times ⟨w²⟩²/⟨w⁴⟩.
    f_sky
        Mean square of the mask, ⟨w²⟩: for a mask of 0 and 1 the fraction of the rectangle that is observed.
    """

    ell: np.ndarray
    power: np.ndarray
    modes: np.ndarray
    f_sky: float


def checked_masked_maps(maps: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return maps as float64, shape (maps, Y, X), with masked pixels of 0, and the mask as float64, shape (Y, X).

    Raises
    ------
    ValueError
        The shapes do not match, the mask has values outside 0 … 1 or no observed pixel, or an observed pixel is not
        finite.
    """
    maps, weights = np.asarray(maps), np.asarray(mask, np.float64)
    if weights.ndim != 2 or maps.ndim != 3 or maps.shape[1:] != weights.shape or min(weights.shape) < 4:
        raise ValueError(f"maps (maps, Y, X) and a mask (Y, X) are needed, found {maps.shape} and {weights.shape}")
    if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.max() <= 1 and weights.any()):
        raise ValueError("mask: values from 0 to 1 are needed, and one above 0")
    observed = weights > 0
    maps = np.where(observed, maps, 0).astype(np.float64)
    if not np.isfinite(maps).all():
        bad = np.flatnonzero(~np.isfinite(maps).all(axis=(1, 2)))
        raise ValueError(f"maps: map {bad[0]} has observed pixels that are not finite ({len(bad)} such maps)")
    return maps, weights


def pseudo_power(maps: np.ndarray, mask: np.ndarray, pixel_deg: float, ell_edges: ArrayLike) -> PseudoPower:
    """Measure the pseudo-C_ℓ of masked maps.

    The weighted mean of a map is subtracted, so that power of modes larger than the map is lost. Maps are padded with
    zeros to twice their sides: opposite edges of the sky are not adjacent.

    Parameters
    ----------
    maps
        Maps, shape (maps, Y, X), any unit; pixels where the mask is 0 are not used.
    mask
        Weight of each pixel w, 0 to 1, shape (Y, X); True where maps are observed.
    pixel_deg
        Side of a pixel [degrees].
    ell_edges
        Bin edges, shape (bins + 1,). Bins narrower than 360°/(shorter side) are strongly coupled.

    Returns
    -------
    PseudoPower
        One row per map.

    Raises
    ------
    ValueError
        The shapes do not match, the pixel is not positive, or a bin has no mode.
    """
    maps, weights = checked_masked_maps(maps, mask)
    modes = _PaddedModes(weights.shape, pixel_deg, checked_edges(ell_edges, "ell_edges"))
    f_sky = float((weights**2).mean())
    area = np.deg2rad(pixel_deg) ** 2 / (weights.size * f_sky)
    power = np.empty((len(maps), modes.bins))
    for row, image in zip(power, maps, strict=True):
        weighted = (image - (weights * image).sum() / weights.sum()) * weights
        row[:] = modes.binned(modes.power(weighted)) * area
    fraction = weights.size / math.prod(modes.shape)  # of the padded plane
    return PseudoPower(
        ell=modes.binned(modes.size),
        power=power,
        modes=modes.count / 2 * fraction * f_sky**2 / float((weights**4).mean()),
        f_sky=f_sky,
    )


def mode_coupling(mask: np.ndarray, pixel_deg: float, ell_edges: ArrayLike) -> np.ndarray:
    """Compute the coupling of multipoles by a mask, between the bins of `pseudo_power`.

    With it, ``numpy.linalg.solve(coupling, pseudo.power.T).T`` is the C_ℓ of the sky in bins, if that is constant
    within each bin and negligible outside the bins.

    Parameters
    ----------
    mask, pixel_deg, ell_edges
        As for `pseudo_power`.

    Returns
    -------
    np.ndarray
        Expectation of `PseudoPower.power` in bin i per C_ℓ in bin j, shape (bins, bins). The rows sum to less than 1
        where power is coupled to multipoles outside all bins.
    """
    _, weights = checked_masked_maps(np.zeros((0, *np.shape(mask))), mask)
    modes = _PaddedModes(weights.shape, pixel_deg, checked_edges(ell_edges, "ell_edges"))
    # the power of a product of fields is a convolution of powers, thus a product of correlation functions
    of_mask = modes.correlation(modes.power(weights))
    columns = []
    for number in range(modes.bins):
        of_sky = modes.correlation((modes.rings == number).astype(float))
        columns.append(modes.binned(np.asarray(scipy.fft.rfft2(of_mask * of_sky, workers=1)).real))
    return np.stack(columns, axis=1) / (weights**2).sum()


class _PaddedModes:
    """Modes of maps that are padded with zeros to twice their sides, and their bins.

    Parameters
    ----------
    sides
        Sides of the maps (Y, X).
    pixel_deg
        Side of a pixel [degrees].
    edges
        Bin edges, shape (bins + 1,).
    """

    def __init__(self, sides: tuple[int, ...], pixel_deg: float, edges: np.ndarray):
        if not pixel_deg > 0:
            raise ValueError(f"pixel_deg: must be positive, found {pixel_deg}")
        self.bins = len(edges) - 1
        self.shape = tuple(scipy.fft.next_fast_len(2 * side, real=True) for side in sides)
        columns = np.arange(self.shape[1] // 2 + 1)
        frequencies = np.fft.fftfreq(self.shape[0])[:, None], np.fft.rfftfreq(self.shape[1])
        self.size = np.hypot(*frequencies) * (360 / pixel_deg)
        """Multipole of each mode."""
        self._weight = np.where((columns == 0) | (2 * columns == self.shape[1]), 1.0, 2.0)  # of both half-planes
        self.rings = np.searchsorted(edges * (1 + 1e-12), self.size, side="left") - 1
        """Bin of each mode; `bins` for those outside all bins, and for the mean."""
        self.rings[(self.rings < 0) | (self.size == 0)] = self.bins
        self.count = self._sums(np.ones(self.size.shape))
        """Number of modes in each bin, a mode and its complex conjugate counted twice, shape (bins,)."""
        if not self.count.all():
            empty = int(np.flatnonzero(self.count == 0)[0])
            raise ValueError(
                f"ell_edges: no mode has {edges[empty]:g} < ℓ ≤ {edges[empty + 1]:g} in maps of {sides[0]} × "
                f"{sides[1]} pixels of {pixel_deg:g} degrees"
            )

    def _sums(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.rings.ravel(), (values * self._weight).ravel(), self.bins + 1)[: self.bins]

    def binned(self, values: np.ndarray) -> np.ndarray:
        """Return the mean over the modes of each bin, shape (bins,)."""
        return self._sums(values) / self.count

    def power(self, image: np.ndarray) -> np.ndarray:
        """Return |FT|² of an image (Y, X)."""
        modes = np.asarray(scipy.fft.rfft2(image, self.shape, workers=1))
        return modes.real**2 + modes.imag**2

    def correlation(self, power: np.ndarray) -> np.ndarray:
        """Return the correlation function that belongs to a power."""
        return scipy.fft.irfft2(power, self.shape, workers=1)


def masked_pixel_distribution(maps: np.ndarray, mask: np.ndarray, edges: ArrayLike) -> Histogram:
    """Histogram the observed pixels of maps (maps, Y, X), those where the mask (Y, X) is above 0."""
    maps, weights = checked_masked_maps(maps, mask)
    return _histogram([image[weights > 0] for image in maps], edges)


def masked_peaks(maps: np.ndarray, mask: np.ndarray, edges: ArrayLike) -> Histogram:
    """Histogram the heights of peaks: observed pixels strictly above their eight neighbours, all of them observed.

    Parameters
    ----------
    maps, mask
        Maps, shape (maps, Y, X), and mask, shape (Y, X); pixels where it is 0 are masked.
    edges
        Bin edges of the height, shape (bins + 1,) [map unit].
    """
    maps, weights = checked_masked_maps(maps, mask)
    interior = binary_erosion(weights > 0, np.ones((3, 3)))  # pixels at the border have fewer neighbours
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    heights = [image[interior & (image > maximum_filter(image, footprint=ring))] for image in maps]
    return _histogram(heights, edges)


def _histogram(samples: list[np.ndarray], edges: ArrayLike) -> Histogram:
    edges = checked_edges(edges)
    counts = np.array([np.histogram(values, edges)[0] for values in samples]).reshape(len(samples), len(edges) - 1)
    return Histogram(edges, counts, np.array([len(values) for values in samples]))
