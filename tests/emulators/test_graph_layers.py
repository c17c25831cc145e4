"""Segment sums, feature encoding, gathering of senders and the set2set readout, checked by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tests.emulators.molecules import LAYOUT, random_molecules

from tenfold.emulators.graph_batches import collate
from tenfold.emulators.graph_layers import AtomPooling, FeatureEncoder, gather_senders, segment_max, segment_sum
from tenfold.emulators.mpnn import MPNN
from tenfold.emulators.set2set import Set2Set

GRAPH = {"graph": np.array([0, 0, 0, 2, 3, 3]), "size": np.array([3, 0, 1, 0], np.float32)}


def test_empty_segments_sum_to_zero():
    rows = np.arange(6.0)[:, None]
    sums = np.asarray(segment_sum(rows, GRAPH["graph"], GRAPH["size"]))
    np.testing.assert_array_equal(sums[:, 0], [3, 0, 3, 9])
    np.testing.assert_array_equal(np.asarray(segment_max(rows, GRAPH["graph"], GRAPH["size"]))[[0, 2], 0], [2, 3])


def test_codes_are_encoded_one_hot_or_scaled():
    encoded = FeatureEncoder([(3, None), (200, 0.5)])(np.array([[2, 7], [0, 100]], np.uint8))
    np.testing.assert_array_equal(np.asarray(encoded), [[0, 0, 1, 3.5], [1, 0, 0, 50]])


def test_the_mean_over_no_atoms_is_zero():
    rows = np.arange(6, dtype=np.float32)[:, None]
    np.testing.assert_allclose(np.asarray(AtomPooling()({"rows": rows, **GRAPH}))[:3, 0], [1, 0, 3])
    np.testing.assert_allclose(np.asarray(AtomPooling(norm=10)({"rows": rows, **GRAPH}))[:3, 0], [0.3, 0, 0.3])


def test_the_gradient_of_gather_senders_is_that_of_plain_indexing():
    inputs = collate(random_molecules(), MPNN(network="painn"), LAYOUT).inputs
    pairs = [inputs[name] for name in ("receivers", "senders", "reverse")]
    np.testing.assert_array_equal(inputs["receivers"][inputs["reverse"]], inputs["senders"])
    rng = np.random.default_rng(0)
    rows = tf.constant(rng.normal(size=(len(inputs["codes"]), 3, 4)))
    pull = rng.normal(size=(len(inputs["receivers"]), 3, 4))
    pull[inputs["distance"] == 5.0] = 0  # nothing pulls at padding
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(rows)
        plain, fast = keras.ops.take(rows, inputs["senders"], axis=0), gather_senders(rows, *pairs)
    np.testing.assert_array_equal(plain, fast)
    expected = tf.convert_to_tensor(tape.gradient(plain, rows, pull))
    np.testing.assert_allclose(tape.gradient(fast, rows, pull), expected, rtol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_set2set_attention_is_an_average_for_any_scores(shift):
    rows = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32) + shift
    layer = Set2Set(steps=3, seed=1)
    readout = np.asarray(layer({"rows": rows, **GRAPH}))
    assert readout.shape == (4, 6) and np.isfinite(readout).all()
    lowest, highest = rows[:3].min(axis=0), rows[:3].max(axis=0)
    assert ((readout[0, 3:] >= lowest - 1e-5) & (readout[0, 3:] <= highest + 1e-5)).all()
    np.testing.assert_allclose(readout[2, 3:], rows[3], rtol=1e-6)  # the only atom
