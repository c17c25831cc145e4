"""A smooth, rising change of a map's values, which depends on cosmology; plain Keras, any backend."""

import keras
import numpy as np
from keras import ops

KNOTS = np.arange(-4.5, 5.01, 0.5)
"""Where the change is laid down, in units of the spread of the values; beyond the outermost it is constant."""


@keras.saving.register_keras_serializable("tenfold")
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
        spacing = self.knots[1] - self.knots[0]
        place = ops.clip((u - self.knots[0]) / spacing, 0.0, len(self.knots) - 1.0)
        change = ops.zeros_like(u)
        shaped = ops.reshape(coefficients, (-1, len(self.knots), 1, 1, u.shape[-1]))
        for j in range(-1, len(self.knots) + 1):  # beyond the ends as at them
            change = change + shaped[:, min(max(j, 0), len(self.knots) - 1)] * bump(ops.abs(place - j))
        return u + change

    def get_config(self):
        """Return what the layer is built from."""
        return {**super().get_config(), "knots": self.knots}


def bump(distance):
    """Cubic B-spline at |x| = distance, in units of the knots' spacing; all of them add up to 1."""
    near, far = ops.relu(1 - distance), ops.relu(2 - distance)
    return (far**3 - 4 * near**3) / 6
