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
# Gravitational lensing distorts the shapes of distant galaxies. From these shapes one reconstructs a map of the
# convergence κ, the projected matter density. Survey analyses need thousands of such maps for every cosmology they
# consider, and simulations provide few of them at great cost. This notebook simulates convergence maps, trains a
# generative network that emulates them for any (Ωm, σ8), and tests the emulator: which statistics of its maps are
# right, which are not, and how can this be tested?
#
# A finished study of `tenfold run massmaps` is read if there is one; otherwise a smaller one is computed here, in a
# few minutes on a laptop.

# %%
import matplotlib.pyplot as plt
import numpy as np
from tenfold.pipelines import MassMaps
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.lens_planes import simulate_planes
from tenfold.pipelines.simulation.lensing.simulate import simulate_maps
from tenfold.pipelines.simulation.simulate import transfer_table

small = MassMaps(maps=1, runs=1, particles=64, plane=256, steps=12, fixed=False)
table = transfer_table(small.boxes)
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.1), layout="constrained")
for axis, sigma_8 in zip(axes, (0.6, 0.8, 1.0), strict=True):
    planes = simulate_planes(small, Cosmology(omega_m=0.3, sigma_8=sigma_8), 1, table).planes
    image = axis.imshow(
        simulate_maps(small, planes, 1)[0, ..., 0], origin="lower", cmap="inferno", vmin=-0.03, vmax=0.08
    )
    axis.set(xticks=[], yticks=[], title=f"Ωm = 0.3, σ8 = {sigma_8}")
_ = figure.colorbar(image, ax=axes, label="κ", shrink=0.8)

# %% [markdown]
# Convergence of the same patch of sky, 2.5° wide, at three amplitudes of clustering: with σ8 the peaks grow, and with
# them the asymmetry of the distribution of κ, which the power spectrum does not measure.

# %% tags=["parameters"]
STUDY = "../runs/demo/massmaps"  # read if finished
OUT = "../runs/notebook_massmaps"  # computed otherwise
COSMOLOGIES = 32
MAPS = 64  # per cosmology
PIXELS = 64  # per side of a map, and particles per side of a box
EPOCHS = 15
MATCHING_STEPS = 256  # of the moment matching after them

# %%
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

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
from tenfold.pipelines.simulation.lensing.limber import convergence_power, matter_power, smoothing_window
from tenfold.pipelines.acceptance.map_statistics import statistics_for
from tenfold.pipelines.simulation.lensing.simulate import simulate_massmaps
from tenfold.pipelines.acceptance.validate import MAX_TREND_MAPS
from tenfold.pipelines.reports.figures import SERIES, STYLE, grey_beyond, print_trusted
from tenfold.pipelines.simulation.cosmology import sample_cosmologies
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
        training=replace(demo.training, epochs=EPOCHS, moment_matching_steps=MATCHING_STEPS),
    )
simulation = config.simulation
print(f"{out}: {simulation.count} cosmologies, {simulation.maps} maps of {simulation.side_deg}° each")

# %% [markdown]
# ## Simulate
#
# For every cosmology an N-body simulation evolves a box of dark matter. A snapshot is written whenever light on its
# way to us has crossed another box length. The snapshots, each viewed along a random axis and shifted at random, are
# stacked along the line of sight, and their deflections are summed in the Born approximation. Maps that already exist
# are not simulated again.

# %%
simulate_massmaps(simulation, out / "maps")
cosmologies = sample_cosmologies(simulation.ranges, simulation.count, simulation.seed)
lensing_strength = [c.sigma_8 * c.omega_m**0.5 for c in cosmologies]
extremes = [int(np.argmin(lensing_strength)), int(np.argmax(lensing_strength))]


def title(cosmology: Cosmology) -> str:
    return f"Ωm = {cosmology.omega_m:.2f}, σ8 = {cosmology.sigma_8:.2f}"


