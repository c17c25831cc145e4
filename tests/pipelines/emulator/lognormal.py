"""Shifted log-normal fields of known amplitude and spectral slope, with the interface of shards of mass maps."""

from types import SimpleNamespace

import numpy as np

RANGES = {"amplitude": (0.3, 0.7), "slope": (-2.5, -1.5)}
SHIFT = 0.02


def lognormal(side: int, amplitude: float, slope: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw κ = shift · (exp(a g − a²/2) − 1), g of unit variance and P ∝ (n² + 1)^(slope/2): shape (n, N, N, 1)."""
    n = np.hypot(np.fft.fftfreq(side, 1 / side)[:, None], np.arange(side // 2 + 1))
    root = (n**2 + 1) ** (slope / 4) * np.exp(-((n / (0.35 * side)) ** 2) / 2)
    weight = np.where((np.arange(side // 2 + 1) % (side // 2)) == 0, 1.0, 2.0)
    root[0, 0] = 0
    root /= np.sqrt((root**2 * weight).sum()) / side
    g = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((count, side, side))) * root, s=(side, side))
    return (SHIFT * np.expm1(amplitude * g - amplitude**2 / 2)).astype(np.float32)[..., None]


class LognormalMaps:
    """Maps of several pairs of parameters, in memory; the last quarter of the pairs is held out."""

    def __init__(self, cosmologies: int = 8, maps: int = 16, side: int = 16, conditional: bool = True, seed: int = 0):
        rng = np.random.default_rng(seed)
        low, high = np.array(list(RANGES.values())).T
        values = rng.uniform(low, high, (cosmologies, 2)) if conditional else np.array([[0.5, -2.0]] * cosmologies)
        self.maps = np.concatenate([lognormal(side, *pair, maps, rng) for pair in values])
        held_out = max(1, cosmologies // 8)
        cosmology = np.repeat(np.arange(cosmologies), maps)
        self.simulations = cosmology
        self.splits = {
            "train": np.flatnonzero(cosmology < cosmologies - 2 * held_out),
            "validation": np.flatnonzero(
                (cosmology >= cosmologies - 2 * held_out) & (cosmology < cosmologies - held_out)
            ),
            "test": np.flatnonzero(cosmology >= cosmologies - held_out),
        }
        self.values = np.repeat(values, maps, axis=0) if conditional else np.empty((len(self.maps), 0))
        train = self.values[self.splits["train"]]
        self.manifest = SimpleNamespace(
            parameter_names=tuple(RANGES) if conditional else (), parameter_mean=tuple(train.mean(0)),
            parameter_std=tuple(train.std(0)), fingerprint=f"lognormal {seed}", shape=(side, side, 1), side_deg=2.0,
            box_mpc_h=None, periodic=True, not_periodic="the maps end at their edges", units="kappa", redshifts=(),
            multipoles=None, mask=None, pixel_arcmin=120 / side, simulations=(), value=SimpleNamespace(mean=0.0),
        )  # fmt: skip
        self.path = None

    def split(self, name: str) -> np.ndarray:
        return self.splits[name]

    def read(self, records: np.ndarray) -> np.ndarray:
        return self.maps[records]

    def parameters(self, records: np.ndarray) -> np.ndarray:
        return self.values[records]

    def simulation(self, records: np.ndarray) -> np.ndarray:
        return self.simulations[records]
