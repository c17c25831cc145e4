"""Running statistics of an emulator during training: a few measures of the distance to simulated maps.

They are fast and have no error bars. They select a checkpoint; the validation on the test split gives the verdict.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from tenfold.stats.maps import minima, peaks
from tenfold.stats.minkowski import minkowski_functionals

QUANTILE_LEVELS = np.concatenate([[0.001, 0.003], np.linspace(0.005, 0.995, 199), [0.997, 0.999]])
"""Levels of the pixel quantiles that are compared."""
N_BANDS = 8
"""Bands of the power spectrum, at most."""
HEIGHTS = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0])
"""Bin edges of peak heights, and with the opposite sign of minima [standard deviations from the mean pixel]."""
MIN_GROUP = 8
"""Maps of one set of parameters that are compared on their own; if any set is smaller, all maps form one group."""


@dataclass(frozen=True)
class MapStatistics:
    """Statistics of groups of maps with equal parameters; G is the number of groups times channels."""

    mean: np.ndarray
    """⟨κ⟩, shape (G,)."""
    std: np.ndarray
    """Standard deviation of all pixels, shape (G,)."""
    quantiles: np.ndarray
    """Quantiles of all pixels at `QUANTILE_LEVELS`, shape (G, Q)."""
    power: np.ndarray
    """Mean |FT|² in bands of equal width in ln ℓ from the fundamental to the Nyquist mode, shape (G, bands)."""
    scatter: np.ndarray
    """Map-to-map standard deviation of ln power, shape (G, bands)."""
    peaks: np.ndarray
    """Peaks and then minima per map between `HEIGHTS`, shape (G, 2 (heights − 1))."""
    euler: np.ndarray
    """Euler characteristic of the set above each of `HEIGHTS`, shape (G, heights)."""


def group_by_parameters(parameters: np.ndarray) -> np.ndarray:
    """Number the groups of maps with equal parameters.

    Parameters
    ----------
    parameters
        Parameters of each map, shape (n, P).

    Returns
    -------
    np.ndarray
        Group of each map, shape (n,); 0 for all maps if any group has fewer than `MIN_GROUP`.
    """
    if not parameters.shape[1]:
        return np.zeros(len(parameters), np.int64)
    _, groups, counts = np.unique(parameters, axis=0, return_inverse=True, return_counts=True)
    return groups.reshape(-1) if counts.min() >= MIN_GROUP else np.zeros(len(parameters), np.int64)


def measure(maps: np.ndarray, groups: np.ndarray) -> MapStatistics:
    """Measure the statistics of maps.

    Parameters
    ----------
    maps
        κ, shape (n, N, N, C).
    groups
        Group of each map, shape (n,), from `group_by_parameters`.
    """
    rows: list[tuple] = []
    for group in np.unique(groups):
        for channel in range(maps.shape[-1]):
            kappa = maps[groups == group, :, :, channel]
            pixels = kappa.astype(np.float64).ravel()
            powers = band_powers(kappa)
            with np.errstate(divide="ignore"):
                scatter = np.log(powers + 1e-30).std(axis=0)
            mean, std = pixels.mean(), pixels.std()
            standardised = ((kappa - mean) / std).astype(np.float32)
            extrema = [
                find(standardised, sign * HEIGHTS[::sign], periodic=False).counts.mean(axis=0)
                for find, sign in ((peaks, 1), (minima, -1))
            ]
            euler = minkowski_functionals(standardised, HEIGHTS, periodic=False).v2.mean(axis=0)
            rows.append((mean, std, np.quantile(pixels, QUANTILE_LEVELS), powers.mean(axis=0), scatter,
                         np.concatenate(extrema), euler))  # fmt: skip
    return MapStatistics(*(np.array(column) for column in zip(*rows, strict=True)))


def band_powers(maps: np.ndarray) -> np.ndarray:
    """Return the mean |FT|² of each map (n, N, N) in bands of equal width in ln ℓ: shape (n, bands), none empty."""
    side = maps.shape[1]
    power = np.abs(scipy.fft.rfft2(maps, workers=1)) ** 2
    k = np.hypot(np.fft.fftfreq(side, 1 / side)[:, None], np.arange(side // 2 + 1))
    edges = np.unique(np.round(np.geomspace(1, side / 2, N_BANDS + 1)))
    band_of_mode = np.digitize(k, edges) - 1
    # rfft2 keeps both modes of a conjugate pair in the first and last column, and one of them elsewhere
    weight = np.where((np.arange(side // 2 + 1) % (side // 2)) == 0, 1.0, 2.0) * np.ones_like(k)
    return np.stack(
        [
            (power * (weight * (band_of_mode == band))).sum((1, 2)) / weight[band_of_mode == band].sum()
            for band in range(len(edges) - 1)
        ],
        axis=1,
    )


def compare(generated: MapStatistics, simulated: MapStatistics, *, calibrated: bool = False) -> dict[str, float]:
    """Compare generated with simulated maps: fractional deviations, 0 for equal, and their sum as the score.

    Parameters
    ----------
    generated, simulated
        From `measure`, of the same groups.
    calibrated
        Whether mean, standard deviation, distribution and power of the generated maps will be calibrated after the
        training. These are then left out of the score, where they would mostly reflect sample variance of the few
        simulations of a validation split.

    Returns
    -------
    dict
        Means over groups. "mean" and "std": differences in units of the simulated standard deviation. "pdf": mean
        difference of quantiles in the same unit (a Wasserstein distance). "power": mean over bands of |ratio − 1|.
        "scatter": |ratio − 1| of the map-to-map scatter of power, with weight 0.25 in the score. "peaks": fraction of
        peaks and minima at wrong heights. "euler": mean difference over the largest value. "mean_bias" and
        "power_bias": the same as "mean" and "power" without absolute value. "score": the sum.
    """
    sigma = simulated.std
    ratio = generated.power / simulated.power - 1
    scatter = generated.scatter.mean(axis=1) / np.maximum(simulated.scatter.mean(axis=1), 1e-12) - 1
    deviations = {
        "mean": np.abs(generated.mean - simulated.mean) / sigma,
        "std": np.abs(generated.std / sigma - 1),
        "pdf": np.abs(generated.quantiles - simulated.quantiles).mean(axis=1) / sigma,
        "power": np.abs(ratio).mean(axis=1),
        "scatter": np.abs(scatter),
        "peaks": np.abs(generated.peaks - simulated.peaks).sum(axis=1) / simulated.peaks.sum(axis=1),
        "euler": np.abs(generated.euler - simulated.euler).mean(axis=1) / np.abs(simulated.euler).max(axis=1),
        "mean_bias": (generated.mean - simulated.mean) / sigma,
        "power_bias": ratio.mean(axis=1),
    }
    means = {name: float(values.mean()) for name, values in deviations.items()}
    scored = ("peaks", "euler") if calibrated else ("mean", "std", "pdf", "power", "peaks", "euler")
    score = sum(means[name] for name in scored) + 0.25 * means["scatter"]
    return means | {"score": score}
