"""Acceptance tests of generated maps: statistics compared with simulated maps, null distributions and verdicts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from tenfold.pipelines.acceptance.map_statistics import Statistic
from tenfold.stats.agreement import Agreement, Verdict, agreement
from tenfold.stats.memorisation import Memorisation, memorisation
from tenfold.stats.trend import fit_trend

ASPECTS = ("mean", "distribution", "correlation", "scatter")
"""What each statistic is judged by; the mean's verdict has the statistic's own name."""
COMPARED = 512
"""Maps of each kind that copies are looked for among, at most."""


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """What is allowed."""

    RENAMED: ClassVar[dict[str, str]] = {"variety_tolerance": "scatter_tolerance"}

    tolerance: float = 0.05
    """Largest deviation of a statistic's mean, as a fraction."""
    bispectrum_tolerance: float = 0.2
    """The same of bispectra."""
    correlation_tolerance: float = 0.25
    """Largest difference of the correlations between bins, as a fraction of the simulated ones'."""
    scatter_tolerance: float = 0.15
    """Largest deviation of a statistic's spread from map to map, as a fraction."""
    estimate_tolerance: float = 0.2
    """Largest mean difference of an estimator's readings, in rms errors on one simulated map."""
    copy_tolerance: float = 0.05
    """Fraction of the generated maps that may be nearer to a training map than 99 of 100 unseen ones."""
    significance: float = 0.01
    """A figure fails that fewer than this fraction of the nulls reach."""
    repeats: int = 4
    """Maps generated for each simulated one: they cost little, and so their chance is hardly in their means."""
    draws: int = 200
    """Splits of the simulations into halves, of which the null is made."""
    seed_margin: float = 1.0
    """Fraction of what is allowed by which a figure must exceed it to fail, and `tenfold validate` with it.

    Within it the figure is undecided. Over five seeds of training and judging the demo, figures scatter by up to about
    half of what is allowed: the limit stands two such standard deviations above it. 0: whatever is not allowed fails.
    """
    seed: int = 0
    """Of the splits."""
    channel: int = 0
    """Which is judged, of maps of several source redshifts."""

    def __post_init__(self) -> None:
        """Refuse what judges nothing."""
        for name, value in vars(self).items():
            if name.endswith("tolerance") and not 0 < value < 1:
                raise ValueError(f"{name}: found {value}, must be above 0 and below 1")
        if not 0 < self.significance < 0.5:
            raise ValueError(f"significance: found {self.significance}, must be above 0 and below 0.5")
        for name, least in (("repeats", 1), ("draws", 20), ("seed_margin", 0)):
            if not getattr(self, name) >= least:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least {least}")


@dataclass(frozen=True, kw_only=True)
class MapSet:
    """Simulated maps, and what they are of."""

    maps: np.ndarray
    """κ, shape (n, N, N)."""
    groups: np.ndarray | None = None
    """Simulation of each, shape (n,); None: each map is its own."""
    parameters: np.ndarray | None = None
    """Cosmology of each, shape (n, P); None: of all the same, or not to be told apart."""

    @property
    def simulations(self) -> int:
        """How many they are of."""
        return len(self.maps) if self.groups is None else len(np.unique(self.groups))


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """All that the tolerances found."""

    rows: Mapping[str, tuple[np.ndarray, np.ndarray]]
    """What was measured of the simulated and of the generated maps, (n, B) and (m, B), by the statistic's name."""
    agreements: Mapping[str, Agreement]
    """By the statistic's name."""
    copies: Memorisation | None
    """None where no training maps were given."""
    verdicts: Mapping[str, Verdict]
    """By the statistic's name, for its mean; NAME_distribution, NAME_correlation, NAME_scatter; memorisation."""

    @property
    def passed(self) -> bool:
        """Whether no verdict failed; an undecided one does not count against the generator."""
        return not self.failed

    @property
    def failed(self) -> list[str]:
        """Names of the verdicts whose figure is above what is allowed by more than its scatter between seeds."""
        return [name for name, verdict in self.verdicts.items() if verdict.failed]

    @property
    def undecided(self) -> list[str]:
        """Names of the verdicts whose figure is above what is allowed, but within its scatter between seeds."""
        return [name for name, verdict in self.verdicts.items() if verdict.undecided]

    @property
    def favourable(self) -> int:
        """Number of verdicts whose figure is within what is allowed."""
        return sum(verdict.passed for verdict in self.verdicts.values())

    def metrics(self) -> dict[str, Any]:
        """Verdicts as plain numbers, NaN as None."""
        rows = {name: {**asdict(verdict), "failed": verdict.failed} for name, verdict in self.verdicts.items()}
        return {name: {k: None if v != v else v for k, v in row.items()} for name, row in rows.items()}


