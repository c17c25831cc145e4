"""Layers of generators and discriminators of maps: periodic convolutions, FiLM, group statistics; backend-agnostic."""

import math

import keras
from keras import ops

LEAKY_SLOPE = 0.2
"""Negative slope of leaky ReLU, as in DCGAN (arXiv:1511.06434)."""
LEAKY_GAIN = math.sqrt(2 / (1 + LEAKY_SLOPE**2))
"""Gain of the initial weights that preserves variance through a leaky ReLU (arXiv:1502.01852)."""


def periodic_pad(x, before: int, after: int):
    """Pad both spatial axes of (batch, y, x, channel) periodically.

    Parameters
    ----------
    x
        Maps.
    before, after
        Pixels added before the first and after the last one, along each axis.
    """
    y_side, x_side = x.shape[1:3]
    # slices, not `take`: the gradients of slices are slices too, and a gradient penalty needs second derivatives
    x = ops.concatenate([x[:, y_side - before :], x, x[:, :after]], axis=1)
    return ops.concatenate([x[:, :, x_side - before :], x, x[:, :, :after]], axis=2)


class _Convolution(keras.layers.Layer):
    """Kernel, bias and spectral normalisation shared by both convolutions.

    Parameters
    ----------
    filters
        Output channels.
    kernel
        Pixels per side of the kernel.
    stride
        Downsampling factor, or upsampling factor of a transposed convolution.
    periodic
        Pad periodically, otherwise with zeros.
    spectral_norm
        Divide the kernel, as a matrix (…, filters), by its largest singular value, estimated with one power iteration
        per training call (arXiv:1802.05957).
    gain
        Standard deviation of the outputs for inputs of unit variance, before training.
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
        gain: float = LEAKY_GAIN,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters, self.size, self.stride = int(filters), int(kernel), int(stride)
        self.periodic, self.spectral_norm, self.gain, self.seed = bool(periodic), bool(spectral_norm), float(gain), seed

    def _add_weights(self, shape: tuple[int, ...], fan_in: float) -> None:
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

    def _normalised_kernel(self, training: bool, axis: int):
        """Return the kernel, divided by its spectral norm if required; ``axis`` is that of the filters."""
        kernel = ops.convert_to_tensor(self.kernel)
        if not self.spectral_norm:
            return kernel
        matrix = ops.reshape(ops.moveaxis(kernel, axis, -1), (-1, self.filters))
        constant = ops.stop_gradient(matrix)
        u = ops.convert_to_tensor(self.direction)
        v = ops.matmul(u, ops.transpose(constant))
        v = v / (ops.norm(v) + 1e-12)
        u = ops.matmul(v, constant)
        u = u / (ops.norm(u) + 1e-12)
        if training:
            self.direction.assign(u)
        return kernel / ops.squeeze(ops.matmul(ops.matmul(v, matrix), ops.transpose(u)))


class Convolution(_Convolution):
    """Convolution of (batch, y, x, channel) that leaves side / stride pixels per side."""

    def build(self, shape):
        """Create the kernel (k, k, channel, filters)."""
        self._add_weights((self.size, self.size, shape[-1], self.filters), shape[-1] * self.size**2)

    def call(self, x, training=False):
        """Return (batch, y / stride, x / stride, filters)."""
        overlap = self.size - self.stride
        if self.periodic and overlap > 0:
            x = periodic_pad(x, overlap // 2, overlap - overlap // 2)
        padding = "valid" if self.periodic else "same"
        return ops.conv(x, self._normalised_kernel(training, 3), strides=self.stride, padding=padding) + self.bias


class TransposedConvolution(_Convolution):
    """Transposed convolution of (batch, y, x, channel) that yields stride · side pixels per side.

    A kernel whose side is a multiple of the stride contributes equally often to every output pixel, and so leaves no
    checkerboard artefacts (Odena et al. 2016, Distill); CosmoGAN's 5 is not a multiple of 2.
    """

    def build(self, shape):
        """Create the kernel (k, k, filters, channel)."""
        fan_in = shape[-1] * self.size**2 / self.stride**2
        self._add_weights((self.size, self.size, self.filters, shape[-1]), fan_in)

    def call(self, x, training=False):
        """Return (batch, stride · y, stride · x, filters)."""
        if not self.periodic:
            kernel = self._normalised_kernel(training, 2)
            return ops.conv_transpose(x, kernel, strides=self.stride, padding="same") + self.bias
        sides = [self.stride * side for side in x.shape[1:3]]
        reach = -(-self.size // self.stride) - 1
        x = periodic_pad(x, reach, reach)
        x = ops.conv_transpose(x, self._normalised_kernel(training, 2), strides=self.stride, padding="valid")
        first = reach * self.stride + (self.size - self.stride) // 2
        return x[:, first : first + sides[0], first : first + sides[1]] + self.bias


class FiLM(keras.layers.Layer):
    """Feature-wise linear modulation: scale and shift of each channel from a vector (Perez et al., arXiv:1709.07871).

    Parameters
    ----------
    seed
        Seed of the initial weights.
    """

    def __init__(self, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def build(self, shape):
        """Create the linear map from the vector to scales and shifts."""
        (_, _, _, channels), (_, features) = shape
        initial = keras.initializers.RandomNormal(0.0, 0.1 / math.sqrt(features), seed=self.seed)
        self.kernel = self.add_weight(shape=(features, 2 * channels), initializer=initial, name="kernel")
        self.bias = self.add_weight(shape=(2 * channels,), initializer="zeros", name="bias")

    def call(self, inputs):
        """Map (batch, y, x, channel) and (batch, features) to the shape of the former."""
        x, vector = inputs
        scale, shift = ops.split((ops.matmul(vector, self.kernel) + self.bias)[:, None, None], 2, axis=-1)
        return x * (1 + scale) + shift


class MinibatchStandardDeviation(keras.layers.Layer):
    """Minibatch standard deviation (Karras et al. 2018, arXiv:1710.10196), which exposes mode collapse to the critic.

    To each feature it appends the standard deviation over a group of neighbours in the batch. Groups, unlike the batch,
    never straddle ranks.

    Parameters
    ----------
    group_size
        Samples of a group; divides the batch.
    """

    def __init__(self, group_size: int, **kwargs):
        super().__init__(**kwargs)
        self.group_size = int(group_size)

    def call(self, x):
        """Map (batch, features) to (batch, 2 · features)."""
        features = x.shape[-1]
        groups = ops.reshape(x, (-1, self.group_size, features))
        deviation = ops.sqrt(ops.var(groups, axis=1, keepdims=True) + 1e-4)
        deviation = ops.reshape(ops.broadcast_to(deviation, ops.shape(groups)), (-1, features))
        return ops.concatenate([x, deviation], axis=-1)


class GhostBatchNormalization(keras.layers.Layer):
    """Ghost batch normalisation: within groups of a batch (Hoffer et al. 2017, arXiv:1705.08741).

    The output for a sample does not depend on the number of ranks, as long as the group divides each rank's share.

    Parameters
    ----------
    group_size
        Samples of a group; divides the batch.
    momentum
        Momentum of the moving statistics.
    """

    def __init__(self, group_size: int, momentum: float = 0.99, **kwargs):
        super().__init__(**kwargs)
        self.group_size, self.momentum = int(group_size), float(momentum)

    def build(self, shape):
        """Create scale, offset, and the moving statistics that are used outside training."""
        zeros, ones = {"shape": (shape[-1],), "initializer": "zeros"}, {"shape": (shape[-1],), "initializer": "ones"}
        self.scale = self.add_weight(name="scale", **ones)
        self.offset = self.add_weight(name="offset", **zeros)
        self.moving_mean = self.add_weight(name="moving_mean", trainable=False, **zeros)
        self.moving_variance = self.add_weight(name="moving_variance", trainable=False, **ones)

    def call(self, x, training=False):
        """Map (batch, y, x, channel) to the same shape."""
        if not training:
            return self._normalise(x, self.moving_mean, self.moving_variance)
        side_y, side_x, channels = x.shape[1:]
        groups = ops.reshape(x, (-1, self.group_size, side_y, side_x, channels))
        mean, variance = ops.moments(groups, axes=[1, 2, 3], keepdims=True)
        for moving, current in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1 - self.momentum) * ops.mean(current, axis=(0, 1, 2, 3)))
        return ops.reshape(self._normalise(groups, mean, variance), (-1, side_y, side_x, channels))

    def _normalise(self, x, mean, variance):
        return (x - mean) * ops.rsqrt(variance + 1e-3) * self.scale + self.offset


class StandardiseParameters(keras.layers.Layer):
    """Standardised parameters: (p − mean) / std or (ln p − mean) / std.

    Parameters
    ----------
    mean, std
        Mean and standard deviation of each parameter, or of its logarithm, P values each.
    logarithmic
        Which parameters enter as logarithms, P values.

    Raises
    ------
    ValueError
        A parameter does not vary.
    """

    def __init__(self, mean, std, logarithmic, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.mean, self.std = [float(m) for m in mean], [float(s) for s in std]
        self.logarithmic = [bool(flag) for flag in logarithmic]
        if not all(s > 0 for s in self.std):
            raise ValueError(f"std: found {self.std}; a parameter that does not vary cannot be a condition")

    def call(self, parameters):
        """Map parameters (batch, P) in physical units to the same shape."""
        mean, std = (ops.convert_to_tensor(v, dtype="float32") for v in (self.mean, self.std))
        parameters = ops.cast(parameters, "float32")
        if any(self.logarithmic):
            logarithm = ops.log(ops.maximum(parameters, 1e-30))
            parameters = ops.where(ops.convert_to_tensor(self.logarithmic), logarithm, parameters)
        return (parameters - mean) / std
