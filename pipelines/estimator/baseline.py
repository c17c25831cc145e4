"""What the power spectrum alone can tell: the best honest regression from binned P(k), for a network to beat."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from threadpoolctl import threadpool_limits

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.regressions import (
    Array,
    Fit,
    Predictor,
    gaussian_process,
    kernel_ridge,
    posterior_mean,
    small_networks,
)

AVERAGE = "weighted average"


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """How the regression from the power spectrum is tuned."""

    folds: int = 5
    """Folds of the cross-validation; records of one simulation stay in one fold."""
    seed: int = 0
    """Seed of the folds and of the small networks."""
    members: int = 3
    """Small networks averaged."""

    def __post_init__(self):
        for name, least in (("folds", 2), ("members", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: must be at least {least}, found {getattr(self, name)}.")


@dataclass(frozen=True)
class Estimates:
    """Estimates of parameters in their own units: mean and standard deviation, both (n, P)."""

    mean: Array
    sigma: Array


@dataclass(frozen=True)
class Choice:
    """The regression that did best for one parameter, and every candidate's cross-validated rms error."""

    parameter: str
    method: str
    cv_rmse: dict[str, float]


@dataclass(frozen=True)
class Regression:
    """A fitted regression from features of the power spectrum; see `fit`."""

    choices: tuple[Choice, ...]
    _mean: Callable[[Array], Array]
    _sigma: Callable[[Array], Array]

    def predict(self, features: Array) -> Estimates:
        """Estimate the parameters of (n, F) features."""
        with threadpool_limits(1):
            mean = self._mean(np.asarray(features, np.float64))
            return Estimates(mean, self._sigma(mean))


def features(power: Array, mean_count: Array | None = None) -> Array:
    """Turn power spectra into the regression's features.

    Parameters
    ----------
    power
        (n, …) power of every record, any unit, all bins of all channels.
    mean_count
        (n, …) mean of every record and channel before it was divided out; used where it varies (pieces of a box).

    Returns
    -------
    ndarray
        (n, F) logarithms.

    Raises
    ------
    InputError
        If a power or a mean is not positive and finite.
    """
    joined = np.asarray(power, np.float64).reshape(len(power), -1)
    if mean_count is not None:
        count = np.asarray(mean_count, np.float64).reshape(len(power), -1)
        varies = np.ptp(count, axis=0) > 1e-6 * np.abs(count).max(axis=0)
        joined = np.concatenate([joined, count[:, varies]], axis=1)
    bad = ~(np.isfinite(joined) & (joined > 0)).all(axis=1)
    if bad.any():
        raise InputError(
            f"Record {int(np.flatnonzero(bad)[0])} ({int(bad.sum())} in all) has a power spectrum or a mean count that "
            "is zero or not finite: it holds no field. Leave it out when ingesting."
        )
    return np.log(joined)


def mean_estimates(parameters: Array, records: int) -> Estimates:
    """Predict the mean of (n, P) training parameters for every one of some records, with their spread as sigma."""
    shape = (records, parameters.shape[1])
    return Estimates(np.broadcast_to(parameters.mean(0), shape), np.broadcast_to(parameters.std(0, ddof=1), shape))


def fit(
    features: Array, parameters: Array, simulations: NDArray, names: tuple[str, ...], config: Baseline | None = None
) -> Regression:
    """Fit every candidate regression, and keep for each parameter the one with the least cross-validated error.

    The candidates are those of `tenfold.pipelines.estimator.regressions` (Gaussian processes with one length scale and
    with one per bin), and their average with weights that the cross-validation finds. The stated sigma is that of the
    cross-validation's residuals, as a smooth function of where the estimate lies.

    Parameters
    ----------
    features
        (n, F) of `features`, of the training and validation records.
    parameters
        (n, P) true values.
    simulations
        (n,) identity of the simulation of every record.
    names
        P parameter names.
    config
        How to tune.

    Raises
    ------
    InputError
        If there are fewer simulations than two per fold, or a parameter does not vary.
    """
    config = config or Baseline()
    found = len(np.unique(simulations))
    if found < 2 * config.folds:
        raise InputError(
            f"The power-spectrum regression needs {2 * config.folds} simulations ({config.folds}-fold "
            f"cross-validation) for training and validation, found {found}. Simulate more."
        )
    features, parameters = np.asarray(features, np.float64), np.asarray(parameters, np.float64)
    x_mean, x_std = features.mean(0), features.std(0)
    x_std = np.where(x_std > 0, x_std, 1)
    y_mean, y_std = parameters.mean(0), parameters.std(0)
    if (y_std == 0).any():
        raise InputError(f"{names[int(np.argmin(y_std))]} does not vary in the training data: leave it out.")
    x, y = (features - x_mean) / x_std, (parameters - y_mean) / y_std

    # Matrices of some hundred rows: threads of the linear algebra would only wait for each other.
    with threadpool_limits(1):
        fold = _folds(simulations, config)
        candidates, out_of_fold = _candidates(x, y, fold, config)
        lowest, highest = y.min(0), y.max(0)  # a flat prior: no estimate outside the range that was simulated
        out_of_fold = {name: np.clip(guess, lowest, highest) for name, guess in out_of_fold.items()}
        stack = np.stack(list(out_of_fold.values()))
        weights = _weights(stack, y)
        average = np.empty_like(y)
        for held in range(config.folds):
            out = fold == held
            average[out] = np.einsum("cp,cnp->np", _weights(stack[:, ~out], y[~out]), stack[:, out])
        out_of_fold[AVERAGE] = average
        cv_rmse = {name: np.sqrt(((guess - y) ** 2).mean(0)) for name, guess in out_of_fold.items()}
        best = [min(cv_rmse, key=lambda name, i=i: cv_rmse[name][i]) for i in range(len(names))]
        held_out = np.stack([out_of_fold[name][:, i] for i, name in enumerate(best)], axis=1)
        scatter = _scatter(held_out, y - held_out)

    def mean(features: Array) -> Array:
        at = (features - x_mean) / x_std
        guesses = {name: np.clip(predict(at), lowest, highest) for name, predict in candidates.items()}
        guesses[AVERAGE] = np.einsum("cp,cnp->np", weights, np.stack(list(guesses.values())))
        guess = np.stack([guesses[name][:, i] for i, name in enumerate(best)], axis=1)
        return y_mean + y_std * guess

    choices = tuple(
        Choice(name, best[i], {method: float(error[i] * y_std[i]) for method, error in cv_rmse.items()})
        for i, name in enumerate(names)
    )
    return Regression(choices, mean, lambda mean: y_std * scatter((mean - y_mean) / y_std))


