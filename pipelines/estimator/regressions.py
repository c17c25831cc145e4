"""Regressions from some dozen features to parameters: likelihood, kernel ridge, Gaussian processes, small networks."""

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

from tenfold.stats.gaussian_process import Kernel, condition, likeliest

Array = NDArray[np.float64]
Predictor = Callable[[Array], Array]
"""Maps (m, F) standardised features to (m, P) standardised parameters."""
Fit = Callable[[Array, Array], Predictor]
"""Maps (n, F) features and (n, P) parameters, both standardised, to the fitted predictor."""

MOST_TUNED = 800
"""Most records that scales are searched with: the time of one step of a search grows with their cube."""
MOST_CONDITIONED = 6000
"""Most records that a kernel method is conditioned on; beyond, a random choice of them."""
NEURONS = (48, 48)


def posterior_mean(x: Array, y: Array, fold: NDArray[np.int64], seed: int) -> Fit:
    """Mean of the posterior under a flat prior and a Gaussian likelihood of the features.

    The features' mean is a polynomial of the parameters, their covariance that of what is left (Ledoit & Wolf's), the
    prior the box that the parameters span. Where that model holds, no estimate has a smaller rms error.

    Parameters
    ----------
    x, y
        (n, F) features and (n, P) parameters to choose the polynomial's degree with, standardised.
    fold
        (n,) fold of every record, for the cross-validation of the degree.
    seed
        Seed of the points that the posterior is averaged over.
    """
    points = qmc.Sobol(y.shape[1], rng=np.random.default_rng(seed)).random_base2(12 if y.shape[1] < 3 else 14)

    def fit(x: Array, y: Array, degree: int) -> Predictor:
        low, high = y.min(0), y.max(0)
        terms = _polynomial(2 * (y - low) / (high - low) - 1, degree)
        normal = terms.T @ terms + 1e-6 * len(x) * np.eye(terms.shape[1])
        coefficients = np.linalg.solve(normal, terms.T @ x)
        left = x - terms @ coefficients
        spread = left.std(0) + 1e-9
        covariance = ledoit_wolf(left / spread, assume_centered=True)[0] * len(x) / (len(x) - terms.shape[1])
        factor = np.linalg.cholesky(covariance)
        guesses = low + (high - low) * points
        expected = _polynomial(2 * points - 1, degree) @ coefficients

        def white(features: Array) -> Array:
            return solve_triangular(factor, (features / spread).T, lower=True).T

        expected = white(expected)
        squares = 0.5 * (expected**2).sum(1)

        def predict(at: Array) -> Array:
            found = np.empty((len(at), y.shape[1]))
            for start in range(0, len(at), 256):
                rows = slice(start, start + 256)
                log = white(at[rows]) @ expected.T - squares
                weight = np.exp(log - log.max(1, keepdims=True))
                found[rows] = weight @ guesses / weight.sum(1, keepdims=True)
            return found

        return predict

    degrees = [degree for degree in (1, 2, 3, 4) if 4 * _terms(y.shape[1], degree) < len(x)] or [1]
    error = [
        sum(((fit(x[fold != k], y[fold != k], d)(x[fold == k]) - y[fold == k]) ** 2).sum() for k in np.unique(fold))
        for d in degrees
    ]
    degree = degrees[int(np.argmin(error))]
    return lambda x, y: fit(x, y, degree)


