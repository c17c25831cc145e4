"""Class probabilities from the logits of an ensemble, combined and calibrated."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, log_softmax, logit, softmax

SMALLEST_PROBABILITY = 1e-12
"""Lower bound of a probability, so that its logarithm is finite."""


def ensemble_logit(outputs: np.ndarray) -> np.ndarray:
    """Return the logit of the members' mean probability: shape (n, T, M, 1) to (n, T)."""
    probability = expit(outputs[..., 0].astype(np.float64)).mean(-1)
    return logit(np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))


def ensemble_log_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return the logarithm of the members' mean probability of each class: shape (n, T, M, C) to (n, T, C)."""
    members = softmax(outputs.astype(np.float64), axis=-1)
    return np.log(np.clip(members.mean(axis=-2), SMALLEST_PROBABILITY, 1.0))


def positive_logit(outputs: np.ndarray) -> np.ndarray:
    """Return the logit of the second of two classes: shape (n, T, M, 1 or C) to (n, T)."""
    if outputs.shape[-1] == 1:
        return ensemble_logit(outputs)
    log_probabilities = ensemble_log_probabilities(outputs)
    return log_probabilities[..., 1] - log_probabilities[..., 0]


def class_probabilities(outputs: np.ndarray, counts: Sequence[int], calibration: np.ndarray) -> np.ndarray:
    """Return the calibrated probability of each class.

    Parameters
    ----------
    outputs
        Logits of the network: shape (n, T, M, 1) where every target has two classes, else (n, T, M, C).
    counts
        Number of classes of each of the T targets.
    calibration
        Shape (T, 2). Two classes, (a, b): the logit of the second class becomes a · logit + b (Platt scaling). More
        classes, (a, 0): the log-probabilities are multiplied by the inverse temperature a.

    Returns
    -------
    ndarray
        Shape (n, T, largest number of classes); 0 for classes that a target does not have.
    """
    probabilities = np.zeros((len(outputs), len(counts), max(counts)))
    positive = expit(calibration[:, 0] * positive_logit(outputs) + calibration[:, 1])
    log_probabilities = ensemble_log_probabilities(outputs) if max(counts) > 2 else None
    for t, count in enumerate(counts):
        if log_probabilities is None or count == 2:
            probabilities[:, t, 0], probabilities[:, t, 1] = 1 - positive[:, t], positive[:, t]
        else:
            scaled = calibration[t, 0] * log_probabilities[:, t, :count]
            probabilities[:, t, :count] = np.exp(log_softmax(scaled, axis=-1))
    return probabilities


def value_and_uncertainty(probability: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Reduce class probabilities to one probability p and sqrt(p (1 − p)).

    Parameters
    ----------
    probability
        Probability of each class, shape (n, T, C).
    counts
        Number of classes of each of the T targets.

    Returns
    -------
    ndarray
        p and sqrt(p (1 − p)), shape (n, T, 2). p is the probability of the second of two classes, or of the most
        probable of more.
    """
    p = np.where(np.array(counts) == 2, probability[..., 1], probability.max(axis=-1))
    return np.stack([p, np.sqrt(p * (1 - p))], axis=-1)
