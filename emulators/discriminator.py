"""Networks that judge convergence maps; plain ``keras`` and ``keras.ops``."""

from itertools import count
from typing import Any

import keras
from keras import layers, ops

from tenfold.emulators import map_layers as own
from tenfold.emulators.conditioning import dense, spread, units_of, with_parameters
from tenfold.emulators.differentiable_statistics import Summary
from tenfold.emulators.gan import GAN
from tenfold.emulators.gaussian_field import Polynomial
from tenfold.emulators.intensity import FromKappa
from tenfold.emulators.lognormal import HEIGHTS, THRESHOLDS, FirstGuess


def build_discriminator(
    shape: GAN, guess: FirstGuess, *, seed: int = 0, precision: str = "float32"
) -> keras.Model:  # fmt: skip
    """Build an untrained discriminator (``dcgan``) or critic (``wgan-gp``).

    Parameters
    ----------
    shape, guess, seed, precision
        As for `build_generator`.

    Returns
    -------
    keras.Model
        ``{"map": κ (batch, N, N, C), "parameters": (batch, P)}`` to a score (batch,), higher for maps that look
        simulated. Its layer "intensity" takes the same to numbers of order one, and its layer "body" judges those.
    """
    seeds = count(seed * 1000 + 501)
    plain: dict[str, Any] = {"dtype": precision}
    periodic = shape.boundary == "periodic"
    inputs = with_parameters(shape, {"map": keras.Input((shape.size, shape.size, shape.channels), name="map")})
    x, units = inputs["map"], units_of(shape, guess, inputs)
    if shape.conditions and shape.network == "dcgan":
        x = ops.concatenate([x, ops.ones_like(x[..., :1]) * units[:, None, None]], axis=-1)
    seen = []
    if shape.network == "wgan-gp":
        seen.append(told(guess, x, units))
    for level, filters in enumerate(shape.critic_filters):
        x = own.Convolution(
            filters, shape.kernel, 2, periodic, shape.spectral_norm, seed=next(seeds), name=f"convolution_{level}",
            **plain,
        )(x)  # fmt: skip
        if shape.network == "dcgan" and level and not shape.spectral_norm:
            x = own.GroupBatchNormalization(shape.group, name=f"norm_{level}", **plain)(x)
        x = layers.LeakyReLU(own.SLOPE, name=f"active_{level}", **plain)(x)
        seen.append(ops.mean(ops.cast(x, "float32"), axis=(1, 2)))
    x = layers.Flatten(dtype="float32")(x)
    if shape.network == "dcgan":
        score = dense(x, 1, 1.0, next(seeds), "score")
    else:
        # means over the map of what each level sees are statistics of a stationary field, and what they vary from map
        # to map is its cosmic variance: a generator that repeats itself is found out
        means = own.GroupDeviation(shape.group, name="deviation")(layers.Concatenate(name="means")(seen))
        layout = dense(x, shape.style, own.GAIN, next(seeds), "layout")
        x = layers.Concatenate(name="features")([means, layout])
        if shape.conditions:
            x = layers.Concatenate(name="conditioned")([x, units])
        x = layers.LeakyReLU(own.SLOPE, name="hidden")(
            dense(x, 2 * shape.style, own.GAIN, next(seeds), "features_hidden")
        )
        score = dense(x, 1, 1.0, next(seeds), "score")
        if shape.conditions:  # projection (Miyato & Koyama 2018, arXiv:1802.05637), of numbers instead of classes
            wanted = dense(units, shape.style, own.GAIN, next(seeds), "wanted_hidden")
            wanted = layers.LeakyReLU(own.SLOPE, name="wanted")(wanted)
            wanted = dense(wanted, 2 * shape.style, 1.0, next(seeds), "embedding", bias=False)
            score = score + ops.sum(wanted * x, axis=-1, keepdims=True) / (2 * shape.style) ** 0.5
    body = keras.Model(inputs, score[:, 0], name="body")
    given = with_parameters(shape, {"map": keras.Input((shape.size, shape.size, shape.channels), name="map")})
    intensity = keras.Model(given, bent(guess, given["map"], units_of(shape, guess, given)), name="intensity")
    outer = with_parameters(shape, {"map": keras.Input((shape.size, shape.size, shape.channels), name="map")})
    judged = {**outer, "map": intensity(outer)}
    return keras.Model(outer, body(judged), name="discriminator")


def bent(guess: FirstGuess, kappa, units):
    """Maps κ (batch, N, N, C) as numbers of order one, the same shape."""
    return FromKappa(**vars(guess.intensity), name="bent")(kappa * spread(guess, units, -1))


def told(guess: FirstGuess, x, units, *, counted: bool = False):
    """What there is to say in closed form of bent maps (batch, N, N, C), or, counted, what a generator settles by.

    It is what is over the mean at their cosmology, in units of the scatter from map to map: shape (batch, F).
    """
    thresholds, wavelet_spread, mean, scatter = (
        (HEIGHTS, guess.counted_spread, guess.counted_mean, guess.counted_scatter) if counted
        else (THRESHOLDS, guess.wavelet_spread, guess.told_mean, guess.told_scatter)
    )  # fmt: skip
    summary = Summary(
        guess.band_edges, thresholds, HEIGHTS, wavelet_spread, scatter, vars(guess.intensity), counted, name="told"
    )  # fmt: skip
    return summary([x, Polynomial(mean, name="told_mean", trainable=False)(units)])
