"""What theory says of Gaussian fields, against what tenfold.stats measures on them, and a page that shows both.

`TENFOLD_PAGES=pages make test PYTEST='-k gaussian_fields'` leaves the page in the folder `pages`, as
gaussian_fields.html; without TENFOLD_PAGES it goes where pytest keeps temporary files.

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

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jinja2
import matplotlib
import numpy as np
import pytest
import scipy.fft
from matplotlib.figure import Figure
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.special import ndtr
from scipy.stats import f as f_distribution

from tenfold.pipelines.page import TEMPLATES
from tenfold.pipelines.pictures import PANEL, SERIES, STYLE, Picture, png, svg
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

LEGENDS = {"pixels": "lower center", "V0": "upper right", "V0, 3-D": "upper right", "peaks": "lower center",
           "equilateral bispectrum": "upper right"}  # fmt: skip


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
    square = sum(each**2 for each in k)
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
    found = minkowski_functionals(maps, NU, periodic=True, pixel=PIXEL_ARCMIN)
    central, neighbours = spectrum.slope(1.0) / PIXEL_ARCMIN, spectrum.slope(0.5) / PIXEL_ARCMIN
    return [
        compared("V0", NU, found.v0, lambda nu: gaussian_minkowski(nu, 1, central).v0[0], "threshold κ/σ", "V0"),
        compared("V1", NU, found.v1, lambda nu: averaged(lambda at: gaussian_minkowski(at, 1, central).v1[0], nu),
                 "threshold κ/σ", "V1 [1/arcmin]"),
        compared("V2", NU, found.v2, lambda nu: averaged(lambda at: gaussian_minkowski(at, 1, neighbours).v2[0], nu),
                 "threshold κ/σ", "V2 [1/arcmin²]"),
    ]  # fmt: skip


def surfaces(cubes: np.ndarray, spectrum: Spectrum) -> list[Comparison]:
    """Minkowski functionals of cubes."""
    found = [minkowski_functionals_3d(cube, NU_3D, cell=CELL_MPC_H) for cube in cubes]
    slope, units = spectrum.moment(1) / CELL_MPC_H, ("", " [h/Mpc]", " [h²/Mpc²]", " [h³/Mpc³]")
    return [
        compared(f"V{i}, 3-D", NU_3D, np.array([getattr(each, f"v{i}") for each in found]),
                 lambda nu, i=i: getattr(gaussian_minkowski_3d(nu, 1.0, slope), f"v{i}"),
                 "threshold δ/σ", f"V{i}{units[i]}")
        for i in range(4)
    ]  # fmt: skip


def two_point(maps: np.ndarray, spectrum: Spectrum) -> list[Comparison]:
    """C_ℓ beside the mean power of the modes of each bin."""
    found, area = angular_power(maps, SIDE_DEG, RINGS), np.deg2rad(SIDE_DEG) ** 2
    ell = (np.sqrt(spectrum.square) * 180 / np.pi / (SIDE_DEG / SIDE)).ravel()
    power, modes = (np.histogram(ell, RINGS, weights=w)[0] for w in (area * spectrum.power.ravel(), np.ones(ell.size)))
    fine = np.linspace(RINGS[0], RINGS[-1], 200)
    line = area * spectrum.power[0, 1] * np.exp(-((fine * np.deg2rad(SIDE_DEG / SIDE) * SMOOTHING) ** 2))
    line *= np.exp(spectrum.square[0, 1] * SMOOTHING**2)
    return [
        Comparison("angular power", found.ell, found.power, power / modes, (fine, line), "multipole ℓ", "C$_ℓ$ [sr]",
                   logarithmic=True)
    ]  # fmt: skip


def three_point(maps: np.ndarray, spectrum: Spectrum) -> list[Comparison]:
    """The bispectrum, which is zero, and its square, which is the Gaussian variance."""
    area, bins = np.deg2rad(SIDE_DEG) ** 2, len(SHELLS) - 1
    # a map whose modes are the power itself has the mean of P₁P₂P₃ over the triangles for its bispectrum
    itself = scipy.fft.ifft2(SIDE**2 * area ** (1 / 3) * spectrum.power).real[None]
    means, variances = [], []
    for name, triangles, ways in (("equilateral", equilateral(bins), 6), ("squeezed", squeezed(bins), 2)):
        found = bispectrum(maps, SIDE_DEG, SHELLS, triangles)
        mean_power = bispectrum(itself, SIDE_DEG, SHELLS, triangles).bispectrum[0]
        scatter = np.sqrt(ways * mean_power * area / found.triangles)
        unit = found.sides.prod(axis=1) ** (4 / 3) / (2 * np.pi) ** 2
        ell, flat = found.sides[:, -1], np.array([SHELLS[0] if name == "equilateral" else SHELLS[1], SHELLS[-1]])
        axis = "multipole ℓ" if name == "equilateral" else "multipole ℓ of the short sides"
        means.append(
            Comparison(f"{name} bispectrum", ell, found.bispectrum * unit, np.zeros(len(ell)), (flat, np.zeros(2)),
                       axis, "(ℓ$_1$ℓ$_2$ℓ$_3$)$^{4/3}$ B/(2π)²", band=scatter * unit / np.sqrt(len(maps)))
        )  # fmt: skip
        variances.append(
            Comparison(f"variance of the {name}", ell, (found.bispectrum / scatter) ** 2, np.ones(len(ell)),
                       (flat, np.ones(2)), axis, "variance of B / Gaussian prediction")
        )  # fmt: skip
    return means + variances


def all_compared(maps: np.ndarray, cubes: np.ndarray) -> dict[str, Comparison]:
    flat, solid = smooth(SIDE, 2), smooth(CELLS, 3)
    found = [*one_point(maps, flat), *two_point(maps, flat), *contours(maps, flat), *surfaces(cubes, solid),
             *three_point(maps, flat)]  # fmt: skip
    return {each.name: each for each in found}


@pytest.fixture(scope="module")
def fields() -> tuple[np.ndarray, np.ndarray]:
    return smooth(SIDE, 2).fields(MAPS, seed=1), smooth(CELLS, 3).fields(CUBES, seed=2)


@pytest.fixture(scope="module")
def comparisons(fields) -> dict[str, Comparison]:
    return all_compared(*fields)


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_over_maps_is_theory_within_its_errors(name, comparisons):
    found = comparisons[name]
    # fifteen statistics: a bound on either side that one in five hundred would miss by chance; errors that were too
    # large would show as a probability near 1
    assert 0.001 < found.probability < 0.999
    assert np.abs(found.pulls).max() < 4


def test_the_formula_of_peaks_has_the_known_total():
    spectrum, nu = smooth(SIDE, 2), np.linspace(-7, 9, 1601)
    total = np.trapezoid(peak_density(nu, spectrum), nu)
    # 1/(4π√3 θ*²), Bond & Efstathiou's appendix
    assert np.isclose(total * 8 * np.pi * np.sqrt(3), (spectrum.moment(2) / spectrum.moment(1)) ** 2, rtol=1e-6)


def test_a_touch_of_skewness_is_seen_by_all_that_should_see_it(fields):
    # κ + f (κ² − 1) with f of one in twenty: by C_ℓ too, at large ℓ, where the Gaussian has next to no power
    skewed = all_compared(*((field + 0.05 * (field**2 - 1)) / np.sqrt(1 + 2 * 0.05**2) for field in fields))
    for name in NAMES:
        if "variance" not in name:
            # equilateral triangles carry the least of this signal, p = 1.4e-6; the next weakest statistic has 8e-13
            assert skewed[name].probability < 1e-4, name


def test_a_page_shows_theory_and_measurement(fields, comparisons, tmp_path):
    path = Path(os.environ.get("TENFOLD_PAGES") or tmp_path) / "gaussian_fields.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    loader = jinja2.FileSystemLoader([Path(__file__).parent, TEMPLATES])
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("gaussian_fields.html.j2").render(
        found=comparisons, pictures={name: panel(each) for name, each in comparisons.items()},
        fields=[drawn_map(fields[0][0]), drawn_section(fields[1][0])], names=NAMES,
        agree=sum(0.001 < each.probability < 0.999 for each in comparisons.values()),
        moments=moments(), maps=MAPS, side=SIDE, cubes=CUBES, cells=CELLS,
    )  # fmt: skip
    path.write_text(page, encoding="utf-8")
    assert page.count("<img ") == len(NAMES) + 2
    assert "http://" not in page and "https://" not in page


def moments() -> dict[str, str]:
    flat = smooth(SIDE, 2)
    one, two = flat.moment(1), flat.moment(2)
    return {
        "γ = σ1²/(σ0σ2) of the maps": f"{one**2 / two:.4f}",
        "θ* = √2 σ1/σ2 of the maps": f"{np.sqrt(2) * one / two * PIXEL_ARCMIN:.3f} arcmin",
        "σ1 of the maps": f"{one / PIXEL_ARCMIN:.5f} /arcmin; by central differences "
        f"{100 * (flat.slope(1.0) / one - 1):+.2f} %, by neighbours {100 * (flat.slope(0.5) / one - 1):+.2f} %",
        "σ1 of the cubes": f"{smooth(CELLS, 3).moment(1) / CELL_MPC_H:.5f} h/Mpc",
    }


def panel(each: Comparison) -> Picture:
    """Theory as a line, means with their errors; beneath, their difference over the error."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((PANEL[0], 3.8), layout="constrained")
        axes, below = figure.subplots(2, sharex=True, height_ratios=(3, 1.15))
        if each.band is not None:
            axes.fill_between(each.x, -each.band, each.band, color="#767676", alpha=0.25, lw=0,
                              label="Gaussian error of the mean")  # fmt: skip
        axes.plot(*each.line, color="black", lw=1, label="theory")
        axes.errorbar(each.x, each.rows.mean(0), each.error, fmt="o", ms=3, elinewidth=1, capsize=2, color=SERIES[0],
                      label="mean over the " + ("cubes" if "3-D" in each.name else "maps"))  # fmt: skip
        axes.set(ylabel=each.label, yscale="log" if each.logarithmic else "linear")
        axes.set_title(
            f"{each.name}\nχ² = {each.chi_square:.1f} of {len(each.x)}, p = {each.probability:.3f}", loc="left"
        )
        if not each.logarithmic:
            axes.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
        if each.name in LEGENDS:
            axes.legend(fontsize=7, loc=LEGENDS[each.name])
        for reach in (2, 1):
            below.axhspan(-reach, reach, color="#767676", alpha=0.15, lw=0)
        below.axhline(0, color="black", lw=1)
        below.errorbar(each.x, each.pulls, 1, fmt="o", ms=3, elinewidth=1, color=SERIES[0])
        below.set(xlabel=each.axis, ylabel="difference\n/ error", ylim=(-4, 4), yticks=(-3, 0, 3))
        figure.align_ylabels()
        return svg(figure, f"{each.name}: theory and mean over the fields, with the difference in units of the error")


