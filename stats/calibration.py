"""How good estimates of a parameter are, and how well they know it: error, bias, chi², coverage, with intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import binom

_CHUNK = 1024  # draws reduced at once: keeps the counts of a chunk in the processor's cache


@dataclass(frozen=True)
class Interval:
    """A figure and its two-sided confidence interval, all in the figure's own unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of Gaussian estimates (mean, sigma) of one parameter; see `scores`."""

    rmse: Interval
    bias: Interval
    chi2: Interval
    coverage_68: Interval
    coverage_95: Interval
    r2: Interval
    records: int
    simulations: int


class Bootstrap:
    """Resampling of whole simulations, so that records cut from one box never count as independent.

    Every statistic is a function of sums over records. Those are kept per simulation, and a draw is a vector of how
    often each simulation was taken; the same draws serve every statistic and method, which makes comparisons paired.
    Intervals are bias-corrected and accelerated (Efron 1987, JASA 82, 171): a root mean square is skewed, and the
    plain percentile interval of a hundred simulations misses too often on one side.

    Parameters
    ----------
    simulations
        (n,) identity of the simulation of every record.
    seed
        Seed of the draws.
    draws
        Number of draws.
    level
        Confidence level of the intervals.

    Raises
    ------
    ValueError
        If there are fewer than two simulations, or draws or level make no sense.
    """

    def __init__(self, simulations: ArrayLike, *, seed: int, draws: int = 10_000, level: float = 0.95):
        names, self._group = np.unique(np.asarray(simulations), return_inverse=True)
        if len(names) < 2:
            raise ValueError(f"simulations: an interval needs at least 2 different ones, found {len(names)}.")
        if draws < 100:
            raise ValueError(f"draws: at least 100 are needed for an interval, found {draws}.")
        if not 0 < level < 1:
            raise ValueError(f"level: must lie between 0 and 1, found {level}.")
        self.simulations = len(names)
        self.records = len(self._group)
        self.seed, self.draws, self.level = seed, draws, level
        # (simulations, draws): how often each simulation is in each draw; small integers, as there may be many
        even = np.full(self.simulations, 1 / self.simulations)
        taken = np.random.default_rng(seed).multinomial(self.simulations, even, size=draws)
        self._taken = np.ascontiguousarray(taken.T, np.uint16 if self.simulations < 2**16 else np.uint32)

    def interval(self, statistic: Callable[..., NDArray], *columns: NDArray) -> Interval:
        """Value and interval of a statistic of sums over records.

        Parameters
        ----------
        statistic
            Function of the number of records and of each column's sum over them; called with arrays of one shape,
            one element per draw, and works element by element.
        columns
            (n,) arrays, one value per record.

        Returns
        -------
        Interval
            The statistic of all records, and its interval at `level`.
        """
        table = [np.ones(self.records), *columns]
        # sums per simulation: (columns, simulations)
        sums = np.stack([np.bincount(self._group, column, self.simulations) for column in table])
        value = float(statistic(*sums.sum(1)))
        chunks = (self._taken[:, start : start + _CHUNK] for start in range(0, self.draws, _CHUNK))
        drawn = np.sort(np.concatenate([statistic(*(sums @ taken.astype(np.float64))) for taken in chunks]))
        left_out = statistic(*(sums.sum(1, keepdims=True) - sums))
        return Interval(value, *_bca(value, drawn, left_out, self.level))


def _bca(value: float, drawn: NDArray, left_out: NDArray, level: float) -> tuple[float, float]:
    """Return the ends of the bias-corrected accelerated interval from sorted draws and jackknife values."""
    # Half of the ties count as below; the clip keeps a constant statistic (all draws equal) defined.
    below = 0.5 * (np.searchsorted(drawn, value, "left") + np.searchsorted(drawn, value, "right")) / len(drawn)
    shift = float(ndtri(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn))))
    apart = left_out.mean() - left_out
    spread = float((apart**2).sum()) ** 1.5
    acceleration = float((apart**3).sum()) / (6 * spread) if spread > 0 else 0.0
    ends = shift + ndtri([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(drawn, ndtr(shift + ends / (1 - acceleration * ends)))
    return float(low), float(high)


def scores(true: ArrayLike, mean: ArrayLike, sigma: ArrayLike, bootstrap: Bootstrap) -> Scores:
    """Score Gaussian estimates of one parameter against the truth.

    Parameters
    ----------
    true, mean, sigma
        (n,) true values, estimates and stated standard deviations, in the parameter's unit.
    bootstrap
        Resampling over the simulations of the same n records.

    Returns
    -------
    Scores
        rmse and bias (mean of estimate - truth) in the parameter's unit; chi2 per degree of freedom, the mean of
        ((estimate - truth) / sigma)², 1 for honest sigmas; coverage_68 and coverage_95, the fractions of records with
        the truth within 1 and 1.95996 sigma (0.6827 and 0.95 for honest Gaussian ones); r2, 1 - rmse² over the
        variance of the truth.

    Raises
    ------
    ValueError
        If lengths differ, a value is not finite, or a sigma is not positive.
    """
    true, mean, sigma = _checked(bootstrap.records, true=true, mean=mean, sigma=sigma)
    if (sigma <= 0).any():
        raise ValueError(f"sigma: must be positive, found {sigma.min()} at record {sigma.argmin()}.")
    error = mean - true
    pull = np.abs(error / sigma)
    centred = true - true.mean()
    # A draw of one simulation alone has truths without variance: keep its r2 finite.
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
    """Fraction of truths that intervals of a stated probability hold, if the model is calibrated: band by chance alone.

    Parameters
    ----------
    probability
        Stated, any shape.
    records
        Independent records that are counted, at least 1.
    level
        Probability of the band.

    Returns
    -------
    NDArray
        Lower and upper end: quantiles of the binomial distribution over ``records``, shape (2, …).
    """
    tail = (1 - level) / 2
    stated = np.asarray(probability, np.float64)
    ends = [binom.ppf(tail, records, stated), binom.isf(tail, records, stated)]
    return np.clip(np.stack(ends) / records, 0.0, 1.0)


def rmse_ratio(true: ArrayLike, mean: ArrayLike, reference: ArrayLike, bootstrap: Bootstrap) -> Interval:
    """How many times larger the rms error of the reference is, paired: both are drawn on the same records.

    Parameters
    ----------
    true, mean, reference
        (n,) true values, a method's estimates and the reference method's, in the parameter's unit.
    bootstrap
        Resampling over the simulations of the same n records.

    Returns
    -------
    Interval
        rmse(reference) / rmse(method): a gain is shown where the whole interval lies above 1, a loss where it lies
        below; otherwise the two are level as far as these simulations can tell.

    Raises
    ------
    ValueError
        If lengths differ, a value is not finite, or the method makes no error at all.
    """
    true, mean, reference = _checked(bootstrap.records, true=true, mean=mean, reference=reference)
    if not (mean != true).any():
        raise ValueError("mean: equals the truth everywhere; a ratio of errors is not defined.")
    own, other = (mean - true) ** 2, (reference - true) ** 2
    floor = 1e-12 * own.sum()  # of a draw without any error
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
