"""Acceptance tests of generated maps: statistics compared with simulated maps, null distributions and verdicts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from tenfold.pipelines.acceptance.map_statistics import Statistic, naming_statistic
from tenfold.stats.agreement import Agreement, Verdict, agreement
from tenfold.stats.memorisation import Memorisation, memorisation
from tenfold.stats.trend import fit_trend

ASPECTS = ("mean", "distribution", "correlation", "scatter")
"""Aspects of each statistic that receive a verdict. The verdict on the mean carries the statistic's own name."""
MAX_MEMORISATION_MAPS = 512
"""Largest number of generated, and of simulated, maps used in the memorisation test."""


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """Limits of the acceptance tests."""

    RENAMED: ClassVar[dict[str, str]] = {"variety_tolerance": "scatter_tolerance"}

    tolerance: float = 0.05
    """Largest relative deviation of a statistic's mean."""
    bispectrum_tolerance: float = 0.2
    """Largest relative deviation of the mean of a bispectrum."""
    correlation_tolerance: float = 0.25
    """Largest difference of the correlations between bins, relative to those of the simulated maps."""
    scatter_tolerance: float = 0.15
    """Largest relative deviation of a statistic's standard deviation from map to map."""
    estimate_tolerance: float = 0.2
    """Largest mean difference of an estimator's predictions, in units of its rms error on one simulated map."""
    copy_tolerance: float = 0.05
    """Largest fraction of generated maps that lie closer to a training map than 99 % of unseen simulated maps do."""
    significance: float = 0.01
    """Significance level: the limit is at least the (1 − significance) quantile of the null distribution."""
    repeats: int = 4
    """Generated maps per simulated map. They are cheap, and more of them reduce the noise of their mean."""
    draws: int = 200
    """Random splits of the simulations into halves that make up the null distribution."""
    seed_margin: float = 1.0
    """Fraction of the limit by which a figure must exceed it to fail, and with it `tenfold validate`.

    Within this margin the figure is undecided. Over five seeds of training and testing the demo, figures scatter by up
    to about half of the limit: the margin is two such standard deviations. With 0, every figure above its limit fails.
    """
    seed: int = 0
    """Seed of the random splits."""
    channel: int = 0
    """Channel that is tested, of maps with several source redshifts."""

    def __post_init__(self) -> None:
        """Check that every tolerance is usable."""
        for name, value in vars(self).items():
            if name.endswith("tolerance") and not 0 < value < 1:
                raise ValueError(f"{name}: found {value}, must be above 0 and below 1")
        if not 0 < self.significance < 0.5:
            raise ValueError(f"significance: found {self.significance}, must be above 0 and below 0.5")
        for name, minimum in (("repeats", 1), ("draws", 20), ("seed_margin", 0)):
            if not getattr(self, name) >= minimum:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least {minimum}")


@dataclass(frozen=True, kw_only=True)
class MapSet:
    """Simulated maps with their simulations and cosmologies."""

    maps: np.ndarray
    """κ, shape (n, N, N)."""
    groups: np.ndarray | None = None
    """Simulation of each map, shape (n,). None: each map is a simulation of its own."""
    parameters: np.ndarray | None = None
    """Cosmological parameters of each map, shape (n, P). None: one cosmology, or cosmology is ignored."""

    @property
    def simulations(self) -> int:
        """Number of simulations."""
        return len(self.maps) if self.groups is None else len(np.unique(self.groups))


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """Results of the acceptance tests."""

    rows: Mapping[str, tuple[np.ndarray, np.ndarray]]
    """Each statistic of the simulated and of the generated maps, shapes (n, B) and (m, B), by the statistic's name."""
    agreements: Mapping[str, Agreement]
    """Comparison of the two, by the statistic's name."""
    memorisation: Memorisation | None
    """Distances to the training maps; None where no training maps were given."""
    verdicts: Mapping[str, Verdict]
    """NAME (the mean), NAME_distribution, NAME_correlation and NAME_scatter of each statistic; memorisation."""

    @property
    def passed(self) -> bool:
        """Whether no verdict failed. Undecided verdicts do not count as failures."""
        return not self.failed

    @property
    def failed(self) -> list[str]:
        """Names of the verdicts whose figure exceeds the limit by more than its scatter between seeds."""
        return [name for name, verdict in self.verdicts.items() if verdict.failed]

    @property
    def undecided(self) -> list[str]:
        """Names of the verdicts whose figure exceeds the limit by no more than its scatter between seeds."""
        return [name for name, verdict in self.verdicts.items() if verdict.undecided]

    @property
    def favourable(self) -> int:
        """Number of verdicts whose figure is within its limit."""
        return sum(verdict.passed for verdict in self.verdicts.values())

    def metrics(self) -> dict[str, Any]:
        """Verdicts as plain numbers, with None in place of NaN."""
        rows = {name: {**asdict(verdict), "failed": verdict.failed} for name, verdict in self.verdicts.items()}
        return {name: {k: None if v != v else v for k, v in row.items()} for name, row in rows.items()}


