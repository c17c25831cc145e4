"""Shares of an answer add up to it, whichever network gave it, and fall on what the network was told."""

import numpy as np
import pytest

from tenfold.emulators.attributions import integrated_gradients, masking
from tenfold.emulators.graph_batches import collate
from tenfold.emulators.graphs import Feature, FeatureLayout, Graphs
from tenfold.emulators.mpnn import MPNN, build

LAYOUT = FeatureLayout(
    atoms=(Feature("element", 4), Feature("charge", 3), Feature("mass", 256, 0.01)), bonds=(Feature("type", 3),)
)


def ring() -> Graphs:
    """Five atoms in a ring and one beside it."""
    generator = np.random.default_rng(1)
    atoms = np.stack([generator.integers(0, 3, 6), generator.integers(0, 2, 6), generator.integers(1, 40, 6)], axis=1)
    bonds = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 0], [4, 5]], np.int32)
    angle = 2 * np.pi * np.arange(5) / 5
    places = np.stack([1.3 * np.cos(angle), 1.3 * np.sin(angle), 0 * angle], axis=1)
    places = np.concatenate([places, [[2.5, -1.5, 0.3]]])
    return Graphs(
        atoms.astype(np.uint8), np.array([0, 6]), bonds, np.array([[0], [1], [0], [1], [0], [2]], np.uint8),
        np.array([0, 6]), places.astype(np.float32),
    )  # fmt: skip


def network(shape: MPNN):
    """A network whose last layer, which begins near zero, says something."""
    model = build(shape, LAYOUT, targets=1, seed=3)
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if "last" in variable.path and variable.path.endswith("kernel"):
            variable.assign(0.3 * generator.standard_normal(variable.shape))
    return model


@pytest.mark.parametrize("name", ["dmpnn", "enn-s2s", "painn"])
def test_shares_add_up_to_what_the_network_says(name):
    shape = MPNN(network=name, hidden=16, dense=(16,), ensemble_size=2)
    found = integrated_gradients(network(shape), shape, LAYOUT, ring(), 0, steps=64)
    assert found.atoms.shape == found.bonds.shape == (6,)
    assert abs(found.answer - found.baseline) > 1e-3
    assert found.completeness_error < 0.01 * abs(found.answer - found.baseline)
    assert (np.abs(found.bonds).max() > 0) == (name != "painn")  # which is told nothing of bonds


@pytest.mark.parametrize("name", ["dmpnn", "enn-s2s", "painn"])
def test_shares_follow_the_numbering_of_atoms_and_bonds(name):
    shape = MPNN(network=name, hidden=16, dense=(16,))
    model, whole = network(shape), ring()
    order = np.array([3, 5, 0, 1, 4, 2])
    place = np.argsort(order)
    assert whole.positions is not None
    turned = Graphs(
        whole.atoms[order], whole.atom_offsets, place[whole.bonds[::-1]].astype(np.int32), whole.bond_features[::-1],
        whole.bond_offsets, whole.positions[order],
    )  # fmt: skip
    before, after = (integrated_gradients(model, shape, LAYOUT, each, 0, steps=8) for each in (whole, turned))
    np.testing.assert_allclose(after.atoms, before.atoms[order], atol=1e-5)
    np.testing.assert_allclose(after.bonds, before.bonds[::-1], atol=1e-5)


def test_the_masked_atom_is_unknown_and_no_other():
    seen = []

    def predict(graphs: Graphs) -> np.ndarray:
        seen.append(graphs)
        return graphs.atoms[:, 2].reshape(len(graphs), -1).sum(axis=1, keepdims=True).astype(float)

    whole = ring()
    fall = masking(predict, LAYOUT, whole)
    np.testing.assert_array_equal(fall[:, 0], whole.atoms[:, 2])  # a number becomes 0: the sum falls by itself
    (copies,) = seen
    for atom in range(6):
        masked = copies.take(np.array([atom])).atoms
        assert masked[atom].tolist() == [3, 2, 0]
        np.testing.assert_array_equal(np.delete(masked, atom, 0), np.delete(whole.atoms, atom, 0))


@pytest.mark.parametrize("code", [0, 2])
def test_shares_of_a_class_add_up_to_its_logit(code):
    shape = MPNN(network="dmpnn", hidden=16, dense=(16,))
    model = build(shape, LAYOUT, targets=1, kind="classification", classes=[3], seed=3)
    last = model.get_layer("head_0").last.kernel
    last.assign(0.3 * np.random.default_rng(0).standard_normal(last.shape))
    found = integrated_gradients(model, shape, LAYOUT, ring(), 0, steps=64, code=code)
    logits = np.asarray(model(collate(ring(), shape, LAYOUT).inputs))[0, 0, 0]
    chance = np.exp(logits) / np.exp(logits).sum()
    assert found.answer == pytest.approx(np.log(chance[code] / (1 - chance[code])), rel=1e-4)
    assert found.completeness_error < 0.01 * abs(found.answer - found.baseline)
