"""Batches of molecules: composition of the batches of an epoch, and their padded input arrays."""

from dataclasses import dataclass

import numpy as np

from tenfold.emulators.graph_layouts import LAYOUTS, PaddedArrays
from tenfold.emulators.graphs import FeatureLayout, Graphs
from tenfold.emulators.mpnn import MPNN


@dataclass(frozen=True)
class Batch:
    """Padded network inputs of a batch of molecules."""

    inputs: dict[str, np.ndarray]
    """Arrays by input name."""
    n_graphs: int
    """Number of molecules; the rows of the output beyond them are padding."""
    capacity: int
    """Number of rows of the output."""
    n_atoms: int
    """Number of atoms of all molecules."""
    padding_fraction: float
    """Fraction of the input rows that are padding."""

    @property
    def weights(self) -> np.ndarray:
        """1 for molecules and 0 for padding, shape (capacity,), float32."""
        return (np.arange(self.capacity) < self.n_graphs).astype(np.float32)


def collate(
    graphs: Graphs, architecture: MPNN, layout: FeatureLayout, capacity: int = 0, *, deduplicate: bool = True
) -> Batch:
    """Build the padded inputs of a network from molecular graphs.

    Parameters
    ----------
    graphs
        G molecules; with positions if the network reads geometry.
    architecture, layout
        Architecture and feature layout with which the network was built.
    capacity
        Number of rows of the output, at least G; 0: G.
    deduplicate
        Whether a D-MPNN computes equal environments of the batch once. The result is the same, except that dropout
        between the steps then acts on all copies of an environment together. False: every atom and bond keeps its own
        number.

    Raises
    ------
    ValueError
        There are more molecules than the capacity, a molecule has no atoms, the codes do not match the layout, or
        positions are missing.
    """
    count, capacity = len(graphs), capacity or len(graphs)
    if not 0 < count <= capacity:
        raise ValueError(f"graphs: found {count}, must be from 1 to the capacity, {capacity}")
    if graphs.sizes.min() < 1:
        raise ValueError(f"graphs: molecule {int(np.argmin(graphs.sizes))} has no atoms")
    for name, codes, features in (("atoms", graphs.atoms, layout.atoms), ("bonds", graphs.bond_features, layout.bonds)):
        if codes.shape[1] != len(features):
            raise ValueError(f"{name}: found {codes.shape[1]} columns of codes, the layout has {len(features)}")
    if architecture.geometric and graphs.positions is None:
        raise ValueError(f"positions: missing, but {architecture.network} reads geometry; set ingest.geometry")
    rows = PaddedArrays({"graph": count}, {"graph": capacity + 1})
    rows.add("size", "graph", graphs.sizes.astype(np.float32))
    rows.add("graph", "atom", np.repeat(np.arange(count), graphs.sizes), "graph")
    rows.add("element", "atom", graphs.atoms[:, 0], dtype=np.int32)
    LAYOUTS[architecture.network](rows, graphs, architecture, deduplicate)
    return Batch(rows.arrays, count, capacity, len(graphs.atoms), rows.padding_fraction)


def plan_batches(order: np.ndarray, sizes: np.ndarray, global_batch: int, window: int = 1) -> list[np.ndarray]:
    """Divide the molecules of an epoch into batches, each molecule in exactly one.

    Parameters
    ----------
    order
        Order of the epoch: a permutation of the indices of the molecules, equal on all ranks.
    sizes
        Number of atoms of each molecule, by index.
    global_batch
        Molecules per batch over all ranks; the last batch may have fewer.
    window
        Number of consecutive batches whose molecules are sorted by size together (bucketing), for networks that pad
        every molecule to the largest; 1: keep the order.

    Returns
    -------
    list of (n,) arrays
        Indices, largest molecule first if the window is above 1, so that the ranks get molecules of similar size.
    """
    order = np.asarray(order, np.int64)
    if window == 1:
        return [order[start : start + global_batch] for start in range(0, len(order), global_batch)]
    batches = []
    for start in range(0, len(order), window * global_batch):
        part = order[start : start + window * global_batch]
        by_size = np.argsort(-np.asarray(sizes)[part], kind="stable")
        buckets = [by_size[i : i + global_batch] for i in range(0, len(part), global_batch)]
        # batches follow the random order of their largest molecules, so that large molecules do not always come first
        buckets.sort(key=lambda bucket: (len(bucket) < global_batch, bucket[0]))
        batches += [part[bucket] for bucket in buckets]
    return batches
