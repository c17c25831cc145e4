"""Convolutional networks that estimate parameters from volumes or maps: the CosmoFlow family.

After Mathuriya et al. 2018 (arXiv:1808.04728) and the MLPerf HPC benchmark. Plain ``keras`` and ``keras.ops``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tenfold.emulators.sizes import check_size

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class CNN:
    """Architecture of a network: convolution and pooling blocks, dense layers, then mean and σ of each parameter.

    Example
    -------
    >>> from tenfold.emulators.cnn import CNN
    >>> CNN(size=64, coarsen=2, filters=(16, 32)).downsampling
    8
    """

    RENAMED: ClassVar[dict[str, str]] = {"kernel": "kernel_size", "dense": "dense_units"}

    dimensions: Literal[2, 3] = 3
    """Spatial dimensions: 3 for volumes, 2 for maps."""
    size: int = 64
    """Cells per side of the input field; of maps that are not square, rows."""
    width: int = 0
    """Columns of maps that are not square; 0: as many as rows."""
    channels: int = 1
    """Channels of the input, such as redshifts; a mask is not counted."""
    masked: bool = False
    """Whether maps have a mask, which is then a further channel of the input. Masked pixels do not enter global means
    and maxima."""
    pad: bool = False
    """Whether maps are padded, as if by masked pixels, to a multiple of the downsampling, which their sides must be
    otherwise."""
    transform: Literal["log1p", "identity"] = "log1p"
    """Transform of the coarsened values: log(1 + x) for counts, none for fields with values of −1 or less."""
    moments: Literal[1, 2] = 1
    """Statistics of each coarsened block: 1, the sum; 2, also the sum of squares (clustering within the block)."""
    filters: tuple[int, ...] = (16, 32, 64, 128)
    """Convolution filters of each block; every block halves the side of the field."""
    kernel_size: int = 3
    """Cells per side of the convolution kernels."""
    coarsen: int = 1
    """Input cells per side that are summed into one cell first. It reduces shot noise and the cost."""
    pooling: Literal["max", "average"] = "max"
    """Pooling that halves the side of the field in each block."""
    padding: Literal["same", "periodic"] = "same"
    """Zero padding, or periodic padding (for whole simulation boxes)."""
    readout: Literal["flatten", "global"] = "flatten"
    """Input of the dense layers: all remaining cells, or the global means of all blocks and maxima of the last."""
    dense_units: tuple[int, ...] = (128, 64)
    """Units of the dense layers."""
    activation: str = "leaky_relu"
    """Name of a Keras activation function."""
    dropout: float = 0.0
    """Dropout rate of the dense layers."""

    def __post_init__(self):
        """Check that the network can be built."""
        check_size("filters", self.filters)  # first: their number enters the check of the size
        if self.dimensions not in (2, 3):
            raise ValueError(f"dimensions: found {self.dimensions}, must be 2 (maps) or 3 (volumes)")
        self._check_shape()
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: found {self.dropout}, must be in [0, 1)")
        if self.kernel_size % 2 == 0 or self.kernel_size < 1:
            raise ValueError(f"kernel_size: found {self.kernel_size}, must be odd")
        if self.channels < 1 or self.coarsen < 1 or not self.filters:
            raise ValueError("channels, coarsen and the number of filters must be at least 1")
        for name in ("size", "width", "channels", "kernel_size", "filters", "dense_units"):
            check_size(name, getattr(self, name))

    def _check_shape(self) -> None:
        """Check that the sides suit the downsampling, and that only maps have a width, a mask or a padding."""
        uneven = [side for side in self.sides if side % self.downsampling]
        if uneven and not self.pad:
            advice = ", or pad: true" if self.dimensions == 2 else ""
            raise ValueError(
                f"size: {uneven[0]} cells cannot be coarsened by {self.coarsen} and then halved by {len(self.filters)} "
                f"blocks: choose a multiple of {self.downsampling}, or fewer filters{advice}"
            )
        if self.pad and min(self.sides) < self.downsampling:
            raise ValueError(
                f"filters: {len(self.filters)} blocks reduce {self.downsampling} cells to one, more than the shorter "
                f"side of {min(self.sides)}: choose fewer"
            )
        if self.width < 0:
            raise ValueError(f"width: found {self.width}, must be 0 (square) or more")
        for name in ("width", "masked", "pad"):
            if not getattr(self, name):
                continue
            if self.dimensions == 3:
                raise ValueError(f"{name}: only maps have one, and dimensions is 3")
            if self.padding == "periodic" and not (name == "width" and self.width == self.size):
                raise ValueError(f"{name}: such maps are not periodic: set padding to same")

    @property
    def downsampling(self) -> int:
        """Input cells per side of one output cell of the last block."""
        return self.coarsen * 2 ** len(self.filters)

    @property
    def sides(self) -> tuple[int, ...]:
        """Cells along each axis of the input field."""
        return (self.size, self.width or self.size) if self.dimensions == 2 else (self.size,) * 3

    @property
    def weighted(self) -> bool:
        """Whether cells are weighted by the fraction that is observed."""
        return self.masked or any(self.missing)

    @property
    def missing(self) -> tuple[int, ...]:
        """Cells that are padded along each axis."""
        return tuple(-side % self.downsampling if self.pad else 0 for side in self.sides)


def build(
    architecture: CNN,
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
    architecture
        Architecture of the network.
    location, scale
        Mean and standard deviation of each of the P parameters over the training split, physical units.
    mean, std
        Mean and standard deviation of each channel after coarsening and transform (see `input_statistics`).
    seed, precision
        Seed of the initial weights; Keras dtype policy, ``"float32"`` or ``"mixed_bfloat16"``.

    Returns
    -------
    keras.Model
        Maps raw volumes (batch, x, y, z, channel) or maps (batch, y, x, channel) to the mean and standard deviation of
        each parameter, shape (batch, P, 2). The last channel of masked maps is the mask, 1 where they are observed.
    """
    # imported here, so that reading a configuration does not wait for the backend
    import keras
    from keras import layers

    from tenfold.emulators.layers import Affine, BlockMean, GaussianHead, PeriodicPadding
    from tenfold.emulators.masked_layers import ObservedFraction, ObservedMaximum, ObservedMean
    from tenfold.emulators.patch_convolution import PatchConv2D, PatchConv3D, suits_patches

    names = {
        "convolution": "Conv{}D", "max": "MaxPooling{}D",
        "mean": "GlobalAveragePooling{}D", "maximum": "GlobalMaxPooling{}D",
    }  # fmt: skip
    layer_types = {role: getattr(layers, name.format(architecture.dimensions)) for role, name in names.items()}
    layer_types["average"] = BlockMean
    patch_convolution = {2: PatchConv2D, 3: PatchConv3D}[architecture.dimensions]
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))

    def initialiser(kind):
        return kind(seed=next(seeds))

    def convolution(x, filters, index):
        if architecture.padding == "periodic" and architecture.kernel_size > 1:
            x = PeriodicPadding(architecture.kernel_size // 2, dtype=precision, name=f"wrap_{index}")(x)
        cells, features = math.prod(x.shape[1:-1]), architecture.kernel_size**architecture.dimensions * x.shape[-1]
        layer = patch_convolution if suits_patches(cells, features) else layer_types["convolution"]
        return layer(
            filters, architecture.kernel_size, padding="valid" if architecture.padding == "periodic" else "same",
            activation=architecture.activation, kernel_initializer=initialiser(keras.initializers.HeNormal),
            dtype=precision, name=f"convolution_{index}",
        )(x)  # fmt: skip

    def over_cells(role, x, fraction):
        """Reduce a field to its mean or maximum over all cells, or over the observed ones."""
        if fraction is None:
            return layer_types[role](dtype="float32")(x)
        return {"mean": ObservedMean, "maximum": ObservedMaximum}[role](dtype="float32")(x, fraction)

    inputs = keras.Input((*architecture.sides, architecture.channels + architecture.masked), name="field")
    x = _standardise(architecture, mean, std, dtype=precision, name="standardise")(inputs)
    fraction = ObservedFraction(dtype="float32", name="observed")(x) if architecture.weighted else None
    scales = [(x, fraction)]
    for index, filters in enumerate(architecture.filters):
        x = convolution(x, filters, index)
        scales.append((x, fraction))
        x = layer_types[architecture.pooling](2, dtype=precision, name=f"pool_{index}")(x)
        fraction = None if fraction is None else BlockMean(2, dtype="float32", name=f"observed_{index}")(fraction)
    if architecture.readout == "flatten":
        x = layers.Flatten(dtype=precision)(x)
    else:
        means = [over_cells("mean", *scale) for scale in [*scales, (x, fraction)]]
        x = layers.Concatenate(dtype="float32")([*means, over_cells("maximum", x, fraction)])
        x = Affine(dtype="float32", name="affine")(x)
    for index, units in enumerate(architecture.dense_units):
        x = layers.Dense(
            units, activation=architecture.activation, kernel_initializer=initialiser(keras.initializers.HeNormal),
            dtype=precision, name=f"dense_{index}",
        )(x)  # fmt: skip
        if architecture.dropout:
            x = layers.Dropout(architecture.dropout, seed=next(seeds), dtype=precision, name=f"dropout_{index}")(x)
    x = layers.Dense(
        2 * len(location),
        kernel_initializer=keras.initializers.RandomNormal(stddev=1e-3, seed=next(seeds)),
        dtype="float32",
        name="out",
    )(x)
    return keras.Model(inputs, GaussianHead(location, scale, name="estimate")(x), name="cnn")


def _standardise(architecture: CNN, mean: Sequence[float], std: Sequence[float], **settings):
    """Return the first layer of a network."""
    from tenfold.emulators.layers import Standardise
    from tenfold.emulators.masked_layers import StandardiseObserved

    arguments = (architecture.coarsen, architecture.moments, architecture.transform, mean, std)
    if architecture.weighted:
        return StandardiseObserved(architecture.masked, architecture.missing, *arguments, **settings)
    return Standardise(*arguments, **settings)


def input_statistics(architecture: CNN, samples) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel of samples (n, …, channel), coarsened and transformed.

    Of masked maps, whose last channel is the mask, they are over the cells that are at least partly observed.
    """
    import numpy as np

    values = np.asarray(_standardise(architecture, (0.0,), (1.0,))(samples), np.float64)
    if architecture.weighted:
        values = values[values[..., -1] > 0, :-1]
    axes = tuple(range(values.ndim - 1))
    return values.mean(axes).tolist(), values.std(axes).tolist()
