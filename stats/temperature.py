"""Temperature scaling of multi-class probabilities (Guo et al. 2017, arXiv:1706.04599)."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

MIN_LABELS = 10
"""Smallest number of labels to which a temperature is fitted. With fewer, probabilities are left unchanged."""
MAX_SLOPE = 20.0
"""Largest slope, reached where the scores separate all classes."""


def inverse_temperature(logits: ArrayLike, label: ArrayLike) -> float:
    """Fit p = softmax(a · logits) to labels, by maximum likelihood.

    Parameters
    ----------
    logits
        Scores (logits) of K classes, shape (n, K).
    label
        True classes, coded 0 to K − 1, shape (n,).

    Returns
    -------
    float
        Slope a (inverse temperature) between 0 and `MAX_SLOPE`, so that the order of the classes is preserved; 1 where
        there are fewer than `MIN_LABELS` labels, or only one class.

    Notes
    -----
    The target is (n + 1)/(n + K) for the true class and 1/(n + K) for each other class. This keeps the slope finite
    where the scores separate all classes, as Platt's targets do for two.
    """
    scores, codes = np.asarray(logits, np.float64), np.asarray(label).astype(int)
    if len(codes) < MIN_LABELS or len(np.unique(codes)) < 2:
        return 1.0
    target = np.eye(scores.shape[1])[codes]
    target = (len(codes) * target + 1) / (len(codes) + scores.shape[1])

    def cost(slope: float) -> float:
        return float(-(target * log_softmax(slope * scores, axis=1)).sum(axis=1).mean())

    return float(minimize_scalar(cost, bounds=(0.0, MAX_SLOPE), method="bounded", options={"xatol": 1e-6}).x)
