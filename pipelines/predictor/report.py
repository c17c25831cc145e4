"""One offline HTML page per training on molecules: figures, tables, and what they show."""

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
from tenfold.pipelines.predictor.drawings import drawings
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.predictor.uncertainty import doubts, outside
from tenfold.pipelines.reports.digits import figure, interval, measured, number
from tenfold.pipelines.reports.figures import Picture, loss
from tenfold.pipelines.reports.html import flatten, write_page
from tenfold.pipelines.training.run_folder import RunFolder

RIVAL = {"random_forest": "random forest", "mean": "mean"}
WORST = 4
REJECTED = 10
"""Rejected rows shown."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a report is drawn from."""

    run: Path
    predictor: MoleculePredictor
    truth: np.ndarray
    """Labels of the n test molecules, NaN where missing, shape (n, T)."""
    predicted: np.ndarray
    """Value and standard deviation, shape (n, T, 2); of classes a probability, as `MoleculePredictor.values` has it."""
    probability: np.ndarray | None
    """Of each class where any target has more than two, shape (n, T, C)."""
    similarity: np.ndarray
    """To the nearest training molecule, shape (n,)."""
    smiles: list[str]
    manifest: MoleculeManifest
    data: Path


def write_report(path: Path, metrics: Mapping[str, Any], proof: Proof) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    path
        The page.
    metrics
        All numbers, as `tenfold.pipelines.predictor.validate` gathers them.
    proof
        What was predicted.
    """
    regression = proof.predictor.learnt.kind == "regression"
    history = RunFolder(proof.run).read_history()
    write_page(
        path,
        "molecules.html.j2",
        filters={
            "figure": figure,
            "with_interval": with_interval,
            "measured": measured,
            "number": number,
            "outside": outside,
        },
        metrics=metrics,
        regression=regression,
        multiclass=proof.predictor.learnt.multiclass,
        headline=headline(metrics, regression),
        doubts=doubts(metrics["targets"], metrics["dft"]) if regression else [],
        scores=("mae", "rmse", "r2") if regression else ("roc_auc", "pr_auc", "brier"),
        targets=_draw_worst(
            [
                {"name": target.name, "unit": target.unit, **_panels(metrics, proof, t)}
                for t, target in enumerate(proof.predictor.learnt.targets)
            ],
            float(proof.manifest.ingest["seconds_per_molecule"]),
        ),
        units={target.name: target.unit for target in proof.predictor.learnt.targets},
        rivals=RIVAL,
        manifest=proof.manifest,
        split=proof.manifest.ingest["split"],
        network=proof.predictor.learnt.shape,
        loss=loss(history, "molecules") if len(history.get("epoch", ())) else None,
        speed=figures.speed(_speeds(metrics["speed"])),
        rejected=_rejected(proof.data / "rejected.csv"),
        environment=list(flatten(metrics["environment"])),
    )


def with_interval(scores: Mapping[str, Any], key: str) -> tuple[str, str, str]:
    """Write a score and the ends of its interval."""
    return interval(scores[key], scores[f"{key}_low"], scores[f"{key}_high"])


def headline(metrics: Mapping[str, Any], regression: bool) -> str:
    """Say in a sentence how the network stands beside its rival: no gain without intervals that part."""
    key, better = ("mae", -1) if regression else ("roc_auc", 1)
    won, level, lost = [], [], []
    for name, own in metrics["targets"].items():
        rival = metrics["rivals"]["random_forest"][name]
        if own[key] is None or rival[key] is None:
            continue
        if better * (own[f"{key}_low" if better > 0 else f"{key}_high"] - rival[key]) > 0:
            won.append(name)
        elif better * (own[f"{key}_high" if better > 0 else f"{key}_low"] - rival[key]) < 0:
            lost.append(name)
        else:
            level.append(name)
    said = [
        f"{words} for {', '.join(name.replace('_', ' ') for name in names)}"
        for words, names in (("beats it", won), ("shows no difference", level), ("is worse", lost))
        if names
    ]
    what = "mean absolute error" if regression else "area under the ROC curve"
    return f"Beside a random forest on fingerprints, by {what}, the network {'; '.join(said)}." if said else ""


def _panels(metrics: Mapping[str, Any], proof: Proof, t: int) -> dict[str, Any]:
    """Draw the figures of one target."""
    target = proof.predictor.learnt.targets[t]
    known = np.isfinite(proof.truth[:, t])
    true, (mean, sigma) = proof.truth[known, t], proof.predicted[known, t].T
    scores, bins = metrics["targets"][target.name], metrics["similarity"]["bins"]
    near = metrics["similarity"]["targets"][target.name]
    error = figures.similarity(target.name, target.unit, bins, near["error"], near["molecules"])
    if proof.predictor.learnt.kind == "regression":
        note = f"mean absolute error {with_interval(scores, 'mae')[0]} {target.unit}"
        pictures = [
            figures.parity(target.name, target.unit, true, mean, sigma, note),
            figures.coverage(target.name, true, mean, sigma),
            error,
        ]
        worst = np.argsort(-np.abs(mean - true))[:WORST]
    else:
        pictures, worst = _of_classes(proof, t, true, mean)
        pictures.append(error)
    rows = np.flatnonzero(known)[worst]
    return {"pictures": pictures, "worst": [_shared_out(proof, int(row), t) for row in rows]}


def _draw_worst(targets: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """Draw the worst molecules of all targets, each in bounded time [s]: one that cannot be drawn keeps its words."""
    worst = [each for target in targets for each in target["worst"]]
    tasks = [each.pop("task") for each in worst]
    drawn = drawings([task for task in tasks if task is not None], seconds)
    for each, task in zip(worst, tasks, strict=True):
        found = "RDKit cannot read the SMILES" if task is None else next(drawn)
        each |= {"picture": None, "problem": found} if isinstance(found, str) else {"picture": found, "problem": ""}
    return targets


def _of_classes(proof: Proof, t: int, true: np.ndarray, mean: np.ndarray) -> tuple[list[Picture], np.ndarray]:
    """Draw how reliable the probabilities of a target's classes are, and find the molecules that surprise most."""
    name, classes = proof.predictor.learnt.targets[t].name, proof.predictor.learnt.classes[t]
    if len(classes) == 2 or proof.probability is None:
        return [figures.reliability(name, true, mean, f"of class {classes[1]}")], np.argsort(-np.abs(mean - true))[
            :WORST
        ]
    probability = proof.probability[np.isfinite(proof.truth[:, t]), t]
    right = (probability.argmax(axis=1) == true).astype(float)
    own = probability[np.arange(len(true)), true.astype(int)]
    return [figures.reliability(name, right, mean, "of right classes")], np.argsort(own)[:WORST]


