"""What a generator of maps knows before any training: a log-normal universe with the training maps' own spectrum."""

from dataclasses import dataclass

import numpy as np

from tenfold.emulators.intensity import Intensity

THRESHOLDS = (-0.5, 0.5, 1.5, 2.5, 3.5)
"""In standard deviations: the critic is told by how much a map, and the map turned over, exceeds each."""
HEIGHTS = tuple(np.arange(-1.5, 4.1, 0.5).tolist())
"""In standard deviations: the critic is told by how much peaks and minima exceed each, and how many starlet
coefficients are about each; a generator settles by what there is of everything about each."""


def terms(parameters: int) -> int:
    """Terms of a polynomial of second degree in so many parameters."""
    return 1 + parameters + parameters * (parameters + 1) // 2


@dataclass(frozen=True, kw_only=True)
class FirstGuess:
    """Numbers measured on the training maps; what depends on cosmology is a polynomial in it, of second degree.

    A map is κ = σ(p) · T⁻¹(u): σ the spread of κ in its cosmology, T the intensity transform, and u, in so far
    as nothing has been learnt, a Gaussian field whose mean and power spectrum depend on cosmology. T terms, C channels,
    K knots.

    Attributes
    ----------
    intensity
        Transform between κ/σ and numbers of order one.
    logarithmic
        Of which of the P parameters the logarithm is taken, for what follows.
    location, scale
        Mean and standard deviation of the parameters, or of their logarithms, over the training simulations.
    ln_spread
        Of ln σ, shape (T, C).
    mean
        Of the mean of u, shape (T, C).
    knots
        Multiples of the map's fundamental mode, rising, shape (K,).
    ln_power
        Of ln P(k) at the knots, shape (T, K, C): of a field of which white noise of variance one has P = 1. Between the
        knots and beyond the last it is linear in ln k.
    mixing
        At each knot, the lower triangle L of the channels' correlations L Lᵀ, shape (K, C, C).
    band_edges
        Of bands of wavenumbers, multiples of the fundamental mode, shape (B + 1,).
    wavelet_spread
        Standard deviation of the starlet coefficients of u in each scale, finest first, and of what remains smooth,
        shape (S, C).
    told_mean
        Of the mean of what the critic is told, see `tenfold.emulators.differentiable_statistics.Summary`, shape (T, F).
    told_scatter
        Its scatter from map to map about that mean, shape (F,).
    counted_spread, counted_mean, counted_scatter
        The last three of what the generator settles by, shapes (S, C), (T, G) and (G,): as the critic is told, but
        everything by height, the starlets of κ/σ, and its bispectra.
    counted_sign
        What the mean of their soft signs is, z / (1 + |z|) of z scatters over the mean: above zero where most maps are
        above the mean, and few far below; shape (T, G).
    """

    intensity: Intensity
    logarithmic: tuple[bool, ...]
    location: tuple[float, ...]
    scale: tuple[float, ...]
    ln_spread: np.ndarray
    mean: np.ndarray
    knots: np.ndarray
    ln_power: np.ndarray
    mixing: np.ndarray
    band_edges: np.ndarray
    wavelet_spread: np.ndarray
    told_mean: np.ndarray
    told_scatter: np.ndarray
    counted_spread: np.ndarray
    counted_mean: np.ndarray
    counted_scatter: np.ndarray
    counted_sign: np.ndarray

    @classmethod
    def plain(
        cls, size: int, intensity: Intensity, location: tuple[float, ...] = (), scale: tuple[float, ...] = ()
    ) -> "FirstGuess":
        """Know nothing but the intensity: white noise."""
        channels, count = len(intensity.mean), terms(len(location))
        edges = edges_of(size)
        told, counted = (
            answers_of(len(edges) - 1, thresholds, len(HEIGHTS), scales_of(size) + 1, bands, channels)
            for thresholds, bands in ((len(THRESHOLDS), 0), (len(HEIGHTS), len(waves_of(size)) - 1))
        )
        knots = np.sqrt(np.maximum(edges[:-1], 0.5) * edges[1:])
        return cls(
            intensity=intensity, logarithmic=(False,) * len(location), location=location,
            scale=scale, ln_spread=np.zeros((count, channels)),
            mean=np.zeros((count, channels)), knots=knots, ln_power=np.zeros((count, len(knots), channels)),
            mixing=np.tile(np.eye(channels), (len(knots), 1, 1)), band_edges=edges,
            wavelet_spread=np.ones((scales_of(size) + 1, channels)), told_mean=np.zeros((count, told)),
            told_scatter=np.ones(told), counted_spread=np.ones((scales_of(size) + 1, channels)),
            counted_mean=np.zeros((count, counted)), counted_scatter=np.ones(counted),
            counted_sign=np.zeros((count, counted)),
        )  # fmt: skip


def edges_of(size: int) -> np.ndarray:
    """Edges of bands even in ln k, from the fundamental mode of a map to its corners' modes, in multiples of it."""
    steps = np.unique(np.round(np.geomspace(1, size // 2, 11)))
    return np.concatenate([steps - 0.5, [size / 2 + 0.5, size]])


def scales_of(size: int) -> int:
    """Scales of the starlet transform that the critic is told of: the coarsest reaches over a quarter of the map."""
    return max(1, int(np.log2(size)) - 3)


def waves_of(size: int) -> np.ndarray:
    """Edges of bands whose bispectra a generator settles by, in multiples of the fundamental mode.

    They end where triangles of three modes would close around the grid.
    """
    return np.concatenate([[0.5], np.unique(np.round(np.geomspace(1, size / 3, 5)))[1:]])


def answers_of(bands: int, thresholds: int, heights: int, scales: int, waves: int, channels: int) -> int:
    """Numbers that are told of a map, `waves` of its bands being crossed: see `differentiable_statistics.Summary`."""
    crossed = products_of(scales) + products_of(waves)
    return channels * (2 * bands + 10 * thresholds + 2 * heights * (scales + 1) + crossed)


def products_of(fields: int) -> int:
    """Products of each of so many fields with the squares of itself and every one before it."""
    return fields * (fields + 1) // 2


def modes(size: int) -> np.ndarray:
    """Multiples of the fundamental mode that a map's modes are, shape (N, N), as FFT orders them."""
    n = np.fft.fftfreq(size, 1 / size)
    return np.hypot(n[:, None], n)


def interpolation(knots: np.ndarray, k: np.ndarray) -> np.ndarray:
    """What takes ln P at knots (…, K) to wavenumbers k (n,): linear in ln k, also beyond the last, shape (K, n)."""
    ln_knots, ln_k = np.log(knots), np.log(np.maximum(k, knots[0]))
    upper = np.clip(np.searchsorted(ln_knots, ln_k), 1, len(knots) - 1)
    share = (ln_k - ln_knots[upper - 1]) / (ln_knots[upper] - ln_knots[upper - 1])
    found, place = np.zeros((len(knots), len(k))), np.arange(len(k))
    found[upper - 1, place], found[upper, place] = 1 - share, share
    return found
