"""Whether a generator repeats what it was trained on: are its maps nearer to that than maps it never saw."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft

from tenfold.stats.agreement import halves

PART = 256
"""Training maps compared at once."""
CANDIDATES = 8
"""Periodic maps that are shifted over one: those whose Fourier amplitudes fit it best. A copy's fit perfectly."""
QUANTILE = 0.01
"""Of the unseen maps' distances: what is nearer counts as a copy, as this fraction of the unseen maps do."""


@dataclass(frozen=True, kw_only=True)
class Memorisation:
    """Distances √(1 − r) to the nearest training map, r being the correlation of the pixels: 0 for a copy, 1 at most.

    Attributes
    ----------
    generated, unseen
        Of the generated maps, and of simulated maps that were not trained on, shapes (m,) and (n,).
    nearest
        Training map nearest to each generated map, shape (m,).
    copied
        Fraction of the generated maps that are nearer than all but `QUANTILE` of the unseen ones.
    null
        What 99 of 100 such fractions stay below when one half of the unseen maps plays the generated ones.
    """

    generated: np.ndarray
    unseen: np.ndarray
    nearest: np.ndarray
    copied: float
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
    """Compare distances to the training maps, whatever their orientation, mean and contrast.

    Parameters
    ----------
    generated, unseen
        Maps, shapes (m, N, N) and (n, N, N).
    training
        All maps that were trained on, in parts (t, N, N): they need not be in memory at once.
    periodic
        Whether maps wrap around: then a shifted copy is a copy, too.
    groups
        Simulation of each unseen map, shape (n,): for the null a group is never split. Left out: every map is its own.
    significance, draws, seed
        Of the null: the fraction of the splits into halves that lie above it, how many, and their seed.

    Raises
    ------
    ValueError
        The maps are not square or not of one size, there are none to compare with, or fewer than two groups.
    """
    groups = np.arange(len(unseen)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if groups.max(initial=-1) < 1:
        raise ValueError("unseen maps of two simulations are needed")
    distance, nearest = _nearest(np.concatenate([generated, unseen]), training, periodic)
    made, others = distance[: len(generated)], distance[len(generated) :]
    null = [_nearer(others[one], others[~one]) for one in halves(groups, draws, np.random.default_rng(seed))]
    return Memorisation(
        generated=made, unseen=others, nearest=nearest[: len(generated)], copied=_nearer(made, others),
        null=float(np.quantile(null, 1 - significance)),
    )  # fmt: skip


def _nearer(some: np.ndarray, others: np.ndarray) -> float:
    """Fraction of some distances below the `QUANTILE` of others."""
    return float(np.mean(some < np.quantile(others, QUANTILE)))


def _nearest(maps: np.ndarray, training: Iterable[np.ndarray], periodic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest training map, in any orientation (and shift), and which it is."""
    ours = _normalised(maps)
    correlate = _Shifted(ours) if periodic else _Still(ours)
    best, which = np.full(len(maps), -np.inf), np.zeros(len(maps), np.int64)
    first = 0
    for part in _parts(training, maps.shape[1:]):
        theirs = _normalised(part)
        for turn in range(8):
            turned = np.rot90(theirs, turn % 4, axes=(1, 2))
            found, index = correlate(turned.transpose(0, 2, 1) if turn >= 4 else turned)
            which = np.where(found > best, index + first, which)
            best = np.maximum(best, found)
        first += len(part)
    if not first:
        raise ValueError("there are no training maps to compare with")
    return np.sqrt(np.clip(1 - best, 0, 1)), which


class _Still:
    """Correlations of maps where they are."""

    def __init__(self, maps: np.ndarray):
        self.maps = maps.reshape(len(maps), -1)

    def __call__(self, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Largest correlation of each map with one of the others, and with which."""
        r = self.maps @ others.reshape(len(others), -1).T
        index = r.argmax(axis=1)
        return r[np.arange(len(r)), index], index


class _Shifted:
    """Correlations of periodic maps, wherever they are shifted to."""

    def __init__(self, maps: np.ndarray):
        self.side = maps.shape[1]
        self.modes = scipy.fft.rfft2(maps)
        weight = np.full(self.modes.shape[-1], 2.0, np.float32)  # the other half of the plane
        weight[0] = 1
        if self.side % 2 == 0:
            weight[-1] = 1
        self.weight = weight / self.side**2
        self.amplitudes = np.abs(self.modes).reshape(len(maps), -1)

    def __call__(self, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Largest correlation of each map with one of the others, and with which."""
        modes = scipy.fft.rfft2(others)
        bound = self.amplitudes @ (np.abs(modes) * self.weight).reshape(len(others), -1).T  # no shift gives more
        few = np.argsort(-bound, axis=1)[:, :CANDIDATES]
        found = np.array([
            scipy.fft.irfft2(mine * modes[rows].conj(), s=(self.side, self.side)).max(axis=(1, 2))
            for mine, rows in zip(self.modes, few, strict=True)
        ])  # fmt: skip
        index = found.argmax(axis=1)
        rows = np.arange(len(found))
        return found[rows, index], few[rows, index]


def _parts(training: Iterable[np.ndarray], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    for maps in training:
        if maps.shape[1:] != shape or len(set(shape)) != 1 or len(shape) != 2:
            raise ValueError(f"square maps of one size are needed, found {shape} and {maps.shape[1:]}")
        for first in range(0, len(maps), PART):
            yield maps[first : first + PART]


def _normalised(maps: np.ndarray) -> np.ndarray:
    """Maps of mean 0 and sum of squares 1."""
    maps = np.asarray(maps, np.float32)
    maps = maps - maps.mean(axis=(1, 2), keepdims=True)
    return maps / np.maximum(np.sqrt((maps**2).sum(axis=(1, 2), keepdims=True)), 1e-30)