def assess(
    statistics: Sequence[Statistic],
    simulated: MapSet,
    generated: np.ndarray,
    tolerances: Tolerances,
    *,
    training: MapSet | None = None,
    learnt: Iterable[np.ndarray] | None = None,
    periodic: bool = False,
) -> Assessment:
    """Judge generated maps.

    Parameters
    ----------
    statistics
        From `tenfold.pipelines.acceptance.map_statistics.statistics_for`.
    simulated
        n maps that were not trained on.
    generated
        κ of m maps, shape (m, N, N); where the simulated ones are of several cosmologies, m is n or a multiple of it,
        and n at a time they are made for the cosmologies of the simulated maps in their order.
    tolerances
        What is allowed.
    training
        Maps that were trained on, some of every simulation: they help to tell how statistics change with cosmology, and
        as many simulations as they are of can teach the mean no better than it scatters among as many.
    learnt
        All maps that were trained on, in parts (t, N, N), to look for copies of them, in whatever unit; `training` by
        default.
    periodic
        Whether maps continue at the opposite edge.
    """
    rows = {each.name: (each.rows(simulated.maps), each.rows(generated)) for each in statistics}
    agreements = {
        each.name: agreement(
            *_comparable(each, rows[each.name], simulated, training),
            tolerance=tolerances.bispectrum_tolerance if each.name.startswith("bispectrum") else tolerances.tolerance,
            groups=simulated.groups, learnt=training and training.simulations, relative_to=each.relative_to,
            correlation_tolerance=tolerances.correlation_tolerance, scatter_tolerance=tolerances.scatter_tolerance,
            significance=tolerances.significance, draws=tolerances.draws, seed=tolerances.seed,
        )
        for each in statistics
    }  # fmt: skip
    verdicts: dict[str, Verdict] = {}
    for name, found in agreements.items():
        verdicts |= {key: getattr(found, aspect) for key, aspect in zip(verdict_names(name), ASPECTS, strict=True)}
    copies = None
    if learnt is None and training is not None:
        learnt = [training.maps]
    if learnt is not None:
        rng = np.random.default_rng(tolerances.seed)
        made, unseen = (rng.permutation(len(maps))[:COMPARED] for maps in (generated, simulated.maps))
        copies = memorisation(
            generated[made], learnt, simulated.maps[unseen], periodic=periodic,
            groups=None if simulated.groups is None else simulated.groups[unseen],
            significance=tolerances.significance, draws=tolerances.draws, seed=tolerances.seed,
        )  # fmt: skip
        verdicts["memorisation"] = Verdict(
            value=copies.copied, tolerance=tolerances.copy_tolerance, null=copies.null,
            passed=copies.copied <= max(tolerances.copy_tolerance, copies.null),
            said="fraction of the maps that are nearer to a training map than 99 of 100 unseen ones",
        )  # fmt: skip
    verdicts = {name: replace(verdict, margin=tolerances.seed_margin) for name, verdict in verdicts.items()}
    return Assessment(rows=rows, agreements=agreements, copies=copies, verdicts=verdicts)


def verdict_names(statistic: str) -> list[str]:
    """Names of the verdicts on a statistic, one for each of `ASPECTS`."""
    return [statistic if aspect == "mean" else f"{statistic}_{aspect}" for aspect in ASPECTS]


def _comparable(
    each: Statistic, rows: tuple[np.ndarray, np.ndarray], simulated: MapSet, training: MapSet | None
) -> tuple[np.ndarray, np.ndarray]:
    """Take off what cosmology alone accounts for: maps of all cosmologies become alike."""
    parameters, groups = simulated.parameters, simulated.groups
    if parameters is None or groups is None or not parameters.shape[1]:
        return rows
    known, points, owners = [rows[0]], [parameters], [groups]
    if training is not None and training.parameters is not None and training.groups is not None:
        known.append(each.rows(training.maps))
        points.append(training.parameters)
        owners.append(training.groups)
    trend = fit_trend(np.concatenate(known), np.concatenate(points), np.concatenate(owners))(parameters)
    if each.relative_to == "bin":
        mean = trend.mean(0)
        trend = np.where(trend * np.sign(mean) > 0.05 * np.abs(mean), trend, mean)  # a fit may pass through zero
        return rows[0] * (mean / trend), rows[1] * np.resize(mean / trend, rows[1].shape)
    size = np.abs(trend).max(axis=1, keepdims=True)
    pattern = (trend / size).mean(0)
    again, size_again = np.resize(trend, rows[1].shape), np.resize(size, (len(rows[1]), 1))
    return (rows[0] - trend) / size + pattern, (rows[1] - again) / size_again + pattern
