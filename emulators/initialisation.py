"""Layer-sequential unit-variance initialisation of convolutional networks.

After Mishkin & Matas 2016 (arXiv:1511.06422) and Salimans & Kingma 2016 (arXiv:1602.07868). It stabilises early
training as batch normalisation does, but the prediction for a sample never depends on the rest of the batch, nor on the
number of ranks.
"""

import keras
import numpy as np

from tenfold.emulators.layers import Affine


def initialise_unit_variance(network: keras.Model, samples: np.ndarray) -> None:
    """Rescale weights in place so that every unit has mean 0 and variance 1 over a few samples.

    All convolutions and dense layers except the last are rescaled.

    Parameters
    ----------
    network
        Built network, its layers in the order of the data flow.
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
