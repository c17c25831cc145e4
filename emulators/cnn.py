"""Convolutional networks that read parameters off a volume or a map: the CosmoFlow family.

After Mathuriya et al. 2018 (arXiv:1808.04728) and the MLPerf HPC benchmark. Plain ``keras`` and ``keras.ops``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tenfold.emulators.sizes import check_size

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class CNN:
    """Shape of a network: blocks of convolution and pooling, then dense layers, then mean and σ per parameter."""

    dimensions: Literal[2, 3] = 3
    """Axes of space: 3 for volumes, 2 for maps."""
    size: int = 64
    """Cells per side of the input."""
    channels: int = 1
    """Channels of the input (redshifts)."""
    transform: Literal["log1p", "identity"] = "log1p"
    """What is done to a raw value first: log(1 + x) for counts, nothing for fields that fall below −1."""
    moments: Literal[1, 2] = 1
    """What is kept of each of those blocks: 1, the sum; 2, the sum of squares beside it (its inner clustering)."""
    filters: tuple[int, ...] = (16, 32, 64, 128)
    """Filters of each block; after each, the field is halved per side."""
    kernel: int = 3
    """Cells per side of a convolution kernel."""
    coarsen: int = 1
    """Cells per side that are summed into one before anything else: less shot noise, and far less work."""
    pooling: Literal["max", "average"] = "max"
    """How a block halves the field."""
    padding: Literal["same", "periodic"] = "same"
    """Zeros around the field, or its opposite faces (for whole simulation boxes)."""
    readout: Literal["flatten", "global"] = "flatten"
    """What the dense layers see: every cell that is left, or every block's means and the last one's maxima."""
    dense: tuple[int, ...] = (128, 64)
    """Units of the dense layers."""
    activation: str = "leaky_relu"
    """Any activation Keras knows."""
    dropout: float = 0.0
    """Fraction of dense units dropped in training."""

    def __post_init__(self):
        """Refuse shapes that cannot be built."""
        check_size("filters", self.filters)  # first: the size must be halved by as many
        if self.dimensions not in (2, 3):
            raise ValueError(f"dimensions: found {self.dimensions}, must be 2 (maps) or 3 (volumes)")
        if self.size % self.downsampling:
            raise ValueError(
                f"size: {self.size} cells cannot be halved by {len(self.filters)} blocks and coarsen {self.coarsen}: "
                f"take a multiple of {self.downsampling}, or fewer filters"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: found {self.dropout}, must be in [0, 1)")
        if self.kernel % 2 == 0 or self.kernel < 1:
            raise ValueError(f"kernel: found {self.kernel}, must be odd")
        if self.channels < 1 or self.coarsen < 1 or not self.filters:
            raise ValueError("channels, coarsen and the number of filters must be at least 1")
        for name in ("size", "channels", "kernel", "filters", "dense"):
            check_size(name, getattr(self, name))

    @property
    def downsampling(self) -> int:
        """Cells of the input per cell of the last block's output, per side."""
        return self.coarsen * 2 ** len(self.filters)


def build(
    shape: CNN,
    *,
    location: Sequence[float],
    scale: Sequence[float],
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
    seed: int = 0,
    precision: str = "float32",
) -> "keras.Model":
    """Build an untrained network.

    Parameters
    ----------
    shape
        The network's shape.
    location, scale
        Mean and standard deviation of each of the P parameters over the training split, physical units.
    mean, std
        Mean and standard deviation of each channel after coarsening and transform (see `input_statistics`).
    seed
        Seed of the initial weights.
    precision
        Keras dtype policy: ``"float32"`` or ``"mixed_bfloat16"``.

    Returns
    -------
    keras.Model
        Raw volumes (batch, x, y, z, channel), or maps (batch, x, y, channel), to (batch, P, 2): mean and standard
        deviation of each parameter.
    """
    # loaded here, so that reading a configuration does not wait for the backend
    import keras
    from keras import layers

    from tenfold.emulators.layers import Affine, GaussianHead, PeriodicPadding, Standardise

    names = {
        "convolution": "Conv{}D", "max": "MaxPooling{}D", "average": "AveragePooling{}D",
        "mean": "GlobalAveragePooling{}D", "maximum": "GlobalMaxPooling{}D",
    }  # fmt: skip
    kinds = {what: getattr(layers, name.format(shape.dimensions)) for what, name in names.items()}
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))

    def weights(kind):
        return kind(seed=next(seeds))

    def convolution(x, filters, index):
        if shape.padding == "periodic" and shape.kernel > 1:
            x = PeriodicPadding(shape.kernel // 2, dtype=precision, name=f"wrap_{index}")(x)
        return kinds["convolution"](
            filters, shape.kernel, padding="valid" if shape.padding == "periodic" else "same",
            activation=shape.activation, kernel_initializer=weights(keras.initializers.HeNormal), dtype=precision,
            name=f"convolution_{index}",
        )(x)  # fmt: skip

    inputs = keras.Input((shape.size,) * shape.dimensions + (shape.channels,), name="field")
    x = Standardise(shape.coarsen, shape.moments, shape.transform, mean, std, dtype=precision, name="standardise")(
        inputs
    )
    scales = [x]
    for index, filters in enumerate(shape.filters):
        x = convolution(x, filters, index)
        scales.append(x)
        x = kinds[shape.pooling](2, dtype=precision, name=f"pool_{index}")(x)
    if shape.readout == "flatten":
        x = layers.Flatten(dtype=precision)(x)
    else:
        means = [kinds["mean"](dtype="float32")(scale) for scale in [*scales, x]]
        x = layers.Concatenate(dtype="float32")([*means, kinds["maximum"](dtype="float32")(x)])
        x = Affine(dtype="float32", name="affine")(x)
    for index, units in enumerate(shape.dense):
        x = layers.Dense(
            units, activation=shape.activation, kernel_initializer=weights(keras.initializers.HeNormal),
            dtype=precision, name=f"dense_{index}",
        )(x)  # fmt: skip
        if shape.dropout:
            x = layers.Dropout(shape.dropout, seed=next(seeds), dtype=precision, name=f"dropout_{index}")(x)
    x = layers.Dense(
        2 * len(location),
        kernel_initializer=keras.initializers.RandomNormal(stddev=1e-3, seed=next(seeds)),
        dtype="float32",
        name="out",
    )(x)
    return keras.Model(inputs, GaussianHead(location, scale, name="estimate")(x), name="cnn")


def input_statistics(shape: CNN, samples) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of raw samples (n, …, channel), coarsened and transformed."""
    import numpy as np

    from tenfold.emulators.layers import Standardise

    values = np.asarray(Standardise(shape.coarsen, shape.moments, shape.transform)(samples), np.float64)
    axes = tuple(range(values.ndim - 1))
    return values.mean(axes).tolist(), values.std(axes).tolist()
