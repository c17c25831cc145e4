"""Validation of a molecular predictor: scores with intervals, compared with simple baselines, and a report."""

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
from tenfold.pipelines.predictor.baselines import Baselines, fit_baselines
from tenfold.pipelines.predictor.class_baselines import fit_class_baselines
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.predictor.report import ReportData, write_report
from tenfold.pipelines.predictor.training import score
from tenfold.pipelines.predictor.uncertainty import assess_uncertainty
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.training.run_folder import RunFolder

SIMILARITY_BINS = ((0.0, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 0.8), (0.8, 1.01))
"""Bins of the Tanimoto similarity to the nearest training molecule."""


def validate_molecules(run: Path, out: Path | None = None, *, seed: int = 0) -> Path:
    """Compare the test predictions of a training with a random forest on Morgan fingerprints and the training mean.

    Returns the path of the report.

    Parameters
    ----------
    run
        Folder of a finished training.
    out
        Folder for ``metrics.json`` and ``report.html``; by default the folder of the run.
    seed
        Seed of the bootstrap and of the forest.

    Raises
    ------
    InputError
        `out` contains such a file that tenfold did not write; the training has not finished or its data are missing; or
        its test split has fewer than two molecules with labels.
    """
    start = time.monotonic()
    run, out = Path(run), Path(out or run)
    folder = RunFolder(run)
    record = folder.read_record("molecules")
    OutputFolder.claim(out, ("metrics.json", "report.html"))
    predictor = MoleculePredictor.load(folder.bundle)
    config = predictor.config
    keys = ["test_record", "test_true", "test_mean", "test_sigma"]
    arrays = folder.read_predictions([*keys, *(["test_probability"] if config.multiclass else [])])
    with MoleculeShards.open(folder.find_data(record)) as data:
        if data.manifest.fingerprint != record["fingerprint"]:
            raise InputError(f"{data.path}: is not the data that {run} was trained on. Train again on it.")
        test = arrays["test_record"]
        shape = (len(test), len(predictor.names))
        if not np.isin(test, data.split("test")).all() or arrays["test_true"].shape != shape:
            raise InputError(f"{run / 'predictions.npz'}: is not of the test split of {data.path}. Train again on it.")
        if np.isfinite(arrays["test_true"]).sum(axis=0).min() < 2:
            raise InputError(
                f"{data.path}: fewer than two test molecules have labels; ingest more, or change the split"
            )
        counts = [len(classes) for classes in config.classes]
        if config.multiclass:
            if arrays["test_probability"].shape != (*shape, max(counts)):
                raise InputError(f"{run / 'predictions.npz'}: is not of the classes of {folder.bundle}. Train again.")
            class_baselines = fit_class_baselines(data, test, counts, seed)
            baselines = Baselines(predictions=class_baselines, composition_residual_targets=())
        else:
            baselines = fit_baselines(data, test, config.kind, seed)
        truth = arrays["test_true"]
        predicted = np.stack([arrays["test_mean"], arrays["test_sigma"]], axis=-1)
        predictions = arrays["test_probability"] if config.multiclass else predicted
        similarity = data.similarity(test)
        metrics: dict[str, Any] = {
            "targets": score(config, truth, predictions, seed=seed),
            "baselines": {
                name: score(config, truth, values, seed=seed) for name, values in baselines.predictions.items()
            },
            "composition_residual_targets": list(baselines.composition_residual_targets),
            "error_by_similarity": _error_by_similarity(predictor, truth, predictions, similarity),
            "speed": _speed(predictor, data, test, run.parent),
        }
        if config.kind == "regression":
            smiles = data.smiles(test)
            for t, name in enumerate(predictor.names):
                mean, sigma = predicted[:, t].T
                metrics["targets"][name] |= assess_uncertainty(truth[:, t], mean, sigma, smiles)
        metrics["dft_comparison"] = _dft_comparison(predictor, metrics["speed"], run.parent)
        metrics["environment"] = {
            "python": platform.python_version(), "platform": platform.platform(terse=True),
            "versions": record["versions"], "seed": record["seed"], "bootstrap_seed": seed, "ranks": record["ranks"],
            "wall_s": _stages(run.parent) | {"training": record["wall_s"], "validation": time.monotonic() - start},
            "network": {"weights": record["parameters"], **record["network"]}, "training": record["training"],
            "data": data.manifest.fingerprint,
        }  # fmt: skip
        report_data = ReportData(
            run=run, predictor=predictor, truth=truth, predicted=predicted, similarity=similarity,
            probability=predictions if config.multiclass else None, smiles=data.smiles(test), manifest=data.manifest,
            data=data.path,
        )  # fmt: skip
    with replacing(out / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    write_report(out / "report.html", metrics, report_data)
    return out / "report.html"


def _error_by_similarity(
    predictor: MoleculePredictor, truth: np.ndarray, predictions: np.ndarray, similarity: np.ndarray
) -> dict[str, Any]:
    """Return mean error and number of molecules by similarity to the training split.

    The error is the absolute error, or the Brier score for classes. Labels, shape (n, T), are NaN where missing;
    predictions are those of `MoleculePredictor.predictions_from_outputs`; the Tanimoto similarity to the nearest
    training molecule has shape (n,).
    """
    by_target: dict[str, Any] = {}
    for t, name in enumerate(predictor.names):
        count = len(predictor.config.classes[t])
        if predictor.config.multiclass:
            probability = predictions[:, t, :count]
            squared = np.square(probability - (truth[:, t, None] == np.arange(count)))
            error = squared.sum(axis=1) / (2 if count == 2 else 1)
            error[np.isnan(truth[:, t])] = np.nan
        else:
            error = np.abs(predictions[:, t, 0] - truth[:, t])
            if count:
                error = error**2
        bins = [np.isfinite(error) & (low <= similarity) & (similarity < high) for low, high in SIMILARITY_BINS]
        by_target[name] = {
            "error": [float(error[rows].mean()) if rows.any() else None for rows in bins],
            "molecules": [int(rows.sum()) for rows in bins],
        }
    return {"bins": [list(edges) for edges in SIMILARITY_BINS], "targets": by_target}


def _speed(predictor: MoleculePredictor, data: MoleculeShards, test: np.ndarray, study: Path) -> dict[str, Any]:
    """Return CPU seconds per molecule of the network, in batches and one by one, and of the labels' calculation."""
    graphs = data.graphs(np.resize(test, 512))
    predictor.predict_graphs(graphs)  # the first call compiles the network
    start = time.process_time()
    predictor.predict_graphs(graphs)
    batched = (time.process_time() - start) / len(graphs)
    single = MoleculePredictor(predictor.network, predictor.config, predictor.calibration, batch_size=1)
    few = data.graphs(np.resize(test, 16))
    single.predict_graphs(few)
    start = time.process_time()
    single.predict_graphs(few)
    speed: dict[str, Any] = {
        "network_batched_s": batched,
        "network_single_s": (time.process_time() - start) / len(few),
        "atoms_per_molecule": float(graphs.sizes.mean()),
        "padding_fraction": predictor.padding_fraction(graphs),
    }
    speed |= labelling_cost(study)
    if "quantum_s" in speed:
        speed["speedup_over_quantum"] = speed["quantum_s"] / batched
    return speed


def labelling_cost(study: Path) -> dict[str, float]:
    """Return CPU seconds per molecule of the geometries and quantum chemistry of a study's labels, if it has any."""
    # the pattern omits the hidden record of the files that tenfold wrote
    logs = [json.loads(path.read_text()) for path in sorted((study / "molecules" / "log").glob("[!.]*.json"))]
    molecules = sum(log["count"] - len(log["unlabelled"]) for log in logs)
    return {key: sum(log[key] for log in logs) / molecules for key in ("quantum_s", "geometry_s")} if molecules else {}


def _dft_comparison(predictor: MoleculePredictor, speed: dict[str, Any], study: Path) -> list[dict[str, Any]]:
    """Return the predictions and CPU times for the molecules of the study that have DFT calculations."""
    path = study / "molecules" / "dft.json"
    if not path.exists():
        return []
    molecules = read_json(path).get("molecules", [])
    predictions = predictor.with_embedding().predict([molecule["smiles"] for molecule in molecules])
    return [
        {
            "smiles": molecule["smiles"], "dft_s": molecule["dft"]["seconds"], "gfn2_s": molecule["gfn2"]["seconds"],
            "speedup_over_dft": molecule["dft"]["seconds"] / speed["network_batched_s"],
            "properties": {
                name: {
                    "dft": molecule["dft"]["properties"][name], "gfn2": molecule["gfn2"]["properties"][name],
                    "network": float(predictions.mean[row, t]), "uncertainty": float(predictions.sigma[row, t]),
                }
                for t, name in enumerate(predictions.names) if name in molecule["dft"]["properties"]
            },
        }
        for row, molecule in enumerate(molecules)
    ]  # fmt: skip


def _stages(study: Path) -> dict[str, float]:
    """Return the wall-clock times [s] of a study's stages."""
    return read_numbers(study / "stages.json")
