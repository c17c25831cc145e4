"""A trained generator's power and distribution of pixels, set to those of the training maps at every cosmology."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from tenfold.emulators import intensity
from tenfold.emulators.lognormal import FirstGuess
from tenfold.emulators.remapping import KNOTS
from tenfold.pipelines.emulator.lognormal import band_powers, padded
from tenfold.stats.trend import Trend, fit_trend

STEPS = (0.5, 0.5, 0.4, 0.3, 0.2)
"""Of the differences that each round takes off. The transform and the U-net answer what is corrected, and of too wide a
spread the spectrum's share and the values' add up: so halves. Each round makes other maps, and the last steps average
over the chance in them."""
MADE = 1536
"""Maps made in each round, over all cosmologies."""
SHARES = np.concatenate([[0.0005, 0.002, 0.005], np.linspace(0.01, 0.99, 50), [0.995, 0.998, 0.9995]])
"""Of the pixels that lie below the values which are compared."""


@dataclass(frozen=True)
class Calibration:
    """What was off before each round and after the last, largest of bands or quantiles, and cosmologies.

    With what chance there is in the maps that were made for the round.
    """

    power: list[float]
    """|Δ ln P| of the trend with cosmology."""
    pixels: list[float]
    """Difference of the quantiles of κ, bent to a Gaussian, in its standard deviations."""


def calibrate(
    network: keras.Model,
    make: Callable[[np.ndarray, int], np.ndarray],
    guess: FirstGuess,
    maps: np.ndarray,
    parameters: np.ndarray,
    groups: np.ndarray,
) -> Calibration:
    """Correct the spectrum of the Gaussian field that a generator starts from, and the values it ends with, in place.

    An adversary tells single maps apart, and a few per cent of power are less than what maps scatter by. The means over
    many maps tell them: maps are made at the training cosmologies, their mean power in bands and the quantiles of
    their pixels are held against those of the training maps, and the differences, polynomials in the parameters, are
    taken off: the former of the field's spectrum, the latter of the values, by a smooth rising function.

    Parameters
    ----------
    network
        Generator of the ``wgan-gp`` kind.
    make
        Makes maps with it: given what each is wanted of (m, P) and the round's number, returns κ (m, N, N, C). Ranks
        that make them together are left with the same network.
    guess
        What it began from.
    maps, parameters, groups
        κ of the training split (n, N, N, C), what each map is of (n, P), and its simulation (n,).
    """
    _, first, groups = np.unique(groups, return_index=True, return_inverse=True)
    points = np.asarray(parameters, np.float64)[first].reshape(len(first), -1)
    if not parameters.shape[1]:  # one cosmology, whatever the simulation
        points, groups = np.empty((1, 0)), np.zeros(len(maps), np.int64)
    unit = np.exp(_at(guess, guess.ln_spread, points)).astype(np.float32).reshape(len(points), 1, 1, 1, -1)
    wanted = [_measured(guess, maps[groups == n] / unit[n]) for n in range(len(points))]
    field, remap = (network.get_layer(name).coefficients for name in ("ln_power", "remap"))
    each = -(-MADE // len(points))
    channels, which = maps.shape[-1], np.repeat(np.arange(len(points)), each)
    power, pixels = [], []
    for turn, step in enumerate((*STEPS, 0.0)):
        made = make(points[which].astype(np.float32), turn)
        found = [_measured(guess, made[which == number] / unit[number]) for number in range(len(points))]
        off = _trend(np.array([one.power - other.power for one, other in zip(found, wanted, strict=True)]), points)
        power.append(float(np.abs(off(points)).max()))
        now = _at(guess, np.asarray(remap), points).reshape(len(points), len(KNOTS), -1) + KNOTS[:, None]
        short = np.array([_short(*three) for three in zip(found, wanted, now, strict=True)])
        missing = _trend(short.reshape(len(points), -1), points)
        pixels.append(float(np.abs(missing(points)).max()))
        change = step * padded(off).reshape(len(guess.mean), -1, channels)
        # knots below the bands follow the first of them
        longer = field.shape[1] // channels - change.shape[1]
        change = np.concatenate([change[:, :1]] * longer + [change], axis=1)
        field.assign(np.asarray(field) - change.reshape(len(change), -1))
        remap.assign(np.asarray(remap) + step * padded(missing))
    return Calibration(power, pixels)


@dataclass(frozen=True)
class _Measured:
    """Of the maps of one cosmology."""

    power: np.ndarray
    """Ln of the mean in bands, shape (B C,)."""
    quantiles: np.ndarray
    """Of the bent pixels, shape (Q, C)."""


def _measured(guess: FirstGuess, maps: np.ndarray) -> _Measured:
    bent = intensity.apply(guess.intensity, maps)
    return _Measured(
        power=np.log(band_powers(maps, guess.band_edges).mean(axis=0)).reshape(-1),
        quantiles=np.quantile(bent.reshape(-1, bent.shape[-1]), SHARES, axis=0),
    )


def _short(made: _Measured, wanted: _Measured, values: np.ndarray) -> np.ndarray:
    """By how much values (K, C) would have to rise for the quantiles made to become those wanted, shape (K, C)."""
    columns = zip(values.T, made.quantiles.T, (wanted.quantiles - made.quantiles).T, strict=True)
    return np.stack([np.interp(*column) for column in columns], axis=1)


def _at(guess: FirstGuess, coefficients: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Polynomials of the generator at cosmologies (n, P), shape (n, K)."""
    logarithmic, location, scale = np.array(guess.logarithmic, bool), np.array(guess.location), np.array(guess.scale)
    return Trend(logarithmic, location, scale, coefficients, 2)(points)


def _trend(rows: np.ndarray, points: np.ndarray) -> Trend:
    return fit_trend(rows, points, np.arange(len(points)))
