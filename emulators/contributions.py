"""Atomic contributions to predicted properties, and the dipole vectors behind predicted dipole moments."""

from typing import TYPE_CHECKING

import numpy as np

from tenfold.emulators.graph_batches import Batch

if TYPE_CHECKING:
    import keras


def atom_contributions(network: "keras.Model", batch: Batch) -> np.ndarray:
    """Return the contribution of each atom to the prediction of a network with a ``sum`` readout.

    Parameters
    ----------
    network
        Network built by `tenfold.emulators.mpnn.build`; ensemble members are averaged.
    batch
        Batch of molecules laid out for the network.

    Returns
    -------
    (A, T) array
        Contributions in the targets' units (or logits), in the order of the molecules' atoms. The contributions of a
        molecule's atoms sum to its predicted mean. Dipole moments are norms and not additive: their entries are NaN.

    Raises
    ------
    ValueError
        The network pools the atoms before its output layers, so that atoms have no contributions of their own.
    """
    rows = _mean_of(network, "atom_head_", batch)
    if rows is None:
        raise ValueError("network: pools the atoms before its output layers; atoms contribute only with readout sum")
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


def dipole_vectors(network: "keras.Model", batch: Batch) -> np.ndarray:
    """Return the dipole vectors whose norms are the dipole targets.

    Returns
    -------
    (graphs, dipole targets, 3) array
        Components in the targets' units.

    Raises
    ------
    ValueError
        The network was built without dipole targets.
    """
    vectors = _mean_of(network, "dipoles_", batch)
    if vectors is None:
        raise ValueError("network: it has no dipole targets")
    scale = np.array(network.get_layer("property").scale)[network.get_layer("magnitudes_0").dipole]
    return scale[:, None] * vectors[: batch.n_graphs].transpose(0, 2, 1)


def _mean_of(network: "keras.Model", prefix: str, batch: Batch) -> np.ndarray | None:
    """Return the output of the layers with a name prefix, averaged over ensemble members; None without such layers."""
    import keras

    outputs = {layer.name: layer.output for layer in network.layers if layer.name.startswith(prefix)}
    if not outputs:
        return None
    members = keras.Model(network.inputs, outputs)(batch.inputs)
    return np.mean([np.asarray(values) for values in members.values()], axis=0)
