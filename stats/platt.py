"""Calibrated class probabilities by a logistic curve through a classifier's scores (Platt 1999)."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit, log_expit

MIN_LABELS = 10
"""Smallest number of labels of each class to which a curve is fitted. With fewer, scores are left unchanged."""


def platt(logit: ArrayLike, label: ArrayLike) -> tuple[float, float]:
    """Fit p = 1 / (1 + exp(-(a logit + b))) to labels, by maximum likelihood.

    Parameters
    ----------
    logit
        Classifier scores (logits), shape (n,).
    label
        True class, 0 or 1, shape (n,).

    Returns
    -------
    a, b
        Slope, never negative, so that the order of the scores is preserved, and offset. (1, 0) where either class has
        fewer than `MIN_LABELS` labels.

    Notes
    -----
    The targets are (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2), as in Platt (1999), which keeps the slope finite where the scores
    separate the classes.
    """
    score, positive = np.asarray(logit, np.float64), np.asarray(label) > 0.5
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if min(ones, zeros) < MIN_LABELS:
        return 1.0, 0.0
    target = np.where(positive, (ones + 1) / (ones + 2), 1 / (zeros + 2))

    def cost(curve: np.ndarray) -> tuple[float, np.ndarray]:
        z = curve[0] * score + curve[1]
        residual = expit(z) - target
        return float(-(target * log_expit(z) + (1 - target) * log_expit(-z)).mean()), np.array(
            [(residual * score).mean(), residual.mean()]
        )

    fit = minimize(cost, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    return float(fit.x[0]), float(fit.x[1])
