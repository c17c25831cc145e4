"""Figures of a parameter-estimation report, one panel each."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import norm

from tenfold.pipelines.estimator.baseline import Estimates
from tenfold.pipelines.reports.figures import PANEL, SERIES, STYLE, SYMBOL, EmbeddedFigure, panel, png, short, svg

Array = NDArray[np.float64]

COLOUR = {"network": "#0072B2", "power_spectrum": "#D55E00", "training_mean": "#767676"}
MARKER = {"network": "o", "power_spectrum": "s", "training_mean": "D"}
LABEL = {"network": "network", "power_spectrum": "power spectrum", "training_mean": "training mean"}
SLICE_RANGE = (-1.0, 2.5)
"""Range of arcsinh δ in all slices."""


def symbol(name: str) -> str:
    """Return the symbol of a parameter, typeset for a figure."""
    return f"${SYMBOL[name]}$" if name in SYMBOL else short(name.replace("_", " "), 24)


def field_slice(delta: Array, box_mpc_h: float | None, title: str, *, depth: int) -> EmbeddedFigure:
    """Draw a slab of a box.

    Parameters
    ----------
    delta
        Overdensity, shape (N, N, N). It is averaged over the slab and shown as arcsinh δ, which is also defined for
        δ < −1.
    box_mpc_h
        Side of the box [Mpc/h], if known.
    title
        Title of the panel.
    depth
        Thickness of the slab [cells].
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure((1.9, 2.15), layout="constrained")
        axes = figure.subplots()
        side = box_mpc_h or delta.shape[0]
        image = np.arcsinh(delta[:, :, :depth].mean(axis=2)).T
        low, high = SLICE_RANGE
        axes.imshow(image, origin="lower", cmap="magma", vmin=low, vmax=high, extent=(0, side, 0, side))
        axes.set(xticks=[], yticks=[], title=title)
        axes.spines[:].set_visible(False)
        unit = "Mpc/h" if box_mpc_h else "cells"
        length = _round_length(side / 4)
        axes.plot([0.05 * side, 0.05 * side + length], [0.06 * side] * 2, color="white", lw=2, solid_capstyle="butt")
        label = f"{length:g} {unit}"
        axes.text(0.05 * side, 0.09 * side, label, color="white", va="bottom", fontsize=7)
        return png(figure, f"Slice through a box, {title}")


