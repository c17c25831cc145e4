"""Figures of reports: small single panels, side by side on a wide screen and in one column on a phone."""

import base64
import contextlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

# colour-blind safe palette of Okabe & Ito (jfly.uni-koeln.de/color)
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.2,
    "savefig.facecolor": "white",
    "svg.hashsalt": "tenfold",  # makes the SVG files reproducible
    "mathtext.fontset": "dejavusans",
}
SYMBOL = {"omega_m": r"\Omega_m", "sigma_8": r"\sigma_8", "n_s": "n_s", "h": "h", "omega_b": r"\Omega_b"}
"""LaTeX symbols of parameters, without dollar signs."""
_TYPESET = re.compile(
    "|".join(rf"\${re.escape(symbol)}\$" for symbol in SYMBOL.values())
    + r"|\$\\mathdefault\{(?:[-−+0-9.^{} ]|\\times)*\}\$"  # Matplotlib's own tick labels
)
PANEL = (3.5, 2.9)  # width and height [inches]; the width of a phone screen


@dataclass(frozen=True)
class EmbeddedFigure:
    """An image of a report."""

    source: str
    """Value of the `src` attribute, a data URI."""
    alt_text: str
    """Alternative text."""


@contextlib.contextmanager
def panel() -> Iterator[tuple[Figure, Axes]]:
    """Open a figure of one panel, in the style of reports."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        yield figure, figure.subplots()


def short(name: str, length: int) -> str:
    """Cut a name to one line of so many characters: a long one would leave no room for what a figure shows."""
    name = " ".join(name.split())
    return name if len(name) <= length else f"{name[: length - 1].rstrip()}…"


def _printable(text: str) -> str:
    """Replace control characters by the replacement character U+FFFD."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def _escape_labels(figure: Figure) -> None:
    """Keep dollar signs in foreign names literal and replace control characters; only our own symbols are typeset."""
    replaced = False
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        content = text.get_text()
        printable = _printable(content)
        if printable != content:
            text.set_text(printable)
            replaced = True
        if "$" in _TYPESET.sub("", content):
            text.set_parse_math(False)
    if not replaced:
        return
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        shown = list(map(_printable, labels))
        if shown != labels:  # an axis would otherwise regenerate its labels when drawn
            axis.set_ticks(axis.get_ticklocs(), shown)


def grey_beyond(axes: Axes, trusted: tuple[float, float]) -> None:
    """Shade the multipoles outside the trusted range without changing the axis limits."""
    low, high = axes.get_xlim()
    for start, stop in ((low, trusted[0]), (trusted[1], high)):
        axes.axvspan(start, max(start, stop), color="#767676", alpha=0.12, lw=0, zorder=0)
    axes.set_xlim(low, high)


def print_trusted(figure: Figure, multipoles: tuple[float, float] | None) -> None:
    """Print the trusted multipoles below the panels of a figure; nothing where they are unknown."""
    if multipoles is not None:
        low, high = multipoles
        label = f"ℓ = {low:,.0f}–{high:,.0f}" if low < high else "at no ℓ"
        figure.supxlabel(f"trusted: {label}", x=0.99, ha="right", fontsize=8, color="#767676")


def loss(history: Mapping[str, NDArray[np.float64]], title: str) -> EmbeddedFigure:
    """Plot training and validation loss against the epoch."""
    with panel() as (figure, axes):
        marker = "o" if len(history["epoch"]) == 1 else None  # a line of one point cannot be seen
        axes.plot(history["epoch"], history["loss"], color=SERIES[0], marker=marker, label="training")
        axes.plot(
            history["epoch"], history["validation_loss"], color=SERIES[1], marker=marker, ls="--", label="validation"
        )
        losses = np.concatenate([history["loss"], history["validation_loss"]])
        losses = losses[np.isfinite(losses)]
        if len(losses) > 4:  # the high losses of the first epochs would compress the rest
            axes.set_ylim(losses.min() - 0.1, min(losses.max(), np.quantile(losses, 0.95) + 1) + 0.1)
        axes.set(xlabel="epoch", ylabel="negative log-likelihood")
        axes.set_title(title, loc="left")
        axes.legend()
        return svg(figure, f"Loss of the training on {title}")


def svg(figure: Figure, alt_text: str) -> EmbeddedFigure:
    """Render a figure as SVG; equal data give equal bytes."""
    _escape_labels(figure)
    out = io.StringIO()
    figure.savefig(out, format="svg", dpi=200, metadata={"Date": None, "Creator": None})
    return EmbeddedFigure("data:image/svg+xml;base64," + base64.b64encode(out.getvalue().encode()).decode(), alt_text)


def png(figure: Figure, alt_text: str) -> EmbeddedFigure:
    """Render a figure as PNG, for images with too many pixels for SVG."""
    _escape_labels(figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=180, metadata={"Software": None})
    return EmbeddedFigure("data:image/png;base64," + base64.b64encode(out.getvalue()).decode(), alt_text)
