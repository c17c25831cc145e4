"""Fit of the log-normal model that a generator starts from: σ, transform, mean, power spectrum, summary statistics."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.fft

from tenfold.emulators import intensity
from tenfold.emulators.differentiable_statistics import starlet_transform
from tenfold.emulators.lognormal import (
    PEAK_HEIGHTS,
    PIXEL_THRESHOLDS,
    LognormalModel,
    interpolation_matrix,
    n_polynomial_terms,
    n_starlet_scales,
    power_band_edges,
    wavenumbers,
)
from tenfold.emulators.summary_statistics import SummaryStatistics
from tenfold.hpc.ranks import Ranks
from tenfold.stats.maps import angular_power
from tenfold.stats.trend import Trend, fit_trend

MAX_FIT_PIXELS = 2**27
"""Pixels the model is fitted to, at most: maps of 0.5 GiB, of which each rank holds a few copies."""
MIN_COMMON_FRACTION = 0.01
"""Least fraction of maps in which a statistic must differ from its median. Moment matching ignores rarer statistics,
whose scatter is not known."""
BATCH = 256
"""Maps whose statistics are computed at once."""
DECONVOLUTION_ROUNDS = 12
"""Iterations that correct the power spectrum for the window of cropped maps."""


def fit_lognormal_model(
    maps: np.ndarray,
    parameters: np.ndarray,
    groups: np.ndarray,
    *,
    transform: str = "arcsinh",
    periodic: bool = False,
    ranks: Ranks | None = None,
) -> LognormalModel:
    """Fit the log-normal model to training maps.

    Parameters
    ----------
    maps
        κ of the training split, shape (n, N, N, C).
    parameters
        Parameters of each map, shape (n, P); P = 0 for an unconditional generator.
    groups
        Simulation of each map, shape (n,).
    transform
        ``"arcsinh"`` or ``"linear"``: see `tenfold.emulators.intensity`.
    periodic
        Whether maps are periodic.
    ranks
        Ranks that share the work; each must hold all maps.

    Raises
    ------
    ValueError
        A channel is constant.
    """
    count, size, _, channels = maps.shape
    parameters = np.asarray(parameters, np.float64).reshape(count, -1)
    groups = np.unique(groups, return_inverse=True)[1] if parameters.shape[1] else np.zeros(count, np.int64)
    points = parameters[np.unique(groups, return_index=True)[1]]
    if not (maps.std(axis=(0, 1, 2)) > 0).all():
        raise ValueError("maps: a channel is constant")
    ln_sigma = _fit_trend(_by_group(maps, groups, lambda part: np.log(part.std(axis=(0, 1, 2)))), points)
    unit = maps / np.exp(ln_sigma(parameters))[:, None, None].astype(np.float32)
    fitted_transform = intensity.fit(unit, transform)
    u = intensity.apply(fitted_transform, unit)
    mean = _fit_trend(_by_group(u, groups, lambda part: part.mean(axis=(0, 1, 2))), points)
    edges = power_band_edges(size)
    band_power = band_powers(u, edges)
    starlet_std, matching_starlet_std = _starlet_std(u), _starlet_std(unit)
    fitted = {}
    for name, thresholds, stds, histograms in (
        ("critic", PIXEL_THRESHOLDS, starlet_std, False), ("matching", PEAK_HEIGHTS, matching_starlet_std, True),
    ):  # fmt: skip
        layer = SummaryStatistics(edges, thresholds, PEAK_HEIGHTS, stds, 1.0, vars(fitted_transform), histograms)
        statistics = _statistics(u, layer, ranks or Ranks())
        trend = _fit_trend(_by_group(statistics, groups, lambda part: part.mean(axis=0)), points)
        scatter = np.maximum((statistics - trend(parameters)).std(axis=0), 1e-6)
        fitted |= {f"{name}_mean": quadratic_coefficients(trend), f"{name}_scatter": scatter}
        if histograms:
            common = (statistics != np.median(statistics, axis=0)).mean(axis=0)
            scatter[common < MIN_COMMON_FRACTION] = np.inf
            deviations = (statistics - trend(parameters)) / scatter
            signs = _by_group(deviations / (1 + np.abs(deviations)), groups, lambda part: part.mean(axis=0))
            fitted["matching_sign"] = quadratic_coefficients(_fit_trend(signs, points))
    power = _by_group(band_power, groups, lambda part: part.mean(axis=0))
    if not periodic:  # modes longer than the map contribute to the variance of the maps' means
        variance = _by_group(u.mean(axis=(1, 2)), groups, lambda part: part.var(axis=0) * size**2)
        power = np.concatenate([variance[:, None], power], axis=1)
    knots = _knots(size, edges, periodic)
    ln_target = np.log(np.maximum(power, 1e-12))
    ln_power = _fit_trend(ln_target.reshape(len(points), -1), points)
    if not periodic:
        ln_power = _deconvolve_window(ln_power, ln_target, points, knots, size, edges)
    return LognormalModel(
        intensity=fitted_transform, logarithmic=tuple(ln_sigma.logarithmic.tolist()),
        location=tuple(ln_sigma.centre.tolist()), scale=tuple(ln_sigma.scale.tolist()),
        ln_sigma=quadratic_coefficients(ln_sigma), mean=quadratic_coefficients(mean), knots=knots,
        ln_power=quadratic_coefficients(ln_power).reshape(-1, len(knots), channels),
        mixing=_channel_mixing(u, edges, periodic), band_edges=edges, starlet_std=starlet_std,
        matching_starlet_std=matching_starlet_std, **fitted,
    )  # fmt: skip


def _by_group(values: np.ndarray, groups: np.ndarray, statistic: Callable) -> np.ndarray:
    """Return a statistic of each simulation's maps, one row per simulation."""
    return np.stack([statistic(values[groups == group]) for group in range(groups.max() + 1)])


