"""A trained generator's power and mean, set to those of the training maps at every cosmology."""

import keras
import numpy as np

from tenfold.emulators.first_guess import FirstGuess
from tenfold.emulators.gan import GAN
from tenfold.emulators.latents import draw
from tenfold.pipelines.massmaps.first_guess import band_powers, padded
from tenfold.stats.trend import Trend, fit_trend

ROUNDS = 4
"""The transform and the U-net answer what is corrected; each round corrects what that left."""
STEP = 0.7
"""Of the difference that a round takes off: κ's power answers the field's by more than in proportion."""
MADE = 1024
"""Maps made in each round, over all cosmologies: of the same numbers in all rounds, so that they converge."""
PART = 32


def calibrate(
    network: keras.Model,
    shape: GAN,
    guess: FirstGuess,
    maps: np.ndarray,
    parameters: np.ndarray,
    groups: np.ndarray,
    seed: int,
) -> list[float]:
    """Correct the spectrum and the mean of the Gaussian field that a generator starts from, in place.

    An adversary tells single maps apart, and a few per cent of power are less than what maps scatter by. The mean power
    of many maps tells them: maps are made at the training cosmologies, their mean power in bands is held against that
    of the training maps, and the difference, a polynomial in the parameters, is taken off the field's.

    Parameters
    ----------
    network
        Generator of the ``wgan-gp`` kind.
    shape
        Its shape.
    guess
        What it began from.
    maps, parameters, groups
        κ of the training split (n, N, N, C), what each map is of (n, P), and its simulation (n,).
    seed
        Of the maps that are made.

    Returns
    -------
    list of float
        Largest |Δ ln P| of the trend over bands and cosmologies, before each round and after the last.
    """
    _, first, groups = np.unique(groups, return_index=True, return_inverse=True)
    points = np.asarray(parameters, np.float64)[first].reshape(len(first), -1)
    if not shape.conditions:  # one cosmology, whatever the simulation
        points, groups = np.empty((1, 0)), np.zeros(len(maps), np.int64)
    ln_spread = Trend(np.array(guess.location), np.array(guess.scale), guess.ln_spread, 2)(points)
    unit = np.exp(ln_spread).astype(np.float32).reshape(len(points), 1, 1, 1, -1)
    wanted = [_measured(maps[groups == n] / unit[n], guess.band_edges) for n in range(len(points))]
    field, less_mean = (network.get_layer(name).coefficients for name in ("ln_power", "less_mean"))
    each = -(-MADE // (len(points) * PART)) * PART
    worst = []
    for turn in range(ROUNDS + 1):
        found = [_measured(_made(network, shape, point, each, (seed, number)) / unit[number], guess.band_edges)
                 for number, point in enumerate(points)]  # fmt: skip
        off = [fit_trend(np.array(one) - np.array(other), points, np.arange(len(points)))
               for one, other in zip(zip(*found, strict=True), zip(*wanted, strict=True), strict=True)]  # fmt: skip
        worst.append(float(np.abs(off[0](points)).max()))
        if turn < ROUNDS:
            change = STEP * padded(off[0]).reshape(len(guess.mean), -1, shape.channels)
            # knots below the bands follow the first of them
            longer = field.shape[1] // shape.channels - change.shape[1]
            change = np.concatenate([change[:, :1]] * longer + [change], axis=1)
            field.assign(np.asarray(field) - change.reshape(len(change), -1))
            less_mean.assign(np.asarray(less_mean) + STEP * padded(off[1]))
    return worst


def _measured(maps: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ln of the mean power of maps in bands, shape (B C,), and their mean, shape (C,)."""
    return np.log(band_powers(maps, edges).mean(axis=0)).reshape(-1), maps.mean(axis=(0, 1, 2))


def _made(network: keras.Model, shape: GAN, point: np.ndarray, count: int, key: tuple[int, ...]) -> np.ndarray:
    """Maps of one cosmology, (count, N, N, C)."""
    inputs, _ = draw(shape, key, range(count))
    if shape.conditions:
        inputs["parameters"] = np.tile(point.astype(np.float32), (count, 1))
    return np.concatenate([
        network.predict_on_batch({name: rows[first : first + PART] for name, rows in inputs.items()})
        for first in range(0, count, PART)
    ])  # fmt: skip
