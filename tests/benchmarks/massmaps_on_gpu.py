"""The networks of mass maps on a GPU: Keras on the JAX backend, beside the same networks in PyTorch.

    KERAS_BACKEND=tensorflow python massmaps_on_gpu.py --write maps.npz RUN …   # where the training was
    KERAS_BACKEND=jax python massmaps_on_gpu.py --beside maps.npz RUN …         # on the GPU

A machine for this needs keras, jax and torch, and no TensorFlow. Of each trained generator it prints how far its maps
are from those that TensorFlow made of the same random numbers, PyTorch's (weights copied) too, and maps per second; of
CosmoGAN (256², batch 64) what a step of both players takes. Medians of seven windows of twenty steps, compiling not
counted; batches of 1,024 generated maps; products in TF32 wherever a rate is measured.

On one NVIDIA H200 (November 2026; keras 3.15.1, jax 0.11.2, torch 2.11.0), twice where it is a range:

                          off TensorFlow's   Keras on JAX            PyTorch   torch.compile   ours / best
    demo's, 64²           5e-7               254,000-256,000 maps/s  113,000   170,000         1.50
    one cosmology, 64²    4e-7               196,000-197,000         77,000    150,000         1.30
    one cosmology, 128²   5e-7               49,900-50,200           19,400    38,600          1.29
    CosmoGAN's step       3e-4 (in TF32)     243 maps/s              1,630     2,060           0.12
      in bfloat16                            214                     2,200     3,500           0.06

CosmoGAN's step is slow on JAX by one thing: XLA takes 239 of its 264 ms for gradients of transposed convolutions by
their kernels (205 of them for the last, of one channel), which cuDNN has a way of its own for. Keras on TensorFlow asks
cuDNN; how fast that is was not measured, for want of a GPU with TensorFlow.
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

COMPARED, MADE, BATCH, WINDOWS, STEPS = 32, 1024, 64, 7, 20


def inputs_of(network: keras.Model) -> dict[str, np.ndarray]:
    """Random numbers for maps, at a cosmology in the midst of the demo's where there is one."""
    rng = np.random.default_rng(1)
    found = {x.name: rng.standard_normal((MADE, x.shape[1]), np.float32) for x in network.inputs}
    if "parameters" in found:
        found["parameters"] = np.tile(np.float32([0.3, 0.8]), (MADE, 1))
    return found


def first(inputs: dict) -> dict:
    """The few of them that are compared."""
    return {name: value[:COMPARED] for name, value in inputs.items()}


def per_second(work: Callable[[], object], wait: Callable[[object], object], count: int) -> float:
    """Maps per second of a piece of work: median of some windows of some steps, after one of warming up."""
    rates = []
    for _ in range(WINDOWS + 1):
        start = time.perf_counter()
        for _ in range(STEPS):
            done = work()
        wait(done)
        rates.append(STEPS * count / (time.perf_counter() - start))
    return statistics.median(rates[1:])


def off(maps, truth: np.ndarray) -> float:
    """Root mean square of a difference over that of the truth."""
    return float(np.sqrt(np.mean((np.asarray(maps) - truth) ** 2) / np.mean(truth**2)))


def torch_rate(pair, real: np.ndarray, latent: np.ndarray, training: AdversarialTraining, half: bool, device: str):
    """Maps per second of steps of both players, eager and compiled: two numbers."""
    import torch
    from torch.nn.functional import softplus

    generator, discriminator = pair
    real_maps = torch.tensor(real.transpose(0, 3, 1, 2)).to(device, memory_format=torch.channels_last)
    numbers = torch.tensor(latent).to(device)
    players = [
        torch.optim.Adam(m.parameters(), 2e-4, (training.beta_1, training.beta_2), 1e-6, fused=device == "cuda")
        for m in pair
    ]

    def rate(judge, make):
        def descend(index, loss, network):
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm)
            players[index].step()
            for player in players:
                player.zero_grad()

        def step():
            with torch.autocast(device, torch.bfloat16, enabled=half):
                made = make(numbers)
                scores = judge(real_maps), judge(made.detach())
            descend(1, softplus(-scores[0].float()).mean() + softplus(scores[1].float()).mean(), discriminator)
            with torch.autocast(device, torch.bfloat16, enabled=half):
                score = judge(made)
            loss = softplus(-score.float()).mean()
            descend(0, loss, generator)
            return loss

        return per_second(step, lambda loss: loss.item(), len(real))

    return rate(discriminator, generator), rate(*[torch.compile(m, dynamic=False) for m in (discriminator, generator)])