def assess(
    statistics: Sequence[Statistic],
    simulated: MapSet,
    generated: np.ndarray,
    tolerances: Tolerances,
    *,
    training: MapSet | None = None,
    training_maps: Iterable[np.ndarray] | None = None,
    periodic: bool = False,
) -> Assessment:
    """Run the acceptance tests on generated maps.

    Parameters
    ----------
    statistics
        Statistics from `tenfold.pipelines.acceptance.map_statistics.statistics_for`.
    simulated
        n simulated maps that were not used in training.
    generated
        κ of m generated maps, shape (m, N, N). Where the simulated maps are of several cosmologies, m is a multiple of
        n, and each block of n maps has the cosmologies of the simulated maps in their order.
    tolerances
        Limits of the tests.
    training
        Some training maps of every training simulation. They help to fit how statistics depend on cosmology. The
        number of their simulations bounds how well the generator can know the mean.
    training_maps
        All training maps in chunks, shape (t, N, N) each, for the memorisation test, in any unit. Default: those of
        `training`.
    periodic
        Whether maps are periodic.

    Returns
    -------
    Assessment
        Statistics, comparisons and verdicts.
    """
    rows = {statistic.name: (statistic.rows(simulated.maps), statistic.rows(generated)) for statistic in statistics}
    agreements = {}
    for statistic in statistics:
        bispectrum = statistic.name.startswith("bispectrum")
        with naming_statistic(statistic.name):
            agreements[statistic.name] = agreement(
                *_comparable(statistic, rows[statistic.name], simulated, training),
                tolerance=tolerances.bispectrum_tolerance if bispectrum else tolerances.tolerance,
                groups=simulated.groups, n_training=training and training.simulations,
                relative_to=statistic.relative_to, correlation_tolerance=tolerances.correlation_tolerance,
                scatter_tolerance=tolerances.scatter_tolerance, significance=tolerances.significance,
                draws=tolerances.draws, seed=tolerances.seed,
            )  # fmt: skip
    verdicts: dict[str, Verdict] = {}
    for name, comparison in agreements.items():
        verdicts |= {key: getattr(comparison, aspect) for key, aspect in zip(verdict_names(name), ASPECTS, strict=True)}
    distances = None
    if training_maps is None and training is not None:
        training_maps = [training.maps]
    if training_maps is not None:
        rng = np.random.default_rng(tolerances.seed)
        chosen, unseen = (rng.permutation(len(maps))[:MAX_MEMORISATION_MAPS] for maps in (generated, simulated.maps))
        distances = memorisation(
            generated[chosen], training_maps, simulated.maps[unseen], periodic=periodic,
            groups=None if simulated.groups is None else simulated.groups[unseen],
            significance=tolerances.significance, draws=tolerances.draws, seed=tolerances.seed,
        )  # fmt: skip
        verdicts["memorisation"] = Verdict(
            value=distances.copied_fraction, tolerance=tolerances.copy_tolerance, null=distances.null,
            passed=distances.copied_fraction <= max(tolerances.copy_tolerance, distances.null),
            description="fraction of generated maps closer to a training map than 99 % of unseen simulated maps",
        )  # fmt: skip
    verdicts = {name: replace(verdict, margin=tolerances.seed_margin) for name, verdict in verdicts.items()}
    return Assessment(rows=rows, agreements=agreements, memorisation=distances, verdicts=verdicts)


def verdict_names(statistic: str) -> list[str]:
    """Names of the verdicts on a statistic, one for each of `ASPECTS`."""
    return [statistic if aspect == "mean" else f"{statistic}_{aspect}" for aspect in ASPECTS]


def _comparable(
    statistic: Statistic, rows: tuple[np.ndarray, np.ndarray], simulated: MapSet, training: MapSet | None
) -> tuple[np.ndarray, np.ndarray]:
    """Remove the dependence on cosmology from the rows of both kinds, so that all cosmologies can be pooled."""
    parameters, groups = simulated.parameters, simulated.groups
    if parameters is None or groups is None or not parameters.shape[1]:
        return rows
    fit_rows, fit_parameters, fit_groups = [rows[0]], [parameters], [groups]
    if training is not None and training.parameters is not None and training.groups is not None:
        fit_rows.append(statistic.rows(training.maps))
        fit_parameters.append(training.parameters)
        fit_groups.append(training.groups)
    fitted = fit_trend(np.concatenate(fit_rows), np.concatenate(fit_parameters), np.concatenate(fit_groups))
    trend = fitted(parameters)
    if statistic.relative_to == "bin":
        mean = trend.mean(0)
        trend = np.where(trend * np.sign(mean) > 0.05 * np.abs(mean), trend, mean)  # the fit may cross zero
        return rows[0] * (mean / trend), rows[1] * np.resize(mean / trend, rows[1].shape)
    amplitude = np.abs(trend).max(axis=1, keepdims=True)
    pattern = (trend / amplitude).mean(0)
    trend_generated = np.resize(trend, rows[1].shape)
    amplitude_generated = np.resize(amplitude, (len(rows[1]), 1))
    return (rows[0] - trend) / amplitude + pattern, (rows[1] - trend_generated) / amplitude_generated + pattern
