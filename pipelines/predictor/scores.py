"""Scores of predicted molecular properties with bootstrap intervals, for regression and classification."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from tenfold.pipelines.molecules.properties import chemical_accuracy

BOOTSTRAP_DRAWS = 1000
CONFIDENCE_LEVEL = 0.95


def score_regression(
    true: np.ndarray,
    mean: np.ndarray,
    sigma: np.ndarray,
    *,
    name: str,
    unit: str,
    seed: int = 0,
    draws: int = BOOTSTRAP_DRAWS,
) -> dict[str, Any]:
    """Score the predicted values of one regression target.

    Parameters
    ----------
    true, mean, sigma
        Labels, predicted values and standard deviations, shape (n,), in ``unit``; molecules without a label (NaN) are
        omitted.
    name, unit
        Name and unit of the target, by which its chemical accuracy is looked up.
    seed, draws
        Seed and number of resamples of the bootstrap over molecules.

    Returns
    -------
    dict
        ``mae``, ``rmse`` and ``r2``, each with ``_low`` and ``_high`` (95 %); ``error_ratio``, the mean absolute error
        divided by chemical accuracy (Gilmer et al. 2017, arXiv:1704.01212), None where that is not defined;
        ``coverage_68`` and ``coverage_95``, the fractions of molecules within 1 and 1.96 sigma; ``unit``;
        ``molecules``.
    """
    known = np.isfinite(true)
    true, mean, sigma = true[known], mean[known], sigma[known]
    error = mean - true
    scores: dict[str, Any] = {"unit": unit, "molecules": len(true)}
    functions: dict[str, Callable[[np.ndarray], float]] = {
        "mae": lambda rows: float(np.abs(error[rows]).mean()),
        "rmse": lambda rows: float(np.sqrt(np.square(error[rows]).mean())),
        "r2": lambda rows: 1 - float(np.square(error[rows]).mean() / max(true[rows].var(), 1e-30)),
    }
    scores |= _intervals(functions, len(true), seed, draws)
    accuracy = chemical_accuracy(name, unit)
    scores["error_ratio"] = scores["mae"] / accuracy if accuracy and len(true) else None
    for label, width in (("coverage_68", 1.0), ("coverage_95", 1.959964)):
        scores[label] = float((np.abs(error) <= width * sigma).mean()) if len(true) else None
    return scores


def score_binary(
    true: np.ndarray, probability: np.ndarray, *, seed: int = 0, draws: int = BOOTSTRAP_DRAWS
) -> dict[str, Any]:
    """Score the predicted probabilities of a binary target.

    Parameters
    ----------
    true
        Labels 0 or 1, shape (n,); molecules without a label (NaN) are omitted.
    probability
        Probability of class 1, shape (n,).
    seed, draws
        Seed and number of resamples of the bootstrap over molecules.

    Returns
    -------
    dict
        ``roc_auc``, ``pr_auc`` and ``brier``, each with ``_low`` and ``_high`` (95 %), None if all labels are equal;
        ``positives``; ``molecules``.
    """
    known = np.isfinite(true)
    labels, probability = true[known] > 0.5, probability[known]
    scores: dict[str, Any] = {"molecules": len(labels), "positives": int(labels.sum())}
    functions: dict[str, Callable[[np.ndarray], float]] = {
        "roc_auc": lambda rows: float(roc_auc_score(labels[rows], probability[rows])),
        "pr_auc": lambda rows: float(average_precision_score(labels[rows], probability[rows])),
        "brier": lambda rows: float(np.square(probability[rows] - labels[rows]).mean()),
    }
    both = 0 < labels.sum() < len(labels)
    return scores | _intervals(
        functions, len(labels) if both else 0, seed, draws, lambda rows: 0 < labels[rows].mean() < 1
    )


def score_multiclass(
    true: np.ndarray, probability: np.ndarray, classes: Sequence[str], *, seed: int = 0, draws: int = BOOTSTRAP_DRAWS
) -> dict[str, Any]:
    """Score the predicted class probabilities of a multi-class target.

    Parameters
    ----------
    true
        Class codes 0 to K − 1, shape (n,); molecules without a label (NaN) are omitted.
    probability
        Probability of each class, shape (n, K).
    classes
        Names of the K classes.
    seed, draws
        Seed and number of resamples of the bootstrap over molecules.

    Returns
    -------
    dict
        Each with ``_low`` and ``_high`` (95 %), None if all labels are equal: ``roc_auc`` and ``pr_auc``, one-vs-rest,
        averaged over the classes that occur; ``brier``, the squared error summed over classes (for two classes twice
        that of `score_binary`); ``log_loss`` [nat]; ``accuracy`` of the most probable class. Also ``class_counts``, the
        number of molecules of each class, and ``molecules``.
    """
    known = np.isfinite(true)
    codes, probability = true[known].astype(int), probability[known]
    labels = np.eye(len(classes), dtype=bool)[codes]
    squared = np.square(probability - labels).sum(axis=1)
    negative_log = -np.log(np.maximum(probability[np.arange(len(codes)), codes], 1e-12))
    correct = probability.argmax(axis=1) == codes
    functions: dict[str, Callable[[np.ndarray], float]] = {
        "roc_auc": lambda rows: _macro(roc_auc, labels[rows], probability[rows]),
        "pr_auc": lambda rows: _macro(average_precision, labels[rows], probability[rows]),
        "brier": lambda rows: float(squared[rows].mean()),
        "log_loss": lambda rows: float(negative_log[rows].mean()),
        "accuracy": lambda rows: float(correct[rows].mean()),
    }

    def not_all_equal(rows: np.ndarray) -> bool:
        return len(codes) > 0 and bool((codes[rows] != codes[rows[0]]).any())

    counts = {name: int(count) for name, count in zip(classes, labels.sum(axis=0), strict=True)}
    scores: dict[str, Any] = {"molecules": len(codes), "class_counts": counts}
    usable = not_all_equal(np.arange(len(codes)))
    return scores | _intervals(functions, len(codes) if usable else 0, seed, draws, not_all_equal)


def roc_auc(label: np.ndarray, score: np.ndarray) -> float:
    """Return the area under the ROC curve of scores (n,) for boolean labels (n,), of which both values occur."""
    positives = int(label.sum())
    ranks = rankdata(score)[label].sum() - positives * (positives + 1) / 2
    return float(ranks / (positives * (len(label) - positives)))


def average_precision(label: np.ndarray, score: np.ndarray) -> float:
    """Return the average precision of scores (n,) for boolean labels (n,)."""
    order = np.argsort(-score, kind="stable")
    last = np.searchsorted(-score[order], -score[order], side="right")  # last rank among equal scores
    hits = np.cumsum(label[order])
    return float((hits[last - 1] / last)[label[order]].mean())


def _macro(score: Callable[[np.ndarray, np.ndarray], float], labels: np.ndarray, probability: np.ndarray) -> float:
    """Return the one-vs-rest macro average of a score over the classes that occur: arrays of shape (n, K)."""
    present = np.flatnonzero(labels.any(axis=0) & ~labels.all(axis=0))
    return float(np.mean([score(labels[:, k], probability[:, k]) for k in present]))


def _intervals(
    functions: dict[str, Callable[[np.ndarray], float]],
    count: int,
    seed: int,
    draws: int,
    usable: Callable[[np.ndarray], bool] = lambda rows: True,
) -> dict[str, float | None]:
    """Return every score with the ends of its percentile interval; None if there are no molecules."""
    if not count:
        return {f"{name}{end}": None for name in functions for end in ("", "_low", "_high")}
    generator = np.random.default_rng(seed)
    rows = [rows for rows in generator.integers(0, count, (draws, count)) if usable(rows)]
    scores: dict[str, float | None] = {}
    for name, function in functions.items():
        low, high = np.quantile(
            [function(resample) for resample in rows], [(1 - CONFIDENCE_LEVEL) / 2, (1 + CONFIDENCE_LEVEL) / 2]
        )
        scores |= {name: function(np.arange(count)), f"{name}_low": float(low), f"{name}_high": float(high)}
    return scores
