"""The log-normal universe that an emulator starts from: spread, transform, mean and spectrum of the training maps."""

from dataclasses import replace

import numpy as np
import scipy.fft

from tenfold.emulators import intensity
from tenfold.emulators.differentiable_statistics import Summary, starlets
from tenfold.emulators.lognormal import (
    HEIGHTS,
    THRESHOLDS,
    FirstGuess,
    edges_of,
    interpolation,
    modes,
    scales_of,
    terms,
)
from tenfold.hpc.ranks import Ranks
from tenfold.stats.maps import angular_power
from tenfold.stats.trend import Trend, fit_trend

FITTED = 2**27
"""Pixels it is measured on, at most: half a gigabyte of maps, and a few such in memory on each rank."""
RARE = 0.01
"""Of what fewer maps show, their scatter is not known; a generator does not settle by it."""
PART = 256
"""Maps looked at at once."""
ROUNDS = 12
"""Corrections of the spectrum for what cutting maps out of a larger sky does to it."""


def first_guess(
    maps: np.ndarray,
    parameters: np.ndarray,
    groups: np.ndarray,
    *,
    transform: str = "arcsinh",
    periodic: bool = False,
    ranks: Ranks | None = None,
) -> FirstGuess:
    """Measure what a generator starts from.

    Parameters
    ----------
    maps
        κ of the training split, shape (n, N, N, C).
    parameters
        Of each map, shape (n, P); P = 0 for an unconditional generator.
    groups
        Simulation of each map, shape (n,).
    transform
        ``"arcsinh"`` or ``"linear"``: see `tenfold.emulators.intensity`.
    periodic
        Whether maps continue at the opposite edge.
    ranks
        Who share the work, each knowing all of the maps.

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
    spread = _trend(_each(maps, groups, lambda part: np.log(part.std(axis=(0, 1, 2)))), points)
    unit = maps / np.exp(spread(parameters))[:, None, None].astype(np.float32)
    bent = intensity.fit(unit, transform)
    u = intensity.apply(bent, unit)
    mean = _trend(_each(u, groups, lambda part: part.mean(axis=(0, 1, 2))), points)
    edges = edges_of(size)
    of_map = band_powers(u, edges)
    wavelet_spread, counted_spread = _wavelet_spread(u), _wavelet_spread(unit)
    seen = {}
    for name, thresholds, spreads, counted in (
        ("told", THRESHOLDS, wavelet_spread, False), ("counted", HEIGHTS, counted_spread, True),
    ):  # fmt: skip
        summary = Summary(edges, thresholds, HEIGHTS, spreads, 1.0, vars(bent), counted)
        rows = _told(u, summary, ranks or Ranks())
        asked = _trend(_each(rows, groups, lambda part: part.mean(axis=0)), points)
        scatter = np.maximum((rows - asked(parameters)).std(axis=0), 1e-6)
        seen |= {f"{name}_mean": padded(asked), f"{name}_scatter": scatter}
        if counted:
            scatter[(rows != np.median(rows, axis=0)).mean(axis=0) < RARE] = np.inf
            over = (rows - asked(parameters)) / scatter
            signs = _each(over / (1 + np.abs(over)), groups, lambda part: part.mean(axis=0))
            seen["counted_sign"] = padded(_trend(signs, points))
    wanted = _each(of_map, groups, lambda part: part.mean(axis=0))
    if not periodic:  # what is longer than the map shows in the maps' means
        longest = _each(u.mean(axis=(1, 2)), groups, lambda part: part.var(axis=0) * size**2)
        wanted = np.concatenate([longest[:, None], wanted], axis=1)
    knots = _knots(size, edges, periodic)
    ln_wanted = np.log(np.maximum(wanted, 1e-12))
    ln_power = _trend(ln_wanted.reshape(len(points), -1), points)
    if not periodic:
        ln_power = _uncut(ln_power, ln_wanted, points, knots, size, edges)
    return FirstGuess(
        intensity=bent, logarithmic=tuple(spread.logarithmic.tolist()),
        location=tuple(spread.centre.tolist()), scale=tuple(spread.scale.tolist()),
        ln_spread=padded(spread), mean=padded(mean), knots=knots,
        ln_power=padded(ln_power).reshape(-1, len(knots), channels), mixing=_mixing(u, edges, periodic),
        band_edges=edges, wavelet_spread=wavelet_spread,
        counted_spread=counted_spread, **seen,
    )  # fmt: skip


def _each(values: np.ndarray, groups: np.ndarray, figure) -> np.ndarray:
    """A figure of each simulation's maps, a row per simulation."""
    return np.stack([figure(values[groups == group]) for group in range(groups.max() + 1)])


def _trend(rows: np.ndarray, points: np.ndarray) -> Trend:
    return fit_trend(rows, points, np.arange(len(rows)))


def padded(trend: Trend) -> np.ndarray:
    """Coefficients of second degree, zero where the fit was of a lower one."""
    full = np.zeros((terms(len(trend.centre)), trend.coefficients.shape[1]))
    full[: len(trend.coefficients)] = trend.coefficients
    return full


