"""Batches of molecules: from ragged arrays to what a network reads, in few shapes, and how much of it is padding."""

from dataclasses import dataclass

import numpy as np

from tenfold.emulators.graph_layouts import LAYOUTS, PaddedArrays
from tenfold.emulators.graphs import FeatureLayout, Graphs
from tenfold.emulators.mpnn import MPNN


@dataclass(frozen=True)
class Batch:
    """What a network reads of some molecules."""

    inputs: dict[str, np.ndarray]
    """Arrays by the names of the network's inputs."""
    n_graphs: int
    """Molecules; the outputs behind them fill the shape."""
    capacity: int
    """Rows of the network's output."""
    n_atoms: int
    """Atoms of all molecules."""
    padding_fraction: float
    """Share of the inputs' rows that only fill the shape."""

    @property
    def weights(self) -> np.ndarray:
        """1 for each molecule and 0 for what fills the shape, shape (capacity,), float32."""
        return (np.arange(self.capacity) < self.n_graphs).astype(np.float32)


def collate(
    graphs: Graphs, architecture: MPNN, layout: FeatureLayout, capacity: int = 0, *, deduplicate: bool = True
) -> Batch:
    """Lay molecules out for a network.

    Parameters
    ----------
    graphs
        G molecules; with positions for networks that read the geometry.
    architecture, layout
        The network and its features, as it was built.
    capacity
        Rows of the network's output, at least G; 0: G.
    deduplicate
        Whether a directed network works alike environments of the batch out once. The outcome is the same, but for
        dropout between steps, which then strikes them together. False numbers everything as the molecules do.

    Raises
    ------
    ValueError
        There are more molecules than the capacity, one has no atoms, codes do not fit the layout, or positions are
        missing.
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
        raise ValueError(f"positions: none, and {architecture.network} reads the geometry: ingest with geometry")
    rows = PaddedArrays({"graph": count}, {"graph": capacity + 1})
    rows.add("size", "graph", graphs.sizes.astype(np.float32))
    rows.add("graph", "atom", np.repeat(np.arange(count), graphs.sizes), "graph")
    rows.add("element", "atom", graphs.atoms[:, 0], dtype=np.int32)
    LAYOUTS[architecture.network](rows, graphs, architecture, deduplicate)
    return Batch(rows.arrays, count, capacity, len(graphs.atoms), rows.padding_fraction)


def plan_batches(order: np.ndarray, sizes: np.ndarray, global_batch: int, window: int = 1) -> list[np.ndarray]:
    """Group an epoch's molecules into batches; each is in exactly one.

    Parameters
    ----------
    order
        The epoch's order: a permutation of the molecules' indices, the same on every rank.
    sizes
        Atoms of each molecule, by index.
    global_batch
        Molecules of a batch, over all ranks; the last one may have fewer.
    window
        Batches among whose molecules those of about one size are put together, for networks that pad each molecule to
        the largest; 1 leaves the order as it is.

    Returns
    -------
    list of (n,) arrays
        Indices, largest molecule first where the window is above 1, so that shares of every r-th are of about one size.
    """
    order = np.asarray(order, np.int64)
    if window == 1:
        return [order[at : at + global_batch] for at in range(0, len(order), global_batch)]
    batches = []
    for at in range(0, len(order), window * global_batch):
        part = order[at : at + window * global_batch]
        by_size = np.argsort(-np.asarray(sizes)[part], kind="stable")
        cut = [by_size[i : i + global_batch] for i in range(0, len(part), global_batch)]
        # large molecules must not always come first: each batch's turn is its largest molecule's place in the order
        cut.sort(key=lambda places: (len(places) < global_batch, places[0]))
        batches += [part[places] for places in cut]
    return batches
