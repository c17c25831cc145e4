"""Heats of formation of QM7 from geometries: mean absolute error against the number of molecules learnt from.

    TENFOLD_CHEMISTRY_DATA=… make benchmark PYTEST='-k qm7 -s'

TENFOLD_CHEMISTRY_DATA holds qm7_xyz.tar.gz and hof_qm7.txt (7,101 molecules, PBE0 heats of formation). Every network
and size is a training of its own on one core, with one and the same 80/10/10 split by chance; several run side by side.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tenfold.pipelines.molecules.config import MoleculeIngest
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards

pytestmark = pytest.mark.benchmark

SIZES = {1000: 120, 2500: 50, 7101: 40}
"""Molecules learnt from, at most: epochs."""
BARS = {"painn": 2.0, "enn-s2s": 7.3}
"""MAE [kcal/mol] on all of them: that of kgcnn's network after Gilmer et al., and what PaiNN must be well under."""
ONE_CORE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[int, Path]:
    """Shards by the number of training molecules; the validation and test molecules are the same in all."""
    data = os.environ.get("TENFOLD_CHEMISTRY_DATA", "")
    if not data:
        pytest.skip("TENFOLD_CHEMISTRY_DATA names no folder of published sets")
    folder = tmp_path_factory.mktemp("qm7")
    labels = folder / "labels.txt"
    labels.write_text("file heat_of_formation pbe\n" + (Path(data) / "hof_qm7.txt").read_text())
    made: dict[int, Path] = {}
    leave_out = folder / "none.txt"
    leave_out.write_text("")
    for size in sorted(SIZES, reverse=True):
        made[size] = folder / str(size)
        settings = MoleculeIngest(
            targets=("heat_of_formation",), units={"heat_of_formation": "kcal/mol"}, labels=str(labels),
            exclude=str(leave_out), geometry="given", hydrogens=True, features="gilmer",
        )  # fmt: skip
        ingest_molecules([Path(data) / "qm7_xyz.tar.gz"], made[size], settings)
        smaller = max((each for each in SIZES if each < size), default=0)
        with MoleculeShards.open(made[max(SIZES)]) as shards:
            train = np.random.default_rng(0).permutation(shards.split("train"))
            sources = [shards.keys(np.array([row]))[0][0] for row in train[smaller:]]
        leave_out = folder / f"not_{smaller}.txt"
        leave_out.write_text("\n".join(Path(source).stem for source in sources))
    return made


def test_mean_absolute_errors_fall_with_the_molecules_learnt_from(folders, tmp_path):
    def train(network: str, size: int) -> dict[str, float]:
        out = tmp_path / f"{network}-{size}"
        command = [
            Path(sys.executable).parent / "tenfold", "train", "molecules", folders[size], "--out", out, "--preset",
            network, "--set", f"training.epochs={SIZES[size]}",
        ]  # fmt: skip
        done = subprocess.run(command, env=os.environ | ONE_CORE, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        found = json.loads((out / "metrics.json").read_text())["targets"]["heat_of_formation"]
        record = json.loads((out / "run.json").read_text())
        named = {name: found[name] for name in ("mae", "mae_low", "mae_high", "rmse", "coverage_68", "molecules")}
        print(json.dumps({"network": network, "learnt_from": size, **named, "cpu_s": record["cpu_s"]}), flush=True)
        return found

    jobs = [(network, size) for size in SIZES for network in BARS]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = dict(zip(jobs, pool.map(lambda job: train(*job), jobs), strict=True))
    for network, bar in BARS.items():
        errors = [found[network, size]["mae"] for size in SIZES]
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < bar
