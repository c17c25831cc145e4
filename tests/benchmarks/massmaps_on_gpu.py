"""The networks of mass maps on a GPU: Keras on the JAX backend, compared with the same networks in PyTorch.

    KERAS_BACKEND=tensorflow python massmaps_on_gpu.py --write maps.npz RUN …   # on the machine of the training
    KERAS_BACKEND=jax python massmaps_on_gpu.py --reference maps.npz RUN …      # on the GPU

The machine needs keras, jax and torch, but no TensorFlow. For each trained generator the script prints the difference
of its maps, and of those of PyTorch with the same weights, from the maps that TensorFlow makes of the same random
numbers, and the maps per second. For CosmoGAN (256², batch 64) it prints the rate of a training step of both networks.
Rates are medians of seven windows of twenty steps without compilation; batches of 1,024 generated maps; products in
TF32 wherever a rate is measured.

On one NVIDIA H200 (November 2026; keras 3.15.1, jax 0.11.2, torch 2.11.0); ranges are of two measurements:

                          difference         Keras on JAX            PyTorch   torch.compile   tenfold / best
    demo, 64²             5e-7               254,000-256,000 maps/s  113,000   170,000         1.50
    one cosmology, 64²    4e-7               196,000-197,000         77,000    150,000         1.30
    one cosmology, 128²   5e-7               49,900-50,200           19,400    38,600          1.29
    CosmoGAN, step        3e-4 (in TF32)     243 maps/s              1,630     2,060           0.12
      in bfloat16                            214                     2,200     3,500           0.06

A step of CosmoGAN is slow on JAX for a single reason: XLA takes 239 of its 264 ms for the gradients of transposed
convolutions with respect to their kernels (205 of them for the last one, of one channel), for which cuDNN has its own
algorithm. Keras on TensorFlow uses cuDNN; its speed was not measured, because no GPU with TensorFlow was available.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from tenfold.emulators.adversarial import AdversarialTraining, adam
from tenfold.emulators.discriminator import build_discriminator
from tenfold.emulators.gan import COSMOGAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.intensity import IntensityTransform
from tenfold.emulators.lognormal import LognormalModel
from tenfold.pipelines.emulator.emulator import MassMapEmulator

COMPARED, GENERATED, BATCH, WINDOWS, STEPS = 32, 1024, 64, 7, 20


def random_inputs(network: keras.Model) -> dict[str, np.ndarray]:
    """Random inputs of a generator; a conditional one gets the central cosmology of the demo."""
    rng = np.random.default_rng(1)
    inputs = {x.name: rng.standard_normal((GENERATED, x.shape[1]), np.float32) for x in network.inputs}
    if "parameters" in inputs:
        inputs["parameters"] = np.tile(np.float32([0.3, 0.8]), (GENERATED, 1))
    return inputs


def first_inputs(inputs: dict) -> dict:
    """Return the inputs of the first COMPARED maps."""
    return {name: value[:COMPARED] for name, value in inputs.items()}


def per_second(work: Callable[[], object], wait: Callable[[object], object], count: int) -> float:
    """Return the maps per second of a function: median of several windows of steps after a warm-up."""
    rates = []
    for _ in range(WINDOWS + 1):
        start = time.perf_counter()
        for _ in range(STEPS):
            output = work()
        wait(output)
        rates.append(STEPS * count / (time.perf_counter() - start))
    return statistics.median(rates[1:])


def relative_rms(maps, reference: np.ndarray) -> float:
    """Root mean square of the difference over that of the reference."""
    return float(np.sqrt(np.mean((np.asarray(maps) - reference) ** 2) / np.mean(reference**2)))


def torch_rate(pair, real: np.ndarray, latent: np.ndarray, training: AdversarialTraining, half: bool, device: str):
    """Return the maps per second of training steps of both networks: eager and compiled."""
    import torch
    from torch.nn.functional import softplus

    generator, discriminator = pair
    real_maps = torch.tensor(real.transpose(0, 3, 1, 2)).to(device, memory_format=torch.channels_last)
    numbers = torch.tensor(latent).to(device)
    optimizers = [
        torch.optim.Adam(m.parameters(), 2e-4, (training.beta_1, training.beta_2), 1e-6, fused=device == "cuda")
        for m in pair
    ]

    def rate(discriminate, generate):
        def descend(index, loss, network):
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm)
            optimizers[index].step()
            for optimizer in optimizers:
                optimizer.zero_grad()

        def step():
            with torch.autocast(device, torch.bfloat16, enabled=half):
                generated = generate(numbers)
                scores = discriminate(real_maps), discriminate(generated.detach())
            descend(1, softplus(-scores[0].float()).mean() + softplus(scores[1].float()).mean(), discriminator)
            with torch.autocast(device, torch.bfloat16, enabled=half):
                score = discriminate(generated)
            loss = softplus(-score.float()).mean()
            descend(0, loss, generator)
            return loss

        return per_second(step, lambda loss: loss.item(), len(real))

    return rate(discriminator, generator), rate(*[torch.compile(m, dynamic=False) for m in (discriminator, generator)])


def keras_rate(pair, real: np.ndarray, latent: np.ndarray, training: AdversarialTraining) -> float:
    """Return the maps per second of training steps.

    The step is that of `tenfold.emulators.adversarial.adversarial_step` without penalty.
    """
    import jax
    import jax.numpy as jnp

    generator, discriminator = pair
    optimizers = [adam(training, 2e-4, 1000), adam(training, 2e-4, 1000)]
    state = []
    for network, optimizer in zip(pair, optimizers, strict=True):
        optimizer.build(network.trainable_variables)
        state.append(tuple([v.value for v in variables] for variables in (network.trainable_variables,
                           network.non_trainable_variables, optimizer.variables)))  # fmt: skip

    def step(state, real, latent):
        (g, g_fixed, g_optimizer), (d, d_fixed, d_optimizer) = state
        generated, pullback, g_fixed = jax.vjp(
            lambda g: generator.stateless_call(g, g_fixed, {"latent": latent}, training=True), g, has_aux=True
        )

        def discriminator_loss(d):
            both = jnp.concatenate([real, generated])
            scores, fixed = discriminator.stateless_call(d, d_fixed, {"map": both}, training=True)
            return sum(jax.nn.softplus(s).mean() for s in (-scores[: len(real)], scores[len(real) :])), fixed

        def generator_loss(generated):
            scores, fixed = discriminator.stateless_call(d, d_fixed, {"map": generated}, training=True)
            return jax.nn.softplus(-scores).mean(), fixed

        gradient, d_fixed = jax.grad(discriminator_loss, has_aux=True)(d)
        d, d_optimizer = optimizers[1].stateless_apply(d_optimizer, gradient, d)
        gradient, d_fixed = jax.grad(generator_loss, has_aux=True)(generated)
        g, g_optimizer = optimizers[0].stateless_apply(g_optimizer, pullback(gradient)[0], g)
        return ((g, g_fixed, g_optimizer), (d, d_fixed, d_optimizer))

    compiled = jax.jit(step, donate_argnums=0)
    real_maps, numbers = jnp.asarray(real), jnp.asarray(latent)
    current = [tuple(state)]

    def work():
        current[0] = compiled(current[0], real_maps, numbers)
        return current[0]

    return per_second(work, jax.block_until_ready, len(real))


def cosmogan(device: str) -> None:
    """Print the rates of a training step of CosmoGAN's two networks."""
    import torch
    from massmaps_in_torch import torch_cosmogan

    torch.set_float32_matmul_precision("high")  # products in TF32, the default of JAX
    architecture = replace(
        COSMOGAN, boundary="cropped", group_size=BATCH
    )  # normalised over the whole batch, as published
    training = AdversarialTraining(global_batch=BATCH, beta_1=0.5, beta_2=0.999, warmup_epochs=0)
    model = LognormalModel.white_noise(architecture.size, IntensityTransform())
    rng = np.random.default_rng(1)
    real = rng.standard_normal((BATCH, architecture.size, architecture.size, 1), np.float32)
    latent = rng.standard_normal((BATCH, architecture.latent_dim), np.float32)
    for precision in ("float32", "mixed_bfloat16"):
        pair = (
            build_generator(architecture, model, precision=precision),
            build_discriminator(architecture, model, precision=precision),
        )
        torch_pair = torch_cosmogan(*pair, device)
        if precision == "float32":
            with torch.no_grad():
                generated = torch_pair[0](torch.tensor(latent).to(device))
                scores = torch_pair[1](torch.tensor(real.transpose(0, 3, 1, 2)).to(device))
                maps = np.asarray(pair[0]({"latent": latent}, training=True))
                keras_scores = np.asarray(pair[1]({"map": real}, training=True))
            difference = relative_rms(generated.cpu().permute(0, 2, 3, 1), maps)
            score_difference = relative_rms(scores.cpu(), keras_scores)
            print(f"CosmoGAN: relative difference of PyTorch from Keras: maps {difference:.1e},",
                  f"scores {score_difference:.1e}", flush=True)  # fmt: skip
        keras = keras_rate(pair, real, latent, training)
        eager, compiled = torch_rate(torch_pair, real, latent, training, precision != "float32", device)
        print(f"CosmoGAN {precision}: {1e3 * BATCH / keras:.2f} ms per step of {BATCH} maps, {keras:.0f} maps/s;",
              f"PyTorch {eager:.0f} maps/s, compiled {compiled:.0f}: tenfold / best {keras / max(eager, compiled):.2f}",
              flush=True)  # fmt: skip


