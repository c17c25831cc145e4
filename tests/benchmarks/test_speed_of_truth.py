"""What an answer costs by DFT, by GFN2 and by a network, for the same molecules: CPU seconds, one core.

Run: pytest tests/benchmarks/test_speed_of_truth.py -s. It takes a quarter of an hour, nearly all of it DFT.

DFT is one B3LYP/6-31G(2df,p) energy at a given geometry: less than QM9 spent, which relaxed every molecule and then
calculated its vibrations, some fifty times the work. Networks have untrained weights, which cost what trained ones do,
and get what each needs ready-made: graphs with positions (painn, enn-s2s), or SMILES (dmpnn).
"""

import os
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from rdkit import Chem

from tenfold.emulators.mpnn import MPNN
from tenfold.pipelines.labels.b3lyp import calculate_b3lyp, free_atom_energy
from tenfold.pipelines.labels.electronic_structure import UNITS
from tenfold.pipelines.labels.gfn2 import calculate_gfn2, relax_geometry
from tenfold.pipelines.molecules.conformers import embed_conformer
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.predictor.config import PredictorConfig, Target
from tenfold.pipelines.predictor.predictor import MoleculePredictor

pytestmark = pytest.mark.benchmark

SMALL = ("O", "CO", "CCO", "CC(=O)NC")
NINE = ("OCC1CC1C(=O)OC", "Cc1ccc(C=O)cn1")
"""Of nine heavy atoms, the size of most of QM9's."""
BATCHES = (1, 32, 256)
NETWORKS = {
    "painn": Featuriser(features="gilmer", hydrogens=True, geometry="embed"),
    "enn-s2s": Featuriser(features="gilmer", hydrogens=True, geometry="embed"),
    "dmpnn": Featuriser(features="rich"),
}


def geometry(smiles: str) -> tuple[np.ndarray, np.ndarray]:
    mol = embed_conformer(Chem.AddHs(Chem.MolFromSmiles(smiles)), seed=1)
    return np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()]), mol.GetConformer().GetPositions()


def cpu_seconds(work: Callable[[], object], rounds: int = 1) -> float:
    """Least CPU time of one call [s]: other work on the machine can only add to it."""
    best = np.inf
    for _ in range(rounds):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def network_seconds(network: str, smiles: Sequence[str], batch: int) -> float:
    """CPU time of one molecule in a batch [s]: from graphs that bring positions, or else from SMILES."""
    featuriser = NETWORKS[network]
    targets = tuple(Target(name=name, unit=unit) for name, unit in UNITS.items())
    config = PredictorConfig(
        architecture=MPNN(network=network), featuriser=featuriser, kind="regression", targets=targets
    )
    predictor = MoleculePredictor(config.network(), config, batch_size=batch)
    repeats = np.arange(max(batch, 4 * len(smiles))) % len(smiles)
    many = [smiles[n] for n in repeats]
    graphs = featuriser.graphs(smiles)[0].take(repeats)
    reads_smiles = featuriser.geometry == "none"

    def answer() -> object:
        return predictor.predict(many) if reads_smiles else predictor.predict_graphs(graphs)

    answer()  # the first call builds the graph
    return cpu_seconds(answer, rounds=5) / len(many)


def compare(smiles: Sequence[str]) -> dict[str, float]:
    """CPU seconds per molecule of every way; prints them with their ratio to DFT."""
    molecules = [geometry(each) for each in smiles]
    for number in {int(number) for numbers, _ in molecules for number in numbers}:
        free_atom_energy(number)  # once for all molecules
    found = {"B3LYP/6-31G(2df,p), one energy": 0.0}
    for each, (numbers, positions) in zip(smiles, molecules, strict=True):
        seconds = cpu_seconds(lambda: calculate_b3lyp(numbers, positions))  # noqa: B023 (called at once)
        print(f"  {each}: {len(numbers)} atoms, {seconds:.1f} s by B3LYP", flush=True)
        found["B3LYP/6-31G(2df,p), one energy"] += seconds / len(smiles)
    ways: dict[str, Callable[[], object]] = {
        "geometry, ETKDGv3 and MMFF94": lambda: [geometry(each) for each in smiles],
        "GFN2-xTB, one energy": lambda: [calculate_gfn2(*each) for each in molecules],
        "GFN2-xTB, relaxed": lambda: [relax_geometry(*each) for each in molecules],
    }
    for name, way in ways.items():
        found[name] = cpu_seconds(way, rounds=3) / len(smiles)
    for network, featuriser in NETWORKS.items():
        given = "from SMILES" if featuriser.geometry == "none" else "geometry given"
        for batch in BATCHES:
            found[f"{network}, {given}, in batches of {batch}"] = network_seconds(network, smiles, batch)
    dft = found["B3LYP/6-31G(2df,p), one energy"]
    for name, seconds in found.items():
        print(f"{name:45s} {seconds * 1e3:12.3f} ms   1/{dft / seconds:,.0f}")
    return found


def test_small_molecules():
    print(f"\n{', '.join(SMALL)}: up to five heavy atoms")
    found = compare(SMALL)
    assert found["GFN2-xTB, one energy"] < found["B3LYP/6-31G(2df,p), one energy"] / 100


def test_nine_heavy_atoms():
    print(f"\n{', '.join(NINE)}: nine heavy atoms; OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}")
    found = compare(NINE)
    dft = found["B3LYP/6-31G(2df,p), one energy"]
    assert dft / found["painn, geometry given, in batches of 256"] > 1e4
    assert dft / found["dmpnn, from SMILES, in batches of 256"] > 1e4
