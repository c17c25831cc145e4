"""CPU time per molecule of DFT, GFN2-xTB and trained networks, for the same molecules on one core.

Run: pytest tests/benchmarks/test_speed_of_labels.py -s. It takes a quarter of an hour, most of which is DFT.

The DFT calculation is a single B3LYP/6-31G(2df,p) energy at a fixed geometry. QM9 cost about fifty times as much,
because every molecule was relaxed and its vibrations were calculated. The networks have untrained weights, which does
not change their cost. Their input is prepared outside the timing: graphs with positions (painn, enn-s2s) or SMILES
(dmpnn).
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
"""Molecules of nine heavy atoms, as most in QM9."""
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
    """Return the smallest CPU time of one call over several rounds [s]; other processes can only add to it."""
    best = np.inf
    for _ in range(rounds):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def network_seconds(network: str, smiles: Sequence[str], batch: int) -> float:
    """Return the CPU time per molecule in a batch [s], from graphs with positions or from SMILES."""
    featuriser = NETWORKS[network]
    targets = tuple(Target(name=name, unit=unit) for name, unit in UNITS.items())
    config = PredictorConfig(
        architecture=MPNN(network=network), featuriser=featuriser, kind="regression", targets=targets
    )
    predictor = MoleculePredictor(config.network(), config, batch_size=batch)
    repeats = np.arange(max(batch, 4 * len(smiles))) % len(smiles)
    batch_smiles = [smiles[n] for n in repeats]
    graphs = featuriser.graphs(smiles)[0].take(repeats)
    reads_smiles = featuriser.geometry == "none"

    def predict() -> object:
        return predictor.predict(batch_smiles) if reads_smiles else predictor.predict_graphs(graphs)

    predict()  # the first call traces the network
    return cpu_seconds(predict, rounds=5) / len(batch_smiles)


def compare(smiles: Sequence[str]) -> dict[str, float]:
    """Return the CPU time per molecule of each method [s], and print it with its ratio to DFT."""
    molecules = [geometry(text) for text in smiles]
    for atomic_number in {int(z) for numbers, _ in molecules for z in numbers}:
        free_atom_energy(atomic_number)  # cached, so that no molecule is charged for it
    seconds = {"B3LYP/6-31G(2df,p), one energy": 0.0}
    for text, (numbers, positions) in zip(smiles, molecules, strict=True):
        dft_seconds = cpu_seconds(lambda: calculate_b3lyp(numbers, positions))  # noqa: B023 (called at once)
        print(f"  {text}: {len(numbers)} atoms, B3LYP {dft_seconds:.1f} s", flush=True)
        seconds["B3LYP/6-31G(2df,p), one energy"] += dft_seconds / len(smiles)
    methods: dict[str, Callable[[], object]] = {
        "geometry, ETKDGv3 and MMFF94": lambda: [geometry(text) for text in smiles],
        "GFN2-xTB, one energy": lambda: [calculate_gfn2(*molecule) for molecule in molecules],
        "GFN2-xTB, relaxed": lambda: [relax_geometry(*molecule) for molecule in molecules],
    }
    for name, method in methods.items():
        seconds[name] = cpu_seconds(method, rounds=3) / len(smiles)
    for network, featuriser in NETWORKS.items():
        network_input = "from SMILES" if featuriser.geometry == "none" else "from geometry"
        for batch in BATCHES:
            seconds[f"{network}, {network_input}, batches of {batch}"] = network_seconds(network, smiles, batch)
    dft = seconds["B3LYP/6-31G(2df,p), one energy"]
    for name, value in seconds.items():
        print(f"{name:45s} {value * 1e3:12.3f} ms   speed-up over DFT {dft / value:,.0f}")
    return seconds


def test_small_molecules():
    print(f"\n{', '.join(SMALL)}: up to five heavy atoms")
    seconds = compare(SMALL)
    assert seconds["GFN2-xTB, one energy"] < seconds["B3LYP/6-31G(2df,p), one energy"] / 100


def test_nine_heavy_atoms():
    print(f"\n{', '.join(NINE)}: nine heavy atoms; OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}")
    seconds = compare(NINE)
    dft = seconds["B3LYP/6-31G(2df,p), one energy"]
    assert dft / seconds["painn, from geometry, batches of 256"] > 1e4
    assert dft / seconds["dmpnn, from SMILES, batches of 256"] > 1e4
