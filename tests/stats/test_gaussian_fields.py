"""Statistics of Gaussian fields measured by tenfold.stats against theory, and a page that shows both.

`TENFOLD_PAGES=pages make test PYTEST='-k gaussian_fields'` leaves the page in the folder `pages`, as
gaussian_fields.html; without TENFOLD_PAGES it goes where pytest keeps temporary files.
"""

import os
import sys
from pathlib import Path

import jinja2
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.ndimage import maximum_filter, minimum_filter

sys.path.insert(0, str(Path(__file__).parent))

from gaussian_theory import (
    CELL_MPC_H,
    CELLS,
    CUBES,
    MAPS,
    NAMES,
    PIXEL_ARCMIN,
    SIDE,
    SIDE_DEG,
    Comparison,
    all_compared,
    peak_density,
    smooth,
)

from tenfold.pipelines.reports.figures import PANEL, SERIES, STYLE, EmbeddedFigure, png, svg
from tenfold.pipelines.reports.html import TEMPLATES

pytestmark = pytest.mark.slow

LEGENDS = {"pixels": "lower center", "V0": "upper right", "V0, 3-D": "upper right", "peaks": "lower center",
           "equilateral bispectrum": "upper right"}  # fmt: skip


@pytest.fixture(scope="module")
def fields() -> tuple[np.ndarray, np.ndarray]:
    return smooth(SIDE, 2).fields(MAPS, seed=1), smooth(CELLS, 3).fields(CUBES, seed=2)


@pytest.fixture(scope="module")
def comparisons(fields) -> dict[str, Comparison]:
    return all_compared(*fields)


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_over_maps_is_theory_within_its_errors(name, comparisons):
    comparison = comparisons[name]
    # fifteen statistics: a bound on either side that one in five hundred would miss by chance; errors that were too
    # large would show as a probability near 1
    assert 0.001 < comparison.probability < 0.999
    assert np.abs(comparison.pulls).max() < 4


def test_the_formula_of_peaks_has_the_known_total():
    spectrum, nu = smooth(SIDE, 2), np.linspace(-7, 9, 1601)
    total = np.trapezoid(peak_density(nu, spectrum), nu)
    # 1/(4π√3 θ*²), Bond & Efstathiou's appendix
    assert np.isclose(total * 8 * np.pi * np.sqrt(3), (spectrum.moment(2) / spectrum.moment(1)) ** 2, rtol=1e-6)


def test_slight_skewness_is_detected_by_the_statistics_sensitive_to_it(fields):
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
        comparisons=comparisons, images={name: panel(comparison) for name, comparison in comparisons.items()},
        fields=[drawn_map(fields[0][0]), drawn_section(fields[1][0])], names=NAMES,
        agree=sum(0.001 < comparison.probability < 0.999 for comparison in comparisons.values()),
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


def panel(comparison: Comparison) -> EmbeddedFigure:
    """Theory as a line, means with their errors; beneath, their difference over the error."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((PANEL[0], 3.8), layout="constrained")
        axes, below = figure.subplots(2, sharex=True, height_ratios=(3, 1.15))
        if comparison.band is not None:
            axes.fill_between(comparison.x, -comparison.band, comparison.band, color="#767676", alpha=0.25, lw=0,
                              label="Gaussian error of the mean")  # fmt: skip
        axes.plot(*comparison.line, color="black", lw=1, label="theory")
        axes.errorbar(comparison.x, comparison.rows.mean(0), comparison.error, fmt="o", ms=3, elinewidth=1, capsize=2,
                      color=SERIES[0],
                      label="mean over the " + ("cubes" if "3-D" in comparison.name else "maps"))  # fmt: skip
        axes.set(ylabel=comparison.label, yscale="log" if comparison.logarithmic else "linear")
        axes.set_title(
            f"{comparison.name}\nχ² = {comparison.chi_square:.1f} of {len(comparison.x)}, "
            f"p = {comparison.probability:.3f}",
            loc="left",
        )
        if not comparison.logarithmic:
            axes.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
        if comparison.name in LEGENDS:
            axes.legend(fontsize=7, loc=LEGENDS[comparison.name])
        for reach in (2, 1):
            below.axhspan(-reach, reach, color="#767676", alpha=0.15, lw=0)
        below.axhline(0, color="black", lw=1)
        below.errorbar(comparison.x, comparison.pulls, 1, fmt="o", ms=3, elinewidth=1, color=SERIES[0])
        below.set(xlabel=comparison.axis, ylabel="difference\n/ error", ylim=(-4, 4), yticks=(-3, 0, 3))
        figure.align_ylabels()
        return svg(
            figure, f"{comparison.name}: theory and mean over the fields, with the difference in units of the error"
        )


def drawn_map(field: np.ndarray) -> EmbeddedFigure:
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


def drawn_section(cube: np.ndarray) -> EmbeddedFigure:
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
