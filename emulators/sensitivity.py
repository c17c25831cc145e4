"""Sensitivity of field networks: gradients of an estimate, and cascading randomisation of the weights."""

from collections.abc import Callable, Iterator

import keras
import numpy as np


def prediction_function(network: keras.Model, parameter: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from fields (n, …, channel) to the estimated mean of one parameter, shape (n,)."""
    return lambda fields: np.asarray(network(fields, training=False))[:, parameter, 0]


def gradient_function(network: keras.Model, parameter: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from fields (n, …, channel) to the gradient of that estimate, same shape.

    Parameters
    ----------
    network
        Network built by `tenfold.emulators.cnn.build`: fields in, estimates (n, P, 2) out.
    parameter
        Index of the parameter.
    """
    import tensorflow as tf

    @tf.function(reduce_retracing=True, autograph=False)
    def gradient(fields):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(fields)
            total = tf.reduce_sum(network(fields, training=False)[:, parameter, 0])
        return tape.gradient(total, fields)

    return lambda fields: np.asarray(gradient(tf.constant(fields, tf.float32)))


def trainable_layers(network: keras.Model) -> list[keras.Layer]:
    """Return the layers that have weights, from the output to the input."""
    return [layer for layer in reversed(network.layers) if layer.trainable_variables]


def cascading_randomisation(network: keras.Model, seed: int) -> Iterator[keras.Model]:
    """Yield the network with the weights of its last 1, 2, … layers permuted (Adebayo et al. 2018, arXiv:1810.03292).

    The network is changed in place between the steps. Its weights are restored at the end, also if the iteration stops
    early.

    Parameters
    ----------
    network
        Any network; layers without weights are skipped.
    seed
        Seed of the permutations. Every weight array keeps its values in another order.
    """
    rng = np.random.default_rng(seed)
    original = [keras.ops.convert_to_numpy(variable) for variable in network.variables]
    try:
        for layer in trainable_layers(network):
            for variable in layer.trainable_variables:
                values = keras.ops.convert_to_numpy(variable)
                variable.assign(rng.permutation(values.reshape(-1)).reshape(values.shape))
            yield network
    finally:
        for variable, values in zip(network.variables, original, strict=True):
            variable.assign(values)
