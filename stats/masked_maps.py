"""Statistics of flat-sky maps that need not be square or complete: maps (maps, Y, X) with one mask (Y, X).

The power spectrum of a map times its mask is that of the sky convolved with that of the mask: the pseudo-C_ℓ. In bins,
its expectation is a matrix times the C_ℓ of the sky (Hivon et al. 2002, astro-ph/0105302; in the flat-sky limit).
Minkowski functionals, bispectra and wavelets of masked maps are not provided: they need complete square maps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike
from scipy.ndimage import binary_erosion, maximum_filter

from tenfold.stats.bins import checked_edges
from tenfold.stats.maps import Histogram


@dataclass(frozen=True)
class PseudoPower:
    """Pseudo-C_ℓ of masked maps in bins ℓ_lo < ℓ ≤ ℓ_hi, and the coupling of the bins by the mask.

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
    coupling
        Expectation of `power` in bin i per C_ℓ in bin j, shape (bins, bins). The rows sum to less than 1 where power is
        coupled to multipoles outside all bins.
    """

    ell: np.ndarray
    power: np.ndarray
    modes: np.ndarray
    f_sky: float
    coupling: np.ndarray

    @property
    def decoupled(self) -> np.ndarray:
        """C_ℓ of the sky in bins, with the coupling removed, shape (maps, bins) [map unit² sr].

        It assumes that the C_ℓ is constant within each bin, and negligible outside the bins.
        """
        return np.linalg.solve(self.coupling, self.power.T).T


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
    """Measure the pseudo-C_ℓ of masked maps, and the coupling of its bins.

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
    if not pixel_deg > 0:
        raise ValueError(f"pixel_deg: must be positive, found {pixel_deg}")
    edges = checked_edges(ell_edges, "ell_edges")
    shape = tuple(scipy.fft.next_fast_len(2 * side, real=True) for side in weights.shape)
    size = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])) * (360 / pixel_deg)
    double = np.where((np.arange(size.shape[1]) == 0) | (2 * np.arange(size.shape[1]) == shape[1]), 1.0, 2.0)
    bins = len(edges) - 1
    rings = np.searchsorted(edges * (1 + 1e-12), size, side="left") - 1
    rings[(rings < 0) | (size == 0)] = bins
    count = np.bincount(rings.ravel(), np.broadcast_to(double, size.shape).ravel(), bins + 1)[:bins]
    if not count.all():
        empty = int(np.flatnonzero(count == 0)[0])
        raise ValueError(
            f"ell_edges: no mode has {edges[empty]:g} < ℓ ≤ {edges[empty + 1]:g} in maps of {weights.shape[0]} × "
            f"{weights.shape[1]} pixels of {pixel_deg:g} degrees"
        )

    def binned(values: np.ndarray) -> np.ndarray:
        return np.bincount(rings.ravel(), (values * double).ravel(), bins + 1)[:bins] / count

    f_sky = float((weights**2).mean())
    area = np.deg2rad(pixel_deg) ** 2 / (weights.size * f_sky)
    power = np.empty((len(maps), bins))
    for row, image in zip(power, maps, strict=True):
        weighted = (image - (weights * image).sum() / weights.sum()) * weights
        row[:] = binned(_squares(weighted, shape)) * area
    fraction = weights.size / np.prod(shape)  # of the padded plane
    return PseudoPower(
        ell=binned(size),
        power=power,
        modes=count / 2 * fraction * f_sky**2 / float((weights**4).mean()),
        f_sky=f_sky,
        coupling=_coupling(weights, shape, rings, bins, binned),
    )


def _squares(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return |FT|² of an image that is padded with zeros."""
    modes = np.asarray(scipy.fft.rfft2(image, shape, workers=1))
    return modes.real**2 + modes.imag**2


def _coupling(
    weights: np.ndarray,
    shape: tuple[int, ...],
    rings: np.ndarray,
    bins: int,
    binned: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return the mean power in bin i of a masked field with unit power in bin j, relative to a complete map."""
    # the power of a product of fields is a convolution of powers, thus a product of correlation functions
    correlation = scipy.fft.irfft2(_squares(weights, shape), shape, workers=1)
    columns = []
    for number in range(bins):
        of_sky = scipy.fft.irfft2((rings == number).astype(float), shape, workers=1)
        columns.append(binned(np.asarray(scipy.fft.rfft2(correlation * of_sky, workers=1)).real))
    return np.stack(columns, axis=1) / (weights**2).sum()


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
