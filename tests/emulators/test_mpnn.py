"""Laws that every network of molecules keeps: numbering, company, padding and two molecules far apart."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tests.emulators.molecules import LAYOUT, molecules, renumbered

from tenfold.emulators.contributions import atom_contributions
from tenfold.emulators.graph_batches import collate
from tenfold.emulators.graphs import Graphs
from tenfold.emulators.losses import masked_gaussian_nll
from tenfold.emulators.mpnn import MPNN, build
from tenfold.emulators.state import arrays_of, rebuild

SMALL = {
    "dmpnn": {"hidden": 12, "dense": (6,)},
    "enn-s2s": {"hidden": 14, "dense": (6,), "edge_hidden": 5, "set2set_steps": 2},
    "painn": {"hidden": 8, "dense": (6,), "n_rbf": 5},
}
NETWORKS = tuple(SMALL)


def shape(network, **changes) -> MPNN:
    return MPNN(**{"network": network, **SMALL[network], **changes})


def awake(shape: MPNN, targets: int = 2, **arguments) -> keras.Model:
    """A network whose last layers have weights of order one, so that its answers depend on its inputs."""
    network = build(shape, LAYOUT, targets=targets, **arguments)
    for layer in network.layers:
        if "head_" in layer.name:
            kernel = layer.last.kernel
            kernel.assign(np.random.default_rng(3).normal(size=kernel.shape))
    return network


def answers(network, graphs, shape, capacity=0, **arguments) -> np.ndarray:
    return np.asarray(network(collate(graphs, shape, LAYOUT, capacity, **arguments).inputs))[: len(graphs)]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("readout", ["sum", "mean", "norm", "set2set"])
def test_a_molecule_alone_in_company_and_with_padding(network, readout):
    form = shape(network, readout=readout)
    model, graphs = awake(form), molecules()
    together = answers(model, graphs, form)
    assert together.shape == (len(graphs), 2, 1, 2)
    assert np.ptp(together[..., 0], axis=0).min() > 1e-3  # molecules differ
    np.testing.assert_allclose(answers(model, graphs, form, 50), together, rtol=1e-4, atol=1e-5)
    alone = [answers(model, graphs.take([i]), form) for i in range(len(graphs))]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_numbering_of_atoms_and_bonds_does_not_matter(network):
    form, rng = shape(network), np.random.default_rng(5)
    model, graphs = awake(form), molecules()
    others = [renumbered(graphs.take([i]), rng.permutation(graphs.sizes[i]), rng) for i in range(len(graphs))]
    expected = answers(model, graphs, form)
    np.testing.assert_allclose(answers(model, Graphs.join(others), form), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", ["dmpnn", "painn"])  # in enn-s2s every pair of atoms speaks, however far apart
@pytest.mark.parametrize("readout", ["sum", "mean", "set2set"])
def test_two_molecules_far_apart_have_twice_the_energy_and_the_same_gap(network, readout):
    form = shape(network, readout=readout)
    reference = np.random.default_rng(0).normal(size=(5, 2)) * [1, 0]
    model = awake(form, location=[-3.0, 5.0], scale=[2.0, 0.5], atom_reference=reference, extensive=[True, False])
    graph = molecules((7,))
    atoms = graph.atom_offsets[-1]
    pair = Graphs(
        np.concatenate([graph.atoms] * 2), np.array([0, 2 * atoms]),
        np.concatenate([graph.bonds, graph.bonds + np.int32(atoms)]), np.concatenate([graph.bond_features] * 2),
        np.array([0, 2 * len(graph.bonds)]), np.concatenate([graph.positions, graph.positions + 1000]),
    )  # fmt: skip
    one, two = answers(model, graph, form)[0, :, 0], answers(model, pair, form)[0, :, 0]
    np.testing.assert_allclose(two[0], 2 * one[0], rtol=1e-4)
    np.testing.assert_allclose(two[1], one[1], rtol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("members", [1, 2])
def test_shares_of_atoms_add_up_to_the_prediction(network, members):
    form = shape(network, readout="sum", ensemble_size=members)
    model = awake(
        form,
        location=[-3.0, 5.0],
        scale=[2.0, 0.5],
        atom_reference=np.arange(10).reshape(5, 2),
        extensive=[True, False],
    )
    graphs = molecules()
    laid = collate(graphs, form, LAYOUT, 7)
    shares = atom_contributions(model, laid)
    assert shares.shape == (graphs.sizes.sum(), 2)
    total = np.add.reduceat(shares, graphs.atom_offsets[:-1])
    np.testing.assert_allclose(total, np.asarray(model(laid.inputs))[:5, :, :, 0].mean(axis=2), rtol=1e-4, atol=1e-4)


def test_shares_are_refused_where_there_are_none():
    form = shape("dmpnn", readout="mean")
    with pytest.raises(ValueError, match="readout sum"):
        atom_contributions(build(form, LAYOUT, targets=1), collate(molecules(), form, LAYOUT))


@pytest.mark.parametrize("network", NETWORKS)
def test_untrained_it_answers_the_location_give_or_take_the_scale(network):
    form = shape(network, **({"readout": "sum"} if network == "dmpnn" else {}))
    model = build(form, LAYOUT, targets=2, location=[1.0, -20.0], scale=[0.1, 4.0], extensive=[False, True])
    graphs = molecules()
    pull = answers(model, graphs, form)[:, :, 0] / np.stack([np.ones(5), graphs.sizes], axis=1)[..., None]
    np.testing.assert_allclose(pull[..., 0], np.tile([1.0, -20.0], (5, 1)), atol=0.4)
    np.testing.assert_allclose(pull[..., 1], np.tile([0.1, 4.0], (5, 1)), rtol=0.1)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("readout", ["sum", "mean", "set2set"])
def test_gradients_are_finite_and_what_fills_the_shape_has_none(network, readout):
    form = shape(network, readout=readout)
    model, graphs = awake(form), molecules()
    truth, mask = np.full((5, 2), 0.3, np.float32), np.ones((5, 2), np.float32)
    truth[1, 0], mask[1, 0] = np.nan, 0

    def gradients(capacity):
        laid = collate(graphs, form, LAYOUT, capacity)
        values, known = np.full((capacity, 2), np.nan, np.float32), np.zeros((capacity, 2), np.float32)
        values[:5], known[:5] = truth, mask
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(masked_gaussian_nll(values, known, model(laid.inputs), [1.0, 1.0], 0.5) * laid.weights)
        return [np.asarray(tf.convert_to_tensor(g)) for g in tape.gradient(loss, model.trainable_variables)]

    for tight, wide in zip(gradients(5), gradients(40), strict=True):
        assert np.isfinite(tight).all()
        np.testing.assert_allclose(wide, tight, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_members_of_an_ensemble_differ_and_are_rebuilt_with_it(network):
    form = shape(network, ensemble_size=3)
    model, graphs = awake(form, location=[0.0, 1.0], scale=[1.0, 2.0]), molecules()
    found = answers(model, graphs, form)
    assert found.shape == (5, 2, 3, 2)
    assert np.ptp(found[..., 0], axis=2).min() > 1e-4
    again = rebuild(
        lambda: build(form, LAYOUT, targets=2, location=[0.0, 1.0], scale=[1.0, 2.0], seed=9), arrays_of(model)
    )
    assert (answers(again, graphs, form) == found).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_the_seed_says_which_weights(network):
    form = shape(network)
    one, same, other = (build(form, LAYOUT, targets=1, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("network", NETWORKS)
def test_classes_have_a_logit_each(network):
    form = shape(network)
    model = build(form, LAYOUT, targets=3, kind="classification", location=[0.0, -2.0, 1.0])
    found = answers(model, molecules(), form)
    assert found.shape == (5, 3, 1, 1)
    np.testing.assert_allclose(found[..., 0, 0], np.tile([0.0, -2.0, 1.0], (5, 1)), atol=0.4)


@pytest.mark.parametrize("network", NETWORKS)
def test_sixteen_bits_answer_about_the_same(network):
    form, graphs = shape(network), molecules()
    full, half = (answers(awake(form, precision=p), graphs, form) for p in ("float32", "mixed_bfloat16"))
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, full, atol=0.05 * np.abs(full).max())


def test_what_is_published_is_filled_in():
    assert (MPNN().hidden, MPNN().depth, MPNN().readout, MPNN().dense) == (300, 3, "norm", (300,))
    assert MPNN(hidden=50).hidden == 50


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"network": "gcn"}, "dmpnn, enn-s2s, painn"),
        ({"readout": "max"}, "set2set"),
        ({"depth": -1}, "depth"),
        ({"hidden": 10, "towers": 3}, "3 equal parts"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_shapes_that_cannot_be_built_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        MPNN(**arguments)


def test_a_readout_that_cannot_grow_with_the_molecule_is_refused():
    with pytest.raises(ValueError, match="take sum"):
        build(MPNN(readout="norm"), LAYOUT, targets=1, extensive=[True])


@pytest.mark.parametrize("network", NETWORKS)
def test_several_classes_have_a_logit_each_and_absent_ones_no_chance(network):
    form = shape(network, ensemble_size=2)
    model = awake(form, targets=2, kind="classification", classes=[2, 4])
    found = answers(model, molecules(), form)
    assert found.shape == (5, 2, 2, 4)
    assert (found[:, 0, :, 2:] < -1e8).all()
    assert np.ptp(found[:, 1], axis=0).min() > 1e-3
    assert np.abs(found[:, 1]).max() < 1e4
    with pytest.raises(ValueError, match="classes: found 1 values, must be 2"):
        build(form, LAYOUT, targets=2, kind="classification", classes=[3])


def test_two_classes_named_are_the_network_of_two_classes_unnamed():
    form = shape("dmpnn")
    ours, theirs = (awake(form, kind="classification", classes=each) for each in ([2, 2], None))
    assert (answers(ours, molecules(), form) == answers(theirs, molecules(), form)).all()


def test_shares_of_several_classes_are_refused():
    form = shape("dmpnn", readout="sum")
    model = build(form, LAYOUT, targets=1, kind="classification", classes=[3])
    with pytest.raises(ValueError, match="integrated gradients"):
        atom_contributions(model, collate(molecules(), form, LAYOUT))
