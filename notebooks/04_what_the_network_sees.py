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
# # What the network sees
#
# A network reads Ωm and σ8 off a map of convergence, or off a box of dark matter. Where in the map does it look? A
# picture of that is made in seconds, and is believed far too easily: many methods draw the outlines of what they are
# given, whatever the network has learnt. So every picture below stands beside the same network with its weights
# shuffled; only what differs from that is evidence.
#
# The two networks are those of `tenfold run massmaps --preset demo` and `tenfold run cosmology --preset demo`. In
# folders where these have been run nothing is made again; elsewhere it takes some twenty minutes on two cores. The same
# pictures of a run of your own, as a page: `tenfold explain estimator RUN`.

# %% tags=["parameters"]
MAPS_OUT = "../runs/demo/massmaps"
BOXES_OUT = "../runs/demo/cosmology"
MAPS_SETTINGS = ()  # over the preset, as --set takes them: "simulation.count=20", "estimator_training.epochs=2"
BOXES_SETTINGS = ()

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.config import load
from tenfold.pipelines.estimator.train import train_estimator
from tenfold.pipelines.estimator.estimator import load as load_estimator
from tenfold.pipelines.estimator.saliency import in_turn, measure
from tenfold.pipelines.volumes.maps import ingest_massmaps
from tenfold.pipelines.simulation.lensing.simulate import simulate_massmaps
from tenfold.pipelines.reports.figures import print_trusted
from tenfold.pipelines.simulation.simulate import simulate_volumes
from tenfold.pipelines.studies.cosmology_config import CosmologyRun
from tenfold.pipelines.studies.massmaps_config import MassMapsRun
from tenfold.pipelines.volumes.shards import Shards
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.stats.saliency import highest_peaks

out, out_boxes = Path(MAPS_OUT), Path(BOXES_OUT)
names = ("Ωm", "σ8")

# %% [markdown]
# ## An estimator of maps
#
# Boxes over many cosmologies, convergence maps through them, shards split by simulation, and a small convolutional
# network. What is there already is not made again.

# %%
config = load(MassMapsRun, preset="demo", settings=MAPS_SETTINGS)
simulate_massmaps(config.simulation, out / "maps")
ingest_massmaps([out / "maps"], out / "data", config.ingest)
study = config.map_estimator
train_estimator(
    out / "data", out / "estimator", study.network, study.training, Ranks(), views=study.proof.views, resume=True
)
estimator = load_estimator(out / "estimator")

# %% [markdown]
# Four test maps, each of another cosmology. Whether the estimates are any good comes first: where a network looks that
# has learnt nothing is of no interest. A single map tells σ8 √Ωm, by which lensing goes, far better than either alone.

# %%
shards = Shards.open(out / "data")
manifest = shards.manifest
test = shards.split("test")
mean, sigma = estimator.predict(shards.read(test), views=8)
truth = shards.parameters(test)
lensing = [values[:, 1] * values[:, 0] ** 0.5 for values in (mean, truth)]
for name, estimated, true in (*zip(names, mean.T, truth.T, strict=True), ("σ8 √Ωm", *lensing)):
    rms = np.sqrt(np.mean((estimated - true) ** 2))
    print(f"{name}: rms error {rms:.3f}; always answering with the mean would make {true.std():.3f}")
chosen = test[in_turn(shards.simulation(test).tolist(), 4)]
maps = shards.read(chosen)

# %% [markdown]
# ## Three methods, three questions
#
# - The **gradient**: by how much would the estimate change if this pixel were brighter?
# - **SmoothGrad** (arXiv:1706.03825): the same, averaged over copies with a little noise, because gradients of networks
#   are ragged.
# - **Integrated gradients** (arXiv:1703.01365): how much of this estimate, beside the answer to an empty map, is owed
#   to this pixel? The shares add up to the difference; by how much they miss it is told.
#
# Orange raises the estimate, purple lowers it.

# %%
found = {
    method: measure(estimator, maps, manifest.value.mean, method=method, periodic=manifest.periodic)
    for method in ("gradient", "smoothgrad", "integrated")
}
integrated = found["integrated"]
for p, name in enumerate(names):
    shared = np.abs(integrated.answers[:, p] - integrated.baselines[p])
    print(f"{name}: shared out {shared.round(3)}, missed {integrated.completeness_errors[:, p].round(4)}")


