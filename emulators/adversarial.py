"""Adversarial training of a pair of networks: the step of both players, its losses and its penalties."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tenfold.emulators.training import Reduce, Step, Training, traced

if TYPE_CHECKING:
    import keras

DRIFT = 1e-3
"""Weight of the squared scores of real maps, which a Wasserstein loss leaves free (arXiv:1710.10196)."""

EPSILON = 1e-6
"""Of Adam: gradients that are zero but for rounding, as of a bias before batch norm, must not move a weight."""

Loss = Literal["wasserstein", "logistic"]


@dataclass(frozen=True, kw_only=True)
class AdversarialTraining(Training):
    """How a pair of networks is trained; ``learning_rate`` is the generator's."""

    epochs: int = 40
    global_batch: int = 32
    learning_rate: float = 1e-3
    reference_batch: int = 32
    critic_learning_rate: float = 2e-3
    """Peak learning rate of the discriminator, for ``reference_batch`` too (two time scales, arXiv:1706.08500)."""
    warmup_epochs: float = 0.5
    momentum: float = 0.0
    """Adam's β₁, of both players."""
    memory: float = 0.95
    """Adam's β₂, of both players."""
    clip_norm: float = 100.0
    ema_decay: float = 0.99
    loss: Literal["own", "wasserstein", "logistic"] = "own"
    """What scores mean: a distance, a probability (−log of it, not saturating), or whichever the network is
    named for."""
    penalty: Literal["gradient", "r1", "none"] = "gradient"
    """What keeps the discriminator smooth: (‖∇‖ − 1)² between real and made maps (WGAN-GP), or ‖∇‖² on real ones."""
    penalty_weight: float = 10.0
    """Its weight in the discriminator's loss."""
    penalty_every: int = 1
    """Steps from one penalty to the next, which is multiplied by as many (arXiv:1912.04958)."""
    symmetries: bool = True
    """Show each map in a random one of the 8 orientations of the square."""
    shifts: bool = True
    """Shift each map periodically: only right for periodic ones."""
    judged: int = 256
    """Maps of the validation split that each epoch's statistics are taken over, and as many made ones."""
    settling_steps: int = 480
    """Steps of `tenfold.emulators.moment_matching` after the training, each of a global batch of made maps; 0: none."""
    settling_rate: float = 1e-4
    """Their peak learning rate, whatever the batch: there are as many steps with a large one as with a small."""

    def __post_init__(self):
        """Refuse what cannot be trained."""
        super().__post_init__()
        for name in ("penalty_every", "judged"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least 1")
        for name in ("critic_learning_rate", "penalty_weight", "settling_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be above 0")
        if self.settling_steps < 0:
            raise ValueError(f"settling_steps: found {self.settling_steps}, must not be negative")
        if not (0 <= self.momentum < 1 and 0 < self.memory < 1):
            raise ValueError(f"momentum, memory: found {self.momentum}, {self.memory}, must be in [0, 1)")


def adam(training: AdversarialTraining, rate: float, steps_per_epoch: int) -> "keras.optimizers.Optimizer":
    """Return Adam with linear warm-up from ``rate / (warm-up steps + 1)`` and cosine decay to zero."""
    import keras

    warmup = round(training.warmup_epochs * steps_per_epoch)
    peak = rate * training.global_batch / training.reference_batch
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / (warmup + 1),
        decay_steps=max(1, training.epochs * steps_per_epoch - warmup),
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )
    return keras.optimizers.Adam(
        schedule, beta_1=training.momentum, beta_2=training.memory, epsilon=EPSILON,
        global_clipnorm=training.clip_norm, name="adam",  # else numbered by how many a process has made
    )  # fmt: skip


