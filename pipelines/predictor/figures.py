"""Figures of a chemistry report, one panel each."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import norm

from tenfold.pipelines.reports.digits import figure as written
from tenfold.pipelines.reports.figures import PANEL, SERIES, STYLE, Picture, short, svg
from tenfold.stats.calibration import coverage_band

Array = NDArray[np.float64]
GREY = "#767676"


def label(name: str, unit: str) -> str:
    """Return a target's name with its unit, for an axis."""
    shown = short(name.replace("_", " "), 36)
    return f"{shown} [{unit}]" if unit else shown


def parity(name: str, unit: str, true: Array, mean: Array, sigma: Array, note: str) -> Picture:
    """Show predictions against the truth, with their stated errors: shape (n,) each."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        both = np.concatenate([true, mean])
        limits = np.array([both.min(), both.max()]) + max(np.ptp(both), 1e-9) * np.array([-0.05, 0.05])
        many = len(true) > 500
        axes.plot(limits, limits, color="black", lw=0.8)
        axes.errorbar(
            true, mean, sigma, fmt="o", color=SERIES[0], ms=1.5 if many else 2.5, lw=0.3 if many else 0.6,
            alpha=0.4 if many else 0.7, rasterized=many,
        )  # fmt: skip
        shown = label(name, unit)
        axes.set(xlim=limits, ylim=limits, xlabel=f"true {shown}", ylabel="predicted")
        axes.text(0.97, 0.04, note, transform=axes.transAxes, ha="right", va="bottom", fontsize=8)
        return svg(figure, f"{name}: predictions against the truth; {note}")


def similarity(name: str, unit: str, bins: Sequence[Sequence[float]], error: Sequence, counts: Sequence) -> Picture:
    """Show the mean absolute error by similarity to the nearest training molecule."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        shown = [(i, value) for i, value in enumerate(error) if value is not None]
        axes.bar([i for i, _ in shown], [value for _, value in shown], color=SERIES[0], width=0.7)
        for i, value in shown:
            axes.text(i, value, f"{counts[i]}", ha="center", va="bottom", fontsize=7, color=GREY)
        ticks = [f"{low:g}–{min(high, 1):g}" for low, high in bins]
        axes.set_xticks(range(len(bins)), ticks, fontsize=7)
        axes.set(
            xlabel="Tanimoto to the nearest training molecule", ylabel=f"mean error [{unit}]" if unit else "mean error"
        )
        axes.set_title(short(name.replace("_", " "), 40), loc="left")
        return svg(figure, f"{name}: error by similarity to the training set")


def coverage(name: str, true: Array, mean: Array, sigma: Array) -> Picture:
    """Show how many truths lie within intervals of every stated probability: shape (n,) each."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        stated = np.linspace(0, 1, 41)
        pull = np.abs(mean - true) / sigma
        seen = [(pull <= norm.ppf(0.5 + each / 2)).mean() for each in stated]
        low, high = coverage_band(stated, len(true))
        label = "95 % band for a calibrated model"
        axes.fill_between(stated, low, high, color="#DDDDDD", lw=0, label=label)
        axes.plot([0, 1], [0, 1], color="black", lw=0.8)
        axes.plot(stated, seen, color=SERIES[0], label="network")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="stated probability", ylabel="fraction within")
        axes.set_title(short(name.replace("_", " "), 40), loc="left")
        axes.legend(loc="upper left")
        return svg(figure, f"{name}: coverage of the stated intervals")


def reliability(name: str, true: Array, probability: Array, what: str = "of ones") -> Picture:
    """Show how often the class is met where it is given some probability: shape (n,) each; ``what`` is the fraction."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="black", lw=0.8)
        edges = np.unique(np.quantile(probability, np.linspace(0, 1, 9)))
        place = np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, max(len(edges) - 2, 0))
        groups = [place == i for i in range(max(len(edges) - 1, 1))]
        x = np.array([probability[each].mean() for each in groups if each.any()])
        y = np.array([true[each].mean() for each in groups if each.any()])
        counts = np.array([each.sum() for each in groups if each.any()])
        axes.errorbar(
            x, y, 1.96 * np.sqrt(np.maximum(y * (1 - y), 0.25 / counts) / counts), fmt="o", ms=4, color=SERIES[0]
        )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="predicted probability", ylabel=f"fraction {what}")
        axes.set_title(short(name.replace("_", " "), 40), loc="left")
        return svg(figure, f"{name}: how often a predicted probability comes true")


def speed(rows: Sequence[tuple[str, float]]) -> Picture:
    """Show CPU time per molecule of each method: rows of (method, seconds)."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((PANEL[0], 0.9 + 0.3 * len(rows)), layout="constrained")
        axes = figure.subplots()
        axes.barh(range(len(rows)), [1e3 * seconds for _, seconds in rows], color=SERIES[0], height=0.6)
        for y, (_, seconds) in enumerate(rows):
            axes.text(1.1e3 * seconds, y, f"{written(1e3 * seconds)} ms", va="center", fontsize=8)
        axes.set_xscale("log")
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        low, high = 1e3 * min(s for _, s in rows), 1e3 * max(s for _, s in rows)
        axes.set_xlim(low / 3, high * 8)
        axes.set_xlabel("CPU time per molecule [ms]")
        return svg(figure, "CPU time per molecule of each method")
