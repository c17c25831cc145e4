"""How fast SMILES become graphs, on one core, beside chemprop's featuriser where it is installed (PYTHONPATH).

ESOL's 1,128 molecules of about 13 heavy atoms, from the folder TENFOLD_CHEMISTRY_DATA. CPU seconds; the best of
interleaved rounds is taken, because other work on the machine can only slow a round down.
"""

import csv
import os
import time
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, rdBase

from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.ingest import MoleculeIngest, ingest_molecules

ROUNDS = 7
TARGET = "measured log solubility in mols per litre"

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def esol():
    folder = os.environ.get("TENFOLD_CHEMISTRY_DATA")
    if not folder:
        pytest.skip("TENFOLD_CHEMISTRY_DATA names no folder with delaney-processed.csv")
    return Path(folder) / "delaney-processed.csv"


@pytest.fixture(scope="module")
def smiles(esol):
    with esol.open(newline="") as opened:
        return [row["smiles"] for row in csv.DictReader(opened)]


def test_featurising(smiles):
    rich, gilmer = Featuriser(), Featuriser(features="gilmer")
    ways = {
        "RDKit alone, SMILES to molecule": lambda: [Chem.MolFromSmiles(each) for each in smiles],
        "rich": lambda: rich.graphs(smiles),
        "gilmer": lambda: gilmer.graphs(smiles),
    }
    try:
        from chemprop.featurizers import SimpleMoleculeMolGraphFeaturizer
        from chemprop.utils import make_mol
    except ImportError as error:
        print(f"\nwithout chemprop: {error}")
    else:
        featurise = SimpleMoleculeMolGraphFeaturizer()
        ways["chemprop"] = lambda: [featurise(make_mol(each, keep_h=False, add_h=False)) for each in smiles]
    best = dict.fromkeys(ways, np.inf)
    with rdBase.BlockLogs():
        for _ in range(ROUNDS):
            for name, way in ways.items():
                start = time.process_time()
                way()
                best[name] = min(best[name], time.process_time() - start)
    print()
    for name, seconds in best.items():
        print(
            f"{name:32s} {len(smiles) / seconds:8,.0f} molecules per CPU second, {seconds / len(smiles) * 1e6:.0f} µs"
        )
    if "chemprop" in best:
        print(f"{best['chemprop'] / best['rich']:.2f} times chemprop")


def test_ingest(esol, tmp_path):
    """With InChIKeys, scaffolds and fingerprints, in the process that can be spared."""
    start = os.times()
    molecules = ingest_molecules([esol], tmp_path / "data", MoleculeIngest(targets=(TARGET,), processes=1)).molecules
    end = os.times()
    seconds = sum(
        getattr(end, name) - getattr(start, name) for name in ("user", "system", "children_user", "children_system")
    )
    print(f"\n{molecules} molecules ingested in {seconds:.2f} CPU seconds")
