"""Layers that generator and discriminator share: input of the parameters, standard deviation of κ, dense layers."""

import keras
from keras import ops

from tenfold.emulators.gan import GAN
from tenfold.emulators.gaussian_field import Polynomial
from tenfold.emulators.lognormal import LognormalModel
from tenfold.emulators.map_layers import StandardiseParameters


def add_parameter_input(architecture: GAN, inputs: dict) -> dict:
    """Return the inputs with one for the parameters added, if the networks are conditional."""
    if not architecture.conditions:
        return inputs
    return {**inputs, "parameters": keras.Input((architecture.conditions,), name="parameters")}


def kappa_sigma(model: LognormalModel, parameters, exponent: int):
    """Return σ of κ at each map's cosmology to the power ±1, shape (batch, 1, 1, C).

    Parameters
    ----------
    model
        Log-normal model of the training maps.
    parameters
        Standardised parameters, shape (batch, P).
    exponent
        1 for σ, −1 for 1/σ.
    """
    ln_sigma = Polynomial(exponent * model.ln_sigma, name="ln_sigma", trainable=False)(parameters)
    return ops.exp(ln_sigma)[:, None, None]


def standardise_parameters(architecture: GAN, model: LognormalModel, inputs: dict):
    """Return standardised parameters, shape (batch, P); P = 0 for an unconditional network."""
    if architecture.conditions:
        layer = StandardiseParameters(model.location, model.scale, model.logarithmic, name="standardised_parameters")
        return layer(inputs["parameters"])
    batch_of_numbers = inputs["latent"] if "latent" in inputs else inputs["map"][:, 0, 0]
    return batch_of_numbers[:, :0]


def dense(x, units: int, gain: float, seed: int, name: str, bias: bool = True, dtype: str = "float32"):
    """Apply a dense layer whose outputs start with variance gain² for inputs of unit variance.

    Parameters
    ----------
    x
        Shape (batch, features).
    units
        Outputs.
    gain
        Initial standard deviation of the outputs.
    seed
        Seed of the initial weights.
    name
        Name of the layer.
    bias
        Whether to add a bias.
    dtype
        Keras dtype policy.
    """
    initial = keras.initializers.RandomNormal(0.0, gain / x.shape[-1] ** 0.5, seed=seed)
    return keras.layers.Dense(units, kernel_initializer=initial, use_bias=bias, name=name, dtype=dtype)(x)
