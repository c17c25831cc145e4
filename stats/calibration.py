"""Accuracy and calibration of Gaussian estimates: error, bias, chi² and coverage, with bootstrap intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import binom

_DRAWS_PER_CHUNK = 1024  # the counts of a chunk fit into the processor's cache


@dataclass(frozen=True)
class Interval:
    """A value and its two-sided confidence interval, in the same unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of Gaussian estimates (mean, sigma) of one parameter. See `scores` for definitions."""

    rmse: Interval
    bias: Interval
    chi2: Interval
    coverage_68: Interval
    coverage_95: Interval
    r2: Interval
    records: int
    simulations: int


class Bootstrap:
    """Bootstrap over whole simulations, so that records cut from one box never count as independent.

    Every statistic is a function of sums over records. The sums are kept per simulation, and a draw is a vector of the
    number of times each simulation was taken. All statistics and methods use the same draws, so comparisons are paired.
    Intervals are bias-corrected and accelerated (Efron 1987, JASA 82, 171): a root mean square has a skewed
    distribution, and the percentile interval of a hundred simulations misses too often on one side.

    Parameters
    ----------
    simulations
        Simulation of each record, shape (n,).
    seed
        Seed of the draws.
    draws
        Number of draws.
    level
        Confidence level of the intervals.

    Raises
    ------
    ValueError
        There are fewer than two simulations, fewer than 100 draws, or the level is not between 0 and 1.
    """

    def __init__(self, simulations: ArrayLike, *, seed: int, draws: int = 10_000, level: float = 0.95):
        names, self._group = np.unique(np.asarray(simulations), return_inverse=True)
        if len(names) < 2:
            raise ValueError(f"simulations: an interval needs at least 2, found {len(names)}.")
        if draws < 100:
            raise ValueError(f"draws: at least 100 are needed for an interval, found {draws}.")
        if not 0 < level < 1:
            raise ValueError(f"level: must lie between 0 and 1, found {level}.")
        self.simulations = len(names)
        self.records = len(self._group)
        self.seed, self.draws, self.level = seed, draws, level
        # multiplicity of each simulation in each draw, (simulations, draws); small integers, as there may be many
        uniform = np.full(self.simulations, 1 / self.simulations)
        multiplicity = np.random.default_rng(seed).multinomial(self.simulations, uniform, size=draws)
        self._multiplicity = np.ascontiguousarray(multiplicity.T, np.uint16 if self.simulations < 2**16 else np.uint32)

    def interval(self, statistic: Callable[..., NDArray], *columns: NDArray) -> Interval:
        """Compute a statistic of sums over records, with its interval.

        Parameters
        ----------
        statistic
            Function of the number of records and of the sum of each column. It is called with arrays of one element
            per draw and must work elementwise.
        columns
            Arrays of one value per record, shape (n,).

        Returns
        -------
        Interval
            Statistic of all records, and its interval at `level`.
        """
        table = [np.ones(self.records), *columns]
        # sums per simulation: (columns, simulations)
        sums = np.stack([np.bincount(self._group, column, self.simulations) for column in table])
        value = float(statistic(*sums.sum(1)))
        chunks = (
            self._multiplicity[:, start : start + _DRAWS_PER_CHUNK] for start in range(0, self.draws, _DRAWS_PER_CHUNK)
        )
        resampled = np.sort(np.concatenate([statistic(*(sums @ chunk.astype(np.float64))) for chunk in chunks]))
        jackknife = statistic(*(sums.sum(1, keepdims=True) - sums))
        return Interval(value, *_bca(value, resampled, jackknife, self.level))


def _bca(value: float, resampled: NDArray, jackknife: NDArray, level: float) -> tuple[float, float]:
    """Bounds of the bias-corrected accelerated interval from sorted bootstrap draws and jackknife values."""
    # Half of the ties count as below. The clip keeps a constant statistic defined.
    below = (
        0.5 * (np.searchsorted(resampled, value, "left") + np.searchsorted(resampled, value, "right")) / len(resampled)
    )
    shift = float(ndtri(np.clip(below, 1 / len(resampled), 1 - 1 / len(resampled))))
    difference = jackknife.mean() - jackknife
    scale = float((difference**2).sum()) ** 1.5
    acceleration = float((difference**3).sum()) / (6 * scale) if scale > 0 else 0.0
    bounds = shift + ndtri([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(resampled, ndtr(shift + bounds / (1 - acceleration * bounds)))
    return float(low), float(high)


def scores(true: ArrayLike, mean: ArrayLike, sigma: ArrayLike, bootstrap: Bootstrap) -> Scores:
    """Score Gaussian estimates of one parameter against the true values.

    Parameters
    ----------
    true, mean, sigma
        True values, estimates and predicted standard deviations, shape (n,), in the parameter's unit.
    bootstrap
        Bootstrap over the simulations of the same n records.

    Returns
    -------
    Scores
        rmse and bias (mean of estimate - truth) in the parameter's unit; chi2 per degree of freedom, the mean of
        ((estimate - truth) / sigma)², which is 1 for calibrated sigmas; coverage_68 and coverage_95, the fractions of
        records with the truth within 1 and 1.95996 sigma (0.6827 and 0.95 for calibrated Gaussians); r2, 1 - rmse²
        over the variance of the truth.

    Raises
    ------
    ValueError
        The lengths differ, a value is not finite, or a sigma is not positive.
    """
    true, mean, sigma = _checked(bootstrap.records, true=true, mean=mean, sigma=sigma)
    if (sigma <= 0).any():
        raise ValueError(f"sigma: must be positive, found {sigma.min()} at record {sigma.argmin()}.")
    error = mean - true
    pull = np.abs(error / sigma)
    centred = true - true.mean()
    # A draw of a single simulation may have no variance of the truth: keep its r2 finite.
    floor = 1e-12 * ((centred**2).mean() + (error**2).mean()) + np.finfo(float).tiny

    def average(count, total):
        return total / count

    def determination(count, squares, ones, twos):
        return 1 - squares / count / np.maximum(twos / count - (ones / count) ** 2, floor)

    return Scores(
        rmse=bootstrap.interval(lambda count, squares: np.sqrt(squares / count), error**2),
        bias=bootstrap.interval(average, error),
        chi2=bootstrap.interval(average, pull**2),
        coverage_68=bootstrap.interval(average, (pull <= 1).astype(np.float64)),
        coverage_95=bootstrap.interval(average, (pull <= ndtri(0.975)).astype(np.float64)),
        r2=bootstrap.interval(determination, error**2, centred, centred**2),
        records=bootstrap.records,
        simulations=bootstrap.simulations,
    )


def coverage_band(probability: ArrayLike, records: int, *, level: float = 0.95) -> NDArray[np.float64]:
    """Sampling band of the coverage of a calibrated model.

    Parameters
    ----------
    probability
        Nominal coverage of the intervals, any shape.
    records
        Number of independent records, at least 1.
    level
        Probability of the band.

    Returns
    -------
    NDArray
        Lower and upper bound of the observed coverage, quantiles of the binomial distribution, shape (2, …).
    """
    tail = (1 - level) / 2
    nominal = np.asarray(probability, np.float64)
    bounds = [binom.ppf(tail, records, nominal), binom.isf(tail, records, nominal)]
    return np.clip(np.stack(bounds) / records, 0.0, 1.0)


def rmse_ratio(true: ArrayLike, mean: ArrayLike, reference: ArrayLike, bootstrap: Bootstrap) -> Interval:
    """Ratio of the rms error of a reference method to that of a method, paired on the same bootstrap draws.

    Parameters
    ----------
    true, mean, reference
        True values, estimates of the method and of the reference, shape (n,), in the parameter's unit.
    bootstrap
        Bootstrap over the simulations of the same n records.

    Returns
    -------
    Interval
        rmse(reference) / rmse(method). The method is better where the whole interval lies above 1, worse where it lies
        below 1; otherwise these simulations do not distinguish the two.

    Raises
    ------
    ValueError
        The lengths differ, a value is not finite, or the method has no error at all.
    """
    true, mean, reference = _checked(bootstrap.records, true=true, mean=mean, reference=reference)
    if not (mean != true).any():
        raise ValueError("mean: equals the truth everywhere, so the ratio of errors is not defined.")
    own, other = (mean - true) ** 2, (reference - true) ** 2
    floor = 1e-12 * own.sum()  # keeps draws without any error finite
    return bootstrap.interval(lambda count, own, other: np.sqrt(other / np.maximum(own, floor)), own, other)


def _checked(records: int, **arrays: ArrayLike) -> list[NDArray[np.float64]]:
    checked = []
    for name, values in arrays.items():
        values = np.asarray(values, np.float64)
        if values.shape != (records,):
            raise ValueError(f"{name}: shape ({records},) is needed, one value per record, found {values.shape}.")
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: not finite at record {int(np.flatnonzero(~np.isfinite(values))[0])}.")
        checked.append(values)
    return checked
