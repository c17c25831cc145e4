"""Figures of an estimator's saliency, one panel each: fields, attributions, and their sanity checks."""

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
from tenfold.pipelines.estimator.map_figures import MASKED_COLOUR, fitted
from tenfold.pipelines.estimator.saliency import PEAKS, Saliency
from tenfold.pipelines.reports.figures import SERIES, STYLE, EmbeddedFigure, panel, png, print_trusted, svg
from tenfold.stats.saliency import highest_peaks

RAISES, LOWERS = "#D55E00", "#0072B2"
"""Colours of attributions that raise and lower the estimate."""
SATURATION_QUANTILE = 0.98
"""Quantile of the absolute attribution beyond which the colour is saturated."""
GREY_LEVELS = (0.97, 0.5)
"""Grey levels of the least and the most dense cells beneath an attribution."""
FIELD_SIZE, STRIP_SIZE = (2.6, 3.4), (7.8, 2.1)
"""Width and height [inches] of a field with its colour bar, and of a wide panel."""
LINES = (("#1c1e21", "-"), ("#009E73", "--"), ("#CC79A7", "-."), ("#767676", ":"), ("#56B4E9", "-"), ("#E69F00", "--"))


@dataclass(frozen=True, kw_only=True)
class FieldDisplay:
    """Display settings of fields.

    Attributes
    ----------
    label
        Label of the colour bar: quantity and side of the field.
    logarithm
        Show log(1 + value), the input of the network.
    limits
        Limits of the colour scale, after the logarithm.
    trusted
        Multipole range at which maps are trusted, printed on every figure.
    """

    label: str
    logarithm: bool
    limits: tuple[float, float]
    trusted: tuple[float, float] | None = None

    def image(self, field: np.ndarray) -> np.ndarray:
        """Return the displayed values of a two-dimensional field."""
        return np.log1p(field) if self.logarithm else field


