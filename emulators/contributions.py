"""What a trained network of molecules knows beside its answer: each atom's share, and the vectors behind dipoles."""

from typing import TYPE_CHECKING

import numpy as np

from tenfold.emulators.graph_batches import Batch

if TYPE_CHECKING:
    import keras


def contributions(network: "keras.Model", batch: Batch) -> np.ndarray:
    """What each atom adds to a prediction, of a network with a ``sum`` readout.

    Parameters
    ----------
    network
        As `build` returns it; members of an ensemble are averaged.
    batch
        Molecules, laid out for it.

    Returns
    -------
    (A, T) array
        In the targets' units (or logits), by atom in the order of the molecules. A molecule's atoms add up to its mean;
        lengths of dipoles do not add up and are NaN.

    Raises
    ------
    ValueError
        The network makes molecules of atoms before its head, so that no atom has a share of its own.
    """
    rows = _mean_of(network, "atom_head_", batch)
    if rows is None:
        raise ValueError("network: it makes molecules of atoms before its head, so atoms have no shares: readout sum")
    if "atom" in batch.inputs:
        rows = rows[batch.inputs["atom"]]
    graph, element = (batch.inputs[name][: batch.n_atoms] for name in ("graph", "element"))
    shares = network.get_layer("property").atom_contributions(
        rows[: batch.n_atoms], batch.inputs["size"][graph], element
    )
    for layer in network.layers:
        if layer.name == "magnitudes_0":
            shares[:, layer.dipole] = np.nan
    return shares


def dipoles(network: "keras.Model", batch: Batch) -> np.ndarray:
    """Vectors whose lengths the dipole targets are, shape (graphs, dipole targets, 3), in the targets' units.

    Raises
    ------
    ValueError
        The network was not built with dipole targets.
    """
    vectors = _mean_of(network, "dipoles_", batch)
    if vectors is None:
        raise ValueError("network: it has no dipole targets")
    scale = np.array(network.get_layer("property").scale)[network.get_layer("magnitudes_0").dipole]
    return scale[:, None] * vectors[: batch.n_graphs].transpose(0, 2, 1)


def _mean_of(network: "keras.Model", prefix: str, batch: Batch) -> np.ndarray | None:
    """What each member's layer of that name makes of a batch, averaged; None if there is no such layer."""
    import keras

    outputs = {layer.name: layer.output for layer in network.layers if layer.name.startswith(prefix)}
    if not outputs:
        return None
    found = keras.Model(network.inputs, outputs)(batch.inputs)
    return np.mean([np.asarray(values) for values in found.values()], axis=0)
