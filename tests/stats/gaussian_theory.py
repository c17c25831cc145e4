"""Statistics of Gaussian fields of known power: theory, and measurement by tenfold.stats.

The fields are periodic, of the power exp(−k²R²) with R of four pixels or cells and of unit variance. All moments are
sums over that known power; none is measured. Means over the maps are held against theory by Hotelling's T², the χ² of a
mean whose covariance is that of the maps' scatter. Nothing is added to the errors for pixels; instead, where pixels
matter, theory is that of the pixels:

- V0 needs nothing. V1 and V2 are exact for what `minkowski_functionals` computes: the average of the formula over its
  top hat of thresholds, V1 with the slope by central differences, V2 with that by differences of neighbours (the mean
  of the curvature term at a given height rests on the second difference, and on no other moment). The slope of the
  continuous field would be 1.6 % and 0.4 % steeper, which V1 shows at its peak as 2.6 % with its top hat's 1 %.
- In 3-D the formula is the continuous field's. 3,000 cubes show the counts of cells to lie 0.25, 0.7 and 0.5 % of the
  largest |V1|, |V2| and |V3| from it, at most: up to 0.6 of an error of the mean of 60 cubes.
- Peaks follow the continuous field's formula. 6,000 maps show those on pixels within 1 % of it below a height of 3.5,
  and 7 ± 3 % fewer above: at most half an error of the mean of 200 maps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from scipy.special import ndtr
from scipy.stats import f as f_distribution

from tenfold.stats.bispectrum import bispectrum, equilateral, squeezed
from tenfold.stats.maps import angular_power, minima, peaks, pixel_distribution
from tenfold.stats.minkowski import gaussian_minkowski, minkowski_functionals
from tenfold.stats.minkowski_3d import gaussian_minkowski_3d, minkowski_functionals_3d

MAPS, SIDE, SIDE_DEG = 200, 128, 3.6  # modes at multiples of ℓ = 100
CUBES, CELLS, CELL_MPC_H = 60, 48, 2.0
SMOOTHING = 4.0  # pixels, and cells
PIXEL_ARCMIN = 60 * SIDE_DEG / SIDE
WIDTH = 0.5  # of bins of height, and between thresholds
NU, NU_3D, HEIGHTS = np.arange(-3, 3.1, WIDTH), np.arange(-2.5, 2.6, WIDTH), np.arange(-0.75, 4, WIDTH)
RINGS = 100 * np.arange(0.5, 17)
SHELLS = 100 * np.arange(0.5, 13, 2)
NAMES = [
    "pixels", "angular power", "V0", "V1", "V2", "V0, 3-D", "V1, 3-D", "V2, 3-D", "V3, 3-D", "peaks", "minima",
    "equilateral bispectrum", "squeezed bispectrum", "variance of the equilateral", "variance of the squeezed",
]  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """A statistic's rows (maps, points) beside theory at the points x and along a line."""

    name: str
    x: np.ndarray
    rows: np.ndarray
    theory: np.ndarray
    line: tuple[np.ndarray, np.ndarray]
    axis: str
    label: str
    band: np.ndarray | None = None  # theory's own error of the mean
    logarithmic: bool = False

    @cached_property
    def error(self) -> np.ndarray:
        """Error of the mean, from the scatter between maps."""
        return self.rows.std(0, ddof=1) / np.sqrt(len(self.rows))

    @property
    def pulls(self) -> np.ndarray:
        """Deviations in units of the error."""
        return (self.rows.mean(0) - self.theory) / self.error

    @property
    def largest_pull(self) -> float:
        """The deviation farthest from zero, in units of its error."""
        return float(self.pulls[np.abs(self.pulls).argmax()])

    @property
    def median_error(self) -> float | None:
        """Median error, in percent of theory's largest value; none where theory is zero."""
        return float(100 * np.median(self.error) / np.abs(self.theory).max()) if self.theory.any() else None

    @cached_property
    def chi_square(self) -> float:
        """Hotelling's T²."""
        unit = self.rows / self.error
        return float(self.pulls @ np.linalg.solve(np.cov(unit.T) / len(unit), self.pulls))

    @property
    def probability(self) -> float:
        """Probability of a T² as large or larger, if theory holds."""
        n, points = self.rows.shape
        return float(f_distribution.sf(self.chi_square * (n - points) / (points * (n - 1)), points, n - points))


