"""Log-normal model of convergence maps with the power spectrum of the training maps: where a generator starts from."""

from dataclasses import dataclass

import numpy as np

from tenfold.emulators.intensity import IntensityTransform

PIXEL_THRESHOLDS = (-0.5, 0.5, 1.5, 2.5, 3.5)
"""Thresholds for pixels and Minkowski functionals in the critic's statistics [standard deviations]."""
PEAK_HEIGHTS = tuple(np.arange(-1.5, 4.1, 0.5).tolist())
"""Thresholds for peaks and bins of starlet coefficients in the critic's statistics, and bins of every histogram in
moment matching [standard deviations]."""


def n_polynomial_terms(parameters: int) -> int:
    """Return the number of terms of a quadratic polynomial in so many parameters."""
    return 1 + parameters + parameters * (parameters + 1) // 2


@dataclass(frozen=True, kw_only=True)
class LognormalModel:
    """Log-normal model measured on training maps; quantities that depend on cosmology are quadratic polynomials in it.

    A map is κ = σ(p) · T⁻¹(u). σ is the standard deviation of κ at cosmology p, T the intensity transform, and u a
    Gaussian random field whose mean and power spectrum depend on cosmology. Dimensions: T polynomial terms, P
    parameters, C channels, K knots, B bands, S starlet scales, F and G statistics.

    Attributes
    ----------
    intensity
        Intensity transform between κ/σ and u.
    logarithmic
        Which of the P parameters enter the polynomials as logarithms.
    location, scale
        Mean and standard deviation of the P parameters, or of their logarithms, over the training simulations.
    ln_sigma
        Coefficients of ln σ, shape (T, C).
    mean
        Coefficients of the mean of u, shape (T, C).
    knots
        Wavenumbers in units of the map's fundamental mode, increasing, shape (K,).
    ln_power
        Coefficients of ln P(k) of u at the knots, shape (T, K, C). White noise of unit variance has P = 1. Between and
        beyond the knots ln P is linear in ln k.
    mixing
        Lower Cholesky factor L of the channels' correlation matrix L Lᵀ at each knot, shape (K, C, C).
    band_edges
        Edges of wavenumber bands in units of the fundamental mode, shape (B + 1,).
    starlet_std
        Standard deviation of the starlet coefficients of u in each scale, finest first, and of the smooth remainder,
        shape (S, C).
    critic_mean
        Coefficients of the mean of the critic's summary statistics, shape (T, F); see
        `tenfold.emulators.summary_statistics.SummaryStatistics`.
    critic_scatter
        Their map-to-map standard deviation about that mean, shape (F,).
    matching_starlet_std, matching_mean, matching_scatter
        The same for the statistics of moment matching, shapes (S, C), (T, G) and (G,). These are histograms instead of
        mean excesses, use starlets of κ/σ instead of u, and include bispectra of κ/σ.
    matching_sign
        Coefficients of the mean soft sign z / (1 + |z|) of those statistics, z being their deviation from the mean in
        units of the scatter, shape (T, G). It is positive for a distribution with most maps slightly above the mean
        and a few far below.
    """

    intensity: IntensityTransform
    logarithmic: tuple[bool, ...]
    location: tuple[float, ...]
    scale: tuple[float, ...]
    ln_sigma: np.ndarray
    mean: np.ndarray
    knots: np.ndarray
    ln_power: np.ndarray
    mixing: np.ndarray
    band_edges: np.ndarray
    starlet_std: np.ndarray
    critic_mean: np.ndarray
    critic_scatter: np.ndarray
    matching_starlet_std: np.ndarray
    matching_mean: np.ndarray
    matching_scatter: np.ndarray
    matching_sign: np.ndarray

    @classmethod
    def white_noise(
        cls,
        size: int,
        intensity: IntensityTransform,
        location: tuple[float, ...] = (),
        scale: tuple[float, ...] = (),
    ) -> "LognormalModel":
        """Return a model that knows the intensity transform only: u is white noise at every cosmology.

        Parameters
        ----------
        size
            Pixels per side of a map.
        intensity
            Intensity transform.
        location, scale
            Mean and standard deviation of the parameters, P values each.
        """
        channels, terms = len(intensity.mean), n_polynomial_terms(len(location))
        edges, scales = power_band_edges(size), n_starlet_scales(size) + 1
        n_critic, n_matching = (
            n_statistics(len(edges) - 1, thresholds, len(PEAK_HEIGHTS), scales, bispectrum_bands, channels)
            for thresholds, bispectrum_bands in (
                (len(PIXEL_THRESHOLDS), 0), (len(PEAK_HEIGHTS), len(bispectrum_band_edges(size)) - 1)
            )
        )  # fmt: skip
        knots = np.sqrt(np.maximum(edges[:-1], 0.5) * edges[1:])
        return cls(
            intensity=intensity, logarithmic=(False,) * len(location), location=location, scale=scale,
            ln_sigma=np.zeros((terms, channels)), mean=np.zeros((terms, channels)),
            knots=knots, ln_power=np.zeros((terms, len(knots), channels)),
            mixing=np.tile(np.eye(channels), (len(knots), 1, 1)), band_edges=edges,
            starlet_std=np.ones((scales, channels)), critic_mean=np.zeros((terms, n_critic)),
            critic_scatter=np.ones(n_critic), matching_starlet_std=np.ones((scales, channels)),
            matching_mean=np.zeros((terms, n_matching)), matching_scatter=np.ones(n_matching),
            matching_sign=np.zeros((terms, n_matching)),
        )  # fmt: skip


