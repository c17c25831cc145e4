"""HTML report of a training on molecules: figures, tables, and statements supported by the intervals."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem, rdBase

from tenfold.emulators.attributions import integrated_gradients
from tenfold.pipelines.molecules.manifest import MoleculeManifest
from tenfold.pipelines.predictor import figures
from tenfold.pipelines.predictor.drawings import draw_molecules
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.predictor.uncertainty import calibration_warnings, coverage_deviation
from tenfold.pipelines.reports.digits import format_interval, format_number, format_value, format_with_uncertainty
from tenfold.pipelines.reports.figures import EmbeddedFigure, loss
from tenfold.pipelines.reports.html import flatten, write_page
from tenfold.pipelines.training.run_folder import RunFolder

BASELINE_LABELS = {"random_forest": "random forest", "training_mean": "training mean"}
WORST_SHOWN = 4
"""Molecules with the largest errors that are drawn for each target."""
REJECTED_SHOWN = 10
"""Rejected rows that are listed."""
PATH_STEPS = 16
"""Points along the path of integrated gradients."""


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Test predictions with their labels, from which a report is made."""

    run: Path
    predictor: MoleculePredictor
    truth: np.ndarray
    """Labels of the n test molecules, NaN where missing, shape (n, T)."""
    predicted: np.ndarray
    """Value and standard deviation, shape (n, T, 2); for classes see `MoleculePredictor.values`."""
    probability: np.ndarray | None
    """Class probabilities, shape (n, T, C), if any target has more than two classes."""
    similarity: np.ndarray
    """Tanimoto similarity to the nearest training molecule, shape (n,)."""
    smiles: list[str]
    manifest: MoleculeManifest
    data: Path


def write_report(path: Path, metrics: Mapping[str, Any], test: ReportData) -> None:
    """Write the HTML file of the report atomically, from metrics collected by `tenfold.pipelines.predictor.validate`.

    Parameters
    ----------
    test
        Predictions of the test split.
    """
    config = test.predictor.config
    regression = config.kind == "regression"
    history = RunFolder(test.run).read_history()
    write_page(
        path,
        "molecules.html.j2",
        filters={
            "format_number": format_number,
            "with_interval": with_interval,
            "format_with_uncertainty": format_with_uncertainty,
            "format_value": format_value,
            "coverage_deviation": coverage_deviation,
        },
        metrics=metrics,
        regression=regression,
        multiclass=config.multiclass,
        headline=headline(metrics, regression),
        warnings=calibration_warnings(metrics["targets"], metrics["dft_comparison"]) if regression else [],
        scores=("mae", "rmse", "r2") if regression else ("roc_auc", "pr_auc", "brier"),
        targets=_draw_worst(
            [
                {"name": target.name, "unit": target.unit, **_panels(metrics, test, t)}
                for t, target in enumerate(config.targets)
            ],
            float(test.manifest.ingest["seconds_per_molecule"]),
        ),
        units={target.name: target.unit for target in config.targets},
        baselines=BASELINE_LABELS,
        manifest=test.manifest,
        split=test.manifest.ingest["split"],
        network=config.architecture,
        loss=loss(history, "molecules") if len(history.get("epoch", ())) else None,
        speed=figures.cpu_time(_cpu_times(metrics["speed"])),
        rejected=_rejected(test.data / "rejected.csv"),
        environment=list(flatten(metrics["environment"])),
    )


def with_interval(scores: Mapping[str, Any], key: str) -> tuple[str, str, str]:
    """Format a score and the ends of its interval."""
    return format_interval(scores[key], scores[f"{key}_low"], scores[f"{key}_high"])


def headline(metrics: Mapping[str, Any], regression: bool) -> str:
    """Summarise the comparison with the random forest.

    A difference is claimed only if the interval of the network's score excludes the score of the forest.
    """
    key, sign = ("mae", -1) if regression else ("roc_auc", 1)
    better, indistinguishable, worse = [], [], []
    for name, scores in metrics["targets"].items():
        baseline = metrics["baselines"]["random_forest"][name]
        if scores[key] is None or baseline[key] is None:
            continue
        if sign * (scores[f"{key}_low" if sign > 0 else f"{key}_high"] - baseline[key]) > 0:
            better.append(name)
        elif sign * (scores[f"{key}_high" if sign > 0 else f"{key}_low"] - baseline[key]) < 0:
            worse.append(name)
        else:
            indistinguishable.append(name)
    outcomes = [
        f"{outcome} for {', '.join(name.replace('_', ' ') for name in names)}"
        for outcome, names in (
            ("outperforms a random forest on fingerprints", better),
            ("does not differ significantly from the random forest", indistinguishable),
            ("is outperformed by the random forest", worse),
        )
        if names
    ]
    score = "mean absolute error" if regression else "area under the ROC curve"
    return f"By {score}, the network {'; it '.join(outcomes)}." if outcomes else ""


