"""Figures of the README, drawn from the three demo studies: `make figures`, after `make demo`.

Each figure is one PNG in `docs/figures`, in 256 colours, so that all three together have less than 300 kB.
"""

import io
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from rdkit.Chem.Draw import rdMolDraw2D

from tenfold.pipelines import MassMapEmulator, MoleculePredictor, Shards
from tenfold.pipelines.estimator.comparison import compare, score
from tenfold.pipelines.estimator.example_boxes import select_corners
from tenfold.pipelines.estimator.figures import COLOUR, LABEL, MARKER, SLICE_RANGE, symbol
from tenfold.pipelines.predictor.drawings import highlights
from tenfold.pipelines.reports.figures import SERIES, STYLE
from tenfold.stats.maps import angular_power
from tenfold.stats.power import overdensity

STUDIES, FIGURES = Path("runs/demo"), Path("docs/figures")
DPI = 130
WIDTH = 8.0  # inches
MOLECULES = ("CC(=O)CO", "OC1CC=CO1", "NC(=O)C=O")
"""Molecules to explain, of the kind that the demo trains on."""


def save(figure: Figure, name: str) -> None:
    """Write a figure as PNG with a palette."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DPI, facecolor="white")
    FIGURES.mkdir(parents=True, exist_ok=True)
    path = FIGURES / f"{name}.png"
    Image.open(out).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def cosmology(study: Path) -> None:
    """Draw four boxes with their Gaussian surrogates, and the estimates of the network and of the power spectrum."""
    comparison = compare(study / "estimator")
    rows = select_corners(comparison.true)
    names = comparison.simulations[rows]
    figure = Figure((WIDTH, 2.9), layout="constrained")
    panels = figure.subplots(2, 6, width_ratios=[1, 1, 1, 1, 0.1, 2.2])
    for line, (data, label) in enumerate((("data", "simulation"), ("data_null", "Gaussian surrogate"))):
        with Shards.open(study / data) as shards:
            simulations = shards.simulation(np.arange(len(shards)))
            volumes = shards.read(np.array([int(np.flatnonzero(simulations == name)[0]) for name in names]))[..., 0]
        for column, volume in enumerate(volumes):
            axes = panels[line, column]
            delta = overdensity(volume) if data == "data" else volume
            axes.imshow(np.arcsinh(delta[:, :, :8].mean(axis=2)).T, origin="lower", cmap="magma",
                        vmin=SLICE_RANGE[0], vmax=SLICE_RANGE[1])  # fmt: skip
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if not line:
                values = zip(comparison.names, comparison.true[rows[column]], strict=True)
                axes.set_title("\n".join(f"{symbol(name)} = {value:.2f}" for name, value in values), fontsize=8)
            if not column:
                axes.set_ylabel(label)
    for axes in panels[:, 4:].flat:
        axes.remove()
    axes = figure.add_subplot(panels[0, 0].get_gridspec()[:, 5])
    scores = score(comparison, seed=0, draws=200)
    true = comparison.true[:, 0]
    for method in ("power_spectrum", "network"):
        rmse = scores[method][comparison.names[0]]["rmse"]
        axes.plot(true, comparison.estimates[method].mean[:, 0], MARKER[method], color=COLOUR[method], ms=2.5, mew=0,
                  alpha=0.8, label=f"{LABEL[method]}, rms error {rmse:.3f}")  # fmt: skip
    axes.plot([true.min(), true.max()], [true.min(), true.max()], color="black", lw=0.8)
    axes.set(xlabel=f"true {symbol('omega_m')}", ylabel=f"estimated {symbol('omega_m')}")
    axes.legend(loc="upper left", fontsize=7, handletextpad=0.2, borderpad=0)
    axes.set_ylim(top=true.max() + 0.3 * np.ptp(true))
    save(figure, "cosmology")


def massmaps(study: Path) -> None:
    """Draw simulated and generated convergence maps of held-out cosmologies, and the ratio of their mean power."""
    emulator = MassMapEmulator.load(study / "network")
    with Shards.open(study / "data") as shards:
        test = shards.split("test")
        maps, parameters = shards.read(test)[..., 0], shards.parameters(test)
        names, groups = shards.manifest.parameter_names, shards.simulation(test)
    conditions: dict[str, Any] = {name: parameters[:, names.index(name)] for name in emulator.ranges}
    generated = emulator.sample(len(test), seed=1, **conditions)
    order = [np.flatnonzero(groups == group)[0] for group in dict.fromkeys(groups)]
    order = sorted(order, key=lambda row: maps[groups == groups[row]].std())
    shown = [order[i] for i in np.linspace(0, len(order) - 1, 4).round().astype(int)]
    figure = Figure((WIDTH, 2.9), layout="constrained")
    panels = figure.subplots(2, 6, width_ratios=[1, 1, 1, 1, 0.1, 2.2])
    low, high = np.quantile(maps[np.isin(groups, groups[shown])], [0.005, 0.998])
    for line, (label, rows) in enumerate((("simulated", maps), ("generated", generated))):
        for column, row in enumerate(shown):
            axes = panels[line, column]
            axes.imshow(rows[row], origin="lower", cmap="inferno", vmin=low, vmax=high)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if not line:
                values = [f"{symbol(name)} = {parameters[row, names.index(name)]:.2f}" for name in emulator.ranges]
                axes.set_title("\n".join(values), fontsize=8)
            if not column:
                axes.set_ylabel(label)
    for axes in panels[:, 4:].flat:
        axes.remove()
    axes = figure.add_subplot(panels[0, 0].get_gridspec()[:, 5])
    side = emulator.side_deg
    assert side is not None
    edges = np.geomspace(360 / side * 1.5, 180 * emulator.architecture.size / side, 13)
    for row, colour in zip(shown, SERIES, strict=True):
        spectra = []
        for rows in (maps, generated):
            power = angular_power(rows[groups == groups[row]], np.deg2rad(side), edges)
            spectra.append(power.ell * (power.ell + 1) * power.power.mean(axis=0) / (2 * np.pi))
        axes.plot(power.ell, spectra[0], color=colour, lw=1)
        axes.plot(power.ell, spectra[1], "o", color=colour, ms=3, mew=0)
    axes.plot([], [], color="black", lw=1, label="simulated")
    axes.plot([], [], "o", color="black", ms=3, mew=0, label="generated")
    axes.set(xscale="log", yscale="log", xlabel="multipole ℓ", ylabel="ℓ(ℓ + 1) $C_ℓ$ / 2π")
    axes.legend(loc="lower right", fontsize=7)
    save(figure, "massmaps")


def molecules(study: Path) -> None:
    """Draw molecules with the contributions of their atoms to a prediction, and predictions against their reference."""
    predictor = MoleculePredictor.load(study / "network")
    predictor = predictor.with_embedding() if predictor.config.featuriser.geometry == "given" else predictor
    predictions = np.load(study / "network" / "predictions.npz")
    figure = Figure((WIDTH, 2.6), layout="constrained")
    panels = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.25])
    target = "gap"
    for axes, smiles in zip(panels, MOLECULES, strict=False):
        explanation = predictor.explain(smiles, target)
        drawer = rdMolDraw2D.MolDraw2DCairo(480, 420)
        molecule, arguments = highlights(explanation.molecule, explanation.atoms, explanation.bonds)
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule, **arguments)
        drawer.FinishDrawing()
        axes.imshow(Image.open(io.BytesIO(drawer.GetDrawingText())))
        axes.set_axis_off()
        axes.set_title(f"{smiles}\n{target} {explanation.value:.2f} ± {explanation.sigma:.2f} {explanation.unit}")
    t = predictor.names.index(target)
    true, mean = predictions["test_true"][:, t], predictions["test_mean"][:, t]
    axes = panels[-1]
    axes.plot([true.min(), true.max()], [true.min(), true.max()], color="black", lw=0.8)
    axes.plot(true, mean, "o", color=SERIES[0], ms=2.5, mew=0, alpha=0.8)
    error = np.abs(mean - true).mean()
    axes.set_title(f"test molecules, mean absolute error {error:.2f} eV", fontsize=8)
    axes.set(xlabel=f"{target} by GFN2-xTB [eV]", ylabel="predicted [eV]")
    save(figure, "molecules")


if __name__ == "__main__":
    with matplotlib.rc_context(STYLE):
        cosmology(STUDIES / "cosmology")
        massmaps(STUDIES / "massmaps")
        molecules(STUDIES / "chemistry")
