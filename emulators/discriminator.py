"""Discriminators and critics of convergence maps; plain ``keras`` and ``keras.ops``."""

from itertools import count
from typing import Any

import keras
from keras import layers, ops

from tenfold.emulators import map_layers
from tenfold.emulators.conditioning import add_parameter_input, dense, kappa_sigma, standardise_parameters
from tenfold.emulators.gan import GAN
from tenfold.emulators.gaussian_field import Polynomial
from tenfold.emulators.intensity import FromKappa
from tenfold.emulators.lognormal import PEAK_HEIGHTS, PIXEL_THRESHOLDS, LognormalModel
from tenfold.emulators.summary_statistics import SummaryStatistics


def build_discriminator(
    architecture: GAN, model: LognormalModel, *, seed: int = 0, precision: str = "float32"
) -> keras.Model:  # fmt: skip
    """Build an untrained discriminator (``dcgan``) or critic (``wgan-gp``).

    Parameters
    ----------
    architecture, model, seed, precision
        As for `build_generator`.

    Returns
    -------
    keras.Model
        From ``{"map": κ (batch, N, N, C), "parameters": (batch, P)}`` to scores (batch,), higher for maps that look
        simulated. Its layer "intensity" transforms κ to numbers of order one; its layer "body" scores these.
    """
    seeds = count(seed * 1000 + 501)
    dtype: dict[str, Any] = {"dtype": precision}
    periodic = architecture.boundary == "periodic"
    gain, slope = map_layers.LEAKY_GAIN, map_layers.LEAKY_SLOPE
    inputs = _inputs(architecture)
    x, parameters = inputs["map"], standardise_parameters(architecture, model, inputs)
    if architecture.conditions and architecture.network == "dcgan":
        x = ops.concatenate([x, ops.ones_like(x[..., :1]) * parameters[:, None, None]], axis=-1)
    features = []
    if architecture.network == "wgan-gp":
        features.append(summary_statistics(model, x, parameters))
    for level, filters in enumerate(architecture.critic_filters):
        x = map_layers.Convolution(
            filters, architecture.kernel_size, 2, periodic, architecture.spectral_norm, seed=next(seeds),
            name=f"convolution_{level}", **dtype,
        )(x)  # fmt: skip
        if architecture.network == "dcgan" and level and not architecture.spectral_norm:
            x = map_layers.GhostBatchNormalization(architecture.group_size, name=f"norm_{level}", **dtype)(x)
        x = layers.LeakyReLU(slope, name=f"active_{level}", **dtype)(x)
        features.append(ops.mean(ops.cast(x, "float32"), axis=(1, 2)))
    x = layers.Flatten(dtype="float32")(x)
    if architecture.network == "dcgan":
        score = dense(x, 1, 1.0, next(seeds), "score")
    else:
        # means over the map of each level's activations are statistics of a stationary field; their standard deviation
        # from map to map is cosmic variance, which reveals a generator that repeats itself
        means = layers.Concatenate(name="means")(features)
        means = map_layers.MinibatchStandardDeviation(architecture.group_size, name="deviation")(means)
        layout = dense(x, architecture.style_dim, gain, next(seeds), "layout")
        x = layers.Concatenate(name="features")([means, layout])
        if architecture.conditions:
            x = layers.Concatenate(name="conditioned")([x, parameters])
        x = dense(x, 2 * architecture.style_dim, gain, next(seeds), "features_hidden")
        x = layers.LeakyReLU(slope, name="hidden")(x)
        score = dense(x, 1, 1.0, next(seeds), "score")
        if architecture.conditions:
            # projection discriminator (Miyato & Koyama 2018, arXiv:1802.05637), with numbers in place of classes
            embedding = dense(parameters, architecture.style_dim, gain, next(seeds), "embedding_hidden")
            embedding = layers.LeakyReLU(slope, name="embedding_active")(embedding)
            embedding = dense(embedding, 2 * architecture.style_dim, 1.0, next(seeds), "embedding", bias=False)
            score = score + ops.sum(embedding * x, axis=-1, keepdims=True) / (2 * architecture.style_dim) ** 0.5
    body = keras.Model(inputs, score[:, 0], name="body")
    inputs = _inputs(architecture)
    transformed = transform_maps(model, inputs["map"], standardise_parameters(architecture, model, inputs))
    intensity = keras.Model(inputs, transformed, name="intensity")
    inputs = _inputs(architecture)
    return keras.Model(inputs, body({**inputs, "map": intensity(inputs)}), name="discriminator")


def _inputs(architecture: GAN) -> dict:
    """Return the inputs of a discriminator: maps and, where it is conditional, parameters."""
    shape = (architecture.size, architecture.size, architecture.channels)
    return add_parameter_input(architecture, {"map": keras.Input(shape, name="map")})


def transform_maps(model: LognormalModel, kappa, parameters):
    """Apply the intensity transform to κ/σ: from maps κ (batch, N, N, C) to numbers of order one, the same shape.

    Parameters
    ----------
    model
        Log-normal model of the training maps.
    kappa
        Maps.
    parameters
        Standardised parameters, shape (batch, P).
    """
    return FromKappa(**vars(model.intensity), name="transform")(kappa * kappa_sigma(model, parameters, -1))


def summary_statistics(model: LognormalModel, x, parameters, *, histograms: bool = False):
    """Return summary statistics of transformed maps, as deviations from the mean at their cosmology.

    Parameters
    ----------
    model
        Log-normal model of the training maps.
    x
        Transformed maps (batch, N, N, C).
    parameters
        Standardised parameters, shape (batch, P).
    histograms
        Whether to return the statistics of moment matching instead of the critic's.

    Returns
    -------
    tensor
        In units of the map-to-map scatter, shape (batch, F).
    """
    thresholds, starlet_std, mean, scatter = (
        (PEAK_HEIGHTS, model.matching_starlet_std, model.matching_mean, model.matching_scatter) if histograms
        else (PIXEL_THRESHOLDS, model.starlet_std, model.critic_mean, model.critic_scatter)
    )  # fmt: skip
    layer = SummaryStatistics(
        model.band_edges, thresholds, PEAK_HEIGHTS, starlet_std, scatter, vars(model.intensity), histograms,
        name="summary_statistics",
    )  # fmt: skip
    return layer([x, Polynomial(mean, name="summary_mean", trainable=False)(parameters)])
