"""Directed messages: against the paper's equations written out, with and without sharing alike environments."""

import numpy as np
import pytest
from tests.emulators.molecules import LAYOUT, encoded, molecules

from tenfold.emulators.graph_batches import collate
from tenfold.emulators.mpnn import MPNN, build

SHAPE = MPNN(hidden=7, depth=4, dense=(5,))


def by_the_paper(graph, start, step, end, bias, depth):
    """Yang et al. 2019, equations 3 to 8, one directed bond after the other; the vectors of the atoms."""
    x, e = encoded(graph.atoms, LAYOUT.atoms), encoded(graph.bond_features, LAYOUT.bonds)
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
def test_atoms_are_as_the_papers_equations_make_them(deduplicate):
    graphs = molecules()
    network = build(SHAPE, LAYOUT, targets=1)
    messages = network.get_layer("messages_0")
    messages.bias.assign(np.linspace(-0.1, 0.1, 7))
    laid = collate(graphs, SHAPE, LAYOUT, 8, deduplicate=deduplicate)
    atoms = np.asarray(messages({name: np.asarray(value) for name, value in laid.inputs.items()}))
    found = atoms[laid.inputs["atom"][: laid.n_atoms]]
    weights = [np.asarray(w) for w in (messages.kernel_start, messages.kernel_step, messages.kernel_end, messages.bias)]
    expected = [by_the_paper(graphs.take([i]), *weights, SHAPE.depth) for i in range(len(graphs))]
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-5, atol=1e-6)


def test_published_shape_has_chemprops_number_of_weights():
    shape = MPNN(network="dmpnn")
    network = build(shape, LAYOUT, targets=1)
    atom, bond, h = 5 + 6 + 1, 4 + 2, 300
    messages = (atom + bond) * h + h * h + (atom + h) * h + h
    assert network.count_params() == messages + h * h + h + 2 * (h + 1)


def test_dropout_strikes_in_training_only():
    shape = MPNN(hidden=8, dense=(4,), dropout=0.5)
    network = build(shape, LAYOUT, targets=1)
    network.get_layer("head_0").last.kernel.assign(np.ones((4, 2)))
    inputs = collate(molecules(), shape, LAYOUT).inputs
    still = [np.asarray(network(inputs)) for _ in range(2)]
    assert (still[0] == still[1]).all()
    assert (np.asarray(network(inputs, training=True)) != np.asarray(network(inputs, training=True))).any()