def compare_trained(path: Path, references: dict[str, np.ndarray], device: str) -> None:
    """Print the difference of a trained generator's maps from TensorFlow's, and its maps per second."""
    import jax
    import torch
    from massmaps_in_torch import torch_generator

    network = MassMapEmulator.load(path).network
    reference, inputs = references[str(path)], random_inputs(network)
    values = [
        [v.value for v in variables] for variables in (network.trainable_variables, network.non_trainable_variables)
    ]

    def generate(inputs):
        return network.stateless_call(*values, inputs, training=False)[0]

    jax_generator, eager = jax.jit(generate), torch_generator(network, device)
    torch.compiler.reset()
    torch._dynamo.config.recompile_limit = 64  # one for every layer
    compiled = torch.compile(eager, dynamic=False)
    on_gpu = {name: torch.tensor(value).to(device) for name, value in inputs.items()}
    placed = {name: jax.device_put(value) for name, value in inputs.items()}
    with torch.no_grad():
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        torch_maps = eager(**first_inputs(on_gpu)).permute(0, 2, 3, 1).cpu()
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        with jax.default_matmul_precision("highest"):
            exact = relative_rms(jax.jit(generate)(first_inputs(placed)), reference)
        tf32 = relative_rms(jax_generator(first_inputs(placed)), reference)
        torch_difference = relative_rms(torch_maps, reference)
        print(f"{path}: maps of {reference.shape[1]}², relative difference from TensorFlow: {exact:.1e} on JAX",
              f"(TF32: {tf32:.1e}), {torch_difference:.1e} in PyTorch", flush=True)  # fmt: skip
        jax_rate = per_second(lambda: jax_generator(placed), jax.block_until_ready, GENERATED)
        rates = [
            per_second(lambda w=work: w(**on_gpu), lambda x: float(x.sum()), GENERATED) for work in (eager, compiled)
        ]
    print(f"  {jax_rate:.0f} maps/s; PyTorch {rates[0]:.0f}, compiled {rates[1]:.0f}:",
          f"tenfold / best {jax_rate / max(rates):.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    if arguments.write:
        loaded = {path: MassMapEmulator.load(path).network for path in arguments.networks}
        np.savez(
            arguments.write, **{str(path): np.asarray(n(first_inputs(random_inputs(n)))) for path, n in loaded.items()}
        )
    else:
        references = dict(np.load(arguments.reference))
        for path in arguments.networks:
            compare_trained(path, references, arguments.device)
        cosmogan(arguments.device)
