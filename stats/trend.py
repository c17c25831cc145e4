"""How a statistic changes with cosmology: a smooth trend, to be taken off before cosmologies are compared.

Maps of different cosmologies differ by far more than generated maps may differ from simulated ones. Divided by the
trend, all cosmologies show the same but for their own cosmic variance, and any half of them can stand for the other.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trend:
    """A polynomial of second degree in the parameters, for each bin.

    Attributes
    ----------
    centre, scale
        Of the parameters, shape (P,).
    coefficients
        Shape (terms, B).
    """

    centre: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray

    def __call__(self, parameters: np.ndarray) -> np.ndarray:
        """Mean of the statistic at parameters (n, P), shape (n, B)."""
        return _terms((parameters - self.centre) / self.scale) @ self.coefficients


def fit_trend(rows: np.ndarray, parameters: np.ndarray, groups: np.ndarray) -> Trend:
    """Fit a statistic's mean by least squares, every simulation counting once.

    Parameters
    ----------
    rows
        The statistic, a row per map, shape (n, B).
    parameters
        Of each map, shape (n, P).
    groups
        Simulation of each map, shape (n,).

    Raises
    ------
    ValueError
        There are fewer simulations than twice the polynomial's terms.
    """
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    means = np.stack([rows[number == n].mean(0) for n in range(len(first))])
    points = np.asarray(parameters, np.float64)[first]
    centre, scale = points.mean(0), np.maximum(points.std(0), 1e-12)
    terms = _terms((points - centre) / scale)
    if len(points) < 2 * terms.shape[1]:
        wanted = 2 * terms.shape[1]
        raise ValueError(f"a trend in {points.shape[1]} parameters needs {wanted} simulations, found {len(points)}")
    return Trend(centre, scale, np.linalg.lstsq(terms, means, rcond=None)[0])


def _terms(x: np.ndarray) -> np.ndarray:
    """1, x_i and x_i x_j of points (n, P), shape (n, terms)."""
    i, j = np.triu_indices(x.shape[1])
    return np.concatenate([np.ones((len(x), 1)), x, x[:, i] * x[:, j]], axis=1)
