"""Makers and judges of maps: published sizes, exact transforms, and what a periodic sky leaves unchanged."""

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

SMALL = GAN(size=16, latent_dim=8, filters=(4, 8, 8), critic_filters=(4, 8), style_dim=8, conditions=2, group_size=2)
CROPPED = GAN(**{**vars(SMALL), "boundary": "cropped"})
DCGAN = GAN(network="dcgan", size=16, latent_dim=8, filters=(8, 4), critic_filters=(4, 8), kernel=5, group_size=2)
KAPPA = IntensityTransform((-0.01,), (0.01,), (0.8,), (0.7,))


def guess(shape: GAN, slope: float = -2.0) -> LognormalModel:
    """Power ∝ k^slope at every cosmology."""
    points = ((0.3, 0.8), (0.1, 0.1)) if shape.conditions else ((), ())
    plain = LognormalModel.white_noise(shape.size, KAPPA, *points)
    plain.ln_power[0, :, 0] = slope * np.log(plain.knots)
    return plain


def generator(shape: GAN, seed: int = 1, learnt: bool = True) -> keras.Model:
    network = build_generator(shape, guess(shape), seed=seed)
    if learnt and shape.network == "wgan-gp":  # as if it had been trained: the U-net adds something
        kernel = network.get_layer("map").kernel
        kernel.assign(0.1 * np.random.default_rng(seed).standard_normal(kernel.shape))
    return network


