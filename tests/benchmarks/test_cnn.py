"""Speed of a training step of the MLPerf CosmoFlow network: share of the machine's peak, and beside PyTorch.

    make benchmark PYTEST='-k test_cnn -s'

Wall seconds on all cores of an otherwise idle machine; the ratios are what counts. PyTorch is used where it is
installed (pip install torch); its network is channels-last, with the same layers and the same optimizer.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tenfold.emulators.cnn import CNN, build
from tenfold.emulators.losses import gaussian_nll
from tenfold.emulators.training import RegressionTraining, adamw, regression_step
from tenfold.pipelines.config import load
from tenfold.pipelines.studies.cosmology_config import CosmologyRun

BATCH = 2
REPEATS = 5

pytestmark = pytest.mark.benchmark


def median_s(work: Callable[[], object]) -> float:
    """Median wall seconds of a piece of work, after one round of warming up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def flop(shape: CNN, parameters: int) -> float:
    """Floating-point operations of a training step per sample: forward, gradient of weights, gradient of inputs."""
    total, side, channels = 0.0, shape.size // shape.coarsen, shape.channels
    for block, filters in enumerate(shape.filters):
        forward = 2.0 * shape.kernel**3 * channels * filters * side**3
        total += forward * (3 if block else 2)  # nobody asks for the gradient of the volume
        side, channels = side // 2, filters
    width = side**3 * channels
    for units in (*shape.dense, 2 * parameters):
        total += 3 * 2.0 * width * units
        width = units
    return total


def sgemm_flops() -> float:
    a = tf.random.normal((4096, 4096))
    multiply = tf.function(lambda: tf.reduce_sum(tf.matmul(a, a)))
    return 2 * 4096.0**3 / median_s(lambda: multiply().numpy())


def keras_step_s(shape: CNN, precision: str) -> float:
    network = build(shape, location=[0.0] * 4, scale=[1.0] * 4, precision=precision)
    training = RegressionTraining(global_batch=BATCH)
    descent = adamw(training, 100)
    descent.build(network.trainable_variables)
    step = regression_step(network, lambda t, e: gaussian_nll(t, e, [1.0] * 4), descent, list)
    rng = np.random.default_rng(0)
    volumes = rng.poisson(1, (BATCH, *(shape.size,) * 3, shape.channels)).astype(np.int16)
    batch = (volumes, rng.normal(size=(BATCH, 4)).astype(np.float32), np.full(BATCH, 1 / BATCH, np.float32))
    return median_s(lambda: float(step(batch)["loss"])) / BATCH


def torch_step_s(shape: CNN) -> float:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: no comparison")
    from torch import nn

    layers, channels = [], shape.channels
    for filters in shape.filters:
        layers += [nn.Conv3d(channels, filters, shape.kernel, padding="same"), nn.LeakyReLU(0.2), nn.MaxPool3d(2)]
        channels = filters
    width = channels * (shape.size // shape.downsampling) ** 3
    layers.append(nn.Flatten())
    for units in shape.dense:
        layers += [nn.Linear(width, units), nn.LeakyReLU(0.2), nn.Dropout(shape.dropout)]
        width = units
    network = nn.Sequential(*layers, nn.Linear(width, 8)).to(memory_format=torch.channels_last_3d)
    descent = torch.optim.AdamW(network.parameters(), 1e-3)
    rng = np.random.default_rng(0)
    counts = torch.from_numpy(rng.poisson(1, (BATCH, shape.channels, *(shape.size,) * 3)).astype(np.float32))
    volumes = torch.log1p(counts).to(memory_format=torch.channels_last_3d)
    truth = torch.randn(BATCH, 4)

    def step() -> float:
        descent.zero_grad()
        out = network(volumes)
        sigma = nn.functional.softplus(out[:, 4:]) + 1e-3
        loss = (0.5 * ((truth - out[:, :4]) / sigma) ** 2 + sigma.log()).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        descent.step()
        return float(loss)

    return median_s(step) / BATCH


def test_cosmoflow_step_against_sgemm_and_torch(capsys):
    shape = load(CosmologyRun, preset="cosmoflow-mlperf").network
    peak = sgemm_flops()
    seconds = {precision: keras_step_s(shape, precision) for precision in ("float32", "mixed_bfloat16")}
    share = flop(shape, 4) / seconds["float32"] / peak
    with capsys.disabled():
        print(f"\nsgemm 4096: {peak / 1e9:.0f} GFLOP/s; a sample is {flop(shape, 4) / 1e9:.0f} GFLOP")
        for precision, value in seconds.items():
            print(f"keras {precision}: {value:.3f} s/sample, {flop(shape, 4) / value / 1e9:.0f} GFLOP/s")
        print(f"share of the sgemm peak in float32: {share:.2f}")
    torch_s = torch_step_s(shape)
    with capsys.disabled():
        print(f"torch float32, channels-last: {torch_s:.3f} s/sample, {torch_s / seconds['float32']:.2f} times ours")
    assert share >= 0.8
    assert torch_s / seconds["float32"] >= 1.6
