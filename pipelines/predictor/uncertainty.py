"""Calibration of predicted standard deviations: coverage within its expected band, and outliers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tenfold.pipelines.reports.digits import format_number, format_value, format_with_uncertainty
from tenfold.stats.calibration import coverage_band

COVERAGES = {"coverage_68": (0.682689, "1σ", "68"), "coverage_95": (0.95, "1.96σ", "95")}
"""Coverage scores: nominal probability, half-width of the interval, and percentage as text."""
OUTLIER_SIGMA = 5.0
"""Standard deviations beyond which an error is an outlier."""


def assess_uncertainty(
    true: np.ndarray, mean: np.ndarray, sigma: np.ndarray, smiles: Sequence[str], *, threshold: float = OUTLIER_SIGMA
) -> dict[str, Any]:
    """Compare the errors of one target with the predicted standard deviations.

    Parameters
    ----------
    true, mean, sigma
        Labels, predicted values and standard deviations, shape (n,), in the target's unit; molecules without a label
        (NaN) are omitted.
    smiles
        SMILES of the n molecules.
    threshold
        Standard deviations beyond which an error is an outlier.

    Returns
    -------
    dict
        ``coverage_68_band`` and ``coverage_95_band``: 95 % band of the fraction within 1 and 1.96 sigma for a
        calibrated model. ``outliers``: number of errors beyond ``threshold`` sigma. ``worst_outlier``: the molecule
        with the largest error in units of sigma (``smiles``, ``true``, ``predicted``, ``uncertainty``). Without labels,
        the bands and the molecule are None.
    """
    known = np.flatnonzero(np.isfinite(true))
    if not len(known):
        return {**{f"{name}_band": None for name in COVERAGES}, "outliers": 0, "worst_outlier": None}
    pull = np.abs(mean[known] - true[known]) / sigma[known]
    row = known[pull.argmax()]
    return {
        **{f"{name}_band": coverage_band(nominal, len(known)).tolist() for name, (nominal, *_) in COVERAGES.items()},
        "outliers": int((pull > threshold).sum()),
        "worst_outlier": {
            "smiles": smiles[row], "true": float(true[row]), "predicted": float(mean[row]),
            "uncertainty": float(sigma[row]),
        },
    }  # fmt: skip


def coverage_deviation(scores: Mapping[str, Any], name: str) -> int:
    """Return 1 for a coverage above its band, −1 for one below, and 0 for one within."""
    coverage, band = scores[name], scores[f"{name}_band"]
    return 0 if coverage is None or band is None else int(coverage > band[1]) - int(coverage < band[0])


def calibration_warnings(
    targets: Mapping[str, Mapping[str, Any]], dft_molecules: Sequence[Mapping[str, Any]] = ()
) -> list[str]:
    """Return a sentence for each problem of the predicted standard deviations.

    Parameters
    ----------
    targets
        Scores by target, including those of `assess_uncertainty`.
    dft_molecules
        Molecules of the DFT comparison: ``smiles``, and ``properties`` by name with ``gfn2``, ``network`` and
        ``uncertainty``.
    """
    sentences = []
    for name, (_, width, percent) in COVERAGES.items():
        for side, problem in ((1, "large"), (-1, "small")):
            coverages = ", ".join(
                f"{100 * scores[name]:.0f} % for {target.replace('_', ' ')}"
                for target, scores in targets.items() if coverage_deviation(scores, name) == side
            )  # fmt: skip
            if coverages:
                sentences.append(
                    f"Predicted σ are too {problem}: the coverage within {width} is {coverages}; expected {percent} %."
                )
    outliers = sum(scores["outliers"] for scores in targets.values())
    if outliers:
        predictions = sum(scores["molecules"] for scores in targets.values())
        target, scores = max(targets.items(), key=lambda item: _pull(item[1]["worst_outlier"]))
        verb = "is" if outliers == 1 else "are"
        sentences.append(
            f"{format_number(outliers)} of {format_number(predictions)} test predictions {verb} off by more than "
            f"{OUTLIER_SIGMA:g}σ; "
            "none is expected for Gaussian errors. "
            f"The worst: {_describe_outlier(target, scores['worst_outlier'], scores['unit'])}."
        )
    dft_predictions = [
        (name, {"smiles": molecule["smiles"], "true": values["gfn2"], "predicted": values["network"],
                "uncertainty": values["uncertainty"]})
        for molecule in dft_molecules for name, values in molecule["properties"].items()
    ]  # fmt: skip
    dft_outliers = [(name, prediction) for name, prediction in dft_predictions if _pull(prediction) > OUTLIER_SIGMA]
    if dft_outliers:
        name, worst = max(dft_outliers, key=lambda item: _pull(item[1]))
        count = "1 prediction differs" if len(dft_outliers) == 1 else f"{len(dft_outliers)} predictions differ"
        sentences.append(
            f"For the molecules with DFT calculations, {count} from GFN2 by more than {OUTLIER_SIGMA:g}σ. "
            f"The worst: {_describe_outlier(name, worst, targets[name]['unit'])}."
        )
    return sentences


def _pull(prediction: Mapping[str, Any] | None) -> float:
    """Return the absolute error in units of the predicted standard deviation."""
    if prediction is None:
        return 0.0
    return abs(prediction["predicted"] - prediction["true"]) / prediction["uncertainty"]


def _describe_outlier(name: str, prediction: Mapping[str, Any], unit: str) -> str:
    predicted = format_with_uncertainty(prediction["predicted"], prediction["uncertainty"])
    true = format_value(prediction["true"], prediction["uncertainty"])
    return (
        f"{name.replace('_', ' ')} of {prediction['smiles']}, predicted {predicted}{unit and f' {unit}'}, true {true}"
    )
