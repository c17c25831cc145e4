"""Invariances of all molecular networks: permutation, batching, padding and additivity of distant molecules."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from astropy import units
from tests.emulators.molecules import LAYOUT, permuted, random_molecules

from tenfold.emulators.contributions import atom_contributions
from tenfold.emulators.graph_batches import collate
from tenfold.emulators.graphs import Graphs
from tenfold.emulators.losses import masked_gaussian_nll
from tenfold.emulators.mpnn import MPNN, build
from tenfold.emulators.state import arrays_of, rebuild

pytestmark = pytest.mark.slow

SMALL_ARCHITECTURES = {
    "dmpnn": {"hidden": 12, "dense_units": (6,)},
    "enn-s2s": {"hidden": 14, "dense_units": (6,), "edge_hidden": 5, "set2set_steps": 2},
    "painn": {"hidden": 8, "dense_units": (6,), "n_rbf": 5},
}
NETWORKS = tuple(SMALL_ARCHITECTURES)


def architecture(network, **changes) -> MPNN:
    return MPNN(**{"network": network, **SMALL_ARCHITECTURES[network], **changes})


def build_randomised(mpnn: MPNN, targets: int = 2, **arguments) -> keras.Model:
    """Build a network whose last layers have weights of order one, so that its predictions depend on the inputs."""
    network = build(mpnn, LAYOUT, targets=targets, **arguments)
    for layer in network.layers:
        if "head_" in layer.name:
            kernel = layer.last.kernel
            kernel.assign(np.random.default_rng(3).normal(size=kernel.shape))
    return network


def predict(network, graphs, mpnn, capacity=0, **arguments) -> np.ndarray:
    return np.asarray(network(collate(graphs, mpnn, LAYOUT, capacity, **arguments).inputs))[: len(graphs)]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("readout", ["sum", "mean", "norm", "set2set"])
def test_predictions_do_not_depend_on_the_batch_or_its_padding(network, readout):
    mpnn = architecture(network, readout=readout)
    model, graphs = build_randomised(mpnn), random_molecules()
    together = predict(model, graphs, mpnn)
    assert together.shape == (len(graphs), 2, 1, 2)
    assert np.ptp(together[..., 0], axis=0).min() > 1e-3  # molecules differ
    np.testing.assert_allclose(predict(model, graphs, mpnn, 50), together, rtol=1e-4, atol=1e-5)
    alone = [predict(model, graphs.take([i]), mpnn) for i in range(len(graphs))]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_predictions_are_invariant_under_permutation_of_atoms_and_bonds(network):
    mpnn, rng = architecture(network), np.random.default_rng(5)
    model, graphs = build_randomised(mpnn), random_molecules()
    others = [permuted(graphs.take([i]), rng.permutation(graphs.sizes[i]), rng) for i in range(len(graphs))]
    expected = predict(model, graphs, mpnn)
    np.testing.assert_allclose(predict(model, Graphs.join(others), mpnn), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", ["dmpnn", "painn"])  # in enn-s2s all pairs of atoms interact, at any distance
@pytest.mark.parametrize("readout", ["sum", "mean", "set2set"])
def test_two_distant_molecules_have_twice_the_extensive_and_the_same_intensive_target(network, readout):
    mpnn = architecture(network, readout=readout)
    reference = np.random.default_rng(0).normal(size=(5, 2)) * [1, 0]
    model = build_randomised(
        mpnn, location=[-3.0, 5.0], scale=[2.0, 0.5], atom_reference=reference, extensive=[True, False]
    )
    graph = random_molecules((7,))
    atoms = graph.atom_offsets[-1]
    pair = Graphs(
        np.concatenate([graph.atoms] * 2), np.array([0, 2 * atoms]),
        np.concatenate([graph.bonds, graph.bonds + np.int32(atoms)]), np.concatenate([graph.bond_features] * 2),
        np.array([0, 2 * len(graph.bonds)]), np.concatenate([graph.positions, graph.positions + 1000]),
    )  # fmt: skip
    one, two = predict(model, graph, mpnn)[0, :, 0], predict(model, pair, mpnn)[0, :, 0]
    np.testing.assert_allclose(two[0], 2 * one[0], rtol=1e-4)
    np.testing.assert_allclose(two[1], one[1], rtol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("members", [1, 2])
def test_atom_contributions_sum_to_the_prediction(network, members):
    mpnn = architecture(network, readout="sum", ensemble_size=members)
    model = build_randomised(
        mpnn,
        location=[-3.0, 5.0],
        scale=[2.0, 0.5],
        atom_reference=np.arange(10).reshape(5, 2),
        extensive=[True, False],
    )
    graphs = random_molecules()
    laid = collate(graphs, mpnn, LAYOUT, 7)
    shares = atom_contributions(model, laid)
    assert shares.shape == (graphs.sizes.sum(), 2)
    total = np.add.reduceat(shares, graphs.atom_offsets[:-1])
    np.testing.assert_allclose(total, np.asarray(model(laid.inputs))[:5, :, :, 0].mean(axis=2), rtol=1e-4, atol=1e-4)


def test_atom_contributions_need_the_sum_readout():
    mpnn = architecture("dmpnn", readout="mean")
    with pytest.raises(ValueError, match="readout sum"):
        atom_contributions(build(mpnn, LAYOUT, targets=1), collate(random_molecules(), mpnn, LAYOUT))


@pytest.mark.parametrize("network", NETWORKS)
def test_an_untrained_network_predicts_location_and_scale(network):
    mpnn = architecture(network, **({"readout": "sum"} if network == "dmpnn" else {}))
    model = build(mpnn, LAYOUT, targets=2, location=[1.0, -20.0], scale=[0.1, 4.0], extensive=[False, True])
    graphs = random_molecules()
    pull = predict(model, graphs, mpnn)[:, :, 0] / np.stack([np.ones(5), graphs.sizes], axis=1)[..., None]
    np.testing.assert_allclose(pull[..., 0], np.tile([1.0, -20.0], (5, 1)), atol=0.4)
    np.testing.assert_allclose(pull[..., 1], np.tile([0.1, 4.0], (5, 1)), rtol=0.1)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("readout", ["sum", "mean", "set2set"])
def test_gradients_are_finite_and_padding_contributes_none(network, readout):
    mpnn = architecture(network, readout=readout)
    model, graphs = build_randomised(mpnn), random_molecules()
    truth, mask = np.full((5, 2), 0.3, np.float32), np.ones((5, 2), np.float32)
    truth[1, 0], mask[1, 0] = np.nan, 0

    def gradients(capacity):
        laid = collate(graphs, mpnn, LAYOUT, capacity)
        values, known = np.full((capacity, 2), np.nan, np.float32), np.zeros((capacity, 2), np.float32)
        values[:5], known[:5] = truth, mask
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(masked_gaussian_nll(values, known, model(laid.inputs), [1.0, 1.0], 0.5) * laid.weights)
        return [np.asarray(tf.convert_to_tensor(g)) for g in tape.gradient(loss, model.trainable_variables)]

    for tight, wide in zip(gradients(5), gradients(40), strict=True):
        assert np.isfinite(tight).all()
        np.testing.assert_allclose(wide, tight, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_ensemble_members_differ_and_are_restored(network):
    mpnn = architecture(network, ensemble_size=3)
    model, graphs = build_randomised(mpnn, location=[0.0, 1.0], scale=[1.0, 2.0]), random_molecules()
    outputs = predict(model, graphs, mpnn)
    assert outputs.shape == (5, 2, 3, 2)
    assert np.ptp(outputs[..., 0], axis=2).min() > 1e-4
    again = rebuild(
        lambda: build(mpnn, LAYOUT, targets=2, location=[0.0, 1.0], scale=[1.0, 2.0], seed=9), arrays_of(model)
    )
    assert (predict(again, graphs, mpnn) == outputs).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_the_seed_determines_the_initial_weights(network):
    mpnn = architecture(network)
    one, same, other = (build(mpnn, LAYOUT, targets=1, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("network", NETWORKS)
def test_binary_targets_have_one_logit(network):
    mpnn = architecture(network)
    model = build(mpnn, LAYOUT, targets=3, kind="classification", location=[0.0, -2.0, 1.0])
    logits = predict(model, random_molecules(), mpnn)
    assert logits.shape == (5, 3, 1, 1)
    np.testing.assert_allclose(logits[..., 0, 0], np.tile([0.0, -2.0, 1.0], (5, 1)), atol=0.4)


@pytest.mark.parametrize("network", NETWORKS)
def test_mixed_bfloat16_agrees_with_float32(network):
    mpnn, graphs = architecture(network), random_molecules()
    full, half = (predict(build_randomised(mpnn, precision=p), graphs, mpnn) for p in ("float32", "mixed_bfloat16"))
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, full, atol=0.05 * np.abs(full).max())


def test_published_values_are_the_defaults():
    assert (MPNN().hidden, MPNN().depth, MPNN().readout, MPNN().dense_units) == (300, 3, "norm", (300,))
    assert MPNN(hidden=50).hidden == 50


def test_the_cutoff_may_be_a_quantity():
    assert MPNN(network="painn", cutoff_angstrom=0.6 * units.nm).cutoff_angstrom == pytest.approx(6.0)  # type: ignore


def test_settings_that_the_network_reads_are_accepted():
    assert MPNN(network="painn", n_rbf=30).n_rbf == 30
    assert MPNN(network="enn-s2s", edge_hidden=64, towers=4).towers == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": "gcn"}, "dmpnn, enn-s2s, painn"),
        ({"readout": "max"}, "set2set"),
        ({"depth": -1}, "depth"),
        ({"hidden": 10, "towers": 3}, "3 equal parts"),
        ({"dropout": 1.0}, "dropout"),
        ({"cutoff_angstrom": 6.0}, "cutoff_angstrom: found 6.0, which has no effect: only network painn reads it"),
        ({"network": "enn-s2s", "n_rbf": 30}, "n_rbf: found 30, .* painn reads it, and network is enn-s2s"),
        ({"network": "painn", "edge_hidden": 64}, "edge_hidden: found 64, .* enn-s2s reads it, and network is painn"),
        ({"towers": 4}, "towers: found 4, .* enn-s2s reads it"),
        ({"network": "painn", "cutoff_angstrom": 5 * units.deg}, "cutoff_angstrom: found 5.0 deg, expected a single"),
        ({"network": "painn", "cutoff_angstrom": [4, 5] * units.AA}, "cutoff_angstrom: .* expected a single length"),
    ],
)
def test_invalid_architectures_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MPNN(**arguments)


def test_the_norm_readout_is_refused_for_extensive_targets():
    with pytest.raises(ValueError, match="use sum"):
        build(MPNN(readout="norm"), LAYOUT, targets=1, extensive=[True])


@pytest.mark.parametrize("network", NETWORKS)
def test_multiclass_targets_have_one_logit_per_class_and_absent_classes_are_excluded(network):
    mpnn = architecture(network, ensemble_size=2)
    model = build_randomised(mpnn, targets=2, kind="classification", classes=[2, 4])
    logits = predict(model, random_molecules(), mpnn)
    assert logits.shape == (5, 2, 2, 4)
    assert (logits[:, 0, :, 2:] < -1e8).all()
    assert np.ptp(logits[:, 1], axis=0).min() > 1e-3
    assert np.abs(logits[:, 1]).max() < 1e4
    with pytest.raises(ValueError, match="classes: found 1 values, must be 2"):
        build(mpnn, LAYOUT, targets=2, kind="classification", classes=[3])


def test_two_classes_are_the_default_of_a_classification():
    mpnn = architecture("dmpnn")
    explicit, default = (build_randomised(mpnn, kind="classification", classes=classes) for classes in ([2, 2], None))
    assert (predict(explicit, random_molecules(), mpnn) == predict(default, random_molecules(), mpnn)).all()


def test_atom_contributions_of_multiclass_targets_are_refused():
    mpnn = architecture("dmpnn", readout="sum")
    model = build(mpnn, LAYOUT, targets=1, kind="classification", classes=[3])
    with pytest.raises(ValueError, match="integrated gradients"):
        atom_contributions(model, collate(random_molecules(), mpnn, LAYOUT))
