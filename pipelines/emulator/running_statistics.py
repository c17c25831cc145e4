"""Running statistics of an emulator in training: a few numbers that say how far made maps are from simulated ones.

Quick and without error bars: they choose a checkpoint. The verdict is the validation's, on the test split.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from tenfold.stats.maps import minima, peaks
from tenfold.stats.minkowski import minkowski_functionals

QUANTILES = np.concatenate([[0.001, 0.003], np.linspace(0.005, 0.995, 199), [0.997, 0.999]])
BANDS = 8
HEIGHTS = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0])
"""Between which peaks are counted, and turned over hollows: standard deviations of the set's pixels from their mean."""
FEWEST = 8
"""Maps of one set of parameters that are compared on their own; with fewer, all maps are one set."""


@dataclass(frozen=True)
class MapStatistics:
    """Statistics of sets of maps, each set of its own parameters: G sets times channels."""

    mean: np.ndarray
    """⟨κ⟩, shape (G,)."""
    std: np.ndarray
    """Of all pixels, shape (G,)."""
    quantiles: np.ndarray
    """Of all pixels at `QUANTILES`, shape (G, Q)."""
    power: np.ndarray
    """Mean |FT|² of bands of equal width in log ℓ, from the fundamental mode to Nyquist's, shape (G, bands)."""
    scatter: np.ndarray
    """Standard deviation of a map's ln power, map to map, shape (G, bands)."""
    peaks: np.ndarray
    """Peaks and then hollows per map between `HEIGHTS`, shape (G, 2 (heights − 1))."""
    euler: np.ndarray
    """Euler characteristic of what is above each of `HEIGHTS`, shape (G, heights)."""


def sets(parameters: np.ndarray) -> np.ndarray:
    """Number the sets of maps (n, P) with the same parameters, 0 for all where some set is small: shape (n,)."""
    if not parameters.shape[1]:
        return np.zeros(len(parameters), np.int64)
    _, numbers, counts = np.unique(parameters, axis=0, return_inverse=True, return_counts=True)
    return numbers.reshape(-1) if counts.min() >= FEWEST else np.zeros(len(parameters), np.int64)


def measure(maps: np.ndarray, numbers: np.ndarray) -> MapStatistics:
    """Measure maps.

    Parameters
    ----------
    maps
        κ, shape (n, N, N, C).
    numbers
        Number of each map's set, shape (n,), from `sets`.
    """
    rows: list[tuple] = []
    for number in np.unique(numbers):
        for channel in range(maps.shape[-1]):
            part = maps[numbers == number, :, :, channel]
            pixels = part.astype(np.float64).ravel()
            bands = band_powers(part)
            with np.errstate(divide="ignore"):
                scatter = np.log(bands + 1e-30).std(axis=0)
            mean, std = pixels.mean(), pixels.std()
            risen = ((part - mean) / std).astype(np.float32)
            found = [
                kind(risen, sign * HEIGHTS[::sign], periodic=False).counts.mean(axis=0)
                for kind, sign in ((peaks, 1), (minima, -1))
            ]
            euler = minkowski_functionals(risen, HEIGHTS, periodic=False).v2.mean(axis=0)
            rows.append((mean, std, np.quantile(pixels, QUANTILES), bands.mean(axis=0), scatter,
                         np.concatenate(found), euler))  # fmt: skip
    return MapStatistics(*(np.array(column) for column in zip(*rows, strict=True)))


def band_powers(maps: np.ndarray) -> np.ndarray:
    """Mean |FT|² of each map (n, N, N) in each band: shape (n, bands), all of them with modes."""
    side = maps.shape[1]
    power = np.abs(scipy.fft.rfft2(maps, workers=1)) ** 2
    size = np.hypot(np.fft.fftfreq(side, 1 / side)[:, None], np.arange(side // 2 + 1))
    edges = np.unique(np.round(np.geomspace(1, side / 2, BANDS + 1)))
    band = np.digitize(size, edges) - 1
    # modes on the first and last column are their own conjugates' halves: every other counts twice
    weight = np.where((np.arange(side // 2 + 1) % (side // 2)) == 0, 1.0, 2.0) * np.ones_like(size)
    return np.stack(
        [(power * (weight * (band == b))).sum((1, 2)) / weight[band == b].sum() for b in range(len(edges) - 1)], axis=1
    )


def compare(made: MapStatistics, simulated: MapStatistics, *, calibrated: bool = False) -> dict[str, float]:
    """Compare made with simulated maps: fractions, 0 for equal, and their sum as the score.

    Parameters
    ----------
    made, simulated
        From `measure`, of the same sets.
    calibrated
        Whether the made maps' mean, spread, distribution and power will be set right after the training: then they are
        no part of the score, which would else mostly say what chance gave the few simulations of a validation split.

    Returns
    -------
    dict
        Each a mean over sets: "mean" and "std", differences over the simulated standard deviation; "pdf", mean
        difference of quantiles over it (a Wasserstein distance); "power", mean over bands of the ratio less one;
        "scatter", ratio of the scatter of power from map to map, less one, 0.25 of it in the sum; "peaks", share of
        peaks and hollows that stand at other heights; "euler", mean difference over the largest. Without absolute
        value: "mean_bias" and "power_bias". "score" is the sum.
    """
    unit = simulated.std
    ratio = made.power / simulated.power - 1
    wide = made.scatter.mean(axis=1) / np.maximum(simulated.scatter.mean(axis=1), 1e-12) - 1
    found = {
        "mean": np.abs(made.mean - simulated.mean) / unit,
        "std": np.abs(made.std / unit - 1),
        "pdf": np.abs(made.quantiles - simulated.quantiles).mean(axis=1) / unit,
        "power": np.abs(ratio).mean(axis=1),
        "scatter": np.abs(wide),
        "peaks": np.abs(made.peaks - simulated.peaks).sum(axis=1) / simulated.peaks.sum(axis=1),
        "euler": np.abs(made.euler - simulated.euler).mean(axis=1) / np.abs(simulated.euler).max(axis=1),
        "mean_bias": (made.mean - simulated.mean) / unit,
        "power_bias": ratio.mean(axis=1),
    }
    figures = {name: float(values.mean()) for name, values in found.items()}
    parts = ("peaks", "euler") if calibrated else ("mean", "std", "pdf", "power", "peaks", "euler")
    score = sum(figures[name] for name in parts) + 0.25 * figures["scatter"]
    return figures | {"score": score}
