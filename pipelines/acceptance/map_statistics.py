"""All statistics that mass maps are judged by, with bins laid down once, by the simulated maps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tenfold.stats.bispectrum import bispectrum, equilateral, squeezed
from tenfold.stats.maps import angular_power, minima, peaks, pixel_distribution
from tenfold.stats.minkowski import minkowski_functionals
from tenfold.stats.wavelets import starlet, starlet_l1

PART = 256
"""Maps measured at once."""
LEVELS = 4
"""Bins of wavelet coefficients per scale."""
NYQUIST = 0.75
"""Of the pixels' Nyquist mode: up to there maps are compared."""


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """A statistic of maps: its bins, and how its deviations are told."""

    name: str
    label: str
    """For a figure's axis, with the unit."""
    bins: np.ndarray
    """Where its bins lie, shape (B,)."""
    axis: str
    """What the bins are, for a figure."""
    of_modes: bool = False
    """Whether the bins are multipoles, or wavenumbers."""
    relative_to: Literal["bin", "largest"]
    """What its deviations are fractions of: see `tenfold.stats.agreement.agreement`."""
    measure: Callable[[np.ndarray], np.ndarray]
    """Maps (n, N, N) to rows (n, B)."""

    def rows(self, maps: np.ndarray) -> np.ndarray:
        """Measure maps (n, N, N), part by part: shape (n, B)."""
        return np.concatenate([self.measure(maps[first : first + PART]) for first in range(0, len(maps), PART)])


@dataclass(frozen=True)
class Modes:
    """How the modes of a map are counted.

    Attributes
    ----------
    side
        Of a map, as statistics of the flat sky take it [degrees]. L Mpc/h stand for L radians, which makes of a
        multipole k [h/Mpc]; a full turn makes of it the number of waves across the map.
    axis, spectrum
        Words for the modes and for their power.
    """

    side: float
    axis: str
    spectrum: str

    @classmethod
    def of(cls, side_deg: float | None, box_mpc_h: float | None = None) -> "Modes":
        """Multipoles where the maps have an angle, wavenumbers where they have a length, else waves across them."""
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
    """Choose the bins of every statistic so that simulated maps fill them.

    Parameters
    ----------
    simulated
        Maps, shape (n, N, N).
    side_deg
        Side of the maps [degrees]; None for maps that have no angle.
    box_mpc_h
        Side of such maps [Mpc/h], where it is known.
    ell_max
        Multipole, or wavenumber, up to which maps are compared; by default `NYQUIST` of the pixels'.
    bins
        Of spectra; of distributions, peaks, Minkowski functionals and wavelets as many.
    periodic
        Whether maps continue at the opposite edge.
    unit
        What the maps are of, for figures.
    """
    return list(_chosen(np.asarray(simulated), Modes.of(side_deg, box_mpc_h), ell_max, bins, periodic, unit))


def _chosen(
    maps: np.ndarray, modes: Modes, ell_max: float | None, bins: int, periodic: bool, unit: str
) -> Iterator[Statistic]:
    fundamental, side = 360 / modes.side, maps.shape[1]
    top = min(NYQUIST * side / 2 if ell_max is None else ell_max / fundamental, side / 2 - 1)
    edges = fundamental * _multiples(top, bins)
    few = fundamental * _multiples(min(top, side / 3), max(3, bins // 2))
    ell = angular_power(maps[:2], modes.side, edges).ell
    yield Statistic(
        name="angular_power" if modes.spectrum == "Cℓ" else "power_spectrum", label=modes.spectrum, bins=ell,
        axis=modes.axis, of_modes=True, relative_to="bin",
        measure=lambda part: angular_power(part, modes.side, edges).power,
    )  # fmt: skip
    mean = float(maps.mean())
    low, high = np.quantile(maps, [0.002, 0.998])
    values = np.linspace(low, high, bins + 1)
    yield Statistic(
        name="pixel_distribution", label=f"pixels per {unit}", bins=(values[1:] + values[:-1]) / 2, axis=unit,
        relative_to="bin", measure=lambda part: pixel_distribution(part, values).density,
    )  # fmt: skip
    tops = np.linspace(mean, float(np.quantile(maps, 0.999)), bins + 1)
    yield Statistic(
        name="peaks", label=f"peaks per map and {unit}", bins=(tops[1:] + tops[:-1]) / 2, axis=f"height {unit}",
        relative_to="bin", measure=lambda part: peaks(part, tops, periodic=periodic).per_unit,
    )  # fmt: skip
    holes = np.linspace(float(np.quantile(maps, 0.002)), mean, bins + 1)
    yield Statistic(
        name="minima", label=f"minima per map and {unit}", bins=(holes[1:] + holes[:-1]) / 2, axis=f"depth {unit}",
        relative_to="bin", measure=lambda part: minima(part, holes, periodic=periodic).per_unit,
    )  # fmt: skip
    thresholds = np.linspace(low, high, bins)
    for number, what in enumerate(("area above", "boundary length", "Euler characteristic")):
        yield Statistic(
            name=f"minkowski_v{number}", label=f"V{number}, {what}", bins=thresholds, axis=f"threshold {unit}",
            relative_to="largest",
            measure=lambda part, number=number: _functional(part, thresholds, number, periodic),
        )  # fmt: skip
    triangles = {"equilateral": equilateral(len(few) - 1), "squeezed": squeezed(len(few) - 1)}
    for name, sides in triangles.items():
        measured = bispectrum(maps[:2], modes.side, few, sides)
        yield Statistic(
            name=f"bispectrum_{name}", label=f"{name} bispectrum", bins=measured.sides[:, -1], axis=modes.axis,
            of_modes=True, relative_to="bin",
            measure=lambda part, sides=sides: bispectrum(part, modes.side, few, sides).bispectrum,
        )  # fmt: skip
    scales = int(np.log2(side)) - 3
    coefficients = starlet(maps[: min(len(maps), 64)], scales, periodic=periodic)
    reach = np.quantile(np.abs(coefficients), 0.99, axis=(0, 2, 3))
    bounds = np.linspace(-reach, reach, LEVELS + 1, axis=1)
    yield Statistic(
        name="wavelet_l1", label="starlet ℓ1-norm", bins=np.arange(LEVELS * len(reach), dtype=float),
        axis="scale and value", relative_to="largest",
        measure=lambda part: starlet_l1(part, bounds, scales=scales, periodic=periodic).rows,
    )  # fmt: skip


def _multiples(top: float, bins: int) -> np.ndarray:
    """Edges in multiples of the fundamental mode, which the first bin holds: wider as they rise, each with modes."""
    edges = np.unique(np.round(np.geomspace(1, max(top, 4), bins + 1)))
    return np.concatenate([[0.5], edges[1:]])


def _functional(part: np.ndarray, thresholds: np.ndarray, number: int, periodic: bool) -> np.ndarray:
    found = minkowski_functionals(part, thresholds, periodic=periodic)
    return (found.v0, found.v1, found.v2)[number]
