"""What a critic is told of a map before it looks for itself: statistics in closed form; plain Keras, any backend."""

import keras
import numpy as np
from keras import ops

from tenfold.emulators.intensity import ToKappa
from tenfold.emulators.lognormal import modes, waves_of

SPLINE = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""The B3 spline that starlets are made with."""
FLAT = 1e-2
"""Added to the squared slope of maps of unit spread, a thirtieth of its median: where there is none, nothing curves.

With less, what is divided by it makes of the last digits of a sum the leading ones of its second derivative."""

SOFT = 0.15
"""Of maps of unit spread: by so much more or less than the pixels around it a peak is one for certain, or none."""


def spectrum_of(x):
    """|FT|² of maps (batch, C, N, N) over N²: the same shape."""
    real, imaginary = ops.fft2((x, ops.zeros_like(x)))
    return (ops.square(real) + ops.square(imaginary)) / (x.shape[-1] * x.shape[-2])


def several(x, count: int) -> list:
    """Give a tensor as many times as it is used.

    What TensorFlow adds up of three gradients or more depends in its last digit on which is there first; of copies made
    at once they are summed in one order, and a training that was interrupted ends where it would have ended.
    """
    return ops.unstack(ops.broadcast_to(x[None], (count, *ops.shape(x))), count, axis=0)


def cut(x, edge: int, axes: tuple[int, ...] = (2, 3), *, last: bool = False):
    """Maps (batch, C, N, N) without so many rows and columns at their edges, or at their last edges alone.

    By splitting: the gradient of a slice takes TensorFlow several times as long.
    """
    for axis in axes:
        side = x.shape[axis]
        x = ops.split(x, [0 if last else edge, side - edge], axis=axis)[1]
    return x


def starlets(x, scales: int) -> list:
    """Starlet coefficients of maps (batch, C, N, N), finest first, where they do not reach beyond the edges.

    The last is what remains smooth.
    """
    found = []
    for scale in range(scales):
        step = 2**scale
        rows = ops.convert_to_tensor(smoothing(x.shape[-1], step))
        smooth = ops.matmul(ops.matmul(rows, x), ops.transpose(rows))
        found.append(cut(x, 2 * step) - smooth)
        x = smooth
    return [*found, x]


def waves(x, bands) -> list:
    """What maps (batch, C, N, N) hold of each band of modes (B, N, N), the finest band first."""
    real, imaginary = ops.fft2((x, ops.zeros_like(x)))
    inside = ops.convert_to_tensor(bands[::-1, None])
    one, _ = ops.ifft2((real[:, None] * inside, imaginary[:, None] * inside))
    return ops.unstack(one, len(bands), axis=1)


def smoothing(side: int, step: int) -> np.ndarray:
    """The B3 spline with holes as a matrix: float32, shape (side − 4 step, side)."""
    matrix = np.zeros((side - 4 * step, side), np.float32)
    for row in range(len(matrix)):
        matrix[row, row + step * np.arange(len(SPLINE))] = SPLINE
    return matrix


def prominence(x):
    """By how much pixels of maps (batch, C, N, N) are higher than the highest of 8 around: (batch, C, N − 2, N − 2)."""
    left, right, row, inner = several(x, 4)
    beside, of_row = several(ops.maximum(ops.roll(left, 1, axis=3), ops.roll(right, -1, axis=3)), 2)
    up, down = several(ops.maximum(of_row, row), 2)
    return cut(inner - ops.maximum(beside, ops.maximum(ops.roll(up, 1, axis=2), ops.roll(down, -1, axis=2))), 1)


def peaks(x):
    """Where maps (batch, C, N, N) are higher than all 8 pixels around: 0 and 1, (batch, C, N − 2, N − 2)."""
    return ops.cast(prominence(ops.stop_gradient(x)) > 0, "float32")


def soft_peaks(x):
    """The same, but rising evenly from 0 to 1 where a pixel is about as high as the highest around.

    So can be seen what makes and what unmakes a peak.
    """
    return ops.clip(0.5 + prominence(x) / (2 * SOFT), 0.0, 1.0)


def excess(x, thresholds):
    """Mean excess of maps (batch, C, N, N) over rising thresholds (T,): shape (batch, T, C)."""
    found, below = [], 0.0
    for threshold in thresholds:  # what exceeds a threshold is looked at again for the next
        x, below = ops.relu(x - (threshold - below)), threshold
        found.append(ops.mean(x, axis=(2, 3)))
    return ops.stack(found, axis=1)


def by_height(over, heights):
    """How much there is about each of even heights (H,), of what there is in excess of them (batch, H, …).

    Of pixels, the share: each counts for the two heights it lies between, the nearer the more, as in a histogram whose
    bins are triangles. Told of all heights but the first and the last, and then by how much the last two are exceeded.
    """
    count, step = len(heights), heights[1] - heights[0]
    steps = np.eye(count, dtype=np.float32)
    steps[:-2] += np.eye(count - 2, count, 2) - 2 * np.eye(count - 2, count, 1)
    flat = ops.matmul(ops.convert_to_tensor(steps / step), ops.reshape(over, (-1, count, over.shape[2])))
    return ops.reshape(flat, (-1, *over.shape[1:]))


def minkowski(x, single, thresholds):
    """Boundary length and Euler characteristic per pixel of where maps (batch, C, N, N) exceed thresholds (T,).

    Integrated from each threshold upwards, so that they can be differentiated; of pixels, those that share a side being
    connected. With F₁ the mean excess of a pixel (`single`), F₂ that of the lower of two neighbours, both directions
    added, and F₄ that of the lowest of a square of four: ∫ V1 dν = 2 F₁ − F₂ (half the perimeter) and ∫ V2 dν =
    F₁ − F₂ + F₄. Edges of the map are left out. Shape (batch, T, 2 C).
    """

    def lower(one, other, axis):
        return cut(ops.minimum(one, ops.roll(other, -1, axis=axis)), 1, (axis,), last=True)

    left, right, high, low = several(x, 4)
    across, above, below = several(lower(left, right, 3), 3)
    one, other = several(single, 2)
    lines, corners = several(excess(across, thresholds) + excess(lower(high, low, 2), thresholds), 2)
    return ops.concatenate([2 * one - lines, other - corners + excess(lower(above, below, 2), thresholds)], axis=2)


def differences(side: int) -> np.ndarray:
    """Inner pixels of a row, their first and their second central differences as a matrix: (3 (side − 2), side)."""
    inner, before, after = (np.eye(side - 2, side, k, dtype=np.float32) for k in (1, 0, 2))
    return np.concatenate([inner, (after - before) / 2, after + before - 2 * inner])


def contours(x, thresholds):
    """Length and curvature of the contours of maps (batch, C, N, N) per pixel, derivatives being central differences.

    As in `tenfold.stats.minkowski`, but integrated from each threshold t of (T,) upwards, so that they can be
    differentiated: 4 ∫ (ν − t) V1 dν is the mean of |∇x| times the excess over t, and 2π ∫ (ν − t) V2 dν that of |∇x|
    times the contour's curvature times the excess. Shape (batch, T, 2 C).
    """
    rows = ops.convert_to_tensor(differences(x.shape[-1]))
    found = ops.split(ops.matmul(ops.matmul(rows, x), ops.transpose(rows)), 3, axis=2)
    (inner, dx, dxx), (dy, dxy, _), (dyy, _, _) = (ops.split(each, 3, axis=3) for each in found)
    dx2, dy2 = ops.square(dx), ops.square(dy)
    slope = dx2 + dy2 + FLAT
    seen = ops.stack([ops.sqrt(slope), (2 * dx * dy * dxy - dx2 * dyy - dy2 * dxx) / slope], axis=-1)
    channels, pixels = x.shape[1], (x.shape[2] - 2) * (x.shape[3] - 2)
    at = ops.convert_to_tensor(np.array(thresholds, np.float32)[:, None])
    above = ops.relu(ops.reshape(inner, (-1, channels, 1, pixels)) - at)
    means = ops.matmul(above, ops.reshape(seen, (-1, channels, pixels, 2))) / pixels
    return ops.reshape(ops.transpose(means, (0, 2, 1, 3)), (-1, len(thresholds), 2 * channels))


def crossed(fields: list) -> list:
    """Mean of each field times the square of itself and every one before it, where all reach: F (F + 1) / 2 (batch, C).

    Their skewness, and how much small structure there is where the large is high. Of waves in bands it is what their
    equilateral and their squeezed bispectra are times the triangles; of starlet scales nearly so.
    """
    reach = fields[-1].shape[-1]
    copies = []
    for field in fields:
        edge = (field.shape[-1] - reach) // 2
        copies.append(iter(several(cut(field, edge) if edge else field, len(fields) + 1)))
    return [
        ops.mean(next(copies[wide]) * ops.square(next(copies[narrow])), axis=(2, 3))
        for wide in range(len(fields)) for narrow in range(wide + 1)
    ]  # fmt: skip


def turned(x):
    """Maps (batch, C, N, N) and the same turned over, as 2 C channels."""
    return ops.concatenate([x, -x], axis=1)


class Summary(keras.layers.Layer):
    """Statistics of a map in closed form.

    In this order: ln of the power in bands, of the map and of the κ that it stands for; of the map and of the map
    turned over, the mean excess of its pixels over thresholds and of its peaks over heights, the Minkowski functionals
    above thresholds, of pixels and of contours, and the starlet coefficients by height; products of starlet scales.

    Parameters
    ----------
    edges
        Of bands of wavenumbers, multiples of the fundamental mode, shape (B + 1,).
    thresholds
        In units of the spread of what may exceed them, shape (T,); that of the map is 1.
    heights
        Of peaks and of starlet coefficients, in the same units, evenly spaced, shape (H,).
    wavelet_spread
        Of the starlet coefficients of each scale and channel, the smooth remainder last, shape (S, C).
    scatter
        What the answers are divided by once their means are taken off, shape (F,): see `answers_of`.
    intensity
        How maps came of κ: the values of an `Intensity`, by name.
    counted
        Whether to tell how much there is about each threshold, instead of what there is in excess of it, of peaks that
        are soft, and of the starlets of κ instead of the map's, and last the bispectra of κ: thresholds are then evenly
        spaced.
    """

    def __init__(self, edges, thresholds, heights, wavelet_spread, scatter, intensity, counted=False, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.counted = counted
        self.intensity = dict(intensity)
        self.kappa = ToKappa(**self.intensity)
        self.edges, self.thresholds, self.heights, self.wavelet_spread, self.scatter = (
            np.asarray(each, np.float64).tolist() for each in (edges, thresholds, heights, wavelet_spread, scatter)
        )

    def build(self, shape):
        """Lay down which mode is in which band."""
        side = (shape[0] if isinstance(shape, list | tuple) and isinstance(shape[0], list | tuple) else shape)[1]
        k = modes(side).reshape(-1)
        inside = (np.digitize(k, self.edges)[:, None] == np.arange(1, len(self.edges))).astype(np.float32)
        self.bands = inside / inside.sum(axis=0)
        wide = np.digitize(k, waves_of(side)).reshape(1, side, side)
        self.waves = (wide == np.arange(1, len(waves_of(side)))[:, None, None]).astype(np.float32)

    def answers(self, x):
        """Map (batch, N, N, C) to the statistics themselves (batch, F)."""
        side, channels = x.shape[1], x.shape[3]
        bent, unbent = several(ops.cast(x, "float32"), 2)
        x, kappa = (ops.transpose(each, (0, 3, 1, 2)) for each in (bent, self.kappa(unbent)))
        seen, smooth, both = several(x, 3)
        powers, kappa, triangles = several(kappa, 3)
        spectra = ops.reshape(spectrum_of(ops.concatenate([seen, powers], axis=1)), (-1, 2 * channels, side**2))
        power = ops.matmul(spectra, ops.convert_to_tensor(self.bands))
        found = [ops.reshape(ops.log(power + 1e-8), (-1, 2 * channels * (len(self.edges) - 1)))]
        pixels, tops, lines, slopes = several(turned(both), 4)
        single, again = several(excess(pixels, self.thresholds), 2)
        lowest = self.heights[0]
        around, tops = several(tops, 2)
        peak = soft_peaks(around) if self.counted else peaks(around)
        high = peak * (cut(tops, 1) - lowest)  # what is no peak exceeds none of the heights
        over = [
            (single, self.thresholds), (excess(high, [height - lowest for height in self.heights]), self.heights),
            (minkowski(lines, again, self.thresholds), self.thresholds),
            (contours(slopes, self.thresholds), self.thresholds),
        ]  # fmt: skip
        found += [by_height(each, at) if self.counted else each for each, at in over]
        scales = []
        fields = starlets(kappa if self.counted else smooth, len(self.wavelet_spread) - 1)
        for spread, field in zip(self.wavelet_spread, fields, strict=True):
            unit = field / ops.convert_to_tensor(np.array(spread, np.float32)[:, None, None])
            one, other = several(unit, 2)
            found.append(by_height(excess(turned(one), self.heights), self.heights))
            scales.append(other)
        found += crossed(scales)
        if self.counted:
            found += crossed(waves(triangles, self.waves))
        return ops.concatenate([ops.reshape(each, (-1, int(np.prod(each.shape[1:])))) for each in found], axis=1)

    def call(self, inputs):
        """Map (batch, N, N, C) and the mean answers (batch, F) to what is over them, the latter's shape."""
        x, means = inputs
        return (self.answers(x) - means) / ops.convert_to_tensor(np.array(self.scatter, np.float32))
