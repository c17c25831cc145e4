"""Regressions of parameters from a few dozen features: posterior mean, kernel ridge, Gaussian process, networks."""

import warnings
from collections.abc import Callable
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.stats import qmc
from sklearn.covariance import ledoit_wolf
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from tenfold.stats.gaussian_process import Kernel, condition, fit_kernel

Array = NDArray[np.float64]
Predictor = Callable[[Array], Array]
"""Function from standardised features (m, F) to standardised parameters (m, P)."""
Fit = Callable[[Array, Array], Predictor]
"""Function from features (n, F) and parameters (n, P), both standardised, to a fitted predictor."""

MAX_TUNING_RECORDS = 800
"""Largest number of records for tuning hyper-parameters; the time of one step grows as its cube."""
MAX_CONDITIONING_RECORDS = 6000
"""Largest number of records that a kernel method is conditioned on; a random subset of more."""
HIDDEN_UNITS = (48, 48)


def posterior_mean(x: Array, y: Array, fold: NDArray[np.int64], seed: int) -> Fit:
    """Return the fit of a posterior mean with a flat prior and a Gaussian likelihood of the features.

    The mean of the features is a polynomial of the parameters, and their covariance is the Ledoit-Wolf estimate from
    the residuals. The prior is uniform over the range of the parameters. If this model holds, no estimator has a
    smaller rms error.

    Parameters
    ----------
    x, y
        Standardised features (n, F) and parameters (n, P) for the choice of the polynomial degree.
    fold
        Fold of every record for the cross-validation of the degree, shape (n,).
    seed
        Seed of the quadrature points of the posterior.
    """
    points = qmc.Sobol(y.shape[1], rng=np.random.default_rng(seed)).random_base2(12 if y.shape[1] < 3 else 14)

    def fit(x: Array, y: Array, degree: int) -> Predictor:
        low, high = y.min(0), y.max(0)
        terms = _polynomial(2 * (y - low) / (high - low) - 1, degree)
        normal = terms.T @ terms + 1e-6 * len(x) * np.eye(terms.shape[1])
        coefficients = np.linalg.solve(normal, terms.T @ x)
        residual = x - terms @ coefficients
        spread = residual.std(0) + 1e-9
        covariance = ledoit_wolf(residual / spread, assume_centered=True)[0] * len(x) / (len(x) - terms.shape[1])
        factor = np.linalg.cholesky(covariance)
        grid = low + (high - low) * points
        expected = _polynomial(2 * points - 1, degree) @ coefficients

        def whiten(features: Array) -> Array:
            return solve_triangular(factor, (features / spread).T, lower=True).T

        expected = whiten(expected)
        squares = 0.5 * (expected**2).sum(1)

        def predict(x: Array) -> Array:
            estimates = np.empty((len(x), y.shape[1]))
            for start in range(0, len(x), 256):
                rows = slice(start, start + 256)
                log_likelihood = whiten(x[rows]) @ expected.T - squares
                weight = np.exp(log_likelihood - log_likelihood.max(1, keepdims=True))
                estimates[rows] = weight @ grid / weight.sum(1, keepdims=True)
            return estimates

        return predict

    degrees = [degree for degree in (1, 2, 3, 4) if 4 * _terms(y.shape[1], degree) < len(x)] or [1]
    error = [
        sum(((fit(x[fold != k], y[fold != k], d)(x[fold == k]) - y[fold == k]) ** 2).sum() for k in np.unique(fold))
        for d in degrees
    ]
    degree = degrees[int(np.argmin(error))]
    return lambda x, y: fit(x, y, degree)


def kernel_ridge(x: Array, y: Array, fold: NDArray[np.int64], seed: int) -> Fit:
    """Return the fit of a kernel ridge regression with a Gaussian kernel; width and ridge by grid search.

    Parameters
    ----------
    x, y
        Standardised features (n, F) and parameters (n, P) for the tuning.
    fold
        Fold of every record for the cross-validation, shape (n,).
    seed
        Seed of the random subset of records.
    """
    subset = _subset(len(x), MAX_TUNING_RECORDS, seed)
    x, y, fold = x[subset], y[subset], fold[subset]
    widths = np.sqrt(x.shape[1]) * np.geomspace(0.5, 16, 6)
    ridges = np.geomspace(1e-6, 1, 7)
    error = np.zeros((len(widths), len(ridges), y.shape[1]))
    for i, width in enumerate(widths):
        gram = _isotropic_kernel(width, 0, x.shape[1]).covariance(x, x)
        for k in np.unique(fold):
            out, use = fold == k, fold != k
            inner, across = gram[np.ix_(use, use)], gram[np.ix_(out, use)]
            for j, ridge in enumerate(ridges):
                factor = cho_factor(inner + ridge * np.eye(len(inner)), lower=True, overwrite_a=True)
                error[i, j] += ((across @ cho_solve(factor, y[use]) - y[out]) ** 2).sum(0)
    best = [np.unravel_index(error[..., p].argmin(), error.shape[:2]) for p in range(y.shape[1])]
    kernels = [_isotropic_kernel(widths[i], ridges[j], x.shape[1]) for i, j in best]

    def fit(x: Array, y: Array) -> Predictor:
        subset = _subset(len(x), MAX_CONDITIONING_RECORDS, seed)
        predictors = [condition(kernel, x[subset], y[subset, p]) for p, kernel in enumerate(kernels)]
        return lambda x: np.stack([predict(x) for predict in predictors], axis=1)

    return fit


