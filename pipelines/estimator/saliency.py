"""What the estimates of a trained network rest on: attributions, and the checks that tell what they are worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenfold.emulators.sensitivity import answer_of, gradient_of, learnt_layers, randomised
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.estimator import Estimator
from tenfold.stats.saliency import (
    PeakMatch,
    integrated_gradients,
    likeness,
    peak_match,
    share_by_quantile,
    smooth_grad,
)

METHODS = ("integrated", "gradient", "smoothgrad")
STEPS, CASCADE_STEPS = 32, 8
"""Points of integrated gradients' path, for the trained network and for each of the randomised ones."""
SHUFFLES = 5
"""Networks with all weights shuffled that the trained one is held against."""
NOISE, COPIES = 0.1, 16
"""SmoothGrad's noise, in standard deviations of the field, and its copies."""
QUANTILES = 10
PEAKS, REACH = 20, 1
"""Peaks that are compared, and the cells of the network's grid that a pair may lie apart."""


@dataclass(frozen=True, kw_only=True)
class Saliency:
    """What a network's estimates of P parameters rest on in n samples, on the M cells a side that it works on.

    Attributes
    ----------
    method
        One of `METHODS`.
    coarsen
        Raw cells a side of each of the M.
    names, layers
        Of the parameters; of the L layers with weights, from the answer down.
    fields
        Mean of the raw values in each cell, and of the channels, shape (n, M, M) or (n, M, M, M).
    attributions
        Sums over the raw values of each cell, shape (n, P, M, M) or (n, P, M, M, M). Integrated gradients: each cell's
        share of the answer, in the parameter's unit; else by how much the answer changes with the value.
    answers, baselines
        The network's estimates, of each sample and of a field of the mean value everywhere: (n, P) and (P,).
    completeness_errors
        How far the shares are from adding up to answer - baseline, (n, P); NaN for methods that share nothing out.
    likenesses
        Rank correlation of the attribution with that of the network whose last 1 … L layers are shuffled, (n, P, L).
    field_likenesses
        The same with the field's distance from the mean value: what the field alone would give, (n, P).
    shares, shuffled_shares
        Of the absolute attribution by quantile of the field, from the emptiest on: by the trained network, (n, P,
        `QUANTILES`), and by those with all layers shuffled, (n, P, `SHUFFLES`, `QUANTILES`).
    matched, shuffled_matched
        Fraction of the highest peaks of the absolute attribution that lie on one of the field's, (n, P) and (n, P,
        `SHUFFLES`).
    by_chance
        The same for the attribution shifted at random: mean and standard deviation, (n, P, 2).
    """

    method: str
    coarsen: int
    names: tuple[str, ...]
    layers: tuple[str, ...]
    periodic: bool
    fields: np.ndarray
    attributions: np.ndarray
    answers: np.ndarray
    baselines: np.ndarray
    completeness_errors: np.ndarray
    likenesses: np.ndarray
    field_likenesses: np.ndarray
    shares: np.ndarray
    shuffled_shares: np.ndarray
    matched: np.ndarray
    shuffled_matched: np.ndarray
    by_chance: np.ndarray

    def metrics(self) -> dict[str, Any]:
        """Return the numbers over all samples, by parameter."""
        found: dict[str, Any] = {}
        for p, name in enumerate(self.names):
            found[name] = {
                "share_by_density": self.shares[:, p].mean(0).tolist(),
                "share_by_density_spread": self.shares[:, p].std(0).tolist(),
                "share_by_density_shuffled": self.shuffled_shares[:, p].mean((0, 1)).tolist(),
                "peaks_matched": float(self.matched[:, p].mean()),
                "peaks_by_chance": float(self.by_chance[:, p, 0].mean()),
                "peaks_matched_shuffled": float(self.shuffled_matched[:, p].mean()),
                "likeness_to_field": float(self.field_likenesses[:, p].mean()),
                "likeness_by_layers_shuffled": dict(
                    zip(self.layers, self.likenesses[:, p].mean(0).tolist(), strict=True)
                ),
            }
            if self.method == "integrated":
                shared = np.abs(self.answers[:, p] - self.baselines[p])
                error = self.completeness_errors[:, p]
                found[name] |= {
                    "answer_to_mean_field": float(self.baselines[p]),
                    "completeness_error": float(error.max()),
                    "completeness_error_relative": float(error.sum() / max(shared.sum(), 1e-12)),
                }
        return {"method": self.method, "samples": len(self.fields), "parameters": found}


