"""Layers that draw Gaussian random fields with a power spectrum that depends on parameters; backend-agnostic Keras."""

import keras
import numpy as np
from keras import ops

from tenfold.emulators.lognormal import interpolation_matrix, wavenumbers


def _nested_lists(values) -> list:
    return np.asarray(values, np.float64).tolist()


class Polynomial(keras.layers.Layer):
    """Quadratic polynomials of the inputs, with coefficients as weights.

    Parameters
    ----------
    coefficients
        Initial coefficients of 1, x_i and x_i x_j (i ≤ j), shape (T, K).
    """

    def __init__(self, coefficients, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.initial = _nested_lists(coefficients)

    def build(self, shape):
        """Create the coefficients."""
        initial = np.asarray(self.initial, np.float32)
        self.coefficients = self.add_weight(
            shape=initial.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(initial),
            name="coefficients",
        )

    def call(self, x):
        """Map (batch, P), where P may be 0, to (batch, K)."""
        x = ops.cast(x, "float32")
        i, j = np.triu_indices(x.shape[1])
        products = [x[:, a : a + 1] * x[:, b : b + 1] for a, b in zip(i, j, strict=True)]
        return ops.matmul(ops.concatenate([ops.ones((ops.shape(x)[0], 1)), x, *products], axis=1), self.coefficients)


class GaussianField(keras.layers.Layer):
    """Gaussian random field: white noise coloured by a power spectrum, cropped from a periodic field.

    Parameters
    ----------
    size
        Pixels per side of a map; its fundamental mode is the unit of wavenumbers.
    crop
        Pixels per side that are kept of the periodic field.
    knots
        Wavenumbers, increasing, shape (K,).
    mixing
        Lower Cholesky factors of the channels' correlation matrices at the knots, shape (K, C, C).
    """

    def __init__(self, size: int, crop: int, knots, mixing, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.size, self.crop = int(size), int(crop)
        self.knots, self.mixing = _nested_lists(knots), _nested_lists(mixing)

    def build(self, shape):
        """Tabulate the interpolation from knots to modes."""
        side = shape[0][1]
        knots = np.array(self.knots)
        k = wavenumbers(side).reshape(-1) * self.size / side
        self.interpolation = interpolation_matrix(knots, k).astype(np.float32)
        mixing = np.asarray(self.mixing)
        channels = mixing.shape[-1]
        by_mode = self.interpolation.T @ mixing.reshape(len(knots), -1)
        self.mode_mixing = (
            None if channels == 1 else by_mode.T.reshape(channels, channels, side, side).astype(np.float32)
        )

    def call(self, inputs):
        """Map white noise (batch, M, M, C) and ln P at the knots (batch, K C) to a field (batch, crop, crop, C).

        In ln P the channel is the fastest index.
        """
        noise, ln_power = inputs
        side, channels = noise.shape[1], noise.shape[3]
        at_knots = ops.reshape(ln_power, (-1, len(self.knots), channels))
        ln_power = ops.matmul(ops.transpose(at_knots, (0, 2, 1)), ops.convert_to_tensor(self.interpolation))
        amplitude = ops.reshape(ops.exp(0.5 * ln_power), (-1, channels, side, side))
        white = ops.transpose(ops.cast(noise, "float32"), (0, 3, 1, 2))
        real, imaginary = ops.fft2((white, ops.zeros_like(white)))
        if self.mode_mixing is not None:
            mixing = ops.convert_to_tensor(self.mode_mixing)
            real, imaginary = (ops.sum(mixing * part[:, None], axis=2) for part in (real, imaginary))
        field, _ = ops.ifft2((real * amplitude, imaginary * amplitude))
        return ops.transpose(field[:, :, : self.crop, : self.crop], (0, 2, 3, 1))
