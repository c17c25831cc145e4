"""What a generator and its judge have in common: their parameters, the spread of κ, dense layers."""

import keras
from keras import ops

from tenfold.emulators.gan import GAN
from tenfold.emulators.gaussian_field import Polynomial
from tenfold.emulators.lognormal import FirstGuess
from tenfold.emulators.map_layers import Units


def with_parameters(shape: GAN, first: dict) -> dict:
    """Add the input of the parameters, where the shape has them."""
    parameters = {"parameters": keras.Input((shape.conditions,), name="parameters")} if shape.conditions else {}
    return {**first, **parameters}


def spread(guess: FirstGuess, units, sign: int):
    """σ of each map's cosmology, or 1/σ: shape (batch, 1, 1, C)."""
    return ops.exp(Polynomial(sign * guess.ln_spread, name="ln_spread", trainable=False)(units))[:, None, None]


def units_of(shape: GAN, guess: FirstGuess, inputs: dict):
    """Parameters in units of their spread (batch, P), P = 0 for an unconditional network."""
    if shape.conditions:
        return Units(guess.location, guess.scale, guess.logarithmic, name="units")(inputs["parameters"])
    some = inputs["latent"] if "latent" in inputs else inputs["map"][:, 0, 0]
    return some[:, :0]


def dense(x, width: int, gain: float, seed: int, name: str, bias: bool = True, dtype: str = "float32"):
    """Dense layer whose units begin with variance gain² where what comes in has one."""
    initial = keras.initializers.RandomNormal(0.0, gain / x.shape[-1] ** 0.5, seed=seed)
    return keras.layers.Dense(width, kernel_initializer=initial, use_bias=bias, name=name, dtype=dtype)(x)
