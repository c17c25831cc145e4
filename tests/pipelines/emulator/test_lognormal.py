"""The fitted log-normal model reproduces σ, transform, mean and spectrum of maps for which they are known."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lognormal import lognormal

from tenfold.emulators.discriminator import build_discriminator
from tenfold.emulators.gan import GAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.generator_inputs import draw_inputs
from tenfold.emulators.lognormal import wavenumbers
from tenfold.emulators.moment_matching import build_residual_model
from tenfold.pipelines.emulator.lognormal import fit_lognormal_model

pytestmark = pytest.mark.slow

SIDE, MAPS = 32, 60


def training_maps(side: int, crop: int):
    """Maps of 24 log-normal models, cropped from larger ones: maps, parameters (scale and slope), groups."""
    rng = np.random.default_rng(3)
    points = rng.uniform((0.5, -2.5), (2.0, -1.5), (24, 2))
    maps = np.concatenate([cropped_maps(side, crop, *point, MAPS, rng) for point in points])
    return maps, np.repeat(points, MAPS, axis=0), np.repeat(np.arange(24), MAPS)


def cropped_maps(
    side: int, crop: int, scale: float, slope: float, count: int, rng: np.random.Generator
) -> np.ndarray:  # fmt: skip
    return scale * lognormal(side, 0.5, slope, count, rng)[:, :crop, :crop]


def mean_band_powers(maps: np.ndarray) -> np.ndarray:
    size = maps.shape[1]
    power = np.abs(np.fft.fft2(maps[..., 0], axes=(1, 2))).reshape(len(maps), -1) ** 2
    band_of_mode = np.digitize(wavenumbers(size).reshape(-1), [0.5, 1.5, 3.5, 6.5, 10.5])
    return np.stack([power[:, band_of_mode == band].mean() for band in (1, 2, 3, 4)])


@pytest.mark.parametrize("boundary", ["periodic", "cropped"])
def test_an_untrained_generator_reproduces_sigma_quantiles_and_spectrum_of_the_training_maps(boundary):
    periodic = boundary == "periodic"
    maps = training_maps(SIDE if periodic else 4 * SIDE, SIDE)
    architecture = GAN(size=SIDE, conditions=2, boundary=boundary, filters=(4, 4), critic_filters=(4,))
    network = build_generator(architecture, fit_lognormal_model(*maps, periodic=periodic))
    rng = np.random.default_rng(9)
    for scale, slope in ((0.7, -1.8), (1.2, -2.0), (1.7, -2.2)):
        inputs, _ = draw_inputs(architecture, (1,), range(400))
        generated = np.asarray(network(inputs | {"parameters": np.float32([[scale, slope]] * 400)}))
        expected = cropped_maps(SIDE if periodic else 4 * SIDE, SIDE, scale, slope, 400, rng)
        assert generated.std() / expected.std() == pytest.approx(1, abs=0.06)
        np.testing.assert_allclose(
            np.quantile(generated, [0.01, 0.5, 0.99]) / expected.std(),
            np.quantile(expected, [0.01, 0.5, 0.99]) / expected.std(),
            atol=0.25,  # 400 maps with few modes each
        )  # fmt: skip
        np.testing.assert_allclose(mean_band_powers(generated) / mean_band_powers(expected), 1, atol=0.15)


def test_the_critics_statistics_of_training_maps_have_mean_zero_and_unit_scatter_at_every_cosmology():
    maps, points, groups = training_maps(SIDE, SIDE)
    model = fit_lognormal_model(maps, points, groups, periodic=True)
    architecture = GAN(size=SIDE, conditions=2, filters=(4, 4), critic_filters=(4,))
    discriminator = build_discriminator(architecture, model)
    inputs = {"map": maps, "parameters": points.astype(np.float32)}
    body = discriminator.get_layer("body")
    statistics = keras.Model(body.input, body.get_layer("summary_statistics").output)
    inputs = {name: keras.ops.convert_to_tensor(value) for name, value in inputs.items()}
    values = np.asarray(statistics({**inputs, "map": discriminator.get_layer("intensity")(inputs)}))
    assert np.abs(values.mean(axis=0)).max() < 0.02
    np.testing.assert_allclose(values.std(axis=0), 1, rtol=0.02)
    means = values.reshape(24, MAPS, -1).mean(axis=1)
    assert np.abs(means).mean() < 3 / np.sqrt(MAPS)


@pytest.mark.parametrize("fraction", [0.01, 0.0])
def test_residuals_of_training_maps_have_mean_zero_and_rare_statistics_cannot_dominate(fraction, monkeypatch):
    monkeypatch.setattr("tenfold.pipelines.emulator.lognormal.MIN_COMMON_FRACTION", fraction)
    maps, points, groups = training_maps(SIDE, SIDE)
    sigma = maps.std(axis=(1, 2, 3), keepdims=True)
    maps = np.clip(maps, -2 * sigma, 2 * sigma)
    model = fit_lognormal_model(maps, points, groups, periodic=True)
    architecture = GAN(size=SIDE, conditions=2, filters=(4, 4), critic_filters=(4,))
    residual_model = build_residual_model(architecture, model)

    def evaluate(maps: np.ndarray, points: np.ndarray) -> list[np.ndarray]:
        inputs = {"map": maps, "parameters": points.astype(np.float32)}
        tensors = {name: keras.ops.convert_to_tensor(value) for name, value in inputs.items()}
        return [np.asarray(output) for output in residual_model(tensors)]

    residuals, terms = evaluate(maps, points)
    assert np.abs(residuals.mean(axis=0)).max() < 0.03
    assert np.abs(terms.T @ residuals / len(maps)).max() < 0.2  # terms of higher degree remain
    spike = maps[:1].copy()
    spike[0, 3, 3] = 10 * maps.std()  # higher than any training map
    largest = np.abs(evaluate(spike, points[:1])[0]).max()
    assert largest < 1000 if fraction else largest > 10000  # with statistics that no training map constrains


def test_maps_of_one_cosmology_give_constant_coefficients():
    maps, *_ = training_maps(SIDE, SIDE)
    model = fit_lognormal_model(maps, np.empty((len(maps), 0)), np.arange(len(maps)), periodic=True)
    assert model.ln_sigma.shape == (1, 1)
    assert np.exp(model.ln_sigma[0, 0]) == pytest.approx(maps.std(), rel=1e-5)


def test_constant_maps_are_refused():
    with pytest.raises(ValueError, match="constant"):
        fit_lognormal_model(np.zeros((4, 8, 8, 1), np.float32), np.empty((4, 0)), np.zeros(4))
