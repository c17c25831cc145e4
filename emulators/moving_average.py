"""Exponential moving average of a network's weights (Polyak & Juditsky 1992)."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


class MovingAverage:
    """Exponential moving average of a network's trainable weights.

    The averaging window grows from the first step until it reaches ``1 / (1 − decay)`` steps, so that the initial
    weights are soon forgotten.

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
        """Variables that a checkpoint must hold."""
        return [self.steps, *self.means]

    def update(self) -> None:
        """Update the average with the weights after a step."""
        self.steps.assign_add(1.0)
        decay = keras.ops.minimum(self.decay, (self.steps + 1.0) / (self.steps + 10.0))
        for mean, weight in zip(self.means, self.weights, strict=True):
            mean.assign(weight + keras.ops.cast(decay, weight.dtype) * (mean - weight))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the network the averaged weights within a ``with`` block, and restore its own afterwards."""
        saved = [keras.ops.convert_to_numpy(w) for w in self.weights]
        for weight, mean in zip(self.weights, self.means, strict=True):
            weight.assign(mean)
        try:
            yield
        finally:
            for weight, value in zip(self.weights, saved, strict=True):
                weight.assign(value)
