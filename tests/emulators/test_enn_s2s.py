"""The factorised messages are the paper's, matrix by matrix."""

from dataclasses import replace

import numpy as np
import pytest
from tests.emulators.molecules import LAYOUT, encoded, molecules

from tenfold.emulators.graph_batches import collate
from tenfold.emulators.mpnn import MPNN, build


def gru(cell, message, state):
    """A gated recurrent unit as Keras and PyTorch define it: the reset gate acts behind the recurrent kernel."""
    kernel, recurrent, bias = (np.asarray(w, np.float64) for w in cell.get_weights())
    x, h = (np.split(v, 3, axis=-1) for v in (message @ kernel + bias[0], state @ recurrent + bias[1]))
    update, reset = 1 / (1 + np.exp(-(x[0] + h[0]))), 1 / (1 + np.exp(-(x[1] + h[1])))
    return update * state + (1 - update) * np.tanh(x[2] + reset * h[2])


def by_the_paper(graph, messages):
    """m_v = Σ_w A(e_vw) h_w with a matrix A for every pair; the vectors that the readout begins with."""
    x, n, width = encoded(graph.atoms, LAYOUT.atoms), len(graph.atoms), messages.width
    e = np.zeros((n, n, messages.bonds.columns + 1))
    for (v, w), feature in zip(graph.bonds, encoded(graph.bond_features, LAYOUT.bonds), strict=True):
        e[v, w, :-1] = e[w, v, :-1] = feature
    e[..., -1] = np.linalg.norm(graph.positions[:, None] - graph.positions[None], axis=-1)
    h = np.pad(x, ((0, 0), (0, messages.hidden - x.shape[1])))
    for _ in range(messages.depth):
        parts = []
        for tower, own in enumerate(np.split(h, messages.towers, axis=1)):
            kernel, bias = (np.asarray(w) for w in messages.pairs[tower].get_weights())
            # the edge network: a hidden layer, then a linear one of width² outputs
            last = np.asarray(messages.matrices[tower]).reshape(width, messages.edge_hidden + 1, width)
            heard = np.zeros_like(own)
            for v in range(n):
                for w in range(n):
                    if v != w:
                        hidden = np.maximum(e[v, w] @ kernel + bias, 0)
                        A = np.einsum("k,akb->ba", hidden, last[:, :-1]) + last[:, -1].T
                        heard[v] += A @ own[w]
            parts.append(gru(messages.updates[tower], heard, own))
        h = np.concatenate(parts, axis=1)
        if messages.mix is not None:
            kernel, bias = (np.asarray(w) for w in messages.mix.get_weights())
            h = h @ kernel + bias
    kernel, bias = (np.asarray(w) for w in messages.end.get_weights())
    return np.concatenate([h, x], axis=1) @ kernel + bias


@pytest.mark.parametrize("towers", [1, 2])
def test_factorised_messages_are_the_papers(towers):
    shape = MPNN(network="enn-s2s", hidden=14, edge_hidden=5, towers=towers)
    graphs = molecules((6, 1, 4))
    messages = build(shape, LAYOUT, targets=1).get_layer("messages_0")
    laid = collate(graphs, shape, LAYOUT, 5)
    found = np.asarray(messages(laid.inputs))[laid.inputs["atom"][: laid.n_atoms]]
    expected = np.concatenate([by_the_paper(graphs.take([i]), messages) for i in range(3)])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_more_features_than_hidden_numbers_are_mapped_first():
    shape = MPNN(network="enn-s2s", hidden=8, edge_hidden=3)
    network = build(shape, LAYOUT, targets=1)
    assert network.get_layer("messages_0").start is not None
    assert np.isfinite(np.asarray(network(collate(molecules((3,)), shape, LAYOUT).inputs))).all()


def test_distances_are_needed():
    graphs, shape = molecules((3,)), MPNN(network="enn-s2s")
    with pytest.raises(ValueError, match="geometry"):
        collate(replace(graphs, positions=None), shape, LAYOUT)
