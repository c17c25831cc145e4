"""How good predictions of molecular properties are, with intervals: errors of numbers, rankings of classes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from tenfold.pipelines.molecules.properties import chemical_accuracy

DRAWS = 1000
LEVEL = 0.95


def score_regression(
    true: np.ndarray, mean: np.ndarray, sigma: np.ndarray, *, name: str, unit: str, seed: int = 0, draws: int = DRAWS
) -> dict[str, Any]:
    """Score predicted numbers of one target.

    Parameters
    ----------
    true, mean, sigma
        Shape (n,), in ``unit``; molecules without a label, NaN, are left out.
    name, unit
        Of the target: where chemistry has an accuracy for it, the error is also told in units of that.
    seed, draws
        Of the bootstrap over molecules.

    Returns
    -------
    dict
        ``mae``, ``rmse``, ``r2``, each with ``_low`` and ``_high`` (95 %); ``error_ratio``, the mean absolute error
        over chemical accuracy, None where that is not defined; ``coverage_68``, ``coverage_95``, the fractions of
        molecules within 1 and 1.96 sigma; ``unit``, ``molecules``.
    """
    known = np.isfinite(true)
    true, mean, sigma = true[known], mean[known], sigma[known]
    error = mean - true
    found: dict[str, Any] = {"unit": unit, "molecules": len(true)}
    figures: dict[str, Callable[[np.ndarray], float]] = {
        "mae": lambda rows: float(np.abs(error[rows]).mean()),
        "rmse": lambda rows: float(np.sqrt(np.square(error[rows]).mean())),
        "r2": lambda rows: 1 - float(np.square(error[rows]).mean() / max(true[rows].var(), 1e-30)),
    }
    found |= _intervals(figures, len(true), seed, draws)
    accuracy = chemical_accuracy(name, unit)
    found["error_ratio"] = found["mae"] / accuracy if accuracy and len(true) else None
    for label, width in (("coverage_68", 1.0), ("coverage_95", 1.959964)):
        found[label] = float((np.abs(error) <= width * sigma).mean()) if len(true) else None
    return found


def score_classes(true: np.ndarray, probability: np.ndarray, *, seed: int = 0, draws: int = DRAWS) -> dict[str, Any]:
    """Score predicted probabilities of one class.

    Parameters
    ----------
    true
        0 or 1, shape (n,); molecules without a label, NaN, are left out.
    probability
        Of 1, shape (n,).
    seed, draws
        Of the bootstrap over molecules.

    Returns
    -------
    dict
        ``roc_auc``, ``pr_auc``, ``brier``, each with ``_low`` and ``_high`` (95 %), None where the labels are all the
        same; ``positives``, ``molecules``.
    """
    known = np.isfinite(true)
    labels, probability = true[known] > 0.5, probability[known]
    found: dict[str, Any] = {"molecules": len(labels), "positives": int(labels.sum())}
    figures: dict[str, Callable[[np.ndarray], float]] = {
        "roc_auc": lambda rows: float(roc_auc_score(labels[rows], probability[rows])),
        "pr_auc": lambda rows: float(average_precision_score(labels[rows], probability[rows])),
        "brier": lambda rows: float(np.square(probability[rows] - labels[rows]).mean()),
    }
    both = 0 < labels.sum() < len(labels)
    return found | _intervals(
        figures, len(labels) if both else 0, seed, draws, lambda rows: 0 < labels[rows].mean() < 1
    )


def score_multiclass(
    true: np.ndarray, probability: np.ndarray, classes: Sequence[str], *, seed: int = 0, draws: int = DRAWS
) -> dict[str, Any]:
    """Score predicted probabilities of several classes.

    Parameters
    ----------
    true
        Codes 0 to K - 1, shape (n,); molecules without a label, NaN, are left out.
    probability
        Of each class, shape (n, K).
    classes
        Names of the K classes.
    seed, draws
        Of the bootstrap over molecules.

    Returns
    -------
    dict
        Each with ``_low`` and ``_high`` (95 %), None where the labels are all the same: ``roc_auc`` and ``pr_auc``, of
        each class against the rest, averaged over the classes that the labels have; ``brier``, the squared error summed
        over classes (of two classes twice `score_classes`'s); ``log_loss`` [nat]; ``accuracy`` of the most probable
        class. ``class_counts``, the molecules of each class; ``molecules``.
    """
    known = np.isfinite(true)
    codes, probability = true[known].astype(int), probability[known]
    labels = np.eye(len(classes), dtype=bool)[codes]
    squared = np.square(probability - labels).sum(axis=1)
    surprise = -np.log(np.maximum(probability[np.arange(len(codes)), codes], 1e-12))
    right = probability.argmax(axis=1) == codes
    figures: dict[str, Callable[[np.ndarray], float]] = {
        "roc_auc": lambda rows: _macro(roc_auc, labels[rows], probability[rows]),
        "pr_auc": lambda rows: _macro(average_precision, labels[rows], probability[rows]),
        "brier": lambda rows: float(squared[rows].mean()),
        "log_loss": lambda rows: float(surprise[rows].mean()),
        "accuracy": lambda rows: float(right[rows].mean()),
    }

    def differ(rows: np.ndarray) -> bool:
        return len(codes) > 0 and bool((codes[rows] != codes[rows[0]]).any())

    counts = {name: int(count) for name, count in zip(classes, labels.sum(axis=0), strict=True)}
    found: dict[str, Any] = {"molecules": len(codes), "class_counts": counts}
    several = differ(np.arange(len(codes)))
    return found | _intervals(figures, len(codes) if several else 0, seed, draws, differ)


def roc_auc(label: np.ndarray, score: np.ndarray) -> float:
    """Return the area under the ROC curve of scores (n,) for true or false labels (n,), of which there are both."""
    positives = int(label.sum())
    ranks = rankdata(score)[label].sum() - positives * (positives + 1) / 2
    return float(ranks / (positives * (len(label) - positives)))


def average_precision(label: np.ndarray, score: np.ndarray) -> float:
    """Return the mean precision at the scores of the positives: scores (n,), true or false labels (n,)."""
    order = np.argsort(-score, kind="stable")
    last = np.searchsorted(-score[order], -score[order], side="right")  # of those with the same score
    hits = np.cumsum(label[order])
    return float((hits[last - 1] / last)[label[order]].mean())


def _macro(figure: Callable[[np.ndarray, np.ndarray], float], labels: np.ndarray, probability: np.ndarray) -> float:
    """Mean of a figure of each class against the rest, over the classes that are there: (n, K) each."""
    there = np.flatnonzero(labels.any(axis=0) & ~labels.all(axis=0))
    return float(np.mean([figure(labels[:, each], probability[:, each]) for each in there]))


def _intervals(
    figures: dict[str, Callable[[np.ndarray], float]],
    count: int,
    seed: int,
    draws: int,
    usable: Callable[[np.ndarray], bool] = lambda rows: True,
) -> dict[str, float | None]:
    """Return every figure and the ends of its percentile interval; None where there are no molecules."""
    if not count:
        return {f"{name}{end}": None for name in figures for end in ("", "_low", "_high")}
    generator = np.random.default_rng(seed)
    rows = [rows for rows in generator.integers(0, count, (draws, count)) if usable(rows)]
    found: dict[str, float | None] = {}
    for name, figure in figures.items():
        low, high = np.quantile([figure(drawn) for drawn in rows], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found |= {name: figure(np.arange(count)), f"{name}_low": float(low), f"{name}_high": float(high)}
    return found