def drawn_map(field: np.ndarray) -> Picture:
    with matplotlib.rc_context(STYLE):
        figure = Figure((PANEL[0], 3.3), layout="constrained")
        axes = figure.subplots()
        drawn = axes.imshow(field, origin="lower", extent=(0, SIDE_DEG) * 2, cmap="RdBu_r", vmin=-3.5, vmax=3.5)
        for extreme, marker in ((maximum_filter, "^"), (minimum_filter, "v")):
            y, x = (np.argwhere(extreme(field, 3, mode="wrap") == field) + 0.5).T * SIDE_DEG / SIDE
            axes.plot(x, y, marker, ms=3.5, mfc="none", mec="black", mew=0.7)
        axes.set(xlabel="degrees", ylabel="degrees")
        axes.set_title("a map, its peaks △, its minima ▽", loc="left")
        figure.colorbar(drawn, ax=axes, shrink=0.8, label="κ/σ")
        return png(figure, "A Gaussian map with its peaks and minima marked")


def drawn_section(cube: np.ndarray) -> Picture:
    with matplotlib.rc_context(STYLE):
        figure = Figure((PANEL[0], 3.3), layout="constrained")
        axes = figure.subplots()
        extent = (0, CELLS * CELL_MPC_H) * 2
        drawn = axes.imshow(cube[0], origin="lower", extent=extent, cmap="RdBu_r", vmin=-3.5, vmax=3.5)
        axes.contour(cube[0], levels=[1.0], extent=extent, colors="black", linewidths=0.7)
        axes.set(xlabel="Mpc/h", ylabel="Mpc/h")
        axes.set_title("a section of a cube, contour at 1σ", loc="left")
        figure.colorbar(drawn, ax=axes, shrink=0.8, label="δ/σ")
        return png(figure, "A section of a Gaussian cube with a contour")
