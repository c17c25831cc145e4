"""Probabilities of classes: an ensemble's logits joined and calibrated."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, log_softmax, logit, softmax

SMALLEST = 1e-12
"""Probability that is not told from 0."""


def joined_logit(outputs: np.ndarray) -> np.ndarray:
    """Logit of the members' mean probability: (n, T, M, 1) to (n, T)."""
    return logit(np.clip(expit(outputs[..., 0].astype(np.float64)).mean(-1), SMALLEST, 1 - SMALLEST))


def joined_logits(outputs: np.ndarray) -> np.ndarray:
    """Logarithm of the members' mean probability of each class: (n, T, M, C) to (n, T, C)."""
    members = softmax(outputs.astype(np.float64), axis=-1)
    return np.log(np.clip(members.mean(axis=-2), SMALLEST, 1.0))


def positive_logit(outputs: np.ndarray) -> np.ndarray:
    """Logit of the second class of two, by any network of classes: (n, T, M, 1 or C) to (n, T)."""
    if outputs.shape[-1] == 1:
        return joined_logit(outputs)
    logits = joined_logits(outputs)
    return logits[..., 1] - logits[..., 0]


def probabilities(outputs: np.ndarray, counts: Sequence[int], calibration: np.ndarray) -> np.ndarray:
    """Return the calibrated probability of each class.

    Parameters
    ----------
    outputs
        Logits of the network, shape (n, T, M, 1) where every target has two classes, else (n, T, M, C).
    counts
        Classes of each target, T values.
    calibration
        Shape (T, 2). Of two classes (a, b): the logit of the second becomes a · logit + b. Of more (a, 0): the
        logarithms of the probabilities are multiplied by a.

    Returns
    -------
    np.ndarray
        Shape (n, T, largest number of classes), 0 for classes that a target does not have.
    """
    found = np.zeros((len(outputs), len(counts), max(counts)))
    positive = expit(calibration[:, 0] * positive_logit(outputs) + calibration[:, 1])
    logits = joined_logits(outputs) if max(counts) > 2 else None
    for t, count in enumerate(counts):
        if logits is None or count == 2:
            found[:, t, 0], found[:, t, 1] = 1 - positive[:, t], positive[:, t]
        else:
            found[:, t, :count] = np.exp(log_softmax(calibration[t, 0] * logits[:, t, :count], axis=-1))
    return found


def values(probability: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Return the probability p that stands for a molecule, and sqrt(p (1 − p)): (n, T, C) to (n, T, 2).

    Of two classes it is that of the second, of more that of the most probable one.
    """
    chosen = np.where(np.array(counts) == 2, probability[..., 1], probability.max(axis=-1))
    return np.stack([chosen, np.sqrt(chosen * (1 - chosen))], axis=-1)