def kernel_ridge(x: Array, y: Array, fold: NDArray[np.int64], seed: int) -> Fit:
    """Kernel ridge regression with a Gaussian kernel; width and ridge from a grid, per parameter.

    Parameters
    ----------
    x, y
        (n, F) features and (n, P) parameters to tune with, standardised.
    fold
        (n,) fold of every record, for the cross-validation of the grid.
    seed
        Seed of the choice of records where there are too many.
    """
    some = _choice(len(x), MOST_TUNED, seed)
    x, y, fold = x[some], y[some], fold[some]
    widths = np.sqrt(x.shape[1]) * np.geomspace(0.5, 16, 6)
    ridges = np.geomspace(1e-6, 1, 7)
    error = np.zeros((len(widths), len(ridges), y.shape[1]))
    for i, width in enumerate(widths):
        gram = _round_kernel(width, 0, x.shape[1]).covariance(x, x)
        for held in np.unique(fold):
            out, use = fold == held, fold != held
            inner, across = gram[np.ix_(use, use)], gram[np.ix_(out, use)]
            for j, ridge in enumerate(ridges):
                factor = cho_factor(inner + ridge * np.eye(len(inner)), lower=True, overwrite_a=True)
                error[i, j] += ((across @ cho_solve(factor, y[use]) - y[out]) ** 2).sum(0)
    best = [np.unravel_index(error[..., p].argmin(), error.shape[:2]) for p in range(y.shape[1])]
    kernels = [_round_kernel(widths[i], ridges[j], x.shape[1]) for i, j in best]

    def fit(x: Array, y: Array) -> Predictor:
        kept = _choice(len(x), MOST_CONDITIONED, seed)
        parts = [condition(kernel, x[kept], y[kept, p]) for p, kernel in enumerate(kernels)]
        return lambda at: np.stack([part(at) for part in parts], axis=1)

    return fit


def gaussian_process(seed: int, *, isotropic: bool) -> Fit:
    """Gaussian process regression, one process per parameter, with one length scale or one per feature.

    Every fit searches its own scales, so that a fold held out is held out of that as well.
    """
    starts: dict[int, Kernel] = {}  # the last optimum: the next fit, on nearly the same records, ends near it

    def fit(x: Array, y: Array) -> Predictor:
        some, kept = _choice(len(x), MOST_TUNED, seed), _choice(len(x), MOST_CONDITIONED, seed)
        parts = []
        for p in range(y.shape[1]):
            starts[p] = likeliest(x[some], y[some, p], start=starts.get(p), isotropic=isotropic)
            parts.append(condition(starts[p], x[kept], y[kept, p]))
        return lambda at: np.stack([part(at) for part in parts], axis=1)

    return fit


def small_networks(x: Array, y: Array, fold: NDArray[np.int64], seed: int, members: int) -> Fit:
    """Average of small fully connected networks; their weight decay is chosen by cross-validation, per parameter.

    Parameters
    ----------
    x, y, fold
        As in `kernel_ridge`.
    seed
        Seed of the first weights.
    members
        Networks averaged.
    """

    def network(x: Array, y: Array, decay: float, seed: int) -> MLPRegressor:
        empty = MLPRegressor(
            hidden_layer_sizes=NEURONS, activation="tanh", solver="lbfgs", alpha=decay, max_iter=150, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is part of the regularisation
            return empty.fit(x, y if y.shape[1] > 1 else y[:, 0])

    some = _choice(len(x), MOST_TUNED, seed)
    x, y, fold = x[some], y[some], fold[some]
    decays = (0.3, 1.0, 3.0, 10.0)
    error = np.zeros((len(decays), y.shape[1]))
    for held in np.unique(fold):
        out = fold == held
        for i, decay in enumerate(decays):
            guess = network(x[~out], y[~out], decay, seed).predict(x[out]).reshape(y[out].shape)
            error[i] += ((guess - y[out]) ** 2).sum(0)
    best = error.argmin(0)

    def fit(x: Array, y: Array) -> Predictor:
        trained = {i: [network(x, y, decays[i], seed + n) for n in range(members)] for i in set(best.tolist())}

        def predict(at: Array) -> Array:
            guesses = {i: np.mean([one.predict(at).reshape(len(at), -1) for one in trained[i]], 0) for i in trained}
            return np.stack([guesses[i][:, p] for p, i in enumerate(best.tolist())], axis=1)

        return predict

    return fit


def _polynomial(y: Array, degree: int) -> Array:
    """Return all products of up to `degree` of the columns of y (n, P): (n, terms)."""
    products = [y[:, list(which)].prod(axis=1) for d in range(degree + 1) for which in _products(y.shape[1], d)]
    return np.stack(products, axis=1)


def _products(columns: int, degree: int):
    return combinations_with_replacement(range(columns), degree)


def _terms(columns: int, degree: int) -> int:
    return comb(columns + degree, degree)


def _round_kernel(width: float, noise: float, features: int) -> Kernel:
    return Kernel(curved=1.0, straight=0.0, noise=noise, scale=np.full(features, width))


def _choice(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return all of count records, or a random choice of most of them, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most]) if count > most else np.arange(count)
