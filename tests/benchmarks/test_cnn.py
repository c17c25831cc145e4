"""Speed of training steps: the MLPerf CosmoFlow network against SGEMM and PyTorch, the demo's against Keras's layers.

    make benchmark PYTEST='-k test_cnn -s'

Wall time on all cores of an otherwise idle machine, or CPU time; only the ratios are comparable between machines. The
comparison with PyTorch needs it (pip install torch); its network is channels-last, with the same layers and the same
optimizer.
"""

import statistics
import time
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from tenfold.emulators.cnn import CNN, build
from tenfold.emulators.layers import BlockMean
from tenfold.emulators.losses import gaussian_nll
from tenfold.emulators.patch_convolution import PatchConv3D
from tenfold.emulators.training import RegressionTraining, adamw, regression_step
from tenfold.pipelines.config import load
from tenfold.pipelines.studies.cosmology_config import CosmologyRun

BATCH = 2
REPEATS = 5

pytestmark = pytest.mark.benchmark


def median_s(work: Callable[[], object]) -> float:
    """Return the median wall time of a function [s], after one warm-up call."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def flop(architecture: CNN, parameters: int) -> float:
    """Floating-point operations of a training step per sample: forward, gradient of weights, gradient of inputs."""
    total, side, channels = 0.0, architecture.size // architecture.coarsen, architecture.channels
    for block, filters in enumerate(architecture.filters):
        forward = 2.0 * architecture.kernel_size**3 * channels * filters * side**3
        total += forward * (3 if block else 2)  # the gradient with respect to the input volume is not needed
        side, channels = side // 2, filters
    width = side**3 * channels
    for units in (*architecture.dense_units, 2 * parameters):
        total += 3 * 2.0 * width * units
        width = units
    return total


def sgemm_flops() -> float:
    a = tf.random.normal((4096, 4096))
    multiply = tf.function(lambda: tf.reduce_sum(tf.matmul(a, a)))
    return 2 * 4096.0**3 / median_s(lambda: multiply().numpy())


def keras_step_s(architecture: CNN, precision: str) -> float:
    network = build(architecture, location=[0.0] * 4, scale=[1.0] * 4, precision=precision)
    training = RegressionTraining(global_batch=BATCH)
    optimizer = adamw(training, 100)
    optimizer.build(network.trainable_variables)
    step = regression_step(network, lambda t, e: gaussian_nll(t, e, [1.0] * 4), optimizer, list)
    rng = np.random.default_rng(0)
    volumes = rng.poisson(1, (BATCH, *(architecture.size,) * 3, architecture.channels)).astype(np.int16)
    batch = (volumes, rng.normal(size=(BATCH, 4)).astype(np.float32), np.full(BATCH, 1 / BATCH, np.float32))
    return median_s(lambda: float(step(batch)["loss"])) / BATCH


def torch_step_s(architecture: CNN) -> float:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: no comparison")
    from torch import nn

    layers, channels = [], architecture.channels
    for filters in architecture.filters:
        layers += [
            nn.Conv3d(channels, filters, architecture.kernel_size, padding="same"),
            nn.LeakyReLU(0.2),
            nn.MaxPool3d(2),
        ]
        channels = filters
    width = channels * (architecture.size // architecture.downsampling) ** 3
    layers.append(nn.Flatten())
    for units in architecture.dense_units:
        layers += [nn.Linear(width, units), nn.LeakyReLU(0.2), nn.Dropout(architecture.dropout)]
        width = units
    network = nn.Sequential(*layers, nn.Linear(width, 8)).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    rng = np.random.default_rng(0)
    counts = torch.from_numpy(
        rng.poisson(1, (BATCH, architecture.channels, *(architecture.size,) * 3)).astype(np.float32)
    )
    volumes = torch.log1p(counts).to(memory_format=torch.channels_last_3d)
    truth = torch.randn(BATCH, 4)

    def step() -> float:
        optimizer.zero_grad()
        out = network(volumes)
        sigma = nn.functional.softplus(out[:, 4:]) + 1e-3
        loss = (0.5 * ((truth - out[:, :4]) / sigma) ** 2 + sigma.log()).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        return float(loss)

    return median_s(step) / BATCH


def test_cosmoflow_step_against_sgemm_and_torch(capsys):
    architecture = load(CosmologyRun, preset="cosmoflow-mlperf").network
    peak = sgemm_flops()
    seconds = {precision: keras_step_s(architecture, precision) for precision in ("float32", "mixed_bfloat16")}
    fraction = flop(architecture, 4) / seconds["float32"] / peak
    with capsys.disabled():
        print(f"\nsgemm 4096: {peak / 1e9:.0f} GFLOP/s; {flop(architecture, 4) / 1e9:.0f} GFLOP/sample")
        for precision, value in seconds.items():
            print(f"keras {precision}: {value:.3f} s/sample, {flop(architecture, 4) / value / 1e9:.0f} GFLOP/s")
        print(f"fraction of the sgemm peak in float32: {fraction:.2f}")
    torch_s = torch_step_s(architecture)
    with capsys.disabled():
        print(f"torch float32, channels-last: {torch_s:.3f} s/sample, ratio {torch_s / seconds['float32']:.2f}")
    assert fraction >= 0.8
    assert torch_s / seconds["float32"] >= 1.6


def in_keras_layers(network: keras.Model) -> keras.Model:
    """Return the same network, with Keras's own pooling and first convolution."""

    def layer_of(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, BlockMean):
            return keras.layers.AveragePooling3D(layer.side, name=layer.name)
        kind = keras.layers.Conv3D if isinstance(layer, PatchConv3D) else type(layer)
        return kind.from_config(layer.get_config())

    clone = keras.models.clone_model(network, clone_function=layer_of)
    clone.set_weights(network.get_weights())
    return clone


def cpu_step_s(network: keras.Model, volumes: np.ndarray) -> float:
    """Return the median CPU time of a training step [s], after one warm-up call."""
    training = RegressionTraining(global_batch=len(volumes))
    optimizer = adamw(training, 100)
    optimizer.build(network.trainable_variables)
    step = regression_step(network, lambda t, e: gaussian_nll(t, e, [1.0] * 2), optimizer, list)
    targets = np.random.default_rng(1).normal(size=(len(volumes), 2)).astype(np.float32)
    batch = (volumes, targets, np.full(len(volumes), 1 / len(volumes), np.float32))
    float(step(batch)["loss"])
    times = []
    for _ in range(2 * REPEATS):
        start = time.process_time()
        float(step(batch)["loss"])
        times.append(time.process_time() - start)
    return statistics.median(times)


def test_the_demos_network_against_keras_layers(capsys):
    architecture = load(CosmologyRun, preset="demo").network
    network = build(architecture, location=[0.0] * 2, scale=[1.0] * 2)
    shape = (8, *(architecture.size,) * 3, architecture.channels)
    volumes = np.random.default_rng(0).poisson(1, shape).astype(np.int16)
    plain = in_keras_layers(network)
    np.testing.assert_allclose(plain(volumes), network(volumes), rtol=1e-4, atol=1e-5)
    pairs = [(cpu_step_s(network, volumes), cpu_step_s(plain, volumes)) for _ in range(3)]
    ratio = statistics.median(ours / keras_layers for ours, keras_layers in pairs)
    with capsys.disabled():
        print(
            f"\nCPU time of a step of {len(volumes)} boxes: {pairs[0][0]:.2f} s, in Keras's layers {pairs[0][1]:.2f} s"
        )
        print(f"ratio {ratio:.2f}, median of {len(pairs)} pairs")
    assert ratio < 0.8