# %%
def draw(axis, attribution, what):
    """Draw an attribution: orange raises the estimate, purple lowers it."""
    full = np.quantile(np.abs(attribution), 0.98)
    axis.imshow(attribution, origin="lower", cmap="PuOr_r", vmin=-full, vmax=full)
    axis.set(xticks=[], yticks=[], title=what)


figure, axes = plt.subplots(2, 4, figsize=(12, 6), layout="constrained")
for p, name in enumerate(names):
    axes[p, 0].imshow(maps[0, ..., 0], origin="lower", cmap="inferno", vmax=np.quantile(maps[0], 0.997))
    axes[p, 0].set(xticks=[], yticks=[], title="κ")
    axes[p, 0].set_ylabel(name)
    for axis, (method, each) in zip(axes[p, 1:], found.items(), strict=True):
        draw(axis, each.attributions[0, p], method)
print_trusted(figure, manifest.multipoles)

# %% [markdown]
# How to read it. The gradient and SmoothGrad are ragged: the slopes of neighbouring pixels have little to do with each
# other, so a single pixel of either means nothing. Integrated gradients are a slope times the distance from the mean,
# and that is why they look like the map: look for where their *sign* differs between the two parameters, and for maxima
# that the map does not have.

# %% [markdown]
# ## Over the map
#
# Rings are the map's twenty highest peaks, crosses those of the absolute attribution; grey lines are drawn around the
# densest twentieth of the map.

# %%
figure, axes = plt.subplots(2, 4, figsize=(12, 6.2), layout="constrained")
for i in range(len(maps)):
    rings = highest_peaks(integrated.fields[i], 20, periodic=manifest.periodic)
    for p, name in enumerate(names):
        attribution = integrated.attributions[i, p]
        draw(axes[p, i], attribution, f"{name}: {20 * integrated.matched[i, p]:.0f} of 20 on peaks")
        axes[p, i].contour(
            integrated.fields[i], levels=[np.quantile(integrated.fields[i], 0.95)], colors="grey", linewidths=0.6
        )
        crosses = highest_peaks(np.abs(attribution), 20, periodic=manifest.periodic)
        axes[p, i].scatter(rings[:, 1], rings[:, 0], s=40, facecolors="none", edgecolors="black", lw=0.8)
        axes[p, i].scatter(crosses[:, 1], crosses[:, 0], s=14, marker="x", color="black", lw=0.8)
print_trusted(figure, manifest.multipoles)
for p, name in enumerate(names):
    ours, theirs = integrated.matched[:, p].mean(), integrated.shuffled_matched[:, p].mean()
    chance = integrated.by_chance[:, p, 0].mean()
    print(
        f"{name}: {ours:.2f} of its peaks lie on the map's; by chance {chance:.2f}; with shuffled weights {theirs:.2f}"
    )

# %% [markdown]
# How to read it. That attributions peak where the map does is far beyond chance, and yet shows nothing by itself: see
# the last number. A network of shuffled weights finds the peaks as well, because integrated gradients multiply by the
# map. What was learnt is the *difference* between the two numbers.

# %% [markdown]
# ## Emptiness or peaks?
#
# How much of the absolute attribution lies on each tenth of the pixels, from the emptiest to the densest.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
centres = (np.arange(10) + 0.5) / 10
for p, (axis, name) in enumerate(zip(axes, names, strict=True)):
    shuffled = integrated.shuffled_shares[:, p].reshape(-1, 10)
    for shares, colour, label in ((integrated.shares[:, p], "C0", "trained"), (shuffled, "0.5", "shuffled weights")):
        average, spread = shares.mean(0), shares.std(0)
        axis.fill_between(centres, average - spread, average + spread, color=colour, alpha=0.2, lw=0)
        axis.plot(centres, average, "o-", ms=3, color=colour, label=label)
    axis.axhline(0.1, color="black", lw=0.7, ls=":")
    axis.set(title=name, xlabel="quantile of κ, emptiest to densest", ylabel="share of |attribution|", ylim=(0, None))
axes[0].legend(frameon=False)
print_trusted(figure, manifest.multipoles)

