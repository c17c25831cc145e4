"""Generators of convergence maps; plain ``keras`` and ``keras.ops``."""

from itertools import count
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tenfold.emulators import map_layers as own
from tenfold.emulators.conditioning import dense, spread, units_of, with_parameters
from tenfold.emulators.gan import GAN
from tenfold.emulators.gaussian_field import GaussianField, Polynomial
from tenfold.emulators.intensity import ToKappa
from tenfold.emulators.lognormal import FirstGuess
from tenfold.emulators.remapping import KNOTS, Remapping


def build_generator(
    shape: GAN, guess: FirstGuess, *, seed: int = 0, precision: str = "float32"
) -> keras.Model:  # fmt: skip
    """Build an untrained generator.

    Parameters
    ----------
    shape
        The pair's shape.
    guess
        What is known of the maps, from `tenfold.pipelines.emulator.lognormal`.
    seed
        Seed of the initial weights.
    precision
        Keras dtype policy: ``"float32"`` or ``"mixed_bfloat16"``.

    Returns
    -------
    keras.Model
        ``{"latent": (batch, latent), "noise": (batch, noises), "parameters": (batch, P)}``, the last two where the
        shape has them, to κ (batch, N, N, C). Parameters are in physical units, the other numbers standard normal.
    """
    inputs = {"latent": keras.Input((shape.latent,), name="latent")}
    if shape.noises:
        inputs["noise"] = keras.Input((shape.noises,), name="noise")
    inputs = with_parameters(shape, inputs)
    units = units_of(shape, guess, inputs)
    paint = _published if shape.network == "dcgan" else _painted
    made = paint(shape, guess, inputs, units, seed, {"dtype": precision})
    kappa = ToKappa(**vars(guess.intensity), name="kappa")(made) * spread(guess, units, 1)
    return keras.Model(inputs, kappa, name="generator")


def _vector(shape: GAN, inputs: dict, units):
    """Latent vector and parameters in units of their spread."""
    if not shape.conditions:
        return inputs["latent"]
    return layers.Concatenate(name="vector")([inputs["latent"], units])


def _published(shape: GAN, guess: FirstGuess, inputs: dict, units, seed: int, plain: dict[str, Any]):
    """CosmoGAN's generator: a latent vector, then transposed convolutions."""
    seeds = count(seed * 1000 + 1)
    edge = 2 if shape.boundary == "cropped" else 0
    side = shape.size // 2 ** len(shape.filters) + 2 * edge
    start = dense(
        _vector(shape, inputs, units), side**2 * shape.filters[0], own.GAIN, next(seeds), "seed", dtype=plain["dtype"]
    )
    x = layers.Reshape((side, side, shape.filters[0]))(start)
    for level, filters in enumerate((*shape.filters[1:], shape.channels), 1):
        x = own.GroupBatchNormalization(shape.group, name=f"norm_{level}", **plain)(x)
        x = layers.ReLU(name=f"active_{level}", **plain)(x)
        last = level == len(shape.filters)
        x = own.TransposedConvolution(
            filters, shape.kernel, 2, periodic=not edge, gain=1.0 if last else own.GAIN, seed=next(seeds),
            name="map" if last else f"up_{level}", **plain,
        )(x)  # fmt: skip
        if edge:
            x = layers.Cropping2D(2 * edge if last else edge, name=f"cut_{level}", **plain)(x)
    return x


def _painted(shape: GAN, guess: FirstGuess, inputs: dict, units, seed: int, plain: dict[str, Any]):
    """Our generator: a Gaussian field, and what a U-net adds to it; before any training, nothing."""
    seeds = count(seed * 1000 + 1)
    periodic = shape.boundary == "periodic"
    vector = _vector(shape, inputs, units)
    for index in range(2):
        vector = dense(vector, shape.style, own.GAIN, next(seeds), f"style_{index}", dtype=plain["dtype"])
        vector = layers.LeakyReLU(own.SLOPE, **plain)(vector)
    sky, side = shape.noise_sides[0], shape.noise_sides[-1]
    white = ops.reshape(inputs["noise"][:, : shape.channels * sky**2], (-1, shape.channels, sky, sky))
    other = ops.reshape(inputs["noise"][:, shape.channels * sky**2 :], (-1, side, side, 1))
    ln_power = Polynomial(guess.ln_power.reshape(len(guess.ln_power), -1), name="ln_power")(units)
    field = GaussianField(shape.size, side, guess.knots, guess.mixing, name="field")(
        [ops.transpose(white, (0, 2, 3, 1)), ln_power]
    )

    def active(x, name):
        x = own.FiLM(seed=next(seeds), name=f"film_{name}", **plain)([x, vector])
        return layers.LeakyReLU(own.SLOPE, name=f"active_{name}", **plain)(x)

    def convolved(x, filters, name, gain=own.GAIN):
        return own.Convolution(
            filters, 3, periodic=periodic, gain=gain, seed=next(seeds), name=name, **plain
        )(x)  # fmt: skip

    strided = {"kernel": shape.kernel, "stride": 2, "periodic": periodic, **plain}
    x = active(convolved(layers.Concatenate(name="start", **plain)([field, other]), shape.filters[0], "level_0"), "0")
    passed = [x]
    for level, filters in enumerate(shape.filters[1:], 1):
        x = active(own.Convolution(filters, seed=next(seeds), name=f"down_{level}", **strided)(x), f"down_{level}")
        x = active(convolved(x, filters, f"level_{level}"), f"{level}")
        passed.append(x)
    for level in range(len(shape.filters) - 2, -1, -1):
        filters = shape.filters[level]
        x = own.TransposedConvolution(filters, seed=next(seeds), name=f"up_{level}", **strided)(x)
        x = active(layers.Add(name=f"joined_{level}", **plain)([x, passed[level]]), f"up_{level}")
        x = active(convolved(x, filters, f"out_{level}"), f"out_{level}")
    added = ops.cast(convolved(x, shape.channels, "map", gain=0.0), "float32")
    mean = Polynomial(-guess.mean, name="less_mean")(units)[:, None, None]
    # taken off with its sign turned: Keras's addition on TensorFlow takes (batch, 1, 1, 1) for a bias of the rows where
    # a batch has as many maps as a map has rows
    made = field + added - mean
    made = layers.Cropping2D(shape.margin, name="cut")(made) if shape.margin else made
    none = np.zeros((len(guess.mean), len(KNOTS) * shape.channels))  # left for a calibration after the training
    change = Polynomial(none, name="remap", trainable=False)(units)
    return Remapping(name="remapping")([made, change])
