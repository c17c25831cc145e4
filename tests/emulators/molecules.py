"""Small random molecular graphs for the tests of graph networks."""

import numpy as np

from tenfold.emulators.graphs import Feature, FeatureLayout, Graphs

LAYOUT = FeatureLayout(
    atoms=(Feature("element", 5), Feature("degree", 6), Feature("mass", 255, scale=0.01)),
    bonds=(Feature("type", 4), Feature("ring", 2)),
)


def random_molecules(sizes=(5, 1, 9, 2, 14), seed: int = 0) -> Graphs:
    """Random trees of the given sizes, with a ring in the larger ones; bonded atoms are 1.4 Å apart."""
    rng = np.random.default_rng(seed)
    parts = []
    for size in sizes:
        bonds = [(int(rng.integers(max(0, i - 3), i)), i) for i in range(1, size)]
        if size > 5 and (0, size - 1) not in bonds:
            bonds.append((0, size - 1))
        positions = np.zeros((size, 3))
        for parent, child in bonds[: size - 1]:
            step = rng.normal(size=3)
            positions[child] = positions[parent] + 1.4 * step / np.linalg.norm(step)
        parts.append(molecule(rng.integers(0, 5, size), bonds, rng, positions))
    return Graphs.join(parts)


def molecule(elements, bonds, rng, positions=None) -> Graphs:
    """Return a molecule of given elements and bonds; degree and mass follow, bond codes are random."""
    bonds = np.array(bonds, np.int32).reshape(-1, 2)
    degree = np.bincount(bonds.ravel(), minlength=len(elements))
    codes = np.stack([elements, degree, 12 + 2 * np.asarray(elements)], axis=1).astype(np.uint8)
    drawn = np.stack([rng.integers(0, 4, len(bonds)), rng.integers(0, 2, len(bonds))], axis=1).astype(np.uint8)
    return Graphs(
        codes, np.array([0, len(elements)]), bonds, drawn, np.array([0, len(bonds)]),
        None if positions is None else np.asarray(positions, np.float32),
    )  # fmt: skip


def permuted(graph: Graphs, order: np.ndarray, rng) -> Graphs:
    """Return the same molecule with permuted atoms and bonds, and random bond directions."""
    place = np.argsort(order)
    shuffle = rng.permutation(len(graph.bonds))
    bonds = place[graph.bonds[shuffle]].astype(np.int32)
    swap = rng.random(len(bonds)) < 0.5
    bonds[swap] = bonds[swap, ::-1]
    return Graphs(
        graph.atoms[order], graph.atom_offsets, bonds, graph.bond_features[shuffle], graph.bond_offsets,
        None if graph.positions is None else graph.positions[order],
    )  # fmt: skip


def encode(codes: np.ndarray, features) -> np.ndarray:
    """Encode feature codes: one-hot, or times the scale."""
    parts = [
        np.eye(f.width)[codes[:, i]] if f.scale is None else codes[:, i : i + 1] * f.scale
        for i, f in enumerate(features)
    ]
    return np.concatenate(parts, axis=1)
