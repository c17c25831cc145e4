"""Statistics of the acceptance tests for mass maps, with bins chosen once from the simulated maps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tenfold.stats.bispectrum import bispectrum, equilateral, squeezed
from tenfold.stats.maps import angular_power, minima, peaks, pixel_distribution
from tenfold.stats.minkowski import minkowski_functionals
from tenfold.stats.wavelets import starlet, starlet_l1

MAPS_PER_CHUNK = 256
"""Number of maps measured at once."""
COEFFICIENT_BINS = 4
"""Number of bins of the wavelet coefficients per scale."""
NYQUIST_FRACTION = 0.75
"""Largest wavenumber that is compared, as a fraction of the pixels' Nyquist wavenumber."""


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """A statistic of maps, with its bins and the scale of its deviations."""

    name: str
    label: str
    """Axis label of figures, with the unit."""
    bins: np.ndarray
    """Position of each bin, shape (B,)."""
    axis: str
    """Axis label of the bins."""
    spectral: bool = False
    """Whether the bins are multipoles or wavenumbers."""
    relative_to: Literal["bin", "largest"]
    """Scale of its deviations; see `tenfold.stats.agreement.agreement`."""
    measure: Callable[[np.ndarray], np.ndarray]
    """Function that measures maps, shape (n, N, N), and returns rows, shape (n, B)."""

    def rows(self, maps: np.ndarray) -> np.ndarray:
        """Measure maps, shape (n, N, N), in chunks; returns shape (n, B). Errors name the statistic."""
        starts = range(0, len(maps), MAPS_PER_CHUNK)
        with naming_statistic(self.name):
            return np.concatenate([self.measure(maps[start : start + MAPS_PER_CHUNK]) for start in starts])


@contextmanager
def naming_statistic(name: str) -> Iterator[None]:
    """Add the name of the statistic to any exception raised in the context (PEP 678)."""
    try:
        yield
    except Exception as error:
        error.add_note(f"statistic: {name}")
        raise


@dataclass(frozen=True)
class SpectralUnits:
    """Units in which the Fourier modes of a map are given.

    Attributes
    ----------
    side
        Side of a map as the flat-sky statistics take it [degrees]. A side of L Mpc/h is given as L radians, so that
        multipoles become wavenumbers k [h/Mpc]. A side of 360° turns them into the number of waves across the map.
    axis, spectrum
        Axis labels of the modes and of their power.
    """

    side: float
    axis: str
    spectrum: str

    @classmethod
    def of(cls, side_deg: float | None, box_mpc_h: float | None = None) -> "SpectralUnits":
        """Multipoles for maps with an angular size, wavenumbers for maps with a length, else waves per map."""
        if side_deg is not None:
            return cls(side_deg, "multipole ℓ", "Cℓ")
        if box_mpc_h is not None:
            return cls(float(np.rad2deg(box_mpc_h)), "wavenumber k [h/Mpc]", "P(k)")
        return cls(360.0, "waves across the map", "power")


def statistics_for(
    simulated: np.ndarray,
    side_deg: float | None,
    *,
    box_mpc_h: float | None = None,
    ell_max: float | None = None,
    bins: int = 8,
    periodic: bool = False,
    unit: str = "κ",
) -> list[Statistic]:
    """Set up every statistic, with bins that the simulated maps populate.

    Parameters
    ----------
    simulated
        Simulated maps, shape (n, N, N).
    side_deg
        Side of the maps [degrees]; None for maps without an angular size.
    box_mpc_h
        Side of such maps [Mpc/h], where it is known.
    ell_max
        Largest multipole or wavenumber that is compared; by default `NYQUIST_FRACTION` of the pixels'.
    bins
        Number of bins of the power spectrum, the pixel and peak distributions and the Minkowski functionals.
    periodic
        Whether maps are periodic.
    unit
        Unit of the maps, for figures.

    Returns
    -------
    list of Statistic
        Power spectrum, pixel distribution, peaks, minima, Minkowski functionals, bispectra and starlet ℓ1-norm.
    """
    units = SpectralUnits.of(side_deg, box_mpc_h)
    return list(_statistics(np.asarray(simulated), units, ell_max, bins, periodic, unit))


