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
# A network estimates Ωm and σ8 from a convergence map, or from a box of dark matter. Which parts of the map does it
# use? Saliency maps are quick to compute and easy to over-interpret: many methods reproduce the edges of their input,
# whatever the network has learnt. Every figure below is therefore compared with the same network with randomised
# weights; only the difference is evidence.
#
# The two networks are those of `tenfold run massmaps --preset demo` and `tenfold run cosmology --preset demo`. Results
# of these runs are reused; without them the notebook takes about twenty minutes on two cores. The same figures for
# your own run, as a page: `tenfold explain estimator RUN`.

# %%
import matplotlib.pyplot as plt
import numpy as np
from tenfold.emulators.cnn import CNN, build
from tenfold.emulators.sensitivity import gradient_function, prediction_function
from tenfold.stats.saliency import integrated_gradients

rng = np.random.default_rng(1)
k = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(64))
example = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(64, 64))) / np.maximum(k, 1 / 64) ** 1.2).astype(np.float32)
example = np.exp(example / example.std())[..., None]  # log-normal: peaks and voids, as in a map of mass
untrained = build(CNN(dimensions=2, size=64, transform="identity", readout="global"), location=[0], scale=[1])
output, gradient = prediction_function(untrained, 0), gradient_function(untrained, 0)
shown = integrated_gradients(output, gradient, example, np.full_like(example, example.mean())).attribution[..., 0]
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
axes[0].imshow(example[..., 0], origin="lower", cmap="inferno", vmax=np.quantile(example, 0.99))
limit = np.quantile(np.abs(shown), 0.98)
axes[1].imshow(shown, origin="lower", cmap="PuOr_r", vmin=-limit, vmax=limit)
for axis, title in zip(axes, ("a log-normal field", "attribution by an untrained network"), strict=True):
    axis.set(xticks=[], yticks=[], title=title)

# %% [markdown]
# The right panel looks as if the network had recognised the structures on the left. It has learnt nothing: its weights
# are random. This is why every figure below needs its comparison.

# %% tags=["parameters"]
MAPS_OUT = "../runs/demo/massmaps"
BOXES_OUT = "../runs/demo/cosmology"
MAPS_SETTINGS = ()  # changes to the preset, as for --set: "simulation.count=20", "estimator_training.epochs=2"
BOXES_SETTINGS = ()

# %%
from pathlib import Path

from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.config import load
from tenfold.pipelines.estimator.train import train_estimator
from tenfold.pipelines.estimator.estimator import Estimator
from tenfold.pipelines.estimator.saliency import alternate_groups, measure
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
# Boxes for many cosmologies, convergence maps traced through them, shards split by simulation, and a small
# convolutional network. Existing results are reused.

# %%
config = load(MassMapsRun, preset="demo", settings=MAPS_SETTINGS)
simulate_massmaps(config.simulation, out / "maps")
ingest_massmaps([out / "maps"], out / "data", config.ingest)
study = config.map_estimator
train_estimator(
    out / "data", out / "estimator", study.network, study.training, Ranks(), views=study.proof.views, resume=True
)
estimator = Estimator.load(out / "estimator")

# %% [markdown]
# Four test maps of different cosmologies. First the accuracy of the estimates: the saliency of a network that has
# learnt nothing is of no interest. A single map constrains σ8 √Ωm, to which lensing is most sensitive, far better than
# either parameter alone.

# %%
shards = Shards.open(out / "data")
manifest = shards.manifest
test = shards.split("test")
mean, sigma = estimator.predict(shards.read(test), views=8)
truth = shards.parameters(test)
lensing = [values[:, 1] * values[:, 0] ** 0.5 for values in (mean, truth)]
for name, estimated, true in (*zip(names, mean.T, truth.T, strict=True), ("σ8 √Ωm", *lensing)):
    rms = np.sqrt(np.mean((estimated - true) ** 2))
    print(f"{name}: rms error {rms:.3f}; predicting the mean for every map gives {true.std():.3f}")
chosen = test[alternate_groups(shards.simulation(test).tolist(), 4)]
maps = shards.read(chosen)

# %% [markdown]
# ## Three attribution methods
#
# - **Gradient**: change of the estimate per change of a pixel.
# - **SmoothGrad** (arXiv:1706.03825): the gradient averaged over noisy copies of the map, because the gradients of
#   networks are noisy.
# - **Integrated gradients** (arXiv:1703.01365): contribution of a pixel to the difference between the estimate and that
#   for a uniform map. The contributions sum to the difference, up to the completeness error.
#
# Orange raises the estimate, purple lowers it.

