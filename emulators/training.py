"""The training loop: epochs of steps, from any position, over any number of ranks.

It knows nothing of what is learnt. A *step* takes a batch, changes variables and returns sums; estimators, adversarial
pairs with two optimizers and graph networks each bring their own. It knows nothing of ranks either: the step is given a
``reduce`` that sums over them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

if TYPE_CHECKING:
    import keras

Reduce = Callable[[Sequence], Sequence]
"""Sums each tensor of a list over all ranks."""

Step = Callable[[Any], dict[str, Any]]
"""One optimisation step on this rank's part of a global batch: returns means over the global batch, by name."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Hyper-parameters of the training of a network."""

    RENAMED: ClassVar[dict[str, str]] = {"average": "ema_decay"}

    epochs: int = 30
    """Passes over the training split."""
    global_batch: int = 8
    """Samples per step, over all ranks together."""
    learning_rate: float = 1e-3
    """Peak learning rate for a global batch of ``reference_batch``; it grows linearly with the global batch."""
    reference_batch: int = 8
    """Global batch that ``learning_rate`` is stated for."""
    warmup_epochs: float = 2.0
    """Epochs of linear warm-up, before a cosine decay to zero."""
    beta: float = 0.5
    """Weight of the likelihood's terms, from 0 (the likelihood itself) to 1 (means learn as from a squared error)."""
    weight_decay: float = 1e-4
    """Decoupled weight decay (AdamW)."""
    clip_norm: float = 1.0
    """Largest global norm of the gradient."""
    ema_decay: float = 0.0
    """Decay per step of the moving average of the weights that is evaluated and kept; 0 keeps the last weights."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Arithmetic of convolutions and matrix products."""
    seed: int = 1
    """Seed of initial weights, order and augmentation."""
    checkpoint_steps: int = 0
    """Steps between two checkpoints; 0: one after each epoch."""
    keep: int = 2
    """Checkpoints kept."""

    def __post_init__(self):
        """Refuse what cannot be trained."""
        for name in ("epochs", "global_batch", "reference_batch", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least 1")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be above 0")
        if not 0 <= self.beta <= 1:
            raise ValueError(f"beta: found {self.beta}, must be in [0, 1]")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay: found {self.ema_decay}, must be in [0, 1)")
        if min(self.warmup_epochs, self.weight_decay, self.checkpoint_steps) < 0:
            raise ValueError("warmup_epochs, weight_decay and checkpoint_steps must not be negative")

    @property
    def peak_learning_rate(self) -> float:
        """Learning rate after warm-up, scaled to the global batch."""
        return self.learning_rate * self.global_batch / self.reference_batch


@dataclass(frozen=True, kw_only=True)
class VolumeTraining(Training):
    """How a network of volumes is trained."""

    symmetries: bool = True
    """Show each sample in a random one of the 48 orientations of the cube."""
    shifts: bool = False
    """Shift each sample periodically: only right for whole simulation boxes."""


class Position(NamedTuple):
    """Where a run stands: ``step`` steps of epoch ``epoch`` are done."""

    epoch: int = 0
    step: int = 0


@dataclass
class Means:
    """Means over samples as mergeable sums, so that an interrupted epoch ends with the same figures."""

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


def optimizer(training: Training, steps_per_epoch: int) -> "keras.optimizers.Optimizer":
    """Return AdamW with linear warm-up, cosine decay to zero, and the gradient's global norm clipped."""
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
    figure: Callable | None = None,
    ragged: bool = False,
) -> Step:
    """Return a step that lowers ``loss(targets, network(inputs))``.

    Parameters
    ----------
    network, loss, optimizer
        The network, a loss with one number per sample, and a built optimizer.
    reduce
        Sums over ranks.
    average
        Moving average of the weights to update, or None.
    figure
        What is returned in place of the loss, with the same arguments: the likelihood where its terms are weighted.
    ragged
        Whether the arrays' first axes vary from batch to batch: then one graph is made for all.

    Returns
    -------
    callable
        Takes (inputs, targets, weights), first axis the samples of this rank; the weights are 1 / (samples in the
        global batch), and 0 for samples that only fill the shape. Returns the global mean of the loss or of
        ``figure``, by the name "loss".
    """
    import tensorflow as tf

    def step(inputs, targets, weights):
        with tf.GradientTape() as tape:
            outputs = network(inputs, training=True)
            total = tf.reduce_sum(loss(targets, outputs) * weights)
        gradients = tape.gradient(total, network.trainable_variables)
        if figure is not None:
            total = tf.reduce_sum(figure(targets, outputs) * weights)
        *gradients, total = reduce([*gradients, total])
        optimizer.apply(gradients, network.trainable_variables)
        if average is not None:
            average.update()
        return {"loss": total}

    return traced(step, ragged)


def traced(function: Callable, ragged: bool) -> Callable[[tuple], Any]:
    """Compile a function of arrays, which may be nested, to a graph; call it with the tuple of them.

    Parameters
    ----------
    function
        Returns tensors.
    ragged
        Whether the arrays' first axes vary from call to call: then the first call fixes only the other axes.
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


def run(
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
        What one step does.
    batches
        Given a position, the rest of its epoch: pairs of a batch and the number of samples in the global batch.
    epochs
        Number of the epoch to stop before.
    start, means
        Where to begin, and the means of the epoch begun, as a checkpoint kept them.
    after_step
        Called with the position reached and the means so far: checkpoints, progress. It may raise to end the run.
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
