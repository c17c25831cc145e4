"""Layers that make a Gaussian field of a spectrum; plain Keras, any backend."""

import keras
import numpy as np
from keras import ops

from tenfold.emulators.lognormal import interpolation, modes


def _plain(values) -> list:
    return np.asarray(values, np.float64).tolist()


class Polynomial(keras.layers.Layer):
    """Numbers that are polynomials of second degree in others.

    Parameters
    ----------
    coefficients
        Of 1, x_i and x_i x_j (i ≤ j): shape (terms, K).
    """

    def __init__(self, coefficients, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.initial = _plain(coefficients)

    def build(self, shape):
        """Make the coefficients."""
        start = np.asarray(self.initial, np.float32)
        self.coefficients = self.add_weight(
            shape=start.shape, initializer=lambda shape, dtype=None: ops.convert_to_tensor(start), name="coefficients"
        )

    def call(self, x):
        """Map (batch, P), P = 0 for none, to (batch, K)."""
        x = ops.cast(x, "float32")
        i, j = np.triu_indices(x.shape[1])
        products = [x[:, a : a + 1] * x[:, b : b + 1] for a, b in zip(i, j, strict=True)]
        return ops.matmul(ops.concatenate([ops.ones((ops.shape(x)[0], 1)), x, *products], axis=1), self.coefficients)


class GaussianField(keras.layers.Layer):
    """White noise in, a Gaussian field of a power spectrum out, cut from a periodic one.

    Parameters
    ----------
    size
        Cells per side of a map, whose fundamental mode is the unit of wavenumbers.
    cut
        Cells per side that are kept.
    knots
        Wavenumbers, rising, shape (K,).
    mixing
        Lower triangles of the channels' correlations at the knots, shape (K, C, C).
    """

    def __init__(self, size: int, cut: int, knots, mixing, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.size, self.cut, self.knots, self.mixing = int(size), int(cut), _plain(knots), _plain(mixing)

    def build(self, shape):
        """Lay down how every mode's power comes from the knots'."""
        side = shape[0][1]
        knots = np.array(self.knots)
        self.spread = interpolation(knots, modes(side).reshape(-1) * self.size / side).astype(np.float32)
        mixing = np.asarray(self.mixing)
        channels = mixing.shape[-1]
        flat = self.spread.T @ mixing.reshape(len(knots), -1)
        self.mixed = None if channels == 1 else flat.T.reshape(channels, channels, side, side).astype(np.float32)

    def call(self, inputs):
        """Map noise (batch, M, M, C) and ln P at the knots (batch, K C), channels last, to (batch, cut, cut, C)."""
        noise, ln_power = inputs
        side, channels = noise.shape[1], noise.shape[3]
        knots = ops.reshape(ln_power, (-1, len(self.knots), channels))
        ln_power = ops.matmul(ops.transpose(knots, (0, 2, 1)), ops.convert_to_tensor(self.spread))
        amplitude = ops.reshape(ops.exp(0.5 * ln_power), (-1, channels, side, side))
        white = ops.transpose(ops.cast(noise, "float32"), (0, 3, 1, 2))
        real, imaginary = ops.fft2((white, ops.zeros_like(white)))
        if self.mixed is not None:
            mixed = ops.convert_to_tensor(self.mixed)
            real, imaginary = (ops.sum(mixed * part[:, None], axis=2) for part in (real, imaginary))
        field, _ = ops.ifft2((real * amplitude, imaginary * amplitude))
        return ops.transpose(field[:, :, : self.cut, : self.cut], (0, 2, 3, 1))
