"""Generators and discriminators of maps: published sizes, invertible transforms, invariance of periodic maps."""

import keras
import numpy as np
import pytest

from tenfold.emulators.differentiable_statistics import power_spectrum_2d
from tenfold.emulators.discriminator import build_discriminator
from tenfold.emulators.gan import COSMOGAN, GAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.generator_inputs import draw_inputs, slerp
from tenfold.emulators.intensity import FromKappa, IntensityTransform, ToKappa, fit
from tenfold.emulators.lognormal import LognormalModel, wavenumbers
from tenfold.emulators.map_layers import (
    Convolution,
    GhostBatchNormalization,
    MinibatchStandardDeviation,
    TransposedConvolution,
)
from tenfold.emulators.state import arrays_of, rebuild

pytestmark = pytest.mark.slow

SMALL = GAN(size=16, latent_dim=8, filters=(4, 8, 8), critic_filters=(4, 8), style_dim=8, conditions=2, group_size=2)
CROPPED = GAN(**{**vars(SMALL), "boundary": "cropped"})
DCGAN = GAN(network="dcgan", size=16, latent_dim=8, filters=(8, 4), critic_filters=(4, 8), kernel_size=5, group_size=2)
KAPPA = IntensityTransform((-0.01,), (0.01,), (0.8,), (0.7,))


def lognormal_model(architecture: GAN, slope: float = -2.0) -> LognormalModel:
    """Power ∝ k^slope at every cosmology."""
    parameters = ((0.3, 0.8), (0.1, 0.1)) if architecture.conditions else ((), ())
    model = LognormalModel.white_noise(architecture.size, KAPPA, *parameters)
    model.ln_power[0, :, 0] = slope * np.log(model.knots)
    return model


def generator(architecture: GAN, seed: int = 1, trained: bool = True) -> keras.Model:
    network = build_generator(architecture, lognormal_model(architecture), seed=seed)
    if trained and architecture.network == "wgan-gp":  # give the U-net a correction, as training does
        kernel = network.get_layer("map").kernel
        kernel.assign(0.1 * np.random.default_rng(seed).standard_normal(kernel.shape))
    return network


