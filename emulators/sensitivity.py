"""What an answer of a network of fields hangs on: its gradient, and the network with ever more of its weights lost."""

from collections.abc import Callable, Iterator

import keras
import numpy as np


def answer_of(network: keras.Model, parameter: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from fields (n, …, channel) to the estimated mean of a parameter, shape (n,)."""
    return lambda fields: np.asarray(network(fields, training=False))[:, parameter, 0]


def gradient_of(network: keras.Model, parameter: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from fields (n, …, channel) to the gradient of that estimate, same shape.

    Parameters
    ----------
    network
        As `tenfold.emulators.cnn.build` makes it: fields in, (n, P, 2) out.
    parameter
        Number of the parameter.
    """
    import tensorflow as tf

    @tf.function(reduce_retracing=True, autograph=False)
    def gradient(fields):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(fields)
            total = tf.reduce_sum(network(fields, training=False)[:, parameter, 0])
        return tape.gradient(total, fields)

    return lambda fields: np.asarray(gradient(tf.constant(fields, tf.float32)))


def learnt_layers(network: keras.Model) -> list[keras.Layer]:
    """Layers that have weights, from the answer down to the field."""
    return [layer for layer in reversed(network.layers) if layer.trainable_variables]


def randomised(network: keras.Model, seed: int) -> Iterator[keras.Model]:
    """Yield the network with the weights of its last layer shuffled, of its last two, and on to the first.

    One and the same network is changed in place between the steps; in the end it is as it was, also where the
    iteration is broken off.

    Parameters
    ----------
    network
        Any network; layers without weights are no steps.
    seed
        Of the shuffling: every weight keeps its values, which lose their places.
    """
    rng = np.random.default_rng(seed)
    kept = [keras.ops.convert_to_numpy(variable) for variable in network.variables]
    try:
        for layer in learnt_layers(network):
            for variable in layer.trainable_variables:
                values = keras.ops.convert_to_numpy(variable)
                variable.assign(rng.permutation(values.reshape(-1)).reshape(values.shape))
            yield network
    finally:
        for variable, values in zip(network.variables, kept, strict=True):
            variable.assign(values)
