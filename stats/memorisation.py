"""Memorisation: whether generated maps lie closer to the training maps than unseen simulated maps do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft

from tenfold.stats.agreement import split_halves

MAPS_PER_CHUNK = 256
"""Number of training maps compared at once."""
CANDIDATES = 8
"""Number of periodic training maps whose shifts are searched: those with the best bound from Fourier amplitudes. The
bound of a copy is exact."""
QUANTILE = 0.01
"""Quantile of the unseen maps' distances below which a map counts as a copy."""


@dataclass(frozen=True, kw_only=True)
class Memorisation:
    """Distances √(1 − r) to the nearest training map, where r is the correlation of the pixels; 0 for a copy.

    Attributes
    ----------
    generated, unseen
        Distances of the generated maps and of the unseen simulated maps, shapes (m,) and (n,).
    nearest
        Index of the training map nearest to each generated map, shape (m,).
    copied_fraction
        Fraction of the generated maps whose distance is below the `QUANTILE` of the unseen maps' distances.
    null
        Quantile (99 % by default) of this fraction when one half of the unseen maps stands in for the generated maps.
    """

    generated: np.ndarray
    unseen: np.ndarray
    nearest: np.ndarray
    copied_fraction: float
    null: float


def memorisation(
    generated: np.ndarray,
    training: Iterable[np.ndarray],
    unseen: np.ndarray,
    *,
    periodic: bool,
    groups: np.ndarray | None = None,
    significance: float = 0.01,
    draws: int = 200,
    seed: int = 0,
) -> Memorisation:
    """Measure the distances to the training maps, regardless of orientation, mean and contrast.

    Parameters
    ----------
    generated, unseen
        Generated maps, and simulated maps that were not trained on, shapes (m, N, N) and (n, N, N).
    training
        All training maps in chunks of shape (t, N, N); they need not be in memory at once.
    periodic
        Whether maps are periodic. Shifted copies are then found as well.
    groups
        Simulation of each unseen map, shape (n,). The null never splits a group. Default: each map is a group.
    significance, draws, seed
        Significance level of the null, number of random splits, and their seed.

    Returns
    -------
    Memorisation
        Distances, and the fraction of copies with its null.

    Raises
    ------
    ValueError
        The maps are not square or not of one size, there are no training maps, or there are fewer than two groups.
    """
    groups = np.arange(len(unseen)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if groups.max(initial=-1) < 1:
        raise ValueError("unseen: maps of at least two simulations are needed")
    distance, nearest = _nearest(np.concatenate([generated, unseen]), training, periodic)
    generated_distance, unseen_distance = distance[: len(generated)], distance[len(generated) :]
    splits = split_halves(groups, draws, np.random.default_rng(seed))
    null = [_copied_fraction(unseen_distance[half], unseen_distance[~half]) for half in splits]
    return Memorisation(
        generated=generated_distance, unseen=unseen_distance, nearest=nearest[: len(generated)],
        copied_fraction=_copied_fraction(generated_distance, unseen_distance),
        null=float(np.quantile(null, 1 - significance)),
    )  # fmt: skip


def _copied_fraction(distances: np.ndarray, reference: np.ndarray) -> float:
    """Fraction of the distances below the `QUANTILE` of the reference distances."""
    return float(np.mean(distances < np.quantile(reference, QUANTILE)))


def _nearest(maps: np.ndarray, training: Iterable[np.ndarray], periodic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest training map in any orientation (and shift), and its index."""
    normalised = _normalised(maps)
    correlate = _ShiftedCorrelation(normalised) if periodic else _Correlation(normalised)
    best, best_index = np.full(len(maps), -np.inf), np.zeros(len(maps), np.int64)
    first = 0
    for chunk in _chunks(training, maps.shape[1:]):
        training_maps = _normalised(chunk)
        for symmetry in range(8):
            rotated = np.rot90(training_maps, symmetry % 4, axes=(1, 2))
            correlation, index = correlate(rotated.transpose(0, 2, 1) if symmetry >= 4 else rotated)
            best_index = np.where(correlation > best, index + first, best_index)
            best = np.maximum(best, correlation)
        first += len(chunk)
    if not first:
        raise ValueError("training: at least one map is needed")
    return np.sqrt(np.clip(1 - best, 0, 1)), best_index


class _Correlation:
    """Pixel correlation of maps without shifts."""

    def __init__(self, maps: np.ndarray):
        self.maps = maps.reshape(len(maps), -1)

    def __call__(self, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Largest correlation of each map with any of the others, and the index of that one."""
        r = self.maps @ others.reshape(len(others), -1).T
        index = r.argmax(axis=1)
        return r[np.arange(len(r)), index], index


class _ShiftedCorrelation:
    """Pixel correlation of periodic maps, maximised over shifts."""

    def __init__(self, maps: np.ndarray):
        self.side = maps.shape[1]
        self.modes = scipy.fft.rfft2(maps)
        weight = np.full(self.modes.shape[-1], 2.0, np.float32)  # the other half-plane is the complex conjugate
        weight[0] = 1
        if self.side % 2 == 0:
            weight[-1] = 1
        self.weight = weight / self.side**2
        self.amplitudes = np.abs(self.modes).reshape(len(maps), -1)

    def __call__(self, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Largest correlation of each map with any of the others, and the index of that one."""
        modes = scipy.fft.rfft2(others)
        # an upper bound of the correlation over all shifts
        bound = self.amplitudes @ (np.abs(modes) * self.weight).reshape(len(others), -1).T
        candidates = np.argsort(-bound, axis=1)[:, :CANDIDATES]
        correlation = np.array([
            scipy.fft.irfft2(own * modes[rows].conj(), s=(self.side, self.side)).max(axis=(1, 2))
            for own, rows in zip(self.modes, candidates, strict=True)
        ])  # fmt: skip
        index = correlation.argmax(axis=1)
        rows = np.arange(len(correlation))
        return correlation[rows, index], candidates[rows, index]


def _chunks(training: Iterable[np.ndarray], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    for maps in training:
        if maps.shape[1:] != shape or len(set(shape)) != 1 or len(shape) != 2:
            raise ValueError(f"square maps of one size are needed, found {shape} and {maps.shape[1:]}")
        for first in range(0, len(maps), MAPS_PER_CHUNK):
            yield maps[first : first + MAPS_PER_CHUNK]


def _normalised(maps: np.ndarray) -> np.ndarray:
    """Maps with mean 0 and sum of squares 1."""
    maps = np.asarray(maps, np.float32)
    maps = maps - maps.mean(axis=(1, 2), keepdims=True)
    return maps / np.maximum(np.sqrt((maps**2).sum(axis=(1, 2), keepdims=True)), 1e-30)
