"""Attribution maps of a network by smoothed and integrated gradients, with sanity checks.

Fields are arrays with any number of axes, such as maps (Y, X, channel) and volumes (N, N, N, channel). A network is
represented by two functions, of its output and of the output's gradient, so this module needs no framework.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.stats import rankdata

Output = Callable[[np.ndarray], np.ndarray]
"""Function from fields, shape (n, …), to one number per field, shape (n,)."""
Gradient = Callable[[np.ndarray], np.ndarray]
"""Function from fields, shape (n, …), to the gradient of each output with respect to its field, shape (n, …)."""


@dataclass(frozen=True)
class IntegratedGradients:
    """Attribution of a network's output to the cells of a field.

    Attributes
    ----------
    attribution
        Attribution of each cell, in the unit of the output, shape of the field.
    output, baseline_output
        Output for the field and for the baseline.
    """

    attribution: np.ndarray
    output: float
    baseline_output: float

    @property
    def completeness_error(self) -> float:
        """Absolute difference of the summed attribution and output − baseline_output."""
        return abs(float(self.attribution.sum()) - (self.output - self.baseline_output))


def integrated_gradients(
    output: Output, gradient: Gradient, field: np.ndarray, baseline: np.ndarray, steps: int = 32
) -> IntegratedGradients:
    """Attribute an output to the cells of a field by integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365).

    Parameters
    ----------
    output, gradient
        Output of the network and its gradient.
    field
        One field, shape (…).
    baseline
        Uninformative field, same shape, such as the mean density everywhere.
    steps
        Number of Gauss-Legendre points along the straight path between them.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    path = field - baseline
    total = np.zeros(field.shape)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        total += weight * gradient((baseline + point * path)[None].astype(field.dtype))[0]
    outputs = output(np.stack([field, baseline]))
    return IntegratedGradients(total * path, float(outputs[0]), float(outputs[1]))


def smooth_grad(
    gradient: Gradient,
    field: np.ndarray,
    *,
    noise: float,
    samples: int,
    rng: np.random.Generator,
    low: float = -np.inf,
) -> np.ndarray:
    """Average the gradient over noisy copies of a field (SmoothGrad; Smilkov et al. 2017, arXiv:1706.03825).

    Parameters
    ----------
    gradient
        Gradient of the network's output.
    field
        One field, shape (…).
    noise
        Standard deviation of the Gaussian noise in units of that of the field; 0 gives the plain gradient.
    samples
        Number of noisy copies.
    rng
        Source of the noise.
    low
        Smallest possible value of the field, at which noisy copies are clipped: 0 for counts.
    """
    sigma = noise * field.std()
    total = np.zeros(field.shape)
    for _ in range(samples):
        noisy = np.maximum(field + sigma * rng.standard_normal(field.shape), low)
        total += gradient(noisy[None].astype(field.dtype))[0]
    return total / samples


def share_by_quantile(attribution: np.ndarray, field: np.ndarray, quantiles: int = 10) -> np.ndarray:
    """Share of the absolute attribution in each quantile of the field's values, lowest values first.

    Returns
    -------
    np.ndarray
        Shares with sum 1, shape (quantiles,); 1/quantiles each where attribution and field are independent.
    """
    rank = (rankdata(field.reshape(-1), method="ordinal") - 1) * quantiles // field.size
    weight = np.abs(attribution).reshape(-1)
    return np.bincount(rank.astype(int), weight, quantiles) / max(weight.sum(), 1e-300)


@dataclass(frozen=True)
class PeakMatch:
    """Fraction of the peaks of an attribution that coincide with peaks of the field.

    Attributes
    ----------
    matched
        Fraction of the attribution's highest peaks that lie near one of the field's highest peaks.
    expected
        Mean and standard deviation of this fraction for random shifts of the attribution, as expected by chance.
    """

    matched: float
    expected: tuple[float, float]

    @property
    def sigma(self) -> float:
        """Excess over the chance expectation, in standard deviations."""
        return (self.matched - self.expected[0]) / max(self.expected[1], 1e-12)


def peak_match(
    attribution: np.ndarray,
    field: np.ndarray,
    *,
    count: int = 20,
    max_offset: int = 1,
    shifts: int = 100,
    seed: int = 0,
    periodic: bool = True,
    observed: np.ndarray | None = None,
) -> PeakMatch:
    """Compare the highest peaks of the absolute attribution with those of the field.

    Parameters
    ----------
    attribution, field
        Shape (Y, X) or (N, N, N).
    count
        Number of peaks of each that are compared.
    max_offset
        Largest offset per axis between matching peaks [cells].
    shifts, seed
        Number of random periodic shifts for the chance expectation, and their seed.
    periodic
        Whether the field is periodic.
    observed
        Cells that are observed, shape of the field. Peaks beside other cells are left out, and so are shifted peaks on
        them. None: all cells.
    """
    rng = np.random.default_rng(seed)
    near_peak = np.zeros(field.shape, bool)
    near_peak[tuple(highest_peaks(field, count, periodic=periodic, observed=observed).T)] = True
    near_peak = maximum_filter(near_peak, size=2 * max_offset + 1, mode="wrap" if periodic else "nearest")
    peaks = highest_peaks(np.abs(attribution), count, periodic=periodic, observed=observed)

    def matched(shift: np.ndarray) -> float:
        cells = tuple(((peaks + shift) % field.shape).T)
        hits = near_peak[cells] if observed is None else near_peak[cells][observed[cells]]
        return float(hits.mean()) if hits.size else 0.0

    chance = [matched(rng.integers(field.shape)) for _ in range(shifts)]
    return PeakMatch(matched(np.zeros(field.ndim, int)), (float(np.mean(chance)), float(np.std(chance))))


def highest_peaks(
    field: np.ndarray, count: int, *, periodic: bool = True, observed: np.ndarray | None = None
) -> np.ndarray:
    """Find the highest peaks of a field: cells that no neighbour exceeds, all of them observed.

    Returns their indices, highest first, shape (≤ count, axes).
    """
    above = field >= maximum_filter(field, size=3, mode="wrap" if periodic else "nearest")
    if observed is not None:
        above &= minimum_filter(observed, size=3, mode="wrap" if periodic else "nearest")
    cells = np.argwhere(above)
    heights = field[tuple(cells.T)]
    return cells[np.argsort(-heights, kind="stable")[:count]]


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman rank correlation of two absolute attributions.

    This is the measure of the cascading randomisation test of Adebayo et al. 2018 (arXiv:1810.03292), in which the
    weights of the network are randomised layer by layer from the output down. An attribution that stays similar shows
    the structure of the field rather than what the network has learnt.
    """
    ranks = [rankdata(np.abs(attribution).reshape(-1)) for attribution in (first, second)]
    return float(np.corrcoef(ranks)[0, 1])
