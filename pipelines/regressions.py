"""Regressions from a few dozen features to parameters: kernel ridge, Gaussian processes, small networks."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from tenfold.stats.gaussian_process import Kernel, condition, likeliest

Array = NDArray[np.float64]
Predictor = Callable[[Array], Array]
"""Maps (m, F) standardised features to (m, P) standardised parameters."""
Fit = Callable[[Array, Array], Predictor]
"""Maps (n, F) features and (n, P) parameters, both standardised, to the fitted predictor."""

MOST_TUNED = 1200
"""Most records that scales are searched with: the time of one step of a search grows with their cube."""
MOST_CONDITIONED = 6000
"""Most records that a kernel method is conditioned on; beyond, a random choice of them."""
NEURONS = (48, 48)


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
    """Average of small fully connected networks; their weight decay is chosen by a fold held out.

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
    x, y, out = x[some], y[some], fold[some] == fold.min()
    decays = (0.1, 1.0, 10.0)
    guesses = [network(x[~out], y[~out], decay, seed).predict(x[out]).reshape(y[out].shape) for decay in decays]
    decay = decays[int(np.argmin([((guess - y[out]) ** 2).mean() for guess in guesses]))]

    def fit(x: Array, y: Array) -> Predictor:
        trained = [network(x, y, decay, seed + i) for i in range(members)]
        return lambda at: np.mean([each.predict(at).reshape(len(at), -1) for each in trained], axis=0)

    return fit


def _round_kernel(width: float, noise: float, features: int) -> Kernel:
    return Kernel(curved=1.0, straight=0.0, noise=noise, scale=np.full(features, width))


def _choice(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return all of count records, or a random choice of most of them, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most]) if count > most else np.arange(count)
