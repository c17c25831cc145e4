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
# # Mass maps
#
# Matter bends light, and so the shapes of distant galaxies draw a map of all matter in front of them: the convergence
# κ. A survey's analysis needs thousands of such maps for every cosmology it considers, and a simulation makes few of
# them at great cost. This notebook simulates some, trains a generative network that makes maps for any (Ωm, σ8), and
# then puts it on trial: what in its maps is right, what is not, and how would we know?
#
# Where `tenfold run massmaps` has left a study, it is read; else a smaller one is made here, in some minutes on a
# laptop.

# %% tags=["parameters"]
STUDY = "../runs/demo/massmaps"  # read, where it is finished
OUT = "../runs/notebook_massmaps"  # made, where it is not
COSMOLOGIES = 32
MAPS = 64  # of each cosmology
PIXELS = 64  # per side of a map, and particles per side of a box
EPOCHS = 15

# %%
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.config import load
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.acceptance.acceptance import ASPECTS, assess
from tenfold.pipelines.emulator.train import train_emulator
from tenfold.pipelines.emulator.emulator import MassMapEmulator
from tenfold.pipelines.simulation.lensing.fits_cubes import read_maps
from tenfold.pipelines.acceptance.held_out import held_out, matched, read_map_set
from tenfold.pipelines.volumes.maps import ingest_massmaps
from tenfold.pipelines.simulation.lensing.light_cone import light_cone
from tenfold.pipelines.simulation.lensing.limber import convergence_power, matter_power, resolution
from tenfold.pipelines.acceptance.map_statistics import statistics_for
from tenfold.pipelines.simulation.lensing.simulate import simulate_massmaps
from tenfold.pipelines.acceptance.validate import TRAINED
from tenfold.pipelines.reports.figures import SERIES, STYLE, grey_beyond, print_trusted
from tenfold.pipelines.simulation.cosmology import Cosmology, sample
from tenfold.pipelines.studies.massmaps_config import MassMapsRun
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.maps import angular_power

plt.rcParams.update(STYLE)
finished = (Path(STUDY) / "network.yaml").exists() and (Path(STUDY) / "network" / "run.json").exists()
out = Path(STUDY if finished else OUT)
if finished:
    config = load(MassMapsRun, out / "network.yaml")
else:
    demo = load(MassMapsRun, preset="demo")
    config = replace(
        demo,
        simulation=replace(
            demo.simulation, count=COSMOLOGIES, maps=MAPS, pixels=PIXELS, particles=PIXELS, plane=4 * PIXELS
        ),
        network=replace(demo.network, size=PIXELS),
        training=replace(demo.training, epochs=EPOCHS),
    )
simulation = config.simulation
print(f"{out}: {simulation.count} cosmologies, {simulation.maps} maps of {simulation.side_deg}° each")

# %% [markdown]
# ## Simulate
#
# For every cosmology a box of dark matter is evolved and written down whenever light on its way to us has crossed
# another box length. The boxes, each seen from a random side and shifted at random, are laid end to end, and the
# deflections through all of them added up (the Born approximation). Maps that are there already are not made again.

# %%
simulate_massmaps(simulation, out / "maps")
cosmologies = sample(simulation.ranges, simulation.count, simulation.seed)
clumpiness = [c.sigma_8 * c.omega_m**0.5 for c in cosmologies]
pair = [int(np.argmin(clumpiness)), int(np.argmax(clumpiness))]


def name(cosmology: Cosmology) -> str:
    return f"Ωm = {cosmology.omega_m:.2f}, σ8 = {cosmology.sigma_8:.2f}"


def draw(panels, maps, low: float, high: float):
    """Maps (n, N, N) in a row of panels, on one colour scale."""
    for axis, one in zip(panels, maps, strict=True):
        side = simulation.side_deg
        drawn = axis.imshow(one, origin="lower", cmap="inferno", vmin=low, vmax=high, extent=(0, side, 0, side))
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return drawn


