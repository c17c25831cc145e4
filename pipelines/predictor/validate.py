"""Prove a network of molecules: scores with intervals beside a chemist's quick tool and the mean, and a report."""

import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_json, read_numbers
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.class_rivals import fit_class_rivals
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.predictor.report import Proof, write_report
from tenfold.pipelines.predictor.rivals import Rivals, fit_rivals
from tenfold.pipelines.predictor.training import score
from tenfold.pipelines.predictor.uncertainty import check_sigma
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.training.run_folder import RunFolder

BINS = ((0.0, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 0.8), (0.8, 1.01))
"""Of the Tanimoto similarity to the nearest training molecule."""


def validate_molecules(run: Path, out: Path | None = None, *, seed: int = 0) -> Path:
    """Measure a training's test predictions beside a random forest on Morgan fingerprints and the mean.

    Parameters
    ----------
    run
        Folder of a finished training.
    out
        Folder for ``metrics.json`` and ``report.html``; the run's by default.
    seed
        Of the bootstrap and of the forest.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    InputError
        `out` holds such a file that tenfold did not make; the training has not finished,
        its data are gone, or its test split has fewer than two molecules with labels.
    """
    start = time.monotonic()
    run, out = Path(run), Path(out or run)
    folder = RunFolder(run)
    record = folder.read_record("molecules")
    OutputFolder.claim(out, ("metrics.json", "report.html"))
    predictor = MoleculePredictor.read(folder.bundle)
    learnt = predictor.learnt
    names = ["test_record", "test_true", "test_mean", "test_sigma"]
    found = folder.read_predictions([*names, *(["test_probability"] if learnt.multiclass else [])])
    with MoleculeShards.open(folder.find_data(record)) as data:
        if data.manifest.fingerprint != record["fingerprint"]:
            raise InputError(f"{data.path}: is not what {run} was trained on. Train again on it.")
        test = found["test_record"]
        shape = (len(test), len(predictor.names))
        if not np.isin(test, data.split("test")).all() or found["test_true"].shape != shape:
            raise InputError(f"{run / 'predictions.npz'}: is not of the test split of {data.path}. Train again on it.")
        if np.isfinite(found["test_true"]).sum(axis=0).min() < 2:
            raise InputError(f"{data.path}: fewer than two test molecules have labels; ingest more, or split otherwise")
        counts = [len(classes) for classes in learnt.classes]
        if learnt.multiclass:
            if found["test_probability"].shape != (*shape, max(counts)):
                raise InputError(f"{run / 'predictions.npz'}: is not of the classes of {folder.bundle}. Train again.")
            rivals = Rivals(predictions=fit_class_rivals(data, test, counts, seed), by_composition=())
        else:
            rivals = fit_rivals(data, test, learnt.kind, seed)
        truth = found["test_true"]
        predicted = np.stack([found["test_mean"], found["test_sigma"]], axis=-1)
        answers = found["test_probability"] if learnt.multiclass else predicted
        similarity = data.similarity(test)
        metrics: dict[str, Any] = {
            "targets": score(learnt, truth, answers, seed=seed),
            "rivals": {name: score(learnt, truth, each, seed=seed) for name, each in rivals.predictions.items()},
            "rival_by_composition": list(rivals.by_composition),
            "similarity": _by_similarity(predictor, truth, answers, similarity),
            "speed": _speed(predictor, data, test, run.parent),
        }
        if learnt.kind == "regression":
            smiles = data.smiles(test)
            for t, name in enumerate(predictor.names):
                mean, sigma = predicted[:, t].T
                metrics["targets"][name] |= check_sigma(truth[:, t], mean, sigma, smiles)
        metrics["dft"] = _beside_dft(predictor, metrics["speed"], run.parent)
        metrics["environment"] = {
            "python": platform.python_version(), "platform": platform.platform(terse=True),
            "versions": record["versions"], "seed": record["seed"], "bootstrap_seed": seed, "ranks": record["ranks"],
            "wall_s": _stages(run.parent) | {"training": record["wall_s"], "validation": time.monotonic() - start},
            "network": {"weights": record["parameters"], **record["network"]}, "training": record["training"],
            "data": data.manifest.fingerprint,
        }  # fmt: skip
        proof = Proof(
            run=run, predictor=predictor, truth=truth, predicted=predicted, similarity=similarity,
            probability=answers if learnt.multiclass else None, smiles=data.smiles(test), manifest=data.manifest,
            data=data.path,
        )  # fmt: skip
    with replacing(out / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    write_report(out / "report.html", metrics, proof)
    return out / "report.html"


def _by_similarity(
    predictor: MoleculePredictor, truth: np.ndarray, answers: np.ndarray, similarity: np.ndarray
) -> dict[str, Any]:
    """Mean absolute error (of classes: Brier score) and number of molecules, by similarity to the training split.

    Labels (n, T), answers as `MoleculePredictor.answers` returns them, similarities (n,).
    """
    found: dict[str, Any] = {}
    for t, name in enumerate(predictor.names):
        count = len(predictor.learnt.classes[t])
        if predictor.learnt.multiclass:
            own = answers[:, t, :count]
            error = np.square(own - (truth[:, t, None] == np.arange(count))).sum(axis=1) / (2 if count == 2 else 1)
            error[np.isnan(truth[:, t])] = np.nan
        else:
            error = np.abs(answers[:, t, 0] - truth[:, t])
            if count:
                error = error**2
        rows = [np.isfinite(error) & (low <= similarity) & (similarity < high) for low, high in BINS]
        found[name] = {
            "error": [float(error[each].mean()) if each.any() else None for each in rows],
            "molecules": [int(each.sum()) for each in rows],
        }
    return {"bins": [list(each) for each in BINS], "targets": found}


def _speed(predictor: MoleculePredictor, data: MoleculeShards, test: np.ndarray, study: Path) -> dict[str, Any]:
    """CPU seconds per molecule: the network in batches and alone, and the quantum chemistry it was taught by."""
    graphs = data.graphs(np.resize(test, 512))
    predictor.predict_graphs(graphs)  # the first call builds the graph
    start = time.process_time()
    predictor.predict_graphs(graphs)
    batched = (time.process_time() - start) / len(graphs)
    alone = MoleculePredictor(predictor.network, predictor.learnt, predictor.calibration, size=1)
    few = data.graphs(np.resize(test, 16))
    alone.predict_graphs(few)
    start = time.process_time()
    alone.predict_graphs(few)
    found: dict[str, Any] = {
        "network_batched_s": batched,
        "network_alone_s": (time.process_time() - start) / len(few),
        "atoms_per_molecule": float(graphs.sizes.mean()),
        "padding": predictor.padding(graphs),
    }
    found |= labelling_cost(study)
    if "quantum_s" in found:
        found["quantum_over_network"] = found["quantum_s"] / batched
    return found


def labelling_cost(study: Path) -> dict[str, float]:
    """CPU seconds per molecule of the quantum chemistry and of the geometries that a study's labels took, if it did."""
    # not the hidden record of what tenfold made
    logs = [json.loads(path.read_text()) for path in sorted((study / "molecules" / "log").glob("[!.]*.json"))]
    molecules = sum(log["count"] - len(log["unlabelled"]) for log in logs)
    return {key: sum(log[key] for log in logs) / molecules for key in ("quantum_s", "geometry_s")} if molecules else {}


def _beside_dft(predictor: MoleculePredictor, speed: dict[str, Any], study: Path) -> list[dict[str, Any]]:
    """Answers for the few molecules that the study calculated by DFT, and what each cost [CPU s]."""
    path = study / "molecules" / "dft.json"
    if not path.exists():
        return []
    molecules = read_json(path).get("molecules", [])
    found = predictor.embedding().predict([molecule["smiles"] for molecule in molecules])
    return [
        {
            "smiles": molecule["smiles"], "dft_s": molecule["dft"]["seconds"], "gfn2_s": molecule["gfn2"]["seconds"],
            "dft_over_network": molecule["dft"]["seconds"] / speed["network_batched_s"],
            "properties": {
                name: {
                    "dft": molecule["dft"]["properties"][name], "gfn2": molecule["gfn2"]["properties"][name],
                    "network": float(found.mean[row, t]), "uncertainty": float(found.sigma[row, t]),
                }
                for t, name in enumerate(found.names) if name in molecule["dft"]["properties"]
            },
        }
        for row, molecule in enumerate(molecules)
    ]  # fmt: skip


def _stages(study: Path) -> dict[str, float]:
    return read_numbers(study / "stages.json")
