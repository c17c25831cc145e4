"""Layers that carry physical units into a network and out of it; plain Keras, any backend."""

import keras
from keras import ops

TRANSFORMS = ("log1p", "identity")
ONE = 0.5413  # softplus(0.5413) = 1: an untrained network answers with the scatter of the training split


class Standardise(keras.layers.Layer):
    """Raw values in, numbers of order one out: (transform(moment of a block) − mean) / std, per channel.

    Parameters
    ----------
    coarsen
        Cells per side of the blocks that become one cell; 1 leaves every cell its own block.
    moments
        1: the sum over a block. 2: the sum of squares as well, in further channels: how clustered a block is within.
    transform
        ``"log1p"`` for counts (values above −1), ``"identity"`` for fields that may fall below −1.
    mean, std
        Mean and standard deviation of each resulting channel over training samples; one number stands for all.
    """

    def __init__(self, coarsen: int = 1, moments: int = 1, transform: str = "log1p", mean=(0.0,), std=(1.0,), **kwargs):
        super().__init__(**kwargs)
        if transform not in TRANSFORMS:
            raise ValueError(f"transform: {transform!r} is none of {', '.join(TRANSFORMS)}")
        if moments not in (1, 2):
            raise ValueError(f"moments: found {moments}, must be 1 or 2")
        self.coarsen, self.moments, self.transform = int(coarsen), int(moments), transform
        self.mean, self.std = [float(m) for m in mean], [float(s) for s in std]
        if not all(s > 0 for s in self.std):
            raise ValueError(f"std: found {self.std}, must be above 0: the training volumes are constant")

    def call(self, x):
        """Map (batch, …, channel) of any real type to coarser cells and ``moments`` times the channels."""
        x = ops.cast(x, "float32")
        if self.moments == 2:
            x = ops.concatenate([x, ops.square(x)], axis=-1)
        if self.coarsen > 1:
            x = ops.average_pool(x, self.coarsen, self.coarsen) * float(self.coarsen ** (len(x.shape) - 2))
        if self.transform == "log1p":
            x = ops.log1p(x)
        mean, std = (ops.convert_to_tensor(v, dtype="float32") for v in (self.mean, self.std))
        return ops.cast((x - mean) / std, self.compute_dtype)


class Affine(keras.layers.Layer):
    """A scale and a shift per feature, both learnt: kernel · x + bias.

    Means over a whole box differ by a few per cent from box to box; `tenfold.emulators.initialisation.calibrate` sets
    this layer so that the dense layers behind it begin with those differences, not with what all boxes share.
    """

    def build(self, shape):
        """Make one scale and one shift per feature."""
        self.kernel = self.add_weight(shape=(shape[-1],), initializer="ones", name="kernel")
        self.bias = self.add_weight(shape=(shape[-1],), initializer="zeros", name="bias")

    def call(self, x):
        """Map (batch, features) to the same shape."""
        return x * self.kernel + self.bias


class Wrap(keras.layers.Layer):
    """Pad the axes of space of (batch, …, channel) periodically, as the simulated box is."""

    def __init__(self, width: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.width = int(width)

    def call(self, x):
        """Return x with ``width`` cells of the opposite face on every face."""
        for axis in range(1, len(x.shape) - 1):
            before = (slice(None),) * axis
            last, first = x[(*before, slice(-self.width, None))], x[(*before, slice(self.width))]
            x = ops.concatenate([last, x, first], axis=axis)
        return x


class GaussianHead(keras.layers.Layer):
    """2P numbers in, (batch, P, 2) out: mean and standard deviation of each parameter, in physical units.

    Parameters
    ----------
    location, scale
        Mean and standard deviation of each parameter over the training split (P values each): an untrained network
        answers about that.
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
        sigma = scale * (ops.softplus(x[..., 1] + ONE) + 1e-3)
        return ops.stack([mean, sigma], axis=-1)
