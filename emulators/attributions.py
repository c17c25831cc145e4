"""What a network of molecules looks at: how much of an answer each atom and each bond accounts for."""

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
    """Shares of one answer of a network."""

    atoms: np.ndarray
    """Of each atom, shape (A,), in the unit of the answer."""
    bonds: np.ndarray
    """Of each bond, shape (B,)."""
    answer: float
    baseline: float
    """Answer for the same graph, told nothing of its atoms and bonds."""

    @property
    def completeness_error(self) -> float:
        """How far the shares are from adding up to answer - baseline."""
        return abs(self.atoms.sum() + self.bonds.sum() - (self.answer - self.baseline))


def integrated_gradients(
    network: keras.Model,
    shape: MPNN,
    layout: FeatureLayout,
    molecule: Graphs,
    target: int,
    steps: int = 32,
    code: int = 1,
) -> Attribution:
    """Share an answer out by integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365).

    All that the network is told of atoms and bonds is faded in from nothing; the gradient on the way, times what is
    faded in, is each atom's and bond's share. The geometry, for networks that read one, is there from the beginning.

    Parameters
    ----------
    network, shape, layout
        As built by `tenfold.emulators.mpnn.build`; members of an ensemble are averaged.
    molecule
        One molecule.
    target
        Number of the target; of classes the logit is shared out.
    steps
        Points of the Gauss-Legendre rule along the path.
    code
        Of more than two classes, the one whose logit, ln p/(1 − p), is shared out; of two it is always that of 1.

    Raises
    ------
    ValueError
        There is not exactly one molecule.
    """
    import tensorflow as tf

    if len(molecule) != 1:
        raise ValueError(f"molecule: found {len(molecule)}, must be one")
    made = collate(molecule, shape, layout, deduplicate=False)
    inputs = {name: tf.constant(values) for name, values in made.inputs.items()}
    encoders = {name: [one for layer in network.layers if isinstance(one := getattr(layer, name, None), FeatureEncoder)]
                for name in ("atoms", "bonds")}  # fmt: skip
    rows = _rows(shape, made.inputs)
    classes = max(getattr(network.get_layer("property"), "classes", ()), default=0) > 2

    def answer(gates: dict) -> tf.Tensor:
        with _gated(encoders, gates):
            outputs = network(inputs, training=False)[0, target]
            if classes:
                others = tf.concat([outputs[:, :code], outputs[:, code + 1 :]], axis=-1)
                return tf.reduce_mean(outputs[:, code] - tf.reduce_logsumexp(others, axis=-1))
            return tf.reduce_mean(outputs[:, 0])

    def gates(fade: float) -> dict:
        return {name: tf.fill((*size, 1), np.float32(fade)) for name, size in rows.items() if encoders[name]}

    shares = {name: np.zeros(size) for name, size in rows.items()}
    points, weights = np.polynomial.legendre.leggauss(steps)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        here = gates(point)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for gate in here.values():
                tape.watch(gate)
            value = answer(here)
        for name, gradient in tape.gradient(value, here).items():
            if gradient is not None:
                shares[name] += weight * np.asarray(gradient)[..., 0]
    atoms, bonds = _by_bond(shape, molecule, shares)
    return Attribution(atoms, bonds, float(answer(gates(1.0))), float(answer(gates(0.0))))


def masking(predict: Callable[[Graphs], np.ndarray], layout: FeatureLayout, molecule: Graphs) -> np.ndarray:
    """By how much an answer falls when one atom is made unknown, its bonds staying: shape (A, T).

    Parameters
    ----------
    predict
        Answers to n molecules, shape (n, T).
    layout
        What the codes are; an unknown atom has the last code of everything that is one-hot, and 0 of every number.
    molecule
        One molecule.
    """
    count = len(molecule.atoms)
    unknown = np.array([f.width - 1 if f.scale is None else 0 for f in layout.atoms], np.uint8)
    copies = molecule.take(np.zeros(count + 1, np.int64))
    copies.atoms[np.arange(count) * (count + 1)] = unknown  # atom i of copy i; the last copy stays whole
    answers = predict(copies)
    return answers[-1] - answers[:-1]


def _rows(shape: MPNN, inputs: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Shape of what the network's encoders read, without the codes themselves."""
    if shape.network == "dmpnn":
        return {"atoms": inputs["atom_type_codes"].shape[:-1], "bonds": inputs["directed_bond_codes"].shape[:-1]}
    if shape.network == "painn":
        return {"atoms": inputs["codes"].shape[:-1], "bonds": (0,)}
    return {"atoms": inputs["codes"].shape[:-1], "bonds": inputs["bond_codes"].shape[:-1]}


def _by_bond(shape: MPNN, molecule: Graphs, shares: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the rows a network reads, as shares of the molecule's atoms and bonds, both directions together."""
    atoms = shares["atoms"].reshape(-1)[: len(molecule.atoms)]
    count = len(molecule.bonds)
    if shape.network == "painn":
        return atoms, np.zeros(count)
    if shape.network == "dmpnn":
        return atoms, shares["bonds"][:count] + shares["bonds"][count : 2 * count]
    first, second = molecule.bonds.T
    slots = len(shares["bonds"]) // len(shares["atoms"])  # of the largest molecule: pairs lie in square blocks
    pairs = shares["bonds"].reshape(-1, slots, slots)[0]
    return atoms, pairs[first, second] + pairs[second, first]


@contextmanager
def _gated(encoders: dict[str, list[FeatureEncoder]], gates: dict) -> Iterator[None]:
    """Let encoders multiply what they tell by gates."""
    try:
        for name, gate in gates.items():
            for encoder in encoders[name]:
                encoder.gate = gate
        yield
    finally:
        for every in encoders.values():
            for encoder in every:
                encoder.gate = None
