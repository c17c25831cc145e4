"""Gradients of a network against finite differences, and cascading randomisation of its weights."""

import keras
import numpy as np
import pytest

from tenfold.emulators.cnn import CNN, build
from tenfold.emulators.sensitivity import cascading_randomisation, gradient_function, prediction_function


@pytest.fixture(scope="module")
def network():
    smooth = {"pooling": "average", "readout": "flatten", "activation": "tanh", "transform": "identity"}
    architecture = CNN(dimensions=2, size=8, filters=(4,), dense_units=(8,), **smooth)
    network = build(architecture, location=[0.3, 0.8], scale=[0.1, 0.1], seed=1)
    network.get_layer("out").kernel.assign(np.random.default_rng(3).standard_normal((8, 4)))
    return network


def test_the_gradient_is_that_of_the_estimate(network):
    field = np.random.default_rng(1).standard_normal((1, 8, 8, 1)).astype(np.float32)
    direction = np.random.default_rng(2).standard_normal(field.shape).astype(np.float32)
    for parameter in (0, 1):
        predict, gradient = prediction_function(network, parameter), gradient_function(network, parameter)
        slope = (predict(field + 1e-2 * direction) - predict(field - 1e-2 * direction)) / 2e-2
        assert slope[0] == pytest.approx(float((gradient(field) * direction).sum()), rel=2e-2)


def test_layers_are_randomised_from_the_output_and_restored(network):
    before = [keras.ops.convert_to_numpy(variable) for variable in network.variables]
    changed = []
    for randomised in cascading_randomisation(network, seed=5):
        now = [keras.ops.convert_to_numpy(variable) for variable in randomised.variables]
        changed.append(sum(not np.array_equal(a, b) for a, b in zip(now, before, strict=True)))
    assert changed == sorted(changed)
    assert changed[0] >= 1
    assert len(changed) == 3  # out, dense, convolution
    for variable, values in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), values)
    interrupted = cascading_randomisation(network, seed=5)
    next(interrupted)
    interrupted.close()
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(network.variables[-1]), before[-1])
