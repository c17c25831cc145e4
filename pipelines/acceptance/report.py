"""One offline HTML page per emulator of mass maps: the maps, the bands, the verdicts."""

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
from tenfold.pipelines.reports.digits import figure
from tenfold.pipelines.reports.html import flatten, write_page

SHOWN = 4
LISTED = ("angular_power", "power_spectrum", "pixel_distribution", "peaks", "bispectrum_equilateral")
"""Statistics whose errors are listed cosmology by cosmology."""
TRAINED_TO_MATCH = "wgan-gp"
"""The network whose critic is given most of the statistics that its maps are tested by."""
SYMBOL = {"omega_m": "Ωm", "sigma_8": "σ8", "n_s": "n_s", "h": "h", "omega_b": "Ωb"}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a report is drawn from."""

    statistics: Sequence[Statistic]
    assessment: Assessment
    held: HeldOut
    unit: str
    """What the maps show, for figures: κ."""
    width: str
    """Of a map, in words; empty where it is not known."""
    names: Sequence[str]
    """Parameters that maps were made for; empty for an unconditional emulator."""
    cosmologies: int
    """Trained on."""
    maps: int
    """Trained on."""
    trusted: tuple[float, float] | None = None
    """Multipoles that the simulated maps are trusted at, as `simulation.lensing.lens_planes` defines it."""
    saliency: Saliency | None = None
    """What an estimator looks at in the first simulated maps of some cosmologies."""


def write_report(path: Path, metrics: Mapping[str, Any], trial: Trial) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    path
        The page.
    metrics
        All numbers, as `tenfold.pipelines.acceptance.validate` gathers them.
    trial
        What was compared.
    """
    held, simulated = trial.held, trial.held.simulated
    groups, parameters = simulated.groups, simulated.parameters
    assert groups is not None and parameters is not None
    first = [int(np.flatnonzero(groups == group)[0]) for group in dict.fromkeys(groups.tolist())]
    shown = np.array(first)[np.linspace(0, len(first) - 1, min(SHOWN, len(first))).round().astype(int)]
    titles = [
        ", ".join(f"{SYMBOL.get(name, name)} {value:.2f}" for name, value in zip(trial.names, row, strict=False)) or " "
        for row in parameters[shown]
    ]
    panels = []
    for each in trial.statistics:
        rows = trial.assessment.rows[each.name]
        found = trial.assessment.agreements[each.name]
        panels.append({
            "name": each.name.replace("_", " "),
            "pictures": [
                figures.means(each, *rows, trial.trusted),
                figures.deviations(each, found, found.mean.tolerance, trial.trusted),
                figures.correlations(each, *rows, trial.trusted),
            ],
        })  # fmt: skip
    cosmologies = metrics["held_out"]["cosmologies"]
    chosen = [name for name in LISTED if all(name in row["errors"] for row in cosmologies.values())]
    distance = np.array([row["distance"] for row in cosmologies.values()])
    errors = {name: np.array([row["errors"][name] for row in cosmologies.values()]) for name in chosen}
    copied, verdicts = trial.assessment.copies, dict(trial.assessment.verdicts)
    table = [(each, [verdicts.pop(key) for key in verdict_names(each.name)]) for each in trial.statistics]
    write_page(
        path,
        "massmaps.html.j2",
        filters={"figure": figure},
        metrics=metrics,
        trial=trial,
        failed=[name.replace("_", " ") for name in trial.assessment.failed],
        undecided=[name.replace("_", " ") for name in trial.assessment.undecided],
        verdicts=trial.assessment.verdicts,
        table=table,
        others=[(name.replace("_", " "), verdict) for name, verdict in verdicts.items()],
        maps=figures.side_by_side(simulated.maps[shown], held.generated[shown], trial.unit, titles, trial.trusted),
        panels=panels,
        distance=figures.error_by_distance(distance, errors, trial.trusted) if trial.names and errors else None,
        copies=figures.copies(copied.generated, copied.unseen, trial.trusted) if copied else None,
        saliency=_saliency_section(trial) if trial.saliency else None,
        trained_to_match=metrics["environment"]["network"]["network"] == TRAINED_TO_MATCH,
        symbols=SYMBOL,
        chosen=chosen,
        environment=list(flatten(metrics["environment"])),
    )


def _saliency_section(trial: Trial) -> SaliencySection:
    """Draw what the estimator looks at."""
    saliency, simulated = trial.saliency, trial.held.simulated
    assert saliency is not None and simulated.groups is not None and simulated.parameters is not None
    rows = alternate_groups(simulated.groups.tolist(), len(saliency.fields))
    true = np.full((len(rows), len(saliency.names)), np.nan)
    for p, name in enumerate(saliency.names):
        if name in trial.names:
            true[:, p] = simulated.parameters[rows, trial.names.index(name)]
    titles = [str(simulated.groups[row]) for row in rows]
    return saliency_section(saliency, trial.unit, trial.width, titles, true, logarithm=False, trusted=trial.trusted)
