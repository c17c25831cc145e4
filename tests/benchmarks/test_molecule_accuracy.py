"""How well tables of SMILES are learnt, beside chemprop on the same splits: same epochs, same batch, one core each.

    python -m pip install --target /tmp/peers chemprop==2.3.1
    TENFOLD_PEERS=/tmp/peers TENFOLD_CHEMISTRY_DATA=… make benchmark PYTEST='-k molecule_accuracy -s'

TENFOLD_PEERS is the folder that chemprop is installed in, outside this project's environment; TENFOLD_CHEMISTRY_DATA
holds delaney-processed.csv (ESOL), SAMPL.csv (FreeSolv) and tox21.csv.gz of MoleculeNet. About 40 minutes on two cores.
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
class Published:
    """A published set: its file, its targets, and whether they are classes (ROC-AUC) or numbers (RMSE)."""

    file: str
    targets: tuple[str, ...]
    classes: bool = False
    epochs: int = 50


SETS = {
    "esol": Published("delaney-processed.csv", ("measured log solubility in mols per litre",)),
    "freesolv": Published("SAMPL.csv", ("expt",)),
    "tox21": Published("tox21.csv.gz", TOX21, classes=True, epochs=20),
}


def figure(published: Published, true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the RMSE, or the mean ROC-AUC of the classes that the test split has both kinds of."""
    if not published.classes:
        sigma = np.ones(len(true))
        found = score_regression(true[:, 0], predicted[:, 0], sigma, name="", unit="", draws=1)
        return found["rmse"]
    each = [score_binary(true[:, t], predicted[:, t], draws=1)["roc_auc"] for t in range(true.shape[1])]
    return float(np.mean([value for value in each if value is not None]))


def run(*command: object, **environment: str) -> float:
    """Run a command on one core, and return its CPU seconds."""
    asked = ["/usr/bin/env", "bash", "-c", 'TIMEFORMAT="%U %S"; time "$@"', "bash", *map(str, command)]
    done = subprocess.run(asked, env=os.environ | ONE_CORE | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return sum(map(float, done.stderr.splitlines()[-1].split()))


def ours(data: Path, out: Path, seed: int, epochs: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Train as a user would: truth and predictions of the test split, and the CPU seconds."""
    tenfold = Path(sys.executable).parent / "tenfold"
    settings = ("--set", f"training.seed={seed}", "--set", f"training.epochs={epochs}")
    seconds = run(tenfold, "train", "molecules", data, "--out", out, "--preset", "dmpnn", *settings)
    with np.load(out / "predictions.npz") as found:
        return found["test_true"], found["test_mean"], seconds


def chemprop(data: Path, out: Path, seed: int, published: Published, peers: str) -> tuple[np.ndarray, float]:
    """Train chemprop's default network on the same splits: its predictions of the test split, and the CPU seconds."""
    out.mkdir(parents=True)
    names = [f"t{number}" for number in range(len(published.targets))]
    with MoleculeShards.open(data) as shards, (out / "table.csv").open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["smiles", *names, "split"])
        for split, word in (("train", "train"), ("validation", "val"), ("test", "test")):
            rows = shards.split(split)
            for smiles, values in zip(shards.smiles(rows), shards.targets(rows), strict=True):
                table.writerow([smiles, *("" if np.isnan(value) else f"{value:.8g}" for value in values), word])
    task = "classification" if published.classes else "regression"
    seconds = run(
        sys.executable, f"{peers}/bin/chemprop", "train", "-i", out / "table.csv", "-o", out / "model", "-s", "smiles",
        "--target-columns", *names, "--splits-column", "split", "-t", task, "--epochs", published.epochs,
        "--accelerator", "cpu", "--devices", "1", "--pytorch-seed", seed, "-n", "0", PYTHONPATH=peers,
    )  # fmt: skip
    with next((out / "model").rglob("test_predictions.csv")).open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    return np.array([[float(row[name]) for name in names] for row in rows]), seconds


@pytest.fixture(scope="module")
def places() -> tuple[Path, str]:
    data, peers = (os.environ.get(name, "") for name in ("TENFOLD_CHEMISTRY_DATA", "TENFOLD_PEERS"))
    if not data or not (Path(peers) / "chemprop").is_dir():
        pytest.skip("TENFOLD_CHEMISTRY_DATA: the sets; TENFOLD_PEERS: a folder with chemprop installed")
    return Path(data), peers


@pytest.mark.parametrize("split", ["random", "scaffold"])
@pytest.mark.parametrize("name", SETS)
def test_level_with_chemprop_or_better(places, tmp_path, name, split):
    folder, peers = places
    published = SETS[name]

    def once(seed: int) -> tuple[float, float, float, float]:
        data = tmp_path / f"data-{seed}"
        settings = MoleculeIngest(targets=published.targets, split=split, seed=seed, processes=1)
        ingest_molecules([folder / published.file], data, settings)
        true, own, own_s = ours(data, tmp_path / f"ours-{seed}", seed, published.epochs)
        other, other_s = chemprop(data, tmp_path / f"chemprop-{seed}", seed, published, peers)
        return figure(published, true, own), figure(published, true, other), own_s, other_s

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = np.array(list(pool.map(once, SEEDS)))
    own, other = found[:, 0], found[:, 1]
    word = "mean ROC-AUC" if published.classes else "RMSE"
    better = (own - other) * (1 if published.classes else -1)
    error = better.std(ddof=1) / len(SEEDS) ** 0.5
    record = {
        "set": name, "split": split, "figure": word, "tenfold": own.round(4).tolist(),
        "chemprop": other.round(4).tolist(), "better_by": f"{better.mean():.4f} ± {error:.4f}",
        "cpu_s": [round(float(each)) for each in found[:, 2:].mean(0)],
    }  # fmt: skip
    print(f"\n{json.dumps(record)}")
    assert better.mean() > -error
