"""What a generator starts from: the spread, transform, mean and spectrum of maps whose own are known."""

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

SIDE, MAPS = 32, 60


def skies(side: int, cut: int):
    """Maps of 24 log-normal universes of some strength and slope, cut out of larger ones: maps, parameters, groups."""
    rng = np.random.default_rng(3)
    points = rng.uniform((0.5, -2.5), (2.0, -1.5), (24, 2))
    maps = np.concatenate([some(side, cut, *point, MAPS, rng) for point in points])
    return maps, np.repeat(points, MAPS, axis=0), np.repeat(np.arange(24), MAPS)


def some(side: int, cut: int, strength: float, slope: float, count: int, rng: np.random.Generator) -> np.ndarray:
    return strength * lognormal(side, 0.5, slope, count, rng)[:, :cut, :cut]


def bands(maps: np.ndarray) -> np.ndarray:
    size = maps.shape[1]
    power = np.abs(np.fft.fft2(maps[..., 0], axes=(1, 2))).reshape(len(maps), -1) ** 2
    inside = np.digitize(wavenumbers(size).reshape(-1), [0.5, 1.5, 3.5, 6.5, 10.5])
    return np.stack([power[:, inside == band].mean() for band in (1, 2, 3, 4)])


@pytest.mark.parametrize("boundary", ["periodic", "cropped"])
def test_untrained_maps_have_the_spread_the_tail_and_the_spectrum_of_the_training_maps(boundary):
    periodic = boundary == "periodic"
    known = skies(SIDE if periodic else 4 * SIDE, SIDE)
    shape = GAN(size=SIDE, conditions=2, boundary=boundary, filters=(4, 4), critic_filters=(4,))
    network = build_generator(shape, fit_lognormal_model(*known, periodic=periodic))
    rng = np.random.default_rng(9)
    for strength, slope in ((0.7, -1.8), (1.2, -2.0), (1.7, -2.2)):
        inputs, _ = draw_inputs(shape, (1,), range(400))
        made = np.asarray(network(inputs | {"parameters": np.float32([[strength, slope]] * 400)}))
        other = some(SIDE if periodic else 4 * SIDE, SIDE, strength, slope, 400, rng)
        assert made.std() / other.std() == pytest.approx(1, abs=0.06)
        np.testing.assert_allclose(
            np.quantile(made, [0.01, 0.5, 0.99]) / other.std(), np.quantile(other, [0.01, 0.5, 0.99]) / other.std(),
            atol=0.25,  # of 400 maps with few modes each
        )  # fmt: skip
        np.testing.assert_allclose(bands(made) / bands(other), 1, atol=0.15)


def test_what_the_critic_is_told_of_training_maps_has_mean_zero_and_scatter_one_at_every_cosmology():
    maps, points, groups = skies(SIDE, SIDE)
    known = fit_lognormal_model(maps, points, groups, periodic=True)
    shape = GAN(size=SIDE, conditions=2, filters=(4, 4), critic_filters=(4,))
    judge = build_discriminator(shape, known)
    given = {"map": maps, "parameters": points.astype(np.float32)}
    body = judge.get_layer("body")
    told = keras.Model(body.input, body.get_layer("summary_statistics").output)
    given = {name: keras.ops.convert_to_tensor(value) for name, value in given.items()}
    said = np.asarray(told({**given, "map": judge.get_layer("intensity")(given)}))
    assert np.abs(said.mean(axis=0)).max() < 0.02
    np.testing.assert_allclose(said.std(axis=0), 1, rtol=0.02)
    each = said.reshape(24, MAPS, -1).mean(axis=1)
    assert np.abs(each).mean() < 3 / np.sqrt(MAPS)


@pytest.mark.parametrize("rare", [0.01, 0.0])
def test_what_generators_settle_by_has_mean_zero_on_training_maps_and_no_single_map_drowns_it(rare, monkeypatch):
    monkeypatch.setattr("tenfold.pipelines.emulator.lognormal.MIN_COMMON_FRACTION", rare)
    maps, points, groups = skies(SIDE, SIDE)
    spread = maps.std(axis=(1, 2, 3), keepdims=True)
    maps = np.clip(maps, -2 * spread, 2 * spread)
    known = fit_lognormal_model(maps, points, groups, periodic=True)
    witness = build_residual_model(GAN(size=SIDE, conditions=2, filters=(4, 4), critic_filters=(4,)), known)

    def witnessed(maps: np.ndarray, points: np.ndarray) -> list[np.ndarray]:
        given = {"map": maps, "parameters": points.astype(np.float32)}
        return [np.asarray(each) for each in witness({k: keras.ops.convert_to_tensor(v) for k, v in given.items()})]

    ours, terms = witnessed(maps, points)
    assert np.abs(ours.mean(axis=0)).max() < 0.03
    assert np.abs(terms.T @ ours / len(maps)).max() < 0.2  # what is of higher degree stays
    spike = maps[:1].copy()
    spike[0, 3, 3] = 10 * maps.std()  # higher than any was
    largest = np.abs(witnessed(spike, points[:1])[0]).max()
    assert largest < 1000 if rare else largest > 10000  # were it told what no map before had shown


def test_where_all_maps_are_of_one_cosmology_nothing_depends_on_it():
    maps, *_ = skies(SIDE, SIDE)
    known = fit_lognormal_model(maps, np.empty((len(maps), 0)), np.arange(len(maps)), periodic=True)
    assert known.ln_sigma.shape == (1, 1)
    assert np.exp(known.ln_sigma[0, 0]) == pytest.approx(maps.std(), rel=1e-5)


def test_maps_that_are_constant_are_refused():
    with pytest.raises(ValueError, match="constant"):
        fit_lognormal_model(np.zeros((4, 8, 8, 1), np.float32), np.empty((4, 0)), np.zeros(4))