def _knots(size: int, edges: np.ndarray, periodic: bool) -> np.ndarray:
    """Where the bands' powers stand, at the mean ln k of their modes; one more below them for what is cut off."""
    k = modes(size).reshape(-1)
    inside = np.digitize(k, edges)
    found = [np.exp(np.log(k[inside == band]).mean()) for band in range(1, len(edges))]
    return np.array(found if periodic else [0.5, *found])


def band_powers(u: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Mean |FT|²/N² of maps (n, N, N, C) in each band, shape (n, B, C)."""
    size = u.shape[1]
    found = [
        angular_power(u[..., channel], 360.0, edges).power for channel in range(u.shape[3])
    ]  # ℓ in these multiples
    return np.stack(found, axis=-1) * (size / (2 * np.pi)) ** 2


def _wavelet_spread(u: np.ndarray) -> np.ndarray:
    """Standard deviation of starlet coefficients, shape (S, C)."""
    few = np.moveaxis(u[:: -(-len(u) // PART)], 3, 1)
    return np.array([np.asarray(each).std(axis=(0, 2, 3)) for each in starlets(few, scales_of(u.shape[1]))])


def _told(u: np.ndarray, summary: Summary, ranks: Ranks) -> np.ndarray:
    """What is told of maps, before anything is taken off, shape (n, F)."""
    summary.build(u.shape)
    numbers = len(np.asarray(summary.answers(u[:1]))[0])

    def compute(parts: np.ndarray) -> np.ndarray:
        found = np.zeros((len(parts), PART, numbers), np.float32)
        for row, part in zip(found, parts, strict=True):
            said = np.asarray(summary.answers(u[part * PART : (part + 1) * PART]))
            row[: len(said)] = said
        return found

    # whole parts are shared: the last digits of what is told of a map depend on those beside it
    return ranks.shared(-(-len(u) // PART), compute).reshape(-1, numbers)[: len(u)]


def _uncut(
    trend: Trend, ln_wanted: np.ndarray, points: np.ndarray, knots: np.ndarray, size: int, edges: np.ndarray
) -> Trend:
    """Find the spectrum of a sky twice as wide whose cut-outs have the powers that are wanted.

    What a cut-out's modes show is the spectrum convolved with the transform of its square, computed without noise: the
    correlation function times the share of pairs at each lag that lie within the square.
    """
    wide = 2 * size
    lag = np.abs(np.fft.fftfreq(wide, 1 / wide))
    pairs = np.clip(1 - lag / size, 0, None)[:, None] * np.clip(1 - lag / size, 0, None)
    spread = interpolation(knots, modes(wide).reshape(-1) / 2)
    inside = np.digitize(modes(size).reshape(-1), edges)
    channels = ln_wanted.shape[2]

    def seen(ln_power: np.ndarray) -> np.ndarray:
        """Ln of the powers of cut-outs, shape (K,), the lowest that of their mean."""
        correlation = scipy.fft.ifft2(np.exp(ln_power @ spread).reshape(wide, wide)).real
        cut = scipy.fft.fft2(correlation * pairs).real[::2, ::2].reshape(-1)
        return np.log([cut[0], *(cut[inside == band].mean() for band in range(1, len(edges)))])

    found = replace(trend, coefficients=trend.coefficients.copy())
    for _ in range(ROUNDS):
        now = found(points).reshape(len(points), len(knots), channels)
        off = np.stack([[ln_wanted[n, :, c] - seen(now[n, :, c]) for c in range(channels)] for n in range(len(points))])
        off = np.moveaxis(off, 1, 2)
        # a mean is of one number per map, and its variance scatters: it follows its neighbours, and no further
        off[:, 0] = np.clip(off[:, 0], -0.5, 0.5)
        step = _trend(off.reshape(len(points), -1), points)
        found.coefficients[:] += step.coefficients
    return found


def _mixing(u: np.ndarray, edges: np.ndarray, periodic: bool) -> np.ndarray:
    """Lower triangles of the channels' correlations in each band, shape (K, C, C)."""
    size, channels = u.shape[1], u.shape[3]
    bands = len(edges) - 1
    if channels == 1:
        return np.ones((bands + (not periodic), 1, 1))
    part = u[:: max(1, len(u) // 256)]
    waves = scipy.fft.fft2(part - part.mean(axis=(1, 2), keepdims=True), axes=(1, 2)).reshape(len(part), size**2, -1)
    inside = np.digitize(modes(size).reshape(-1), edges)
    found = []
    for band in range(1, bands + 1):
        mine = waves[:, inside == band].reshape(-1, channels)
        matrix = (mine.T @ mine.conj()).real
        scale = np.sqrt(np.diag(matrix))
        found.append(np.linalg.cholesky(matrix / np.outer(scale, scale) + 1e-6 * np.eye(channels)))
    return np.array(found if periodic else [found[0], *found])
