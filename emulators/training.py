"""The training loop: epochs of optimisation steps, resumable at any step, over any number of ranks.

The loop does not depend on what is learnt. A *step* takes a batch, updates variables and returns means; regression,
adversarial training of two networks and graph networks each bring their own. The loop does not depend on MPI either: a
step is given a ``reduce`` that sums over the ranks.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

if TYPE_CHECKING:
    import keras

Reduce = Callable[[Sequence], Sequence]
"""Sums each tensor of a list over all ranks."""

Step = Callable[[Any], dict[str, Any]]
"""One optimisation step on this rank's share of a global batch: returns means over the global batch, by name."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Hyper-parameters that every training has."""

    RENAMED: ClassVar[dict[str, str]] = {"average": "ema_decay", "keep": "checkpoints_to_keep"}

    epochs: int = 30
    """Passes over the training split."""
    global_batch: int = 8
    """Samples per step, over all ranks together."""
    learning_rate: float = 1e-3
    """Peak learning rate for a global batch of ``reference_batch``; it scales linearly with the global batch."""
    reference_batch: int = 8
    """Global batch for which ``learning_rate`` is given."""
    warmup_epochs: float = 2.0
    """Epochs of linear warm-up, before a cosine decay to zero."""
    clip_norm: float = 1.0
    """Largest global norm of the gradient."""
    ema_decay: float = 0.0
    """Decay per step of the exponential moving average of the weights, which replaces the weights in validation and in
    the trained network; 0: no averaging."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Arithmetic of convolutions and matrix products."""
    seed: int = 1
    """Seed of the initial weights, the order of samples and the augmentation."""
    checkpoint_steps: int = 0
    """Steps between two checkpoints; 0: one after each epoch."""
    checkpoints_to_keep: int = 2
    """Number of checkpoints kept on disk."""

    def __post_init__(self):
        """Check that every value is in its range."""
        for name in ("epochs", "global_batch", "reference_batch", "checkpoints_to_keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least 1")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be above 0")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay: found {self.ema_decay}, must be in [0, 1)")
        for name in ("warmup_epochs", "checkpoint_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: found {getattr(self, name)}, must not be negative")

    @property
    def peak_learning_rate(self) -> float:
        """Learning rate after warm-up, scaled to the global batch."""
        return self.learning_rate * self.global_batch / self.reference_batch


@dataclass(frozen=True, kw_only=True)
class RegressionTraining(Training):
    """Hyper-parameters of the training of a network that predicts targets.

    Example
    -------
    >>> from tenfold.emulators.training import RegressionTraining
    >>> RegressionTraining(global_batch=16, learning_rate=1e-3, reference_batch=8).peak_learning_rate
    0.002
    """

    beta: float = 0.5
    """Exponent β of the β-NLL loss (arXiv:2203.09168), from 0 (the likelihood itself) to 1 (means are learnt as from a
    squared error)."""
    weight_decay: float = 1e-4
    """Decoupled weight decay (AdamW)."""

    def __post_init__(self):
        """Check that every value is in its range."""
        super().__post_init__()
        if not 0 <= self.beta <= 1:
            raise ValueError(f"beta: found {self.beta}, must be in [0, 1]")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay: found {self.weight_decay}, must not be negative")


@dataclass(frozen=True, kw_only=True)
class FieldTraining(RegressionTraining):
    """Hyper-parameters of the training of an estimator on volumes or maps.

    Example
    -------
    >>> from tenfold.emulators.training import FieldTraining
    >>> FieldTraining(epochs=10, shifts=True).symmetries
    True
    """

    symmetries: bool = True
    """Rotate and reflect each sample at random: 48 orientations of the cube, 8 of the square."""
    shifts: bool = False
    """Shift each sample periodically by a random vector: only valid for whole periodic boxes."""


class Position(NamedTuple):
    """Progress of a training: ``step`` steps of epoch ``epoch`` are done."""

    epoch: int = 0
    step: int = 0


@dataclass
class Means:
    """Means over samples as mergeable sums, so that a resumed epoch ends with the same means."""

    sums: dict[str, float] = field(default_factory=dict)
    count: float = 0.0

    def add(self, means: dict[str, Any], count: float) -> None:
        """Add means over ``count`` samples."""
        for name, mean in means.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(mean) * count
        self.count += count

    def finalise(self) -> dict[str, float]:
        """Return the mean of each name over all samples."""
        return {name: total / self.count for name, total in self.sums.items()}


