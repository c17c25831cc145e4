"""Speed of this project's networks for test_mpnn, in a separate process on one core: prints one line of JSON.

python ours_mpnn.py dmpnn SMILES.txt BATCH      or      python ours_mpnn.py enn-s2s|painn ATOMS BATCH
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from tenfold.emulators.graph_batches import collate
from tenfold.emulators.graphs import FeatureLayout, Graphs
from tenfold.emulators.losses import masked_gaussian_nll
from tenfold.emulators.mpnn import MPNN, build
from tenfold.emulators.training import RegressionTraining, adamw, regression_step, traced
from tenfold.pipelines.molecules.atom_features import GILMER_LAYOUT
from tenfold.pipelines.molecules.featuriser import Featuriser

ROUNDS = 3
PAIRS = 240
"""Number of generated molecules for the networks of atom pairs."""


def per_cpu_second(work: Callable[[Graphs], object], parts: list[Graphs]) -> float:
    """Return the molecules per CPU second of the fastest of several rounds over all batches, after a warm-up round."""
    seconds = []
    for _ in range(ROUNDS + 1):
        start = time.process_time()
        for part in parts:
            work(part)
        seconds.append(time.process_time() - start)
    return sum(map(len, parts)) / min(seconds[1:])


def rates(graphs: Graphs, layout: FeatureLayout, architecture: MPNN, size: int) -> dict[str, float]:
    """Return the molecules trained and inferred per CPU second, including the collation of batches."""
    network = build(architecture, layout, targets=1)
    optimizer = adamw(RegressionTraining(), 100)
    optimizer.build(network.trainable_variables)

    def loss(targets, outputs):
        return masked_gaussian_nll(targets, tf.ones_like(targets), outputs, [1.0])

    step = regression_step(network, loss, optimizer, lambda tensors: tensors, ragged=True)
    forward = traced(network, ragged=True)

    def train(part: Graphs):
        batch = collate(part, architecture, layout, size)
        return step((batch.inputs, np.zeros((size, 1), np.float32), batch.weights / size))

    def infer(part: Graphs):
        return forward((collate(part, architecture, layout, size).inputs,))

    parts = [graphs.take(np.arange(at, min(at + size, len(graphs)))) for at in range(0, len(graphs), size)]
    return {"trained": per_cpu_second(train, parts), "inferred": per_cpu_second(infer, parts)}


def random_molecules(count: int, atoms: int) -> Graphs:
    """Return random molecules as dense as organic ones: atoms are 1.3 Å from one other and over 0.95 Å from all."""
    rng, positions = np.random.default_rng(0), []
    for _ in range(count):
        placed = [np.zeros(3)]
        while len(placed) < atoms:
            step = rng.normal(size=3)
            position = placed[rng.integers(len(placed))] + 1.3 * step / np.linalg.norm(step)
            if min(np.linalg.norm(position - other) for other in placed) > 0.95:
                placed.append(position)
        positions += placed
    codes = np.zeros((count * atoms, len(GILMER_LAYOUT.atoms)), np.uint8)
    codes[:, 0] = rng.integers(0, 5, len(codes))
    bonds = np.tile(np.stack([np.arange(atoms - 1), np.arange(1, atoms)], axis=1), (count, 1)).astype(np.int32)
    offsets = np.arange(count + 1)
    return Graphs(
        codes, offsets * atoms, bonds,
        np.zeros((len(bonds), len(GILMER_LAYOUT.bonds)), np.uint8), offsets * (atoms - 1),
        np.array(positions, np.float32),
    )  # fmt: skip


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    network, argument, size = sys.argv[1:]
    if network == "dmpnn":
        smiles, featuriser = Path(argument).read_text().split(), Featuriser()
        featuriser.graphs(smiles[:100])
        start = time.process_time()
        graphs, _ = featuriser.graphs(smiles)
        speeds = {"featurised": len(smiles) / (time.process_time() - start)}
        speeds |= rates(graphs, featuriser.layout, MPNN(), int(size))
    else:
        architecture = MPNN(network="painn") if network == "painn" else MPNN(network="enn-s2s", set2set_steps=3)
        speeds = rates(random_molecules(PAIRS, int(argument)), GILMER_LAYOUT, architecture, int(size))
    print(json.dumps(speeds))
