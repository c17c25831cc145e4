"""How good predictions of molecular properties are, with intervals: errors of numbers, rankings of classes."""

from collections.abc import Callable
from typing import Any

import numpy as np
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