def colour_bar() -> EmbeddedFigure:
    """Draw the colour bar of `field_slice`."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((PANEL[0], 0.55), layout="constrained")
        axes = figure.subplots()
        axes.imshow(np.linspace(0, 1, 256)[None], cmap="magma", aspect="auto", extent=(*SLICE_RANGE, 0, 1))
        axes.set(yticks=[], xlabel="arcsinh of the overdensity δ, averaged over the slab")
        return svg(figure, "Colour bar of the slices")


def power(curves: Sequence[tuple[str, Mapping[str, Any]]], redshift: float) -> list[EmbeddedFigure]:
    """Draw measured power spectra with CAMB's, and their ratio to HMcode2020.

    Parameters
    ----------
    curves
        (label, {k, modes, measured, shot_noise, linear, hmcode2020}) of every box; the theory may be missing.
    redshift
        Redshift of all boxes.
    """
    with matplotlib.rc_context(STYLE):
        spectra, ratio = Figure(PANEL, layout="constrained"), Figure(PANEL, layout="constrained")
        top, low = spectra.subplots(), ratio.subplots()
        for (label, curve), colour, marker in zip(curves, SERIES, "osD^", strict=False):
            k, measured = curve["k"], curve["measured"]
            error = measured / np.sqrt(curve["modes"])
            style = {"color": colour, "fmt": marker, "ms": 2.5, "lw": 0.7, "label": label}
            top.errorbar(k, measured, error, **style)
            if "hmcode2020" in curve:
                top.plot(k, curve["hmcode2020"], color=colour, lw=0.9)
                top.plot(k, curve["linear"], color=colour, lw=0.9, ls=":")
                low.errorbar(k, measured / curve["hmcode2020"], error / curve["hmcode2020"], **style)
        noise = max(curve["shot_noise"] for _, curve in curves)
        if noise > 0:
            top.axhline(noise, color="#767676", lw=0.9, ls="--", label="shot noise V/N")
        top.set(xscale="log", yscale="log", xlabel="k [h/Mpc]", ylabel="P(k) [(Mpc/h)³]")
        top.set_title(f"z = {redshift:g}; solid HMcode2020, dotted linear", loc="left")
        top.legend(frameon=True, edgecolor="none", framealpha=0.85)
        panels = [svg(spectra, "Measured power spectra of boxes with those of CAMB")]
        if low.lines:
            theory = [curve for _, curve in curves if "hmcode2020" in curve]
            ratios = np.concatenate([curve["measured"] / curve["hmcode2020"] for curve in theory])
            low.axhline(1, color="black", lw=0.8)
            low.set(xscale="log", xlabel="k [h/Mpc]", ylabel="measured P / HMcode2020 P")
            low.set_ylim(min(0.5, 0.9 * ratios.min()), max(1.5, 1.1 * ratios.max()))
            panels.append(svg(ratio, "Ratio of measured power spectra to HMcode2020"))
        return panels


def scatter(
    name: str, true: Array, estimates: Estimates, p: int, method: str, note: str, limits: Array
) -> EmbeddedFigure:
    """Draw the estimates of parameter p by one method against the truth, with their predicted errors."""
    with panel() as (figure, axes):
        axes.plot(limits, limits, color="black", lw=0.8)
        crowded = len(true) > 500
        axes.errorbar(
            true[:, p], estimates.mean[:, p], estimates.sigma[:, p], fmt=MARKER[method], color=COLOUR[method],
            ms=1.5 if crowded else 3, lw=0.3 if crowded else 0.6, alpha=0.4 if crowded else 0.7, rasterized=crowded,
        )  # fmt: skip
        axes.set(xlim=limits, ylim=limits, xlabel=f"true {symbol(name)}", ylabel=f"estimated {symbol(name)}")
        axes.set_title(LABEL[method], loc="left", color=COLOUR[method], fontweight="bold")
        axes.text(0.97, 0.04, note, transform=axes.transAxes, ha="right", va="bottom", fontsize=8)
        return svg(figure, f"{name}: estimates by the {LABEL[method]} against the truth; {note}")


def pulls(name: str, true: Array, estimates: Mapping[str, Estimates], p: int) -> EmbeddedFigure:
    """Draw the distribution of pulls, (estimate − truth)/σ, with a standard normal."""
    with panel() as (figure, axes):
        edges = np.linspace(-4, 4, 25 if len(true) > 200 else 17)
        top = 0.4
        for method, line in (("network", "-"), ("power_spectrum", "--")):
            pull = (estimates[method].mean[:, p] - true[:, p]) / estimates[method].sigma[:, p]
            density = np.histogram(np.clip(pull, -4, 4), edges)[0] / len(pull) / np.diff(edges)
            top = max(top, density.max())
            axes.stairs(density, edges, color=COLOUR[method], ls=line, lw=1.4, label=LABEL[method])
        x = np.linspace(-4, 4, 200)
        axes.plot(x, norm.pdf(x), color="black", lw=0.8, label="standard normal")
        axes.set(xlabel=f"(estimated − true {symbol(name)}) / σ", ylabel="density", ylim=(0, 1.4 * top))
        axes.legend(loc="upper left")
        axes.set_xlim(-4, 4)
        return svg(figure, f"{name}: distribution of pulls")


def ratios(rows: Sequence[tuple[str, str, Mapping[str, float]]]) -> EmbeddedFigure:
    """Draw error ratios with their intervals: rows of (parameter, data, {value, low, high})."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((PANEL[0], 0.9 + 0.34 * len(rows)), layout="constrained")
        axes: Axes = figure.subplots()
        for y, (_, data, ratio) in enumerate(rows):
            colour, marker = (SERIES[0], "o") if data == "simulations" else ("#767676", "D")
            ends = [[ratio["value"] - ratio["low"]], [ratio["high"] - ratio["value"]]]
            axes.errorbar([ratio["value"]], [y], xerr=np.maximum(ends, 0), fmt=marker, color=colour, ms=5, capsize=3)
        axes.axvline(1, color="black", lw=0.8)
        axes.set_yticks(range(len(rows)), [f"{symbol(name)}, {data}" for name, data, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        figure.supxlabel("rms error of the power spectrum / of the network", fontsize=9)
        return svg(figure, "Ratio of the power spectrum's rms error to the network's, with intervals")


def _round_length(length: float) -> float:
    """Round down to 1, 2 or 5 times a power of ten."""
    power = 10 ** np.floor(np.log10(length))
    return float(max(step for step in (1, 2, 5, 10) if step * power <= length * 1.0001) * power)
