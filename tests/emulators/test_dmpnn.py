"""D-MPNN against a direct implementation of the paper's equations, with and without deduplicated environments."""

import numpy as np
import pytest
from tests.emulators.molecules import LAYOUT, encode, random_molecules

from tenfold.emulators.graph_batches import collate
from tenfold.emulators.mpnn import MPNN, build

ARCHITECTURE = MPNN(hidden=7, depth=4, dense_units=(5,))


def reference_atom_vectors(graph, start, step, end, bias, depth):
    """Atom vectors by equations 3 to 8 of Yang et al. 2019, one directed bond at a time."""
    x, e = encode(graph.atoms, LAYOUT.atoms), encode(graph.bond_features, LAYOUT.bonds)
    bonds = {(int(v), int(w)): e[i] for i, (v, w) in enumerate(graph.bonds)}
    bonds |= {(w, v): feature for (v, w), feature in bonds.items()}
    first = {(v, w): np.concatenate([x[v], feature]) @ start for (v, w), feature in bonds.items()}
    h = {vw: np.maximum(value, 0) for vw, value in first.items()}
    for _ in range(1, depth):
        message = {(v, w): sum((h[k, u] for k, u in h if u == v and k != w), np.zeros(len(step))) for v, w in h}
        h = {vw: np.maximum(first[vw] + message[vw] @ step, 0) for vw in h}
    incoming = np.array([sum((h[k, u] for k, u in h if u == v), np.zeros(len(step))) for v in range(len(x))])
    return np.maximum(np.concatenate([x, incoming], axis=1) @ end + bias, 0)


@pytest.mark.parametrize("deduplicate", [True, False])
def test_atom_vectors_follow_the_equations_of_the_paper(deduplicate):
    graphs = random_molecules()
    network = build(ARCHITECTURE, LAYOUT, targets=1)
    messages = network.get_layer("messages_0")
    messages.bias.assign(np.linspace(-0.1, 0.1, 7))
    laid = collate(graphs, ARCHITECTURE, LAYOUT, 8, deduplicate=deduplicate)
    atoms = np.asarray(messages({name: np.asarray(value) for name, value in laid.inputs.items()}))
    atom_vectors = atoms[laid.inputs["atom"][: laid.n_atoms]]
    weights = [np.asarray(w) for w in (messages.kernel_start, messages.kernel_step, messages.kernel_end, messages.bias)]
    expected = [reference_atom_vectors(graphs.take([i]), *weights, ARCHITECTURE.depth) for i in range(len(graphs))]
    np.testing.assert_allclose(atom_vectors, np.concatenate(expected), rtol=1e-5, atol=1e-6)


def test_the_published_architecture_has_as_many_weights_as_in_chemprop():
    shape = MPNN(network="dmpnn")
    network = build(shape, LAYOUT, targets=1)
    atom, bond, h = 5 + 6 + 1, 4 + 2, 300
    messages = (atom + bond) * h + h * h + (atom + h) * h + h
    assert network.count_params() == messages + h * h + h + 2 * (h + 1)


def test_dropout_acts_in_training_only():
    shape = MPNN(hidden=8, dense_units=(4,), dropout=0.5)
    network = build(shape, LAYOUT, targets=1)
    network.get_layer("head_0").last.kernel.assign(np.ones((4, 2)))
    inputs = collate(random_molecules(), shape, LAYOUT).inputs
    still = [np.asarray(network(inputs)) for _ in range(2)]
    assert (still[0] == still[1]).all()
    assert (np.asarray(network(inputs, training=True)) != np.asarray(network(inputs, training=True))).any()