# %%
saliencies = {
    method: measure(estimator, maps, manifest.value.mean, method=method, periodic=manifest.periodic)
    for method in ("gradient", "smoothgrad", "integrated-gradients")
}
integrated = saliencies["integrated-gradients"]
for p, name in enumerate(names):
    difference = np.abs(integrated.estimates[:, p] - integrated.baseline_estimates[p])
    error = integrated.completeness_errors[:, p]
    print(f"{name}: attributed difference {difference.round(3)}, completeness error {error.round(4)}")


# %%
def draw(axis, attribution, title):
    """Draw an attribution: orange raises the estimate, purple lowers it."""
    saturation = np.quantile(np.abs(attribution), 0.98)
    axis.imshow(attribution, origin="lower", cmap="PuOr_r", vmin=-saturation, vmax=saturation)
    axis.set(xticks=[], yticks=[], title=title)


figure, axes = plt.subplots(2, 4, figsize=(12, 6), layout="constrained")
for p, name in enumerate(names):
    axes[p, 0].imshow(maps[0, ..., 0], origin="lower", cmap="inferno", vmax=np.quantile(maps[0], 0.997))
    axes[p, 0].set(xticks=[], yticks=[], title="κ")
    axes[p, 0].set_ylabel(name)
    for axis, (method, saliency) in zip(axes[p, 1:], saliencies.items(), strict=True):
        draw(axis, saliency.attributions[0, p], method)
print_trusted(figure, manifest.multipoles)

# %% [markdown]
# Interpretation. The gradient and SmoothGrad are noisy: the gradients of neighbouring pixels are almost uncorrelated,
# so that a single pixel is not meaningful. Integrated gradients are a gradient times the deviation from the mean, and
# therefore resemble the map. Informative features are differences in *sign* between the two parameters, and maxima that
# are not in the map.

# %% [markdown]
# ## Attribution and peaks of the map
#
# Circles: the twenty highest peaks of the map. Crosses: those of the absolute attribution. Grey contours enclose the
# densest twentieth of the map.

# %%
figure, axes = plt.subplots(2, 4, figsize=(12, 6.2), layout="constrained")
for i in range(len(maps)):
    map_peaks = highest_peaks(integrated.fields[i], 20, periodic=manifest.periodic)
    for p, name in enumerate(names):
        attribution = integrated.attributions[i, p]
        draw(axes[p, i], attribution, f"{name}: {20 * integrated.peak_matches[i, p]:.0f} of 20 match")
        axes[p, i].contour(
            integrated.fields[i], levels=[np.quantile(integrated.fields[i], 0.95)], colors="grey", linewidths=0.6
        )
        attribution_peaks = highest_peaks(np.abs(attribution), 20, periodic=manifest.periodic)
        axes[p, i].scatter(map_peaks[:, 1], map_peaks[:, 0], s=40, facecolors="none", edgecolors="black", lw=0.8)
        axes[p, i].scatter(attribution_peaks[:, 1], attribution_peaks[:, 0], s=14, marker="x", color="black", lw=0.8)
print_trusted(figure, manifest.multipoles)
for p, name in enumerate(names):
    trained, randomised = integrated.peak_matches[:, p].mean(), integrated.randomised_peak_matches[:, p].mean()
    chance = integrated.chance_peak_matches[:, p, 0].mean()
    print(
        f"{name}: fraction of matching peaks {trained:.2f}; by chance {chance:.2f}; randomised weights {randomised:.2f}"
    )

# %% [markdown]
# Interpretation. The fraction of matching peaks is far above chance, but this alone is not evidence, as the last number
# shows: a network with randomised weights matches the peaks as well, because integrated gradients are multiplied by the
# map. What was learnt is the *difference* between the two numbers.

# %% [markdown]
# ## Voids or peaks?
#
# Fraction of the absolute attribution in each tenth of the pixels, from the least to the most dense.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
centres = (np.arange(10) + 0.5) / 10
for p, (axis, name) in enumerate(zip(axes, names, strict=True)):
    trained = integrated.density_fractions[:, p]
    randomised = integrated.randomised_density_fractions[:, p].reshape(-1, 10)
    for fractions, colour, label in ((trained, "C0", "trained"), (randomised, "0.5", "randomised weights")):
        average, std = fractions.mean(0), fractions.std(0)
        axis.fill_between(centres, average - std, average + std, color=colour, alpha=0.2, lw=0)
        axis.plot(centres, average, "o-", ms=3, color=colour, label=label)
    axis.axhline(0.1, color="black", lw=0.7, ls=":")
    axis.set(title=name, xlabel="quantile of κ, low to high", ylabel="fraction of |attribution|", ylim=(0, None))
