"""Intensity transform of maps: an invertible map between heavy-tailed convergence and numbers of order one."""

from dataclasses import dataclass

import keras
import numpy as np
import scipy.optimize
from keras import ops

MAX_ARCSINH = 30.0
"""Bound on |arcsinh|: sinh(30) = 5e12 scales from the centre exceeds any map; larger values overflow float32."""
CENTRE_QUANTILES = (0.001, 0.01, 0.05, 0.2, 0.5)
"""Quantiles of the pixels that are tried as the centre."""
SCALE_GRID = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Scales that are tried [standard deviations of the pixels]."""
MAX_FIT_PIXELS = 100_000
"""Pixels per channel that the transform is fitted to, at most."""


@dataclass(frozen=True)
class IntensityTransform:
    """u = (arcsinh((κ − centre) / scale) − mean) / std per channel; where ``scale`` is 0, u = (κ − mean) / std.

    arcsinh is logarithmic far above the centre, linear near it, and defined for all values. With its centre in the
    lower tail of the pixels it makes a shifted log-normal field Gaussian.
    """

    centre: tuple[float, ...] = (0.0,)
    """[κ]"""
    scale: tuple[float, ...] = (0.0,)
    """[κ]; 0 for the linear transform, in all channels."""
    mean: tuple[float, ...] = (0.0,)
    """Mean of the transformed pixels of the training split."""
    std: tuple[float, ...] = (1.0,)
    """Standard deviation of the transformed pixels of the training split."""


def fit(maps: np.ndarray, transform: str = "arcsinh") -> IntensityTransform:
    """Fit the transform that makes the pixels of training maps as Gaussian as possible.

    Parameters
    ----------
    maps
        κ, shape (n, N, N, C).
    transform
        ``"arcsinh"`` or ``"linear"``.

    Returns
    -------
    IntensityTransform
        Centre and scale minimise skewness² + kurtosis² / 4; mean and std are those of the transformed pixels.

    Raises
    ------
    ValueError
        A channel is constant.
    """
    channels = []
    for channel in range(maps.shape[-1]):
        pixels = maps[..., channel].astype(np.float64).ravel()
        pixels = pixels[:: max(1, len(pixels) // MAX_FIT_PIXELS)]
        sigma = pixels.std()
        if not sigma > 0:
            raise ValueError(f"maps: channel {channel} is constant")
        grid = [(0.0, 0.0)]
        if transform == "arcsinh":
            grid = [(centre, scale * sigma) for centre in np.quantile(pixels, CENTRE_QUANTILES) for scale in SCALE_GRID]
        best = min((_non_gaussianity(pixels, *point) for point in grid), key=lambda row: row[0])
        channels.append(_refine(pixels, sigma, best)[1:] if best[2] else best[1:])
    return IntensityTransform(*(tuple(map(float, column)) for column in zip(*channels, strict=True)))


def _refine(pixels: np.ndarray, sigma: float, best: tuple[float, ...]) -> tuple[float, ...]:
    """Refine the best point of the grid by the Nelder-Mead method."""

    def evaluate(x: np.ndarray) -> tuple[float, ...]:
        return _non_gaussianity(pixels, float(x[0] * sigma), float(np.exp(x[1]) * sigma))

    start = np.array([best[1] / sigma, np.log(best[2] / sigma)])
    end = scipy.optimize.minimize(lambda x: evaluate(x)[0], start, method="Nelder-Mead", options={"maxfev": 80}).x
    return evaluate(end)


def apply(intensity: IntensityTransform, kappa: np.ndarray) -> np.ndarray:
    """Transform maps κ (n, N, N, C) to numbers of order one with NumPy: same shape, float32."""
    columns = []
    for channel, (centre, scale, mean, std) in enumerate(zip(*vars(intensity).values(), strict=True)):
        x = kappa[..., channel]
        x = np.arcsinh((x - centre) / scale) if scale else x
        columns.append((x - mean) / std)
    return np.stack(columns, axis=-1).astype(np.float32)


def _non_gaussianity(pixels: np.ndarray, centre: float, scale: float) -> tuple[float, ...]:
    """Return skewness² + kurtosis² / 4 of the transformed pixels, then centre, scale, mean and std."""
    x = np.arcsinh((pixels - centre) / scale) if scale else pixels
    mean, std = x.mean(), x.std()
    u = (x - mean) / std
    return float((u**3).mean() ** 2 + ((u**4).mean() - 3) ** 2 / 4), centre, scale, mean, std


class _TransformLayer(keras.layers.Layer):
    """Layer with the constants of an `IntensityTransform`; computes in float32 whatever the dtype policy."""

    def __init__(self, centre, scale, mean, std, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.intensity = IntensityTransform(*(tuple(float(v) for v in values) for values in (centre, scale, mean, std)))

    def _constants(self):
        i = self.intensity
        values = (i.centre, i.scale, i.mean, i.std)
        return all(s > 0 for s in i.scale), *(ops.convert_to_tensor(list(v), dtype="float32") for v in values)


class FromKappa(_TransformLayer):
    """Intensity transform from convergence to numbers of order one."""

    def call(self, kappa):
        """Map (batch, y, x, channel) to the same shape."""
        arcsinh, centre, scale, mean, std = self._constants()
        kappa = ops.cast(kappa, "float32")
        x = ops.arcsinh((kappa - centre) / scale) if arcsinh else kappa
        return (x - mean) / std


class ToKappa(_TransformLayer):
    """Inverse of `FromKappa`: from numbers of order one to convergence."""

    def call(self, u):
        """Map (batch, y, x, channel) to the same shape."""
        arcsinh, centre, scale, mean, std = self._constants()
        x = ops.cast(u, "float32") * std + mean
        return ops.sinh(ops.clip(x, -MAX_ARCSINH, MAX_ARCSINH)) * scale + centre if arcsinh else x
