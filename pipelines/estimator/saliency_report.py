"""What an estimator looks at, as a section of a page: pictures, a table, and words that say no more than it shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from tenfold.pipelines.estimator import saliency_figures as figures
from tenfold.pipelines.estimator.report import symbol
from tenfold.pipelines.estimator.saliency import CASCADE_STEPS, COPIES, NOISE, PEAKS, REACH, SHUFFLES, STEPS, Saliency
from tenfold.pipelines.reports.digits import figure
from tenfold.pipelines.reports.figures import Picture
from tenfold.pipelines.volumes.manifest import Manifest

METHOD = {
    "integrated": "Integrated gradients (arXiv:1703.01365) share out, among the cells, the difference between the "
    f"estimate and the network's answer to a field of the mean value everywhere ({STEPS} points on the way there).",
    "gradient": "The gradient tells by how much the estimate would change if a cell's value were raised: what the "
    "answer is sensitive to, not what it is made of.",
    "smoothgrad": f"SmoothGrad (arXiv:1706.03825) is the gradient, averaged over {COPIES} copies with Gaussian noise "
    f"of {NOISE:g} standard deviations of the field: what the answer is sensitive to, not what it is made of.",
}
UNITS = {"kappa": "κ", "counts": "count"}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample's pictures: the field and each parameter's attribution; the check; and what they show."""

    panels: Sequence[Picture]
    check: Picture
    words: Markup


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that a page shows of a saliency."""

    method: str
    headline: Markup
    samples: Sequence[Sample]
    by_density: Sequence[Picture]
    names: Sequence[Markup]
    rows: Sequence[tuple[str, Sequence[str]]]
    """Of the table: what, and the number for each parameter."""
    boxes: bool
    coarsen: int
    peaks: int = PEAKS
    reach: int = REACH
    integrated: bool
    cascade_steps: int = CASCADE_STEPS
    shuffles: int = SHUFFLES
    trusted: tuple[float, float] | None = None
    """Multipoles that maps are trusted at, printed on every picture."""


def unit_of(manifest: Manifest) -> str:
    """Say what the values of shards are: "κ"."""
    return UNITS.get(manifest.units, manifest.units or "value")


def width_of(manifest: Manifest) -> str:
    """Say how wide a record is: "2.5° a side", "25 Mpc/h a side"; nothing where that is not known."""
    if manifest.side_deg is not None:
        return f"{manifest.side_deg:g}° a side"
    return f"{manifest.box_mpc_h:g} Mpc/h a side" if manifest.box_mpc_h is not None else ""


def seen(
    saliency: Saliency,
    unit: str,
    width: str,
    titles: Sequence[str],
    true: np.ndarray,
    *,
    logarithm: bool,
    trusted: tuple[float, float] | None = None,
) -> Seen:
    """Draw a saliency.

    Parameters
    ----------
    saliency
        Of n samples.
    unit, width
        What a field's values are, and how wide it is, if that is known.
    titles
        Name of each sample.
    true
        True parameters, shape (n, P); NaN where they are not known.
    logarithm
        Show the field as log(1 + value).
    trusted
        Multipoles that maps are trusted at.
    """
    words = ", ".join(filter(None, (f"log(1 + {unit})" if logarithm else unit, width)))
    how = figures.frame(saliency, words, logarithm=logarithm, trusted=trusted)
    parameters = range(len(saliency.names))
    samples = [
        Sample(
            panels=[figures.field(saliency, i, how), *(figures.overlay(saliency, i, p, how) for p in parameters)],
            check=figures.cascade(saliency, i, how),
            words=_caption(saliency, i, title, true[i]),
        )
        for i, title in enumerate(titles)
    ]
    return Seen(
        method=METHOD[saliency.method],
        headline=headline(saliency),
        samples=samples,
        by_density=[figures.by_density(saliency, p, how) for p in parameters],
        names=[symbol(name) for name in saliency.names],
        rows=_rows(saliency),
        coarsen=saliency.coarsen,
        boxes=saliency.fields.ndim == 4,
        integrated=saliency.method == "integrated",
        trusted=trusted,
    )


def headline(saliency: Saliency) -> Markup:
    """Say how much the emptiest and the densest cells bear, and whether shuffled networks give as much."""
    said = []
    for p, name in enumerate(saliency.names):
        ends = []
        for end, what in ((0, "% of |attribution| lies on the emptiest tenth of the cells"), (-1, "% on the densest")):
            ours, theirs = saliency.shares[:, p, end].mean(), saliency.shuffled_shares[:, p, :, end].mean(0)
            beside = "more than in any network" if ours > theirs.max() else "less than in any network"
            if theirs.min() <= ours <= theirs.max():
                beside = "as in networks"
            spread = f"{100 * theirs.min():.0f} … {100 * theirs.max():.0f} %"
            ends.append(f"{100 * ours:.0f} {what}, {beside} of shuffled weights ({spread})")
        said.append(Markup("{}: {}.").format(symbol(name), "; ".join(ends)))
    return Markup(" ").join(said)


def _rows(saliency: Saliency) -> list[tuple[str, list[str]]]:
    def spread(values: np.ndarray) -> list[str]:
        return [f"{each.mean():.2f} ± {each.std():.2f}".replace("-", "−") for each in values.swapaxes(0, 1)]

    rows = [
        ("share of the densest tenth of the cells", spread(saliency.shares[..., -1])),
        ("the same, all weights shuffled", spread(saliency.shuffled_shares[..., -1])),
        ("share of the emptiest tenth", spread(saliency.shares[..., 0])),
        ("the same, all weights shuffled", spread(saliency.shuffled_shares[..., 0])),
        ("peaks of |attribution| on peaks of the field", spread(saliency.matched)),
        ("the same by chance", spread(saliency.by_chance[..., 0])),
        ("the same, all weights shuffled", spread(saliency.shuffled_matched)),
        ("likeness after the last layer is shuffled", spread(saliency.likenesses[..., 0])),
        ("likeness after all layers are", spread(saliency.likenesses[..., -1])),
        ("likeness to the field's distance from its mean value", spread(saliency.field_likenesses)),
    ]
    if saliency.method == "integrated":
        errors = saliency.completeness_errors
        shared = np.abs(saliency.answers - saliency.baselines).sum(0)
        rows += [
            ("completeness error, largest", [figure(each, 2) for each in errors.max(0)]),
            ("of what is shared out, on average",
             [f"{100 * each:.1f} %" for each in errors.sum(0) / np.maximum(shared, 1e-12)]),
        ]  # fmt: skip
    return rows


def _caption(saliency: Saliency, i: int, title: str, true: np.ndarray) -> Markup:
    said = [Markup("{}.").format(title)]
    for p, name in enumerate(saliency.names):
        words = f"{f'{true[p]:.3f}, ' if np.isfinite(true[p]) else ''}this network says {saliency.answers[i, p]:.3f}"
        if saliency.method == "integrated":
            words += (
                f"; to a field of the mean value {saliency.baselines[p]:.3f}; the shares miss the difference by "
                f"{figure(saliency.completeness_errors[i, p], 1)}"
            )
        chance, deviation = saliency.by_chance[i, p]
        words += (
            f"; {saliency.matched[i, p] * PEAKS:.0f} of {PEAKS} peaks of |attribution| on peaks of the field "
            f"({chance * PEAKS:.1f} ± {deviation * PEAKS:.1f} by chance)"
        )
        said.append(Markup("{}: {}.").format(symbol(name), words.replace("-0.", "−0.")))
    return Markup(" ").join(said)
