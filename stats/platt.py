"""Probabilities that are what they say: a logistic curve through a classifier's scores (Platt 1999)."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit, log_expit

FEWEST = 10
"""Labels of each kind that a curve is fitted to; with fewer the scores stay as they are."""


def platt(logit: ArrayLike, label: ArrayLike) -> tuple[float, float]:
    """Fit p = 1 / (1 + exp(-(a logit + b))) to labels, by maximum likelihood.

    Parameters
    ----------
    logit
        Scores, shape (n,).
    label
        0 or 1, shape (n,).

    Returns
    -------
    a, b
        Slope, never negative, so that the order of the scores stays; and offset. (1, 0) where either label is there
        fewer than `FEWEST` times.

    Notes
    -----
    Labels count as (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2), as Platt has it, which keeps the slope finite where the scores
    separate the labels.
    """
    score, positive = np.asarray(logit, np.float64), np.asarray(label) > 0.5
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if min(ones, zeros) < FEWEST:
        return 1.0, 0.0
    wanted = np.where(positive, (ones + 1) / (ones + 2), 1 / (zeros + 2))

    def cost(curve: np.ndarray) -> tuple[float, np.ndarray]:
        z = curve[0] * score + curve[1]
        off = expit(z) - wanted
        return float(-(wanted * log_expit(z) + (1 - wanted) * log_expit(-z)).mean()), np.array(
            [(off * score).mean(), off.mean()]
        )

    found = minimize(cost, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    return float(found.x[0]), float(found.x[1])
