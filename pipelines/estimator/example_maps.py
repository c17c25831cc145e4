"""Figures of a few test maps, and their angular power spectra."""

from typing import Any

import numpy as np

from tenfold.pipelines.estimator import figures, map_figures
from tenfold.pipelines.estimator.comparison import Comparison
from tenfold.pipelines.estimator.example_boxes import select_corners
from tenfold.pipelines.estimator.map_spectra import wavenumber_label
from tenfold.pipelines.estimator.report import BoxFigures
from tenfold.pipelines.estimator.saliency_report import value_label
from tenfold.pipelines.volumes.shards import Shards

COMPLETE_CAPTION = "Angular power spectra of the same maps. Error bars are the scatter of a Gaussian field in one map."
MASKED_CAPTION = (
    "Pseudo-C_ℓ of the same maps divided by f_sky, the mean square of the mask. The coupling of multipoles by the mask "
    "is not removed. Error bars are the approximate scatter of a Gaussian field in one map."
)


def draw_example_maps(comparison: Comparison) -> tuple[BoxFigures, dict[str, Any]]:
    """Draw four test maps whose cosmologies span the parameter range.

    Parameters
    ----------
    comparison
        Comparison on the maps.

    Returns
    -------
    tuple
        The figures, and the power spectra by simulation: ell, modes and measured, of the first channel.
    """
    rows = select_corners(comparison.true)
    with Shards.open(comparison.data) as shards:
        manifest, mask = shards.manifest, shards.mask
        maps = shards.read(comparison.records[rows])[..., 0].astype(np.float64)
    observed = np.ones(maps.shape[1:], bool) if mask is None else mask
    low, high = map(float, np.quantile(maps[:, observed], [0.005, 0.995]))
    titles = [
        ", ".join(
            f"{figures.symbol(name)} = {value:.2f}" for name, value in zip(comparison.names[:2], true, strict=False)
        )
        for true in comparison.true[rows]
    ]
    spectra = comparison.spectra
    curves = [{"ell": spectra.k, "modes": spectra.modes, "measured": spectra.power[row, 0]} for row in rows]
    complete = mask is None and maps.shape[1] == maps.shape[2]
    names = [str(comparison.simulations[row]) for row in rows]
    return BoxFigures(
        slices=[
            map_figures.map_panel(image, observed, (low, high), title)
            for image, title in zip(maps, titles, strict=True)
        ],
        scale=map_figures.colour_bar((low, high), value_label(manifest)),
        power=[
            map_figures.angular_power(
                list(zip(titles, curves, strict=True)), wavenumber_label(manifest), pseudo=not complete
            )
        ],
        power_caption=COMPLETE_CAPTION if complete else MASKED_CAPTION,
    ), {
        name: {key: np.asarray(values).tolist() for key, values in curve.items()}
        for name, curve in zip(names, curves, strict=True)
    }
