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
    relative_to: Literal["bin", "largest"]
    """What its deviations are fractions of: see `tenfold.stats.agreement.agreement`."""
    measure: Callable[[np.ndarray], np.ndarray]
    """Maps (n, N, N) to rows (n, B)."""

    def rows(self, maps: np.ndarray) -> np.ndarray:
        """Measure maps (n, N, N), part by part: shape (n, B)."""
        return np.concatenate([self.measure(maps[first : first + PART]) for first in range(0, len(maps), PART)])


def statistics_for(
    simulated: np.ndarray, side_deg: float, *, ell_max: float, bins: int = 8, periodic: bool = False, unit: str = "κ"
) -> list[Statistic]:
    """Choose the bins of every statistic so that simulated maps fill them.

    Parameters
    ----------
    simulated
        κ, shape (n, N, N).
    side_deg
        Side of the maps [degrees].
    ell_max
        Multipole up to which the maps are trusted.
    bins
        Of spectra; of distributions, peaks, Minkowski functionals and wavelets as many.
    periodic
        Whether maps continue at the opposite edge.
    unit
        What the maps are of, for figures.
    """
    return list(_chosen(np.asarray(simulated), side_deg, ell_max, bins, periodic, unit))


def _chosen(
    maps: np.ndarray, side_deg: float, ell_max: float, bins: int, periodic: bool, unit: str
) -> Iterator[Statistic]:
    fundamental, side = 360 / side_deg, maps.shape[1]
    top = min(ell_max / fundamental, side / 2 - 1)
    edges = fundamental * _multiples(top, bins)
    few = fundamental * _multiples(min(top, side / 3), max(3, bins // 2))
    ell = angular_power(maps[:2], side_deg, edges).ell
    yield Statistic(
        name="angular_power", label="Cℓ", bins=ell, axis="multipole ℓ", relative_to="bin",
        measure=lambda part: angular_power(part, side_deg, edges).power,
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
        measured = bispectrum(maps[:2], side_deg, few, sides)
        yield Statistic(
            name=f"bispectrum_{name}", label=f"{name} bispectrum", bins=measured.sides[:, -1], axis="multipole ℓ",
            relative_to="bin",
            measure=lambda part, sides=sides: bispectrum(part, side_deg, few, sides).bispectrum,
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
