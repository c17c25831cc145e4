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
# # Molecules
#
# What quantum chemistry calculates for one molecule at a time, a message-passing network predicts for thousands. This
# notebook makes molecules, labels them by GFN2-xTB, a semi-empirical method that takes milliseconds, trains an
# equivariant network on where their atoms are, and looks at how good it is, and at what.
#
# Nothing here needs a file or a network connection. With your own table of SMILES, begin at *Ingest*.

# %% tags=["parameters"]
OUT = "../runs/notebook_molecules"
MOLECULES = 1000
EPOCHS = 30

# %%
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from rdkit import Chem
from rdkit.Chem import Draw
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines import load
from tenfold.pipelines.studies.chemistry_config import ChemistryRun
from tenfold.pipelines.config import load as load_config
from tenfold.pipelines.labels.labels import label_molecules
from tenfold.pipelines.predictor.train import train_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.molecules.ingest import ingest_molecules

out = Path(OUT)
config = load_config(ChemistryRun, preset="demo")

# %% [markdown]
# ## Label
#
# Molecules are enumerated from fragments; each gets a conformer by ETKDG and MMFF94, and then its properties by
# GFN2-xTB. What has been labelled before is not labelled again.

# %%
labelled = label_molecules(replace(config.labels, count=MOLECULES), out / "molecules")
print(labelled)

# %% [markdown]
# ## Ingest
#
# Files become packed graphs. Molecules that are the same never stand on both sides of the split, and what cannot be
# read is written to `rejected.csv` with its line and the reason.

# %%
ingest_molecules([labelled.structures], out / "data", config.ingest)
data = MoleculeShards.open(out / "data")
test = data.split("test")
print({split: len(data.split(split)) for split in ("train", "validation", "test")})
Draw.MolsToGridImage([Chem.MolFromSmiles(smiles) for smiles in data.smiles(test[:8])], molsPerRow=4, useSVG=True)

# %% [markdown]
# What there is to learn: five properties, very different in how far they reach. An atomisation energy is very nearly a
# sum over atoms; an orbital's energy belongs to the whole molecule.

# %%
labels, names = data.targets(np.arange(len(data))), [target.name for target in data.manifest.targets]
units = [target.unit for target in data.manifest.targets]
figure, axes = plt.subplots(1, len(names), figsize=(13, 2.4), layout="constrained")
for axis, name, unit, column in zip(axes, names, units, labels.T, strict=True):
    axis.hist(column, 30, color="#0072B2")
    axis.set(xlabel=f"{name.replace('_', ' ')} [{unit}]", yticks=[])

# %% [markdown]
# ## Train
#
# PaiNN (arXiv:2102.03150): its energies do not change when a molecule turns, and its dipoles turn with it. Under
# `mpirun` the same call trains on many ranks; a run that was interrupted goes on where it stopped.

# %%
training = replace(config.training, epochs=EPOCHS)
run = train_molecules(out / "data", out / "run", config.network, training, Ranks(), resume=True)
history = run.read_history()
plt.figure(figsize=(5, 3), layout="constrained")
plt.plot(history["epoch"], history["loss"], label="training")
plt.plot(history["epoch"], history["validation_loss"], label="validation")
plt.xlabel("epoch")
plt.ylabel("negative log-likelihood")
plt.legend(frameon=False)
# %% [markdown]
# ## Predict
#
# The bundle is one file: network, features, units, scaling and calibration. It answers with a value and a standard
# deviation.

# %%
predictor = load(run.bundle)
found = predictor.predict_graphs(data.graphs(test))
truth = data.targets(test)
figure, axes = plt.subplots(1, len(names), figsize=(13, 2.8), layout="constrained")
for t, (axis, name, unit) in enumerate(zip(axes, names, units, strict=True)):
    mean, sigma = found[:, t].T
    axis.errorbar(truth[:, t], mean, sigma, fmt="o", ms=2, lw=0.5, color="#0072B2", alpha=0.6)
    limits = [truth[:, t].min(), truth[:, t].max()]
    axis.plot(limits, limits, color="black", lw=0.8)
    error = np.abs(mean - truth[:, t]).mean()
    axis.set(title=f"{name.replace('_', ' ')}\nmean error {error:.3f} {unit}", xlabel="GFN2-xTB", ylabel="network")

# %% [markdown]
# Are the stated uncertainties honest? Of Gaussian ones, 68 % of the truths lie within one standard deviation.

# %%
for t, name in enumerate(names):
    inside = np.abs(found[:, t, 0] - truth[:, t]) < found[:, t, 1]
    print(f"{name:20s} {100 * inside.mean():.0f} % within one standard deviation")