def densest_slab(field: np.ndarray) -> slice:
    """Return the slab of 1/8 of a box's depth around its densest cell, whatever the attribution."""
    depth = max(1, field.shape[2] // 8)
    first = int(np.clip(np.unravel_index(field.argmax(), field.shape)[2] - depth // 2, 0, field.shape[2] - depth))
    return slice(first, first + depth)


def project(field: np.ndarray, slab: slice | None, *, mean: bool) -> np.ndarray:
    """Return a map unchanged (rows upwards), or the mean or sum over a slab of a box (y upwards)."""
    if slab is None:
        return field
    layers = field[:, :, slab]
    return (layers.mean(2) if mean else layers.sum(2)).T


def field_display(
    saliency: Saliency, label: str, *, logarithm: bool, trusted: tuple[float, float] | None = None
) -> FieldDisplay:
    """Return display settings with one colour scale for all samples."""
    slabs = [densest_slab(field) if field.ndim == 3 else None for field in saliency.fields]
    values = np.concatenate(
        [
            project(f, s, mean=True)[saliency.observed if s is None else ...].ravel()
            for f, s in zip(saliency.fields, slabs, strict=True)
        ]
    )
    low, high = np.quantile(np.log1p(values) if logarithm else values, [0.005, 0.997])
    return FieldDisplay(label=label, logarithm=logarithm, limits=(float(low), float(high)), trusted=trusted)


def field(saliency: Saliency, sample: int, display: FieldDisplay) -> EmbeddedFigure:
    """Draw a sample with circles around its highest peaks."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _field_panel(saliency)
        values = saliency.fields[sample]
        slab = densest_slab(values) if values.ndim == 3 else None
        image = np.ma.array(display.image(project(values, slab, mean=True)), mask=_masked(saliency))
        drawn = axes.imshow(image, origin="lower", cmap="inferno", vmin=display.limits[0], vmax=display.limits[1])
        _draw_circles(axes, _peak_positions(saliency, values, slab), "white")
        axes.set_title("field", loc="left")
        _colour_bar(figure, drawn, display.label)
        print_trusted(figure, display.trusted)
        return png(figure, "The field, with circles around its highest peaks")


def overlay(saliency: Saliency, sample: int, parameter: int, display: FieldDisplay) -> EmbeddedFigure:
    """Draw the attribution of a parameter over the sample in grey, with the highest peaks of both."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _field_panel(saliency)
        values, attribution = saliency.fields[sample], saliency.attributions[sample, parameter]
        slab = densest_slab(values) if values.ndim == 3 else None
        low, high = display.limits
        density = np.clip((display.image(project(values, slab, mean=True)) - low) / (high - low), 0, 1)[..., None]
        image = project(attribution, slab, mean=False)
        masked = _masked(saliency)
        saturation = max(float(np.quantile(np.abs(image[~masked]), SATURATION_QUANTILE)), 1e-300)
        weight = np.clip(np.abs(image) / saturation, 0, 1)[..., None]
        colour = np.where((image > 0)[..., None], to_rgb(RAISES), to_rgb(LOWERS))
        grey = GREY_LEVELS[0] + density * (GREY_LEVELS[1] - GREY_LEVELS[0])
        shown = weight * colour + (1 - weight) * grey
        axes.imshow(np.where(masked[..., None], to_rgb(MASKED_COLOUR), shown), origin="lower")
        _draw_circles(axes, _peak_positions(saliency, values, slab), "black")
        peaks = _peak_positions(saliency, np.abs(attribution), slab)
        axes.scatter(peaks[:, 1], peaks[:, 0], s=15, marker="x", color="black", lw=1)
        name = symbol(saliency.names[parameter])
        axes.set_title(name, loc="left")
        scale = LinearSegmentedColormap.from_list("sign", [LOWERS, str(GREY_LEVELS[0]), RAISES])
        quantity = "attribution" if saliency.method == "integrated-gradients" else "gradient"
        _colour_bar(
            figure, ScalarMappable(Normalize(-saturation, saturation), scale), f"{quantity} of {name} per pixel"
        )
        print_trusted(figure, display.trusted)
        return png(figure, f"Attribution of {saliency.names[parameter]} over the field, with the highest peaks of both")


def randomisation_test(saliency: Saliency, sample: int, display: FieldDisplay) -> EmbeddedFigure:
    """Draw the rank correlation with the trained attribution against the number of randomised layers."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(STRIP_SIZE, layout="constrained")
        axes = figure.subplots()
        steps = np.arange(len(saliency.layers) + 1)
        for p, (name, (colour, line)) in enumerate(zip(saliency.names, itertools.cycle(LINES), strict=False)):
            correlations = np.concatenate([[1], saliency.rank_correlations[sample, p]])
            axes.plot(steps, correlations, color=colour, ls=line, marker="o", ms=2.5, label=symbol(name))
            axes.axhline(saliency.field_rank_correlations[sample, p], color=colour, lw=0.8, ls=":")
        low = min(
            0.0, float(saliency.rank_correlations[sample].min()), float(saliency.field_rank_correlations[sample].min())
        )
        axes.set(ylim=(1.1 * low, 1.04), ylabel="rank correlation")
        axes.set_xticks(steps, ["trained", *(layer.replace("_", " ") for layer in saliency.layers)])
        axes.tick_params(axis="x", labelsize=7, labelrotation=0 if len(steps) < 10 else 30)
        axes.set_xlabel("randomised layers, from the output: this layer and all to its left")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        print_trusted(figure, display.trusted)
        return svg(figure, "Rank correlation with the trained attribution as layers are randomised")


def by_density(saliency: Saliency, parameter: int, display: FieldDisplay) -> EmbeddedFigure:
    """Draw the fraction of the attribution in each quantile of the field, with that of randomised networks."""
    with panel() as (figure, axes):
        count = saliency.density_fractions.shape[-1]
        centres = (np.arange(count) + 0.5) / count
        for fractions, colour, line, label in (
            (saliency.density_fractions[:, parameter], SERIES[0], "-", "trained"),
            (
                saliency.randomised_density_fractions[:, parameter].reshape(-1, count),
                "#767676",
                "--",
                "all weights randomised",
            ),
        ):
            mean, std = fractions.mean(0), fractions.std(0)
            axes.fill_between(centres, np.maximum(mean - std, 0), mean + std, color=colour, alpha=0.18, lw=0)
            axes.plot(centres, mean, color=colour, ls=line, marker="o", ms=2.5, label=label)
        axes.axhline(1 / count, color="black", lw=0.7, ls=":")
        axes.set(xlabel="quantile of the field, from low to high density", ylabel="fraction of |attribution|")
        axes.set(xlim=(0, 1), ylim=(0, None))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        name = symbol(saliency.names[parameter])
        axes.set_title(name, loc="left")
        axes.legend()
        print_trusted(figure, display.trusted)
        return svg(figure, f"Fraction of the attribution of {name} by quantile of the field")


def _field_panel(saliency: Saliency) -> tuple[Figure, Axes]:
    """Return a figure with axes of the shape of a sample above the place of a colour bar."""
    side = 0.94 * FIELD_SIZE[0]
    width, height = fitted(saliency.observed.shape[:2], (side, 2 * side))
    total = FIELD_SIZE[1] - side + height
    below = 0.195 * FIELD_SIZE[1] / total
    figure = Figure((FIELD_SIZE[0], total))
    axes = figure.add_axes((0.5 - width / FIELD_SIZE[0] / 2, below, width / FIELD_SIZE[0], height / total))
    axes.set_facecolor(MASKED_COLOUR)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return figure, axes


def _masked(saliency: Saliency) -> np.ndarray:
    """Return the cells of an image that are not observed; in volumes all cells are."""
    return ~saliency.observed if saliency.observed.ndim == 2 else np.zeros(saliency.observed.shape[:2], bool)


def _peak_positions(saliency: Saliency, values: np.ndarray, slab: slice | None) -> np.ndarray:
    """Return row and column in the image of the highest peaks in the slab."""
    observed = None if saliency.observed.all() else saliency.observed
    peaks = highest_peaks(values, PEAKS, periodic=saliency.periodic, observed=observed)
    if slab is None:
        return peaks
    return peaks[(peaks[:, 2] >= slab.start) & (peaks[:, 2] < slab.stop)][:, [1, 0]]


def _draw_circles(axes: Axes, peaks: np.ndarray, colour: str) -> None:
    """Draw circles with an outline of the opposite colour, so that they are visible on any background."""
    for edge, width in (("white" if colour == "black" else "black", 2.0), (colour, 0.9)):
        axes.scatter(peaks[:, 1], peaks[:, 0], s=42, marker="o", facecolors="none", edgecolors=edge, lw=width)


def _colour_bar(figure: Figure, drawn: ScalarMappable, label: str) -> None:
    scale = FIELD_SIZE[1] / figure.get_figheight()
    bar = figure.colorbar(
        drawn, cax=figure.add_axes((0.1, 0.157 * scale, 0.8, 0.025 * scale)), orientation="horizontal"
    )
    bar.set_label(label, fontsize=7.5, labelpad=1)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.ax.xaxis.set_major_locator(MaxNLocator(4))
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