figure, axes = plt.subplots(1, 4, figsize=(10, 3.3), layout="constrained")
files = [read_maps(out / "maps" / f"maps_{index:05d}.fits") for index in pair]
seen = [maps[:2, ..., 0] for maps, _ in files]
drawn = draw(axes, np.concatenate(seen), *np.quantile(seen[1], [0.005, 0.997]))
for axis, index in zip(axes[::2], pair, strict=True):
    axis.set_title(name(cosmologies[index]), loc="left")
    axis.set_xlabel(f"{simulation.side_deg}°")
figure.colorbar(drawn, ax=axes, label="κ", shrink=0.75)
print_trusted(figure, (max(header["LMIN"] for _, header in files), min(header["LMAX"] for _, header in files)))

# %% [markdown]
# Two maps each of the least and of the most lensing universe of the set. Both have voids and clusters; the second has
# more contrast, and it is not symmetric: halos stand out bright, while no void can be emptier than empty. This
# skewness is what a power spectrum does not see, and what the statistics below are for.
#
# Is the amplitude right? Theory tells the mean power spectrum C_ℓ: Limber's integral over the matter power along the
# line of sight. The particle mesh has too little power near its cells, and a single box has its own share of large
# halos. *Sharpening* multiplies the modes of all boxes of a cosmology by one smooth factor, so that their mean power
# is HMcode2020's; phases, and so shapes and places of structures, stay those of the simulation. Each file says
# between which multipoles its mean C_ℓ is to be trusted.

# %%
fundamental, half = 360 / simulation.side_deg, simulation.pixels / 2
edges = fundamental * np.array([n for n in (0.5, 1.5, 2.5, 3.5, 5, 7, 10, 14, 19, 25, 32, 45, 64) if n <= half])
n = np.fft.fftfreq(simulation.pixels, 1 / simulation.pixels) * fundamental
multipoles = np.hypot(n[:, None], n).ravel()
SCALED = r"$\ell(\ell+1)\,C_\ell/2\pi$"


def theory(cosmology: Cosmology) -> tuple[np.ndarray, np.ndarray]:
    """Linear and HMcode2020's C_ℓ by Limber's integral, averaged over the modes of each bin, in pixels [sr]."""
    every, place = np.unique(multipoles, return_inverse=True)
    cone, inside = light_cone(cosmology.omega_m), np.digitize(multipoles, edges, right=True)
    found = []
    for power in matter_power(cosmology, simulation.sources[0]):
        limber = convergence_power(np.maximum(every, 1), power, cone, simulation.sources[:1])[:, 0]
        seen = (limber * resolution(every, simulation.pixel_arcmin, simulation.smoothing_arcmin) ** 2)[place]
        found.append((np.bincount(inside, seen) / np.bincount(inside))[1 : len(edges)])
    return found[0], found[1]


def along_multipoles(axis, trusted: tuple[float, float]) -> None:
    """Make an axis one of multipoles, grey where they are not to be trusted."""
    axis.set(xscale="log", xlabel="multipole ℓ")
    grey_beyond(axis, trusted)
    axis.set_xticks([ell for ell in (200, 500, 1000, 2000, 5000) if edges[0] < ell < edges[-1]], minor=False)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter("")