def inputs(shape: GAN, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    drawn, _ = draw_inputs(shape, (seed,), range(count))
    return drawn | ({"parameters": np.full((count, 2), 0.5, np.float32)} if shape.conditions else {})


def make(network: keras.Model, given: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(network({name: keras.ops.convert_to_tensor(value) for name, value in given.items()}))


def trained(model: keras.Model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_cosmogan_has_the_published_layers():
    known = LognormalModel.white_noise(256, KAPPA)
    made, judge = build_generator(COSMOGAN, known), build_discriminator(COSMOGAN, known)
    assert made.output.shape == (None, 256, 256, 1)
    counts = {name: trained(made.get_layer(name)) for name in ("seed", "up_1", "up_2", "up_3", "map")}
    # from 64 numbers to 512 × 16², then 5 × 5 kernels to 256, 128, 64 and 1 channels, biases included
    assert counts == {
        "seed": 65 * 512 * 16**2, "up_1": 25 * 512 * 256 + 256, "up_2": 25 * 256 * 128 + 128,
        "up_3": 25 * 128 * 64 + 64, "map": 25 * 64 + 1,
    }  # fmt: skip
    assert trained(made) == sum(counts.values()) + 2 * (512 + 256 + 128 + 64)
    # 1,664 + 204,928 + 819,456 + 3,277,312 + 131,073, and batch norm after all convolutions but the first: 4.4 million
    assert trained(judge) == 4_434_433 + 2 * (128 + 256 + 512)


@pytest.mark.parametrize("shape", [SMALL, DCGAN, CROPPED])
def test_maps_in_maps_out_and_rebuilt_with_its_weights_it_makes_the_same(shape):
    network = generator(shape)
    judge = build_discriminator(shape, guess(shape))
    given = inputs(shape, 4)
    maps = make(network, given)
    assert maps.shape == (4, 16, 16, 1)
    scores = make(judge, {"map": maps, **{k: v for k, v in given.items() if k == "parameters"}})
    assert scores.shape == (4,)
    assert np.isfinite(scores).all()
    again = rebuild(lambda: build_generator(shape, guess(shape), seed=9), arrays_of(network))
    assert (make(again, given) == maps).all()


def test_the_intensity_transform_is_undone_exactly_out_to_the_tail():
    rng = np.random.default_rng(0)
    kappa = (0.02 * np.expm1(0.8 * rng.standard_normal((8, 16, 16, 1)))).astype(np.float32)
    kappa[0, 0, :3, 0] = (1.0, 100.0, -5.0)
    for intensity in (fit(kappa[1:]), fit(kappa[1:], "linear")):
        u = FromKappa(**vars(intensity))(kappa)
        np.testing.assert_allclose(np.asarray(ToKappa(**vars(intensity))(u)), kappa, rtol=3e-5, atol=1e-7)


def test_the_fitted_transform_makes_a_lognormal_field_gaussian_and_keeps_its_mean():
    g = np.random.default_rng(1).standard_normal((16, 64, 64, 1))
    kappa = (0.02 * np.expm1(0.6 * g - 0.18)).astype(np.float32)
    intensity = fit(kappa)
    u = np.asarray(FromKappa(**vars(intensity))(kappa), np.float64)
    assert abs(u.mean()) < 0.02
    assert abs(u.std() - 1) < 0.02
    skewed = kappa - kappa.mean()
    assert (skewed**3).mean() / kappa.std() ** 3 > 2
    assert abs((u**3).mean()) < 0.25
    back = np.asarray(ToKappa(**vars(intensity))(u.astype(np.float32)))
    assert abs(back.mean() - kappa.mean()) < 1e-6


def test_whatever_a_young_generator_says_stays_finite():
    assert np.isfinite(np.asarray(ToKappa(**vars(KAPPA))(np.float32([[[[1e4]], [[-1e4]]]])))).all()
    assert np.isfinite(np.asarray(FromKappa(**vars(KAPPA))(np.float32([[[[1e10]], [[-1e10]]]])))).all()


def test_a_periodic_generator_shifts_the_map_as_its_noise_is_shifted():
    network, given, step = generator(SMALL), inputs(SMALL, 2), 4  # as far as the coarsest level's cells
    noise = given["noise"].reshape(2, 2, 16, 16)
    moved = make(network, given | {"noise": np.roll(noise, (step, -step), (2, 3)).reshape(2, -1)})
    np.testing.assert_allclose(moved, np.roll(make(network, given), (step, -step), (1, 2)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
def test_every_kernel_wraps_around(kernel):
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


def test_a_kernel_that_is_a_multiple_of_the_stride_leaves_no_checkerboard():
    flat = np.ones((1, 4, 4, 1), np.float32)
    for kernel, even in ((4, True), (5, False)):
        up = TransposedConvolution(1, kernel, 2)
        up.build(flat.shape)
        up.kernel.assign(np.ones(up.kernel.shape))
        assert (np.ptp(np.asarray(up(flat))) < 1e-6) == even


def test_opposite_edges_meet_in_a_periodic_map_and_not_in_a_cropped_one():
    seam = {}
    for shape in (SMALL, CROPPED):
        maps = make(generator(shape, learnt=False), inputs(shape, 64))[..., 0]
        inside = np.mean((maps[:, 1:] - maps[:, :-1]) ** 2)
        seam[shape.boundary] = np.mean((maps[:, 0] - maps[:, -1]) ** 2) / inside
    assert 0.7 < seam["periodic"] < 1.3
    assert seam["cropped"] > 2


def test_what_a_cropped_map_holds_near_its_edge_is_what_it_holds_elsewhere():
    maps = make(generator(CROPPED, learnt=False), inputs(CROPPED, 400))[..., 0]
    spread = np.log(maps - KAPPA.centre[0] + 0.02).std(axis=0)
    assert np.abs(spread[0].mean() / spread[6:10, 6:10].mean() - 1) < 0.05


def test_an_untrained_generator_paints_a_gaussian_field_of_the_spectrum_it_was_told():
    """Power k^-2 was asked for: the field's bands show that power, through the intensity transform and back."""
    known = guess(SMALL)
    network, judge = generator(SMALL, learnt=False), build_discriminator(SMALL, known)
    given = inputs(SMALL, 400)
    maps = make(network, given)
    u = make(judge.get_layer("intensity"), {"map": maps, "parameters": given["parameters"]})
    power = np.asarray(power_spectrum_2d(keras.ops.convert_to_tensor(u[..., 0][:, None])))[:, 0].mean(axis=0)
    k = wavenumbers(16)
    shown = (k > known.knots[0]) & (k < known.knots[-1])
    np.testing.assert_allclose(power[shown], k[shown] ** -2.0, rtol=0.35)  # 400 maps: 5 % each, interpolated in ln k
    assert abs(np.mean(power[shown] * k[shown] ** 2) - 1) < 0.03


def test_channels_are_correlated_as_they_were_told():
    known = LognormalModel.white_noise(16, IntensityTransform(*((v, v) for v in (0.0, 0.0, 0.0, 1.0))))
    known.mixing[:] = [[1, 0], [0.8, 0.6]]
    network = build_generator(GAN(size=16, channels=2, filters=(4, 4), critic_filters=(4,)), known)
    u = make(network, inputs(GAN(size=16, channels=2, filters=(4, 4), critic_filters=(4,)), 200))
    assert np.corrcoef(u.reshape(-1, 2).T)[0, 1] == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("count", [3, 16])  # as many maps as a map has rows, too
def test_every_map_has_the_mean_of_its_own_cosmology(count):
    known = guess(SMALL)
    known.mean[1, 0] = 0.5
    network, judge = build_generator(SMALL, known), build_discriminator(SMALL, known)
    given = inputs(SMALL, count)
    one, other = (given | {"parameters": np.full((count, 2), value, np.float32)} for value in (0.3, 0.5))
    other["parameters"][1:] = 0.3
    u = [make(judge.get_layer("intensity"), {"map": make(network, each), "parameters": each["parameters"]})
         for each in (one, other)]  # fmt: skip
    shift = (u[1] - u[0]).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(shift, [1.0] + [0.0] * (count - 1), atol=2e-3)  # half a unit for each σ of the first


def test_the_same_numbers_make_the_same_map_and_parameters_change_it():
    network, given = generator(SMALL), inputs(SMALL, 2)
    assert (make(network, given) == make(network, given)).all()
    other = make(network, given | {"parameters": np.full((2, 2), 0.8, np.float32)})
    assert np.abs(other - make(network, given)).max() > 1e-4
    assert np.abs(make(network, inputs(SMALL, 2, seed=1)) - make(network, given)).max() > 1e-3


def test_a_map_s_numbers_depend_on_its_key_and_place_alone():
    whole, mix = draw_inputs(SMALL, (3, 7), range(8))
    half, half_mix = draw_inputs(SMALL, (3, 7), range(4, 8))
    assert all((half[name] == whole[name][4:]).all() for name in whole)
    assert (half_mix == mix[4:]).all()
    assert (draw_inputs(SMALL, (3, 8), range(8))[0]["latent"] != whole["latent"]).any()
    assert whole["noise"].shape == (8, SMALL.noise_dim)


def test_between_two_normal_vectors_none_is_shorter():
    a, b = np.random.default_rng(2).standard_normal((2, 4000)).astype(np.float32)
    way = slerp(a, b, np.linspace(0, 1, 5))
    np.testing.assert_allclose(way[[0, -1]], [a, b], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), np.linalg.norm(a), rtol=0.05)
    assert (slerp(a, a, np.array([0.5])) == a).all()


def test_the_spectral_norm_becomes_one():
    layer = Convolution(6, 3, spectral_norm=True)
    x = np.random.default_rng(0).standard_normal((1, 8, 8, 4)).astype(np.float32)
    for _ in range(60):
        layer(x, training=True)
    kernel = np.asarray(layer._normalised_kernel(False, 3)).reshape(-1, 6)
    assert abs(np.linalg.svd(kernel, compute_uv=False)[0] - 1) < 1e-3


def test_what_groups_say_does_not_depend_on_how_the_batch_is_shared_out():
    x = np.random.default_rng(0).standard_normal((8, 4, 4, 3)).astype(np.float32)
    layer = GhostBatchNormalization(group_size=2)
    whole = np.asarray(layer(x, training=True))
    halves = [np.asarray(layer(part, training=True)) for part in np.split(x, 2)]
    np.testing.assert_allclose(np.concatenate(halves), whole, atol=1e-6)
    features = np.float32([[1, 5], [3, 5], [0, 0], [0, 0]])
    seen = np.asarray(MinibatchStandardDeviation(2)(features))
    np.testing.assert_allclose(seen[:, 2:], [[1, 0.01]] * 2 + [[0.01, 0.01]] * 2, atol=1e-4)
    assert (seen[:, :2] == features).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 18}, "halved"),
        ({"size": 8, "critic_filters": (4, 4, 4)}, "critic_filters"),
        ({"filters": ()}, "filters"),
        ({"network": "dcgan", "filters": (8, 8, 8, 4)}, "filters"),
        ({"kernel": 1}, "kernel"),
        ({"conditions": -1}, "conditions"),
        ({"group_size": 0}, "group"),
    ],
)
def test_shapes_that_cannot_be_built_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        GAN(**{"size": 16, "filters": (4, 8, 8), "critic_filters": (4, 8), **change})