def gradient_norms(score: Callable, maps):
    """Return the norm of each map's gradient of its score, shape (n,): what both penalties are made of.

    Parameters
    ----------
    score
        Takes maps, returns one number per map.
    maps
        Shape (n, …).
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(maps)
        scores = score(maps)
    gradient = tape.gradient(scores, maps)
    return tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=list(range(1, len(gradient.shape)))) + 1e-12)


def adversarial_step(
    generator: "keras.Model",
    discriminator: "keras.Model",
    optimizers: tuple["keras.optimizers.Optimizer", "keras.optimizers.Optimizer"],
    reduce: Reduce,
    training: AdversarialTraining,
    *,
    loss: Loss = "wasserstein",
    average=None,
) -> Step:
    """Return a step of both players: the discriminator's first, then the generator's against the new discriminator.

    Parameters
    ----------
    generator, discriminator
        From `tenfold.emulators.generator` and `tenfold.emulators.discriminator`.
    optimizers
        The generator's and the discriminator's, built.
    reduce
        Sums over ranks; both players' gradients go through it.
    training
        Says which penalty, and how often.
    loss
        ``"wasserstein"`` (mean scores), or ``"logistic"``: −log of probabilities, not saturating.
    average
        Moving average of the generator's weights to update, or None.

    Returns
    -------
    callable
        Takes (maps, inputs, mix, weights, regularised): κ of real maps (n, N, N, C), the generator's inputs (dict;
        their parameters are the real maps' own), the numbers in [0, 1) that mix real and made maps (n,), 1 / (samples
        in the global batch) (n,), and whether this step takes the penalty, an array of no axes. Returns means over the
        global batch: "loss" and "generator_loss", without penalty; "wasserstein", mean score of real less that of made
        maps; "penalty", weighted; "gradient" and "generator_gradient", norms of what the optimizers were given.
    """
    import tensorflow as tf

    intensity, body = discriminator.get_layer("intensity"), discriminator.get_layer("body")
    moving = [v for v in generator.variables + discriminator.variables if "moving_" in v.path]
    wasserstein = loss == "wasserstein"

    def judge(maps, conditions):
        return body({"map": maps, **conditions}, training=True)

    def penalty(real, made, conditions, mix, weights):
        if training.penalty == "r1":
            norms = gradient_norms(lambda maps: judge(maps, conditions), real)
            return tf.reduce_sum(weights * tf.square(norms))
        share = mix[:, None, None, None]
        norms = gradient_norms(lambda maps: judge(maps, conditions), share * real + (1 - share) * made)
        return tf.reduce_sum(weights * tf.square(norms - 1))

    def play(real, inputs, mix, weights, regularised):
        inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        conditions = {name: inputs[name] for name in ("parameters",) if name in inputs}
        twice = {name: tf.concat([value, value], 0) for name, value in conditions.items()}
        real = intensity({"map": tf.convert_to_tensor(real), **conditions})
        making = tf.GradientTape()
        with making:
            made = intensity({"map": generator(inputs, training=True), **conditions})
        fixed = tf.stop_gradient(made)

        with tf.GradientTape() as judging:
            of_real, of_made = tf.split(judge(tf.concat([real, fixed], 0), twice), 2)
            if wasserstein:
                lost = tf.reduce_sum(weights * (of_made - of_real))
                total = lost + DRIFT * tf.reduce_sum(weights * tf.square(of_real))
            else:
                total = lost = tf.reduce_sum(weights * (tf.nn.softplus(-of_real) + tf.nn.softplus(of_made)))
        variables = discriminator.trainable_variables
        values = [v.value for v in variables]

        def penalised():
            with tf.GradientTape() as tape:
                paid = penalty(real, fixed, conditions, mix, weights)
                paid = paid * (training.penalty_weight * training.penalty_every)
            return [paid, *tape.gradient(paid, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)]

        def spared():
            return [tf.zeros(()), *map(tf.zeros_like, values)]

        gradients = judging.gradient(total, variables)
        paid = tf.zeros(())
        if training.penalty != "none":
            paid, *more = tf.cond(regularised, penalised, spared)
            gradients = [one + other for one, other in zip(gradients, more, strict=True)]
        apart = tf.reduce_sum(weights * (of_real - of_made))
        *gradients, lost, paid, apart = reduce([*gradients, lost, paid, apart])
        optimizers[1].apply(gradients, variables)
        gradient = tf.linalg.global_norm(gradients)

        with making:  # the same made maps, before the new discriminator
            scores = judge(made, conditions)
            missed = tf.reduce_sum(weights * (-scores if wasserstein else tf.nn.softplus(-scores)))
        variables = generator.trainable_variables
        # moving statistics are means over this rank's maps: the global batch's are their weighted sum
        own = [v.value * tf.reduce_sum(weights) for v in moving]
        reduced = list(reduce([*making.gradient(missed, variables), missed, *own]))
        gradients, missed, own = reduced[: len(variables)], reduced[len(variables)], reduced[len(variables) + 1 :]
        optimizers[0].apply(gradients, variables)
        for variable, value in zip(moving, own, strict=True):
            variable.assign(value)
        if average is not None:
            average.update()
        return {
            "loss": lost, "generator_loss": missed, "wasserstein": apart, "penalty": paid, "gradient": gradient,
            "generator_gradient": tf.linalg.global_norm(gradients),
        }  # fmt: skip

    return traced(play, ragged=False)
