"""PaiNN: invariant energies, equivariant dipoles, and a direct implementation of the paper's equations."""

from dataclasses import replace

import numpy as np
import pytest
from tests.emulators.molecules import LAYOUT, encode, random_molecules

from tenfold.emulators.contributions import dipole_vectors
from tenfold.emulators.graph_batches import collate
from tenfold.emulators.mpnn import MPNN, build

ARCHITECTURE = MPNN(network="painn", hidden=8, dense_units=(6,), n_rbf=5)


def random_rotation(rng) -> np.ndarray:
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return turn * np.linalg.det(turn)


@pytest.mark.parametrize("mirrored", [False, True])
def test_energies_are_invariant_and_dipoles_equivariant(mirrored):
    rng, graphs = np.random.default_rng(1), random_molecules()
    network = build(ARCHITECTURE, LAYOUT, targets=2, location=[0, 1.5], scale=[1, 0.5], dipole=[False, True])
    network.get_layer("atom_head_0").last.kernel.assign(rng.normal(size=(6, 4)))
    turn = random_rotation(rng) * (-1 if mirrored else 1)
    moved = replace(graphs, positions=(graphs.positions @ turn.T + [3.0, -40.0, 7.0]).astype(np.float32))
    here, there = (collate(g, ARCHITECTURE, LAYOUT) for g in (graphs, moved))
    before, after = np.asarray(network(here.inputs)), np.asarray(network(there.inputs))
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-4)
    still, turned = dipole_vectors(network, here), dipole_vectors(network, there)
    assert still.shape == (5, 1, 3)
    assert np.linalg.norm(still[2]) > 1e-2
    np.testing.assert_allclose(turned, still @ turn.T, rtol=1e-3, atol=2e-4)
    np.testing.assert_allclose(np.linalg.norm(still[:, 0], axis=1), before[:, 1, 0, 0], rtol=1e-3, atol=1e-4)


def reference_features(graph, messages):
    """Scalar and vector features by equations 7 to 10 of the paper, one pair at a time."""
    parts = {layer.name: [np.asarray(w, np.float64) for w in layer.get_weights()] for layer in messages.parts}
    F, cutoff, positions = messages.hidden, messages.cutoff, graph.positions.astype(np.float64)

    def dense(name, x):
        kernel, *bias = parts[name]
        return x @ kernel + (bias[0] if bias else 0)

    def silu(x):
        return x / (1 + np.exp(-x))

    s = encode(graph.atoms, LAYOUT.atoms) @ np.asarray(messages.embedding.kernel)
    v = np.zeros((len(s), 3, F))
    for block in range(messages.depth):
        phi = dense(f"message_{block}", silu(dense(f"message_hidden_{block}", s)))
        ds, dv = np.zeros_like(s), np.zeros_like(v)
        for i in range(len(s)):
            for j in range(len(s)):
                r = np.linalg.norm(positions[i] - positions[j])
                if i == j or r >= cutoff:
                    continue
                waves = np.sin(np.arange(1, messages.n_rbf + 1) * np.pi * r / cutoff) / r
                x = phi[j] * dense(f"filter_{block}", waves) * 0.5 * (np.cos(np.pi * r / cutoff) + 1)
                ds[i] += x[:F]
                dv[i] += x[F : 2 * F] * ((positions[i] - positions[j]) / r)[:, None]
                if block:
                    dv[i] += x[2 * F :] * v[j]
        s, v = s + ds, v + dv
        mixed = dense(f"mix_{block}", v)
        Vv, Uv = mixed[..., F:], mixed[..., :F]
        gates = silu(dense(f"update_hidden_{block}", np.concatenate([s, np.sqrt((Vv**2).sum(axis=1) + 1e-8)], axis=1)))
        own, inner, turn = np.split(dense(f"update_{block}", gates), 3, axis=1)
        s, v = s + own + inner * (Uv * Vv).sum(axis=1), v + turn[:, None] * Uv
    return s, v


def test_scalars_and_vectors_follow_the_equations_of_the_paper():
    graph = random_molecules((6,))
    messages = build(ARCHITECTURE, LAYOUT, targets=1).get_layer("messages_0")
    laid = collate(graph, ARCHITECTURE, LAYOUT)
    features = [np.asarray(values)[:6] for values in messages(laid.inputs)]
    for got, expected in zip(features, reference_features(graph, messages), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)


def test_interactions_vanish_smoothly_at_the_cutoff():
    graph = random_molecules((2,))
    network = build(ARCHITECTURE, LAYOUT, targets=1)
    network.get_layer("atom_head_0").last.kernel.assign(np.ones((6, 2)))

    def energy(angstrom):
        moved = replace(graph, positions=np.array([[0, 0, 0], [0, 0, angstrom]], np.float32))
        return float(np.asarray(network(collate(moved, ARCHITECTURE, LAYOUT).inputs))[0, 0, 0, 0])

    apart = energy(1000.0)
    assert energy(5.01) == pytest.approx(apart, rel=1e-6)
    assert abs(energy(4.99) - apart) < 1e-4 < abs(energy(1.5) - apart)


def test_coincident_atoms_give_finite_predictions():
    graph = random_molecules((2,))
    network = build(ARCHITECTURE, LAYOUT, targets=1)
    together = replace(graph, positions=np.zeros((2, 3), np.float32))
    assert np.isfinite(np.asarray(network(collate(together, ARCHITECTURE, LAYOUT).inputs))).all()


def test_dipole_targets_need_vector_features():
    with pytest.raises(ValueError, match="only painn"):
        build(MPNN(), LAYOUT, targets=1, dipole=[True])