def random_inputs(architecture: GAN, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    inputs, _ = draw_inputs(architecture, (seed,), range(count))
    return inputs | ({"parameters": np.full((count, 2), 0.5, np.float32)} if architecture.conditions else {})


def evaluate(network: keras.Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(network({name: keras.ops.convert_to_tensor(value) for name, value in inputs.items()}))


def n_trainable(model: keras.Model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_cosmogan_has_the_published_layers():
    model = LognormalModel.white_noise(256, KAPPA)
    generator, discriminator = build_generator(COSMOGAN, model), build_discriminator(COSMOGAN, model)
    assert generator.output.shape == (None, 256, 256, 1)
    counts = {name: n_trainable(generator.get_layer(name)) for name in ("seed", "up_1", "up_2", "up_3", "map")}
    # dense layer from 64 to 512 × 16², then 5 × 5 kernels to 256, 128, 64 and 1 channels, with biases
    assert counts == {
        "seed": 65 * 512 * 16**2, "up_1": 25 * 512 * 256 + 256, "up_2": 25 * 256 * 128 + 128,
        "up_3": 25 * 128 * 64 + 64, "map": 25 * 64 + 1,
    }  # fmt: skip
    assert n_trainable(generator) == sum(counts.values()) + 2 * (512 + 256 + 128 + 64)
    # 1,664 + 204,928 + 819,456 + 3,277,312 + 131,073, plus batch norm after all convolutions but the first: 4.4 million
    assert n_trainable(discriminator) == 4_434_433 + 2 * (128 + 256 + 512)


@pytest.mark.parametrize("architecture", [SMALL, DCGAN, CROPPED])
def test_a_generator_rebuilt_with_its_weights_generates_the_same_maps(architecture):
    network, model = generator(architecture), lognormal_model(architecture)
    discriminator = build_discriminator(architecture, model)
    inputs = random_inputs(architecture, 4)
    maps = evaluate(network, inputs)
    assert maps.shape == (4, 16, 16, 1)
    scores = evaluate(discriminator, {"map": maps, **{k: v for k, v in inputs.items() if k == "parameters"}})
    assert scores.shape == (4,)
    assert np.isfinite(scores).all()
    rebuilt = rebuild(lambda: build_generator(architecture, model, seed=9), arrays_of(network))
    assert (evaluate(rebuilt, inputs) == maps).all()


def test_the_intensity_transform_is_invertible_far_into_the_tail():
    rng = np.random.default_rng(0)
    kappa = (0.02 * np.expm1(0.8 * rng.standard_normal((8, 16, 16, 1)))).astype(np.float32)
    kappa[0, 0, :3, 0] = (1.0, 100.0, -5.0)
    for intensity in (fit(kappa[1:]), fit(kappa[1:], "linear")):
        u = FromKappa(**vars(intensity))(kappa)
        np.testing.assert_allclose(np.asarray(ToKappa(**vars(intensity))(u)), kappa, rtol=3e-5, atol=1e-7)


def test_the_fitted_transform_makes_a_lognormal_field_gaussian_and_its_inverse_restores_the_mean():
    g = np.random.default_rng(1).standard_normal((16, 64, 64, 1))
    kappa = (0.02 * np.expm1(0.6 * g - 0.18)).astype(np.float32)
    intensity = fit(kappa)
    u = np.asarray(FromKappa(**vars(intensity))(kappa), np.float64)
    assert abs(u.mean()) < 0.02
    assert abs(u.std() - 1) < 0.02
    centred = kappa - kappa.mean()
    assert (centred**3).mean() / kappa.std() ** 3 > 2
    assert abs((u**3).mean()) < 0.25
    back = np.asarray(ToKappa(**vars(intensity))(u.astype(np.float32)))
    assert abs(back.mean() - kappa.mean()) < 1e-6


def test_extreme_values_stay_finite():
    assert np.isfinite(np.asarray(ToKappa(**vars(KAPPA))(np.float32([[[[1e4]], [[-1e4]]]])))).all()
    assert np.isfinite(np.asarray(FromKappa(**vars(KAPPA))(np.float32([[[[1e10]], [[-1e10]]]])))).all()


def test_a_periodic_generator_is_equivariant_to_shifts_of_its_noise():
    network, inputs, step = generator(SMALL), random_inputs(SMALL, 2), 4  # one pixel of the coarsest level
    noise = inputs["noise"].reshape(2, 2, 16, 16)
    shifted = evaluate(network, inputs | {"noise": np.roll(noise, (step, -step), (2, 3)).reshape(2, -1)})
    np.testing.assert_allclose(shifted, np.roll(evaluate(network, inputs), (step, -step), (1, 2)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
def test_convolutions_of_every_kernel_size_are_periodic(kernel):
    x = np.random.default_rng(0).standard_normal((1, 4, 4, 2)).astype(np.float32)
    up = TransposedConvolution(3, kernel, 2)
    np.testing.assert_allclose(
        np.asarray(up(np.roll(x, 1, 1))), np.roll(np.asarray(up(x)), 2, 1), rtol=1e-4, atol=1e-5
    )  # fmt: skip
    down = Convolution(3, kernel, 2)
    fine = np.asarray(up(x))
    np.testing.assert_allclose(
        np.asarray(down(np.roll(fine, 2, 2))), np.roll(np.asarray(down(fine)), 1, 2), rtol=1e-4, atol=1e-5
    )


def test_only_a_kernel_that_is_a_multiple_of_the_stride_avoids_checkerboard_artefacts():
    flat = np.ones((1, 4, 4, 1), np.float32)
    for kernel, even in ((4, True), (5, False)):
        up = TransposedConvolution(1, kernel, 2)
        up.build(flat.shape)
        up.kernel.assign(np.ones(up.kernel.shape))
        assert (np.ptp(np.asarray(up(flat))) < 1e-6) == even


def test_opposite_edges_are_continuous_in_periodic_maps_only():
    seam = {}
    for architecture in (SMALL, CROPPED):
        maps = evaluate(generator(architecture, trained=False), random_inputs(architecture, 64))[..., 0]
        inside = np.mean((maps[:, 1:] - maps[:, :-1]) ** 2)
        seam[architecture.boundary] = np.mean((maps[:, 0] - maps[:, -1]) ** 2) / inside
    assert 0.7 < seam["periodic"] < 1.3
    assert seam["cropped"] > 2


def test_a_cropped_map_has_the_same_variance_at_its_edge_as_inside():
    maps = evaluate(generator(CROPPED, trained=False), random_inputs(CROPPED, 400))[..., 0]
    std = np.log(maps - KAPPA.centre[0] + 0.02).std(axis=0)
    assert np.abs(std[0].mean() / std[6:10, 6:10].mean() - 1) < 0.05


def test_an_untrained_generator_draws_a_field_with_the_power_spectrum_of_the_model():
    """The spectrum is k^-2, measured on transformed maps."""
    model = lognormal_model(SMALL)
    network, discriminator = generator(SMALL, trained=False), build_discriminator(SMALL, model)
    inputs = random_inputs(SMALL, 400)
    maps = evaluate(network, inputs)
    u = evaluate(discriminator.get_layer("intensity"), {"map": maps, "parameters": inputs["parameters"]})
    power = np.asarray(power_spectrum_2d(keras.ops.convert_to_tensor(u[..., 0][:, None])))[:, 0].mean(axis=0)
    k = wavenumbers(16)
    inside = (k > model.knots[0]) & (k < model.knots[-1])
    np.testing.assert_allclose(power[inside], k[inside] ** -2.0, rtol=0.35)  # 5 % noise per mode; interpolated in ln k
    assert abs(np.mean(power[inside] * k[inside] ** 2) - 1) < 0.03


def test_channels_have_the_correlation_of_the_model():
    model = LognormalModel.white_noise(16, IntensityTransform(*((v, v) for v in (0.0, 0.0, 0.0, 1.0))))
    model.mixing[:] = [[1, 0], [0.8, 0.6]]
    network = build_generator(GAN(size=16, channels=2, filters=(4, 4), critic_filters=(4,)), model)
    u = evaluate(network, random_inputs(GAN(size=16, channels=2, filters=(4, 4), critic_filters=(4,)), 200))
    assert np.corrcoef(u.reshape(-1, 2).T)[0, 1] == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("count", [3, 16])  # 16: as many maps as a map has rows
def test_every_map_has_the_mean_of_its_cosmology(count):
    model = lognormal_model(SMALL)
    model.mean[1, 0] = 0.5
    network, discriminator = build_generator(SMALL, model), build_discriminator(SMALL, model)
    inputs = random_inputs(SMALL, count)
    fiducial, varied = (inputs | {"parameters": np.full((count, 2), value, np.float32)} for value in (0.3, 0.5))
    varied["parameters"][1:] = 0.3
    intensity = discriminator.get_layer("intensity")
    u = [
        evaluate(intensity, {"map": evaluate(network, conditions), "parameters": conditions["parameters"]})
        for conditions in (fiducial, varied)
    ]
    shift = (u[1] - u[0]).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(shift, [1.0] + [0.0] * (count - 1), atol=2e-3)  # half a unit for each σ of the first


def test_a_map_is_determined_by_its_inputs_and_changes_with_parameters():
    network, inputs = generator(SMALL), random_inputs(SMALL, 2)
    assert (evaluate(network, inputs) == evaluate(network, inputs)).all()
    other = evaluate(network, inputs | {"parameters": np.full((2, 2), 0.8, np.float32)})
    assert np.abs(other - evaluate(network, inputs)).max() > 1e-4
    assert np.abs(evaluate(network, random_inputs(SMALL, 2, seed=1)) - evaluate(network, inputs)).max() > 1e-3


def test_random_inputs_depend_only_on_key_and_index():
    full, interpolation = draw_inputs(SMALL, (3, 7), range(8))
    half, half_interpolation = draw_inputs(SMALL, (3, 7), range(4, 8))
    assert all((half[name] == full[name][4:]).all() for name in full)
    assert (half_interpolation == interpolation[4:]).all()
    assert (draw_inputs(SMALL, (3, 8), range(8))[0]["latent"] != full["latent"]).any()
    assert full["noise"].shape == (8, SMALL.noise_dim)


def test_slerp_preserves_the_length_of_normal_vectors():
    a, b = np.random.default_rng(2).standard_normal((2, 4000)).astype(np.float32)
    path = slerp(a, b, np.linspace(0, 1, 5))
    np.testing.assert_allclose(path[[0, -1]], [a, b], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), np.linalg.norm(a), rtol=0.05)
    assert (slerp(a, a, np.array([0.5])) == a).all()


def test_spectral_normalisation_converges_to_norm_one():
    layer = Convolution(6, 3, spectral_norm=True)
    x = np.random.default_rng(0).standard_normal((1, 8, 8, 4)).astype(np.float32)
    for _ in range(60):
        layer(x, training=True)
    kernel = np.asarray(layer._normalised_kernel(False, 3)).reshape(-1, 6)
    assert abs(np.linalg.svd(kernel, compute_uv=False)[0] - 1) < 1e-3


def test_group_statistics_do_not_depend_on_how_the_batch_is_split():
    x = np.random.default_rng(0).standard_normal((8, 4, 4, 3)).astype(np.float32)
    layer = GhostBatchNormalization(group_size=2)
    batch = np.asarray(layer(x, training=True))
    halves = [np.asarray(layer(part, training=True)) for part in np.split(x, 2)]
    np.testing.assert_allclose(np.concatenate(halves), batch, atol=1e-6)
    features = np.float32([[1, 5], [3, 5], [0, 0], [0, 0]])
    extended = np.asarray(MinibatchStandardDeviation(2)(features))
    np.testing.assert_allclose(extended[:, 2:], [[1, 0.01]] * 2 + [[0.01, 0.01]] * 2, atol=1e-4)
    assert (extended[:, :2] == features).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 18}, "halved"),
        ({"size": 8, "critic_filters": (4, 4, 4)}, "critic_filters"),
        ({"filters": ()}, "filters"),
        ({"network": "dcgan", "filters": (8, 8, 8, 4)}, "filters"),
        ({"kernel_size": 1}, "kernel_size"),
        ({"network": "dcgan", "style_dim": 8}, "style_dim: found 8, which has no effect: only network wgan-gp"),
        ({"conditions": -1}, "conditions"),
        ({"group_size": 0}, "group"),
    ],
)
def test_architectures_that_cannot_be_built_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        GAN(**{"size": 16, "filters": (4, 8, 8), "critic_filters": (4, 8), **change})