def _panels(metrics: Mapping[str, Any], test: ReportData, t: int) -> dict[str, Any]:
    """Draw the figures of one target, and describe its worst predictions."""
    target = test.predictor.config.targets[t]
    known = np.isfinite(test.truth[:, t])
    true, (mean, sigma) = test.truth[known, t], test.predicted[known, t].T
    scores, by_similarity = metrics["targets"][target.name], metrics["error_by_similarity"]
    errors = by_similarity["targets"][target.name]
    error = figures.error_by_similarity(
        target.name, target.unit, by_similarity["bins"], errors["error"], errors["molecules"]
    )  # fmt: skip
    if test.predictor.config.kind == "regression":
        note = f"mean absolute error {with_interval(scores, 'mae')[0]} {target.unit}"
        panels = [
            figures.parity(target.name, target.unit, true, mean, sigma, note),
            figures.coverage(target.name, true, mean, sigma),
            error,
        ]
        worst = np.argsort(-np.abs(mean - true))[:WORST_SHOWN]
    else:
        panels, worst = _class_panels(test, t, true, mean)
        panels.append(error)
    rows = np.flatnonzero(known)[worst]
    return {"panels": panels, "worst": [_describe_molecule(test, int(row), t) for row in rows]}


def _draw_worst(targets: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """Draw the worst molecules of all targets, each with a time limit [s]; the caption of a failed drawing is kept."""
    molecules = [molecule for target in targets for molecule in target["worst"]]
    tasks = [molecule.pop("task") for molecule in molecules]
    drawings = draw_molecules([task for task in tasks if task is not None], seconds)
    for molecule, task in zip(molecules, tasks, strict=True):
        drawing = "RDKit cannot read the SMILES" if task is None else next(drawings)
        failed = isinstance(drawing, str)
        molecule |= {"drawing": None, "problem": drawing} if failed else {"drawing": drawing, "problem": ""}
    return targets


def _class_panels(
    test: ReportData, t: int, true: np.ndarray, mean: np.ndarray
) -> tuple[list[EmbeddedFigure], np.ndarray]:
    """Draw the reliability diagram of a classification target, and find the worst predictions."""
    name, classes = test.predictor.config.targets[t].name, test.predictor.config.classes[t]
    if len(classes) == 2 or test.probability is None:
        worst = np.argsort(-np.abs(mean - true))[:WORST_SHOWN]
        return [figures.reliability(name, true, mean, f"of class {classes[1]}")], worst
    probability = test.probability[np.isfinite(test.truth[:, t]), t]
    correct = (probability.argmax(axis=1) == true).astype(float)
    of_true_class = probability[np.arange(len(true)), true.astype(int)]
    return [figures.reliability(name, correct, mean, "correct")], np.argsort(of_true_class)[:WORST_SHOWN]


def _describe_prediction(test: ReportData, row: int, t: int) -> tuple[str, int]:
    """Return a description of a prediction, and the code of the predicted class."""
    classes, truth, (mean, sigma) = test.predictor.config.classes[t], test.truth[row, t], test.predicted[row, t]
    if not classes:
        return f"true {format_value(truth, sigma)}, predicted {format_with_uncertainty(mean, sigma)}", 0
    code = 1 if len(classes) == 2 or test.probability is None else int(test.probability[row, t].argmax())
    return f"true {classes[int(truth)]}, predicted {classes[code]} with probability {format_number(mean)}", code


def _describe_molecule(test: ReportData, row: int, t: int) -> dict[str, Any]:
    """Return the caption of a molecule and the arguments of its drawing, with attributions if they are available."""
    config = test.predictor.config
    smiles, (prediction, code) = test.smiles[row], _describe_prediction(test, row, t)
    caption = f"{smiles}: {prediction}"
    with rdBase.BlockLogs():
        if config.featuriser.geometry != "given":
            molecule = config.featuriser.read_smiles(smiles)
            graph = config.featuriser.graph(molecule)
            attribution = integrated_gradients(
                test.predictor.network, config.architecture, config.featuriser.layout, graph, t, PATH_STEPS, code
            )
            task = molecule, caption, attribution.atoms, attribution.bonds
        else:
            molecule = Chem.MolFromSmiles(smiles)
            task = None if molecule is None else (molecule, caption, None, None)
    return {"task": task, "caption": caption, "similarity": format_number(float(test.similarity[row]))}


def _cpu_times(speed: Mapping[str, float]) -> Sequence[tuple[str, float]]:
    rows = [("network, in batches", speed["network_batched_s"]), ("network, one by one", speed["network_single_s"])]
    if "geometry_s" in speed:
        rows += [("geometry (MMFF94)", speed["geometry_s"]), ("quantum chemistry", speed["quantum_s"])]
    return rows


def _rejected(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"count": 0, "rows": []}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {"count": len(rows), "rows": rows[:REJECTED_SHOWN]}
