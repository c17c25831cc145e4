"""A smooth, rising change of a map's values, which depends on cosmology; plain Keras, any backend."""

import keras
import numpy as np
from keras import ops

KNOTS = np.arange(-4.5, 5.01, 0.5)
"""Where the change is laid down, in units of the spread of the values; beyond the outermost it is constant."""


class Remapping(keras.layers.Layer):
    """Values u to u + Σ c_j B((u − t_j) / h): B the cubic B-spline, t_j evenly spaced knots, h their spacing.

    Where t_j + c_j rise with j, so does what comes out with u (a spline of B-splines rises where its coefficients do).

    Parameters
    ----------
    knots
        t_j, shape (K,).
    """

    def __init__(self, knots=KNOTS, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.knots = np.asarray(knots, np.float64).tolist()

    def call(self, inputs):
        """Map u (batch, N, N, C) and the coefficients (batch, K C), channels last, to the shape of u."""
        u, coefficients = inputs
        count, (height, width, channels) = len(self.knots), u.shape[1:]
        place = (u - self.knots[0]) / (self.knots[1] - self.knots[0])
        place = ops.reshape(ops.clip(place, 0.0, count - 1.0), (-1, height * width, channels))
        first = ops.floor(place)
        held = ops.reshape(coefficients, (-1, count, channels))
        held = ops.concatenate([held[:, :1], held, held[:, -1:], held[:, -1:]], axis=1)  # beyond the ends as at them
        near = [
            ops.take_along_axis(held, ops.cast(first, "int32") + step, axis=1) * bump(ops.abs(place - first + 1 - step))
            for step in range(4)
        ]
        return u + ops.reshape(ops.sum(ops.stack(near), axis=0), (-1, height, width, channels))


def bump(distance):
    """Cubic B-spline at |x| = distance, in units of the knots' spacing; all of them add up to 1."""
    near, far = ops.relu(1 - distance), ops.relu(2 - distance)
    return (far**3 - 4 * near**3) / 6
