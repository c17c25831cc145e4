"""Whether generated maps could be simulated ones: a statistic of both, and the same test between simulations alone.

Every figure stands beside its null: what the same code says when the simulations are split into two halves and one
plays the generated maps. So a verdict rests neither on a model of the noise nor on maps being independent: maps of one
simulation are kept in one half. Of the means, for which all simulations are taken at once, the null is scaled from two
halves to as many as there are on either side, those that the generator has learnt from included.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

DRAWS = 200
"""Splits into halves that a null is made of."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One figure of generated against simulated maps, what is allowed, and what simulations show among themselves."""

    value: float
    """NaN where nothing could be compared."""
    tolerance: float
    null: float
    """Of simulations against simulations, at the confidence of the test."""
    passed: bool
    said: str
    """What was compared, in words."""
    margin: float = 0.0
    """Scatter of the figure between repetitions of the experiment, as a fraction of what is allowed."""

    @property
    def allowed(self) -> float:
        """The tolerance, or what simulations show among themselves where that is more."""
        return max(self.tolerance, self.null) if self.null == self.null else self.tolerance

    @property
    def undecided(self) -> bool:
        """Whether the figure is above what is allowed, but within its scatter of it, or there is no null to compare."""
        return not self.passed and (self.null != self.null or self.value <= self.allowed * (1 + self.margin))

    @property
    def failed(self) -> bool:
        """Whether the figure is above what is allowed by more than its scatter, or is NaN beside a null that is not."""
        return not (self.passed or self.undecided)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How a statistic of generated maps compares with that of simulated ones, bin by bin.

    Attributes
    ----------
    deviation
        Of the mean, generated less simulated, over ``scale``, shape (B,).
    null_deviation
        What 95 % of the nulls stay below, shape (B,).
    usable
        Bins where the null is tighter than the tolerance, shape (B,).
    spread
        Ratio of the standard deviations from map to map, generated over simulated, shape (B,).
    p_values
        Of each bin's two-sample Kolmogorov-Smirnov distance: the fraction of the nulls that reach it, shape (B,).
    mean, distribution, correlation, scatter
        Verdicts on the means, on the distribution from map to map, on the off-diagonals of the covariance, and on the
        spread from map to map.
    """

    deviation: np.ndarray
    null_deviation: np.ndarray
    usable: np.ndarray
    spread: np.ndarray
    p_values: np.ndarray
    mean: Verdict
    distribution: Verdict
    correlation: Verdict
    scatter: Verdict


def agreement(
    simulated: np.ndarray,
    generated: np.ndarray,
    *,
    tolerance: float,
    groups: np.ndarray | None = None,
    learnt: int | None = None,
    relative_to: Literal["bin", "largest"] = "bin",
    correlation_tolerance: float = 0.25,
    scatter_tolerance: float = 0.15,
    significance: float = 0.01,
    draws: int = DRAWS,
    seed: int = 0,
) -> Agreement:
    """Compare a statistic of generated maps with that of simulated ones.

    Parameters
    ----------
    simulated, generated
        The statistic, a row per map, shapes (n, B) and (m, B).
    tolerance
        Largest deviation of the mean allowed, as a fraction.
    groups
        Simulation of each simulated map, shape (n,): a group is never split. Left out: every map is its own.
    learnt
        Simulations that whatever made the generated maps has learnt from: their mean is the best that it can know, and
        is itself off by chance. Left out: it is taken to know the mean exactly.
    relative_to
        What deviations are fractions of: each bin's own mean, or, for statistics that change sign, the largest mean.
    correlation_tolerance
        Largest difference of the correlations between bins, as a fraction of the simulated ones' (root mean square).
    scatter_tolerance
        Largest deviation of the spread from map to map, as a fraction (median over the bins).
    significance
        A figure fails that fewer than this fraction of the nulls reach.
    draws, seed
        Splits into halves that the null is made of, and their seed.

    Raises
    ------
    ValueError
        There are fewer than four simulated groups or four generated maps, or the bins differ, or `learnt` is 0.
    """
    simulated, generated = np.asarray(simulated, np.float64), np.asarray(generated, np.float64)
    if simulated.ndim != 2 or generated.ndim != 2 or simulated.shape[1] != generated.shape[1]:
        raise ValueError(f"a row per map and the same bins are needed, found {simulated.shape} and {generated.shape}")
    groups = np.arange(len(simulated)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(groups) != len(simulated):
        raise ValueError(f"{len(groups)} groups stated for {len(simulated)} simulated maps")
    if groups.max(initial=-1) < 3 or len(generated) < 4:
        raise ValueError(
            f"{groups.max(initial=-1) + 1} simulations and {len(generated)} generated maps: four are needed"
        )
    if learnt is not None and learnt < 1:
        raise ValueError(f"learnt: found {learnt}, must be at least 1")
    mean = simulated.mean(0)
    scale = np.abs(mean) if relative_to == "bin" else np.full_like(mean, np.abs(mean).max())
    scale = np.where(scale > 0, scale, np.inf)
    split = halves(groups, draws, np.random.default_rng(seed))
    # a half against a half scatters by this much more than all the simulations against all that was generated
    wider = widening(simulated, len(generated), groups, split, learnt)
    null = np.abs([(simulated[one].mean(0) - simulated[~one].mean(0)) / scale for one in split]) / wider
    deviation = (generated.mean(0) - mean) / scale
    null_deviation = np.quantile(null, 0.95, axis=0)
    usable = (null_deviation < tolerance) & np.isfinite(scale)
    rng = np.random.default_rng(seed + 1)
    size = min(int(split[0].sum()), len(generated))

    def compared(figure: Callable[[np.ndarray, np.ndarray], Any]) -> tuple[np.ndarray, np.ndarray]:
        """A figure of two sets of maps of like size, larger where they differ more: of generated ones, and its null."""
        nulls = [figure(simulated[one], simulated[~one][:size]) for one in split]
        each = [figure(simulated[one], generated[rng.permutation(len(generated))[:size]]) for one in split]
        return np.array(each), np.array(nulls)

    def judged(each: np.ndarray, nulls: np.ndarray, allowed: float, said: str) -> Verdict:
        value, null = float(np.median(each)), float(np.quantile(nulls, 1 - significance))
        return Verdict(value=value, tolerance=allowed, null=null, passed=value <= max(allowed, null), said=said)

    apart, apart_null = compared(_distances)
    bins = usable
    if not usable.any():  # too few simulations for the tolerance: the tightest bin, beside its null
        bins = np.arange(len(usable)) == np.argmin(np.where(np.isfinite(scale), null_deviation, np.inf))
    worst = float(np.abs(deviation[bins]).max())
    noise = float(np.quantile(null[:, bins].max(axis=1), 1 - significance))  # of the largest of as many bins
    said = f"over {usable.sum()} of {len(usable)} bins" if usable.any() else "in the tightest bin, which is no tighter"
    return Agreement(
        deviation=deviation,
        null_deviation=null_deviation,
        usable=usable,
        spread=generated.std(0) / np.maximum(simulated.std(0), 1e-300),
        p_values=(1 + (apart_null >= np.median(apart, axis=0)).sum(axis=0)) / (1 + len(apart_null)),
        mean=Verdict(
            value=worst, tolerance=tolerance, null=noise, passed=worst <= max(tolerance, noise),
            said=f"largest deviation of the mean, {said}",
        ),
        distribution=judged(
            apart.max(axis=1), apart_null.max(axis=1), 0.0,
            "largest Kolmogorov-Smirnov distance of the bins' distributions",
        ),
        correlation=judged(
            *compared(_decorrelation), correlation_tolerance, "difference of the correlations between bins"
        ),
        scatter=judged(
            *compared(_uneven), scatter_tolerance, "deviation of the spread from map to map, median of the bins"
        ),
    )  # fmt: skip


def halves(groups: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Whether each map is in the first half, shape (draws, n): groups, numbered from 0, stay together."""
    count = groups.max() + 1
    return np.array([np.isin(groups, rng.permutation(count)[: count // 2]) for _ in range(draws)])


def widening(
    simulated: np.ndarray, generated: int, groups: np.ndarray, split: np.ndarray, learnt: int | None = None
) -> np.ndarray:
    """By how much each bin's difference of two halves' means scatters more than that of all and the generated maps.

    A simulation's mean scatters as the simulations show it to, and so does, by what it has learnt from, that of the
    process which made the generated maps; these scatter as simulated ones do, independently of each other. Shape (B,).
    """
    count = groups.max() + 1
    means = np.array([simulated[groups == n].mean(0) for n in range(count)])
    of_group, of_map = means.var(0, ddof=1), simulated.var(0, ddof=1)
    first = split[:, np.unique(groups, return_index=True)[1]].sum(1).mean()
    known = 1 / count + (1 / learnt if learnt else 0.0)
    made = of_map / np.where(of_group > 0, of_group, np.inf) / generated
    return np.sqrt((1 / first + 1 / (count - first)) / (known + made))


def _distances(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Kolmogorov-Smirnov distance of each column's two samples, shape (B,)."""
    both = np.concatenate([one, two])
    order = np.argsort(both, axis=0, kind="stable")
    step = np.where(order < len(one), 1 / len(one), -1 / len(two))
    risen = np.abs(np.cumsum(step, axis=0))
    ranked = np.take_along_axis(both, order, axis=0)
    last = np.ones_like(risen, bool)
    last[:-1] = ranked[1:] != ranked[:-1]  # of equal values only the last counts
    return np.where(last, risen, 0).max(axis=0)


def _correlations(rows: np.ndarray) -> np.ndarray:
    """Correlations between different bins, those that do not vary left out as 0, shape (B (B − 1) / 2,)."""
    centred = rows - rows.mean(0)
    norm = np.sqrt((centred**2).sum(0))
    unit = centred / np.where(norm > 0, norm, np.inf)
    return (unit.T @ unit)[np.triu_indices(rows.shape[1], 1)]


def _decorrelation(one: np.ndarray, two: np.ndarray) -> float:
    """Root mean square difference of the correlations, over the root mean square of the first."""
    if one.shape[1] < 2:
        return 0.0
    first, second = _correlations(one), _correlations(two)
    return float(np.sqrt(np.mean((first - second) ** 2) / max(np.mean(first**2), 1e-300)))


def _uneven(one: np.ndarray, two: np.ndarray) -> float:
    """Median over the bins of how far the ratio of the standard deviations is from 1."""
    varied = one.std(0) > 0
    if not varied.any():
        return 0.0
    return float(np.median(np.abs(two[:, varied].std(0) / one[:, varied].std(0) - 1)))
