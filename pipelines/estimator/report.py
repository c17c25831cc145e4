"""One offline HTML page per run: figures, tables, and sentences that say no more than the intervals show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from tenfold.pipelines.estimator import figures
from tenfold.pipelines.estimator.comparison import METHODS, Comparison, gain
from tenfold.pipelines.reports import digits
from tenfold.pipelines.reports.figures import Picture, loss
from tenfold.pipelines.reports.html import flatten, write_page

SYMBOL = {
    "omega_m": Markup("Ω<sub>m</sub>"),
    "sigma_8": Markup("σ<sub>8</sub>"),
    "n_s": Markup("n<sub>s</sub>"),
    "h": Markup("h"),
    "omega_b": Markup("Ω<sub>b</sub>"),
}
METHOD = {"cnn": "Network", "power_spectrum": "Power spectrum", "mean": "Mean"}


@dataclass(frozen=True, kw_only=True)
class Boxes:
    """Pictures of a few boxes, made by `tenfold.pipelines.estimator.gallery`."""

    slices: Sequence[Picture] = field(default_factory=tuple)
    twins: Sequence[Picture] = field(default_factory=tuple)
    power: Sequence[Picture] = field(default_factory=tuple)
    note: str = ""


def write_report(
    path: Path, metrics: Mapping[str, Any], simulations: Comparison, null: Comparison | None, boxes: Boxes
) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    path
        The page.
    metrics
        All numbers, as `tenfold.pipelines.estimator.validate` gathers them.
    simulations, null
        The estimates on the simulations, and on their Gaussian twins.
    boxes
        Pictures of some boxes.
    """
    sections = {"simulations": _section(metrics["simulations"], simulations, "simulations")}
    if null is not None:
        sections["gaussian_null"] = _section(metrics["gaussian_null"], null, "Gaussian twins")
    write_page(
        path,
        "cosmology.html.j2",
        filters={"symbol": symbol, "numbers": numbers, "figure": digits.figure},
        names=simulations.names,
        headline=headline(metrics),
        verdicts=verdicts(metrics),
        metrics=metrics,
        methods=[(method, METHOD[method]) for method in METHODS],
        sections=sections,
        boxes=boxes,
        scale=figures.colour_bar() if boxes.slices else None,
        ratio=figures.ratios(_ratio_rows(metrics)),
        setup=setup(simulations, null),
        environment=list(flatten(metrics["environment"])),
    )


def symbol(name: str) -> Markup:
    """Return a parameter's symbol in HTML."""
    return SYMBOL.get(name, Markup.escape(name))


def numbers(found: Mapping[str, float], score: str = "value") -> tuple[str, str, str]:
    """Write a score of `metrics`, or the value of a ratio, and the ends of its interval."""
    prefix = "" if score in ("value", "rmse") else f"{score}_"
    return digits.interval(found[score], found[f"{prefix}low"], found[f"{prefix}high"])


def inline(found: Mapping[str, float], score: str = "value") -> str:
    """Write a figure and its interval for a sentence: 1.70 (1.35 … 2.13)."""
    return "{} ({} … {})".format(*numbers(found, score))


def _all(names: Sequence[str]) -> Markup:
    return Markup(" and ").join(symbol(name) for name in names)


def headline(metrics: Mapping[str, Any]) -> Markup:
    """Say what the whole comparison shows, no gain without an interval that shows it, and where σ is off."""
    return Markup(" ").join([_comparison(metrics), *_miscalibration(metrics)])


def _miscalibration(metrics: Mapping[str, Any]) -> list[Markup]:
    """Sentences on the network's σ where the interval of its coverage leaves out what a calibrated one has."""
    said = []
    for name, found in metrics["simulations"].get("network", {}).items():
        for score, stated, width in (("coverage_68", 0.682689, "1σ"), ("coverage_95", 0.95, "1.96σ")):
            low, high = found[f"{score}_low"], found[f"{score}_high"]
            if not low <= stated <= high:
                said.append(
                    Markup("Its σ for {} is too {}: {} of the truths lie within {}, where {} would.").format(
                        symbol(name), "wide" if low > stated else "narrow", inline(found, score), width, f"{stated:.2f}"
                    )
                )
                break
    return said


