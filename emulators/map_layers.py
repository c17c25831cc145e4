"""Layers of networks that make or judge maps: periodic convolutions, conditions; plain Keras, any backend."""

import math

import keras
from keras import ops

SLOPE = 0.2
"""Of the leaky rectifier, as in DCGAN (arXiv:1511.06434)."""
GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""What keeps the variance through a leaky rectifier (arXiv:1502.01852)."""


def wrap(x, before: int, after: int):
    """Pad the two axes of the sky of (batch, y, x, channel) with cells of the opposite edge."""
    y_side, x_side = x.shape[1:3]
    # slices, not `take`: their gradients are slices too, and a gradient penalty takes gradients of those
    x = ops.concatenate([x[:, y_side - before :], x, x[:, :after]], axis=1)
    return ops.concatenate([x[:, :, x_side - before :], x, x[:, :, :after]], axis=2)


class _Convolution(keras.layers.Layer):
    """What both convolutions share: a kernel, its bias, and the kernel's spectral norm where it is divided out.

    Parameters
    ----------
    filters
        Channels that come out.
    kernel
        Cells per side of the kernel.
    stride
        Cells per side that become one, or that one becomes.
    periodic
        Pad with the opposite edge, otherwise with zeros.
    spectral_norm
        Divide the kernel by its largest singular value as a matrix (…, filters), found by one power iteration per
        training call (arXiv:1802.05957).
    gain
        Standard deviation of what comes out for inputs of variance one, before any training.
    seed
        Seed of the initial kernel.
    """

    def __init__(
        self,
        filters: int,
        kernel: int,
        stride: int = 1,
        periodic: bool = True,
        spectral_norm: bool = False,
        gain: float = GAIN,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters, self.size, self.stride = int(filters), int(kernel), int(stride)
        self.periodic, self.spectral_norm, self.gain, self.seed = bool(periodic), bool(spectral_norm), float(gain), seed

    def _make(self, shape: tuple[int, ...], fan_in: float) -> None:
        normal = keras.initializers.RandomNormal
        self.kernel = self.add_weight(
            shape=shape, initializer=normal(0.0, self.gain / math.sqrt(fan_in), seed=self.seed), name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        if self.spectral_norm:
            self.direction = self.add_weight(
                shape=(1, self.filters), initializer=normal(0.0, 1.0, seed=self.seed + 1), trainable=False,
                name="direction",
            )  # fmt: skip

    def _kernel(self, training: bool, axis: int):
        kernel = ops.convert_to_tensor(self.kernel)
        if not self.spectral_norm:
            return kernel
        matrix = ops.reshape(ops.moveaxis(kernel, axis, -1), (-1, self.filters))
        still = ops.stop_gradient(matrix)
        u = ops.convert_to_tensor(self.direction)
        v = ops.matmul(u, ops.transpose(still))
        v = v / (ops.norm(v) + 1e-12)
        u = ops.matmul(v, still)
        u = u / (ops.norm(u) + 1e-12)
        if training:
            self.direction.assign(u)
        return kernel / ops.squeeze(ops.matmul(ops.matmul(v, matrix), ops.transpose(u)))


class Convolution(_Convolution):
    """Convolution of (batch, y, x, channel) that leaves side / stride cells per side."""

    def build(self, shape):
        """Make the kernel (k, k, channel, filters)."""
        self._make((self.size, self.size, shape[-1], self.filters), shape[-1] * self.size**2)

    def call(self, x, training=False):
        """Return (batch, y / stride, x / stride, filters)."""
        over = self.size - self.stride
        if self.periodic and over > 0:
            x = wrap(x, over // 2, over - over // 2)
        padding = "valid" if self.periodic else "same"
        return ops.conv(x, self._kernel(training, 3), strides=self.stride, padding=padding) + self.bias


class TransposedConvolution(_Convolution):
    """Transposed convolution of (batch, y, x, channel) to ``stride`` cells per side for each.

    A kernel whose side is a multiple of the stride reaches every new cell equally often, and so leaves no
    checkerboard (Odena et al. 2016, Distill); the published 5 is none.
    """

    def build(self, shape):
        """Make the kernel (k, k, filters, channel)."""
        self._make((self.size, self.size, self.filters, shape[-1]), shape[-1] * self.size**2 / self.stride**2)

    def call(self, x, training=False):
        """Return (batch, stride · y, stride · x, filters)."""
        if not self.periodic:
            kernel = self._kernel(training, 2)
            return ops.conv_transpose(x, kernel, strides=self.stride, padding="same") + self.bias
        sides = [self.stride * side for side in x.shape[1:3]]
        reach = -(-self.size // self.stride) - 1
        x = wrap(x, reach, reach)
        x = ops.conv_transpose(x, self._kernel(training, 2), strides=self.stride, padding="valid")
        first = reach * self.stride + (self.size - self.stride) // 2
        return x[:, first : first + sides[0], first : first + sides[1]] + self.bias


class FiLM(keras.layers.Layer):
    """Scale and shift each channel by what a vector says (Perez et al. 2018, arXiv:1709.07871)."""

    def __init__(self, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def build(self, shape):
        """Make the linear map from the vector to scales and shifts."""
        (_, _, _, channels), (_, features) = shape
        initial = keras.initializers.RandomNormal(0.0, 0.1 / math.sqrt(features), seed=self.seed)
        self.kernel = self.add_weight(shape=(features, 2 * channels), initializer=initial, name="kernel")
        self.bias = self.add_weight(shape=(2 * channels,), initializer="zeros", name="bias")

    def call(self, inputs):
        """Map (batch, y, x, channel) and (batch, features) to the former's shape."""
        x, vector = inputs
        scale, shift = ops.split((ops.matmul(vector, self.kernel) + self.bias)[:, None, None], 2, axis=-1)
        return x * (1 + scale) + shift


