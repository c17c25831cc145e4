"""Attribution of a molecular network's prediction to atoms and bonds: integrated gradients and atom masking."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np

from tenfold.emulators.graph_batches import collate
from tenfold.emulators.graph_layers import FeatureEncoder
from tenfold.emulators.graphs import FeatureLayout, Graphs
from tenfold.emulators.mpnn import MPNN


@dataclass(frozen=True)
class Attribution:
    """Attributions of one prediction to the atoms and bonds of a molecule."""

    atoms: np.ndarray
    """Attribution of each atom, shape (A,), in the unit of the prediction."""
    bonds: np.ndarray
    """Attribution of each bond, shape (B,)."""
    prediction: float
    baseline: float
    """Prediction for the same graph with all atom and bond features removed."""

    @property
    def completeness_error(self) -> float:
        """Absolute difference between the sum of the attributions and prediction − baseline."""
        return abs(self.atoms.sum() + self.bonds.sum() - (self.prediction - self.baseline))


def integrated_gradients(
    network: keras.Model,
    architecture: MPNN,
    layout: FeatureLayout,
    molecule: Graphs,
    target: int,
    steps: int = 32,
    class_code: int = 1,
) -> Attribution:
    """Attribute a prediction to atoms and bonds by integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365).

    The encoded atom and bond features are scaled from 0 to 1. The attribution of an atom or a bond is the integral of
    the prediction's gradient with respect to its scale. Networks that read a geometry have it along the whole path.

    Parameters
    ----------
    network, architecture, layout
        Network built by `tenfold.emulators.mpnn.build`, its architecture and its features; ensemble members are
        averaged.
    molecule
        One molecule.
    target
        Index of the target. For classes the logit is attributed.
    steps
        Points of the Gauss-Legendre rule along the path.
    class_code
        With more than two classes, the class whose logit ln p/(1 − p) is attributed; with two it is always class 1.

    Raises
    ------
    ValueError
        ``molecule`` does not hold exactly one molecule.
    """
    import tensorflow as tf

    if len(molecule) != 1:
        raise ValueError(f"molecule: found {len(molecule)}, must be one")
    padded = collate(molecule, architecture, layout, deduplicate=False)
    inputs = {name: tf.constant(values) for name, values in padded.inputs.items()}
    encoders = {
        name: [encoder for layer in network.layers if isinstance(encoder := getattr(layer, name, None), FeatureEncoder)]
        for name in ("atoms", "bonds")
    }
    rows = _encoded_shapes(architecture, padded.inputs)
    multiclass = max(getattr(network.get_layer("property"), "classes", ()), default=0) > 2

    def predict(gates: dict) -> tf.Tensor:
        with _gated(encoders, gates):
            outputs = network(inputs, training=False)[0, target]
            if multiclass:
                others = tf.concat([outputs[:, :class_code], outputs[:, class_code + 1 :]], axis=-1)
                return tf.reduce_mean(outputs[:, class_code] - tf.reduce_logsumexp(others, axis=-1))
            return tf.reduce_mean(outputs[:, 0])

    def gates_at(position: float) -> dict:
        return {name: tf.fill((*size, 1), np.float32(position)) for name, size in rows.items() if encoders[name]}

    integrals = {name: np.zeros(size) for name, size in rows.items()}
    points, weights = np.polynomial.legendre.leggauss(steps)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        gates = gates_at(point)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for gate in gates.values():
                tape.watch(gate)
            value = predict(gates)
        for name, gradient in tape.gradient(value, gates).items():
            if gradient is not None:
                integrals[name] += weight * np.asarray(gradient)[..., 0]
    atoms, bonds = _per_atom_and_bond(architecture, molecule, integrals)
    return Attribution(atoms, bonds, float(predict(gates_at(1.0))), float(predict(gates_at(0.0))))


def atom_masking(predict: Callable[[Graphs], np.ndarray], layout: FeatureLayout, molecule: Graphs) -> np.ndarray:
    """Return the decrease of the predictions when one atom is masked, its bonds unchanged: shape (A, T).

    Parameters
    ----------
    predict
        Predictions for n molecules, shape (n, T).
    layout
        Features of the atoms. A masked atom has the code "unknown" (the last one) for every one-hot feature and 0 for
        every number.
    molecule
        One molecule.
    """
    count = len(molecule.atoms)
    unknown = np.array([f.width - 1 if f.scale is None else 0 for f in layout.atoms], np.uint8)
    copies = molecule.take(np.zeros(count + 1, np.int64))
    copies.atoms[np.arange(count) * (count + 1)] = unknown  # atom i of copy i; the last copy is unchanged
    predictions = predict(copies)
    return predictions[-1] - predictions[:-1]


def _encoded_shapes(architecture: MPNN, inputs: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the rows of atoms and bonds that the network encodes, without the feature axis."""
    if architecture.network == "dmpnn":
        return {"atoms": inputs["atom_type_codes"].shape[:-1], "bonds": inputs["directed_bond_codes"].shape[:-1]}
    if architecture.network == "painn":
        return {"atoms": inputs["codes"].shape[:-1], "bonds": (0,)}
    return {"atoms": inputs["codes"].shape[:-1], "bonds": inputs["bond_codes"].shape[:-1]}


def _per_atom_and_bond(
    architecture: MPNN, molecule: Graphs, integrals: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Map attributions of encoded rows to the molecule's atoms and bonds, adding both directions of a bond."""
    atoms = integrals["atoms"].reshape(-1)[: len(molecule.atoms)]
    count = len(molecule.bonds)
    if architecture.network == "painn":
        return atoms, np.zeros(count)
    if architecture.network == "dmpnn":
        return atoms, integrals["bonds"][:count] + integrals["bonds"][count : 2 * count]
    first, second = molecule.bonds.T
    slots = len(integrals["bonds"]) // len(integrals["atoms"])  # atoms of the largest molecule: pairs in square blocks
    pairs = integrals["bonds"].reshape(-1, slots, slots)[0]
    return atoms, pairs[first, second] + pairs[second, first]


@contextmanager
def _gated(encoders: dict[str, list[FeatureEncoder]], gates: dict) -> Iterator[None]:
    """Multiply the output of the encoders by gates."""
    try:
        for name, gate in gates.items():
            for encoder in encoders[name]:
                encoder.gate = gate
        yield
    finally:
        for named in encoders.values():
            for encoder in named:
                encoder.gate = None
