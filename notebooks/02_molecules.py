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
# A message-passing network predicts for thousands of molecules what quantum chemistry calculates for one at a time.
# This notebook enumerates molecules, labels them with GFN2-xTB, a semi-empirical method that takes milliseconds, trains
# an equivariant network on their geometries, and evaluates its accuracy for each property.
#
# No files and no network connection are needed. With your own table of SMILES, start at *Ingest*.

# %%
from rdkit import Chem
from rdkit.Chem import Draw
from tenfold.pipelines.labels.enumeration import enumerate_molecules

examples = [Chem.MolFromSmiles(smiles) for smiles in enumerate_molecules(8, seed=1, kind="mixed")]
Draw.MolsToGridImage(examples, molsPerRow=4, subImgSize=(220, 150))

# %% [markdown]
# Eight of the molecules that are enumerated. Their atomisation energies are nearly sums over atoms and bonds; their
# orbital energies and dipole moments are not.

# %% tags=["parameters"]
OUT = "../runs/notebook_molecules"
MOLECULES = 1000
EPOCHS = 30

# %%
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
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
# Molecules are enumerated from fragments; each gets a conformer from ETKDG and MMFF94, and its properties from
# GFN2-xTB. Existing labels are reused.

# %%
labelled = label_molecules(replace(config.labels, count=MOLECULES), out / "molecules")
print(labelled)

# %% [markdown]
# ## Ingest
#
# Files are converted to shards of graphs. Duplicates of a molecule are always in the same split, and rows that cannot
# be read are listed in `rejected.csv` with line and reason.

# %%
ingest_molecules([labelled.structures], out / "data", config.ingest)
data = MoleculeShards.open(out / "data")
test = data.split("test")
print({split: len(data.split(split)) for split in ("train", "validation", "test")})
Draw.MolsToGridImage([Chem.MolFromSmiles(smiles) for smiles in data.smiles(test[:8])], molsPerRow=4, useSVG=True)

# %% [markdown]
# The targets are five properties of different locality. An atomisation energy is nearly additive over atoms; an orbital
# energy is a property of the whole molecule.

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
# PaiNN (arXiv:2102.03150): its energies are invariant and its dipoles equivariant under rotation of the molecule. Under
# `mpirun` the same call trains on many ranks; an interrupted run is resumed.

# %%
training = replace(config.training, epochs=EPOCHS)
run = train_molecules(out / "data", out / "run", config.network, training, Ranks(), resume=True)
history = run.read_history()
plt.figure(figsize=(5, 3), layout="constrained")
plt.plot(history["epoch"], history["loss"], label="training")
plt.plot(history["epoch"], history["validation_loss"], label="validation")
plt.xlabel("epoch")
plt.ylabel("negative log-likelihood")
_ = plt.legend(frameon=False)
# %% [markdown]
# ## Predict
#
# The bundle is one file: network, features, units, scaling and calibration. It predicts a value and a standard
# deviation.

# %%
predictor = load(run.bundle)
predictions = predictor.predict_graphs(data.graphs(test))
truth = data.targets(test)
figure, axes = plt.subplots(1, len(names), figsize=(13, 2.8), layout="constrained")
for t, (axis, name, unit) in enumerate(zip(axes, names, units, strict=True)):
    mean, sigma = predictions[:, t].T
    axis.errorbar(truth[:, t], mean, sigma, fmt="o", ms=2, lw=0.5, color="#0072B2", alpha=0.6)
    limits = [truth[:, t].min(), truth[:, t].max()]
    axis.plot(limits, limits, color="black", lw=0.8)
    error = np.abs(mean - truth[:, t]).mean()
    axis.set(title=f"{name.replace('_', ' ')}\nmean error {error:.3f} {unit}", xlabel="GFN2-xTB", ylabel="network")

# %% [markdown]
# Are the predicted uncertainties calibrated? For Gaussian errors, 68 % of the true values are within one standard
# deviation.

# %%
for t, name in enumerate(names):
    inside = np.abs(predictions[:, t, 0] - truth[:, t]) < predictions[:, t, 1]
    print(f"{name:20s} {100 * inside.mean():.0f} % within one standard deviation")
