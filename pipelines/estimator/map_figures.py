"""Figures of maps in a parameter-estimation report, one panel each."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tenfold.pipelines.reports.figures import PANEL, SERIES, STYLE, EmbeddedFigure, png, svg

MASKED_COLOUR = "#e5d9b8"
"""Colour of masked pixels."""
COLOUR_MAP = "inferno"


def map_panel(
    image: NDArray[np.float64], observed: NDArray[np.bool_], limits: tuple[float, float], title: str
) -> EmbeddedFigure:
    """Draw a map, with masked pixels in beige.

    Parameters
    ----------
    image
        Values, shape (Y, X).
    observed
        Mask, True where the map is observed, shape (Y, X).
    limits
        Limits of the colour scale.
    title
        Title of the panel.
    """
    width, height = fitted(image.shape, (1.9, 3.6))
    with matplotlib.rc_context(STYLE):
        figure = Figure((max(width, 1.9), height + 0.25), layout="constrained")
        axes = figure.subplots()
        axes.set_facecolor(MASKED_COLOUR)
        shown = np.ma.array(image, mask=~observed)
        axes.imshow(shown, origin="lower", cmap=COLOUR_MAP, vmin=limits[0], vmax=limits[1])
        axes.set(xticks=[], yticks=[], title=title)
        axes.spines[:].set_visible(False)
        return png(figure, f"Map, {title}")


def colour_bar(limits: tuple[float, float], label: str) -> EmbeddedFigure:
    """Draw the colour bar of `map_panel`."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((PANEL[0], 0.55), layout="constrained")
        axes = figure.subplots()
        axes.imshow(np.linspace(0, 1, 256)[None], cmap=COLOUR_MAP, aspect="auto", extent=(*limits, 0, 1))
        axes.set(yticks=[], xlabel=label)
        return svg(figure, "Colour bar of the maps")


def angular_power(curves: Sequence[tuple[str, Mapping[str, Any]]], abscissa: str, *, pseudo: bool) -> EmbeddedFigure:
    """Draw angular power spectra: (label, {ell, modes, measured}) of every map.

    Parameters
    ----------
    curves
        Multipole, number of modes and C_ℓ in bins, of each map.
    abscissa
        Label of the multipoles, or of the wavenumbers of maps that have a length.
    pseudo
        Whether they are pseudo-C_ℓ divided by f_sky.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        for (label, curve), colour, marker in zip(curves, SERIES, "osD^", strict=False):
            error = curve["measured"] / np.sqrt(curve["modes"])
            axes.errorbar(curve["ell"], curve["measured"], error, color=colour, fmt=marker, ms=2.5, lw=0.7, label=label)
        axes.set(yscale="log", xlabel=abscissa, ylabel="pseudo-Cℓ / fsky" if pseudo else "Cℓ")
        axes.legend(frameon=True, edgecolor="none", framealpha=0.85)
        return svg(figure, "Angular power spectra of maps")


def fitted(shape: tuple[int, ...], largest: tuple[float, float]) -> tuple[float, float]:
    """Return the width and height [inches] of an image (Y, X) that fits into a largest width and height."""
    scale = min(largest[0] / shape[1], largest[1] / shape[0])
    return shape[1] * scale, shape[0] * scale