def spectrum(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ℓ of each bin, C_ℓ of each map, and the error of the mean if maps were independent."""
    found = angular_power(maps, simulation.side_deg, edges)
    return found.ell, found.power, found.power.std(0, ddof=1) / np.sqrt(len(maps))


first, header = read_maps(out / "maps" / "maps_00000.fits")
with TemporaryDirectory() as unsharpened:
    simulate_massmaps(replace(simulation, count=1, sharpen="none"), Path(unsharpened))
    soft, _ = read_maps(Path(unsharpened) / "maps_00000.fits")
linear, expected = theory(cosmologies[0])
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for maps, colour, label in ((soft, SERIES[1], "as simulated"), (first, SERIES[0], "sharpened")):
    ell, power, error = spectrum(maps[..., 0])
    mean, scale = power.mean(0), ell * (ell + 1) / (2 * np.pi)
    low, high = np.quantile(power, [0.16, 0.84], axis=0)
    if colour == SERIES[0]:
        left.fill_between(ell, scale * low, scale * high, color=colour, alpha=0.15, lw=0, label="68 % of single maps")
    left.plot(ell, scale * mean, "o-", ms=3, color=colour, label=label)
    right.fill_between(ell, (mean - error) / expected, (mean + error) / expected, color=colour, alpha=0.25, lw=0)
    right.plot(ell, mean / expected, "o-", ms=3, color=colour)
left.plot(ell, scale * expected, "k", lw=1, label="theory, HMcode2020")
left.plot(ell, scale * linear, "k:", lw=1, label="theory, linear")
for other in range(1, min(3, simulation.count)):
    mean = spectrum(read_maps(out / "maps" / f"maps_{other:05d}.fits")[0][..., 0])[1].mean(0)
    right.plot(ell, mean / theory(cosmologies[other])[1], color=SERIES[0], lw=0.6, alpha=0.6)
for axis in (left, right):
    along_multipoles(axis, (header["LMIN"], header["LMAX"]))
left.set(yscale="log", ylabel=SCALED)
left.legend()
right.axhspan(0.95, 1.05, color=SERIES[2], alpha=0.15, lw=0)
right.axhline(1, color="k", lw=0.8)
right.set(ylim=(0, 1.5), ylabel="maps / theory")
left.set_title(name(cosmologies[0]), loc="left")
print_trusted(figure, (header["LMIN"], header["LMAX"]))

# %% [markdown]
# Grey: beyond the multipoles that this file calls trusted; green: ±5 %. On the right, thin lines are two more
# cosmologies, sharpened; bands are the error of the mean if maps were independent, which maps of one box are not:
# they share its halos, and the true error is larger.
#
# As simulated, power is lost where the force mesh softens gravity, and at the smallest scales the particles' own shot
# noise adds some that is none of matter's. Sharpened, the mean bends to theory over the trusted range, and falls off
# smoothly beyond it: there the simulation knows nothing, and says so. At the lowest multipoles, a few modes per map,
# what remains is the chance of one box, which sharpening leaves alone; see the thin lines scatter there and run
# together above. Where linear and non-linear theory part, on the left, gravity has coupled the modes, and maps are no
# Gaussian fields any more.

# %% [markdown]
# ## Ingest
#
# Maps of one simulation never stand on both sides of the split: the test asks about *cosmologies* that were never
# seen.

# %%
ingest_massmaps([out / "maps"], out / "data", config.ingest)
data = Shards.open(out / "data")
columns = [data.manifest.parameter_names.index(which) for which in ("omega_m", "sigma_8")]
figure, axis = plt.subplots(figsize=(4.6, 3.4), layout="constrained")
for split, colour, marker in zip(("train", "validation", "test"), SERIES, "osD", strict=False):
    places = np.unique(data.parameters(data.split(split))[:, columns], axis=0)
    axis.plot(*places.T, marker, ms=5, color=colour, label=f"{split}: {len(places)} cosmologies")
axis.set(xlabel="Ωm", ylabel="σ8")
figure.legend(loc="outside upper center", ncols=3, handletextpad=0.2, columnspacing=1)
print({split: len(data.split(split)) for split in ("train", "validation", "test")}, "maps")

# %% [markdown]
# The cosmologies follow a Sobol sequence, which fills the plane evenly: the distance from a test point to its nearest
# training point is how far the emulator will have to reach.

# %% [markdown]
# ## Train
#
# Two networks play against each other: the generator turns a random vector, noise at every scale and (Ωm, σ8) into a
# map; the critic tells simulated maps from made ones, given the same (Ωm, σ8). What they play for, the configuration
# says: a Wasserstein distance with gradient penalty (arXiv:1704.00028), or, as in the presets, the logistic loss with
# R1, a penalty on the critic's gradient at simulated maps (arXiv:1801.04406). The critic's loss says little about the
# maps, so after each epoch a few statistics of maps are compared on the validation split, and the epoch with the least
# deviation is kept. On a cluster: `srun tenfold train emulator …`, the same loop.

# %%
run = train_emulator(out / "data", out / "network", config.network, config.training, Ranks(), resume=True)
history, record = run.read_history(), run.read_record()
print(f"loss: {record['training']['loss']}, penalty: {record['training']['penalty']}")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.plot(history["epoch"], history["wasserstein"], "o-", ms=3, color=SERIES[0])
left.set(xlabel="epoch", ylabel="critic's score, simulated − made")
for column, share, label, colour in (
    ("map_peaks", 1, "peaks and hollows", SERIES[0]), ("map_euler", 1, "Euler characteristic", SERIES[1]),
    ("map_scatter", 0.25, "scatter of power, a quarter", SERIES[2]), ("map_score", 1, "their sum", "k"),
):  # fmt: skip
    right.plot(history["epoch"], share * history[column], "o-", ms=3, color=colour, label=label)
right.axvline(record["best_epoch"], color="0.4", lw=0.8, ls="--", label="kept")
right.set(xlabel="epoch", ylabel="deviation, as a fraction", yscale="log")
_ = right.legend(ncols=2)

# %% [markdown]
# Left, by how much the critic scores simulated maps above made ones; it need not fall, since the critic learns as well.
# Right, the deviations whose sum decides which epoch is kept: peaks and hollows at the wrong heights, the Euler
# characteristic, and how much the power varies from map to map. Mean, contrast, pixels and power spectrum have no part
# in it, because they are set to those of the training maps after the last epoch. The sum may wander from epoch to
# epoch, as adversarial training does: taking the last epoch would be a lottery.

# %% [markdown]
# ## Side by side
#
# Cosmologies that were not trained on, in the order of their lensing. Above simulated, below generated for the same
# cosmology, all on one colour scale, chosen by the simulated maps.

# %%
emulator = MassMapEmulator.load(run.path)
held = held_out(emulator, data, seed=0, repeats=config.acceptance.repeats)
groups, parameters = held.simulated.groups, held.simulated.parameters
assert groups is not None and parameters is not None
firsts = np.array([np.flatnonzero(groups == group)[0] for group in dict.fromkeys(groups.tolist())])
place = {which: list(emulator.ranges).index(which) for which in ("omega_m", "sigma_8")}
lensing = parameters[firsts, place["sigma_8"]] * parameters[firsts, place["omega_m"]] ** 0.5
ordered = firsts[np.argsort(lensing)]
shown = ordered[np.linspace(0, len(ordered) - 1, 4).round().astype(int)]
limits = np.quantile(held.simulated.maps[shown], [0.005, 0.997])
figure, axes = plt.subplots(2, 4, figsize=(9, 4.4), layout="constrained")
draw(axes[0], held.simulated.maps[shown], *limits)
drawn = draw(axes[1], held.generated[shown], *limits)
for axis, row in zip(axes[0], parameters[shown], strict=True):
    axis.set_title(f"Ωm = {row[place['omega_m']]:.2f}, σ8 = {row[place['sigma_8']]:.2f}")
axes[0, 0].set_ylabel("simulated")
axes[1, 0].set_ylabel("generated")
figure.colorbar(drawn, ax=axes, label="κ", shrink=0.75)
print_trusted(figure, data.manifest.multipoles)

# %% [markdown]
# A generated map is not meant to be the map above it: only one of its kind, drawn from the same distribution. What
# the eye can judge is whether contrast grows from left to right as it should, whether peaks are as sharp and as rare,
# and whether there is texture that gravity does not make (grids, streaks, edges). What the eye cannot judge is the
# rest; that is for the acceptance tests below.

# %% [markdown]
# ## Between two maps
#
# Random vectors lie near the surface of a sphere, so the way from one to another goes along a great circle: a
# straight line would pass through shorter vectors, which the generator has never been given.

# %%
middle = {which: (low + high) / 2 for which, (low, high) in emulator.ranges.items()}
way = emulator.interpolate(7, seeds=(1, 2), **middle)
figure, axes = plt.subplots(1, 7, figsize=(11, 2.1), layout="constrained")
drawn = draw(axes, way, *np.quantile(way, [0.005, 0.997]))
for axis, step, one in zip(axes, np.linspace(0, 1, 7), way, strict=True):
    axis.set(title=f"{step:.2f}", xlabel=f"σ(κ) = {one.std():.4f}")
figure.colorbar(drawn, ax=axes, label="κ")
print_trusted(figure, data.manifest.multipoles)
print(f"the average of both ends: σ(κ) = {((way[0] + way[-1]) / 2).std():.4f}")

# %% [markdown]
# From the first map to the last at one cosmology: structures fade and others rise, without a jump, which a generator
# that had merely learnt maps by heart would make. Each step is a map in its own right, and no average of the two
# ends: below each stands its contrast, beside which the average's is printed for comparison.

# %% [markdown]
# ## A universe never simulated
#
# The emulator makes maps of any cosmology between those it was trained on. Theory needs no simulation either, so the
# two can be compared where no simulation was made: the same Ωm, three values of σ8.

# %%
omega_m = round(middle["omega_m"], 2)
least, most = emulator.ranges["sigma_8"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for colour, share in zip(SERIES, (0.25, 0.5, 0.75), strict=False):
    sigma_8 = round(least + share * (most - least), 2)
    given = middle | {"omega_m": omega_m, "sigma_8": sigma_8}
    ell, power, error = spectrum(emulator.sample(256, seed=3, **given))
    mean, scale, expected = power.mean(0), ell * (ell + 1) / (2 * np.pi), theory(Cosmology(**given))[1]
    left.plot(ell, scale * expected, color=colour, lw=1)
    left.errorbar(ell, scale * mean, scale * error, fmt="o", ms=4, color=colour, label=f"σ8 = {sigma_8:.2f}")
    right.fill_between(ell, (mean - error) / expected, (mean + error) / expected, color=colour, alpha=0.25, lw=0)
    right.plot(ell, mean / expected, "o-", ms=3, color=colour)
left.set(yscale="log", ylabel=SCALED)
left.set_title(f"Ωm = {omega_m:.2f}: theory (lines), generated maps (points)", loc="left")
left.legend()
right.axhspan(0.95, 1.05, color=SERIES[2], alpha=0.15, lw=0)
right.axhline(1, color="k", lw=0.8)
right.set(ylim=(0, None), ylabel="generated / theory")
for axis in (left, right):
    along_multipoles(axis, data.manifest.multipoles)
print_trusted(figure, data.manifest.multipoles)

# %% [markdown]
# Errors are those of the mean of 256 generated maps. Within the trusted range (not grey) theory is what the emulator
# was taught; beyond it, what it was taught are simulations that fall short of theory, and the acceptance tests below
# compare it with those. The order of the three must be right, and so must their distance: the emulator has learnt what
# σ8 does where the ratios on the right run together. Where they leave the green band together, at some scale, that is
# the emulator's fault at that scale, whatever the cosmology.
#
# Outside what it was trained on it refuses, since nothing vouches for such maps:

# %%
try:
    emulator.sample(1, seed=3, **(middle | {"sigma_8": 1.4}))
except InputError as refusal:
    print(refusal)

# %% [markdown]
# ## The acceptance tests
#
# Every statistic is measured on simulated maps of cosmologies never trained on, and on four times as many generated for
# the same ones; what cosmology alone accounts for is first taken off both: maps are divided by the spread σ(κ) of
# their cosmology, a smooth function fitted to the simulated ones, so that bins mean the same in all. Each figure stands
# beside its null: what the same code finds when the simulations are split into halves, whole simulations each, and one
# half plays the generated maps. A tolerance below that null could not be tested with so few simulations.

# %%
records = np.sort(np.random.default_rng(0).permutation(data.split("train"))[:TRAINED])
compared, learnt = matched(held, read_map_set(data, records, tuple(emulator.ranges)))
periodic = data.manifest.periodic
statistics = statistics_for(compared.simulated.maps, simulation.side_deg, periodic=periodic, unit="κ/σ")
assessment = assess(
    statistics, compared.simulated, compared.generated, config.acceptance, training=learnt,
    learnt=[data.read(data.split("train"))[..., 0]], periodic=periodic,
)  # fmt: skip
chosen = [each for each in statistics if each.name in ("angular_power", "pixel_distribution", "peaks", "minkowski_v1")]
figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
for axis, each in zip(axes.flat, chosen, strict=True):
    found = assessment.agreements[each.name]
    null, off = 100 * found.null_deviation, 100 * found.deviation
    tolerance = 100 * found.mean.tolerance
    axis.axhspan(-tolerance, tolerance, color=SERIES[2], alpha=0.15, lw=0, label="tolerance")
    axis.fill_between(each.bins, -null, null, color="0.5", alpha=0.3, lw=0, label="simulations among themselves")
    axis.plot(each.bins, off, color=SERIES[1], lw=1)
    for usable, fill in ((found.usable, SERIES[1]), (~found.usable, "white")):
        axis.plot(each.bins[usable], off[usable], "o", ms=5, mfc=fill, mec=SERIES[1])
    reach = min(-3 * tolerance, 1.2 * off.min()), max(3 * tolerance, 1.2 * off.max())
    share = "generated / simulated − 1" if each.relative_to == "bin" else "difference / largest simulated"
    axis.set(xlabel=each.axis, ylabel=f"{share} [%]", ylim=reach)
    axis.set_title(each.label, loc="left")
    if each.axis.startswith("multipole"):
        along_multipoles(axis, data.manifest.multipoles)
axes[0, 0].legend()
print_trusted(figure, data.manifest.multipoles)

# %% [markdown]
# Deviations of the means (of V1, the boundary length of the regions above a threshold, as a fraction of the largest).
# Full points are judged; at open ones simulations differ among themselves by more than the tolerance, so that nothing
# can be said at the 5 % level. A point outside both bands is a fault of the emulator; a point within the grey band
# could be chance, whatever its height.
#
# All verdicts at once: value and null of the mean, of the distribution from map to map (largest Kolmogorov-Smirnov
# distance), of the correlations between bins, and of the variety of maps (spread from map to map).

# %%
figures = ("largest deviation", "largest K-S distance", "difference, as a fraction", "deviation of the spread")
figure, axes = plt.subplots(1, 4, figsize=(11, 3.8), layout="constrained", sharey=True)
for axis, aspect, what in zip(axes, ASPECTS, figures, strict=True):
    for row, each in enumerate(statistics):
        verdict = getattr(assessment.agreements[each.name], aspect)
        axis.barh(row, np.nan_to_num(verdict.null), color="0.8", height=0.7)
        if verdict.tolerance:
            axis.plot([verdict.tolerance] * 2, [row - 0.35, row + 0.35], color=SERIES[2], lw=2)
        colour = SERIES[0] if verdict.passed else "#D55E00"
        axis.plot(verdict.value, row, "o" if verdict.passed else "X", color=colour, ms=6)
    axis.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    top = axis.dataLim.x1 * 1.1
    axis.set(title=aspect, xlabel=what, xlim=(0, top), xticks=[x for x in (0, 0.1, 0.5, 1, 2, 5, 10, 20) if x < top])
    axis.xaxis.set_major_formatter("{x:g}")
axes[0].set_yticks(range(len(statistics)), [each.name.replace("_", " ") for each in statistics])
axes[0].invert_yaxis()
print_trusted(figure, data.manifest.multipoles)
print(f"{assessment.favourable} of {len(assessment.verdicts)} verdicts are favourable")
print(f"undecided: {', '.join(assessment.undecided) or 'none'}")
print(f"failed: {', '.join(assessment.failed) or 'none'}")
copies = assessment.verdicts["memorisation"]
print(f"nearer to a training map than 99 % of unseen ones: {copies.value:.1%} of them; allowed {copies.allowed:.1%}")

# %% [markdown]
# Blue dots are within what is allowed, red crosses above it. Grey bars: what simulations show among themselves; green:
# the tolerance. What lies beyond both by more than figures scatter between seeds fails; by less, it is undecided (K-S
# distances have no tolerance but the null). A mean's point is the largest
# deviation over its full points above; where there is none of these, it is that of the bin with the smallest null.
# Where a bar is longer than the tolerance, more simulated cosmologies are what a sharper verdict needs; where a cross
# stands far beyond its bar, a better emulator.
#
# An emulator may be used for what it has passed, and for nothing else: one with the right C_ℓ and the wrong variety
# gives the right spectrum and the wrong error bars. `tenfold validate` makes this very trial, adds an estimator as a
# witness where one is given, writes it down in one page, and ends with status 1 where a verdict fails.