def show_maps(panels, maps, low: float, high: float):
    """Show maps (n, N, N) in a row of panels on one colour scale; return the last image."""
    for axis, kappa in zip(panels, maps, strict=True):
        side = simulation.side_deg
        image = axis.imshow(kappa, origin="lower", cmap="inferno", vmin=low, vmax=high, extent=(0, side, 0, side))
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return image


figure, axes = plt.subplots(1, 4, figsize=(10, 3.3), layout="constrained")
files = [read_maps(out / "maps" / f"maps_{index:05d}.fits") for index in extremes]
examples = [maps[:2, ..., 0] for maps, _ in files]
image = show_maps(axes, np.concatenate(examples), *np.quantile(examples[1], [0.005, 0.997]))
for axis, index in zip(axes[::2], extremes, strict=True):
    axis.set_title(title(cosmologies[index]), loc="left")
    axis.set_xlabel(f"{simulation.side_deg}°")
figure.colorbar(image, ax=axes, label="κ", shrink=0.75)
print_trusted(figure, (max(header["LMIN"] for _, header in files), min(header["LMAX"] for _, header in files)))

# %% [markdown]
# Two maps each of the cosmologies with the weakest and the strongest lensing. Both show voids and clusters. The
# second has more contrast, and its distribution is asymmetric: halos are bright, while no void can be emptier than
# empty. The power spectrum does not measure this skewness; the statistics below do.
#
# Is the amplitude right? Theory predicts the mean power spectrum C_ℓ by Limber's integral over the matter power
# spectrum along the line of sight. The particle mesh lacks power near its resolution, and the large halos of a single
# box are subject to sample variance. *Sharpening* multiplies the modes of all snapshots of a cosmology by one smooth
# factor, so that their mean power is that of HMcode2020. Phases, and with them shapes and positions of structures,
# stay those of the simulation. Each file states the range of multipoles in which its mean C_ℓ can be trusted.

# %%
fundamental, half = 360 / simulation.side_deg, simulation.pixels / 2
edges = fundamental * np.array([n for n in (0.5, 1.5, 2.5, 3.5, 5, 7, 10, 14, 19, 25, 32, 45, 64) if n <= half])
n = np.fft.fftfreq(simulation.pixels, 1 / simulation.pixels) * fundamental
multipoles = np.hypot(n[:, None], n).ravel()
SCALED = r"$\ell(\ell+1)\,C_\ell/2\pi$"


def theory(cosmology: Cosmology) -> tuple[np.ndarray, np.ndarray]:
    """Linear and HMcode2020 C_ℓ by Limber's integral with pixel window, averaged over the modes of each bin [sr]."""
    distinct, mode = np.unique(multipoles, return_inverse=True)
    cone, bin_of_mode = light_cone(cosmology.omega_m), np.digitize(multipoles, edges, right=True)
    spectra = []
    for power in matter_power(cosmology, simulation.sources[0]):
        limber = convergence_power(np.maximum(distinct, 1), power, cone, simulation.sources[:1])[:, 0]
        window = smoothing_window(distinct, simulation.pixel_arcmin, simulation.smoothing_arcmin)
        observed = (limber * window**2)[mode]
        spectra.append((np.bincount(bin_of_mode, observed) / np.bincount(bin_of_mode))[1 : len(edges)])
    return spectra[0], spectra[1]


def along_multipoles(axis, trusted: tuple[float, float]) -> None:
    """Format an axis of multipoles, grey outside the trusted range."""
    axis.set(xscale="log", xlabel="multipole ℓ")
    grey_beyond(axis, trusted)
    axis.set_xticks([ell for ell in (200, 500, 1000, 2000, 5000) if edges[0] < ell < edges[-1]], minor=False)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter("")


