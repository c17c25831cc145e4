"""Figures of a report on mass maps, one panel each."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold.pipelines.acceptance.map_statistics import Statistic
from tenfold.pipelines.reports.figures import PANEL, SERIES, STYLE, Picture, grey_beyond, png, print_trusted, svg
from tenfold.stats.agreement import Agreement

SIMULATED, GENERATED = SERIES[0], SERIES[1]
Trusted = tuple[float, float] | None
"""Multipoles that the simulated maps are trusted at, where the data say; printed on every figure."""


def _by_modes(axes: Axes, each: Statistic, trusted: Trusted) -> None:
    """Make an axis of multipoles, or wavenumbers, logarithmic; grey out what lies beyond the trusted multipoles."""
    if not each.of_modes:
        return
    axes.set_xscale("log")
    places = [step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5)]
    axes.set_xticks([place for place in places if 0.9 * each.bins[0] <= place <= 1.1 * each.bins[-1]])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    if trusted is not None:
        grey_beyond(axes, trusted)


def side_by_side(
    simulated: np.ndarray, generated: np.ndarray, unit: str, titles: Sequence[str], trusted: Trusted = None
) -> Picture:
    """Show maps (n, N, N) of both kinds in two rows, in one colour scale."""
    with matplotlib.rc_context(STYLE):
        count = len(simulated)
        figure = Figure((1.75 * count, 3.9), layout="constrained")
        panels = figure.subplots(2, count, squeeze=False)
        low, high = np.quantile(simulated, [0.005, 0.997])
        for row, (what, maps) in enumerate((("simulated", simulated), ("generated", generated))):
            for column in range(count):
                axes = panels[row, column]
                drawn = axes.imshow(maps[column], origin="lower", cmap="inferno", vmin=low, vmax=high)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
                if not row:
                    axes.set_title(titles[column], fontsize=8)
                if not column:
                    axes.set_ylabel(what)
        figure.colorbar(drawn, ax=panels, orientation="horizontal", fraction=0.05, aspect=40, label=unit)
        print_trusted(figure, trusted)
        return png(figure, "Simulated maps above, generated maps below, in one colour scale")


def means(each: Statistic, simulated: np.ndarray, generated: np.ndarray, trusted: Trusted = None) -> Picture:
    """Show a statistic's mean over the maps, with the spread from map to map: rows (n, B) of both kinds."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        lowest = min(simulated.mean(0).min(), generated.mean(0).min())
        floor = lowest / 3 if lowest > 0 else -np.inf  # on a logarithmic axis, bands may reach below zero
        for rows, colour, line, label in (
            (simulated, SIMULATED, "-", "simulated"), (generated, GENERATED, "--", "generated"),
        ):  # fmt: skip
            mean, spread = rows.mean(0), rows.std(0)
            low = np.maximum(mean - spread, floor)
            axes.fill_between(each.bins, low, mean + spread, color=colour, alpha=0.15, lw=0)
            axes.plot(each.bins, mean, color=colour, ls=line, marker="o", ms=2.5, label=label)
        axes.set(xlabel=each.axis, ylabel=each.label)
        if lowest > 0:
            axes.set_yscale("log")
            axes.set_ylim(bottom=floor)
        _by_modes(axes, each, trusted)
        print_trusted(figure, trusted)
        axes.legend()
        return svg(figure, f"{each.label}: mean and spread of simulated and generated maps")


def deviations(each: Statistic, found: Agreement, tolerance: float, trusted: Trusted = None) -> Picture:
    """Show how far a statistic's mean is off, bin by bin, with the null's band and the tolerance."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        axes.axhspan(-100 * tolerance, 100 * tolerance, color="#009E73", alpha=0.12, lw=0, label="tolerance")
        null, off = 100 * found.null_deviation, 100 * found.deviation
        axes.fill_between(
            each.bins, -null, null, color="#767676", alpha=0.25, lw=0, label="simulations among themselves"
        )
        axes.plot(each.bins, off, color=GENERATED, lw=1, alpha=0.6)
        for usable, fill in ((found.usable, GENERATED), (~found.usable, "white")):
            axes.plot(each.bins[usable], off[usable], "o", ms=4, mfc=fill, mec=GENERATED)
        reach = max(300 * tolerance, 1.2 * np.abs(off[found.usable]).max(initial=0))
        share = "generated / simulated − 1" if each.relative_to == "bin" else "difference / largest simulated"
        axes.set(ylim=(-reach, reach), xlabel=each.axis, ylabel=f"{share} [%]")
        axes.set_title(each.label, loc="left")
        _by_modes(axes, each, trusted)
        print_trusted(figure, trusted)
        axes.legend(loc="upper left")
        return svg(figure, f"{each.label}: deviation of the mean with its null")


def correlations(each: Statistic, simulated: np.ndarray, generated: np.ndarray, trusted: Trusted = None) -> Picture:
    """Show the correlation between bins, simulated below the diagonal, generated above."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        with np.errstate(invalid="ignore", divide="ignore"):
            one, two = (np.nan_to_num(np.corrcoef(rows.T)) for rows in (simulated, generated))
        drawn = axes.imshow(
            np.tril(one) + np.triu(two, 1), cmap="RdBu_r", vmin=-1, vmax=1, origin="lower", aspect="auto"
        )
        axes.plot([-0.5, len(one) - 0.5], [-0.5, len(one) - 0.5], color="black", lw=0.8)
        axes.set(xlabel=f"bin of {each.axis}", ylabel="bin")
        axes.locator_params(integer=True)
        axes.set_title("simulated below, generated above", loc="left")
        figure.colorbar(drawn, ax=axes, label="correlation")
        print_trusted(figure, trusted)
        return svg(figure, f"{each.label}: correlations between bins")


def error_by_distance(distances: np.ndarray, errors: dict[str, np.ndarray], trusted: Trusted = None) -> Picture:
    """Show errors at held-out cosmologies against their distance from the nearest trained one."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        for (name, values), colour, marker in zip(errors.items(), SERIES, "osD^", strict=False):
            axes.plot(distances, 100 * values, marker, color=colour, ms=4, label=name.replace("_", " "))
        axes.set(xlabel="distance to the nearest trained cosmology [σ]", ylabel="median deviation [%]", ylim=(0, None))
        axes.legend()
        print_trusted(figure, trusted)
        return svg(figure, "Error against the distance from the training points")


def copies(generated: np.ndarray, unseen: np.ndarray, trusted: Trusted = None) -> Picture:
    """Show distances to the nearest training map."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        edges = np.linspace(0, max(generated.max(), unseen.max()) * 1.02, 150)
        for values, colour, line, label in (
            (unseen, SIMULATED, "-", "simulated, unseen"), (generated, GENERATED, "--", "generated"),
        ):  # fmt: skip
            axes.hist(values, edges, density=True, histtype="step", color=colour, ls=line, lw=1.4, label=label)
        axes.set(xlabel="distance to the nearest training map, √(1 − r)", ylabel="density")
        axes.legend(loc="upper left")
        print_trusted(figure, trusted)
        return svg(figure, "Distances to the nearest training map")
