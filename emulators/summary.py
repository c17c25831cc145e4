"""What a critic is told of a map before it looks for itself: statistics in closed form; plain Keras, any backend."""

import keras
import numpy as np
from keras import ops

from tenfold.emulators.first_guess import modes

SPLINE = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""The B3 spline that starlets are made with."""


def spectrum_of(x):
    """|FT|² of maps (batch, N, N, C) over N²: shape (batch, C, N, N)."""
    x = ops.transpose(ops.cast(x, "float32"), (0, 3, 1, 2))
    real, imaginary = ops.fft2((x, ops.zeros_like(x)))
    return (ops.square(real) + ops.square(imaginary)) / (x.shape[-1] * x.shape[-2])


def several(x, count: int) -> list:
    """Give a tensor as many times as it is used.

    What TensorFlow adds up of three gradients or more depends in its last digit on which is there first; of copies made
    at once they are summed in one order, and a training that was interrupted ends where it would have ended.
    """
    return ops.unstack(ops.broadcast_to(x[None], (count, *ops.shape(x))), count, axis=0)


def starlets(x, scales: int) -> list:
    """Starlet coefficients of maps (batch, N, N, C), finest first, where they do not reach beyond the edges.

    The last is what remains smooth.
    """
    found = []
    for scale in range(scales):
        step = 2**scale
        smooth, fine = several(x, 2)
        for axis in (1, 2):
            length = smooth.shape[axis] - 4 * step
            taps = [
                copy[:, n * step : n * step + length] if axis == 1 else copy[:, :, n * step : n * step + length]
                for n, copy in enumerate(several(smooth, len(SPLINE)))
            ]
            smooth = ops.sum(ops.stack([weight * tap for weight, tap in zip(SPLINE, taps, strict=True)]), axis=0)
        x, rest = several(smooth, 2)
        inner = slice(2 * step, -2 * step)
        found.append(fine[:, inner, inner] - rest)
    return [*found, x]


def peaks(x):
    """Where maps (batch, N, N, C) are higher than all 8 pixels around: 0 and 1, (batch, N − 2, N − 2, C)."""
    x, side = ops.stop_gradient(x), x.shape[1] - 2
    around = [x[:, i : i + side, j : j + side] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    highest = around[0]
    for other in around[1:]:
        highest = ops.maximum(highest, other)
    return ops.cast(x[:, 1:-1, 1:-1] > highest, "float32")


def turned(x):
    """Maps (batch, N, N, C) and the same turned over, as 2 C channels."""
    return ops.concatenate([x, -x], axis=3)


def excess(x, thresholds):
    """Mean excess of maps (batch, N, N, C) over thresholds (T,): shape (batch, T C)."""
    levels = ops.convert_to_tensor(np.array(thresholds, np.float32)[:, None])
    found = ops.mean(ops.relu(ops.expand_dims(x, 3) - levels), axis=(1, 2))
    return ops.reshape(found, (-1, len(thresholds) * x.shape[3]))


def minkowski(x, thresholds):
    """Boundary length and Euler characteristic per pixel of where maps (batch, N, N, C) exceed thresholds (T,).

    Integrated from each threshold upwards, so that they can be differentiated; of pixels, those that share a side being
    connected. With F₁ the mean excess of a pixel, F₂ that of the lower of two neighbours, both directions added, and F₄
    that of the lowest of a square of four: ∫ V1 dν = 2 F₁ − F₂ (half the perimeter) and ∫ V2 dν = F₁ − F₂ + F₄. Edges
    of the map are left out. Shape (batch, 2 T C).
    """
    one, right, left, low, high = several(x, 5)
    across, pairs = several(ops.minimum(right[:, :, 1:], left[:, :, :-1]), 2)
    below, above = several(pairs, 2)
    down, square = ops.minimum(low[:, 1:], high[:, :-1]), ops.minimum(below[:, 1:], above[:, :-1])
    single, beside, under, four = (excess(each, thresholds) for each in (one, across, down, square))
    return ops.concatenate([2 * single - beside - under, single - beside - under + four], axis=1)


def crossed(fields: list) -> list:
    """Mean of each field times the square of every one before it, over what all reach: F (F − 1) / 2 times (batch, C).

    Of starlet scales: how much small structure there is where the large is high, a squeezed bispectrum.
    """
    reach = fields[-1].shape[1]
    copies = []
    for field in fields:
        edge = (field.shape[1] - reach) // 2
        copies.append(iter(several(field[:, edge : edge + reach, edge : edge + reach], len(fields) - 1)))
    return [
        ops.mean(next(copies[wide]) * ops.square(next(copies[narrow])), axis=(1, 2))
        for wide in range(len(fields)) for narrow in range(wide)
    ]  # fmt: skip


@keras.saving.register_keras_serializable("tenfold")
class Summary(keras.layers.Layer):
    """Statistics of a map in closed form.

    In this order: ln of its power in bands; of the map and of the map turned over, the mean excess over thresholds of
    its pixels, of its peaks and of its starlet scales, and the Minkowski functionals above thresholds; products of its
    starlet scales.

    Parameters
    ----------
    edges
        Of bands of wavenumbers, multiples of the fundamental mode, shape (B + 1,).
    thresholds
        In units of the spread of what may exceed them, shape (T,); that of the map is 1.
    wavelet_spread
        Of the starlet coefficients of each scale and channel, the smooth remainder last, shape (S, C).
    scatter
        What the answers are divided by once their means are taken off, shape (F,): see `answers_of`.
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
        side, channels = x.shape[1], x.shape[3]
        seen, waves, pixels, tops, lines = several(ops.cast(x, "float32"), 5)
        power = ops.matmul(ops.reshape(spectrum_of(seen), (-1, channels, side**2)), ops.convert_to_tensor(self.bands))
        found = [ops.reshape(ops.log(power + 1e-8), (-1, channels * (len(self.edges) - 1)))]
        pixels, tops, lines = turned(pixels), turned(tops), turned(lines)
        found += [excess(pixels, self.thresholds), excess(peaks(tops) * tops[:, 1:-1, 1:-1], self.thresholds)]
        scales = []
        for spread, field in zip(self.wavelet_spread, starlets(waves, len(self.wavelet_spread) - 1), strict=True):
            one, other = several(field / ops.convert_to_tensor(np.array(spread, np.float32)), 2)
            found.append(excess(turned(one), self.thresholds))
            scales.append(other)
        return ops.concatenate([*found, minkowski(lines, self.thresholds), *crossed(scales)], axis=1)

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
