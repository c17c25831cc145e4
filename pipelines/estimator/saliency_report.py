"""Report section on an estimator's saliency: figures, a table, and statements supported by them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from tenfold.pipelines.estimator import saliency_figures as figures
from tenfold.pipelines.estimator.report import symbol
from tenfold.pipelines.estimator.saliency import (
    PATH_STEPS,
    PEAK_DISTANCE,
    PEAKS,
    RANDOMISED_NETWORKS,
    RANDOMISED_PATH_STEPS,
    SMOOTHGRAD_NOISE,
    SMOOTHGRAD_SAMPLES,
    Saliency,
)
from tenfold.pipelines.reports.digits import format_number
from tenfold.pipelines.reports.figures import EmbeddedFigure
from tenfold.pipelines.volumes.manifest import Manifest

METHOD_DESCRIPTIONS = {
    "integrated-gradients": "Integrated gradients (arXiv:1703.01365) distribute among the cells the difference "
    "between the estimate and the network's estimate for a uniform field of the mean value "
    f"({PATH_STEPS} points along the path between them).",
    "gradient": "The gradient is the change of the estimate per change of a cell's value: it shows what the estimate "
    "is sensitive to, not what it is composed of.",
    "smoothgrad": f"SmoothGrad (arXiv:1706.03825) is the gradient averaged over {SMOOTHGRAD_SAMPLES} samples with "
    f"Gaussian noise of {SMOOTHGRAD_NOISE:g} standard deviations of the field: it shows what the estimate is sensitive "
    "to, not what it is composed of.",
}
UNITS = {"kappa": "κ", "counts": "count"}


@dataclass(frozen=True, kw_only=True)
class SampleFigures:
    """Figures and caption of one sample."""

    panels: Sequence[EmbeddedFigure]
    """The field, and the attribution of each parameter."""
    randomisation_test: EmbeddedFigure
    caption: Markup


@dataclass(frozen=True, kw_only=True)
class SaliencySection:
    """Content of a report section on saliency."""

    method: str
    headline: Markup
    samples: Sequence[SampleFigures]
    by_density: Sequence[EmbeddedFigure]
    names: Sequence[Markup]
    rows: Sequence[tuple[str, Sequence[str]]]
    """Rows of the table: quantity, and its value for each parameter."""
    boxes: bool
    masked: bool
    coarsen: int
    peaks: int = PEAKS
    peak_distance: int = PEAK_DISTANCE
    integrated: bool
    randomised_path_steps: int = RANDOMISED_PATH_STEPS
    randomised_networks: int = RANDOMISED_NETWORKS
    trusted: tuple[float, float] | None = None
    """Multipole range at which maps are trusted, printed on every figure."""


def value_label(manifest: Manifest) -> str:
    """Return a label for the values in shards, such as "κ"."""
    return UNITS.get(manifest.units, manifest.units or "value")


def width_label(manifest: Manifest) -> str:
    """Return a label for the size of a record, such as "2.5° per side" or "3° × 5°"; empty if it is not known."""
    if manifest.side_deg is not None:
        return f"{manifest.side_deg:g}° per side"
    if manifest.pixel_arcmin is not None:
        height, width = (length * manifest.pixel_arcmin / 60 for length in manifest.shape[:2])
        return f"{height:.3g}° × {width:.3g}°"
    return f"{manifest.box_mpc_h:g} Mpc/h per side" if manifest.box_mpc_h is not None else ""


def saliency_section(
    saliency: Saliency,
    unit: str,
    width: str,
    titles: Sequence[str],
    true: np.ndarray,
    *,
    logarithm: bool,
    trusted: tuple[float, float] | None = None,
) -> SaliencySection:
    """Draw the figures of a saliency and collect the content of its section.

    Parameters
    ----------
    saliency
        Saliency of n samples.
    unit, width
        Labels for the values and for the side of the fields; an empty label is omitted.
    titles
        Name of each sample.
    true
        True parameters, shape (n, P); NaN if not known.
    logarithm
        Show the field as log(1 + value).
    trusted
        Multipole range at which maps are trusted.
    """
    label = ", ".join(filter(None, (f"log(1 + {unit})" if logarithm else unit, width)))
    display = figures.field_display(saliency, label, logarithm=logarithm, trusted=trusted)
    parameters = range(len(saliency.names))
    samples = [
        SampleFigures(
            panels=[
                figures.field(saliency, i, display),
                *(figures.overlay(saliency, i, p, display) for p in parameters),
            ],
            randomisation_test=figures.randomisation_test(saliency, i, display),
            caption=_caption(saliency, i, title, true[i]),
        )
        for i, title in enumerate(titles)
    ]
    return SaliencySection(
        method=METHOD_DESCRIPTIONS[saliency.method],
        headline=headline(saliency),
        samples=samples,
        by_density=[figures.by_density(saliency, p, display) for p in parameters],
        names=[symbol(name) for name in saliency.names],
        rows=_rows(saliency),
        coarsen=saliency.coarsen,
        boxes=saliency.fields.ndim == 4,
        masked=not saliency.observed.all(),
        integrated=saliency.method == "integrated-gradients",
        trusted=trusted,
    )


def headline(saliency: Saliency) -> Markup:
    """Summarise the attribution to the least and most dense cells, and compare it with randomised networks."""
    sentences = []
    for p, name in enumerate(saliency.names):
        ends = []
        for end, text in ((0, "% of |attribution| is in the least dense tenth of the cells"), (-1, "% in the densest")):
            fraction = saliency.density_fractions[:, p, end].mean()
            randomised = saliency.randomised_density_fractions[:, p, :, end].mean(0)
            relation = "more than for any network" if fraction > randomised.max() else "less than for any network"
            if randomised.min() <= fraction <= randomised.max():
                relation = "within the range of networks"
            bounds = f"{100 * randomised.min():.0f} … {100 * randomised.max():.0f} %"
            ends.append(f"{100 * fraction:.0f} {text}, {relation} with randomised weights ({bounds})")
        sentences.append(Markup("{}: {}.").format(symbol(name), "; ".join(ends)))
    return Markup(" ").join(sentences)


def _rows(saliency: Saliency) -> list[tuple[str, list[str]]]:
    def mean_and_std(values: np.ndarray) -> list[str]:
        return [f"{v.mean():.2f} ± {v.std():.2f}".replace("-", "−") for v in values.swapaxes(0, 1)]

    rows = [
        ("fraction in the densest tenth of the cells", mean_and_std(saliency.density_fractions[..., -1])),
        ("same, all weights randomised", mean_and_std(saliency.randomised_density_fractions[..., -1])),
        ("fraction in the least dense tenth", mean_and_std(saliency.density_fractions[..., 0])),
        ("same, all weights randomised", mean_and_std(saliency.randomised_density_fractions[..., 0])),
        ("peaks of |attribution| that match peaks of the field", mean_and_std(saliency.peak_matches)),
        ("same, by chance", mean_and_std(saliency.chance_peak_matches[..., 0])),
        ("same, all weights randomised", mean_and_std(saliency.randomised_peak_matches)),
        ("rank correlation, last layer randomised", mean_and_std(saliency.rank_correlations[..., 0])),
        ("rank correlation, all layers randomised", mean_and_std(saliency.rank_correlations[..., -1])),
        ("rank correlation with |field − mean value|", mean_and_std(saliency.field_rank_correlations)),
    ]
    if saliency.method == "integrated-gradients":
        errors = saliency.completeness_errors
        difference = np.abs(saliency.estimates - saliency.baseline_estimates).sum(0)
        rows += [
            ("completeness error, largest", [format_number(error, 2) for error in errors.max(0)]),
            ("completeness error relative to the attributed difference, mean",
             [f"{100 * ratio:.1f} %" for ratio in errors.sum(0) / np.maximum(difference, 1e-12)]),
        ]  # fmt: skip
    return rows


def _caption(saliency: Saliency, i: int, title: str, true: np.ndarray) -> Markup:
    sentences = [Markup("{}.").format(title)]
    for p, name in enumerate(saliency.names):
        text = f"true {true[p]:.3f}, " if np.isfinite(true[p]) else ""
        text += f"estimate of this network {saliency.estimates[i, p]:.3f}"
        if saliency.method == "integrated-gradients":
            text += (
                f"; estimate for a uniform field of the mean value {saliency.baseline_estimates[p]:.3f}; completeness "
                f"error {format_number(saliency.completeness_errors[i, p], 1)}"
            )
        mean, std = saliency.chance_peak_matches[i, p]
        text += (
            f"; {saliency.peak_matches[i, p] * PEAKS:.0f} of {PEAKS} peaks of |attribution| match peaks of the field "
            f"({mean * PEAKS:.1f} ± {std * PEAKS:.1f} by chance)"
        )
        sentences.append(Markup("{}: {}.").format(symbol(name), text.replace("-0.", "−0.")))
    return Markup(" ").join(sentences)
