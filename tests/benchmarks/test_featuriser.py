"""Featurisation rate of SMILES on one core, compared with chemprop if it is installed (PYTHONPATH).

ESOL's 1,128 molecules of about 13 heavy atoms, from the folder TENFOLD_CHEMISTRY_DATA. CPU seconds; the fastest of
interleaved rounds counts, because other work on the machine can only slow a round down.
"""

import csv
import os
import time

import numpy as np
import pytest
from rdkit import Chem, rdBase

from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.ingest import MoleculeIngest, ingest_molecules

ROUNDS = 7
TARGET = "measured log solubility in mols per litre"

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def esol(chemistry_data):
    return chemistry_data / "delaney-processed.csv"


@pytest.fixture(scope="module")
def smiles(esol):
    with esol.open(newline="") as opened:
        return [row["smiles"] for row in csv.DictReader(opened)]


def test_speed_of_featurisation(smiles):
    rich, gilmer = Featuriser(), Featuriser(features="gilmer")
    methods = {
        "RDKit alone, SMILES to molecule": lambda: [Chem.MolFromSmiles(text) for text in smiles],
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
        methods["chemprop"] = lambda: [featurise(make_mol(text, keep_h=False, add_h=False)) for text in smiles]
    best = dict.fromkeys(methods, np.inf)
    with rdBase.BlockLogs():
        for _ in range(ROUNDS):
            for name, method in methods.items():
                start = time.process_time()
                method()
                best[name] = min(best[name], time.process_time() - start)
    print()
    for name, seconds in best.items():
        print(
            f"{name:32s} {len(smiles) / seconds:8,.0f} molecules per CPU second, {seconds / len(smiles) * 1e6:.0f} µs"
        )
    if "chemprop" in best:
        print(f"{best['chemprop'] / best['rich']:.2f} times chemprop")


def test_speed_of_ingestion(esol, tmp_path):
    """With InChIKeys, scaffolds and fingerprints, in the isolated process."""
    start = os.times()
    molecules = ingest_molecules([esol], tmp_path / "data", MoleculeIngest(targets=(TARGET,), processes=1)).molecules
    end = os.times()
    seconds = sum(
        getattr(end, name) - getattr(start, name) for name in ("user", "system", "children_user", "children_system")
    )
    print(f"\n{molecules} molecules ingested in {seconds:.2f} CPU seconds")