# %% [markdown]
# How to read it. Both lines rise at both ends, because that is where the map is far from its mean. Where the blue line
# leaves the grey band, the network has learnt to look: with the presets as they are, Ωm is read off the emptiest tenth
# more than shuffled weights would have it, and σ8 off the densest. The bands are from map to map, and of the grey line
# from shuffle to shuffle as well; four maps are few.

# %% [markdown]
# ## Is it the network, or the map?
#
# The sanity check of arXiv:1810.03292: layers lose their weights, from the answer down to the map, and the attribution
# is compared with the trained network's (rank correlation of absolute values, mean over the maps). Dotted: its
# correlation with the map's own distance from the mean.

# %%


def forget(axis, each, title):
    """How alike attributions stay while layers lose their weights."""
    steps = np.arange(len(each.layers) + 1)
    for p, (name, colour) in enumerate(zip(names, ("C0", "C1"), strict=True)):
        axis.plot(steps, [1, *each.likenesses[:, p].mean(0)], "o-", ms=3, color=colour, label=name)
        axis.axhline(each.field_likenesses[:, p].mean(), color=colour, ls=":", lw=0.8)
    axis.set_xticks(steps, ["trained", *each.layers], rotation=60, ha="right", fontsize=8)
    axis.set(ylim=(-0.1, 1.05), title=title)


figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained", sharey=True)
for axis, (method, each) in zip(axes, found.items(), strict=True):
    forget(axis, each, method)
axes[0].set_ylabel("likeness to the trained network's")
axes[0].legend(frameon=False)
print_trusted(figure, manifest.multipoles)

# %% [markdown]
# How to read it. The gradient forgets: with all layers shuffled hardly anything of it is left, so it depends on what
# was learnt. Integrated gradients stay half alike to those of a network that knows nothing, and that half is the map.
# Neither shows that the network is *right* to look where it looks, nor that the information lies there: another network
# as good may look elsewhere.

# %% [markdown]
# ## In a box
#
# The same in three dimensions: a network that reads counts of particles. It takes 2³ cells together, and so do we.
# Shown is a slab around the densest cell, chosen by the mass and not by the attribution; beside it, how alike the
# attribution stays while the network's layers lose their weights.

# %%
study = load(CosmologyRun, preset="demo", settings=BOXES_SETTINGS)
simulate_volumes(study.simulation, out_boxes / "boxes")
ingest_volumes([out_boxes / "boxes"], out_boxes / "data", study.ingest)
train_estimator(
    out_boxes / "data", out_boxes / "estimator", study.network, study.training, Ranks(), views=study.proof.views,
    resume=True,
)  # fmt: skip
of_boxes = load_estimator(out_boxes / "estimator")
box_shards = Shards.open(out_boxes / "data")
record = box_shards.split("test")[:1]
seen = measure(of_boxes, box_shards.read(record), box_shards.manifest.value.mean, periodic=box_shards.manifest.periodic)

# %%
figure, axes = plt.subplots(1, 4, figsize=(14, 3.8), layout="constrained")
box = seen.fields[0]
depth = max(1, len(box) // 8)
start = int(np.clip(np.unravel_index(box.argmax(), box.shape)[2] - depth // 2, 0, len(box) - depth))
axes[0].imshow(np.log1p(box[:, :, start : start + depth].mean(2)).T, origin="lower", cmap="inferno")
axes[0].set(xticks=[], yticks=[], title="log(1 + count)")
for p, name in enumerate(names):
    draw(axes[p + 1], seen.attributions[0, p, :, :, start : start + depth].sum(2).T, f"{name}, summed through the slab")
    ours, theirs = seen.shares[0, p, -1], seen.shuffled_shares[0, p, :, -1]
    print(
        f"{name}: {ours:.0%} of |attribution| on the densest tenth of the cells; with shuffled weights "
        f"{theirs.min():.0%} to {theirs.max():.0%}; likeness to a shuffled network's {seen.likenesses[0, p, -1]:.2f}"
    )
forget(axes[3], seen, "likeness, layers shuffled")
axes[3].legend(frameon=False)

# %% [markdown]
# How to read it. The attribution of Ωm follows the filaments; that of σ8 sets them against the voids, with the opposite
# sign: a box as full of structure can be had by more matter or by more clumping, and to tell the two apart the network
# weighs the dense against the empty. The numbers say how much of that a shuffled network shows as well. One box in one
# orientation: `tenfold explain estimator` shows more of them.
