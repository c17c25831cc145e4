"""Calibration of a trained generator: power spectrum and one-point distribution set to those of the training maps."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from tenfold.emulators import intensity
from tenfold.emulators.lognormal import LognormalModel
from tenfold.emulators.monotonic_spline import KNOTS
from tenfold.pipelines.emulator.lognormal import band_powers, quadratic_coefficients
from tenfold.stats.trend import Trend, fit_trend

STEP_SIZES = (0.5, 0.5, 0.4, 0.3, 0.2)
"""Fraction of the measured difference that each round corrects.

At most half, since the transform and the U-net respond to a correction, and since the corrections of power and pixels
both act on the variance. Each round generates new maps, so that the last, smaller steps average over sampling noise."""
MAPS_PER_ROUND = 1536
"""Maps generated in each round, over all cosmologies."""
QUANTILE_LEVELS = np.concatenate([[0.0005, 0.002, 0.005], np.linspace(0.01, 0.99, 50), [0.995, 0.998, 0.9995]])
"""Levels of the pixel quantiles that are compared."""


@dataclass(frozen=True)
class Calibration:
    """Largest differences before each round and after the last, over bands or quantiles and cosmologies.

    They include the sampling noise of the maps of each round.
    """

    power: list[float]
    """|Δ ln P| of the trend with cosmology."""
    pixels: list[float]
    """Difference of the quantiles of transformed pixels [standard deviations]."""


def calibrate(
    network: keras.Model,
    generate: Callable[[np.ndarray, int], np.ndarray],
    model: LognormalModel,
    maps: np.ndarray,
    parameters: np.ndarray,
    groups: np.ndarray,
) -> Calibration:
    """Correct the spectrum of a generator's Gaussian field and the distribution of its pixels, in place.

    Adversarial training compares single maps, and leaves errors of a few per cent in power, less than the map-to-map
    scatter. Means over many maps reveal them. Each round generates maps at the training cosmologies, compares mean band
    powers and pixel quantiles with those of the training maps, fits the differences with quadratic polynomials in the
    parameters, and subtracts them: from the spectrum of the Gaussian field, and from the pixels through a monotonic
    spline.

    Parameters
    ----------
    network
        Generator of the ``wgan-gp`` family.
    generate
        Function of parameters (m, P) and the number of the round that returns κ (m, N, N, C) from ``network``. Ranks
        that generate maps together end with the same network.
    model
        Log-normal model that the generator was built with.
    maps, parameters, groups
        κ of the training split (n, N, N, C), the parameters (n, P) and the simulation (n,) of each map.

    Returns
    -------
    Calibration
        Differences before each round and after the last.
    """
    _, first, groups = np.unique(groups, return_index=True, return_inverse=True)
    points = np.asarray(parameters, np.float64)[first].reshape(len(first), -1)
    if not parameters.shape[1]:  # unconditional: all simulations count as one cosmology
        points, groups = np.empty((1, 0)), np.zeros(len(maps), np.int64)
    sigma = np.exp(_evaluate(model, model.ln_sigma, points)).astype(np.float32).reshape(len(points), 1, 1, 1, -1)
    targets = [_measure(model, maps[groups == n] / sigma[n]) for n in range(len(points))]
    ln_power, spline = (network.get_layer(name).coefficients for name in ("ln_power", "spline_coefficients"))
    maps_per_point = -(-MAPS_PER_ROUND // len(points))
    channels, point_of_map = maps.shape[-1], np.repeat(np.arange(len(points)), maps_per_point)
    power, pixels = [], []
    for number, step_size in enumerate((*STEP_SIZES, 0.0)):
        generated = generate(points[point_of_map].astype(np.float32), number)
        measured = [_measure(model, generated[point_of_map == n] / sigma[n]) for n in range(len(points))]
        excess = _fit_trend(np.array([m.power - t.power for m, t in zip(measured, targets, strict=True)]), points)
        power.append(float(np.abs(excess(points)).max()))
        outputs = _evaluate(model, np.asarray(spline), points).reshape(len(points), len(KNOTS), -1) + KNOTS[:, None]
        shifts = np.array([_quantile_shift(*pair) for pair in zip(measured, targets, outputs, strict=True)])
        shift = _fit_trend(shifts.reshape(len(points), -1), points)
        pixels.append(float(np.abs(shift(points)).max()))
        change = step_size * quadratic_coefficients(excess).reshape(len(model.mean), -1, channels)
        # knots below the lowest band follow its correction
        extra_knots = ln_power.shape[1] // channels - change.shape[1]
        change = np.concatenate([change[:, :1]] * extra_knots + [change], axis=1)
        ln_power.assign(np.asarray(ln_power) - change.reshape(len(change), -1))
        spline.assign(np.asarray(spline) + step_size * quadratic_coefficients(shift))
    return Calibration(power, pixels)


@dataclass(frozen=True)
class _Measurement:
    """Measurements on maps of one cosmology."""

    power: np.ndarray
    """Ln of the mean band powers, shape (B C,)."""
    quantiles: np.ndarray
    """Quantiles of the transformed pixels, shape (Q, C)."""


def _measure(model: LognormalModel, maps: np.ndarray) -> _Measurement:
    u = intensity.apply(model.intensity, maps)
    return _Measurement(
        power=np.log(band_powers(maps, model.band_edges).mean(axis=0)).reshape(-1),
        quantiles=np.quantile(u.reshape(-1, u.shape[-1]), QUANTILE_LEVELS, axis=0),
    )


def _quantile_shift(generated: _Measurement, target: _Measurement, values: np.ndarray) -> np.ndarray:
    """Return the shift of pixel values (K, C) that takes the generated quantiles to the target's, shape (K, C)."""
    columns = zip(values.T, generated.quantiles.T, (target.quantiles - generated.quantiles).T, strict=True)
    return np.stack([np.interp(*column) for column in columns], axis=1)


def _evaluate(model: LognormalModel, coefficients: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Evaluate polynomials of the generator at cosmologies (n, P), shape (n, K)."""
    logarithmic, location, scale = np.array(model.logarithmic, bool), np.array(model.location), np.array(model.scale)
    return Trend(logarithmic, location, scale, coefficients, 2)(points)


def _fit_trend(rows: np.ndarray, points: np.ndarray) -> Trend:
    return fit_trend(rows, points, np.arange(len(points)))
