# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Reading the universe
#
# Given a box of dark matter, 128 Mpc/h wide, what are the matter density and the clustering amplitude of its universe?
# This notebook simulates boxes for many cosmologies, trains a small convolutional network to estimate (Ωm, σ8) from
# them, and compares it with the standard method, the power spectrum of the same boxes.
#
# The sizes below take a few minutes on a laptop, in one process. `make demo` does the same with more boxes on two MPI
# ranks, and adds a null test on Gaussian fields, which contain no information beyond the power spectrum.

# %%
import matplotlib.pyplot as plt
import numpy as np
from tenfold.pipelines import Simulation
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.simulate import simulate_box, transfer_table

small = Simulation(particles=64, box_mpc_h=128.0, grid=64)
table = transfer_table(small)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, (omega_m, sigma_8) in zip(axes, ((0.15, 0.6), (0.3, 0.8), (0.45, 0.95)), strict=True):
    counts = simulate_box(small, Cosmology(omega_m=omega_m, sigma_8=sigma_8), 1, table)[..., 0]
    axis.imshow(np.log1p(counts[:, :, :8].sum(2)).T, origin="lower", cmap="inferno", extent=(0, 128, 0, 128))
    axis.set(title=f"Ωm = {omega_m}, σ8 = {sigma_8}", xlabel="x [Mpc/h]")
_ = axes[0].set_ylabel("y [Mpc/h]")

# %% [markdown]
# Three universes that grew from the same random numbers: dark matter in a slab of 16 Mpc/h. Which differences are due
# to Ωm and which to σ8 is hard to see; the network learns it.

# %% tags=["parameters"]
OUT = "../runs/notebook"
BOXES = 128
PARTICLES = 64
EPOCHS = 40

# %%
from dataclasses import replace
from pathlib import Path

from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.config import load
from tenfold.pipelines.estimator.comparison import compare
from tenfold.pipelines.estimator.train import train_estimator
from tenfold.pipelines.estimator.estimator import Estimator
from tenfold.pipelines.simulation.matter_power import camb_power
from tenfold.pipelines.simulation.simulate import simulate_volumes
from tenfold.pipelines.studies.cosmology_config import CosmologyRun
from tenfold.pipelines.volumes.shards import Shards
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.stats.power import overdensity, power_spectrum

out = Path(OUT)
config = load(CosmologyRun, preset="demo")
simulation = replace(config.simulation, count=BOXES, particles=PARTICLES, grid=PARTICLES, box_mpc_h=2.0 * PARTICLES)

# %% [markdown]
# ## Simulate
#
# Initial conditions by second-order Lagrangian perturbation theory from CAMB's linear spectrum, then ten particle-mesh
# steps to redshift 0. Cosmologies follow a Sobol sequence, so that any number of boxes covers the plane evenly.
# Existing boxes are reused.

# %%
simulate_volumes(simulation, out / "boxes")

# %% [markdown]
# ## Ingest
#
# Shards contain one record per box, each with a checksum. The data are split by simulation.

# %%
ingest = replace(config.ingest, fractions=(0.7, 0.1, 0.2))  # training, validation, test
ingest_volumes([out / "boxes"], out / "data", ingest)
shards = Shards.open(out / "data")
manifest = shards.manifest
{split: len(shards.split(split)) for split in ("train", "validation", "test")}

# %% [markdown]
# Two universes: matter projected through a slab of an eighth of the box.

# %%
records = np.arange(len(shards))
truth = shards.parameters(records)
extremes = [int(np.argmin(truth.sum(1))), int(np.argmax(truth.sum(1)))]
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
side = manifest.box_mpc_h
for axis, record in zip(axes, extremes, strict=True):
    volume = shards.read(np.array([record]))[0, ..., 0]
    axis.imshow(np.log1p(volume[:, :, : len(volume) // 8].sum(-1)).T, origin="lower", extent=(0, side, 0, side))
    axis.set_title(f"Ωm = {truth[record, 0]:.2f}, σ8 = {truth[record, 1]:.2f}")
    axis.set_xlabel("x [Mpc/h]")
_ = axes[0].set_ylabel("y [Mpc/h]")

# %% [markdown]
# Their power spectra (shot noise subtracted) and HMcode2020, which was calibrated on far larger simulations. Below the
# scale of a few cells the particle mesh underestimates the power; single boxes scatter on the largest scales.

# %%
figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
for colour, record in zip(("C0", "C1"), extremes, strict=True):
    volume = shards.read(np.array([record]))[0, ..., 0]
    spectrum = power_spectrum(overdensity(volume), side, window_order=1, particles=int(volume.sum()))
    omega_m, sigma_8 = truth[record]
    linear, nonlinear = camb_power(Cosmology(omega_m=omega_m, sigma_8=sigma_8), spectrum.k)
    axis.loglog(spectrum.k, spectrum.power - spectrum.shot_noise, colour, label=f"Ωm {omega_m:.2f}, σ8 {sigma_8:.2f}")
    axis.loglog(spectrum.k, nonlinear, colour + "--", lw=1)
axis.set(xlabel="k [h/Mpc]", ylabel="P(k) [(Mpc/h)³]")
_ = axis.legend()

# %% [markdown]
# ## Train
#
# The network predicts a mean and a standard deviation for each parameter. Every box is augmented by a random one of the
# cube's 48 symmetries and a random periodic shift, which leave the statistics unchanged. On a cluster:
# `srun tenfold train estimator …`, the same loop.

# %%
network = replace(config.network, size=PARTICLES)
training = replace(config.training, epochs=EPOCHS)
train_estimator(out / "data", out / "estimator", network, training, Ranks(), views=config.proof.views, resume=True)
estimator = Estimator.load(out / "estimator")
f"{estimator.network.count_params():,} parameters"

# %% [markdown]
# ## Validate
#
# Estimates for the same test boxes by two methods: the network, and the best of several regressions from the power
# spectrum.

# %%
comparison = compare(out / "estimator")
methods = comparison.estimates
figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
for p, (axis, name) in enumerate(zip(axes, ("Ωm", "σ8"), strict=True)):
    for method, marker in (("power_spectrum", "s"), ("network", "o")):
        mean, sigma = methods[method].mean[:, p], methods[method].sigma[:, p]
        label = method.replace("_", " ")
        axis.errorbar(comparison.true[:, p], mean, sigma, fmt=marker, ms=4, lw=1, label=label)
    limits = [comparison.true[:, p].min(), comparison.true[:, p].max()]
    axis.plot(limits, limits, "k", lw=1)
    axis.set(xlabel=f"true {name}", ylabel=f"estimated {name}")
_ = axes[0].legend()
