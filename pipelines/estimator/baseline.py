"""Power-spectrum baseline: the best cross-validated regression of parameters from binned P(k)."""

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
    neural_networks,
    posterior_mean,
)

STACKING = "stacking"
"""Name of the weighted average of all candidates."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Settings of the regression from the power spectrum."""

    folds: int = 5
    """Folds of the cross-validation. Records of one simulation are in the same fold."""
    seed: int = 0
    """Seed of the folds and of the neural networks."""
    members: int = 3
    """Neural networks in the ensemble."""

    def __post_init__(self):
        for name, smallest in (("folds", 2), ("members", 1)):
            if getattr(self, name) < smallest:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least {smallest}")


@dataclass(frozen=True)
class Estimates:
    """Parameter estimates in physical units: mean and standard deviation, shape (n, P) each."""

    mean: Array
    sigma: Array


@dataclass(frozen=True)
class Selection:
    """Regression selected for one parameter, and the cross-validated rms error of every candidate."""

    parameter: str
    method: str
    cv_rmse: dict[str, float]


@dataclass(frozen=True)
class Regression:
    """Regression of parameters from power-spectrum features, fitted by `fit`."""

    selections: tuple[Selection, ...]
    _mean: Callable[[Array], Array]
    _sigma: Callable[[Array], Array]

    def predict(self, features: Array) -> Estimates:
        """Estimate the parameters from features, shape (n, F)."""
        with threadpool_limits(1):
            mean = self._mean(np.asarray(features, np.float64))
            return Estimates(mean, self._sigma(mean))


