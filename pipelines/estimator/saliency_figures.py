"""Figures of what an estimator looks at, one panel each: the field, attributions over it, and the checks of these."""

import itertools
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tenfold.pipelines.estimator.figures import symbol
from tenfold.pipelines.estimator.saliency import PEAKS, Saliency
from tenfold.pipelines.reports.figures import PANEL, SERIES, STYLE, Picture, png, print_trusted, svg
from tenfold.stats.saliency import highest_peaks

RAISES, LOWERS = "#D55E00", "#0072B2"
"""Colours of attributions that raise and that lower the estimate."""
FULL = 0.98
"""Quantile of the absolute attribution that has the full colour."""
GREYS = (0.97, 0.5)
"""Of the emptiest and of the densest cells under an attribution."""
SQUARE, STRIP = (2.6, 3.4), (7.8, 2.1)
LINES = (("#1c1e21", "-"), ("#009E73", "--"), ("#CC79A7", "-."), ("#767676", ":"), ("#56B4E9", "-"), ("#E69F00", "--"))


@dataclass(frozen=True, kw_only=True)
class Frame:
    """How fields are shown.

    Attributes
    ----------
    words
        What a field's values are, and how wide the field is.
    logarithm
        Show log(1 + value), as the network sees it.
    limits
        Ends of the colour scale, of what is shown.
    trusted
        Multipoles that maps are trusted at, printed on every figure.
    """

    words: str
    logarithm: bool
    limits: tuple[float, float]
    trusted: tuple[float, float] | None = None

    def image(self, field: np.ndarray) -> np.ndarray:
        """Return what is shown of a flat field."""
        return np.log1p(field) if self.logarithm else field


