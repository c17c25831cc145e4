"""Training and inference rates on one core, compared with chemprop and PyTorch Geometric in the same run.

    python -m pip install --target /tmp/peers chemprop==2.3.1 torch_geometric
    TENFOLD_PEERS=/tmp/peers TENFOLD_CHEMISTRY_DATA=… make benchmark PYTEST='-k mpnn -s'

TENFOLD_PEERS is the folder in which the other libraries are installed, outside this project's environment;
TENFOLD_CHEMISTRY_DATA contains delaney-processed.csv of MoleculeNet. All rates are molecules per CPU second and include
the collation of batches.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark

BATCH, LARGE, PAIRS_BATCH, ATOMS = 64, 1024, 20, 18
HERE = Path(__file__).parent
ONE_CORE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}


def measured(script: str, *arguments, **environment: str) -> dict[str, float]:
    """Run a script of this folder in a separate process on one core, and return the rates it prints."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    completed = subprocess.run(
        command, env={**os.environ, **ONE_CORE, **environment}, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr[-2000:]
    return json.loads(completed.stdout.splitlines()[-1])


def peers() -> str:
    folder = os.environ.get("TENFOLD_PEERS", "")
    if not (Path(folder) / "torch").is_dir():
        pytest.skip("TENFOLD_PEERS: no folder with chemprop and torch_geometric installed")
    return folder


def compare(title: str, own: dict[str, float], other: dict[str, float]) -> None:
    print(f"\n{title}, molecules per CPU second")
    for name, rate in own.items():
        comparison = f"{other[name]:8.0f}  {rate / other[name]:6.1f}×" if name in other else ""
        print(f"  {name:28s} {rate:8.0f} {comparison}")


def test_dmpnn_is_at_least_twice_as_fast_as_chemprop(tmp_path):
    folder = peers()
    table = Path(os.environ.get("TENFOLD_CHEMISTRY_DATA", "")) / "delaney-processed.csv"
    if not table.is_file():
        pytest.skip("TENFOLD_CHEMISTRY_DATA: no folder with delaney-processed.csv")
    smiles = tmp_path / "smiles.txt"
    with table.open() as rows:
        smiles.write_text("\n".join(row["smiles"] for row in csv.DictReader(rows)))
    other = measured("peers_mpnn.py", "chemprop", smiles, BATCH, PYTHONPATH=folder)
    own = measured("ours_mpnn.py", "dmpnn", smiles, BATCH)
    compare(f"D-MPNN, 300 hidden, 3 steps, batches of {BATCH}: tenfold, chemprop, ratio", own, other)
    large = measured("ours_mpnn.py", "dmpnn", smiles, LARGE)
    compare(f"the same in batches of {LARGE}", {name: large[name] for name in ("trained", "inferred")}, other)
    assert own["trained"] > 2 * other["trained"]
    assert own["inferred"] > 2 * other["inferred"]


def test_enn_s2s_is_at_least_twice_as_fast_as_nnconv():
    folder = peers()
    other = measured("peers_mpnn.py", "nnconv", ATOMS, PAIRS_BATCH, PYTHONPATH=folder)
    own = measured("ours_mpnn.py", "enn-s2s", ATOMS, PAIRS_BATCH)
    compare(f"enn-s2s, 64 hidden, 3 steps, all pairs of {ATOMS} atoms: tenfold, PyTorch Geometric, ratio", own, other)
    assert own["trained"] > 2 * other["trained"]
    assert own["inferred"] > 2 * other["inferred"]


def test_speed_of_painn():
    compare(f"PaiNN, 128 hidden, 3 blocks, {ATOMS} atoms", measured("ours_mpnn.py", "painn", ATOMS, BATCH), {})
