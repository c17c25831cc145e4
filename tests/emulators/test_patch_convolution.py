"""Convolution as a matrix product is the convolution of Keras: same results, same gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tenfold.emulators.cnn import CNN, build
from tenfold.emulators.patch_convolution import PatchConv2D, PatchConv3D, suits_patches

TYPES = {2: (PatchConv2D, keras.layers.Conv2D), 3: (PatchConv3D, keras.layers.Conv3D)}


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("side", [1, 3, 5])
def test_results_and_gradients_are_those_of_the_direct_convolution(dimensions, padding, side):
    rng = np.random.default_rng(1)
    fields = tf.constant(rng.standard_normal((2, *(6, 7, 8)[:dimensions], 2)).astype(np.float32))
    layers = [kind(3, side, padding=padding, activation="leaky_relu") for kind in TYPES[dimensions]]
    weights = [rng.standard_normal((side,) * dimensions + (2, 3)), rng.standard_normal(3)]
    results, gradients = [], []
    for layer in layers:
        layer.build(fields.shape)
        layer.set_weights(weights)
        with tf.GradientTape() as tape:
            tape.watch(fields)
            results.append(layer(fields))
            loss = tf.reduce_mean(results[-1] ** 2)
        gradients.append(tape.gradient(loss, [fields, *(weight.value for weight in layer.trainable_variables)]))
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-5)
    for gradient, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-4)


def test_only_the_first_convolution_of_a_few_channels_uses_patches():
    def kinds(architecture):
        network = build(architecture, location=[0.0], scale=[1.0])
        return [type(layer) for layer in network.layers if "Conv" in type(layer).__name__]

    assert kinds(CNN(size=8, filters=(4, 8))) == [PatchConv3D, keras.layers.Conv3D]
    assert kinds(CNN(size=8, filters=(4, 8), channels=4)) == [keras.layers.Conv3D] * 2
    assert kinds(CNN(dimensions=2, size=8, filters=(8, 8))) == [PatchConv2D, keras.layers.Conv2D]


def test_patches_that_would_not_fit_into_memory_are_not_made():
    assert suits_patches(64**3, 27)
    assert not suits_patches(128**3, 27)
