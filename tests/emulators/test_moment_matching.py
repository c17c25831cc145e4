"""Moment matching restores the mean statistics of a perturbed generator at every cosmology."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from tests.emulators.test_gan import SMALL, generator, lognormal_model

from tenfold.emulators.gan import GAN
from tenfold.emulators.generator_inputs import draw_inputs
from tenfold.emulators.moment_matching import BISPECTRUM_WEIGHTS, MomentMatching, build_residual_model

BATCH = 64


def random_inputs(architecture: GAN, *key: int, count: int = BATCH) -> dict[str, np.ndarray]:
    inputs, _ = draw_inputs(architecture, key, range(count))
    low, high = (0.2, 0.7), (0.4, 0.9)
    parameters = np.random.default_rng(key).uniform(low, high, (count, 2)).astype(np.float32)
    return inputs | ({"parameters": parameters} if architecture.conditions else {})


def residuals_and_terms(
    network: keras.Model, residual_model: keras.Model, inputs: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of generated maps, and the terms of a quadratic trend, computed here with NumPy."""
    conditions = {name: keras.ops.convert_to_tensor(inputs[name]) for name in ("parameters",) if name in inputs}
    residuals, _ = residual_model({"map": network(inputs), **conditions})
    x = (inputs["parameters"] - (0.3, 0.8)) / 0.1 if conditions else np.empty((len(residuals), 0))
    i, j = np.triu_indices(x.shape[1])
    return np.asarray(residuals), np.concatenate([np.ones((len(residuals), 1)), x, x[:, i] * x[:, j]], axis=1)


@pytest.mark.parametrize("conditions", [0, 2])
def test_moment_matching_removes_mean_offsets(conditions):
    architecture = replace(SMALL, conditions=conditions)
    network, model = generator(architecture), lognormal_model(architecture)
    raw, terms = residuals_and_terms(
        network, build_residual_model(architecture, model), random_inputs(architecture, 1, count=1024)
    )
    raw = raw[:, : model.matching_mean.shape[1]].copy()  # the remaining columns are soft signs
    raw[:, -6:] /= BISPECTRUM_WEIGHTS[1]  # bispectra of three bands, which have the largest weight about a zero mean
    mean = np.linalg.lstsq(terms, raw, rcond=None)[0]
    common = np.mean(raw != 0, axis=0) > 0.1  # means of rarer statistics are noise
    scatter = np.where(common, (raw - terms @ mean).std(axis=0), np.inf)
    deviations = (raw - terms @ mean) / scatter
    sign = np.linalg.lstsq(terms, deviations / (1 + np.abs(deviations)), rcond=None)[0]
    model = replace(model, matching_mean=mean, matching_scatter=scatter, matching_sign=sign)
    residual_model = build_residual_model(architecture, model)

    def rms_offset() -> float:
        residuals, terms = residuals_and_terms(network, residual_model, random_inputs(architecture, 2, count=1024))
        return float(np.sqrt(np.mean((terms.T @ residuals / len(residuals)) ** 2)))

    sampling_noise = rms_offset()
    for weight in network.trainable_variables:  # small errors, as training leaves them
        weight.assign(weight + 0.02 * np.random.default_rng(3).standard_normal(weight.shape))
    before = rms_offset()
    matching = MomentMatching(network, architecture, model, lambda tensors: tensors, batch=BATCH, steps=100, rate=5e-4)
    weights = np.full(BATCH, 1 / BATCH, np.float32)
    for number in range(matching.offset_batches):
        matching.measure_offset((random_inputs(architecture, 4, number), weights / matching.offset_batches))
    for number in range(100):
        result = matching.step((random_inputs(architecture, 3, number), weights))
    assert before > 5 * sampling_noise
    assert rms_offset() < before / 3
    assert float(result["offset"]) < before / 3
