"""Adversarial training of a generator and a discriminator: losses, penalties, and one step of both networks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tenfold.emulators.training import Reduce, Step, Training, traced

if TYPE_CHECKING:
    import keras

    from tenfold.emulators.moving_average import MovingAverage

DRIFT_WEIGHT = 1e-3
"""Weight of the squared critic scores of simulated maps; it fixes the offset that a Wasserstein loss leaves free
(arXiv:1710.10196)."""

ADAM_EPSILON = 1e-6
"""Adam's ε: large enough that gradients which vanish up to rounding, such as that of a bias before batch
normalisation, do not move a weight."""

Loss = Literal["wasserstein", "logistic"]


@dataclass(frozen=True, kw_only=True)
class AdversarialTraining(Training):
    """Hyper-parameters of adversarial training. ``learning_rate`` applies to the generator.

    Example
    -------
    >>> from tenfold.emulators.adversarial import AdversarialTraining
    >>> AdversarialTraining(penalty="r1").loss
    'auto'
    """

    RENAMED: ClassVar[dict[str, str]] = {
        **Training.RENAMED,
        "momentum": "beta_1",
        "memory": "beta_2",
        "judged": "validation_maps",
        "settling_steps": "moment_matching_steps",
        "settling_rate": "moment_matching_rate",
    }

    epochs: int = 40
    global_batch: int = 32
    learning_rate: float = 1e-3
    reference_batch: int = 32
    critic_learning_rate: float = 2e-3
    """Peak learning rate of the discriminator, also for ``reference_batch`` (two time scales, arXiv:1706.08500)."""
    warmup_epochs: float = 0.5
    beta_1: float = 0.0
    """Adam's β₁, of both networks."""
    beta_2: float = 0.95
    """Adam's β₂, of both networks."""
    clip_norm: float = 100.0
    ema_decay: float = 0.99
    loss: Literal["auto", "wasserstein", "logistic"] = "auto"
    """Adversarial loss: Wasserstein distance; non-saturating logistic loss; or ``auto``, the one that the network's
    family is known for (``wgan-gp``: wasserstein, ``dcgan``: logistic)."""
    penalty: Literal["gradient", "r1", "none"] = "gradient"
    """Gradient penalty of the discriminator: (‖∇‖ − 1)² between simulated and generated maps (WGAN-GP), or ‖∇‖² at
    simulated maps (R1)."""
    penalty_weight: float = 10.0
    """Weight of the penalty in the discriminator's loss."""
    penalty_every: int = 1
    """Steps between two evaluations of the penalty, which is scaled by the same number (lazy regularisation,
    arXiv:1912.04958)."""
    symmetries: bool = True
    """Augment with the 8 symmetries of the square."""
    shifts: bool = True
    """Augment with random periodic shifts; valid for periodic maps only."""
    validation_maps: int = 256
    """Maps of the validation split that the running statistics of each epoch are measured on; as many are generated."""
    moment_matching_steps: int = 480
    """Steps of moment matching (`tenfold.emulators.moment_matching`) after the adversarial training, each on a global
    batch of generated maps; 0 skips it."""
    moment_matching_rate: float = 1e-4
    """Peak learning rate of moment matching. It does not scale with the batch, since the number of steps does not."""

    def __post_init__(self):
        """Check that every value is usable.

        Raises
        ------
        ValueError
            A value is out of its range.
        """
        super().__post_init__()
        for name in ("penalty_every", "validation_maps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least 1")
        for name in ("critic_learning_rate", "penalty_weight", "moment_matching_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be above 0")
        if self.moment_matching_steps < 0:
            raise ValueError(f"moment_matching_steps: found {self.moment_matching_steps}, must not be negative")
        if not 0 <= self.beta_1 < 1:
            raise ValueError(f"beta_1: found {self.beta_1}, must be in [0, 1)")
        if not 0 < self.beta_2 < 1:
            raise ValueError(f"beta_2: found {self.beta_2}, must be in (0, 1)")


def adam(training: AdversarialTraining, learning_rate: float, steps_per_epoch: int) -> "keras.optimizers.Optimizer":
    """Return Adam with a linear warm-up from ``learning_rate / (warm-up steps + 1)`` and a cosine decay to zero.

    Parameters
    ----------
    training
        Hyper-parameters of the training.
    learning_rate
        Peak learning rate for ``training.reference_batch``.
    steps_per_epoch
        Steps in an epoch.
    """
    import keras

    warmup = round(training.warmup_epochs * steps_per_epoch)
    peak = learning_rate * training.global_batch / training.reference_batch
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / (warmup + 1),
        decay_steps=max(1, training.epochs * steps_per_epoch - warmup),
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )
    return keras.optimizers.Adam(
        schedule, beta_1=training.beta_1, beta_2=training.beta_2, epsilon=ADAM_EPSILON,
        global_clipnorm=training.clip_norm,
        name="adam",  # the default name is numbered per process, and checkpoints store weights under it
    )  # fmt: skip