def gaussian_process(seed: int, *, isotropic: bool) -> Fit:
    """Return the fit of one Gaussian process per parameter, with one length scale or one per feature (ARD).

    Every fit optimises its own length scales, so that they are independent of the held-out fold.
    """
    starts: dict[int, Kernel] = {}  # last optimum: a good start for the next fit, on nearly the same records

    def fit(x: Array, y: Array) -> Predictor:
        tuning = _subset(len(x), MAX_TUNING_RECORDS, seed)
        conditioning = _subset(len(x), MAX_CONDITIONING_RECORDS, seed)
        predictors = []
        for p in range(y.shape[1]):
            starts[p] = fit_kernel(x[tuning], y[tuning, p], start=starts.get(p), isotropic=isotropic)
            predictors.append(condition(starts[p], x[conditioning], y[conditioning, p]))
        return lambda x: np.stack([predict(x) for predict in predictors], axis=1)

    return fit


def neural_networks(x: Array, y: Array, fold: NDArray[np.int64], seed: int, members: int) -> Fit:
    """Return the fit of an ensemble of small multi-layer perceptrons; weight decay by cross-validation.

    Parameters
    ----------
    x, y, fold
        See `kernel_ridge`.
    seed
        Seed of the initial weights.
    members
        Number of networks.
    """

    def network(x: Array, y: Array, decay: float, seed: int) -> MLPRegressor:
        model = MLPRegressor(
            hidden_layer_sizes=HIDDEN_UNITS,
            activation="tanh",
            solver="lbfgs",
            alpha=decay,
            max_iter=150,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # early stopping is part of the regularisation
            return model.fit(x, y if y.shape[1] > 1 else y[:, 0])

    subset = _subset(len(x), MAX_TUNING_RECORDS, seed)
    x, y, fold = x[subset], y[subset], fold[subset]
    decays = (0.3, 1.0, 3.0, 10.0)
    error = np.zeros((len(decays), y.shape[1]))
    for k in np.unique(fold):
        out = fold == k
        for i, decay in enumerate(decays):
            estimate = network(x[~out], y[~out], decay, seed).predict(x[out]).reshape(y[out].shape)
            error[i] += ((estimate - y[out]) ** 2).sum(0)
    best = error.argmin(0)

    def fit(x: Array, y: Array) -> Predictor:
        trained = {i: [network(x, y, decays[i], seed + n) for n in range(members)] for i in set(best.tolist())}

        def predict(x: Array) -> Array:
            means = {i: np.mean([model.predict(x).reshape(len(x), -1) for model in trained[i]], 0) for i in trained}
            return np.stack([means[i][:, p] for p, i in enumerate(best.tolist())], axis=1)

        return predict

    return fit


def _polynomial(y: Array, degree: int) -> Array:
    """Return all monomials of the columns of y (n, P) up to a degree, shape (n, terms)."""
    products = [y[:, list(columns)].prod(axis=1) for d in range(degree + 1) for columns in _products(y.shape[1], d)]
    return np.stack(products, axis=1)


def _products(columns: int, degree: int):
    return combinations_with_replacement(range(columns), degree)


def _terms(columns: int, degree: int) -> int:
    return comb(columns + degree, degree)


def _isotropic_kernel(width: float, noise: float, features: int) -> Kernel:
    return Kernel(rbf_variance=1.0, linear_variance=0.0, noise_variance=noise, length_scale=np.full(features, width))


def _subset(count: int, largest: int, seed: int) -> NDArray[np.int64]:
    """Return the indices of all records, or those of a random subset of the largest size, in ascending order."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:largest]) if count > largest else np.arange(count)
