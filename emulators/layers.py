"""Input standardisation, periodic padding, and the output layer in physical units; backend-agnostic Keras."""

import math

import keras
from keras import ops

TRANSFORMS = ("log1p", "identity")
UNIT_SOFTPLUS = 0.5413
"""softplus(0.5413) = 1, so that an untrained network predicts the standard deviation of the training split."""


def block_sums(x, side: int):
    """Sum the cells of each block of ``side`` cells per axis.

    One axis at a time: on CPUs this is several times faster than average pooling, in both directions.

    Parameters
    ----------
    x
        Fields, shape (batch, …, channel); every spatial axis is a multiple of ``side``.
    side
        Cells per side of a block; 1 returns x unchanged.

    Returns
    -------
    tensor
        Shape (batch, … / side, channel), of the same type.
    """
    if side == 1:
        return x
    *spatial, channels = x.shape[1:]
    for axis in range(len(spatial)):
        x = ops.sum(ops.reshape(x, (-1, side, math.prod(spatial[axis + 1 :]) * channels)), axis=1)
    return ops.reshape(x, (-1, *(cells // side for cells in spatial), channels))


class Standardise(keras.layers.Layer):
    """Standardise raw values: (transform(moment of a block) − mean) / std, per channel.

    Parameters
    ----------
    coarsen
        Cells per side of a block that is reduced to one cell; 1 for no reduction.
    moments
        1: the sum over a block. 2: also the sum of squares, in further channels, which measures clustering within it.
    transform
        ``"log1p"`` for counts (values above −1), ``"identity"`` for fields with values below −1.
    mean, std
        Mean and standard deviation of each resulting channel over training samples; a single number applies to all.

    Raises
    ------
    ValueError
        ``transform`` or ``moments`` is unknown, or a standard deviation is not positive.
    """

    def __init__(self, coarsen: int = 1, moments: int = 1, transform: str = "log1p", mean=(0.0,), std=(1.0,), **kwargs):
        super().__init__(**kwargs)
        if transform not in TRANSFORMS:
            raise ValueError(f"transform: found {transform!r}, must be one of {', '.join(TRANSFORMS)}")
        if moments not in (1, 2):
            raise ValueError(f"moments: found {moments}, must be 1 or 2")
        self.coarsen, self.moments, self.transform = int(coarsen), int(moments), transform
        self.mean, self.std = [float(m) for m in mean], [float(s) for s in std]
        if not all(s > 0 for s in self.std):
            raise ValueError(f"std: found {self.std}, must be above 0: the training volumes are constant")

    def call(self, x):
        """Map (batch, …, channel) of any real dtype to (batch, … / coarsen, moments · channel)."""
        x = ops.cast(x, "float32")
        if self.moments == 2:
            x = ops.concatenate([x, ops.square(x)], axis=-1)
        x = block_sums(x, self.coarsen)
        if self.transform == "log1p":
            x = ops.log1p(x)
        mean, std = (ops.convert_to_tensor(v, dtype="float32") for v in (self.mean, self.std))
        return ops.cast((x - mean) / std, self.compute_dtype)


class BlockMean(keras.layers.Layer):
    """Average pooling without overlap: the mean of each block, as a faster equivalent of Keras's layers on CPUs.

    Parameters
    ----------
    side
        Cells per side of a block.
    """

    def __init__(self, side: int, **kwargs):
        super().__init__(**kwargs)
        self.side = int(side)

    def call(self, x):
        """Map (batch, …, channel) to (batch, … / side, channel)."""
        return block_sums(x, self.side) * (1 / self.side ** (len(x.shape) - 2))


class Affine(keras.layers.Layer):
    """Learnt scale and shift per feature: kernel · x + bias.

    Means over a whole box differ by only a few per cent between boxes. With the weights that
    `tenfold.emulators.initialisation.initialise_unit_variance` sets, the dense layers that follow start from those
    differences instead of the common mean.
    """

    def build(self, shape):
        """Create one scale and one shift per feature."""
        self.kernel = self.add_weight(shape=(shape[-1],), initializer="ones", name="kernel")
        self.bias = self.add_weight(shape=(shape[-1],), initializer="zeros", name="bias")

    def call(self, x):
        """Map (batch, features) to the same shape."""
        return x * self.kernel + self.bias


class PeriodicPadding(keras.layers.Layer):
    """Periodic padding of the spatial axes of (batch, …, channel) by ``width`` cells, for whole simulation boxes."""

    def __init__(self, width: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.width = int(width)

    def call(self, x):
        """Return x with ``width`` cells of the opposite face added to every face."""
        for axis in range(1, len(x.shape) - 1):
            before = (slice(None),) * axis
            last, first = x[(*before, slice(-self.width, None))], x[(*before, slice(self.width))]
            x = ops.concatenate([last, x, first], axis=axis)
        return x


class GaussianHead(keras.layers.Layer):
    """Mean and standard deviation of each of P parameters in physical units, from 2P network outputs.

    Parameters
    ----------
    location, scale
        Mean and standard deviation of each parameter over the training split, P values each. They are roughly what an
        untrained network predicts.

    Raises
    ------
    ValueError
        A parameter does not vary.
    """

    def __init__(self, location, scale, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.location, self.scale = [float(v) for v in location], [float(v) for v in scale]
        if not all(s > 0 for s in self.scale):
            raise ValueError(f"scale: found {self.scale}; a parameter that does not vary cannot be estimated")

    def call(self, x):
        """Map (batch, 2P) to (batch, P, 2)."""
        x = ops.reshape(ops.cast(x, "float32"), (-1, len(self.scale), 2))
        scale = ops.convert_to_tensor(self.scale, dtype="float32")
        mean = ops.convert_to_tensor(self.location, dtype="float32") + scale * x[..., 0]
        sigma = scale * (ops.softplus(x[..., 1] + UNIT_SOFTPLUS) + 1e-3)
        return ops.stack([mean, sigma], axis=-1)
