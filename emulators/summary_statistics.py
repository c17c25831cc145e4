"""Layer of summary statistics of maps, given to the critic and used for moment matching; backend-agnostic Keras."""

import keras
import numpy as np
from keras import ops

from tenfold.emulators.differentiable_statistics import (
    band_pass,
    contour_integrals,
    histogram_by_threshold,
    mean_excess,
    minkowski_integrals,
    peak_mask,
    power_spectrum_2d,
    replicate,
    soft_peak_mask,
    starlet_transform,
    third_moments,
    trim_edges,
    with_negative,
)
from tenfold.emulators.intensity import ToKappa
from tenfold.emulators.lognormal import bispectrum_band_edges, wavenumbers


class SummaryStatistics(keras.layers.Layer):
    """Standardised summary statistics of maps, differentiable almost everywhere.

    In this order: ln of the band powers of the map and of its κ; for the map and its negative, the mean excess of
    pixels over thresholds and of peaks over heights, integrated Minkowski functionals of pixel sets and of contours,
    and histograms of starlet coefficients; third moments of starlet scales.

    Parameters
    ----------
    edges
        Edges of wavenumber bands in units of the fundamental mode, shape (B + 1,).
    thresholds
        Thresholds for pixels and Minkowski functionals, shape (T,), for maps of unit variance.
    heights
        Thresholds for peaks and for starlet coefficients of unit variance, evenly spaced, shape (H,).
    starlet_std
        Standard deviation of the starlet coefficients of each scale and channel, the smooth remainder last, shape
        (S, C).
    scatter
        Map-to-map standard deviation of each statistic, shape (F,), F from `n_statistics`.
    intensity
        Intensity transform between maps and κ: the values of an `IntensityTransform`, by name.
    histograms
        Whether to compute what moment matching uses: histograms in place of mean excesses, soft peaks, starlets of κ in
        place of the map's, and the bispectra of κ last. Thresholds must then be evenly spaced.
    """

    def __init__(self, edges, thresholds, heights, starlet_std, scatter, intensity, histograms=False, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.histograms = histograms
        self.intensity = dict(intensity)
        self.kappa = ToKappa(**self.intensity)
        self.edges, self.thresholds, self.heights, self.starlet_std, self.scatter = (
            np.asarray(values, np.float64).tolist() for values in (edges, thresholds, heights, starlet_std, scatter)
        )

    def build(self, shape):
        """Assign modes to bands."""
        side = (shape[0] if isinstance(shape, list | tuple) and isinstance(shape[0], list | tuple) else shape)[1]
        k = wavenumbers(side).reshape(-1)
        in_band = (np.digitize(k, self.edges)[:, None] == np.arange(1, len(self.edges))).astype(np.float32)
        self.power_bands = in_band / in_band.sum(axis=0)
        edges = bispectrum_band_edges(side)
        band = np.digitize(k, edges).reshape(1, side, side)
        self.bispectrum_bands = (band == np.arange(1, len(edges))[:, None, None]).astype(np.float32)

    def statistics(self, x):
        """Map (batch, N, N, C) to raw statistics (batch, F), before mean and scatter are taken out."""
        side, channels = x.shape[1], x.shape[3]
        for_maps, for_kappa = replicate(ops.cast(x, "float32"), 2)
        x, kappa = (ops.transpose(maps, (0, 3, 1, 2)) for maps in (for_maps, self.kappa(for_kappa)))
        for_power, for_starlets, for_excess = replicate(x, 3)
        kappa_for_power, kappa, kappa_for_bispectra = replicate(kappa, 3)
        spectra = power_spectrum_2d(ops.concatenate([for_power, kappa_for_power], axis=1))
        spectra = ops.reshape(spectra, (-1, 2 * channels, side**2))
        power = ops.matmul(spectra, ops.convert_to_tensor(self.power_bands))
        parts = [ops.reshape(ops.log(power + 1e-8), (-1, 2 * channels * (len(self.edges) - 1)))]
        for_pixels, for_peaks, for_minkowski, for_contours = replicate(with_negative(for_excess), 4)
        pixel_excess, pixel_excess_again = replicate(mean_excess(for_pixels, self.thresholds), 2)
        lowest = self.heights[0]
        for_mask, for_peaks = replicate(for_peaks, 2)
        mask = soft_peak_mask(for_mask) if self.histograms else peak_mask(for_mask)
        peak_heights = mask * (trim_edges(for_peaks, 1) - lowest)  # other pixels exceed none of the heights
        excesses = [
            (pixel_excess, self.thresholds),
            (mean_excess(peak_heights, [height - lowest for height in self.heights]), self.heights),
            (minkowski_integrals(for_minkowski, pixel_excess_again, self.thresholds), self.thresholds),
            (contour_integrals(for_contours, self.thresholds), self.thresholds),
        ]
        parts += [histogram_by_threshold(*pair) if self.histograms else pair[0] for pair in excesses]
        scales = []
        fields = starlet_transform(kappa if self.histograms else for_starlets, len(self.starlet_std) - 1)
        for std, field in zip(self.starlet_std, fields, strict=True):
            unit = field / ops.convert_to_tensor(np.array(std, np.float32)[:, None, None])
            for_histogram, for_moments = replicate(unit, 2)
            excess = mean_excess(with_negative(for_histogram), self.heights)
            parts.append(histogram_by_threshold(excess, self.heights))
            scales.append(for_moments)
        parts += third_moments(scales)
        if self.histograms:
            parts += third_moments(band_pass(kappa_for_bispectra, self.bispectrum_bands))
        return ops.concatenate([ops.reshape(part, (-1, int(np.prod(part.shape[1:])))) for part in parts], axis=1)

    def call(self, inputs):
        """Map (batch, N, N, C) and mean statistics (batch, F) to (statistics − mean) / scatter, shape (batch, F)."""
        x, mean = inputs
        return (self.statistics(x) - mean) / ops.convert_to_tensor(np.array(self.scatter, np.float32))