axes[0].legend(frameon=False)
print_trusted(figure, manifest.multipoles)

# %% [markdown]
# Interpretation. Both curves rise at both ends, where the map deviates most from its mean. The network has learnt to
# use the density range in which the blue curve leaves the grey band: with the presets, the least dense tenth for Ωm and
# the densest for σ8. The bands show the scatter between maps, for the grey curve also between randomisations; four maps
# are few.

# %% [markdown]
# ## The network or the map?
#
# The model-parameter randomisation test of arXiv:1810.03292: the weights of the layers are randomised from the output
# to the input, and the attribution is compared with that of the trained network (rank correlation of absolute values,
# mean over the maps). Dotted: correlation with the map's absolute deviation from its mean.

# %%


def randomisation_test(axis, saliency, title):
    """Draw the rank correlation with the trained attribution against the randomised layers."""
    steps = np.arange(len(saliency.layers) + 1)
    for p, (name, colour) in enumerate(zip(names, ("C0", "C1"), strict=True)):
        axis.plot(steps, [1, *saliency.rank_correlations[:, p].mean(0)], "o-", ms=3, color=colour, label=name)
        axis.axhline(saliency.field_rank_correlations[:, p].mean(), color=colour, ls=":", lw=0.8)
    axis.set_xticks(steps, ["trained", *saliency.layers], rotation=60, ha="right", fontsize=8)
    axis.set(ylim=(-0.1, 1.05), title=title)


figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained", sharey=True)
for axis, (method, saliency) in zip(axes, saliencies.items(), strict=True):
    randomisation_test(axis, saliency, method)
axes[0].set_ylabel("rank correlation with the trained network's")
axes[0].legend(frameon=False)
print_trusted(figure, manifest.multipoles)

# %% [markdown]
# Interpretation. The gradient passes the test: with all layers randomised the correlation is close to zero, so that it
# depends on what was learnt. Integrated gradients keep about half of their correlation with those of an untrained
# network, which is due to the map. Neither shows that the network *should* use these features, nor that the information
# is there: another network of the same accuracy may use other features.

# %% [markdown]
# ## In a box
#
# The same in three dimensions, for a network that reads particle counts. It sums blocks of 2³ cells, which are also the
# cells of the figures. They show a slab around the densest cell, whatever the attribution; on the right, the
# randomisation test.

# %%
study = load(CosmologyRun, preset="demo", settings=BOXES_SETTINGS)
simulate_volumes(study.simulation, out_boxes / "boxes")
ingest_volumes([out_boxes / "boxes"], out_boxes / "data", study.ingest)
train_estimator(
    out_boxes / "data", out_boxes / "estimator", study.network, study.training, Ranks(), views=study.proof.views,
    resume=True,
)  # fmt: skip
box_estimator = Estimator.load(out_boxes / "estimator")
box_shards = Shards.open(out_boxes / "data")
record = box_shards.split("test")[:1]
of_box = measure(
    box_estimator, box_shards.read(record), box_shards.manifest.value.mean, periodic=box_shards.manifest.periodic
)

# %%
figure, axes = plt.subplots(1, 4, figsize=(14, 3.8), layout="constrained")
box = of_box.fields[0]
depth = max(1, len(box) // 8)
start = int(np.clip(np.unravel_index(box.argmax(), box.shape)[2] - depth // 2, 0, len(box) - depth))
axes[0].imshow(np.log1p(box[:, :, start : start + depth].mean(2)).T, origin="lower", cmap="inferno")
axes[0].set(xticks=[], yticks=[], title="log(1 + count)")
for p, name in enumerate(names):
    draw(axes[p + 1], of_box.attributions[0, p, :, :, start : start + depth].sum(2).T, f"{name}, sum over the slab")
    trained, randomised = of_box.density_fractions[0, p, -1], of_box.randomised_density_fractions[0, p, :, -1]
    print(
        f"{name}: {trained:.0%} of |attribution| in the densest tenth of the cells; with randomised weights "
        f"{randomised.min():.0%} to {randomised.max():.0%}; rank correlation with randomised weights "
        f"{of_box.rank_correlations[0, p, -1]:.2f}"
    )
randomisation_test(axes[3], of_box, "rank correlation, layers randomised")
axes[3].legend(frameon=False)

# %% [markdown]
# Interpretation. The attribution of Ωm follows the filaments; that of σ8 has opposite signs in filaments and voids. The
# same amount of structure can be due to more matter or to stronger clustering, and the network separates the two by
# comparing dense with empty regions. The numbers show how much of this a network with randomised weights shows as well.
# This is one box in one orientation: `tenfold explain estimator` shows more of them.
