"""Convolution as one matrix product, which is faster on CPUs for inputs of one or two channels."""

import keras
from keras import ops

LARGEST_PATCHES = 2**23
"""Largest number of values in the patches of one sample (32 MiB in float32)."""


def suits_patches(cells: int, features: int) -> bool:
    """Whether the patches of a field are few and small: ``cells`` of ``features`` values each."""
    return features <= 64 and cells * features <= LARGEST_PATCHES


class _PatchConvolution:
    """Replacement of the convolution of a Keras layer; weights and results are those of the layer.

    A direct convolution vectorises over its input channels, and leaves most of the processor idle if there are few.
    The matrix of all patches has kernel**dimensions times as many columns.
    """

    def convolution_op(self, inputs, kernel):
        """Convolve fields (batch, …, channel) with a kernel of odd side; stride 1."""
        side, dimensions = kernel.shape[0], len(inputs.shape) - 2
        if self.padding == "same":  # pyright: ignore[reportAttributeAccessIssue]
            inputs = ops.pad(inputs, [(0, 0), *[(side // 2, side // 2)] * dimensions, (0, 0)])
        # from the last axis to the first, so that the values of a patch stand in the order of the kernel's
        for axis in range(dimensions, 0, -1):
            length = inputs.shape[axis] - side + 1
            before = (slice(None),) * axis
            inputs = ops.concatenate([inputs[(*before, slice(i, i + length))] for i in range(side)], axis=-1)
        return ops.matmul(inputs, ops.reshape(kernel, (-1, kernel.shape[-1])))


class PatchConv2D(_PatchConvolution, keras.layers.Conv2D):
    """Convolution of maps, (batch, x, y, channel)."""


class PatchConv3D(_PatchConvolution, keras.layers.Conv3D):
    """Convolution of volumes, (batch, x, y, z, channel)."""