def features(power: Array, mean_count: Array | None = None) -> Array:
    """Return the logarithmic features of power spectra.

    Parameters
    ----------
    power
        Power of every record, shape (n, …): all bins of all channels, in any unit.
    mean_count
        Mean count of every record and channel, shape (n, …). It is used where it varies, as in pieces of a box.

    Returns
    -------
    ndarray
        Features, shape (n, F).

    Raises
    ------
    InputError
        A power or a mean count is not positive and finite.
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
            "is zero or not finite: the record is empty. Exclude it when ingesting."
        )
    return np.log(joined)


def training_mean(parameters: Array, records: int) -> Estimates:
    """Predict the mean of training parameters (n, P) for all records, with their standard deviation as sigma."""
    shape = (records, parameters.shape[1])
    return Estimates(np.broadcast_to(parameters.mean(0), shape), np.broadcast_to(parameters.std(0, ddof=1), shape))


def fit(
    features: Array, parameters: Array, simulations: NDArray, names: tuple[str, ...], config: Baseline | None = None
) -> Regression:
    """Fit all candidate regressions, and select for each parameter the one with the smallest cross-validated error.

    The candidates are those of `tenfold.pipelines.estimator.regressions` (Gaussian processes with one length scale and
    with one per bin), and their stacked average with weights from the cross-validation. The predicted sigma is the
    standard deviation of the cross-validation residuals, modelled as a smooth function of the estimate.

    Parameters
    ----------
    features
        Features of the training and validation records, shape (n, F), see `features`.
    parameters
        True values, shape (n, P).
    simulations
        Name of the simulation of each record, shape (n,).
    names
        Names of the P parameters.
    config
        Settings of the regression.

    Raises
    ------
    InputError
        There are fewer than two simulations per fold, or a parameter does not vary.
    """
    config = config or Baseline()
    count = len(np.unique(simulations))
    if count < 2 * config.folds:
        raise InputError(
            f"The power-spectrum regression needs {2 * config.folds} simulations ({config.folds}-fold "
            f"cross-validation) for training and validation, found {count}. Simulate more."
        )
    features, parameters = np.asarray(features, np.float64), np.asarray(parameters, np.float64)
    x_mean, x_std = features.mean(0), features.std(0)
    x_std = np.where(x_std > 0, x_std, 1)
    y_mean, y_std = parameters.mean(0), parameters.std(0)
    if (y_std == 0).any():
        raise InputError(f"{names[int(np.argmin(y_std))]} does not vary in the training data: leave it out.")
    x, y = (features - x_mean) / x_std, (parameters - y_mean) / y_std

    # For matrices of a few hundred rows, more threads make the linear algebra slower.
    with threadpool_limits(1):
        fold = _folds(simulations, config)
        candidates, out_of_fold = _candidates(x, y, fold, config)
        lowest, highest = y.min(0), y.max(0)  # flat prior: estimates are limited to the simulated range
        out_of_fold = {name: np.clip(estimate, lowest, highest) for name, estimate in out_of_fold.items()}
        stack = np.stack(list(out_of_fold.values()))
        weights = _weights(stack, y)
        average = np.empty_like(y)
        for k in range(config.folds):
            out = fold == k
            average[out] = np.einsum("cp,cnp->np", _weights(stack[:, ~out], y[~out]), stack[:, out])
        out_of_fold[STACKING] = average
        cv_rmse = {name: np.sqrt(((estimate - y) ** 2).mean(0)) for name, estimate in out_of_fold.items()}
        best = [min(cv_rmse, key=lambda name, i=i: cv_rmse[name][i]) for i in range(len(names))]
        held_out = np.stack([out_of_fold[name][:, i] for i, name in enumerate(best)], axis=1)
        scatter = _scatter(held_out, y - held_out)

    def mean(features: Array) -> Array:
        standardised = (features - x_mean) / x_std
        estimates = {name: np.clip(predict(standardised), lowest, highest) for name, predict in candidates.items()}
        estimates[STACKING] = np.einsum("cp,cnp->np", weights, np.stack(list(estimates.values())))
        selected = np.stack([estimates[name][:, i] for i, name in enumerate(best)], axis=1)
        return y_mean + y_std * selected

    selections = tuple(
        Selection(name, best[i], {method: float(error[i] * y_std[i]) for method, error in cv_rmse.items()})
        for i, name in enumerate(names)
    )
    return Regression(selections, mean, lambda mean: y_std * scatter((mean - y_mean) / y_std))


def _folds(simulations: NDArray, config: Baseline) -> NDArray[np.int64]:
    """Return the fold of every record, shape (n,); simulations are assigned at random and not divided."""
    names, group = np.unique(simulations, return_inverse=True)
    order = np.random.default_rng(config.seed).permutation(len(names))
    return (order % config.folds)[group]


def _candidates(
    x: Array, y: Array, fold: NDArray[np.int64], config: Baseline
) -> tuple[dict[str, Predictor], dict[str, Array]]:
    """Tune and fit the candidates; return their predictors and out-of-fold estimates, shape (n, P) each."""
    fits: dict[str, Fit] = {
        "posterior mean": posterior_mean(x, y, fold, config.seed),
        "kernel ridge": kernel_ridge(x, y, fold, config.seed),
        "Gaussian process, isotropic": gaussian_process(config.seed, isotropic=True),
        "Gaussian process, ARD": gaussian_process(config.seed, isotropic=False),
        "neural networks": neural_networks(x, y, fold, config.seed, config.members),
    }
    out_of_fold = {name: np.empty_like(y) for name in fits}
    for name, fit in fits.items():
        for k in range(config.folds):
            out = fold == k
            out_of_fold[name][out] = fit(x[~out], y[~out])(x[out])
    return {name: fit(x, y) for name, fit in fits.items()}, out_of_fold


def _weights(estimates: Array, y: Array) -> Array:
    """Return non-negative stacking weights of sum 1, shape (C, P), for estimates (C, n, P) of true values (n, P)."""
    weights = np.stack([nnls(estimates[:, :, p].T, y[:, p])[0] for p in range(y.shape[1])], axis=1)
    weights[:, weights.sum(0) == 0] = 1  # no candidate is informative: equal weights
    return weights / weights.sum(0)


def _scatter(estimate: Array, residual: Array) -> Predictor:
    """Fit ln sigma as a quadratic function of the estimate to out-of-fold residuals by Gaussian likelihood.

    Parameter degeneracies make the error vary over parameter space, so that a constant sigma would be miscalibrated.
    """
    lowest, highest = estimate.min(0), estimate.max(0)

    def terms(y: Array) -> Array:
        y = np.clip(y, lowest, highest)
        i, j = np.triu_indices(y.shape[1])
        return np.concatenate([np.ones((len(y), 1)), y, y[:, i] * y[:, j]], axis=1)

    design = terms(estimate)
    penalty = np.where(np.arange(design.shape[1]) == 0, 0, 0.01 * len(design))

    def coefficients(squares: Array) -> Array:
        def cost(theta: Array) -> tuple[float, Array]:
            log_sigma = np.clip(design @ theta, -14, 14)
            relative = squares * np.exp(-2 * log_sigma)
            value = (0.5 * relative + log_sigma).sum() + 0.5 * penalty @ theta**2
            return float(value), design.T @ (1 - relative) + penalty * theta

        start = np.zeros(design.shape[1])
        start[0] = 0.5 * np.log(squares.mean() + 1e-12)
        return minimize(cost, start, jac=True, method="L-BFGS-B").x

    theta = np.stack([coefficients(squares) for squares in (residual**2).T], axis=1)
    return lambda y: np.exp(np.clip(terms(y) @ theta, -14, 14))