class GroupDeviation(keras.layers.Layer):
    """Append to each feature its standard deviation over a group of neighbours in the batch: maps alike are seen.

    After Karras et al. 2018 (arXiv:1710.10196). Groups, not the batch: they do not straddle ranks.
    """

    def __init__(self, group: int, **kwargs):
        super().__init__(**kwargs)
        self.group = int(group)

    def call(self, x):
        """Map (batch, features) to (batch, 2 · features); the group divides the batch."""
        features = x.shape[-1]
        parts = ops.reshape(x, (-1, self.group, features))
        deviation = ops.sqrt(ops.var(parts, axis=1, keepdims=True) + 1e-4)
        return ops.concatenate([x, ops.reshape(ops.broadcast_to(deviation, ops.shape(parts)), (-1, features))], axis=-1)


class GroupBatchNormalization(keras.layers.Layer):
    """Batch normalisation within groups of neighbours in the batch (Hoffer et al. 2017, arXiv:1705.08741).

    What a sample becomes does not depend on how many ranks share the batch, as long as the group divides each share.
    """

    def __init__(self, group: int, momentum: float = 0.99, **kwargs):
        super().__init__(**kwargs)
        self.group, self.momentum = int(group), float(momentum)

    def build(self, shape):
        """Make scale, offset, and the moving statistics that stand in for a batch's own outside training."""
        zeros, ones = {"shape": (shape[-1],), "initializer": "zeros"}, {"shape": (shape[-1],), "initializer": "ones"}
        self.scale = self.add_weight(name="scale", **ones)
        self.offset = self.add_weight(name="offset", **zeros)
        self.moving_mean = self.add_weight(name="moving_mean", trainable=False, **zeros)
        self.moving_variance = self.add_weight(name="moving_variance", trainable=False, **ones)

    def call(self, x, training=False):
        """Map (batch, y, x, channel) to the same shape."""
        if not training:
            return self._affine(x, self.moving_mean, self.moving_variance)
        side_y, side_x, channels = x.shape[1:]
        parts = ops.reshape(x, (-1, self.group, side_y, side_x, channels))
        mean, variance = ops.moments(parts, axes=[1, 2, 3], keepdims=True)
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1 - self.momentum) * ops.mean(now, axis=(0, 1, 2, 3)))
        return ops.reshape(self._affine(parts, mean, variance), (-1, side_y, side_x, channels))

    def _affine(self, x, mean, variance):
        return (x - mean) * ops.rsqrt(variance + 1e-3) * self.scale + self.offset


class Units(keras.layers.Layer):
    """Physical parameters to numbers of order one: (p − mean) / std or (ln p − mean) / std, shape (batch, P)."""

    def __init__(self, mean, std, logarithmic, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.mean, self.std = [float(m) for m in mean], [float(s) for s in std]
        self.logarithmic = [bool(each) for each in logarithmic]
        if not all(s > 0 for s in self.std):
            raise ValueError(f"std: found {self.std}; a parameter that does not vary cannot be a condition")

    def call(self, parameters):
        """Map (batch, P) to the same shape."""
        mean, std = (ops.convert_to_tensor(v, dtype="float32") for v in (self.mean, self.std))
        parameters = ops.cast(parameters, "float32")
        if any(self.logarithmic):
            logarithm = ops.log(ops.maximum(parameters, 1e-30))
            parameters = ops.where(ops.convert_to_tensor(self.logarithmic), logarithm, parameters)
        return (parameters - mean) / std
