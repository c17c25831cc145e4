"""Gradients of a network against differences, and the network whole after it has been taken apart."""

import keras
import numpy as np
import pytest

from tenfold.emulators.cnn import CNN, build
from tenfold.emulators.sensitivity import answer_of, gradient_of, randomised


@pytest.fixture(scope="module")
def network():
    smooth = {"pooling": "average", "readout": "flatten", "activation": "tanh", "transform": "identity"}
    shape = CNN(dimensions=2, size=8, filters=(4,), dense=(8,), **smooth)
    network = build(shape, location=[0.3, 0.8], scale=[0.1, 0.1], seed=1)
    network.get_layer("out").kernel.assign(np.random.default_rng(3).standard_normal((8, 4)))
    return network


def test_the_gradient_is_the_slope_of_the_answer(network):
    field = np.random.default_rng(1).standard_normal((1, 8, 8, 1)).astype(np.float32)
    way = np.random.default_rng(2).standard_normal(field.shape).astype(np.float32)
    for parameter in (0, 1):
        answer, gradient = answer_of(network, parameter), gradient_of(network, parameter)
        slope = (answer(field + 1e-2 * way) - answer(field - 1e-2 * way)) / 2e-2
        assert slope[0] == pytest.approx(float((gradient(field) * way).sum()), rel=2e-2)


def test_layers_lose_their_weights_from_the_answer_down_and_get_them_back(network):
    before = [keras.ops.convert_to_numpy(variable) for variable in network.variables]
    changed = []
    for damaged in randomised(network, seed=5):
        now = [keras.ops.convert_to_numpy(variable) for variable in damaged.variables]
        changed.append(sum(not np.array_equal(a, b) for a, b in zip(now, before, strict=True)))
    assert changed == sorted(changed)
    assert changed[0] >= 1
    assert len(changed) == 3  # out, dense, convolution
    for variable, values in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), values)
    broken_off = randomised(network, seed=5)
    next(broken_off)
    broken_off.close()
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(network.variables[-1]), before[-1])
