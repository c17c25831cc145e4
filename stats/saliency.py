"""What a network looks at in a field: gradients, smoothed and integrated, and the checks that make them evidence.

Fields are arrays of any number of axes, such as maps (N, N, channel) and volumes (N, N, N, channel). A network is known
by two functions alone, of its answer and of the answer's gradient, so that this file knows no framework.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.stats import rankdata

Answer = Callable[[np.ndarray], np.ndarray]
"""Fields, shape (n, …), to one number each, shape (n,)."""
Gradient = Callable[[np.ndarray], np.ndarray]
"""Fields, shape (n, …), to the gradient of each one's answer with respect to it, shape (n, …)."""


@dataclass(frozen=True)
class Integrated:
    """An answer shared out among the cells of a field.

    Attributes
    ----------
    shares
        Of each cell, in the unit of the answer, shape of the field.
    answer, baseline
        For the field, and for the field that says nothing.
    """

    shares: np.ndarray
    answer: float
    baseline: float

    @property
    def completeness_error(self) -> float:
        """How far the shares are from adding up to answer - baseline."""
        return abs(float(self.shares.sum()) - (self.answer - self.baseline))


def integrated_gradients(
    answer: Answer, gradient: Gradient, field: np.ndarray, baseline: np.ndarray, steps: int = 32
) -> Integrated:
    """Share an answer out by integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365).

    Parameters
    ----------
    answer, gradient
        The network.
    field
        One field, shape (…).
    baseline
        The field that says nothing, same shape: the mean density, for a universe without structure.
    steps
        Points of the Gauss-Legendre rule along the straight path between them.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    way = field - baseline
    total = np.zeros(field.shape)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        total += weight * gradient((baseline + point * way)[None].astype(field.dtype))[0]
    ends = answer(np.stack([field, baseline]))
    return Integrated(total * way, float(ends[0]), float(ends[1]))


def smooth_grad(
    gradient: Gradient,
    field: np.ndarray,
    *,
    noise: float,
    samples: int,
    rng: np.random.Generator,
    low: float = -np.inf,
) -> np.ndarray:
    """Gradient averaged over copies of a field with noise added (Smilkov et al. 2017, arXiv:1706.03825).

    Parameters
    ----------
    gradient
        The network.
    field
        One field, shape (…).
    noise
        Standard deviation of the Gaussian noise, as a fraction of the field's; 0 gives the plain gradient.
    samples
        Copies.
    low
        Least value that a field can have, which noise does not go below: 0 for counts.
    """
    sigma = noise * field.std()
    total = np.zeros(field.shape)
    for _ in range(samples):
        noisy = np.maximum(field + sigma * rng.standard_normal(field.shape), low)
        total += gradient(noisy[None].astype(field.dtype))[0]
    return total / samples


def share_by_quantile(attribution: np.ndarray, field: np.ndarray, quantiles: int = 10) -> np.ndarray:
    """How much of the absolute attribution falls on each quantile of the field's values, from the emptiest on.

    Returns
    -------
    np.ndarray
        Adds up to 1, shape (quantiles,); 1/quantiles each where attribution and field have nothing to do with another.
    """
    rank = (rankdata(field.reshape(-1), method="ordinal") - 1) * quantiles // field.size
    weight = np.abs(attribution).reshape(-1)
    return np.bincount(rank.astype(int), weight, quantiles) / max(weight.sum(), 1e-300)


@dataclass(frozen=True)
class PeakMatch:
    """How often the peaks of an attribution lie on peaks of the field.

    Attributes
    ----------
    matched
        Fraction of the attribution's highest peaks with one of the field's within reach.
    expected
        The same for the attribution shifted at random, mean and standard deviation: what chance alone gives.
    """

    matched: float
    expected: tuple[float, float]

    @property
    def sigma(self) -> float:
        """How many standard deviations of chance lie between."""
        return (self.matched - self.expected[0]) / max(self.expected[1], 1e-12)


def peak_match(
    attribution: np.ndarray,
    field: np.ndarray,
    *,
    count: int = 20,
    reach: int = 1,
    shifts: int = 100,
    seed: int = 0,
    periodic: bool = True,
) -> PeakMatch:
    """Compare the highest peaks of the absolute attribution with those of the field.

    Parameters
    ----------
    attribution, field
        Shape (N, N) or (N, N, N).
    count
        Peaks of each that are compared.
    reach
        Cells per axis that two peaks of a pair may lie apart.
    shifts, seed
        Random periodic shifts that tell what chance gives, and their seed.
    periodic
        Whether opposite edges of the field lie side by side.
    """
    rng = np.random.default_rng(seed)
    theirs = np.zeros(field.shape, bool)
    theirs[tuple(highest_peaks(field, count, periodic=periodic).T)] = True
    theirs = maximum_filter(theirs, size=2 * reach + 1, mode="wrap" if periodic else "nearest")
    own = highest_peaks(np.abs(attribution), count, periodic=periodic)

    def matched(shift: np.ndarray) -> float:
        places = (own + shift) % field.shape
        return float(theirs[tuple(places.T)].mean())

    chance = [matched(rng.integers(field.shape)) for _ in range(shifts)]
    return PeakMatch(matched(np.zeros(field.ndim, int)), (float(np.mean(chance)), float(np.std(chance))))


def highest_peaks(field: np.ndarray, count: int, *, periodic: bool = True) -> np.ndarray:
    """Places of a field's highest peaks, cells that no neighbour exceeds, the highest first: shape (≤ count, axes)."""
    around = maximum_filter(field, size=3, mode="wrap" if periodic else "nearest")
    places = np.argwhere(field >= around)
    heights = field[tuple(places.T)]
    return places[np.argsort(-heights, kind="stable")[:count]]


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation (Spearman) of two absolute attributions.

    With that of the same network whose last layer's weights were made random, its last two's, and on, it is the sanity
    check of Adebayo et al. 2018 (arXiv:1810.03292): an attribution that stays alike does not tell what the network has
    learnt, but what the field looks like.
    """
    ranks = [rankdata(np.abs(each).reshape(-1)) for each in (one, other)]
    return float(np.corrcoef(ranks)[0, 1])