def _fit_trend(rows: np.ndarray, points: np.ndarray) -> Trend:
    return fit_trend(rows, points, np.arange(len(rows)))


def quadratic_coefficients(trend: Trend) -> np.ndarray:
    """Return the coefficients of a trend padded with zeros to second degree, shape (T, K)."""
    coefficients = np.zeros((n_polynomial_terms(len(trend.centre)), trend.coefficients.shape[1]))
    coefficients[: len(trend.coefficients)] = trend.coefficients
    return coefficients


def _knots(size: int, edges: np.ndarray, periodic: bool) -> np.ndarray:
    """Return the wavenumber of each band, at its modes' mean ln k.

    For cropped maps there is one more knot below, for modes longer than a map.
    """
    k = wavenumbers(size).reshape(-1)
    band_of_mode = np.digitize(k, edges)
    centres = [np.exp(np.log(k[band_of_mode == band]).mean()) for band in range(1, len(edges))]
    return np.array(centres if periodic else [0.5, *centres])


def band_powers(u: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the mean |FT|²/N² of maps in each band of wavenumbers.

    Parameters
    ----------
    u
        Maps, shape (n, N, N, C).
    edges
        Edges of the bands in units of the fundamental mode, shape (B + 1,).

    Returns
    -------
    np.ndarray
        Shape (n, B, C).
    """
    size = u.shape[1]
    # of a map of 360°, multipoles are multiples of the fundamental mode
    powers = [angular_power(u[..., channel], 360.0, edges).power for channel in range(u.shape[3])]
    return np.stack(powers, axis=-1) * (size / (2 * np.pi)) ** 2


def _starlet_std(u: np.ndarray) -> np.ndarray:
    """Return the standard deviation of starlet coefficients in each scale, shape (S, C)."""
    sample = np.moveaxis(u[:: -(-len(u) // BATCH)], 3, 1)
    scales = starlet_transform(sample, n_starlet_scales(u.shape[1]))
    return np.array([np.asarray(coefficients).std(axis=(0, 2, 3)) for coefficients in scales])


def _statistics(u: np.ndarray, layer: SummaryStatistics, ranks: Ranks) -> np.ndarray:
    """Return raw summary statistics of maps, shape (n, F)."""
    layer.build(u.shape)
    count = len(np.asarray(layer.statistics(u[:1]))[0])

    def compute(batches: np.ndarray) -> np.ndarray:
        computed = np.zeros((len(batches), BATCH, count), np.float32)
        for rows, batch in zip(computed, batches, strict=True):
            statistics = np.asarray(layer.statistics(u[batch * BATCH : (batch + 1) * BATCH]))
            rows[: len(statistics)] = statistics
        return computed

    # ranks share whole batches: the last digits of a map's statistics depend on the other maps of its batch
    return ranks.compute_shared(-(-len(u) // BATCH), compute).reshape(-1, count)[: len(u)]


def _deconvolve_window(
    trend: Trend, ln_target: np.ndarray, points: np.ndarray, knots: np.ndarray, size: int, edges: np.ndarray
) -> Trend:
    """Find the spectrum of a periodic field twice as wide whose crops have the target power.

    The power of a crop is the spectrum convolved with the transform of the square window. It is computed without noise:
    the correlation function times the fraction of pairs at each lag that lie within the square.
    """
    wide = 2 * size
    lag = np.abs(np.fft.fftfreq(wide, 1 / wide))
    pair_fraction = np.clip(1 - lag / size, 0, None)[:, None] * np.clip(1 - lag / size, 0, None)
    interpolation = interpolation_matrix(knots, wavenumbers(wide).reshape(-1) / 2)
    band_of_mode = np.digitize(wavenumbers(size).reshape(-1), edges)
    channels = ln_target.shape[2]

    def ln_crop_power(ln_power: np.ndarray) -> np.ndarray:
        """Return ln of the crops' power at the knots, shape (K,); the first is that of their mean."""
        correlation = scipy.fft.ifft2(np.exp(ln_power @ interpolation).reshape(wide, wide)).real
        crop = scipy.fft.fft2(correlation * pair_fraction).real[::2, ::2].reshape(-1)
        return np.log([crop[0], *(crop[band_of_mode == band].mean() for band in range(1, len(edges)))])

    trend = replace(trend, coefficients=trend.coefficients.copy())
    for _ in range(DECONVOLUTION_ROUNDS):
        current = trend(points).reshape(len(points), len(knots), channels)
        residual = np.stack([
            [ln_target[n, :, c] - ln_crop_power(current[n, :, c]) for c in range(channels)] for n in range(len(points))
        ])  # fmt: skip
        residual = np.moveaxis(residual, 1, 2)
        # the variance of the maps' means is noisy, being measured on one number per map: bound its correction
        residual[:, 0] = np.clip(residual[:, 0], -0.5, 0.5)
        step = _fit_trend(residual.reshape(len(points), -1), points)
        trend.coefficients[:] += step.coefficients
    return trend


def _channel_mixing(u: np.ndarray, edges: np.ndarray, periodic: bool) -> np.ndarray:
    """Return lower Cholesky factors of the channels' correlation matrix in each band, shape (K, C, C)."""
    size, channels = u.shape[1], u.shape[3]
    bands = len(edges) - 1
    if channels == 1:
        return np.ones((bands + (not periodic), 1, 1))
    sample = u[:: max(1, len(u) // 256)]
    modes = scipy.fft.fft2(sample - sample.mean(axis=(1, 2), keepdims=True), axes=(1, 2))
    modes = modes.reshape(len(sample), size**2, -1)
    band_of_mode = np.digitize(wavenumbers(size).reshape(-1), edges)
    factors = []
    for band in range(1, bands + 1):
        in_band = modes[:, band_of_mode == band].reshape(-1, channels)
        covariance = (in_band.T @ in_band.conj()).real
        sigma = np.sqrt(np.diag(covariance))
        factors.append(np.linalg.cholesky(covariance / np.outer(sigma, sigma) + 1e-6 * np.eye(channels)))
    return np.array(factors if periodic else [factors[0], *factors])
