"""HTML report on a mass-map emulator: maps, statistics and verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.acceptance import figures
from tenfold.pipelines.acceptance.acceptance import Assessment, verdict_names
from tenfold.pipelines.acceptance.held_out import HeldOut
from tenfold.pipelines.acceptance.map_statistics import Statistic
from tenfold.pipelines.estimator.saliency import Saliency, alternate_groups
from tenfold.pipelines.estimator.saliency_report import SaliencySection, saliency_section
from tenfold.pipelines.reports.digits import format_number
from tenfold.pipelines.reports.html import flatten, write_page

MAPS_SHOWN = 4
"""Number of maps of each kind in the first figure."""
STATISTICS_BY_COSMOLOGY = ("angular_power", "power_spectrum", "pixel_distribution", "peaks", "bispectrum_equilateral")
"""Statistics whose errors are listed for each cosmology."""
TRAINED_TO_MATCH = "wgan-gp"
"""Network family whose critic receives most of the statistics that the maps are tested with."""
SYMBOL = {"omega_m": "Ωm", "sigma_8": "σ8", "n_s": "n_s", "h": "h", "omega_b": "Ωb"}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Contents of a report."""

    statistics: Sequence[Statistic]
    assessment: Assessment
    held: HeldOut
    unit: str
    """Symbol of the maps' quantity, such as κ."""
    width: str
    """Side of a map, in words; empty where unknown."""
    names: Sequence[str]
    """Parameters that the emulator takes; empty for an unconditional one."""
    cosmologies: int
    """Number of training cosmologies."""
    maps: int
    """Number of training maps."""
    trusted: tuple[float, float] | None = None
    """Range of trusted multipoles, as defined in `tenfold.pipelines.simulation.lensing.lens_planes`."""
    saliency: Saliency | None = None
    """Attributions of an estimator on the first simulated maps of some cosmologies."""


def write_report(path: Path, metrics: Mapping[str, Any], comparison: Comparison) -> None:
    """Write the report. The file appears complete or not at all.

    Parameters
    ----------
    path
        Path of the report.
    metrics
        Contents of metrics.json, from `tenfold.pipelines.acceptance.validate`.
    comparison
        Statistics, maps and verdicts.
    """
    held, simulated = comparison.held, comparison.held.simulated
    groups, parameters = simulated.groups, simulated.parameters
    assert groups is not None and parameters is not None
    first = [int(np.flatnonzero(groups == group)[0]) for group in dict.fromkeys(groups.tolist())]
    shown = np.array(first)[np.linspace(0, len(first) - 1, min(MAPS_SHOWN, len(first))).round().astype(int)]
    titles = [
        ", ".join(f"{SYMBOL.get(name, name)} {value:.2f}" for name, value in zip(comparison.names, row, strict=False))
        or " "
        for row in parameters[shown]
    ]
    panels = []
    for statistic in comparison.statistics:
        rows = comparison.assessment.rows[statistic.name]
        agreement = comparison.assessment.agreements[statistic.name]
        panels.append({
            "name": statistic.name.replace("_", " "),
            "figures": [
                figures.means(statistic, *rows, comparison.trusted),
                figures.deviations(statistic, agreement, agreement.mean.tolerance, comparison.trusted),
                figures.correlations(statistic, *rows, comparison.trusted),
            ],
        })  # fmt: skip
    cosmologies = metrics["held_out"]["cosmologies"]
    shown_statistics = [
        name for name in STATISTICS_BY_COSMOLOGY if all(name in row["errors"] for row in cosmologies.values())
    ]
    distance = np.array([row["distance"] for row in cosmologies.values()])
    errors = {name: np.array([row["errors"][name] for row in cosmologies.values()]) for name in shown_statistics}
    distances, verdicts = comparison.assessment.memorisation, dict(comparison.assessment.verdicts)
    table = [
        (statistic, [verdicts.pop(key) for key in verdict_names(statistic.name)]) for statistic in comparison.statistics
    ]
    write_page(
        path,
        "massmaps.html.j2",
        filters={"format_number": format_number},
        metrics=metrics,
        comparison=comparison,
        failed=[name.replace("_", " ") for name in comparison.assessment.failed],
        undecided=[name.replace("_", " ") for name in comparison.assessment.undecided],
        verdicts=comparison.assessment.verdicts,
        table=table,
        others=[(name.replace("_", " "), verdict) for name, verdict in verdicts.items()],
        maps=figures.map_comparison(
            simulated.maps[shown], held.generated[shown], comparison.unit, titles, comparison.trusted
        ),
        panels=panels,
        distance=figures.error_by_distance(distance, errors, comparison.trusted)
        if comparison.names and errors
        else None,
        memorisation=(
            figures.memorisation(distances.generated, distances.unseen, comparison.trusted) if distances else None
        ),
        saliency=_saliency_section(comparison) if comparison.saliency else None,
        trained_to_match=metrics["environment"]["network"]["network"] == TRAINED_TO_MATCH,
        symbols=SYMBOL,
        shown_statistics=shown_statistics,
        environment=list(flatten(metrics["environment"])),
    )


def _saliency_section(comparison: Comparison) -> SaliencySection:
    """Figures of the estimator's attributions."""
    saliency, simulated = comparison.saliency, comparison.held.simulated
    assert saliency is not None and simulated.groups is not None and simulated.parameters is not None
    rows = alternate_groups(simulated.groups.tolist(), len(saliency.fields))
    true = np.full((len(rows), len(saliency.names)), np.nan)
    for p, name in enumerate(saliency.names):
        if name in comparison.names:
            true[:, p] = simulated.parameters[rows, comparison.names.index(name)]
    titles = [str(simulated.groups[row]) for row in rows]
    return saliency_section(
        saliency, comparison.unit, comparison.width, titles, true, logarithm=False, trusted=comparison.trusted
    )
