"""Factorised messages of enn-s2s against the matrices of the paper."""

from dataclasses import replace

import numpy as np
import pytest
from tests.emulators.molecules import LAYOUT, encode, random_molecules

from tenfold.emulators.graph_batches import collate
from tenfold.emulators.mpnn import MPNN, build


def reference_gru(cell, message, state):
    """Gated recurrent unit as in Keras and PyTorch: the reset gate acts after the recurrent kernel."""
    kernel, recurrent, bias = (np.asarray(w, np.float64) for w in cell.get_weights())
    x, h = (np.split(v, 3, axis=-1) for v in (message @ kernel + bias[0], state @ recurrent + bias[1]))
    update, reset = 1 / (1 + np.exp(-(x[0] + h[0]))), 1 / (1 + np.exp(-(x[1] + h[1])))
    return update * state + (1 - update) * np.tanh(x[2] + reset * h[2])


def reference_atom_vectors(graph, messages):
    """Atom vectors before the readout, with m_v = Σ_w A(e_vw) h_w and a matrix A for every pair."""
    x, n, width = encode(graph.atoms, LAYOUT.atoms), len(graph.atoms), messages.width
    e = np.zeros((n, n, messages.bonds.columns + 1))
    for (v, w), feature in zip(graph.bonds, encode(graph.bond_features, LAYOUT.bonds), strict=True):
        e[v, w, :-1] = e[w, v, :-1] = feature
    e[..., -1] = np.linalg.norm(graph.positions[:, None] - graph.positions[None], axis=-1)
    h = np.pad(x, ((0, 0), (0, messages.hidden - x.shape[1])))
    for _ in range(messages.depth):
        parts = []
        for tower, own in enumerate(np.split(h, messages.towers, axis=1)):
            kernel, bias = (np.asarray(w) for w in messages.pairs[tower].get_weights())
            # the edge network: a hidden layer, then a linear one of width² outputs
            last = np.asarray(messages.matrices[tower]).reshape(width, messages.edge_hidden + 1, width)
            received = np.zeros_like(own)
            for v in range(n):
                for w in range(n):
                    if v != w:
                        hidden = np.maximum(e[v, w] @ kernel + bias, 0)
                        A = np.einsum("k,akb->ba", hidden, last[:, :-1]) + last[:, -1].T
                        received[v] += A @ own[w]
            parts.append(reference_gru(messages.updates[tower], received, own))
        h = np.concatenate(parts, axis=1)
        if messages.mix is not None:
            kernel, bias = (np.asarray(w) for w in messages.mix.get_weights())
            h = h @ kernel + bias
    kernel, bias = (np.asarray(w) for w in messages.end.get_weights())
    return np.concatenate([h, x], axis=1) @ kernel + bias


@pytest.mark.parametrize("towers", [1, 2])
def test_factorised_messages_equal_those_of_the_paper(towers):
    shape = MPNN(network="enn-s2s", hidden=14, edge_hidden=5, towers=towers)
    graphs = random_molecules((6, 1, 4))
    messages = build(shape, LAYOUT, targets=1).get_layer("messages_0")
    laid = collate(graphs, shape, LAYOUT, 5)
    atom_vectors = np.asarray(messages(laid.inputs))[laid.inputs["atom"][: laid.n_atoms]]
    expected = np.concatenate([reference_atom_vectors(graphs.take([i]), messages) for i in range(3)])
    np.testing.assert_allclose(atom_vectors, expected, rtol=1e-4, atol=1e-5)


def test_more_features_than_hidden_units_are_projected():
    shape = MPNN(network="enn-s2s", hidden=8, edge_hidden=3)
    network = build(shape, LAYOUT, targets=1)
    assert network.get_layer("messages_0").start is not None
    assert np.isfinite(np.asarray(network(collate(random_molecules((3,)), shape, LAYOUT).inputs))).all()


def test_positions_are_required():
    graphs, shape = random_molecules((3,)), MPNN(network="enn-s2s")
    with pytest.raises(ValueError, match="geometry"):
        collate(replace(graphs, positions=None), shape, LAYOUT)
