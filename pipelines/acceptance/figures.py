"""Figures of a report on mass maps, one panel each."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold.pipelines.acceptance.map_statistics import Statistic
from tenfold.pipelines.reports.figures import SERIES, STYLE, EmbeddedFigure, grey_beyond, panel, png, print_trusted, svg
from tenfold.stats.agreement import Agreement

SIMULATED, GENERATED = SERIES[0], SERIES[1]
Trusted = tuple[float, float] | None
"""Range of multipoles at which the simulated maps are trusted, where known. Printed on every figure."""


def _spectral_axis(axes: Axes, statistic: Statistic, trusted: Trusted) -> None:
    """Make an axis of multipoles or wavenumbers logarithmic, and shade the untrusted multipoles."""
    if not statistic.spectral:
        return
    axes.set_xscale("log")
    ticks = [step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5)]
    axes.set_xticks([tick for tick in ticks if 0.9 * statistic.bins[0] <= tick <= 1.1 * statistic.bins[-1]])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    if trusted is not None:
        grey_beyond(axes, trusted)


def map_comparison(
    simulated: np.ndarray, generated: np.ndarray, unit: str, titles: Sequence[str], trusted: Trusted = None
) -> EmbeddedFigure:
    """Plot simulated and generated maps, shape (n, N, N) each, in two rows with one colour scale."""
    with matplotlib.rc_context(STYLE):
        count = len(simulated)
        figure = Figure((1.75 * count, 3.9), layout="constrained")
        panels = figure.subplots(2, count, squeeze=False)
        low, high = np.quantile(simulated, [0.005, 0.997])
        for row, (kind, maps) in enumerate((("simulated", simulated), ("generated", generated))):
            for column in range(count):
                axes = panels[row, column]
                image = axes.imshow(maps[column], origin="lower", cmap="inferno", vmin=low, vmax=high)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
                if not row:
                    axes.set_title(titles[column], fontsize=8)
                if not column:
                    axes.set_ylabel(kind)
        figure.colorbar(image, ax=panels, orientation="horizontal", fraction=0.05, aspect=40, label=unit)
        print_trusted(figure, trusted)
        return png(figure, "Simulated maps (top) and generated maps (bottom), on one colour scale")


def means(
    statistic: Statistic, simulated: np.ndarray, generated: np.ndarray, trusted: Trusted = None
) -> EmbeddedFigure:
    """Plot the mean and standard deviation over the maps of a statistic, given as rows, shape (n, B)."""
    with panel() as (figure, axes):
        lowest = min(simulated.mean(0).min(), generated.mean(0).min())
        floor = (
            lowest / 3 if lowest > 0 else -np.inf
        )  # bands may reach below zero, which a logarithmic axis cannot show
        for rows, colour, line, label in (
            (simulated, SIMULATED, "-", "simulated"), (generated, GENERATED, "--", "generated"),
        ):  # fmt: skip
            mean, sigma = rows.mean(0), rows.std(0)
            low = np.maximum(mean - sigma, floor)
            axes.fill_between(statistic.bins, low, mean + sigma, color=colour, alpha=0.15, lw=0)
            axes.plot(statistic.bins, mean, color=colour, ls=line, marker="o", ms=2.5, label=label)
        axes.set(xlabel=statistic.axis, ylabel=statistic.label)
        if lowest > 0:
            axes.set_yscale("log")
            axes.set_ylim(bottom=floor)
        _spectral_axis(axes, statistic, trusted)
        print_trusted(figure, trusted)
        axes.legend()
        return svg(figure, f"{statistic.label}: mean and standard deviation of simulated and generated maps")


def deviations(statistic: Statistic, agreement: Agreement, tolerance: float, trusted: Trusted = None) -> EmbeddedFigure:
    """Plot the relative deviation of a statistic's mean by bin, with the null band and the tolerance."""
    with panel() as (figure, axes):
        axes.axhspan(-100 * tolerance, 100 * tolerance, color="#009E73", alpha=0.12, lw=0, label="tolerance")
        null, deviation = 100 * agreement.null_deviation, 100 * agreement.deviation
        axes.fill_between(
            statistic.bins,
            -null,
            null,
            color="#767676",
            alpha=0.25,
            lw=0,
            label="simulations against simulations (95 %)",
        )
        axes.plot(statistic.bins, deviation, color=GENERATED, lw=1, alpha=0.6)
        for usable, fill in ((agreement.usable, GENERATED), (~agreement.usable, "white")):
            axes.plot(statistic.bins[usable], deviation[usable], "o", ms=4, mfc=fill, mec=GENERATED)
        limit = max(300 * tolerance, 1.2 * np.abs(deviation[agreement.usable]).max(initial=0))
        quantity = "generated / simulated − 1" if statistic.relative_to == "bin" else "difference / largest simulated"
        axes.set(ylim=(-limit, limit), xlabel=statistic.axis, ylabel=f"{quantity} [%]")
        axes.set_title(statistic.label, loc="left")
        _spectral_axis(axes, statistic, trusted)
        print_trusted(figure, trusted)
        axes.legend(loc="upper left")
        return svg(figure, f"{statistic.label}: relative deviation of the mean, with the null band")


