"""Speed of chemprop and PyTorch Geometric for test_mpnn, in a separate process: prints one line of JSON.

python peers_mpnn.py chemprop SMILES.txt BATCH      or      python peers_mpnn.py nnconv ATOMS BATCH
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

ROUNDS = 3


def per_cpu_second(work: Callable[[object], object], batches: Sequence, molecules: int) -> float:
    """Return the molecules per CPU second of the fastest of several rounds over all batches, after a warm-up round."""
    work(batches[0])
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for batch in batches:
            work(batch)
        seconds.append(time.process_time() - start)
    return molecules / min(seconds)


def chemprop(path: str, batch: int) -> dict[str, float]:
    """Measure the D-MPNN of chemprop at its defaults: 300 hidden units, 3 steps, mean over atoms."""
    from chemprop import data, models, nn

    smiles = Path(path).read_text().split()
    points = [data.MoleculeDatapoint.from_smi(text, [0.5]) for text in smiles]
    start = time.process_time()
    points = [data.MoleculeDatapoint.from_smi(text, [0.5]) for text in smiles]
    dataset = data.MoleculeDataset(points)
    dataset.cache = True
    featurised = len(smiles) / (time.process_time() - start)
    network = models.MPNN(nn.BondMessagePassing(), nn.MeanAggregation(), nn.RegressionFFN())
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    collate = data.build_dataloader(dataset, batch_size=batch, shuffle=False).collate_fn
    batches = [range(at, min(at + batch, len(smiles))) for at in range(0, len(smiles), batch)]

    def train(indices):
        collated = collate([dataset[i] for i in indices])
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(network(collated.bmg), collated.Y).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    def infer(indices):
        with torch.inference_mode():
            return network(collate([dataset[i] for i in indices]).bmg)

    trained = per_cpu_second(train, batches, len(smiles))
    network.eval()
    return {"featurised": featurised, "trained": trained, "inferred": per_cpu_second(infer, batches, len(smiles))}


def nnconv(atoms: int, batch: int) -> dict[str, float]:
    """Measure NNConv as in the QM9 example of PyTorch Geometric: 64 hidden units, 3 steps, all pairs, GRU, set2set."""
    from torch_geometric.nn import NNConv, Set2Set

    class Network(torch.nn.Module):
        def __init__(self, d: int = 64):
            super().__init__()
            self.start = torch.nn.Linear(13, d)
            edge = torch.nn.Sequential(torch.nn.Linear(5, 128), torch.nn.ReLU(), torch.nn.Linear(128, d * d))
            self.messages, self.update = NNConv(d, d, edge, aggr="add"), torch.nn.GRU(d, d)
            self.readout = Set2Set(d, processing_steps=3)
            self.head = torch.nn.Sequential(torch.nn.Linear(2 * d, d), torch.nn.ReLU(), torch.nn.Linear(d, 1))

        def forward(self, x, pairs, features, graph):
            x = torch.relu(self.start(x))
            state = x[None]
            for _ in range(3):
                x, state = self.update(torch.relu(self.messages(x, pairs, features))[None], state)
                x = x[0]
            return self.head(self.readout(x, graph))

    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    pairs_of_molecule = torch.combinations(torch.arange(atoms)).T
    pairs_of_molecule = torch.cat([pairs_of_molecule, pairs_of_molecule.flip(0)], dim=1)
    pairs = torch.cat([pairs_of_molecule + i * atoms for i in range(batch)], dim=1)
    graph = torch.repeat_interleave(torch.arange(batch), atoms)
    inputs = torch.randn(batch * atoms, 13), pairs, torch.randn(pairs.shape[1], 5), graph

    def train(_):
        optimizer.zero_grad()
        network(*inputs).square().mean().backward()
        optimizer.step()

    def infer(_):
        with torch.inference_mode():
            return network(*inputs)

    return {name: per_cpu_second(work, [0, 1], 2 * batch) for name, work in (("trained", train), ("inferred", infer))}


if __name__ == "__main__":
    torch.set_num_threads(1)
    library, argument, size = sys.argv[1:]
    print(json.dumps(chemprop(argument, int(size)) if library == "chemprop" else nnconv(int(argument), int(size))))
