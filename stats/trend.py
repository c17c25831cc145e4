"""Smooth dependence of a statistic on cosmology, to be removed before cosmologies are pooled.

Maps of different cosmologies differ by far more than generated maps may differ from simulated ones. Once the trend is
divided out, all cosmologies agree up to their own cosmic variance and can be pooled.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trend:
    """Polynomial in the parameters, or in their logarithms, for each bin.

    Attributes
    ----------
    logarithmic
        Whether the logarithm of each parameter is used, shape (P,).
    centre, scale
        Mean and standard deviation of the parameters, or of their logarithms, shape (P,).
    coefficients
        Polynomial coefficients, shape (terms, B).
    degree
        Degree of the polynomial: 2, or less for few simulations.
    """

    logarithmic: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    degree: int

    def __call__(self, parameters: np.ndarray) -> np.ndarray:
        """Mean of the statistic at parameters, shape (n, P); returns shape (n, B)."""
        points = coordinates(parameters, self.logarithmic)
        return _terms((points - self.centre) / self.scale, self.degree) @ self.coefficients


def coordinates(parameters: np.ndarray, logarithmic: np.ndarray) -> np.ndarray:
    """Replace parameters, shape (n, P), by their logarithm where `logarithmic`, shape (P,), is set."""
    parameters = np.asarray(parameters, np.float64)
    return np.where(logarithmic, np.log(np.where(parameters > 0, parameters, np.finfo(float).tiny)), parameters)


def fit_trend(rows: np.ndarray, parameters: np.ndarray, groups: np.ndarray) -> Trend:
    """Fit the mean of a statistic by least squares with equal weight for every simulation.

    Statistics are closer to power laws than to polynomials of the parameters, so parameters that are positive
    everywhere enter as logarithms. The degree is 2 where there are at least twice as many simulations as terms, else 1
    on the same condition, else 0.

    Parameters
    ----------
    rows
        The statistic, one row per map, shape (n, B).
    parameters
        Parameters of each map, shape (n, P).
    groups
        Simulation of each map, shape (n,).
    """
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    means = np.stack([rows[number == n].mean(0) for n in range(len(first))])
    points = np.asarray(parameters, np.float64)[first]
    logarithmic = np.array((points > 0).all(axis=0))
    points = coordinates(points, logarithmic)
    centre, scale = points.mean(0), np.maximum(points.std(0), 1e-12)
    degree = next(d for d in (2, 1, 0) if not d or len(points) >= 2 * _terms(points, d).shape[1])
    terms = _terms((points - centre) / scale, degree)
    return Trend(logarithmic, centre, scale, np.linalg.lstsq(terms, means, rcond=None)[0], degree)


def _terms(x: np.ndarray, degree: int) -> np.ndarray:
    """Polynomial terms 1, x_i and x_i x_j of points (n, P) up to a degree, shape (n, terms)."""
    i, j = np.triu_indices(x.shape[1])
    return np.concatenate([np.ones((len(x), 1)), x, x[:, i] * x[:, j]][: degree + 1], axis=1)
