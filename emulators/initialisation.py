"""Initial weights fitted to the data: every unit begins with mean 0 and variance 1 over a few samples.

After Mishkin & Matas 2016 (arXiv:1511.06422) and Salimans & Kingma 2016 (arXiv:1602.07868). It does what batch
normalisation does for a young network, but a sample's answer never depends on the samples beside it, nor on the ranks.
"""

import keras
import numpy as np

from tenfold.emulators.layers import Affine


def calibrate(network: keras.Model, samples: np.ndarray) -> None:
    """Rescale the weights of every convolution and dense layer but the last, in place.

    Parameters
    ----------
    network
        Built network; layers in the order data pass through them.
    samples
        Raw inputs, shape (n, …). The same samples give the same weights.
    """
    kinds = (keras.layers.Conv2D, keras.layers.Conv3D, keras.layers.Dense, Affine)
    for layer in [layer for layer in network.layers if isinstance(layer, kinds)][:-1]:
        incoming = keras.Model(network.input, layer.input)(samples)
        activation, layer.activation = getattr(layer, "activation", None), keras.activations.linear
        units = np.asarray(keras.ops.convert_to_numpy(layer(incoming)), np.float64)
        layer.activation = activation
        axes = tuple(range(units.ndim - 1))
        mean, std = units.mean(axes), units.std(axes) + 1e-6
        layer.kernel.assign(keras.ops.convert_to_numpy(layer.kernel) / std)
        layer.bias.assign((keras.ops.convert_to_numpy(layer.bias) - mean) / std)
