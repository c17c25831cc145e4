"""Settling: a trained generator's mean statistics brought to the simulations' own, by descent."""

from typing import TYPE_CHECKING

import numpy as np

from tenfold.emulators.adversarial import EPSILON
from tenfold.emulators.conditioning import units_of, with_parameters
from tenfold.emulators.discriminator import bent, told
from tenfold.emulators.gan import GAN
from tenfold.emulators.gaussian_field import Polynomial
from tenfold.emulators.generator import build_generator
from tenfold.emulators.lognormal import FirstGuess, products_of, waves_of
from tenfold.emulators.training import Reduce, Step, traced

if TYPE_CHECKING:
    import keras

SIGNS = 2.0
"""What soft signs count for: of numbers that are normal they scatter by about half as much."""
BISPECTRA = (3.0, 6.0)
"""What bispectra count for, a few numbers in hundreds, which else come last: their scatter over their mean, so that
they come to agree in per cent, within these."""
REMEMBERED = 96
"""Maps, most of them of the last steps', that changes since then are taken over."""


class Settling:
    """Descent on the mean differences between made and simulated maps.

    A critic judges maps one by one, and what is less than their scatter it sees too little of to be rid of. The means
    over many maps show it: of every statistic that the critic is told, but by height and with the starlets of κ, over
    all cosmologies and as a trend with them (second degree), the generator descends ½ |b|², b being the mean difference
    in units of the maps' scatter, times what it counts for. What b is in the beginning is measured once, on many maps;
    how it changes is followed over the last batches, each of which is made of the same random numbers by the generator
    as it was, too: chance is then in both, and hardly in their difference. Each step's gradient is that of its own
    batch's means times the b before it, so that chance in the one does not bias the other.

    Parameters
    ----------
    generator
        Of the ``wgan-gp`` kind; it must have its weights already.
    shape
        Of the generator.
    guess
        What is known of the training maps.
    reduce
        Sums over ranks.
    batch
        Maps of a step, over all ranks.
    steps
        Of descent, that will be taken.
    rate
        Peak learning rate, of Adam without momentum; it falls to zero as a cosine, so that the chance in steps is
        averaged out in the end.
    precision
        Keras dtype policy of the generator.

    Attributes
    ----------
    look, descend
        Steps: take (inputs, weights), the generator's inputs (dict) for n maps, and a weight for each (n,). First
        `looks` batches are looked at, with weights 1 / (all their maps); then it descends, with weights 1 / (maps in
        the global batch). They return "off", the root mean square of b.
    looks
        Batches to look at, half as many as steps.
    """

    def __init__(
        self,
        generator: "keras.Model",
        shape: GAN,
        guess: FirstGuess,
        reduce: Reduce,
        *,
        batch: int,
        steps: int,
        rate: float,
        precision: str = "float32",
    ):
        import keras
        import tensorflow as tf

        witness = build_witness(shape, guess)
        variables = [*generator.trainable_variables, generator.get_layer("remap").coefficients]
        as_it_was = build_generator(shape, guess, precision=precision)
        as_it_was.set_weights(generator.get_weights())
        falling = keras.optimizers.schedules.CosineDecay(rate, max(1, steps))
        adam = keras.optimizers.Adam(falling, beta_1=0.0, beta_2=0.99, epsilon=EPSILON)
        adam.build(variables)
        told_of, trends = (output.shape[1] for output in witness.outputs)
        start, change = (tf.Variable(tf.zeros((trends, told_of))) for _ in range(2))
        kept = max(0.0, 1 - batch / REMEMBERED)

        def means(network, inputs, weights):
            conditions = {name: inputs[name] for name in ("parameters",) if name in inputs}
            differences, trend = witness({"map": network(inputs, training=True), **conditions})
            return tf.matmul(trend, weights[:, None] * differences, transpose_a=True)

        def off():
            return {"off": tf.sqrt(tf.reduce_mean(tf.square(start + change)))}

        def look(inputs, weights):
            inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
            start.assign_add(reduce([means(generator, inputs, weights)])[0])
            return off()

        def descend(inputs, weights):
            inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
            with tf.GradientTape() as tape:
                tape.watch(variables[-1].value)
                now = means(generator, inputs, weights)
                descended = tf.reduce_sum(now * (start + change))
            *gradients, changed = reduce(
                [*tape.gradient(descended, variables), now - means(as_it_was, inputs, weights)]
            )
            adam.apply(gradients, variables)
            change.assign(changed + kept * (change - changed))
            return off()

        self.looks = max(1, steps // 2)
        self.look: Step = traced(look, ragged=False)
        self.descend: Step = traced(descend, ragged=False)


def build_witness(shape: GAN, guess: FirstGuess) -> "keras.Model":
    """Build what takes ``{"map": κ (batch, N, N, C), "parameters": (batch, P)}`` to what maps are settled by.

    That is, to how far each is from the mean of every statistic at its cosmology, in units of the scatter from map to
    map, and their soft signs from theirs, times what each counts for (batch, F), and to the terms of a trend with
    cosmology (batch, T).
    """
    import keras
    from keras import ops

    given = with_parameters(shape, {"map": keras.Input((shape.size, shape.size, shape.channels), name="map")})
    units = units_of(shape, guess, given)
    terms = Polynomial(np.eye(len(guess.counted_mean)), trainable=False)(units)
    over = told(guess, bent(guess, given["map"], units), units, counted=True)
    signs = ops.softsign(over) - Polynomial(guess.counted_sign, trainable=False)(units)
    counts = np.ones(len(guess.counted_scatter), np.float32)
    bispectra = slice(-shape.channels * products_of(len(waves_of(shape.size)) - 1), None)  # they are told last
    mean = np.maximum(np.abs(guess.counted_mean[0, bispectra]), EPSILON)
    counts[bispectra] = np.clip(guess.counted_scatter[bispectra] / mean, *BISPECTRA)
    seen = ops.concatenate([ops.multiply(over, counts), ops.multiply(signs, SIGNS * counts)], axis=1)
    return keras.Model(given, [seen, terms])