def slab(field: np.ndarray) -> slice:
    """Return the eighth of a box's depth around its densest cell, chosen by the mass and not by the attribution."""
    depth = max(1, field.shape[2] // 8)
    first = int(np.clip(np.unravel_index(field.argmax(), field.shape)[2] - depth // 2, 0, field.shape[2] - depth))
    return slice(first, first + depth)


def flat(field: np.ndarray, shown: slice | None, *, mean: bool) -> np.ndarray:
    """Return a map as it is (rows up), and a box's slab as its mean or sum (y up)."""
    if shown is None:
        return field
    layers = field[:, :, shown]
    return (layers.mean(2) if mean else layers.sum(2)).T


def frame(saliency: Saliency, words: str, *, logarithm: bool, trusted: tuple[float, float] | None = None) -> Frame:
    """Choose one colour scale for all samples."""
    kinds = [slab(field) if field.ndim == 3 else None for field in saliency.fields]
    every = np.concatenate([flat(f, s, mean=True).ravel() for f, s in zip(saliency.fields, kinds, strict=True)])
    low, high = np.quantile(np.log1p(every) if logarithm else every, [0.005, 0.997])
    return Frame(words=words, logarithm=logarithm, limits=(float(low), float(high)), trusted=trusted)


def field(saliency: Saliency, sample: int, how: Frame) -> Picture:
    """Show a sample alone, its highest peaks ringed."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _square()
        values = saliency.fields[sample]
        shown = slab(values) if values.ndim == 3 else None
        image = how.image(flat(values, shown, mean=True))
        drawn = axes.imshow(image, origin="lower", cmap="inferno", vmin=how.limits[0], vmax=how.limits[1])
        _rings(axes, _places(values, shown, saliency.periodic), "white")
        axes.set_title("field", loc="left")
        _bar(figure, drawn, how.words)
        print_trusted(figure, how.trusted)
        return png(figure, "The field, with its highest peaks ringed")


def overlay(saliency: Saliency, sample: int, parameter: int, how: Frame) -> Picture:
    """Show a parameter's attribution over the sample in grey, with the highest peaks of both."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _square()
        values, attribution = saliency.fields[sample], saliency.attributions[sample, parameter]
        shown = slab(values) if values.ndim == 3 else None
        low, high = how.limits
        density = np.clip((how.image(flat(values, shown, mean=True)) - low) / (high - low), 0, 1)[..., None]
        image = flat(attribution, shown, mean=False)
        full = max(float(np.quantile(np.abs(image), FULL)), 1e-300)
        weight = np.clip(np.abs(image) / full, 0, 1)[..., None]
        colour = np.where((image > 0)[..., None], to_rgb(RAISES), to_rgb(LOWERS))
        axes.imshow(weight * colour + (1 - weight) * (GREYS[0] + density * (GREYS[1] - GREYS[0])), origin="lower")
        _rings(axes, _places(values, shown, saliency.periodic), "black")
        own = _places(np.abs(attribution), shown, saliency.periodic)
        axes.scatter(own[:, 1], own[:, 0], s=15, marker="x", color="black", lw=1)
        name = symbol(saliency.names[parameter])
        axes.set_title(name, loc="left")
        scale = LinearSegmentedColormap.from_list("sign", [LOWERS, str(GREYS[0]), RAISES])
        words = "share" if saliency.method == "integrated" else "slope"
        _bar(figure, ScalarMappable(Normalize(-full, full), scale), f"{words} of {name} per pixel shown")
        print_trusted(figure, how.trusted)
        return png(figure, f"Attribution of {saliency.names[parameter]} over the field, with the highest peaks of both")


def cascade(saliency: Saliency, sample: int, how: Frame) -> Picture:
    """Show how alike the attributions stay while layers lose their weights, from the answer down."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(STRIP, layout="constrained")
        axes = figure.subplots()
        steps = np.arange(len(saliency.layers) + 1)
        for p, (name, (colour, line)) in enumerate(zip(saliency.names, itertools.cycle(LINES), strict=False)):
            likenesses = np.concatenate([[1], saliency.likenesses[sample, p]])
            axes.plot(steps, likenesses, color=colour, ls=line, marker="o", ms=2.5, label=symbol(name))
            axes.axhline(saliency.field_likenesses[sample, p], color=colour, lw=0.8, ls=":")
        low = min(0.0, float(saliency.likenesses[sample].min()), float(saliency.field_likenesses[sample].min()))
        axes.set(ylim=(1.1 * low, 1.04), ylabel="rank correlation")
        axes.set_xticks(steps, ["trained", *(each.replace("_", " ") for each in saliency.layers)])
        axes.tick_params(axis="x", labelsize=7, labelrotation=0 if len(steps) < 10 else 30)
        axes.set_xlabel("layers shuffled, from the answer down: this one and all before it")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        print_trusted(figure, how.trusted)
        return svg(figure, "How alike the attribution is to the trained one's while layers are shuffled")


def by_density(saliency: Saliency, parameter: int, how: Frame) -> Picture:
    """Show how much of the attribution falls on each quantile of the field, beside the shuffled network's."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        count = saliency.shares.shape[-1]
        centres = (np.arange(count) + 0.5) / count
        for shares, colour, line, label in (
            (saliency.shares[:, parameter], SERIES[0], "-", "trained"),
            (saliency.shuffled_shares[:, parameter].reshape(-1, count), "#767676", "--", "all weights shuffled"),
        ):
            mean, spread = shares.mean(0), shares.std(0)
            axes.fill_between(centres, np.maximum(mean - spread, 0), mean + spread, color=colour, alpha=0.18, lw=0)
            axes.plot(centres, mean, color=colour, ls=line, marker="o", ms=2.5, label=label)
        axes.axhline(1 / count, color="black", lw=0.7, ls=":")
        axes.set(xlabel="quantile of the field, emptiest to densest", ylabel="share of |attribution|")
        axes.set(xlim=(0, 1), ylim=(0, None))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        name = symbol(saliency.names[parameter])
        axes.set_title(name, loc="left")
        axes.legend()
        print_trusted(figure, how.trusted)
        return svg(figure, f"Share of the attribution of {name} by quantile of the field")


def _square() -> tuple[Figure, Axes]:
    figure = Figure(SQUARE)
    axes = figure.add_axes((0.03, 0.195, 0.94, 0.94 * SQUARE[0] / SQUARE[1]))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return figure, axes


def _places(values: np.ndarray, shown: slice | None, periodic: bool) -> np.ndarray:
    """Row and column, in the image, of the highest peaks that are shown."""
    places = highest_peaks(values, PEAKS, periodic=periodic)
    if shown is None:
        return places
    return places[(places[:, 2] >= shown.start) & (places[:, 2] < shown.stop)][:, [1, 0]]


def _rings(axes: Axes, places: np.ndarray, colour: str) -> None:
    for each, width in (("white" if colour == "black" else "black", 2.0), (colour, 0.9)):
        axes.scatter(places[:, 1], places[:, 0], s=42, marker="o", facecolors="none", edgecolors=each, lw=width)


def _bar(figure: Figure, drawn: ScalarMappable, words: str) -> None:
    bar = figure.colorbar(drawn, cax=figure.add_axes((0.1, 0.157, 0.8, 0.025)), orientation="horizontal")
    bar.set_label(words, fontsize=7.5, labelpad=1)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.ax.xaxis.set_major_locator(MaxNLocator(4))
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
