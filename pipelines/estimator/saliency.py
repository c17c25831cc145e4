"""Saliency of a trained estimator: attributions of its estimates, and sanity checks of the attributions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenfold.emulators.sensitivity import (
    cascading_randomisation,
    gradient_function,
    prediction_function,
    trainable_layers,
)
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.estimator import Estimator
from tenfold.stats.saliency import (
    Gradient,
    Output,
    PeakMatch,
    integrated_gradients,
    peak_match,
    rank_correlation,
    share_by_quantile,
    smooth_grad,
)

METHODS = ("integrated-gradients", "gradient", "smoothgrad")
PATH_STEPS, RANDOMISED_PATH_STEPS = 32, 8
"""Points along the path of integrated gradients, for the trained network and for randomised ones."""
RANDOMISED_NETWORKS = 5
"""Networks with all weights randomised that the trained network is compared with."""
SMOOTHGRAD_NOISE, SMOOTHGRAD_SAMPLES = 0.1, 16
"""Noise level of SmoothGrad in standard deviations of the field, and its number of noisy samples."""
QUANTILES = 10
"""Density bins of equal volume, from the least to the most dense cells."""
PEAKS, PEAK_DISTANCE = 20, 1
"""Number of highest peaks that are matched, and their largest distance [cells of the network's grid]."""


@dataclass(frozen=True, kw_only=True)
class Saliency:
    """Attributions of the estimates of P parameters for n samples, on the network's grid of M cells per side.

    The grid of maps that are not square has as many cells as it needs along each axis, (M, M').

    Attributes
    ----------
    method
        One of `METHODS`.
    coarsen
        Raw cells per side of each of the M cells.
    names, layers
        Names of the parameters, and of the L layers with weights, from the output to the input.
    fields
        Mean of the raw values of all channels in each cell, shape (n, M, M) or (n, M, M, M); 0 where masked.
    observed
        Cells that are at least partly observed, shape (M, M) or (M, M, M). Others are in none of the statistics.
    attributions
        Attributions summed over the raw values of each cell, shape (n, P, M, M) or (n, P, M, M, M). For integrated
        gradients in the unit of the parameter, otherwise the derivative of the estimate.
    estimates, baseline_estimates
        Estimates for each sample, shape (n, P), and for a uniform field of the mean value, shape (P,).
    completeness_errors
        Absolute difference between the sum of the attributions and estimate − baseline estimate, shape (n, P); NaN for
        methods without completeness.
    rank_correlations
        Rank correlation of the absolute attribution with that of the network whose last 1 … L layers are randomised,
        shape (n, P, L).
    field_rank_correlations
        Rank correlation with the distance of the field from the mean value, shape (n, P).
    density_fractions, randomised_density_fractions
        Fraction of the absolute attribution by quantile of the field, from the least dense: for the trained network,
        (n, P, `QUANTILES`), and for networks with all layers randomised, (n, P, `RANDOMISED_NETWORKS`, `QUANTILES`).
    peak_matches, randomised_peak_matches
        Fraction of the highest peaks of the absolute attribution that match a peak of the field, (n, P) and (n, P,
        `RANDOMISED_NETWORKS`).
    chance_peak_matches
        Mean and standard deviation of that fraction for randomly shifted attributions, (n, P, 2).
    """

    method: str
    coarsen: int
    names: tuple[str, ...]
    layers: tuple[str, ...]
    periodic: bool
    fields: np.ndarray
    observed: np.ndarray
    attributions: np.ndarray
    estimates: np.ndarray
    baseline_estimates: np.ndarray
    completeness_errors: np.ndarray
    rank_correlations: np.ndarray
    field_rank_correlations: np.ndarray
    density_fractions: np.ndarray
    randomised_density_fractions: np.ndarray
    peak_matches: np.ndarray
    randomised_peak_matches: np.ndarray
    chance_peak_matches: np.ndarray

    def metrics(self) -> dict[str, Any]:
        """Return the summary statistics over all samples, by parameter."""
        parameters: dict[str, Any] = {}
        for p, name in enumerate(self.names):
            parameters[name] = {
                "attribution_by_density": self.density_fractions[:, p].mean(0).tolist(),
                "attribution_by_density_std": self.density_fractions[:, p].std(0).tolist(),
                "attribution_by_density_randomised": self.randomised_density_fractions[:, p].mean((0, 1)).tolist(),
                "peak_match_fraction": float(self.peak_matches[:, p].mean()),
                "peak_match_fraction_by_chance": float(self.chance_peak_matches[:, p, 0].mean()),
                "peak_match_fraction_randomised": float(self.randomised_peak_matches[:, p].mean()),
                "rank_correlation_with_field": float(self.field_rank_correlations[:, p].mean()),
                "rank_correlation_by_randomised_layers": dict(
                    zip(self.layers, self.rank_correlations[:, p].mean(0).tolist(), strict=True)
                ),
            }
            if self.method == "integrated-gradients":
                difference = np.abs(self.estimates[:, p] - self.baseline_estimates[p])
                error = self.completeness_errors[:, p]
                parameters[name] |= {
                    "estimate_for_mean_field": float(self.baseline_estimates[p]),
                    "completeness_error": float(error.max()),
                    "completeness_error_relative": float(error.sum() / max(difference.sum(), 1e-12)),
                }
        return {"method": self.method, "samples": len(self.fields), "parameters": parameters}


def measure(
    estimator: Estimator,
    samples: np.ndarray,
    mean: float,
    *,
    method: str = "integrated-gradients",
    periodic: bool = True,
    seed: int = 0,
) -> Saliency:
    """Compute the attributions of the estimates for samples, and their sanity checks.

    Parameters
    ----------
    estimator
        Trained estimator. Its weights are randomised during the call and restored at the end.
    samples
        Raw values as stored in the shards, shape (n, Y, X, channel) or (n, N, N, N, channel).
    mean
        Value of the uniform baseline field: the mean of the training data.
    method
        One of `METHODS`: integrated gradients from the baseline field (arXiv:1703.01365), the plain gradient, or
        SmoothGrad (arXiv:1706.03825).
    periodic
        Whether the samples have periodic boundaries.
    seed
        Seed of the randomised weights, the noise and the shifts.

    Raises
    ------
    InputError
        ``method`` is unknown.
    """
    if method == "integrated":
        raise InputError("method: integrated was renamed to integrated-gradients")
    if method not in METHODS:
        raise InputError(f"method: found {method!r}, must be one of {', '.join(METHODS)}")
    samples = np.asarray(samples, np.float32)
    network, input_layer = estimator.network, estimator.input_layer
    pixels = np.ones(samples.shape[1:-1], bool) if estimator.mask is None else estimator.mask
    baseline = np.where(pixels[..., None], np.float32(mean), np.float32(0)) * np.ones_like(samples[0])
    lowest = float(samples.min()) if input_layer.transform == "log1p" else -np.inf
    functions = [_functions(estimator, p) for p in range(len(estimator.names))]
    smoothgrad_noise = SMOOTHGRAD_NOISE * float(samples[:, pixels].std() / samples.std())

    def attribute(sample: np.ndarray, parameter: int, steps: int) -> tuple[np.ndarray, float]:
        """Return the attribution of one estimate on the network's grid, and its completeness error."""
        predict, gradient = functions[parameter]
        if method == "integrated-gradients":
            integrated = integrated_gradients(predict, gradient, sample, baseline, steps)
            return _block_sums(integrated.attribution, input_layer.coarsen), integrated.completeness_error
        if method == "gradient":
            return _block_sums(gradient(sample[None])[0], input_layer.coarsen), np.nan
        rng = np.random.default_rng(seed)
        smooth = smooth_grad(
            gradient, sample, noise=smoothgrad_noise, samples=SMOOTHGRAD_SAMPLES, rng=rng, low=lowest
        )  # fmt: skip
        return _block_sums(smooth, input_layer.coarsen), np.nan

    pairs = [(i, p) for i in range(len(samples)) for p in range(len(functions))]

    def by_sample(values: Sequence) -> np.ndarray:
        return np.array(values).reshape(len(samples), len(functions), *np.shape(values[0]))

    counts = _block_sums(np.repeat(pixels[..., None], samples.shape[-1], axis=-1), input_layer.coarsen)
    observed = counts > 0
    fields = np.stack([_block_sums(sample, input_layer.coarsen) / np.maximum(counts, 1) for sample in samples])
    field_of_pair = [fields[i] for i, _ in pairs]
    attributed = [attribute(samples[i], p, PATH_STEPS) for i, p in pairs]
    trained = [attribution for attribution, _ in attributed]
    layers = trainable_layers(network)
    rank_correlations, randomised = [], []
    for index in range(RANDOMISED_NETWORKS):
        for depth, _ in enumerate(cascading_randomisation(network, seed + index), 1):
            if index and depth < len(layers):
                continue
            attributions = [attribute(samples[i], p, RANDOMISED_PATH_STEPS)[0] for i, p in pairs]
            if not index:
                rank_correlations.append(
                    [
                        rank_correlation(first[observed], second[observed])
                        for first, second in zip(trained, attributions, strict=True)
                    ]
                )
            if depth == len(layers):
                randomised.append(attributions)

    def match_peaks(attributions: Sequence[np.ndarray]) -> list[PeakMatch]:
        return [
            peak_match(
                attribution,
                field,
                count=PEAKS,
                max_offset=PEAK_DISTANCE,
                seed=seed,
                periodic=periodic,
                observed=None if observed.all() else observed,
            )
            for attribution, field in zip(attributions, field_of_pair, strict=True)
        ]

    def density_fractions(attributions: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [
            share_by_quantile(attribution[observed], field[observed], QUANTILES)
            for attribution, field in zip(attributions, field_of_pair, strict=True)
        ]

    matches, randomised_matches = match_peaks(trained), [match_peaks(attributions) for attributions in randomised]
    return Saliency(
        method=method,
        coarsen=input_layer.coarsen,
        names=estimator.names,
        layers=tuple(layer.name for layer in layers),
        periodic=periodic,
        fields=fields,
        observed=observed,
        attributions=by_sample(trained),
        estimates=np.stack([predict(samples) for predict, _ in functions], axis=1),
        baseline_estimates=np.array([float(predict(baseline[None])[0]) for predict, _ in functions]),
        completeness_errors=by_sample([error for _, error in attributed]),
        rank_correlations=by_sample(list(np.transpose(rank_correlations))),
        field_rank_correlations=by_sample(
            [
                rank_correlation(attribution[observed], field[observed] - mean)
                for attribution, field in zip(trained, field_of_pair, strict=True)
            ]
        ),
        density_fractions=by_sample(density_fractions(trained)),
        randomised_density_fractions=by_sample(
            [np.stack(networks) for networks in zip(*map(density_fractions, randomised), strict=True)]
        ),
        peak_matches=by_sample([match.matched for match in matches]),
        randomised_peak_matches=by_sample(
            [[match.matched for match in networks] for networks in zip(*randomised_matches, strict=True)]
        ),
        chance_peak_matches=by_sample([match.expected for match in matches]),
    )


def _functions(estimator: Estimator, parameter: int) -> tuple[Output, Gradient]:
    """Return the functions from raw values, without the mask, to an estimate and to its gradient, (n, …, channel)."""
    predict = prediction_function(estimator.network, parameter)
    gradient = gradient_function(estimator.network, parameter)
    return (
        lambda fields: predict(estimator.inputs(fields)),
        lambda fields: gradient(estimator.inputs(fields))[..., : fields.shape[-1]],
    )


def alternate_groups(groups: Sequence[str], count: int) -> np.ndarray:
    """Return up to ``count`` row numbers: the first row of each group, then the second of each, and so on."""
    occurrences: dict[str, int] = {}
    rank = []
    for group in groups:
        rank.append(occurrences.get(group, 0))
        occurrences[group] = rank[-1] + 1
    return np.argsort(rank, kind="stable")[:count]


def _block_sums(field: np.ndarray, coarsen: int) -> np.ndarray:
    """Sum a field (N, …, channel) over channels and blocks of ``coarsen`` cells per side; the last may be cut."""
    total = field.sum(-1, dtype=np.float64)
    total = np.pad(total, [(0, -length % coarsen) for length in total.shape])
    blocks = [size for length in total.shape for size in (length // coarsen, coarsen)]
    return total.reshape(blocks).sum(axis=tuple(range(1, 2 * total.ndim, 2)))