def adamw(training: RegressionTraining, steps_per_epoch: int) -> "keras.optimizers.Optimizer":
    """Return AdamW with linear warm-up, cosine decay to zero, and clipping of the gradient's global norm.

    Parameters
    ----------
    training
        Hyper-parameters.
    steps_per_epoch
        Steps in an epoch; they set the length of the warm-up and of the decay.
    """
    import keras

    warmup = round(training.warmup_epochs * steps_per_epoch)
    total = training.epochs * steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=training.peak_learning_rate / (warmup + 1),
        decay_steps=max(1, total - warmup),
        warmup_target=training.peak_learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=training.weight_decay, global_clipnorm=training.clip_norm)


def regression_step(
    network: "keras.Model",
    loss: Callable,
    optimizer: "keras.optimizers.Optimizer",
    reduce: Reduce,
    average=None,
    metric: Callable | None = None,
    ragged: bool = False,
) -> Step:
    """Return a step that minimises ``loss(targets, network(inputs))``.

    Parameters
    ----------
    network, loss, optimizer
        The network, a loss with one value per sample, and a built optimizer.
    reduce
        Sums over ranks.
    average
        Moving average of the weights to update, or None.
    metric
        Reported in place of the loss, with the same arguments: the likelihood, where the loss is a weighted one.
    ragged
        Whether the length of the arrays' first axes varies from batch to batch: then one graph is traced for all.

    Returns
    -------
    callable
        Takes (inputs, targets, weights); the first axis of each is the samples of this rank. The weights are
        1 / (samples in the global batch), and 0 for padding. Returns the global mean of the loss, or of ``metric``,
        under the name "loss".
    """
    import tensorflow as tf

    def step(inputs, targets, weights):
        with tf.GradientTape() as tape:
            outputs = network(inputs, training=True)
            total = tf.reduce_sum(loss(targets, outputs) * weights)
        gradients = tape.gradient(total, network.trainable_variables)
        if metric is not None:
            total = tf.reduce_sum(metric(targets, outputs) * weights)
        *gradients, total = reduce([*gradients, total])
        optimizer.apply(gradients, network.trainable_variables)
        if average is not None:
            average.update()
        return {"loss": total}

    return traced(step, ragged)


def traced(function: Callable, ragged: bool) -> Callable[[tuple], Any]:
    """Compile a function of (nested) arrays to a TensorFlow graph; the result takes one tuple of them.

    Parameters
    ----------
    function
        Returns tensors.
    ragged
        Whether the length of the arrays' first axes varies from call to call: the first call then fixes the other
        axes only.
    """
    import keras
    import tensorflow as tf

    def specification(array):
        return tf.TensorSpec([None, *array.shape[1:]], array.dtype)

    compiled = None

    def call(arrays: tuple):
        nonlocal compiled
        if compiled is None:
            signature = keras.tree.map_structure(specification, arrays) if ragged else None
            compiled = tf.function(function, input_signature=signature, autograph=False, jit_compile=False)
        return compiled(*arrays)

    return call


def train_epochs(
    step: Step,
    batches: Callable[[Position], Iterable[tuple[Any, float]]],
    *,
    epochs: int,
    start: Position = Position(),  # noqa: B008 (a tuple of two zeros)
    means: Means | None = None,
    after_step: Callable[[Position, Means], None] = lambda position, means: None,
) -> Iterator[tuple[int, dict[str, float]]]:
    """Train, and yield (epoch, means over its samples) after each epoch.

    Parameters
    ----------
    step
        The optimisation step.
    batches
        Returns the rest of an epoch from a position on: pairs of a batch and the number of samples in the global batch.
    epochs
        Total number of epochs.
    start, means
        Position to start from, and the means of the epoch in progress, as a checkpoint holds them.
    after_step
        Called with the position reached and the means so far, for checkpoints and progress. It may raise to stop.
    """
    means = Means() if means is None else means
    for epoch in range(start.epoch, epochs):
        position = start if epoch == start.epoch else Position(epoch)
        for batch, count in batches(position):
            means.add(step(batch), count)
            position = Position(epoch, position.step + 1)
            after_step(position, means)
        yield epoch, means.finalise()
        means = Means()