def keras_rate(pair, real: np.ndarray, latent: np.ndarray, training: AdversarialTraining) -> float:
    """Maps per second of steps of both players: as `tenfold.emulators.adversarial.adversarial_step`, of no penalty."""
    import jax
    import jax.numpy as jnp

    generator, discriminator = pair
    rules = [adam(training, 2e-4, 1000), adam(training, 2e-4, 1000)]
    state = []
    for network, rule in zip(pair, rules, strict=True):
        rule.build(network.trainable_variables)
        state.append(tuple([v.value for v in kept] for kept in (network.trainable_variables,
                           network.non_trainable_variables, rule.variables)))  # fmt: skip

    def step(state, real, latent):
        (g, g_still, g_rule), (d, d_still, d_rule) = state
        made, pull, g_still = jax.vjp(
            lambda g: generator.stateless_call(g, g_still, {"latent": latent}, training=True), g, has_aux=True
        )

        def judged(d):
            both = jnp.concatenate([real, made])
            scores, still = discriminator.stateless_call(d, d_still, {"map": both}, training=True)
            return sum(jax.nn.softplus(s).mean() for s in (-scores[: len(real)], scores[len(real) :])), still

        def missed(made):
            scores, still = discriminator.stateless_call(d, d_still, {"map": made}, training=True)
            return jax.nn.softplus(-scores).mean(), still

        gradient, d_still = jax.grad(judged, has_aux=True)(d)
        d, d_rule = rules[1].stateless_apply(d_rule, gradient, d)
        gradient, d_still = jax.grad(missed, has_aux=True)(made)
        g, g_rule = rules[0].stateless_apply(g_rule, pull(gradient)[0], g)
        return ((g, g_still, g_rule), (d, d_still, d_rule))

    compiled = jax.jit(step, donate_argnums=0)
    real_maps, numbers = jnp.asarray(real), jnp.asarray(latent)
    kept = [tuple(state)]

    def work():
        kept[0] = compiled(kept[0], real_maps, numbers)
        return kept[0]

    return per_second(work, jax.block_until_ready, len(real))


def cosmogan(device: str) -> None:
    """Print what a step of CosmoGAN's two players takes."""
    import torch
    from massmaps_in_torch import cosmogan_of

    torch.set_float32_matmul_precision("high")  # as JAX does of itself: products in TF32
    shape = replace(COSMOGAN, boundary="cropped", group_size=BATCH)  # a batch normed whole, as published
    training = AdversarialTraining(global_batch=BATCH, beta_1=0.5, beta_2=0.999, warmup_epochs=0)
    model = LognormalModel.white_noise(shape.size, IntensityTransform())
    rng = np.random.default_rng(1)
    real = rng.standard_normal((BATCH, shape.size, shape.size, 1), np.float32)
    latent = rng.standard_normal((BATCH, shape.latent_dim), np.float32)
    for precision in ("float32", "mixed_bfloat16"):
        pair = (
            build_generator(shape, model, precision=precision),
            build_discriminator(shape, model, precision=precision),
        )
        beside = cosmogan_of(*pair, device)
        if precision == "float32":
            with torch.no_grad():
                made = beside[0](torch.tensor(latent).to(device))
                scores = beside[1](torch.tensor(real.transpose(0, 3, 1, 2)).to(device))
                maps = np.asarray(pair[0]({"latent": latent}, training=True))
                judged = np.asarray(pair[1]({"map": real}, training=True))
            print(f"CosmoGAN: PyTorch's maps off Keras's by {off(made.cpu().permute(0, 2, 3, 1), maps):.1e},",
                  f"scores by {off(scores.cpu(), judged):.1e}", flush=True)  # fmt: skip
        ours = keras_rate(pair, real, latent, training)
        eager, compiled = torch_rate(beside, real, latent, training, precision != "float32", device)
        print(f"CosmoGAN {precision}: {1e3 * BATCH / ours:.2f} ms a step of {BATCH}, {ours:.0f} maps/s;",
              f"PyTorch {eager:.0f} maps/s, compiled {compiled:.0f}: ours / best {ours / max(eager, compiled):.2f}",
              flush=True)  # fmt: skip


def trained(path: Path, beside: dict[str, np.ndarray], device: str) -> None:
    """Print how far a trained generator's maps are from TensorFlow's, and how many it makes a second."""
    import jax
    import torch
    from massmaps_in_torch import generator_of

    network = MassMapEmulator.load(path).network
    truth, many = beside[str(path)], inputs_of(network)
    values = [[v.value for v in kept] for kept in (network.trainable_variables, network.non_trainable_variables)]

    def made(inputs):
        return network.stateless_call(*values, inputs, training=False)[0]

    make, twin = jax.jit(made), generator_of(network, device)
    torch.compiler.reset()
    torch._dynamo.config.recompile_limit = 64  # one for every layer
    compiled = torch.compile(twin, dynamic=False)
    on_gpu = {name: torch.tensor(value).to(device) for name, value in many.items()}
    placed = {name: jax.device_put(value) for name, value in many.items()}
    with torch.no_grad():
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        other = twin(**first(on_gpu)).permute(0, 2, 3, 1).cpu()
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        with jax.default_matmul_precision("highest"):
            exact = off(jax.jit(made)(first(placed)), truth)
        print(f"{path}: maps of {truth.shape[1]}², off TensorFlow's by {exact:.1e} on JAX (TF32:",
              f"{off(make(first(placed)), truth):.1e}), {off(other, truth):.1e} in PyTorch", flush=True)  # fmt: skip
        ours = per_second(lambda: make(placed), jax.block_until_ready, MADE)
        rates = [per_second(lambda w=work: w(**on_gpu), lambda x: float(x.sum()), MADE) for work in (twin, compiled)]
    print(f"  {ours:.0f} maps/s; PyTorch {rates[0]:.0f}, compiled {rates[1]:.0f}: ours / best {ours / max(rates):.2f}",
          flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--device", default="cuda")
    asked = parser.parse_args()
    if asked.write:
        loaded = {path: MassMapEmulator.load(path).network for path in asked.networks}
        np.savez(asked.write, **{str(path): np.asarray(n(first(inputs_of(n)))) for path, n in loaded.items()})
    else:
        given = dict(np.load(asked.beside))
        for each in asked.networks:
            trained(each, given, asked.device)
        cosmogan(asked.device)
