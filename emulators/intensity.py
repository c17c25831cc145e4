"""The intensity transform of maps: convergence with its heavy tail in, numbers of order one out, and exactly back."""

from dataclasses import dataclass

import keras
import numpy as np
import scipy.optimize
from keras import ops

LARGEST = 30.0
"""Of |arcsinh|: sinh(30) = 5e12 scales off the centre, beyond any map; more would overflow single precision."""
QUANTILES = (0.001, 0.01, 0.05, 0.2, 0.5)
SCALES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
PIXELS = 100_000


@dataclass(frozen=True)
class Intensity:
    """u = (arcsinh((κ − centre) / scale) − mean) / std, channel by channel; with all ``scale`` 0, u = (κ − mean) / std.

    arcsinh is a logarithm for values far above the centre, linear near it, and defined below: with its centre at the
    low end of the pixels it makes a shifted log-normal field Gaussian, and no value is out of its range.
    """

    centre: tuple[float, ...] = (0.0,)
    """[κ]"""
    scale: tuple[float, ...] = (0.0,)
    """[κ]; 0: no arcsinh."""
    mean: tuple[float, ...] = (0.0,)
    """Of the transformed pixels of the training split."""
    std: tuple[float, ...] = (1.0,)
    """Of the transformed pixels of the training split."""


def fit(maps: np.ndarray, transform: str = "arcsinh") -> Intensity:
    """Fit the transform to maps of the training split: the pixels become as Gaussian as it can make them.

    Parameters
    ----------
    maps
        κ, shape (n, N, N, C).
    transform
        ``"arcsinh"`` or ``"linear"``.

    Returns
    -------
    Intensity
        Centre and scale leave the least skewness² + kurtosis² / 4; mean and std are of the transformed pixels.
    """
    found = []
    for channel in range(maps.shape[-1]):
        pixels = maps[..., channel].astype(np.float64).ravel()
        pixels = pixels[:: max(1, len(pixels) // PIXELS)]
        spread = pixels.std()
        if not spread > 0:
            raise ValueError(f"maps: channel {channel} is constant")
        tried = [(0.0, 0.0)]
        if transform == "arcsinh":
            tried = [(centre, scale * spread) for centre in np.quantile(pixels, QUANTILES) for scale in SCALES]
        best = min((_shape(pixels, *pair) for pair in tried), key=lambda row: row[0])
        found.append(_refined(pixels, spread, best)[1:] if best[2] else best[1:])
    return Intensity(*(tuple(map(float, column)) for column in zip(*found, strict=True)))


def _refined(pixels: np.ndarray, spread: float, row: tuple[float, ...]) -> tuple[float, ...]:
    """Go from the best of a grid to the best there is."""

    def tried(x: np.ndarray) -> tuple[float, ...]:
        return _shape(pixels, float(x[0] * spread), float(np.exp(x[1]) * spread))

    start = np.array([row[1] / spread, np.log(row[2] / spread)])
    end = scipy.optimize.minimize(lambda x: tried(x)[0], start, method="Nelder-Mead", options={"maxfev": 80}).x
    return tried(end)


def apply(intensity: Intensity, kappa: np.ndarray) -> np.ndarray:
    """Transform maps (n, N, N, C) to numbers of order one, without a network: float32."""
    columns = []
    for channel, (centre, scale, mean, std) in enumerate(zip(*vars(intensity).values(), strict=True)):
        x = kappa[..., channel]
        x = np.arcsinh((x - centre) / scale) if scale else x
        columns.append((x - mean) / std)
    return np.stack(columns, axis=-1).astype(np.float32)


def _shape(pixels: np.ndarray, centre: float, scale: float) -> tuple[float, ...]:
    """Return how far from Gaussian pixels are, then centre, scale, mean and std."""
    x = np.arcsinh((pixels - centre) / scale) if scale else pixels
    mean, std = x.mean(), x.std()
    u = (x - mean) / std
    return float((u**3).mean() ** 2 + ((u**4).mean() - 3) ** 2 / 4), centre, scale, mean, std


class _Channels(keras.layers.Layer):
    """A layer built from an `Intensity`; computes in single precision at least."""

    def __init__(self, centre, scale, mean, std, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.intensity = Intensity(*(tuple(float(v) for v in values) for values in (centre, scale, mean, std)))

    def _constants(self):
        i = self.intensity
        values = (i.centre, i.scale, i.mean, i.std)
        return all(s > 0 for s in i.scale), *(ops.convert_to_tensor(list(v), dtype="float32") for v in values)


class FromKappa(_Channels):
    """Convergence in, numbers of order one out."""

    def call(self, kappa):
        """Map (batch, y, x, channel) to the same shape."""
        bent, centre, scale, mean, std = self._constants()
        kappa = ops.cast(kappa, "float32")
        x = ops.arcsinh((kappa - centre) / scale) if bent else kappa
        return (x - mean) / std


class ToKappa(_Channels):
    """Numbers of order one in, convergence out: the exact inverse of `FromKappa`."""

    def call(self, u):
        """Map (batch, y, x, channel) to the same shape."""
        bent, centre, scale, mean, std = self._constants()
        x = ops.cast(u, "float32") * std + mean
        return ops.sinh(ops.clip(x, -LARGEST, LARGEST)) * scale + centre if bent else x
