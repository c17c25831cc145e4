"""What a critic is told of a map before it looks for itself: statistics in closed form; plain Keras, any backend."""

import keras
import numpy as np
from keras import ops

from tenfold.emulators.first_guess import LEVELS, modes
from tenfold.emulators.remapping import bump

FLAT = 1e-3
"""Added to |∇u|², per pixel², so that nothing is divided by zero on a summit."""
SPLINE = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""The B3 spline that starlets are made with."""


def spectrum_of(x):
    """|FT|² of maps (batch, N, N, C) over N²: shape (batch, C, N, N)."""
    x = ops.transpose(ops.cast(x, "float32"), (0, 3, 1, 2))
    real, imaginary = ops.fft2((x, ops.zeros_like(x)))
    return (ops.square(real) + ops.square(imaginary)) / (x.shape[-1] * x.shape[-2])


def starlets(x, scales: int) -> list:
    """Starlet coefficients of maps (batch, N, N, C), finest first, where they do not reach beyond the edges."""
    found = []
    for scale in range(scales):
        step, smooth = 2**scale, x
        for axis in (1, 2):
            length = smooth.shape[axis] - 4 * step
            taps = [
                smooth[:, n * step : n * step + length] if axis == 1 else smooth[:, :, n * step : n * step + length]
                for n in range(5)
            ]
            smooth = ops.sum(ops.stack([weight * tap for weight, tap in zip(SPLINE, taps, strict=True)]), axis=0)
        inner = slice(2 * step, -2 * step)
        found.append(x[:, inner, inner] - smooth)
        x = smooth
    return found


def extrema(x) -> tuple:
    """Where maps (batch, N, N, C) have peaks and hollows among the 8 pixels around, edges left out: two of 0 and 1."""
    side = x.shape[1] - 2
    around = [x[:, i : i + side, j : j + side] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    middle = x[:, 1:-1, 1:-1]
    highest, lowest = around[0], around[0]
    for other in around[1:]:
        highest, lowest = ops.maximum(highest, other), ops.minimum(lowest, other)
    found = (ops.cast(middle > highest, "float32"), ops.cast(middle < lowest, "float32"))
    return tuple(ops.stop_gradient(each) for each in found)


def minkowski(x, levels) -> list:
    """Boundary length and Euler characteristic per pixel of maps (batch, N, N, C) about levels: 2 L times (batch, C).

    V1 = ⟨δ(u − ν) |∇u|⟩ / 4 and V2 = ⟨δ(u − ν) (2 u_x u_y u_xy − u_x² u_yy − u_y² u_xx) / |∇u|²⟩ / 2π (Schmalzing &
    Górski 1998, astro-ph/9710185) with central differences, and for δ a cubic B-spline two levels' spacings wide on
    either side, so that they can be differentiated.
    """
    middle = x[:, 1:-1, 1:-1]
    dx, dy = (x[:, 1:-1, 2:] - x[:, 1:-1, :-2]) / 2, (x[:, 2:, 1:-1] - x[:, :-2, 1:-1]) / 2
    dxx = x[:, 1:-1, 2:] + x[:, 1:-1, :-2] - 2 * middle
    dyy = x[:, 2:, 1:-1] + x[:, :-2, 1:-1] - 2 * middle
    dxy = (x[:, 2:, 2:] + x[:, :-2, :-2] - x[:, 2:, :-2] - x[:, :-2, 2:]) / 4
    steep = ops.square(dx) + ops.square(dy) + FLAT
    length = ops.sqrt(steep) / 4
    turning = (2 * dx * dy * dxy - ops.square(dx) * dyy - ops.square(dy) * dxx) / steep / (2 * np.pi)
    spacing = levels[1] - levels[0]
    near = [bump(ops.abs(middle - level) / spacing) / spacing for level in levels]
    return [ops.mean(weight * what, axis=(1, 2)) for what in (length, turning) for weight in near]


@keras.saving.register_keras_serializable("tenfold")
class Summary(keras.layers.Layer):
    """Statistics of a map: ln of its power in bands, how its values are distributed, its Minkowski functionals.

    Distributed: the mean excess over thresholds, and under their negatives, of its pixels, of its peaks and hollows,
    and of its starlet coefficients scale by scale.

    Parameters
    ----------
    edges
        Of bands of wavenumbers, multiples of the fundamental mode, shape (B + 1,).
    thresholds
        Of the excess, on either side, in units of what each has as its spread, shape (T,); pixels have 1.
    wavelet_spread
        Of the starlet coefficients of each scale and channel, shape (S, C).
    scatter
        What the answers are divided by once their means are taken off, shape (F,) with F = C (B + 2 T (S + 2) + 2 L).
    """

    def __init__(self, edges, thresholds, wavelet_spread, scatter, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.edges, self.thresholds, self.wavelet_spread, self.scatter = (
            np.asarray(each, np.float64).tolist() for each in (edges, thresholds, wavelet_spread, scatter)
        )

    def build(self, shape):
        """Lay down which mode is in which band."""
        side = (shape[0] if isinstance(shape, list | tuple) and isinstance(shape[0], list | tuple) else shape)[1]
        k = modes(side).reshape(-1)
        inside = (np.digitize(k, self.edges)[:, None] == np.arange(1, len(self.edges))).astype(np.float32)
        self.bands = inside / inside.sum(axis=0)

    def answers(self, x):
        """Map (batch, N, N, C) to the statistics themselves (batch, F)."""
        x = ops.cast(x, "float32")
        side, channels = x.shape[1], x.shape[3]
        power = ops.matmul(ops.reshape(spectrum_of(x), (-1, channels, side**2)), ops.convert_to_tensor(self.bands))
        found = [ops.reshape(ops.log(power + 1e-8), (-1, channels * (len(self.edges) - 1)))]
        peaks, hollows = extrema(x)
        inner = x[:, 1:-1, 1:-1]
        seen = [(x, -x), (peaks * inner, -hollows * inner)]
        for spread, coefficients in zip(self.wavelet_spread, starlets(x, len(self.wavelet_spread)), strict=True):
            unit = coefficients / ops.convert_to_tensor(np.array(spread, np.float32))
            seen.append((unit, -unit))
        found += [
            ops.mean(ops.relu(side - level), axis=(1, 2)) for both in seen for side in both for level in self.thresholds
        ]
        return ops.concatenate(found + minkowski(x, LEVELS), axis=1)

    def call(self, inputs):
        """Map (batch, N, N, C) and the mean answers (batch, F) to what is over them, the latter's shape."""
        x, means = inputs
        return (self.answers(x) - means) / ops.convert_to_tensor(np.array(self.scatter, np.float32))

    def get_config(self):
        """Return what the layer is built from."""
        own = {
            "edges": self.edges, "thresholds": self.thresholds, "wavelet_spread": self.wavelet_spread,
            "scatter": self.scatter,
        }  # fmt: skip
        return {**super().get_config(), **own}
