"""A moving average of a network's weights: steadier than the last step's (Polyak & Juditsky 1992)."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


class MovingAverage:
    """Exponential moving average of trainable weights, its memory growing from the first step to ``1/(1 − decay)``.

    Parameters
    ----------
    network
        Built network whose weights are averaged.
    decay
        Decay per step, in [0, 1).
    """

    def __init__(self, network: keras.Model, decay: float):
        self.decay = decay
        self.weights = network.trainable_variables
        self.steps = keras.Variable(0.0, trainable=False, name="average_steps")
        self.means = [
            keras.Variable(w, trainable=False, dtype=w.dtype, name=f"average_{i}") for i, w in enumerate(self.weights)
        ]

    @property
    def variables(self) -> list[keras.Variable]:
        """What a checkpoint must hold."""
        return [self.steps, *self.means]

    def update(self) -> None:
        """Take in the weights after a step."""
        self.steps.assign_add(1.0)
        keep = keras.ops.minimum(self.decay, (self.steps + 1.0) / (self.steps + 10.0))
        for mean, weight in zip(self.means, self.weights, strict=True):
            mean.assign(weight + keras.ops.cast(keep, weight.dtype) * (mean - weight))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network answer with the averaged weights, and give it its own back."""
        own = [keras.ops.convert_to_numpy(w) for w in self.weights]
        for weight, mean in zip(self.weights, self.means, strict=True):
            weight.assign(mean)
        try:
            yield
        finally:
            for weight, value in zip(self.weights, own, strict=True):
                weight.assign(value)
