"""Pictures of a report: small, one panel each, so that they stand side by side on a desk and in a column on a phone."""

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

# Okabe & Ito's colours, told apart by every kind of colour vision (jfly.uni-koeln.de/color)
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
    "svg.hashsalt": "tenfold",  # the same numbers give the same bytes
    "mathtext.fontset": "dejavusans",
}
SYMBOL = {"omega_m": r"\Omega_m", "sigma_8": r"\sigma_8", "n_s": "n_s", "h": "h", "omega_b": r"\Omega_b"}
"""Symbols of parameters, as figures typeset them between dollar signs."""
_TYPESET = re.compile(
    "|".join(rf"\${re.escape(each)}\$" for each in SYMBOL.values())
    + r"|\$\\mathdefault\{(?:[-−+0-9.^{} ]|\\times)*\}\$"  # Matplotlib's own, of axes
)
PANEL = (3.5, 2.9)  # width and height [inches]: a phone's width at its natural size


@dataclass(frozen=True)
class Picture:
    """A picture in a page: what a `src` attribute holds, and its words for who cannot see it."""

    source: str
    words: str


def short(name: str, length: int) -> str:
    """Cut a name to one line of so many characters: a long one would leave no room for what a figure shows."""
    name = " ".join(name.split())
    return name if len(name) <= length else f"{name[: length - 1].rstrip()}…"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def _names_as_they_are(figure: Figure) -> None:
    """Typeset only what is our own: dollar signs in other people's names stay, and control characters are replaced."""
    replaced = False
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        said = text.get_text()
        shown = _printable(said)
        if shown != said:
            text.set_text(shown)
            replaced = True
        if "$" in _TYPESET.sub("", said):
            text.set_parse_math(False)
    if not replaced:
        return
    for axis in (each for axes in figure.axes for each in (axes.xaxis, axes.yaxis)):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        shown = list(map(_printable, labels))
        if shown != labels:  # an axis writes its labels anew whenever it is drawn, and theirs would come back
            axis.set_ticks(axis.get_ticklocs(), shown)


def grey_beyond(axes: Axes, trusted: tuple[float, float]) -> None:
    """Grey out the multipoles below and above the trusted ones; limits of the axes stay."""
    low, high = axes.get_xlim()
    for first, last in ((low, trusted[0]), (trusted[1], high)):
        axes.axvspan(first, max(first, last), color="#767676", alpha=0.12, lw=0, zorder=0)
    axes.set_xlim(low, high)


def print_trusted(figure: Figure, multipoles: tuple[float, float] | None) -> None:
    """Print below all panels of a figure at which multipoles its maps are trusted; nothing where that is not known."""
    if multipoles is not None:
        low, high = multipoles
        said = f"ℓ = {low:,.0f}–{high:,.0f}" if low < high else "at no ℓ"
        figure.supxlabel(f"trusted: {said}", x=0.99, ha="right", fontsize=8, color="#767676")


def loss(history: Mapping[str, NDArray[np.float64]], title: str) -> Picture:
    """Show training and validation loss against the epoch."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PANEL, layout="constrained")
        axes = figure.subplots()
        axes.plot(history["epoch"], history["loss"], color=SERIES[0], label="training")
        axes.plot(history["epoch"], history["validation_loss"], color=SERIES[1], ls="--", label="validation")
        settled = np.concatenate([history["loss"], history["validation_loss"]])
        settled = settled[np.isfinite(settled)]
        if len(settled) > 4:  # the first epochs' heights would flatten all that follows
            axes.set_ylim(settled.min() - 0.1, min(settled.max(), np.quantile(settled, 0.95) + 1) + 0.1)
        axes.set(xlabel="epoch", ylabel="negative log-likelihood")
        axes.set_title(title, loc="left")
        axes.legend()
        return svg(figure, f"Loss of the training on {title}")


def svg(figure: Figure, words: str) -> Picture:
    """Return a figure as a picture in SVG; the same numbers give the same bytes."""
    _names_as_they_are(figure)
    out = io.StringIO()
    figure.savefig(out, format="svg", dpi=200, metadata={"Date": None, "Creator": None})
    return Picture("data:image/svg+xml;base64," + base64.b64encode(out.getvalue().encode()).decode(), words)


def png(figure: Figure, words: str) -> Picture:
    """Return a figure as a picture in PNG, for what has too many pixels to be drawn."""
    _names_as_they_are(figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=180, metadata={"Software": None})
    return Picture("data:image/png;base64," + base64.b64encode(out.getvalue()).decode(), words)
