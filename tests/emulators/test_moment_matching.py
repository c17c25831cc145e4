"""A generator that is a little off is brought back to what its maps were on average, at every cosmology."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from tests.emulators.test_gan import SMALL, generator, guess

from tenfold.emulators.gan import GAN
from tenfold.emulators.generator_inputs import draw_inputs
from tenfold.emulators.moment_matching import BISPECTRUM_WEIGHTS, MomentMatching, build_residual_model

BATCH = 64


def given(shape: GAN, *key: int, count: int = BATCH) -> dict[str, np.ndarray]:
    drawn, _ = draw_inputs(shape, key, range(count))
    low, high = (0.2, 0.7), (0.4, 0.9)
    where = np.random.default_rng(key).uniform(low, high, (count, 2)).astype(np.float32)
    return drawn | ({"parameters": where} if shape.conditions else {})


def told(network: keras.Model, witness: keras.Model, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """How far maps made of these inputs are from the means, and the terms of their trend, worked out here."""
    conditions = {name: keras.ops.convert_to_tensor(inputs[name]) for name in ("parameters",) if name in inputs}
    seen, _ = witness({"map": network(inputs), **conditions})
    units = (inputs["parameters"] - (0.3, 0.8)) / 0.1 if conditions else np.empty((len(seen), 0))
    i, j = np.triu_indices(units.shape[1])
    return np.asarray(seen), np.concatenate([np.ones((len(seen), 1)), units, units[:, i] * units[:, j]], axis=1)


@pytest.mark.parametrize("conditions", [0, 2])
def test_what_is_off_on_average_is_brought_back(conditions):
    shape = replace(SMALL, conditions=conditions)
    network, known = generator(shape), guess(shape)
    seen, trend = told(network, build_residual_model(shape, known), given(shape, 1, count=1024))
    seen = seen[:, : known.matching_mean.shape[1]].copy()  # the rest are their soft signs
    seen[:, -6:] /= BISPECTRUM_WEIGHTS[1]  # of three bands; about a mean of zero they count for the most
    mean = np.linalg.lstsq(trend, seen, rcond=None)[0]
    common = np.mean(seen != 0, axis=0) > 0.1  # what hardly a map has, few maps do not have the mean of
    scatter = np.where(common, (seen - trend @ mean).std(axis=0), np.inf)
    over = (seen - trend @ mean) / scatter
    sign = np.linalg.lstsq(trend, over / (1 + np.abs(over)), rcond=None)[0]
    known = replace(known, matching_mean=mean, matching_scatter=scatter, matching_sign=sign)
    witness = build_residual_model(shape, known)

    def off() -> float:
        seen, trend = told(network, witness, given(shape, 2, count=1024))
        return float(np.sqrt(np.mean((trend.T @ seen / len(seen)) ** 2)))

    chance = off()
    for weight in network.trainable_variables:  # as training leaves it: near, not there
        weight.assign(weight + 0.02 * np.random.default_rng(3).standard_normal(weight.shape))
    before = off()
    settling = MomentMatching(network, shape, known, lambda tensors: tensors, batch=BATCH, steps=100, rate=5e-4)
    share = np.full(BATCH, 1 / BATCH, np.float32)
    for number in range(settling.offset_batches):
        settling.measure_offset((given(shape, 4, number), share / settling.offset_batches))
    for number in range(100):
        found = settling.step((given(shape, 3, number), share))
    assert before > 5 * chance
    assert off() < before / 3
    assert float(found["offset"]) < before / 3
