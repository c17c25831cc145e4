"""Attributions sum to the prediction, for every network, and are on the features that it reads."""

import numpy as np
import pytest

from tenfold.emulators.attributions import atom_masking, integrated_gradients
from tenfold.emulators.graph_batches import collate
from tenfold.emulators.graphs import Feature, FeatureLayout, Graphs
from tenfold.emulators.mpnn import MPNN, build

LAYOUT = FeatureLayout(
    atoms=(Feature("element", 4), Feature("charge", 3), Feature("mass", 256, 0.01)), bonds=(Feature("type", 3),)
)


def ring() -> Graphs:
    """Return a ring of five atoms with one more attached."""
    generator = np.random.default_rng(1)
    atoms = np.stack([generator.integers(0, 3, 6), generator.integers(0, 2, 6), generator.integers(1, 40, 6)], axis=1)
    bonds = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 0], [4, 5]], np.int32)
    angle = 2 * np.pi * np.arange(5) / 5
    positions = np.stack([1.3 * np.cos(angle), 1.3 * np.sin(angle), 0 * angle], axis=1)
    positions = np.concatenate([positions, [[2.5, -1.5, 0.3]]])
    return Graphs(
        atoms.astype(np.uint8), np.array([0, 6]), bonds, np.array([[0], [1], [0], [1], [0], [2]], np.uint8),
        np.array([0, 6]), positions.astype(np.float32),
    )  # fmt: skip


def network(architecture: MPNN):
    """Return a network whose last layer, initialised near zero, has larger weights."""
    model = build(architecture, LAYOUT, targets=1, seed=3)
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if "last" in variable.path and variable.path.endswith("kernel"):
            variable.assign(0.3 * generator.standard_normal(variable.shape))
    return model


@pytest.mark.parametrize("name", ["dmpnn", "enn-s2s", "painn"])
def test_attributions_sum_to_the_prediction(name):
    architecture = MPNN(network=name, hidden=16, dense_units=(16,), ensemble_size=2)
    attribution = integrated_gradients(network(architecture), architecture, LAYOUT, ring(), 0, steps=64)
    assert attribution.atoms.shape == attribution.bonds.shape == (6,)
    assert abs(attribution.prediction - attribution.baseline) > 1e-3
    assert attribution.completeness_error < 0.01 * abs(attribution.prediction - attribution.baseline)
    assert (np.abs(attribution.bonds).max() > 0) == (name != "painn")  # which reads no bonds


@pytest.mark.parametrize("name", ["dmpnn", "enn-s2s", "painn"])
def test_attributions_are_equivariant_to_the_order_of_atoms_and_bonds(name):
    architecture = MPNN(network=name, hidden=16, dense_units=(16,))
    model, molecule = network(architecture), ring()
    order = np.array([3, 5, 0, 1, 4, 2])
    rank = np.argsort(order)
    assert molecule.positions is not None
    permuted = Graphs(
        molecule.atoms[order], molecule.atom_offsets, rank[molecule.bonds[::-1]].astype(np.int32),
        molecule.bond_features[::-1], molecule.bond_offsets, molecule.positions[order],
    )  # fmt: skip
    before, after = (
        integrated_gradients(model, architecture, LAYOUT, graphs, 0, steps=8) for graphs in (molecule, permuted)
    )
    np.testing.assert_allclose(after.atoms, before.atoms[order], atol=1e-5)
    np.testing.assert_allclose(after.bonds, before.bonds[::-1], atol=1e-5)


def test_only_the_masked_atom_is_unknown():
    calls = []

    def predict(graphs: Graphs) -> np.ndarray:
        calls.append(graphs)
        return graphs.atoms[:, 2].reshape(len(graphs), -1).sum(axis=1, keepdims=True).astype(float)

    molecule = ring()
    fall = atom_masking(predict, LAYOUT, molecule)
    np.testing.assert_array_equal(fall[:, 0], molecule.atoms[:, 2])  # a number becomes 0: the sum falls by itself
    (copies,) = calls
    for atom in range(6):
        masked = copies.take(np.array([atom])).atoms
        assert masked[atom].tolist() == [3, 2, 0]
        np.testing.assert_array_equal(np.delete(masked, atom, 0), np.delete(molecule.atoms, atom, 0))


@pytest.mark.parametrize("class_code", [0, 2])
def test_attributions_of_a_class_sum_to_its_logit(class_code):
    architecture = MPNN(network="dmpnn", hidden=16, dense_units=(16,))
    model = build(architecture, LAYOUT, targets=1, kind="classification", classes=[3], seed=3)
    last = model.get_layer("head_0").last.kernel
    last.assign(0.3 * np.random.default_rng(0).standard_normal(last.shape))
    attribution = integrated_gradients(model, architecture, LAYOUT, ring(), 0, steps=64, class_code=class_code)
    logits = np.asarray(model(collate(ring(), architecture, LAYOUT).inputs))[0, 0, 0]
    chance = np.exp(logits) / np.exp(logits).sum()
    assert attribution.prediction == pytest.approx(np.log(chance[class_code] / (1 - chance[class_code])), rel=1e-4)
    assert attribution.completeness_error < 0.01 * abs(attribution.prediction - attribution.baseline)
