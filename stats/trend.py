"""How a statistic changes with cosmology: a smooth trend, to be taken off before cosmologies are compared.

Maps of different cosmologies differ by far more than generated maps may differ from simulated ones. Divided by the
trend, all cosmologies show the same but for their own cosmic variance, and any half of them can stand for the other.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trend:
    """A polynomial in the parameters, or in their logarithms, for each bin.

    Attributes
    ----------
    logarithmic
        Of which parameters the logarithm is taken, shape (P,).
    centre, scale
        Of the parameters, or of their logarithms, shape (P,).
    coefficients
        Shape (terms, B).
    degree
        Of the polynomial: 2, or less where there were few simulations.
    """

    logarithmic: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    degree: int

    def __call__(self, parameters: np.ndarray) -> np.ndarray:
        """Mean of the statistic at parameters (n, P), shape (n, B)."""
        points = coordinates(parameters, self.logarithmic)
        return _terms((points - self.centre) / self.scale, self.degree) @ self.coefficients


def coordinates(parameters: np.ndarray, logarithmic: np.ndarray) -> np.ndarray:
    """Parameters (n, P), of those that are `logarithmic` (P,) the logarithm."""
    parameters = np.asarray(parameters, np.float64)
    return np.where(logarithmic, np.log(np.where(parameters > 0, parameters, np.finfo(float).tiny)), parameters)


def fit_trend(rows: np.ndarray, parameters: np.ndarray, groups: np.ndarray) -> Trend:
    """Fit a statistic's mean by least squares, every simulation counting once.

    Statistics follow powers of the parameters more nearly than the parameters: of those that are above 0 everywhere,
    the logarithm is what the polynomial is in. It is of second degree where there are twice as many simulations as it
    has terms, else of the first, else constant.

    Parameters
    ----------
    rows
        The statistic, a row per map, shape (n, B).
    parameters
        Of each map, shape (n, P).
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
    """1, x_i and x_i x_j of points (n, P), up to a degree: shape (n, terms)."""
    i, j = np.triu_indices(x.shape[1])
    return np.concatenate([np.ones((len(x), 1)), x, x[:, i] * x[:, j]][: degree + 1], axis=1)
