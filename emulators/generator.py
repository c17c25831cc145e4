"""Generators of convergence maps; plain ``keras`` and ``keras.ops``."""

from itertools import count
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tenfold.emulators import map_layers
from tenfold.emulators.conditioning import add_parameter_input, dense, kappa_sigma, standardise_parameters
from tenfold.emulators.gan import GAN
from tenfold.emulators.gaussian_field import GaussianField, Polynomial
from tenfold.emulators.intensity import ToKappa
from tenfold.emulators.lognormal import LognormalModel
from tenfold.emulators.monotonic_spline import KNOTS, MonotonicSpline


def build_generator(
    architecture: GAN, model: LognormalModel, *, seed: int = 0, precision: str = "float32"
) -> keras.Model:  # fmt: skip
    """Build an untrained generator.

    Parameters
    ----------
    architecture
        Architecture of generator and discriminator.
    model
        Log-normal model of the training maps, from `tenfold.pipelines.emulator.lognormal`.
    seed, precision
        Seed of the initial weights; Keras dtype policy, ``"float32"`` or ``"mixed_bfloat16"``.

    Returns
    -------
    keras.Model
        From ``{"latent": (batch, latent_dim), "noise": (batch, noise_dim), "parameters": (batch, P)}`` to κ
        (batch, N, N, C). The last two inputs exist where the architecture has them. Parameters are in physical units,
        the other inputs standard normal.
    """
    inputs = {"latent": keras.Input((architecture.latent_dim,), name="latent")}
    if architecture.noise_dim:
        inputs["noise"] = keras.Input((architecture.noise_dim,), name="noise")
    inputs = add_parameter_input(architecture, inputs)
    parameters = standardise_parameters(architecture, model, inputs)
    family = _cosmogan if architecture.network == "dcgan" else _field_and_unet
    x = family(architecture, model, inputs, parameters, seed, {"dtype": precision})
    kappa = ToKappa(**vars(model.intensity), name="kappa")(x) * kappa_sigma(model, parameters, 1)
    return keras.Model(inputs, kappa, name="generator")


def _vector(architecture: GAN, inputs: dict, parameters):
    """Return the latent vector with the standardised parameters appended."""
    if not architecture.conditions:
        return inputs["latent"]
    return layers.Concatenate(name="vector")([inputs["latent"], parameters])


def _cosmogan(architecture: GAN, model: LognormalModel, inputs: dict, parameters, seed: int, dtype: dict[str, Any]):
    """Return maps of CosmoGAN's generator: transposed convolutions of a latent vector."""
    seeds = count(seed * 1000 + 1)
    edge = 2 if architecture.boundary == "cropped" else 0
    side = architecture.size // 2 ** len(architecture.filters) + 2 * edge
    filters = architecture.filters[0]
    vector = _vector(architecture, inputs, parameters)
    start = dense(vector, side**2 * filters, map_layers.LEAKY_GAIN, next(seeds), "seed", dtype=dtype["dtype"])
    x = layers.Reshape((side, side, filters))(start)
    for level, filters in enumerate((*architecture.filters[1:], architecture.channels), 1):
        x = map_layers.GhostBatchNormalization(architecture.group_size, name=f"norm_{level}", **dtype)(x)
        x = layers.ReLU(name=f"active_{level}", **dtype)(x)
        last = level == len(architecture.filters)
        x = map_layers.TransposedConvolution(
            filters, architecture.kernel_size, 2, periodic=not edge, gain=1.0 if last else map_layers.LEAKY_GAIN,
            seed=next(seeds), name="map" if last else f"up_{level}", **dtype,
        )(x)  # fmt: skip
        if edge:
            x = layers.Cropping2D(2 * edge if last else edge, name=f"crop_{level}", **dtype)(x)
    return x


def _field_and_unet(
    architecture: GAN, model: LognormalModel, inputs: dict, parameters, seed: int, dtype: dict[str, Any]
):  # fmt: skip
    """Return the sum of a Gaussian random field and a U-net's correction, which is zero before training."""
    seeds = count(seed * 1000 + 1)
    periodic = architecture.boundary == "periodic"
    gain, slope, channels = map_layers.LEAKY_GAIN, map_layers.LEAKY_SLOPE, architecture.channels
    vector = _vector(architecture, inputs, parameters)
    for index in range(2):
        vector = dense(vector, architecture.style_dim, gain, next(seeds), f"style_{index}", dtype=dtype["dtype"])
        vector = layers.LeakyReLU(slope, **dtype)(vector)
    field_side, side = architecture.noise_sides[0], architecture.noise_sides[-1]
    white = ops.reshape(inputs["noise"][:, : channels * field_side**2], (-1, channels, field_side, field_side))
    extra_noise = ops.reshape(inputs["noise"][:, channels * field_side**2 :], (-1, side, side, 1))
    ln_power = Polynomial(model.ln_power.reshape(len(model.ln_power), -1), name="ln_power")(parameters)
    field = GaussianField(architecture.size, side, model.knots, model.mixing, name="field")(
        [ops.transpose(white, (0, 2, 3, 1)), ln_power]
    )

    def active(x, name):
        x = map_layers.FiLM(seed=next(seeds), name=f"film_{name}", **dtype)([x, vector])
        return layers.LeakyReLU(slope, name=f"active_{name}", **dtype)(x)

    def convolve(x, filters, name, gain=gain):
        return map_layers.Convolution(
            filters, 3, periodic=periodic, gain=gain, seed=next(seeds), name=name, **dtype
        )(x)  # fmt: skip

    strided = {"kernel": architecture.kernel_size, "stride": 2, "periodic": periodic, **dtype}
    x = layers.Concatenate(name="start", **dtype)([field, extra_noise])
    x = active(convolve(x, architecture.filters[0], "level_0"), "0")
    skips = [x]
    for level, filters in enumerate(architecture.filters[1:], 1):
        x = map_layers.Convolution(filters, seed=next(seeds), name=f"down_{level}", **strided)(x)
        x = active(x, f"down_{level}")
        x = active(convolve(x, filters, f"level_{level}"), f"{level}")
        skips.append(x)
    for level in range(len(architecture.filters) - 2, -1, -1):
        filters = architecture.filters[level]
        x = map_layers.TransposedConvolution(filters, seed=next(seeds), name=f"up_{level}", **strided)(x)
        x = active(layers.Add(name=f"skip_{level}", **dtype)([x, skips[level]]), f"up_{level}")
        x = active(convolve(x, filters, f"out_{level}"), f"out_{level}")
    correction = ops.cast(convolve(x, channels, "map", gain=0.0), "float32")
    negative_mean = Polynomial(-model.mean, name="negative_mean")(parameters)[:, None, None]
    # subtracted, since Keras on TensorFlow mistakes the addition of a (batch, 1, 1, 1) tensor for that of a bias along
    # rows where the batch is as large as the map has rows
    u = field + correction - negative_mean
    u = layers.Cropping2D(architecture.margin, name="crop")(u) if architecture.margin else u
    zeros = np.zeros((len(model.mean), len(KNOTS) * channels))  # set by the calibration after training
    coefficients = Polynomial(zeros, name="spline_coefficients", trainable=False)(parameters)
    return MonotonicSpline(name="spline")([u, coefficients])