def _said(proof: Proof, row: int, t: int) -> tuple[str, int]:
    """Say what was predicted for a molecule, and return the code of the class that it is about."""
    classes, truth, (mean, sigma) = proof.predictor.learnt.classes[t], proof.truth[row, t], proof.predicted[row, t]
    if not classes:
        return f"true {number(truth, sigma)}, predicted {measured(mean, sigma)}", 0
    code = 1 if len(classes) == 2 or proof.probability is None else int(proof.probability[row, t].argmax())
    return f"true {classes[int(truth)]}, predicted {classes[code]} with probability {figure(mean)}", code


def _shared_out(proof: Proof, row: int, t: int) -> dict[str, Any]:
    """Say what was predicted for a molecule, and what its drawing needs: shares of atoms and bonds, where known."""
    learnt = proof.predictor.learnt
    smiles, (said, code) = proof.smiles[row], _said(proof, row, t)
    words = f"{smiles}: {said}"
    task = None
    with rdBase.BlockLogs():
        if learnt.featuriser.geometry != "given":
            molecule = learnt.featuriser.read_smiles(smiles)
            graph = learnt.featuriser.graph(molecule)
            found = integrated_gradients(
                proof.predictor.network, learnt.shape, learnt.featuriser.layout, graph, t, 16, code
            )
            task = molecule, words, found.atoms, found.bonds
        else:
            molecule = Chem.MolFromSmiles(smiles)
            task = None if molecule is None else (molecule, words, None, None)
    return {"task": task, "words": words, "similarity": figure(float(proof.similarity[row]))}


def _speeds(speed: Mapping[str, float]) -> Sequence[tuple[str, float]]:
    rows = [("network, in batches", speed["network_batched_s"]), ("network, one by one", speed["network_alone_s"])]
    if "geometry_s" in speed:
        rows += [("geometry (MMFF94)", speed["geometry_s"]), ("quantum chemistry", speed["quantum_s"])]
    return rows


def _rejected(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"count": 0, "rows": []}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {"count": len(rows), "rows": rows[:REJECTED]}