def power_band_edges(size: int) -> np.ndarray:
    """Return edges of bands of equal width in ln k, from the fundamental mode to the corner modes of a map.

    In units of the fundamental mode.
    """
    steps = np.unique(np.round(np.geomspace(1, size // 2, 11)))
    return np.concatenate([steps - 0.5, [size / 2 + 0.5, size]])


def n_starlet_scales(size: int) -> int:
    """Return the number of starlet scales in the summary statistics: the coarsest spans a quarter of the map."""
    return max(1, int(np.log2(size)) - 3)


def bispectrum_band_edges(size: int) -> np.ndarray:
    """Return edges of the bands whose bispectra moment matching uses, in units of the fundamental mode.

    The last edge avoids aliasing: beyond it, triangles of three modes would close around the grid.
    """
    return np.concatenate([[0.5], np.unique(np.round(np.geomspace(1, size / 3, 5)))[1:]])


def n_statistics(
    bands: int, thresholds: int, heights: int, scales: int, bispectrum_bands: int, channels: int
) -> int:  # fmt: skip
    """Return the number of summary statistics of a map; see `tenfold.emulators.summary_statistics.SummaryStatistics`.

    Parameters
    ----------
    bands
        Bands of the power spectrum.
    thresholds, heights
        Thresholds for pixels, and for peaks.
    scales
        Starlet scales, the smooth remainder included.
    bispectrum_bands
        Bands of the bispectrum; 0 for none.
    channels
        Channels of a map.
    """
    moments = n_third_moments(scales) + n_third_moments(bispectrum_bands)
    return channels * (2 * bands + 10 * thresholds + 2 * heights * (scales + 1) + moments)


def n_third_moments(fields: int) -> int:
    """Return the number of products of each field with the square of itself or of a field before it."""
    return fields * (fields + 1) // 2


def wavenumbers(size: int) -> np.ndarray:
    """Return |k| of the modes of a map in units of the fundamental mode, shape (N, N), in FFT order."""
    n = np.fft.fftfreq(size, 1 / size)
    return np.hypot(n[:, None], n)


def interpolation_matrix(knots: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Return the matrix that interpolates ln P from knots to wavenumbers, linearly in ln k.

    Parameters
    ----------
    knots
        Increasing, shape (K,). Beyond the last, the interpolation extrapolates linearly.
    k
        Wavenumbers, shape (n,). Those below the first knot are set to it.

    Returns
    -------
    np.ndarray
        Shape (K, n).
    """
    ln_knots, ln_k = np.log(knots), np.log(np.maximum(k, knots[0]))
    upper = np.clip(np.searchsorted(ln_knots, ln_k), 1, len(knots) - 1)
    fraction = (ln_k - ln_knots[upper - 1]) / (ln_knots[upper] - ln_knots[upper - 1])
    matrix, column = np.zeros((len(knots), len(k))), np.arange(len(k))
    matrix[upper - 1, column], matrix[upper, column] = 1 - fraction, fraction
    return matrix
