"""Agreement of generated with simulated maps: one statistic of both, and the same test between simulations alone.

Every figure comes with its null distribution: the values that the same code finds when the simulations are split into
two halves and one half stands in for the generated maps. The verdict therefore needs neither a noise model nor
independent maps: all maps of a simulation stay in the same half. The means are compared over all simulations at once,
so their null is rescaled from two halves to the actual numbers on either side, including the number of simulations
that the generator was trained on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

DRAWS = 200
"""Default number of random splits that make up a null distribution."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A figure of generated against simulated maps, its tolerance and its null."""

    value: float
    """The figure; NaN where nothing could be compared."""
    tolerance: float
    """Tolerance of the figure."""
    null: float
    """Quantile of the null distribution (simulations against simulations) at the confidence of the test."""
    passed: bool
    """Whether the figure is within its limit."""
    description: str
    """The quantity that was compared, in words."""
    margin: float = 0.0
    """Scatter of the figure between repetitions of the experiment, as a fraction of the limit."""

    @property
    def allowed(self) -> float:
        """The limit: the larger of the tolerance and the null."""
        return max(self.tolerance, self.null) if self.null == self.null else self.tolerance

    @property
    def undecided(self) -> bool:
        """Whether the figure exceeds the limit by no more than its scatter, or there is no null to compare with."""
        return not self.passed and (self.null != self.null or self.value <= self.allowed * (1 + self.margin))

    @property
    def failed(self) -> bool:
        """Whether the figure exceeds the limit by more than its scatter, or is NaN although there is a null."""
        return not (self.passed or self.undecided)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Comparison of one statistic of generated and of simulated maps, bin by bin.

    Attributes
    ----------
    deviation
        Deviation of the mean, (generated − simulated) / scale, shape (B,).
    null_deviation
        95 % quantile of the absolute deviation under the null, shape (B,).
    usable
        Bins whose null is tighter than the tolerance, shape (B,).
    scatter_ratio
        Ratio of the standard deviations from map to map, generated over simulated, shape (B,).
    p_values
        p-value of each bin's two-sample Kolmogorov-Smirnov distance: the fraction of the null that reaches it,
        shape (B,).
    mean, distribution, correlation, scatter
        Verdicts on the means, on the distribution from map to map, on the correlations between bins, and on the
        standard deviation from map to map.
    """

    deviation: np.ndarray
    null_deviation: np.ndarray
    usable: np.ndarray
    scatter_ratio: np.ndarray
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
    n_training: int | None = None,
    relative_to: Literal["bin", "largest"] = "bin",
    correlation_tolerance: float = 0.25,
    scatter_tolerance: float = 0.15,
    significance: float = 0.01,
    draws: int = DRAWS,
    seed: int = 0,
) -> Agreement:
    """Compare a statistic of generated maps with that of simulated maps.

    Parameters
    ----------
    simulated, generated
        The statistic, one row per map, shapes (n, B) and (m, B).
    tolerance
        Largest relative deviation of the mean.
    groups
        Simulation of each simulated map, shape (n,). A group is never split. Default: each map is a group of its own.
    n_training
        Number of simulations that the generator was trained on. Their mean is the best that it can know, and it has
        sampling noise of its own. Default: the generator is taken to know the mean exactly.
    relative_to
        Scale of the deviations: each bin's own mean, or, for statistics that change sign, the largest mean.
    correlation_tolerance
        Largest difference of the correlations between bins, relative to those of the simulated maps (both as root
        mean squares).
    scatter_tolerance
        Largest relative deviation of the standard deviation from map to map (median over the bins).
    significance
        Significance level of the tests.
    draws, seed
        Number of random splits that make up the null, and their seed.

    Returns
    -------
    Agreement
        Deviations by bin, and the verdicts.

    Raises
    ------
    ValueError
        There are fewer than four simulated groups or four generated maps, the bins differ, or `n_training` is 0.
    """
    simulated, generated = np.asarray(simulated, np.float64), np.asarray(generated, np.float64)
    if simulated.ndim != 2 or generated.ndim != 2 or simulated.shape[1] != generated.shape[1]:
        raise ValueError(
            f"simulated, generated: one row per map and equal bins are needed, found {simulated.shape} and "
            f"{generated.shape}"
        )
    groups = np.arange(len(simulated)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(groups) != len(simulated):
        raise ValueError(f"groups: found {len(groups)} for {len(simulated)} simulated maps")
    if groups.max(initial=-1) < 3 or len(generated) < 4:
        raise ValueError(
            f"found {groups.max(initial=-1) + 1} simulations and {len(generated)} generated maps; at least four of "
            "each are needed"
        )
    if n_training is not None and n_training < 1:
        raise ValueError(f"n_training: found {n_training}, must be at least 1")
    mean = simulated.mean(0)
    scale = np.abs(mean) if relative_to == "bin" else np.full_like(mean, np.abs(mean).max())
    scale = np.where(scale > 0, scale, np.inf)
    splits = split_halves(groups, draws, np.random.default_rng(seed))
    # the difference of two halves scatters more than that of all simulations and all generated maps
    excess = null_excess(simulated, len(generated), groups, splits, n_training)
    null = np.abs([(simulated[half].mean(0) - simulated[~half].mean(0)) / scale for half in splits]) / excess
    deviation = (generated.mean(0) - mean) / scale
    null_deviation = np.quantile(null, 0.95, axis=0)
    usable = (null_deviation < tolerance) & np.isfinite(scale)
    rng = np.random.default_rng(seed + 1)
    size = min(int(splits[0].sum()), len(generated))

    def compared(figure: Callable[[np.ndarray, np.ndarray], Any]) -> tuple[np.ndarray, np.ndarray]:
        """Apply a measure of difference to equal numbers of maps: simulated and generated, and the null."""
        nulls = [figure(simulated[half], simulated[~half][:size]) for half in splits]
        values = [figure(simulated[half], generated[rng.permutation(len(generated))[:size]]) for half in splits]
        return np.array(values), np.array(nulls)

    def verdict(values: np.ndarray, nulls: np.ndarray, tolerance: float, description: str) -> Verdict:
        value, null = float(np.median(values)), float(np.quantile(nulls, 1 - significance))
        return Verdict(
            value=value, tolerance=tolerance, null=null, passed=value <= max(tolerance, null), description=description
        )

    ks_distance, ks_null = compared(_ks_distances)
    bins = usable
    if not usable.any():  # too few simulations for the tolerance: use the bin with the tightest null
        bins = np.arange(len(usable)) == np.argmin(np.where(np.isfinite(scale), null_deviation, np.inf))
    largest = float(np.abs(deviation[bins]).max())
    # of the largest deviation among the same number of bins
    largest_null = float(np.quantile(null[:, bins].max(axis=1), 1 - significance))
    over = f"over {usable.sum()} of {len(usable)} bins" if usable.any() else "in the tightest bin (no bin is usable)"
    return Agreement(
        deviation=deviation,
        null_deviation=null_deviation,
        usable=usable,
        scatter_ratio=generated.std(0) / np.maximum(simulated.std(0), 1e-300),
        p_values=(1 + (ks_null >= np.median(ks_distance, axis=0)).sum(axis=0)) / (1 + len(ks_null)),
        mean=Verdict(
            value=largest, tolerance=tolerance, null=largest_null, passed=largest <= max(tolerance, largest_null),
            description=f"largest deviation of the mean, {over}",
        ),
        distribution=verdict(
            ks_distance.max(axis=1), ks_null.max(axis=1), 0.0,
            "largest Kolmogorov-Smirnov distance of the bins' distributions",
        ),
        correlation=verdict(
            *compared(_correlation_difference), correlation_tolerance, "difference of the correlations between bins"
        ),
        scatter=verdict(
            *compared(_scatter_difference), scatter_tolerance,
            "relative deviation of the standard deviation from map to map, median over the bins",
        ),
    )  # fmt: skip


def split_halves(groups: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Split maps into random halves without splitting a group.

    Parameters
    ----------
    groups
        Group of each map, numbered from 0, shape (n,).
    draws
        Number of splits.
    rng
        Source of the random numbers.

    Returns
    -------
    np.ndarray
        Whether each map is in the first half, shape (draws, n).
    """
    count = groups.max() + 1
    return np.array([np.isin(groups, rng.permutation(count)[: count // 2]) for _ in range(draws)])


def null_excess(
    simulated: np.ndarray, n_generated: int, groups: np.ndarray, splits: np.ndarray, n_training: int | None = None
) -> np.ndarray:
    """Ratio of the scatter of the difference of two halves' means to that of the tested difference.

    The mean over a simulation scatters as the simulations show. So does, because of the finite training set, the mean
    of the process that generates maps. The generated maps scatter about that mean as simulated maps do, independently
    of each other.

    Parameters
    ----------
    simulated
        The statistic, one row per map, shape (n, B).
    n_generated
        Number of generated maps.
    groups
        Simulation of each simulated map, numbered from 0, shape (n,).
    splits
        Output of `split_halves`, shape (draws, n).
    n_training
        Number of training simulations; None: the generator knows the mean exactly.

    Returns
    -------
    np.ndarray
        Shape (B,).
    """
    count = groups.max() + 1
    means = np.array([simulated[groups == n].mean(0) for n in range(count)])
    group_variance, map_variance = means.var(0, ddof=1), simulated.var(0, ddof=1)
    first = splits[:, np.unique(groups, return_index=True)[1]].sum(1).mean()
    simulated_term = 1 / count + (1 / n_training if n_training else 0.0)
    generated_term = map_variance / np.where(group_variance > 0, group_variance, np.inf) / n_generated
    return np.sqrt((1 / first + 1 / (count - first)) / (simulated_term + generated_term))


def _ks_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two-sample Kolmogorov-Smirnov distance of each column, shape (B,)."""
    both = np.concatenate([first, second])
    order = np.argsort(both, axis=0, kind="stable")
    step = np.where(order < len(first), 1 / len(first), -1 / len(second))
    difference = np.abs(np.cumsum(step, axis=0))
    ranked = np.take_along_axis(both, order, axis=0)
    last = np.ones_like(difference, bool)
    last[:-1] = ranked[1:] != ranked[:-1]  # of equal values only the last counts
    return np.where(last, difference, 0).max(axis=0)


def _correlations(rows: np.ndarray) -> np.ndarray:
    """Correlations between different bins, shape (B (B − 1) / 2,); 0 for bins that do not vary."""
    centred = rows - rows.mean(0)
    norm = np.sqrt((centred**2).sum(0))
    unit = centred / np.where(norm > 0, norm, np.inf)
    return (unit.T @ unit)[np.triu_indices(rows.shape[1], 1)]


def _correlation_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Root mean square difference of the correlations, relative to the root mean square of the first."""
    if first.shape[1] < 2:
        return 0.0
    own, other = _correlations(first), _correlations(second)
    return float(np.sqrt(np.mean((own - other) ** 2) / max(np.mean(own**2), 1e-300)))


def _scatter_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Absolute deviation from 1 of the ratio of standard deviations, median over the bins."""
    varying = first.std(0) > 0
    if not varying.any():
        return 0.0
    return float(np.median(np.abs(second[:, varying].std(0) / first[:, varying].std(0) - 1)))
