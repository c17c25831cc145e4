"""Settling: a trained generator's mean statistics brought to the simulations' own, by descent."""

from typing import TYPE_CHECKING

import numpy as np

from tenfold.emulators.adversarial import EPSILON
from tenfold.emulators.gaussian_field import Polynomial
from tenfold.emulators.training import Reduce, Step, traced

if TYPE_CHECKING:
    import keras

REMEMBERED = 320
"""Maps, most of them of the last steps', that mean differences are taken over."""


def settling(
    generator: "keras.Model",
    discriminator: "keras.Model",
    reduce: Reduce,
    *,
    batch: int,
    steps: int,
    rate: float,
) -> Step:
    """Return a step of descent on the mean differences between made and simulated maps.

    A critic judges maps one by one, and what is less than their scatter it sees too little of to be rid of. The means
    over many maps show it: of every statistic that the critic is told, over all cosmologies and as a trend with them
    (second degree), the mean difference b is followed over the last batches, and the generator descends ½ |b|², in
    units of the maps' scatter. Each step's gradient is that of its own batch's means times the b before it, so that
    chance in the one does not bias the other.

    Parameters
    ----------
    generator, discriminator
        A pair of the ``wgan-gp`` kind. Of the discriminator only what it is told is used: none of its weights.
    reduce
        Sums over ranks.
    batch
        Maps of a step, over all ranks.
    steps
        How many will be taken.
    rate
        Peak learning rate, of Adam without momentum; it falls to zero as a cosine, so that the chance in steps is
        averaged out in the end. As means lag behind, weights swing where it is more than some 2e-6 a map.

    Returns
    -------
    callable
        Takes (inputs, weights): the generator's inputs (dict) for n maps, and 1 / (maps in the global batch) (n,).
        Returns "off", the root mean square of b.
    """
    import keras
    import tensorflow as tf

    intensity, body = discriminator.get_layer("intensity"), discriminator.get_layer("body")
    told, means = body.get_layer("told"), body.get_layer("told_mean")
    terms = Polynomial(np.eye(len(means.initial)), trainable=False)(means.input)
    seen = keras.Model(body.input, [told.output, terms])
    variables = generator.trainable_variables
    falling = keras.optimizers.schedules.CosineDecay(rate, max(1, steps))
    adam = keras.optimizers.Adam(falling, beta_1=0.0, beta_2=0.99, epsilon=EPSILON)
    adam.build(variables)
    off = tf.Variable(tf.zeros((terms.shape[1], told.output.shape[1])))
    taken, remembered = tf.Variable(tf.zeros(())), max(0.0, 1 - batch / REMEMBERED)

    def settle(inputs, weights):
        inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        conditions = {name: inputs[name] for name in ("parameters",) if name in inputs}
        with tf.GradientTape() as tape:
            made = intensity({"map": generator(inputs, training=True), **conditions})
            differences, trend = seen({"map": made, **conditions})
            now = tf.matmul(trend, weights[:, None] * differences, transpose_a=True)
            descended = tf.reduce_sum(now * off)
        *gradients, now = reduce([*tape.gradient(descended, variables), now])
        adam.apply(gradients, variables)
        taken.assign_add(1.0)
        kept = tf.minimum(remembered, 1.0 - 1.0 / taken)
        off.assign(now + kept * (off - now))
        return {"off": tf.sqrt(tf.reduce_mean(tf.square(off)))}

    return traced(settle, ragged=False)
