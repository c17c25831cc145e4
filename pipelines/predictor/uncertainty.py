"""How far the standard deviations that a network states can be believed: coverage in its band, confident errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tenfold.pipelines.reports.digits import figure, measured, number
from tenfold.stats.calibration import coverage_band

LEVELS = {"coverage_68": (0.682689, "1σ", "68"), "coverage_95": (0.95, "1.96σ", "95")}
"""Scores: stated probability, width of the interval, and the percentage in words."""
CONFIDENT = 5.0
"""Standard deviations beyond which an error is one that a Gaussian does not make."""


def check_sigma(
    true: np.ndarray, mean: np.ndarray, sigma: np.ndarray, smiles: Sequence[str], *, confident: float = CONFIDENT
) -> dict[str, Any]:
    """Compare the errors of one target with the standard deviations that were stated.

    Parameters
    ----------
    true, mean, sigma
        Shape (n,), in the target's unit; molecules without a label, NaN, are left out.
    smiles
        The n molecules.
    confident
        Standard deviations beyond which an answer counts as a confident error.

    Returns
    -------
    dict
        ``coverage_68_band``, ``coverage_95_band``: between which fractions lie within 1 and 1.96 sigma for a calibrated
        model (95 %); ``confident_errors``: answers that are more than `CONFIDENT` sigma off; ``worst``: the one with
        the largest error over sigma (``smiles``, ``true``, ``predicted``, ``uncertainty``). None where nothing is
        known.
    """
    known = np.flatnonzero(np.isfinite(true))
    if not len(known):
        return {**{f"{name}_band": None for name in LEVELS}, "confident_errors": 0, "worst": None}
    pull = np.abs(mean[known] - true[known]) / sigma[known]
    row = known[pull.argmax()]
    return {
        **{f"{name}_band": coverage_band(stated, len(known)).tolist() for name, (stated, *_) in LEVELS.items()},
        "confident_errors": int((pull > confident).sum()),
        "worst": {
            "smiles": smiles[row], "true": float(true[row]), "predicted": float(mean[row]),
            "uncertainty": float(sigma[row]),
        },
    }  # fmt: skip


def outside(scores: Mapping[str, Any], name: str) -> int:
    """Whether a coverage lies outside its band: 1 above it, -1 below it, 0 within."""
    found, band = scores[name], scores[f"{name}_band"]
    return 0 if found is None or band is None else int(found > band[1]) - int(found < band[0])


def doubts(targets: Mapping[str, Mapping[str, Any]], named: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Say in sentences what is off with the stated standard deviations; none where nothing is.

    Parameters
    ----------
    targets
        By name: scores, with what `check_sigma` found.
    named
        Molecules that are shown one by one: ``smiles``, and ``properties`` by name with ``gfn2``, ``network`` and
        ``uncertainty``.
    """
    said = []
    for name, (_, width, percent) in LEVELS.items():
        for side, wrong in ((1, "wide"), (-1, "narrow")):
            shares = ", ".join(
                f"{100 * scores[name]:.0f} % for {target.replace('_', ' ')}"
                for target, scores in targets.items() if outside(scores, name) == side
            )  # fmt: skip
            if shares:
                should = f"within {width}, where {percent} % of the answers should lie"
                said.append(f"Stated σ are too {wrong}: {should}, are {shares}.")
    errors = sum(scores["confident_errors"] for scores in targets.values())
    if errors:
        answers = sum(scores["molecules"] for scores in targets.values())
        target, scores = max(targets.items(), key=lambda each: _pull(each[1]["worst"]))
        are = "is" if errors == 1 else "are"
        said.append(
            f"Of {figure(answers)} test answers {figure(errors)} {are} more than {CONFIDENT:g}σ off, where a Gaussian "
            f"has none; the worst: {_worst(target, scores['worst'], scores['unit'])}."
        )
    off = [
        (name, {"smiles": molecule["smiles"], "true": each["gfn2"], "predicted": each["network"],
                "uncertainty": each["uncertainty"]})
        for molecule in named for name, each in molecule["properties"].items()
    ]  # fmt: skip
    off = [(name, each) for name, each in off if _pull(each) > CONFIDENT]
    if off:
        name, worst = max(off, key=lambda each: _pull(each[1]))
        unit = targets[name]["unit"]
        are = "1 answer is" if len(off) == 1 else f"{len(off)} answers are"
        said.append(
            f"Of the molecules calculated by DFT as well, {are} more than {CONFIDENT:g}σ from GFN2's; "
            f"the worst: {_worst(name, worst, unit)}."
        )
    return said


def _pull(answer: Mapping[str, Any] | None) -> float:
    return 0.0 if answer is None else abs(answer["predicted"] - answer["true"]) / answer["uncertainty"]


def _worst(name: str, answer: Mapping[str, Any], unit: str) -> str:
    said = measured(answer["predicted"], answer["uncertainty"])
    true = number(answer["true"], answer["uncertainty"])
    return f"{name.replace('_', ' ')} of {answer['smiles']}, predicted {said}{unit and f' {unit}'}, true {true}"