def gradient_norms(score: Callable, maps):
    """Return the norm of the gradient of each map's score with respect to the map.

    Parameters
    ----------
    score
        Function of maps that returns one number per map, shape (n,).
    maps
        Shape (n, …).

    Returns
    -------
    tensor
        Shape (n,).
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
    average: "MovingAverage | None" = None,
) -> Step:
    """Return a training step: one update of the discriminator, then one of the generator against the new discriminator.

    Parameters
    ----------
    generator, discriminator
        From `tenfold.emulators.generator` and `tenfold.emulators.discriminator`.
    optimizers
        Optimizers of the generator and of the discriminator, built.
    reduce
        Sum over ranks; the gradients of both networks go through it.
    training
        Kind, weight and interval of the penalty.
    loss
        ``"wasserstein"`` or ``"logistic"`` (non-saturating).
    average
        Moving average of the generator's weights to update, or None.

    Returns
    -------
    callable
        Takes (maps, inputs, interpolation, weights, penalised): κ of simulated maps (n, N, N, C); the generator's
        inputs (dict; their parameters are those of the simulated maps); fractions in [0, 1) that interpolate between
        simulated and generated maps (n,); 1 / (samples in the global batch) (n,); and whether this step evaluates the
        penalty, an array of shape (). Returns means over the global batch: "loss" and "generator_loss", without
        penalty; "wasserstein", mean score of simulated minus that of generated maps; "penalty", weighted; "gradient"
        and "generator_gradient", global norms of the gradients before clipping.
    """
    import tensorflow as tf

    intensity, body = discriminator.get_layer("intensity"), discriminator.get_layer("body")
    moving_statistics = [v for v in generator.variables + discriminator.variables if "moving_" in v.path]
    wasserstein = loss == "wasserstein"

    def critic(maps, conditions):
        return body({"map": maps, **conditions}, training=True)

    def penalty(simulated, generated, conditions, interpolation, weights):
        if training.penalty == "r1":
            norms = gradient_norms(lambda maps: critic(maps, conditions), simulated)
            return tf.reduce_sum(weights * tf.square(norms))
        fraction = interpolation[:, None, None, None]
        between = fraction * simulated + (1 - fraction) * generated
        norms = gradient_norms(lambda maps: critic(maps, conditions), between)
        return tf.reduce_sum(weights * tf.square(norms - 1))

    def step(maps, inputs, interpolation, weights, penalised):
        inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        conditions = {name: inputs[name] for name in ("parameters",) if name in inputs}
        conditions_of_both = {name: tf.concat([value, value], 0) for name, value in conditions.items()}
        simulated = intensity({"map": tf.convert_to_tensor(maps), **conditions})
        generator_tape = tf.GradientTape()
        with generator_tape:
            generated = intensity({"map": generator(inputs, training=True), **conditions})
        fixed = tf.stop_gradient(generated)

        with tf.GradientTape() as critic_tape:
            scores = critic(tf.concat([simulated, fixed], 0), conditions_of_both)
            simulated_scores, generated_scores = tf.split(scores, 2)
            if wasserstein:
                critic_loss = tf.reduce_sum(weights * (generated_scores - simulated_scores))
                total = critic_loss + DRIFT_WEIGHT * tf.reduce_sum(weights * tf.square(simulated_scores))
            else:
                total = critic_loss = tf.reduce_sum(
                    weights * (tf.nn.softplus(-simulated_scores) + tf.nn.softplus(generated_scores))
                )
        variables = discriminator.trainable_variables
        values = [v.value for v in variables]

        def with_penalty():
            with tf.GradientTape() as tape:
                value = penalty(simulated, fixed, conditions, interpolation, weights)
                value = value * (training.penalty_weight * training.penalty_every)
            return [value, *tape.gradient(value, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)]

        def without_penalty():
            return [tf.zeros(()), *map(tf.zeros_like, values)]

        gradients = critic_tape.gradient(total, variables)
        penalty_value = tf.zeros(())
        if training.penalty != "none":
            penalty_value, *penalty_gradients = tf.cond(penalised, with_penalty, without_penalty)
            gradients = [a + b for a, b in zip(gradients, penalty_gradients, strict=True)]
        distance = tf.reduce_sum(weights * (simulated_scores - generated_scores))
        *gradients, critic_loss, penalty_value, distance = reduce([*gradients, critic_loss, penalty_value, distance])
        optimizers[1].apply(gradients, variables)
        critic_gradient_norm = tf.linalg.global_norm(gradients)

        with generator_tape:  # the same generated maps, scored by the updated discriminator
            scores = critic(generated, conditions)
            generator_loss = tf.reduce_sum(weights * (-scores if wasserstein else tf.nn.softplus(-scores)))
        variables = generator.trainable_variables
        # batch normalisation's moving statistics are means over this rank's maps: the mean over the global batch is
        # their weighted sum over ranks
        local_statistics = [v.value * tf.reduce_sum(weights) for v in moving_statistics]
        gradients = generator_tape.gradient(generator_loss, variables)
        reduced = list(reduce([*gradients, generator_loss, *local_statistics]))
        gradients, generator_loss = reduced[: len(variables)], reduced[len(variables)]
        optimizers[0].apply(gradients, variables)
        for variable, value in zip(moving_statistics, reduced[len(variables) + 1 :], strict=True):
            variable.assign(value)
        if average is not None:
            average.update()
        return {
            "loss": critic_loss, "generator_loss": generator_loss, "wasserstein": distance, "penalty": penalty_value,
            "gradient": critic_gradient_norm, "generator_gradient": tf.linalg.global_norm(gradients),
        }  # fmt: skip

    return traced(step, ragged=False)
