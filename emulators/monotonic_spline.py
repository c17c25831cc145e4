"""Monotonic spline that changes the one-point distribution of maps, with coefficients that depend on cosmology."""

import keras
import numpy as np
from keras import ops

KNOTS = np.arange(-4.5, 5.01, 0.5)
"""Knots of the spline in standard deviations of the pixels; beyond the outermost the change is constant."""


class MonotonicSpline(keras.layers.Layer):
    """Transform pixels u to u + Σ c_j B((u − t_j) / h), with the cubic B-spline B and knots t_j of spacing h.

    The transform is increasing where t_j + c_j increases with j, since a spline in the B-spline basis is monotonic if
    its coefficients are.

    Parameters
    ----------
    knots
        t_j, evenly spaced, shape (K,).
    """

    def __init__(self, knots=KNOTS, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.knots = np.asarray(knots, np.float64).tolist()

    def call(self, inputs):
        """Map u (batch, N, N, C) and coefficients (batch, K C), channel fastest, to the shape of u."""
        u, coefficients = inputs
        count, (height, width, channels) = len(self.knots), u.shape[1:]
        position = (u - self.knots[0]) / (self.knots[1] - self.knots[0])
        position = ops.reshape(ops.clip(position, 0.0, count - 1.0), (-1, height * width, channels))
        left = ops.floor(position)
        values = ops.reshape(coefficients, (-1, count, channels))
        values = ops.concatenate([values[:, :1], values, values[:, -1:], values[:, -1:]], axis=1)  # constant beyond
        terms = [
            ops.take_along_axis(values, ops.cast(left, "int32") + step, axis=1)
            * cubic_b_spline(ops.abs(position - left + 1 - step))
            for step in range(4)
        ]
        return u + ops.reshape(ops.sum(ops.stack(terms), axis=0), (-1, height, width, channels))


def cubic_b_spline(distance):
    """Return the cubic B-spline at |x| = distance, in units of the knot spacing; a partition of unity."""
    near, far = ops.relu(1 - distance), ops.relu(2 - distance)
    return (far**3 - 4 * near**3) / 6