def correlations(
    statistic: Statistic, simulated: np.ndarray, generated: np.ndarray, trusted: Trusted = None
) -> EmbeddedFigure:
    """Plot the correlation matrix of the bins: simulated below the diagonal, generated above."""
    with panel() as (figure, axes):
        with np.errstate(invalid="ignore", divide="ignore"):
            lower, upper = (np.nan_to_num(np.corrcoef(rows.T)) for rows in (simulated, generated))
        image = axes.imshow(
            np.tril(lower) + np.triu(upper, 1), cmap="RdBu_r", vmin=-1, vmax=1, origin="lower", aspect="auto"
        )
        axes.plot([-0.5, len(lower) - 0.5], [-0.5, len(lower) - 0.5], color="black", lw=0.8)
        axes.set(xlabel=f"bin of {statistic.axis}", ylabel="bin")
        axes.locator_params(integer=True)
        axes.set_title("simulated below, generated above", loc="left")
        figure.colorbar(image, ax=axes, label="correlation")
        print_trusted(figure, trusted)
        return svg(figure, f"{statistic.label}: correlation matrix of the bins")


def error_by_distance(distances: np.ndarray, errors: dict[str, np.ndarray], trusted: Trusted = None) -> EmbeddedFigure:
    """Plot the errors at held-out cosmologies against the distance to the nearest training cosmology."""
    with panel() as (figure, axes):
        for (name, values), colour, marker in zip(errors.items(), SERIES, "osD^", strict=False):
            axes.plot(distances, 100 * values, marker, color=colour, ms=4, label=name.replace("_", " "))
        axes.set(xlabel="distance to the nearest training cosmology [σ]", ylabel="median deviation [%]", ylim=(0, None))
        axes.legend()
        print_trusted(figure, trusted)
        return svg(figure, "Error against the distance to the nearest training cosmology")


def memorisation(generated: np.ndarray, unseen: np.ndarray, trusted: Trusted = None) -> EmbeddedFigure:
    """Plot histograms of the distance to the nearest training map."""
    with panel() as (figure, axes):
        edges = np.linspace(0, max(generated.max(), unseen.max()) * 1.02, 150)
        for values, colour, line, label in (
            (unseen, SIMULATED, "-", "simulated, unseen"), (generated, GENERATED, "--", "generated"),
        ):  # fmt: skip
            axes.hist(values, edges, density=True, histtype="step", color=colour, ls=line, lw=1.4, label=label)
        axes.set(xlabel="distance to the nearest training map, √(1 − r)", ylabel="density")
        axes.legend(loc="upper left")
        print_trusted(figure, trusted)
        return svg(figure, "Distances to the nearest training map")