def measure(
    estimator: Estimator,
    samples: np.ndarray,
    mean: float,
    *,
    method: str = "integrated",
    periodic: bool = True,
    seed: int = 0,
) -> Saliency:
    """Find what the estimates of samples rest on, with the checks of it.

    Parameters
    ----------
    estimator
        A trained network. Its weights are shuffled on the way, and in the end they are as they were.
    samples
        Raw values as in the shards, shape (n, N, N, channel) or (n, N, N, N, channel).
    mean
        Value of a field that says nothing: the mean of the training data.
    method
        One of `METHODS`: integrated gradients from that field (arXiv:1703.01365), the plain gradient, or SmoothGrad
        (arXiv:1706.03825).
    periodic
        Whether opposite edges of a sample lie side by side.
    seed
        Of the shuffling, the noise and the shifts.

    Raises
    ------
    InputError
        There is no such method.
    """
    if method not in METHODS:
        raise InputError(f"method: found {method!r}, must be one of {', '.join(METHODS)}")
    samples = np.asarray(samples, np.float32)
    network, entrance = estimator.network, estimator.entrance
    nothing = np.full(samples.shape[1:], mean, np.float32)
    low = float(samples.min()) if entrance.transform == "log1p" else -np.inf
    ways = [(answer_of(network, p), gradient_of(network, p)) for p in range(len(estimator.names))]

    def attribution(sample: np.ndarray, parameter: int, steps: int) -> tuple[np.ndarray, float]:
        answer, gradient = ways[parameter]
        if method == "integrated":
            found = integrated_gradients(answer, gradient, sample, nothing, steps)
            return _sums(found.shares, entrance.coarsen), found.completeness_error
        if method == "gradient":
            return _sums(gradient(sample[None])[0], entrance.coarsen), np.nan
        rng = np.random.default_rng(seed)
        smooth = smooth_grad(gradient, sample, noise=NOISE, samples=COPIES, rng=rng, low=low)
        return _sums(smooth, entrance.coarsen), np.nan

    every = [(i, p) for i in range(len(samples)) for p in range(len(ways))]

    def by_sample(values: Sequence) -> np.ndarray:
        return np.array(values).reshape(len(samples), len(ways), *np.shape(values[0]))

    cells = entrance.coarsen ** (samples.ndim - 2) * samples.shape[-1]
    fields = np.stack([_sums(sample, entrance.coarsen) / cells for sample in samples])
    beneath = [fields[i] for i, _ in every]
    found = [attribution(samples[i], p, STEPS) for i, p in every]
    trained = [each for each, _ in found]
    layers = learnt_layers(network)
    likenesses, shuffled = [], []
    for shuffle in range(SHUFFLES):
        for lost, _ in enumerate(randomised(network, seed + shuffle), 1):
            if shuffle and lost < len(layers):
                continue
            now = [attribution(samples[i], p, CASCADE_STEPS)[0] for i, p in every]
            if not shuffle:
                likenesses.append([likeness(one, other) for one, other in zip(trained, now, strict=True)])
            if lost == len(layers):
                shuffled.append(now)

    def matches(attributions: Sequence[np.ndarray]) -> list[PeakMatch]:
        return [
            peak_match(one, field, count=PEAKS, reach=REACH, seed=seed, periodic=periodic)
            for one, field in zip(attributions, beneath, strict=True)
        ]

    def shares(attributions: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [share_by_quantile(one, field, QUANTILES) for one, field in zip(attributions, beneath, strict=True)]

    by_peaks, by_shuffled = matches(trained), [matches(each) for each in shuffled]
    return Saliency(
        method=method,
        coarsen=entrance.coarsen,
        names=estimator.names,
        layers=tuple(layer.name for layer in layers),
        periodic=periodic,
        fields=fields,
        attributions=by_sample(trained),
        answers=np.stack([answer(samples) for answer, _ in ways], axis=1),
        baselines=np.array([float(answer(nothing[None])[0]) for answer, _ in ways]),
        completeness_errors=by_sample([error for _, error in found]),
        likenesses=by_sample(list(np.transpose(likenesses))),
        field_likenesses=by_sample([likeness(one, field - mean) for one, field in zip(trained, beneath, strict=True)]),
        shares=by_sample(shares(trained)),
        shuffled_shares=by_sample([np.stack(each) for each in zip(*map(shares, shuffled), strict=True)]),
        matched=by_sample([match.matched for match in by_peaks]),
        shuffled_matched=by_sample([[match.matched for match in each] for each in zip(*by_shuffled, strict=True)]),
        by_chance=by_sample([match.expected for match in by_peaks]),
    )


def in_turn(groups: Sequence[str], count: int) -> np.ndarray:
    """Choose rows of as many groups as there are: the first of each, then the second of each, shape (≤ count,)."""
    seen: dict[str, int] = {}
    place = []
    for group in groups:
        place.append(seen.get(group, 0))
        seen[group] = place[-1] + 1
    return np.argsort(place, kind="stable")[:count]


def _sums(field: np.ndarray, coarsen: int) -> np.ndarray:
    """Sum (N, …, channel) over channels and over blocks of coarsen cells a side."""
    total = field.sum(-1, dtype=np.float64)
    cut = [size for length in total.shape for size in (length // coarsen, coarsen)]
    return total.reshape(cut).sum(axis=tuple(range(1, 2 * total.ndim, 2)))