def spectrum(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ℓ of each bin, C_ℓ of each map, and the error of the mean for independent maps."""
    spectra = angular_power(maps, simulation.side_deg, edges)
    return spectra.ell, spectra.power, spectra.power.std(0, ddof=1) / np.sqrt(len(maps))


first, header = read_maps(out / "maps" / "maps_00000.fits")
with TemporaryDirectory() as unsharpened:
    simulate_massmaps(replace(simulation, count=1, sharpen="none"), Path(unsharpened))
    unsharpened_maps, _ = read_maps(Path(unsharpened) / "maps_00000.fits")
linear, expected = theory(cosmologies[0])
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for maps, colour, label in ((unsharpened_maps, SERIES[1], "as simulated"), (first, SERIES[0], "sharpened")):
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
left.set_title(title(cosmologies[0]), loc="left")
print_trusted(figure, (header["LMIN"], header["LMAX"]))

# %% [markdown]
# Grey: outside the trusted multipoles of this file. Green: ±5 %. Thin lines on the right are two more cosmologies,
# sharpened. Bands show the error of the mean for independent maps. Maps of one box share its halos and are
# correlated, so that the true error is larger.
#
# Without sharpening, power is lost where the force mesh softens gravity, and at the smallest scales the shot noise of
# the particles adds spurious power. With sharpening, the mean follows theory over the trusted range and falls off
# smoothly beyond it, where the simulation has no information. At the lowest multipoles, with few modes per map, the
# sample variance of one box remains, which sharpening leaves unchanged: the thin lines scatter there and converge at
# higher multipoles. Where linear and non-linear theory differ, on the left, gravity has coupled the modes, and maps
# are no longer Gaussian fields.

# %% [markdown]
# ## Ingest
#
# Maps of one simulation never appear on both sides of a split: the test uses *cosmologies* that the emulator has
# never seen.

# %%
ingest_massmaps([out / "maps"], out / "data", config.ingest)
data = Shards.open(out / "data")
columns = [data.manifest.parameter_names.index(name) for name in ("omega_m", "sigma_8")]
figure, axis = plt.subplots(figsize=(4.6, 3.4), layout="constrained")
for split, colour, marker in zip(("train", "validation", "test"), SERIES, "osD", strict=False):
    points = np.unique(data.parameters(data.split(split))[:, columns], axis=0)
    axis.plot(*points.T, marker, ms=5, color=colour, label=f"{split}: {len(points)} cosmologies")
axis.set(xlabel="Ωm", ylabel="σ8")
figure.legend(loc="outside upper center", ncols=3, handletextpad=0.2, columnspacing=1)
print({split: len(data.split(split)) for split in ("train", "validation", "test")}, "maps")

# %% [markdown]
# The cosmologies follow a Sobol sequence, which covers the plane evenly. The distance from a test point to the
# nearest training point shows how far the emulator has to interpolate.

# %% [markdown]
# ## Train
#
# Two networks are trained against each other. The generator turns a latent vector, white noise and (Ωm, σ8) into a
# map. The critic learns to distinguish simulated from generated maps, given the same (Ωm, σ8). The configuration
# selects the loss: a Wasserstein distance with gradient penalty (arXiv:1704.00028), or, as in the presets, the
# logistic loss with R1, a penalty on the critic's gradient at simulated maps (arXiv:1801.04406). The critic's loss
# says little about the quality of the maps. Therefore, after each epoch, a few statistics of generated and simulated
# maps are compared on the validation split, and the epoch with the smallest deviation is kept. On a cluster, `srun
# tenfold train emulator …` runs the same loop.

# %%
run = train_emulator(out / "data", out / "network", config.network, config.training, Ranks(), resume=True)
history, record = run.read_history(), run.read_record()
print(f"loss: {record['training']['loss']}, penalty: {record['training']['penalty']}")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.plot(history["epoch"], history["wasserstein"], "o-", ms=3, color=SERIES[0])
left.set(xlabel="epoch", ylabel="mean score, simulated − generated")
for column, factor, label, colour in (
    ("map_peaks", 1, "peaks and minima", SERIES[0]), ("map_euler", 1, "Euler characteristic", SERIES[1]),
    ("map_scatter", 0.25, "scatter of power × 0.25", SERIES[2]), ("map_score", 1, "sum", "k"),
):  # fmt: skip
    right.plot(history["epoch"], factor * history[column], "o-", ms=3, color=colour, label=label)
right.axvline(record["best_epoch"], color="0.4", lw=0.8, ls="--", label="kept")
right.set(xlabel="epoch", ylabel="fractional deviation", yscale="log")
_ = right.legend(ncols=2)

# %% [markdown]
# Left: difference between the critic's mean scores of simulated and generated maps. It need not decrease, since the
# critic improves as well. Right: the deviations whose sum selects the epoch, namely heights of peaks and minima,
# Euler characteristic, and map-to-map scatter of power. Mean, variance, pixel distribution and power spectrum are not
# included, because they are calibrated to the training maps after the last epoch. The sum fluctuates from epoch to
# epoch, as is typical of adversarial training: the quality of the last epoch is a matter of chance.

# %% [markdown]
# ## Simulated and generated maps
#
# Cosmologies outside the training split, in the order of their lensing strength. Top: simulated; bottom: generated
# for the same cosmology. All maps share one colour scale, set by the simulated maps.

# %%
emulator = MassMapEmulator.load(run.path)
held = held_out(emulator, data, seed=0, repeats=config.acceptance.repeats)
groups, parameters = held.simulated.groups, held.simulated.parameters
assert groups is not None and parameters is not None
firsts = np.array([np.flatnonzero(groups == group)[0] for group in dict.fromkeys(groups.tolist())])
column = {name: list(emulator.ranges).index(name) for name in ("omega_m", "sigma_8")}
lensing = parameters[firsts, column["sigma_8"]] * parameters[firsts, column["omega_m"]] ** 0.5
ordered = firsts[np.argsort(lensing)]
shown = ordered[np.linspace(0, len(ordered) - 1, 4).round().astype(int)]
limits = np.quantile(held.simulated.maps[shown], [0.005, 0.997])
figure, axes = plt.subplots(2, 4, figsize=(9, 4.4), layout="constrained")
show_maps(axes[0], held.simulated.maps[shown], *limits)
image = show_maps(axes[1], held.generated[shown], *limits)
for axis, row in zip(axes[0], parameters[shown], strict=True):
    axis.set_title(f"Ωm = {row[column['omega_m']]:.2f}, σ8 = {row[column['sigma_8']]:.2f}")
axes[0, 0].set_ylabel("simulated")
axes[1, 0].set_ylabel("generated")
figure.colorbar(image, ax=axes, label="κ", shrink=0.75)
print_trusted(figure, data.manifest.multipoles)

# %% [markdown]
# A generated map is not a copy of the map above it, but another draw from the same distribution. By eye one can see
# whether contrast increases from left to right as it should, whether peaks are as sharp and as rare, and whether
# there are artefacts such as grids, streaks or edges. Everything else requires statistics; see the acceptance tests
# below.

# %% [markdown]
# ## Interpolation between two maps
#
# Vectors of normal random numbers lie close to the surface of a sphere. Interpolation therefore follows a great
# circle: a straight line would pass through shorter vectors, which the generator has never seen.

# %%
middle = {name: (low + high) / 2 for name, (low, high) in emulator.ranges.items()}
path = emulator.interpolate(7, seeds=(1, 2), **middle)
figure, axes = plt.subplots(1, 7, figsize=(11, 2.1), layout="constrained")
image = show_maps(axes, path, *np.quantile(path, [0.005, 0.997]))
for axis, fraction, kappa in zip(axes, np.linspace(0, 1, 7), path, strict=True):
    axis.set(title=f"{fraction:.2f}", xlabel=f"σ(κ) = {kappa.std():.4f}")
figure.colorbar(image, ax=axes, label="κ")
print_trusted(figure, data.manifest.multipoles)
print(f"average of both ends: σ(κ) = {((path[0] + path[-1]) / 2).std():.4f}")

# %% [markdown]
# From the first to the last map, at fixed cosmology, structures fade and others appear continuously. A generator that
# had memorised its training maps would show jumps. Each step is a valid map, not an average of the two ends: the
# standard deviation of each is given below it, and that of the average is printed for comparison.

# %% [markdown]
# ## Cosmologies without a simulation
#
# The emulator interpolates to any cosmology within its training range. Theory needs no simulation either, so that
# both can be compared where none was run: at one Ωm and three values of σ8.

# %%
omega_m = round(middle["omega_m"], 2)
least, most = emulator.ranges["sigma_8"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for colour, fraction in zip(SERIES, (0.25, 0.5, 0.75), strict=False):
    sigma_8 = round(least + fraction * (most - least), 2)
    parameters_here = middle | {"omega_m": omega_m, "sigma_8": sigma_8}
    ell, power, error = spectrum(emulator.sample(256, seed=3, **parameters_here))
    mean, scale, expected = power.mean(0), ell * (ell + 1) / (2 * np.pi), theory(Cosmology(**parameters_here))[1]
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
# Error bars show the error of the mean of 256 generated maps. Within the trusted range (not grey) the training maps
# follow theory. Beyond it, they fall short of theory, and the acceptance tests below compare the emulator with them.
# The order of the three spectra and their ratios must be right. Where the ratios on the right coincide, the emulator
# has learnt the dependence on σ8. Where all three leave the green band together, the emulator is biased at that scale,
# whatever the cosmology.
#
# Outside its training range the emulator refuses to generate maps, since these could not be validated:

# %%
try:
    emulator.sample(1, seed=3, **(middle | {"sigma_8": 1.4}))
except InputError as error:
    print(error)

# %% [markdown]
# ## Acceptance tests
#
# Every statistic is measured on simulated maps of cosmologies outside the training split, and on four times as many
# generated maps for the same ones. The dependence on cosmology is removed from both: maps are divided by the standard
# deviation σ(κ) of their cosmology, a smooth function fitted to the simulated ones, so that bins have the same
# meaning in all of them. Each value is compared with its null: the value that the same code finds when the
# simulations are split into halves of whole simulations, and one half takes the role of the generated maps. With so
# few simulations, a tolerance below that null could not be tested.

# %%
records = np.sort(np.random.default_rng(0).permutation(data.split("train"))[:MAX_TREND_MAPS])
compared, training_maps = matched(held, read_map_set(data, records, tuple(emulator.ranges)))
periodic = data.manifest.periodic
statistics = statistics_for(compared.simulated.maps, simulation.side_deg, periodic=periodic, unit="κ/σ")
assessment = assess(
    statistics, compared.simulated, compared.generated, config.acceptance, training=training_maps,
    training_maps=[data.read(data.split("train"))[..., 0]], periodic=periodic,
)  # fmt: skip
chosen = [
    statistic
    for statistic in statistics
    if statistic.name in ("angular_power", "pixel_distribution", "peaks", "minkowski_v1")
]
figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
for axis, statistic in zip(axes.flat, chosen, strict=True):
    agreement = assessment.agreements[statistic.name]
    null, deviation = 100 * agreement.null_deviation, 100 * agreement.deviation
    tolerance = 100 * agreement.mean.tolerance
    axis.axhspan(-tolerance, tolerance, color=SERIES[2], alpha=0.15, lw=0, label="tolerance")
    axis.fill_between(statistic.bins, -null, null, color="0.5", alpha=0.3, lw=0, label="simulations among themselves")
    axis.plot(statistic.bins, deviation, color=SERIES[1], lw=1)
    for usable, fill in ((agreement.usable, SERIES[1]), (~agreement.usable, "white")):
        axis.plot(statistic.bins[usable], deviation[usable], "o", ms=5, mfc=fill, mec=SERIES[1])
    limits = min(-3 * tolerance, 1.2 * deviation.min()), max(3 * tolerance, 1.2 * deviation.max())
    quantity = "generated / simulated − 1" if statistic.relative_to == "bin" else "difference / largest simulated"
    axis.set(xlabel=statistic.axis, ylabel=f"{quantity} [%]", ylim=limits)
    axis.set_title(statistic.label, loc="left")
    if statistic.axis.startswith("multipole"):
        along_multipoles(axis, data.manifest.multipoles)
axes[0, 0].legend()
print_trusted(figure, data.manifest.multipoles)

# %% [markdown]
# Deviations of the means. For V1, the boundary length of the regions above a threshold, they are fractions of the
# largest value. Filled points are assessed. At open points simulations differ among themselves by more than the
# tolerance, so that nothing can be concluded at the 5 % level. A point outside both bands is an error of the
# emulator; a point within the grey band is consistent with chance.
#
# All verdicts at a glance: value and null of the mean, of the distribution over maps (largest Kolmogorov-Smirnov
# distance), of the correlations between bins, and of the map-to-map scatter.

# %%
labels = ("largest deviation", "largest K-S distance", "fractional difference", "deviation of the scatter")
figure, axes = plt.subplots(1, 4, figsize=(11, 3.8), layout="constrained", sharey=True)
for axis, aspect, label in zip(axes, ASPECTS, labels, strict=True):
    for row, statistic in enumerate(statistics):
        verdict = getattr(assessment.agreements[statistic.name], aspect)
        axis.barh(row, np.nan_to_num(verdict.null), color="0.8", height=0.7)
        if verdict.tolerance:
            axis.plot([verdict.tolerance] * 2, [row - 0.35, row + 0.35], color=SERIES[2], lw=2)
        colour = SERIES[0] if verdict.passed else "#D55E00"
        axis.plot(verdict.value, row, "o" if verdict.passed else "X", color=colour, ms=6)
    axis.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    top = axis.dataLim.x1 * 1.1
    axis.set(title=aspect, xlabel=label, xlim=(0, top), xticks=[x for x in (0, 0.1, 0.5, 1, 2, 5, 10, 20) if x < top])
    axis.xaxis.set_major_formatter("{x:g}")
axes[0].set_yticks(range(len(statistics)), [statistic.name.replace("_", " ") for statistic in statistics])
axes[0].invert_yaxis()
print_trusted(figure, data.manifest.multipoles)
print(f"{assessment.favourable} of {len(assessment.verdicts)} verdicts are favourable")
print(f"undecided: {', '.join(assessment.undecided) or 'none'}")
print(f"failed: {', '.join(assessment.failed) or 'none'}")
memorisation = assessment.verdicts["memorisation"]
print(
    f"closer to a training map than 99 % of unseen maps: {memorisation.value:.1%}; allowed {memorisation.allowed:.1%}"
)

# %% [markdown]
# Blue dots are within the allowed range, red crosses outside. Grey bars: simulations among themselves. Green:
# tolerance. A value that exceeds both by more than the seed-to-seed scatter fails; one that exceeds them by less is
# undecided (K-S distances have the null as their only tolerance). The point of a mean is the largest deviation over
# its filled points above; without filled points, it is that of the bin with the smallest null. Where a bar exceeds
# the tolerance, a sharper verdict needs more simulated cosmologies; where a cross lies far beyond its bar, it needs a
# better emulator.
#
# An emulator may be used for the statistics it has passed, and for no others: with the right C_ℓ but the wrong
# scatter it gives the right spectrum and the wrong error bars. `tenfold validate` runs the same tests, adds the
# estimates of a trained estimator if one is given, writes a one-page report, and exits with status 1 if a verdict
# fails.