def _comparison(metrics: Mapping[str, Any]) -> Markup:
    outcome = {name: gain(ratio) for name, ratio in metrics["simulations"]["ratio"].items()}
    better, worse, level = (
        [name for name in outcome if outcome[name] == found] for found in ("better", "worse", "level")
    )
    null = metrics.get("gaussian_null")
    leaking = [name for name in outcome if null and gain(null["ratio"][name]) == "better"]
    empty = [name for name in better if null and gain(null["ratio_to_mean"][name]) != "better"]
    if leaking:
        return Markup(
            "The null control fails for {}: the network seems to gain where nothing is to be gained, so no gain on the "
            "simulations is to be trusted."
        ).format(_all(leaking))
    if not better and not worse:
        return Markup("These simulations show no difference between the network and the power spectrum.")
    parts = [Markup("{} better").format(_all(better))] if better else []
    parts += [Markup("{} worse").format(_all(worse))] if worse else []
    said = Markup("The network reads {} than the power spectrum").format(Markup(" and ").join(parts))
    if level:
        said += Markup("; for {} no difference is shown").format(_all(level))
    if empty:
        said += Markup("; on Gaussian fields it has learnt nothing about {}, so that the control is empty").format(
            _all(empty)
        )
    elif better and null:
        said += Markup(". On Gaussian fields of the same spectra it gains nothing, as it must")
    return said + Markup(".")


def verdicts(metrics: Mapping[str, Any]) -> list[Markup]:
    """Say for every parameter what the ratio's interval shows, on the simulations and on the null."""
    on_simulations = {
        "better": "the power spectrum's rms error is {} times the network's: a gain.",
        "worse": "the power spectrum's rms error is {} times the network's: a loss.",
        "level": "the power spectrum's rms error is {} times the network's: no difference is shown.",
    }
    on_null = {
        "better": "On the Gaussian twins the ratio is {}: the network seems to gain there, too, and the control fails.",
        "worse": "On the Gaussian twins the ratio is {}: no gain, it reads less than the spectrum holds.",
        "level": "On the Gaussian twins the ratio is {}: no gain, the two are level.",
    }
    said = []
    for name, ratio in metrics["simulations"]["ratio"].items():
        words = Markup("{}: ").format(symbol(name)) + on_simulations[gain(ratio)].format(inline(ratio))
        if "gaussian_null" in metrics:
            null = metrics["gaussian_null"]
            learnt = null["ratio_to_mean"][name]
            words += " " + on_null[gain(null["ratio"][name])].format(inline(null["ratio"][name]))
            if gain(learnt) == "better":
                words += f" (It has learnt there: the mean's error is {inline(learnt)} times its own.)"
            else:
                words += f" But it has learnt nothing there, mean over network {inline(learnt)}: the control is empty."
        said.append(words)
    return said


def setup(simulations: Comparison, null: Comparison | None) -> dict[str, Any]:
    """Gather the facts for the paragraph on what was done."""
    manifest, record = simulations.manifest, simulations.record
    entries = [entry for entry in manifest.simulations if entry.split is not None]
    splits = {split: {e.simulation for e in entries if e.split == split} for split in ("train", "validation", "test")}
    return {
        "boxes": len({entry.simulation for entry in entries}),
        "splits": {name: len(found) for name, found in splits.items()},
        "records": len(simulations.true),
        "cells": " × ".join(map(str, manifest.shape[:3])),
        "channels": manifest.shape[3],
        "redshifts": ", ".join(f"{z:g}" for z in manifest.redshifts),
        "side": manifest.box_mpc_h,
        "periodic": manifest.periodic,
        "bins": len(simulations.spectra.k) * manifest.shape[3],
        "mean_counts": bool(np.ptp(simulations.spectra.mean, axis=0).max() > 1e-6),
        "ranges": [
            (symbol(name), digits.figure(one.low, zeros=False), digits.figure(one.high, zeros=False))
            for name, one in zip(manifest.parameter_names, manifest.parameters, strict=True)
        ],
        "weights": f"{record['parameters']:,}" if "parameters" in record else "",
        "ranks": record.get("ranks", ""),
        "epochs": int(simulations.history["epoch"][-1]) if len(simulations.history.get("epoch", ())) else "",
        "null": null is not None,
    }


def _ratio_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, float]]]:
    blocks = [("simulations", "simulations"), ("gaussian_null", "Gaussian twins")]
    there = [(key, label) for key, label in blocks if key in metrics]
    names = metrics["simulations"]["ratio"]
    return [(name, label, metrics[key]["ratio"][name]) for name in names for key, label in there]


def _section(scores: Mapping[str, Any], comparison: Comparison, data: str) -> dict[str, Any]:
    """Draw the figures of one comparison."""
    estimates, true = comparison.estimates, comparison.true
    pairs, pulls = [], []
    for p, name in enumerate(comparison.names):
        reach = np.concatenate([true[:, p], *(estimates[method].mean[:, p] for method in METHODS[:2])])
        limits = np.array([reach.min(), reach.max()]) + np.ptp(reach) * np.array([-0.06, 0.06])
        for method in METHODS[:2]:
            note = f"rms error {inline(scores[method][name], 'rmse')}"
            pairs.append(figures.predicted(name, true, estimates[method], p, method, note, limits))
        pulls.append(figures.pulls(name, true, estimates, p))
    history = comparison.history
    return {
        "loss": loss(history, data) if len(history.get("epoch", ())) else None,
        "pairs": pairs,
        "pulls": pulls,
    }
