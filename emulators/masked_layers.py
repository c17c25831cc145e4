"""Input layer and pooling of networks of maps that are masked or padded; backend-agnostic Keras.

A map comes with the fraction of each cell that is observed, its last channel. Cells that are not observed are 0, the
mean of the standardised field, and do not enter global means and maxima.
"""

import keras
from keras import ops

from tenfold.emulators.layers import Standardise, block_sums

_LOWEST = -1e30
"""Below every activation."""


class StandardiseObserved(Standardise):
    """Standardise the observed values of maps, and append the fraction of each cell that is observed.

    The moment of a block is its sum over observed pixels times pixels / observed pixels.

    Parameters
    ----------
    masked
        Whether the last channel of the input is the mask, 1 where a map is observed; otherwise all pixels are.
    padding
        Rows and columns of unobserved pixels to append at the far end of each axis.
    coarsen, moments, transform, mean, std
        As of `tenfold.emulators.layers.Standardise`; the mask has no mean and no standard deviation.
    """

    def __init__(self, masked: bool = True, padding: tuple[int, ...] = (0, 0), *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.masked, self.padding = masked, tuple(padding)

    def call(self, x):
        """Map (batch, y, x, channel) to (batch, (y + padding) / coarsen, …, moments · channel + 1)."""
        x = ops.cast(x, "float32")
        mask = x[..., -1:] if self.masked else ops.ones_like(x[..., :1])
        x = (x[..., :-1] if self.masked else x) * mask
        ends = [(0, 0), *((0, width) for width in self.padding), (0, 0)]
        x, mask = ops.pad(x, ends), ops.pad(mask, ends)
        if self.moments == 2:
            x = ops.concatenate([x, ops.square(x)], axis=-1)
        pixels = self.coarsen**2
        x, observed = block_sums(x, self.coarsen), block_sums(mask, self.coarsen)
        x = x * (pixels / ops.maximum(observed, 1.0))
        if self.transform == "log1p":
            x = ops.log1p(x)
        mean, std = (ops.convert_to_tensor(v, dtype="float32") for v in (self.mean, self.std))
        x = (x - mean) / std * ops.cast(observed > 0, "float32")
        return ops.cast(ops.concatenate([x, observed / pixels], axis=-1), self.compute_dtype)


class ObservedFraction(keras.layers.Layer):
    """The last channel of the output of `StandardiseObserved`: the fraction of each cell that is observed."""

    def call(self, x):
        """Map (batch, …, channel) to (batch, …, 1)."""
        return x[..., -1:]


class ObservedMean(keras.layers.Layer):
    """Mean of each channel over the observed cells, weighted by the fraction that is observed."""

    def call(self, x, fraction):
        """Map (batch, y, x, channel) and (batch, y, x, 1) to (batch, channel)."""
        x, fraction = ops.cast(x, "float32"), ops.cast(fraction, "float32")
        return ops.sum(x * fraction, axis=(1, 2)) / ops.maximum(ops.sum(fraction, axis=(1, 2)), 1e-6)


class ObservedMaximum(keras.layers.Layer):
    """Maximum of each channel over the cells that are at least partly observed."""

    def call(self, x, fraction):
        """Map (batch, y, x, channel) and (batch, y, x, 1) to (batch, channel)."""
        x = ops.cast(x, "float32")
        return ops.max(ops.where(fraction > 0, x, _LOWEST), axis=(1, 2))
