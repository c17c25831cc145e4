"""Calibrated probabilities of several classes: one temperature for all (Guo et al. 2017, arXiv:1706.04599)."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

FEWEST = 10
"""Labels that a temperature is fitted to; with fewer the probabilities stay as they are."""
LARGEST = 20.0
"""Largest slope, where the classes are always told apart."""


def inverse_temperature(logits: ArrayLike, label: ArrayLike) -> float:
    """Fit p = softmax(a · logits) to labels, by maximum likelihood.

    Parameters
    ----------
    logits
        Scores of K classes, shape (n, K).
    label
        Codes 0 to K − 1 of the true classes, shape (n,).

    Returns
    -------
    float
        Slope a, between 0 and `LARGEST`, so that the order of the classes stays; 1 where there are fewer than `FEWEST`
        labels, or all are of one class.

    Notes
    -----
    A label counts as (n + 1)/(n + K) for its own class and as 1/(n + K) for each other, which keeps the slope finite
    where the scores tell all classes apart, as Platt's counts do for two.
    """
    scores, codes = np.asarray(logits, np.float64), np.asarray(label).astype(int)
    if len(codes) < FEWEST or len(np.unique(codes)) < 2:
        return 1.0
    wanted = np.eye(scores.shape[1])[codes]
    wanted = (len(codes) * wanted + 1) / (len(codes) + scores.shape[1])

    def cost(slope: float) -> float:
        return float(-(wanted * log_softmax(slope * scores, axis=1)).sum(axis=1).mean())

    return float(minimize_scalar(cost, bounds=(0.0, LARGEST), method="bounded", options={"xatol": 1e-6}).x)
