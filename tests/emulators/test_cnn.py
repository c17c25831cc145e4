"""CosmoFlow networks: published number of parameters, physical units, and symmetries of periodic boxes."""

import keras
import numpy as np
import pytest

from tenfold.emulators.cnn import CNN, build, input_statistics
from tenfold.emulators.initialisation import initialise_unit_variance
from tenfold.emulators.state import arrays_of, rebuild
from tenfold.pipelines.config import load
from tenfold.pipelines.studies.cosmology_config import CosmologyRun

SMALL = CNN(size=8, filters=(4, 8), dense_units=(8,))


def test_mlperf_preset_has_the_published_number_of_parameters():
    network = build(load(CosmologyRun, preset="cosmoflow-mlperf").network, location=[0] * 4, scale=[1] * 4)
    # MLPerf HPC's network has 8,907,556 with 4 outputs; ours adds 4 standard deviations: 4 × (64 + 1)
    assert network.count_params() == 8_907_556 + 260


def test_untrained_estimates_are_of_the_scale_of_the_parameters():
    network = build(SMALL, location=[0.3, 70.0], scale=[0.1, 5.0], seed=1)
    counts = np.random.default_rng(0).poisson(1, (16, 8, 8, 8, 1)).astype(np.int16)
    answer = np.asarray(network(counts))
    assert answer.shape == (16, 2, 2)
    pull = (answer[..., 0] - [0.3, 70.0]) / [0.1, 5.0]
    assert np.abs(pull).max() < 5
    assert (answer[..., 1] > 0).all()


def test_estimates_scale_with_the_units():
    counts = np.random.default_rng(0).poisson(1, (4, 8, 8, 8, 1)).astype(np.int16)
    one = np.asarray(build(SMALL, location=[0.0], scale=[1.0], seed=3)(counts))
    other = np.asarray(build(SMALL, location=[50.0], scale=[10.0], seed=3)(counts))
    np.testing.assert_allclose(other[..., 0], 50 + 10 * one[..., 0], rtol=1e-5)
    np.testing.assert_allclose(other[..., 1], 10 * one[..., 1], rtol=1e-5)


def test_a_periodic_network_is_invariant_to_shifts_by_its_downsampling():
    architecture = CNN(size=8, filters=(4, 8), padding="periodic", readout="global", dense_units=(8,))
    network = build(architecture, location=[0.0], scale=[1.0], seed=2)
    counts = np.random.default_rng(4).poisson(1, (2, 8, 8, 8, 1)).astype(np.float32)
    shifted = np.roll(counts, (4, 0, 4), axis=(1, 2, 3))
    np.testing.assert_allclose(np.asarray(network(shifted)), np.asarray(network(counts)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("padding", ["same", "periodic"])
def test_maps_are_read_as_volumes_with_one_dimension_less(padding):
    form = {"padding": padding, "readout": "global", "transform": "identity"}
    network = build(CNN(dimensions=2, size=16, filters=(4, 8), dense_units=(8,), **form), location=[0.3], scale=[0.1])
    maps = np.random.default_rng(2).standard_normal((3, 16, 16, 1)).astype(np.float32)
    answers = np.asarray(network(maps))
    assert answers.shape == (3, 1, 2)
    if padding == "periodic":
        moved = np.asarray(network(np.roll(maps, (4, 8), axis=(1, 2))))
        np.testing.assert_allclose(answers, moved, rtol=1e-5)
    initialise_unit_variance(network, maps)
    assert np.isfinite(np.asarray(network(maps))).all()


def test_inputs_are_standardised_inside_the_network():
    counts = np.random.default_rng(4).poisson(1, (2, 8, 8, 8, 1)).astype(np.float32)
    network = build(SMALL, location=[0.0], scale=[1.0], mean=[0.5], std=[0.4])
    inner = keras.Model(network.input, network.get_layer("standardise").output)
    np.testing.assert_allclose(np.asarray(inner(counts)), (np.log1p(counts) - 0.5) / 0.4, rtol=1e-5, atol=1e-6)


def test_a_network_rebuilt_with_its_weights_gives_the_same_estimates():
    def described(seed):
        return build(SMALL, location=[0.3, 0.8], scale=[0.1, 0.1], seed=seed)

    network = described(seed=3)
    again = rebuild(lambda: described(seed=0), arrays_of(network))
    counts = np.random.default_rng(0).poisson(1, (2, 8, 8, 8, 1)).astype(np.int16)
    assert (np.asarray(again(counts)) == np.asarray(network(counts))).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 10}, "multiple of 4"),
        ({"dropout": 1.0}, "dropout"),
        ({"kernel_size": 2}, "odd"),
        ({"filters": ()}, "filters"),
        ({"filters": (4, 10**9)}, "filters: found 1000000000, must be at most 65,536"),
        ({"dense_units": (8,) * 101}, "dense_units: found 101 layers, must be at most 100"),
        ({"size": 2**30}, "size: found 1073741824, must be at most 65,536"),
    ],
)
def test_architectures_that_cannot_be_built_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CNN(**{"size": 8, "filters": (4, 8), **change})


def test_coarsening_sums_counts_before_the_logarithm():
    architecture = CNN(size=8, coarsen=2, filters=(4,), dense_units=(8,))
    counts = np.random.default_rng(4).poisson(1, (3, 8, 8, 8, 1)).astype(np.int16)
    coarse = counts.reshape(3, 4, 2, 4, 2, 4, 2, 1).sum((2, 4, 6))
    mean, std = input_statistics(architecture, counts)
    np.testing.assert_allclose([*mean, *std], [np.log1p(coarse).mean(), np.log1p(coarse).std()], rtol=1e-5)


def test_two_moments_are_sum_and_sum_of_squares_of_a_block():
    architecture = CNN(size=4, coarsen=2, moments=2, transform="identity", filters=(4,), dense_units=(8,))
    delta = np.random.default_rng(4).normal(size=(2, 4, 4, 4, 1)).astype(np.float32)
    blocks = delta.reshape(2, 2, 2, 2, 2, 2, 2, 1)
    network = build(architecture, location=[0.0], scale=[1.0])
    moments = np.asarray(keras.Model(network.input, network.get_layer("standardise").output)(delta))
    expected = np.concatenate([blocks.sum((2, 4, 6)), (blocks**2).sum((2, 4, 6))], axis=-1)
    np.testing.assert_allclose(moments, expected, rtol=1e-4, atol=1e-5)


def test_calibrated_units_have_mean_0_and_variance_1():
    architecture = CNN(size=8, filters=(4, 8), readout="global", dense_units=(8,), activation="linear")
    network = build(architecture, location=[0.0], scale=[1.0], seed=5)
    counts = np.random.default_rng(4).poisson(1, (16, 8, 8, 8, 1)).astype(np.int16)
    initialise_unit_variance(network, counts)
    for name in ("convolution_0", "convolution_1", "dense_0"):
        units = np.asarray(keras.Model(network.input, network.get_layer(name).output)(counts))
        axes = tuple(range(units.ndim - 1))
        np.testing.assert_allclose(units.mean(axes), 0, atol=1e-3)
        np.testing.assert_allclose(units.std(axes), 1, rtol=1e-2)