def _folds(simulations: NDArray, config: Baseline) -> NDArray[np.int64]:
    """Give every record its fold, (n,): simulations are dealt out at random, and never split."""
    names, group = np.unique(simulations, return_inverse=True)
    order = np.random.default_rng(config.seed).permutation(len(names))
    return (order % config.folds)[group]


def _candidates(
    x: Array, y: Array, fold: NDArray[np.int64], config: Baseline
) -> tuple[dict[str, Predictor], dict[str, Array]]:
    """Tune and fit the candidates: their predictors, and the (n, P) out-of-fold estimates of each."""
    fits: dict[str, Fit] = {
        "likelihood": posterior_mean(x, y, fold, config.seed),
        "kernel ridge": kernel_ridge(x, y, fold, config.seed),
        "Gaussian process, one scale": gaussian_process(config.seed, isotropic=True),
        "Gaussian process, scale per bin": gaussian_process(config.seed, isotropic=False),
        "small networks": small_networks(x, y, fold, config.seed, config.members),
    }
    out_of_fold = {name: np.empty_like(y) for name in fits}
    for name, fit in fits.items():
        for held in range(config.folds):
            out = fold == held
            out_of_fold[name][out] = fit(x[~out], y[~out])(x[out])
    return {name: fit(x, y) for name, fit in fits.items()}, out_of_fold


def _weights(guesses: Array, y: Array) -> Array:
    """Find the non-negative weights, of sum 1, with which (C, n, P) guesses come nearest to (n, P) truths: (C, P)."""
    found = np.stack([nnls(guesses[:, :, p].T, y[:, p])[0] for p in range(y.shape[1])], axis=1)
    found[:, found.sum(0) == 0] = 1  # none knows anything
    return found / found.sum(0)


def _scatter(estimate: Array, residual: Array) -> Predictor:
    """Fit sigma(estimate), its logarithm a quadratic, to out-of-fold residuals by Gaussian likelihood.

    Degeneracies make the error depend on where one is, and a constant sigma would be too wide here, too narrow there.
    """
    lowest, highest = estimate.min(0), estimate.max(0)

    def terms(at: Array) -> Array:
        at = np.clip(at, lowest, highest)
        i, j = np.triu_indices(at.shape[1])
        return np.concatenate([np.ones((len(at), 1)), at, at[:, i] * at[:, j]], axis=1)

    design = terms(estimate)
    penalty = np.where(np.arange(design.shape[1]) == 0, 0, 0.01 * len(design))

    def coefficients(squares: Array) -> Array:
        def cost(theta: Array) -> tuple[float, Array]:
            log_sigma = np.clip(design @ theta, -14, 14)
            relative = squares * np.exp(-2 * log_sigma)
            value = (0.5 * relative + log_sigma).sum() + 0.5 * penalty @ theta**2
            return float(value), design.T @ (1 - relative) + penalty * theta

        first = np.zeros(design.shape[1])
        first[0] = 0.5 * np.log(squares.mean() + 1e-12)
        return minimize(cost, first, jac=True, method="L-BFGS-B").x

    theta = np.stack([coefficients(squares) for squares in (residual**2).T], axis=1)
    return lambda at: np.exp(np.clip(terms(at) @ theta, -14, 14))
