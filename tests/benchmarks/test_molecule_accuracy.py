"""Accuracy on MoleculeNet tables, compared with chemprop: same splits, epochs and batch size, one core each.

    python -m pip install --target /tmp/peers chemprop==2.3.1
    TENFOLD_PEERS=/tmp/peers TENFOLD_CHEMISTRY_DATA=… make benchmark PYTEST='-k molecule_accuracy -s'

TENFOLD_PEERS is the folder in which chemprop is installed, outside this project's environment; TENFOLD_CHEMISTRY_DATA
contains delaney-processed.csv (ESOL), SAMPL.csv (FreeSolv) and tox21.csv.gz of MoleculeNet. The
benchmark takes about 40 minutes on two cores.
"""

import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tenfold.pipelines.molecules.config import MoleculeIngest
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.scores import score_binary, score_regression

pytestmark = pytest.mark.benchmark

SEEDS = (0, 1, 2)
ONE_CORE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
TOX21 = (
    "NR-AR", "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD", "NR-PPAR-gamma", "SR-ARE", "SR-ATAD5",
    "SR-HSE", "SR-MMP", "SR-p53",
)  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """A published data set: file, targets, and whether these are binary classes (ROC-AUC) or numbers (RMSE)."""

    file: str
    targets: tuple[str, ...]
    classes: bool = False
    epochs: int = 50


DATASETS = {
    "esol": Dataset("delaney-processed.csv", ("measured log solubility in mols per litre",)),
    "freesolv": Dataset("SAMPL.csv", ("expt",)),
    "tox21": Dataset("tox21.csv.gz", TOX21, classes=True, epochs=20),
}


def score(dataset: Dataset, true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the RMSE, or the mean ROC-AUC over the targets with both classes in the test split."""
    if not dataset.classes:
        sigma = np.ones(len(true))
        return score_regression(true[:, 0], predicted[:, 0], sigma, name="", unit="", draws=1)["rmse"]
    roc_auc = [score_binary(true[:, t], predicted[:, t], draws=1)["roc_auc"] for t in range(true.shape[1])]
    return float(np.mean([value for value in roc_auc if value is not None]))


def run(*command: object, **environment: str) -> float:
    """Run a command on one core, and return its CPU seconds."""
    timed = ["/usr/bin/env", "bash", "-c", 'TIMEFORMAT="%U %S"; time "$@"', "bash", *map(str, command)]
    completed = subprocess.run(
        timed, env=os.environ | ONE_CORE | environment, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr[-3000:]
    return sum(map(float, completed.stderr.splitlines()[-1].split()))


def tenfold(data: Path, out: Path, seed: int, epochs: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Train from the command line; return true and predicted values of the test split, and the CPU time [s]."""
    command = Path(sys.executable).parent / "tenfold"
    settings = ("--set", f"training.seed={seed}", "--set", f"training.epochs={epochs}")
    seconds = run(command, "train", "molecules", data, "--out", out, "--preset", "dmpnn", *settings)
    with np.load(out / "predictions.npz") as predictions:
        return predictions["test_true"], predictions["test_mean"], seconds


def chemprop(data: Path, out: Path, seed: int, dataset: Dataset, peers: str) -> tuple[np.ndarray, float]:
    """Train chemprop's default network on the same splits; return the test predictions and the CPU time [s]."""
    out.mkdir(parents=True)
    names = [f"t{number}" for number in range(len(dataset.targets))]
    with MoleculeShards.open(data) as shards, (out / "table.csv").open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["smiles", *names, "split"])
        for split, word in (("train", "train"), ("validation", "val"), ("test", "test")):
            rows = shards.split(split)
            for smiles, values in zip(shards.smiles(rows), shards.targets(rows), strict=True):
                table.writerow([smiles, *("" if np.isnan(value) else f"{value:.8g}" for value in values), word])
    task = "classification" if dataset.classes else "regression"
    seconds = run(
        sys.executable, f"{peers}/bin/chemprop", "train", "-i", out / "table.csv", "-o", out / "model", "-s", "smiles",
        "--target-columns", *names, "--splits-column", "split", "-t", task, "--epochs", dataset.epochs,
        "--accelerator", "cpu", "--devices", "1", "--pytorch-seed", seed, "-n", "0", PYTHONPATH=peers,
    )  # fmt: skip
    with next((out / "model").rglob("test_predictions.csv")).open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    return np.array([[float(row[name]) for name in names] for row in rows]), seconds


@pytest.fixture(scope="module")
def folders() -> tuple[Path, str]:
    data, peers = (os.environ.get(name, "") for name in ("TENFOLD_CHEMISTRY_DATA", "TENFOLD_PEERS"))
    if not data or not (Path(peers) / "chemprop").is_dir():
        pytest.skip("set TENFOLD_CHEMISTRY_DATA (data sets) and TENFOLD_PEERS (folder with chemprop installed)")
    return Path(data), peers


@pytest.mark.parametrize("split", ["random", "scaffold"])
@pytest.mark.parametrize("name", DATASETS)
def test_is_at_least_as_accurate_as_chemprop(folders, tmp_path, name, split):
    folder, peers = folders
    dataset = DATASETS[name]

    def scores_and_times(seed: int) -> tuple[float, float, float, float]:
        data = tmp_path / f"data-{seed}"
        settings = MoleculeIngest(targets=dataset.targets, split=split, seed=seed, processes=1)
        ingest_molecules([folder / dataset.file], data, settings)
        true, predicted, cpu_s = tenfold(data, tmp_path / f"tenfold-{seed}", seed, dataset.epochs)
        reference, reference_s = chemprop(data, tmp_path / f"chemprop-{seed}", seed, dataset, peers)
        return score(dataset, true, predicted), score(dataset, true, reference), cpu_s, reference_s

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = np.array(list(pool.map(scores_and_times, SEEDS)))
    own, reference = results[:, 0], results[:, 1]
    metric = "mean ROC-AUC" if dataset.classes else "RMSE"
    improvement = (own - reference) * (1 if dataset.classes else -1)
    error = improvement.std(ddof=1) / len(SEEDS) ** 0.5
    record = {
        "data_set": name, "split": split, "metric": metric, "tenfold": own.round(4).tolist(),
        "chemprop": reference.round(4).tolist(), "improvement": f"{improvement.mean():.4f} ± {error:.4f}",
        "cpu_s": [round(float(seconds)) for seconds in results[:, 2:].mean(0)],
    }  # fmt: skip
    print(f"\n{json.dumps(record)}")
    assert improvement.mean() > -error
