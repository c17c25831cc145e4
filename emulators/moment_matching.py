"""Moment matching: gradient descent on the mean differences between generated and simulated summary statistics."""

from typing import TYPE_CHECKING

import numpy as np

from tenfold.emulators.adversarial import ADAM_EPSILON
from tenfold.emulators.conditioning import add_parameter_input, standardise_parameters
from tenfold.emulators.discriminator import summary_statistics, transform_maps
from tenfold.emulators.gan import GAN
from tenfold.emulators.gaussian_field import Polynomial
from tenfold.emulators.generator import build_generator
from tenfold.emulators.lognormal import LognormalModel, bispectrum_band_edges, n_third_moments
from tenfold.emulators.training import Reduce, Step, traced

if TYPE_CHECKING:
    import keras

SIGN_WEIGHT = 2.0
"""Weight of the soft signs: for normal deviates their scatter is about half as large."""
BISPECTRUM_WEIGHTS = (3.0, 6.0)
"""Least and largest weight of a bispectrum statistic.

Within this range the weight is the ratio of scatter to mean, so that bispectra are matched to a given fraction. Without
it these few of some hundred statistics would be matched last."""
CHANGE_WINDOW_MAPS = 96
"""Maps, mostly of the last steps, that the change of the statistics is averaged over."""


class MomentMatching:
    """Gradient descent on the mean differences between generated and simulated maps.

    A critic scores single maps, and can hardly detect offsets that are small against the map-to-map scatter. Means over
    many maps can. The objective is ½ |b|². The vector b holds weighted mean differences in units of the scatter, for
    every statistic of moment matching, as the terms of a quadratic trend with cosmology.

    The initial b is measured once on many maps. Its change is tracked over recent batches: the current generator and a
    frozen copy of the initial one make maps from the same random inputs, so that sampling noise nearly cancels in the
    difference. The gradient of a step is that of its batch means times the b known before, so that noise in one does
    not bias the other.

    Parameters
    ----------
    generator
        Generator of the ``wgan-gp`` family, trained.
    architecture
        Its architecture.
    model
        Log-normal model of the training maps.
    reduce
        Sum over ranks.
    batch
        Maps per step, over all ranks.
    steps
        Number of descent steps.
    rate
        Peak learning rate of Adam without momentum. It decays to zero as a cosine, which averages out the noise of the
        steps.
    precision
        Keras dtype policy of the generator.

    Attributes
    ----------
    offset_batches
        Batches to measure the initial offset on, half as many as descent steps.
    measure_offset, step
        Functions of (inputs, weights): the generator's inputs (dict) for n maps, and a weight for each (n,). Call
        ``measure_offset`` first, on `offset_batches` batches with weights 1 / (number of all their maps); then
        ``step``, with weights 1 / (maps in the global batch). Both return {"offset": root mean square of b}.
    """

    def __init__(
        self,
        generator: "keras.Model",
        architecture: GAN,
        model: LognormalModel,
        reduce: Reduce,
        *,
        batch: int,
        steps: int,
        rate: float,
        precision: str = "float32",
    ):
        import keras
        import tensorflow as tf

        residual_model = build_residual_model(architecture, model)
        variables = [*generator.trainable_variables, generator.get_layer("spline_coefficients").coefficients]
        initial_generator = build_generator(architecture, model, precision=precision)
        initial_generator.set_weights(generator.get_weights())
        schedule = keras.optimizers.schedules.CosineDecay(rate, max(1, steps))
        adam = keras.optimizers.Adam(schedule, beta_1=0.0, beta_2=0.99, epsilon=ADAM_EPSILON)
        adam.build(variables)
        n_residuals, n_terms = (output.shape[1] for output in residual_model.outputs)
        initial_offset, change = (tf.Variable(tf.zeros((n_terms, n_residuals))) for _ in range(2))
        decay = max(0.0, 1 - batch / CHANGE_WINDOW_MAPS)

        def mean_residuals(network, inputs, weights):
            conditions = {name: inputs[name] for name in ("parameters",) if name in inputs}
            residuals, terms = residual_model({"map": network(inputs, training=True), **conditions})
            return tf.matmul(terms, weights[:, None] * residuals, transpose_a=True)

        def rms_offset():
            return {"offset": tf.sqrt(tf.reduce_mean(tf.square(initial_offset + change)))}

        def measure_offset(inputs, weights):
            inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
            initial_offset.assign_add(reduce([mean_residuals(generator, inputs, weights)])[0])
            return rms_offset()

        def step(inputs, weights):
            inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
            with tf.GradientTape() as tape:
                tape.watch(variables[-1].value)
                current = mean_residuals(generator, inputs, weights)
                objective = tf.reduce_sum(current * (initial_offset + change))
            gradients = tape.gradient(objective, variables)
            *gradients, batch_change = reduce(
                [*gradients, current - mean_residuals(initial_generator, inputs, weights)]
            )
            adam.apply(gradients, variables)
            change.assign(batch_change + decay * (change - batch_change))
            return rms_offset()

        self.offset_batches = max(1, steps // 2)
        self.measure_offset: Step = traced(measure_offset, ragged=False)
        self.step: Step = traced(step, ragged=False)


def build_residual_model(architecture: GAN, model: LognormalModel) -> "keras.Model":
    """Build the model of weighted residuals that moment matching drives to zero on average.

    Parameters
    ----------
    architecture
        Architecture of the generator.
    model
        Log-normal model of the training maps.

    Returns
    -------
    keras.Model
        From ``{"map": κ (batch, N, N, C), "parameters": (batch, P)}`` to weighted residuals (batch, F) and the terms of
        a quadratic trend with cosmology (batch, T). Residuals are the deviations of every statistic from its mean at
        the map's cosmology, in units of the map-to-map scatter, and the deviations of their soft signs from their mean.
    """
    import keras
    from keras import ops

    shape = (architecture.size, architecture.size, architecture.channels)
    inputs = add_parameter_input(architecture, {"map": keras.Input(shape, name="map")})
    parameters = standardise_parameters(architecture, model, inputs)
    terms = Polynomial(np.eye(len(model.matching_mean)), trainable=False)(parameters)
    maps = transform_maps(model, inputs["map"], parameters)
    deviations = summary_statistics(model, maps, parameters, histograms=True)
    signs = ops.softsign(deviations) - Polynomial(model.matching_sign, trainable=False)(parameters)
    weights = np.ones(len(model.matching_scatter), np.float32)
    n_bispectra = architecture.channels * n_third_moments(len(bispectrum_band_edges(architecture.size)) - 1)
    bispectra = slice(-n_bispectra, None)  # the last of the statistics
    mean = np.maximum(np.abs(model.matching_mean[0, bispectra]), ADAM_EPSILON)
    weights[bispectra] = np.clip(model.matching_scatter[bispectra] / mean, *BISPECTRUM_WEIGHTS)
    residuals = ops.concatenate(
        [ops.multiply(deviations, weights), ops.multiply(signs, SIGN_WEIGHT * weights)], axis=1
    )  # fmt: skip
    return keras.Model(inputs, [residuals, terms])