@dataclass(frozen=True)
class Spectrum:
    """The power of each mode of a periodic field, of sum 1: shape (N, N) or (N, N, N), and its wavenumbers' squares."""

    wavenumbers: list[np.ndarray]  # [1/pixel]
    square: np.ndarray
    power: np.ndarray

    def fields(self, count: int, seed: int) -> np.ndarray:
        """Gaussian fields, shape (count, N, …, N)."""
        shape, axes = self.power.shape, tuple(range(1, self.power.ndim + 1))
        amplitude = np.sqrt(self.power * self.power.size)[..., : shape[0] // 2 + 1]
        white = np.random.default_rng(seed).standard_normal((count, *shape))
        return scipy.fft.irfftn(scipy.fft.rfftn(white, axes=axes) * amplitude, s=shape, axes=axes)

    def moment(self, order: int) -> float:
        """σ_j of the continuous field, (Σ k^2j P)^(1/2) [pixel^−j]."""
        return float(np.sqrt((self.power * self.square**order).sum()))

    def slope(self, step: float) -> float:
        """σ1 by differences over 2 step pixels [1/pixel]."""
        differences = sum(np.sin(step * k) ** 2 for k in self.wavenumbers) / step**2
        return float(np.sqrt((self.power * differences).sum()))


def smooth(side: int, dimensions: int) -> Spectrum:
    k = np.meshgrid(*[2 * np.pi * np.fft.fftfreq(side)] * dimensions, indexing="ij")
    square = sum(component**2 for component in k)
    power = np.exp(-square * SMOOTHING**2)
    power.flat[0] = 0
    return Spectrum(k, square, power / power.sum())


def averaged(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Mean of a function over WIDTH around each x."""
    return np.mean([function(x + WIDTH * ((i + 0.5) / 21 - 0.5)) for i in range(21)], axis=0)


def peak_density(nu: np.ndarray, spectrum: Spectrum) -> np.ndarray:
    """Peaks per pixel and unit height [σ0] of a Gaussian field (Bond & Efstathiou 1987, MNRAS 226, 655, appendix)."""
    sigma = [spectrum.moment(order) for order in range(3)]
    gamma, scale = sigma[1] ** 2 / (sigma[0] * sigma[2]), np.sqrt(2) * sigma[1] / sigma[2]
    x, spread = np.linspace(0, 12, 801), 1 - gamma**2
    shape = (x**2 + np.exp(-(x**2)) - 1) * np.exp(-((x - gamma * nu[:, None]) ** 2) / (2 * spread))
    return np.exp(-(nu**2) / 2) / ((2 * np.pi) ** 1.5 * scale**2) * np.trapezoid(shape, x) / np.sqrt(2 * np.pi * spread)


def one_point(maps: np.ndarray, spectrum: Spectrum) -> list[Comparison]:
    """Distribution of the pixels, peaks and minima."""
    per_area = SIDE**2 / SIDE_DEG**2

    def density(nu: np.ndarray) -> np.ndarray:
        return per_area * averaged(lambda at: peak_density(at, spectrum), nu)

    def gaussian(nu: np.ndarray) -> np.ndarray:
        return (ndtr(nu + WIDTH / 2) - ndtr(nu - WIDTH / 2)) / WIDTH

    edges = np.append(HEIGHTS, HEIGHTS[-1] + WIDTH) - WIDTH / 2
    return [
        compared("pixels", NU, pixel_distribution(maps, np.append(NU, NU[-1] + WIDTH) - WIDTH / 2).density, gaussian,
                 "κ/σ", "probability density", logarithmic=True),
        compared("peaks", HEIGHTS, peaks(maps, edges, periodic=True).per_unit / SIDE_DEG**2, density,
                 "height κ/σ", "peaks per deg² and unit height"),
        compared("minima", -HEIGHTS[::-1], minima(maps, -edges[::-1], periodic=True).per_unit / SIDE_DEG**2,
                 lambda nu: density(-nu), "height κ/σ", "minima per deg² and unit height"),
    ]  # fmt: skip


def compared(
    name: str, x: np.ndarray, rows: np.ndarray, theory: Callable[[np.ndarray], np.ndarray], axis: str, label: str,
    *, logarithmic: bool = False,
) -> Comparison:  # fmt: skip
    fine = np.linspace(x[0] - 0.15, x[-1] + 0.15, 151)
    return Comparison(name, x, rows, theory(x), (fine, theory(fine)), axis, label, logarithmic=logarithmic)


def contours(maps: np.ndarray, spectrum: Spectrum) -> list[Comparison]:
    """Minkowski functionals of maps."""
    measured = minkowski_functionals(maps, NU, periodic=True, pixel=PIXEL_ARCMIN)
    central, neighbours = spectrum.slope(1.0) / PIXEL_ARCMIN, spectrum.slope(0.5) / PIXEL_ARCMIN
    return [
        compared("V0", NU, measured.v0, lambda nu: gaussian_minkowski(nu, 1, central).v0[0], "threshold κ/σ", "V0"),
        compared("V1", NU, measured.v1, lambda nu: averaged(lambda at: gaussian_minkowski(at, 1, central).v1[0], nu),
                 "threshold κ/σ", "V1 [1/arcmin]"),
        compared("V2", NU, measured.v2, lambda nu: averaged(lambda at: gaussian_minkowski(at, 1, neighbours).v2[0], nu),
                 "threshold κ/σ", "V2 [1/arcmin²]"),
    ]  # fmt: skip


def surfaces(cubes: np.ndarray, spectrum: Spectrum) -> list[Comparison]:
    """Minkowski functionals of cubes."""
    measured = [minkowski_functionals_3d(cube, NU_3D, cell=CELL_MPC_H) for cube in cubes]
    slope, units = spectrum.moment(1) / CELL_MPC_H, ("", " [h/Mpc]", " [h²/Mpc²]", " [h³/Mpc³]")
    return [
        compared(f"V{i}, 3-D", NU_3D, np.array([getattr(functionals, f"v{i}") for functionals in measured]),
                 lambda nu, i=i: getattr(gaussian_minkowski_3d(nu, 1.0, slope), f"v{i}"),
                 "threshold δ/σ", f"V{i}{units[i]}")
        for i in range(4)
    ]  # fmt: skip


def two_point(maps: np.ndarray, spectrum: Spectrum) -> list[Comparison]:
    """C_ℓ beside the mean power of the modes of each bin."""
    measured, area = angular_power(maps, SIDE_DEG, RINGS), np.deg2rad(SIDE_DEG) ** 2
    ell = (np.sqrt(spectrum.square) * 180 / np.pi / (SIDE_DEG / SIDE)).ravel()
    power, modes = (np.histogram(ell, RINGS, weights=w)[0] for w in (area * spectrum.power.ravel(), np.ones(ell.size)))
    fine = np.linspace(RINGS[0], RINGS[-1], 200)
    line = area * spectrum.power[0, 1] * np.exp(-((fine * np.deg2rad(SIDE_DEG / SIDE) * SMOOTHING) ** 2))
    line *= np.exp(spectrum.square[0, 1] * SMOOTHING**2)
    return [
        Comparison("angular power", measured.ell, measured.power, power / modes, (fine, line), "multipole ℓ",
                   "C$_ℓ$ [sr]", logarithmic=True)
    ]  # fmt: skip


def three_point(maps: np.ndarray, spectrum: Spectrum) -> list[Comparison]:
    """The bispectrum, which is zero, and its square, which is the Gaussian variance."""
    area, bins = np.deg2rad(SIDE_DEG) ** 2, len(SHELLS) - 1
    # a map whose modes are the power itself has the mean of P₁P₂P₃ over the triangles for its bispectrum
    itself = scipy.fft.ifft2(SIDE**2 * area ** (1 / 3) * spectrum.power).real[None]
    means, variances = [], []
    for name, triangles, ways in (("equilateral", equilateral(bins), 6), ("squeezed", squeezed(bins), 2)):
        measured = bispectrum(maps, SIDE_DEG, SHELLS, triangles)
        mean_power = bispectrum(itself, SIDE_DEG, SHELLS, triangles).bispectrum[0]
        scatter = np.sqrt(ways * mean_power * area / measured.triangles)
        unit = measured.sides.prod(axis=1) ** (4 / 3) / (2 * np.pi) ** 2
        ell, flat = measured.sides[:, -1], np.array([SHELLS[0] if name == "equilateral" else SHELLS[1], SHELLS[-1]])
        axis = "multipole ℓ" if name == "equilateral" else "multipole ℓ of the short sides"
        means.append(
            Comparison(f"{name} bispectrum", ell, measured.bispectrum * unit, np.zeros(len(ell)), (flat, np.zeros(2)),
                       axis, "(ℓ$_1$ℓ$_2$ℓ$_3$)$^{4/3}$ B/(2π)²", band=scatter * unit / np.sqrt(len(maps)))
        )  # fmt: skip
        variances.append(
            Comparison(f"variance of the {name}", ell, (measured.bispectrum / scatter) ** 2, np.ones(len(ell)),
                       (flat, np.ones(2)), axis, "variance of B / Gaussian prediction")
        )  # fmt: skip
    return means + variances


def all_compared(maps: np.ndarray, cubes: np.ndarray) -> dict[str, Comparison]:
    flat, solid = smooth(SIDE, 2), smooth(CELLS, 3)
    comparisons = [*one_point(maps, flat), *two_point(maps, flat), *contours(maps, flat), *surfaces(cubes, solid),
             *three_point(maps, flat)]  # fmt: skip
    return {comparison.name: comparison for comparison in comparisons}
