"""Figures of a molecular-property report, one panel each."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import norm

from tenfold.pipelines.reports.digits import format_number
from tenfold.pipelines.reports.figures import PANEL, SERIES, STYLE, EmbeddedFigure, panel, short, svg
from tenfold.stats.calibration import coverage_band

Array = NDArray[np.float64]
GREY = "#767676"


def label(name: str, unit: str) -> str:
    """Return the axis label of a target: its name and unit."""
    title = short(name.replace("_", " "), 36)
    return f"{title} [{unit}]" if unit else title


def parity(name: str, unit: str, true: Array, mean: Array, sigma: Array, note: str) -> EmbeddedFigure:
    """Draw a parity plot: predictions with their standard deviations against true values, shape (n,) each."""
    with panel() as (figure, axes):
        values = np.concatenate([true, mean])
        limits = np.array([values.min(), values.max()]) + max(np.ptp(values), 1e-9) * np.array([-0.05, 0.05])
        dense = len(true) > 500
        axes.plot(limits, limits, color="black", lw=0.8)
        axes.errorbar(
            true, mean, sigma, fmt="o", color=SERIES[0], ms=1.5 if dense else 2.5, lw=0.3 if dense else 0.6,
            alpha=0.4 if dense else 0.7, rasterized=dense,
        )  # fmt: skip
        axes.set(xlim=limits, ylim=limits, xlabel=f"true {label(name, unit)}", ylabel="predicted")
        axes.text(0.97, 0.04, note, transform=axes.transAxes, ha="right", va="bottom", fontsize=8)
        return svg(figure, f"{name}: parity plot; {note}")


def error_by_similarity(
    name: str, unit: str, bins: Sequence[Sequence[float]], error: Sequence, counts: Sequence
) -> EmbeddedFigure:
    """Draw the mean error and the number of molecules by similarity to the nearest training molecule."""
    with panel() as (figure, axes):
        known = [(i, value) for i, value in enumerate(error) if value is not None]
        axes.bar([i for i, _ in known], [value for _, value in known], color=SERIES[0], width=0.7)
        for i, value in known:
            axes.text(i, value, f"{counts[i]}", ha="center", va="bottom", fontsize=7, color=GREY)
        ticks = [f"{low:g}–{min(high, 1):g}" for low, high in bins]
        axes.set_xticks(range(len(bins)), ticks, fontsize=7)
        axes.set(
            xlabel="similarity to nearest training molecule",
            ylabel=f"mean error [{unit}]" if unit else "mean error",
        )
        axes.set_title(short(name.replace("_", " "), 40), loc="left")
        return svg(figure, f"{name}: error by similarity to the training set")


def coverage(name: str, true: Array, mean: Array, sigma: Array) -> EmbeddedFigure:
    """Draw the coverage of central intervals against their nominal probability: shape (n,) each."""
    with panel() as (figure, axes):
        nominal = np.linspace(0, 1, 41)
        pull = np.abs(mean - true) / sigma
        coverage = [(pull <= norm.ppf(0.5 + probability / 2)).mean() for probability in nominal]
        low, high = coverage_band(nominal, len(true))
        label = "95 % band for a calibrated model"
        axes.fill_between(nominal, low, high, color="#DDDDDD", lw=0, label=label)
        axes.plot([0, 1], [0, 1], color="black", lw=0.8)
        axes.plot(nominal, coverage, color=SERIES[0], label="network")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="nominal coverage", ylabel="observed coverage")
        axes.set_title(short(name.replace("_", " "), 40), loc="left")
        axes.legend(loc="upper left")
        return svg(figure, f"{name}: coverage of the predicted intervals")


def reliability(name: str, true: Array, probability: Array, event: str = "of ones") -> EmbeddedFigure:
    """Draw a reliability diagram: observed frequency of an event against its predicted probability, shape (n,) each."""
    with panel() as (figure, axes):
        axes.plot([0, 1], [0, 1], color="black", lw=0.8)
        edges = np.unique(np.quantile(probability, np.linspace(0, 1, 9)))
        index = np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, max(len(edges) - 2, 0))
        bins = [index == i for i in range(max(len(edges) - 1, 1))]
        x = np.array([probability[rows].mean() for rows in bins if rows.any()])
        y = np.array([true[rows].mean() for rows in bins if rows.any()])
        counts = np.array([rows.sum() for rows in bins if rows.any()])
        axes.errorbar(
            x, y, 1.96 * np.sqrt(np.maximum(y * (1 - y), 0.25 / counts) / counts), fmt="o", ms=4, color=SERIES[0]
        )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="predicted probability", ylabel=f"fraction {event}")
        axes.set_title(short(name.replace("_", " "), 40), loc="left")
        return svg(figure, f"{name}: reliability diagram")


def cpu_time(rows: Sequence[tuple[str, float]]) -> EmbeddedFigure:
    """Draw the CPU time per molecule of each method: rows of (method, seconds)."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((PANEL[0], 0.9 + 0.3 * len(rows)), layout="constrained")
        axes = figure.subplots()
        axes.barh(range(len(rows)), [1e3 * seconds for _, seconds in rows], color=SERIES[0], height=0.6)
        for y, (_, seconds) in enumerate(rows):
            axes.text(1.1e3 * seconds, y, f"{format_number(1e3 * seconds)} ms", va="center", fontsize=8)
        axes.set_xscale("log")
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        shortest, longest = 1e3 * min(s for _, s in rows), 1e3 * max(s for _, s in rows)
        axes.set_xlim(shortest / 3, longest * 8)
        axes.set_xlabel("CPU time per molecule [ms]")
        return svg(figure, "CPU time per molecule by method")
