"""Differentiable statistics of maps: power, peaks, Minkowski functionals, starlets, third moments; backend-agnostic."""

import numpy as np
from keras import ops

B3_SPLINE = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""B3-spline filter of the starlet transform."""
SLOPE_FLOOR = 1e-2
"""Added to |∇x|² of maps of unit variance, a thirtieth of its median, so that flat regions have no curvature.

A smaller floor would amplify rounding errors of the second derivatives, which are divided by |∇x|²."""

SOFT_PEAK_WIDTH = 0.15
"""Height difference to the highest neighbour at which a soft peak saturates [standard deviations of the map]."""


def power_spectrum_2d(x):
    """Return |FT|²/N² of maps (batch, C, N, N), mode by mode: the same shape."""
    real, imaginary = ops.fft2((x, ops.zeros_like(x)))
    return (ops.square(real) + ops.square(imaginary)) / (x.shape[-1] * x.shape[-2])


def replicate(x, count: int) -> list:
    """Return several copies of a tensor, one for each use, so that its gradient is reproducible to the bit.

    TensorFlow accumulates three or more gradients of one tensor in the order in which they become available, and the
    last digit of the sum depends on that order. Copies made in one operation are summed in a fixed order, so that an
    interrupted training ends with the same weights as an uninterrupted one.
    """
    return ops.unstack(ops.broadcast_to(x[None], (count, *ops.shape(x))), count, axis=0)


def trim_edges(x, edge: int, axes: tuple[int, ...] = (2, 3), *, last: bool = False):
    """Remove rows and columns at the edges of maps (batch, C, N, N).

    It splits tensors, since the gradient of a slice takes TensorFlow several times as long.

    Parameters
    ----------
    x
        Maps.
    edge
        Pixels to remove at each edge.
    axes
        Axes to trim.
    last
        Trim the last edge only.
    """
    for axis in axes:
        side = x.shape[axis]
        x = ops.split(x, [0 if last else edge, side - edge], axis=axis)[1]
    return x


def starlet_transform(x, scales: int) -> list:
    """Return starlet coefficients of maps (batch, C, N, N), finest scale first and the smooth remainder last.

    Coefficients that reach beyond the edges are left out, so that coarser scales are smaller.
    """
    coefficients = []
    for scale in range(scales):
        step = 2**scale
        rows = ops.convert_to_tensor(smoothing_matrix(x.shape[-1], step))
        smooth = ops.matmul(ops.matmul(rows, x), ops.transpose(rows))
        coefficients.append(trim_edges(x, 2 * step) - smooth)
        x = smooth
    return [*coefficients, x]


def band_pass(x, bands) -> list:
    """Filter maps (batch, C, N, N) to each band of modes (B, N, N), the finest band first."""
    real, imaginary = ops.fft2((x, ops.zeros_like(x)))
    mask = ops.convert_to_tensor(bands[::-1, None])
    filtered, _ = ops.ifft2((real[:, None] * mask, imaginary[:, None] * mask))
    return ops.unstack(filtered, len(bands), axis=1)


def smoothing_matrix(side: int, step: int) -> np.ndarray:
    """Return the à trous B3-spline filter as a matrix: float32, shape (side − 4 step, side)."""
    matrix = np.zeros((side - 4 * step, side), np.float32)
    for row in range(len(matrix)):
        matrix[row, row + step * np.arange(len(B3_SPLINE))] = B3_SPLINE
    return matrix


def height_above_neighbours(x):
    """Return the height of each inner pixel above its highest neighbour (8-connectivity).

    From maps (batch, C, N, N) to (batch, C, N − 2, N − 2).
    """
    left, right, row, inner = replicate(x, 4)
    beside, of_row = replicate(ops.maximum(ops.roll(left, 1, axis=3), ops.roll(right, -1, axis=3)), 2)
    up, down = replicate(ops.maximum(of_row, row), 2)
    highest = ops.maximum(beside, ops.maximum(ops.roll(up, 1, axis=2), ops.roll(down, -1, axis=2)))
    return trim_edges(inner - highest, 1)


def peak_mask(x):
    """Return 1 at peaks of maps (batch, C, N, N), pixels above all 8 neighbours, else 0: (batch, C, N − 2, N − 2)."""
    return ops.cast(height_above_neighbours(ops.stop_gradient(x)) > 0, "float32")


def soft_peak_mask(x):
    """Return a differentiable peak mask, which rises linearly from 0 to 1 around the height of the highest neighbour.

    Its gradient shows how to create and remove peaks. From (batch, C, N, N) to (batch, C, N − 2, N − 2).
    """
    return ops.clip(0.5 + height_above_neighbours(x) / (2 * SOFT_PEAK_WIDTH), 0.0, 1.0)


def mean_excess(x, thresholds):
    """Return the mean excess of maps (batch, C, N, N) over increasing thresholds (T,): shape (batch, T, C)."""
    means, previous = [], 0.0
    for threshold in thresholds:  # the excess over a threshold contains the excess over the next one
        x, previous = ops.relu(x - (threshold - previous)), threshold
        means.append(ops.mean(x, axis=(2, 3)))
    return ops.stack(means, axis=1)


def histogram_by_threshold(excess, thresholds):
    """Turn mean excesses over evenly spaced thresholds into a histogram with triangular bins.

    Of pixels it gives the fraction per bin: each pixel contributes to the two thresholds it lies between, with linear
    weights. There are bins around all thresholds but the first and the last; the last two entries are the mean excesses
    over the last two thresholds.

    Parameters
    ----------
    excess
        Mean excess over each threshold, shape (batch, T, …).
    thresholds
        Evenly spaced, shape (T,).

    Returns
    -------
    tensor
        The shape of ``excess``.
    """
    count, step = len(thresholds), thresholds[1] - thresholds[0]
    second_differences = np.eye(count, dtype=np.float32)
    second_differences[:-2] += np.eye(count - 2, count, 2) - 2 * np.eye(count - 2, count, 1)
    matrix = ops.convert_to_tensor(second_differences / step)
    flat = ops.matmul(matrix, ops.reshape(excess, (-1, count, excess.shape[2])))
    return ops.reshape(flat, (-1, *excess.shape[1:]))


def minkowski_integrals(x, pixel_excess, thresholds):
    """Return integrated Minkowski functionals of pixel sets: boundary length and Euler characteristic per pixel.

    Functionals of the set where a map exceeds ν are integrated over ν from each threshold upwards, which makes them
    differentiable. Pixels are connected if they share a side (4-connectivity). With the mean excess F₁ of a pixel, F₂
    of the lower of two neighbours, summed over both directions, and F₄ of the lowest of a square of four:
    ∫ V1 dν = 2 F₁ − F₂ (half the perimeter) and ∫ V2 dν = F₁ − F₂ + F₄. The edges of the map are left out.

    Parameters
    ----------
    x
        Maps (batch, C, N, N).
    pixel_excess
        Mean excess of single pixels, F₁, shape (batch, T, C).
    thresholds
        Increasing, shape (T,).

    Returns
    -------
    tensor
        Shape (batch, T, 2 C).
    """

    def lower(a, b, axis):
        return trim_edges(ops.minimum(a, ops.roll(b, -1, axis=axis)), 1, (axis,), last=True)

    left, right, high, low = replicate(x, 4)
    across, above, below = replicate(lower(left, right, 3), 3)
    pixels_1, pixels_2 = replicate(pixel_excess, 2)
    pair_excess = mean_excess(across, thresholds) + mean_excess(lower(high, low, 2), thresholds)
    pairs_1, pairs_2 = replicate(pair_excess, 2)
    squares = mean_excess(lower(above, below, 2), thresholds)
    return ops.concatenate([2 * pixels_1 - pairs_1, pixels_2 - pairs_2 + squares], axis=2)


def central_difference_matrix(side: int) -> np.ndarray:
    """Return a matrix (3 (side − 2), side) for inner pixels of a row, their first and second central differences."""
    inner, before, after = (np.eye(side - 2, side, k, dtype=np.float32) for k in (1, 0, 2))
    return np.concatenate([inner, (after - before) / 2, after + before - 2 * inner])


def contour_integrals(x, thresholds):
    """Return integrated Minkowski functionals of contours: length and curvature per pixel, by central differences.

    The estimators are those of `tenfold.stats.minkowski`, integrated twice from each threshold t upwards, which makes
    them differentiable: 4 ∫ (ν − t) V1 dν is the mean of |∇x| times the excess over t, and 2π ∫ (ν − t) V2 dν that of
    |∇x| times the contour's curvature times the excess.

    Parameters
    ----------
    x
        Maps (batch, C, N, N).
    thresholds
        Shape (T,).

    Returns
    -------
    tensor
        Shape (batch, T, 2 C).
    """
    rows = ops.convert_to_tensor(central_difference_matrix(x.shape[-1]))
    bands = ops.split(ops.matmul(ops.matmul(rows, x), ops.transpose(rows)), 3, axis=2)
    (inner, dx, dxx), (dy, dxy, _), (dyy, _, _) = (ops.split(band, 3, axis=3) for band in bands)
    dx2, dy2 = ops.square(dx), ops.square(dy)
    slope2 = dx2 + dy2 + SLOPE_FLOOR
    densities = ops.stack([ops.sqrt(slope2), (2 * dx * dy * dxy - dx2 * dyy - dy2 * dxx) / slope2], axis=-1)
    channels, pixels = x.shape[1], (x.shape[2] - 2) * (x.shape[3] - 2)
    column = ops.convert_to_tensor(np.array(thresholds, np.float32)[:, None])
    excess = ops.relu(ops.reshape(inner, (-1, channels, 1, pixels)) - column)
    means = ops.matmul(excess, ops.reshape(densities, (-1, channels, pixels, 2))) / pixels
    return ops.reshape(ops.transpose(means, (0, 2, 1, 3)), (-1, len(thresholds), 2 * channels))


def third_moments(fields: list) -> list:
    """Return mean products of each field with the square of itself and of every field before it.

    They measure skewness, and the amplitude of small structure where the large-scale field is high. Of band-passed maps
    they are the equilateral and squeezed bispectra times the number of triangles; of starlet scales nearly so.

    Parameters
    ----------
    fields
        F fields (batch, C, M, M), M decreasing; averaged over the area that all of them cover.

    Returns
    -------
    list
        F (F + 1) / 2 tensors (batch, C).
    """
    side = fields[-1].shape[-1]
    copies = []
    for field in fields:
        edge = (field.shape[-1] - side) // 2
        copies.append(iter(replicate(trim_edges(field, edge) if edge else field, len(fields) + 1)))
    return [
        ops.mean(next(copies[coarse]) * ops.square(next(copies[fine])), axis=(2, 3))
        for coarse in range(len(fields)) for fine in range(coarse + 1)
    ]  # fmt: skip


def with_negative(x):
    """Return maps (batch, C, N, N) and their negatives as 2 C channels."""
    return ops.concatenate([x, -x], axis=1)