def _statistics(
    maps: np.ndarray, units: SpectralUnits, ell_max: float | None, bins: int, periodic: bool, unit: str
) -> Iterator[Statistic]:
    fundamental, side = 360 / units.side, maps.shape[1]
    top = min(NYQUIST_FRACTION * side / 2 if ell_max is None else ell_max / fundamental, side / 2 - 1)
    edges = fundamental * _bin_edges(top, bins)
    coarse_edges = fundamental * _bin_edges(min(top, side / 3), max(3, bins // 2))
    ell = angular_power(maps[:2], units.side, edges).ell
    yield Statistic(
        name="angular_power" if units.spectrum == "Cℓ" else "power_spectrum", label=units.spectrum, bins=ell,
        axis=units.axis, spectral=True, relative_to="bin",
        measure=lambda maps: angular_power(maps, units.side, edges).power,
    )  # fmt: skip
    mean = float(maps.mean())
    low, high = np.quantile(maps, [0.002, 0.998])
    values = np.linspace(low, high, bins + 1)
    yield Statistic(
        name="pixel_distribution", label=f"pixels per {unit}", bins=(values[1:] + values[:-1]) / 2, axis=unit,
        relative_to="bin", measure=lambda maps: pixel_distribution(maps, values).density,
    )  # fmt: skip
    heights = np.linspace(mean, float(np.quantile(maps, 0.999)), bins + 1)
    yield Statistic(
        name="peaks", label=f"peaks per map and {unit}", bins=(heights[1:] + heights[:-1]) / 2, axis=f"height {unit}",
        relative_to="bin", measure=lambda maps: peaks(maps, heights, periodic=periodic).per_unit,
    )  # fmt: skip
    depths = np.linspace(float(np.quantile(maps, 0.002)), mean, bins + 1)
    yield Statistic(
        name="minima", label=f"minima per map and {unit}", bins=(depths[1:] + depths[:-1]) / 2, axis=f"depth {unit}",
        relative_to="bin", measure=lambda maps: minima(maps, depths, periodic=periodic).per_unit,
    )  # fmt: skip
    thresholds = np.linspace(low, high, bins)
    for order, name in enumerate(("area above", "boundary length", "Euler characteristic")):
        yield Statistic(
            name=f"minkowski_v{order}", label=f"V{order}, {name}", bins=thresholds, axis=f"threshold {unit}",
            relative_to="largest",
            measure=lambda maps, order=order: _functional(maps, thresholds, order, periodic),
        )  # fmt: skip
    triangles = {"equilateral": equilateral(len(coarse_edges) - 1), "squeezed": squeezed(len(coarse_edges) - 1)}
    for name, sides in triangles.items():
        measured = bispectrum(maps[:2], units.side, coarse_edges, sides)
        yield Statistic(
            name=f"bispectrum_{name}", label=f"{name} bispectrum", bins=measured.sides[:, -1], axis=units.axis,
            spectral=True, relative_to="bin",
            measure=lambda maps, sides=sides: bispectrum(maps, units.side, coarse_edges, sides).bispectrum,
        )  # fmt: skip
    scales = int(np.log2(side)) - 3
    coefficients = starlet(maps[: min(len(maps), 64)], scales, periodic=periodic)
    largest = np.quantile(np.abs(coefficients), 0.99, axis=(0, 2, 3))
    bounds = np.linspace(-largest, largest, COEFFICIENT_BINS + 1, axis=1)
    yield Statistic(
        name="wavelet_l1", label="starlet ℓ1-norm", bins=np.arange(COEFFICIENT_BINS * len(largest), dtype=float),
        axis="scale and value", relative_to="largest",
        measure=lambda maps: starlet_l1(maps, bounds, scales=scales, periodic=periodic).rows,
    )  # fmt: skip


def _bin_edges(top: float, bins: int) -> np.ndarray:
    """Logarithmic bin edges in units of the fundamental mode, none of them empty; the first bin holds that mode."""
    edges = np.unique(np.round(np.geomspace(1, max(top, 4), bins + 1)))
    return np.concatenate([[0.5], edges[1:]])


def _functional(maps: np.ndarray, thresholds: np.ndarray, order: int, periodic: bool) -> np.ndarray:
    functionals = minkowski_functionals(maps, thresholds, periodic=periodic)
    return (functionals.v0, functionals.v1, functionals.v2)[order]
