"""HTML report of a parameter-estimation run: figures, tables, and statements supported by the intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from tenfold.pipelines.estimator import figures
from tenfold.pipelines.estimator.comparison import METHODS, Comparison, verdict
from tenfold.pipelines.reports import digits
from tenfold.pipelines.reports.figures import EmbeddedFigure, loss
from tenfold.pipelines.reports.html import flatten, write_page

SYMBOL = {
    "omega_m": Markup("Ω<sub>m</sub>"),
    "sigma_8": Markup("σ<sub>8</sub>"),
    "n_s": Markup("n<sub>s</sub>"),
    "h": Markup("h"),
    "omega_b": Markup("Ω<sub>b</sub>"),
}
METHOD_LABELS = {"network": "Network", "power_spectrum": "Power spectrum", "training_mean": "Training mean"}


@dataclass(frozen=True, kw_only=True)
class BoxFigures:
    """Figures of example boxes or maps, drawn by `tenfold.pipelines.estimator.example_boxes` and `example_maps`."""

    slices: Sequence[EmbeddedFigure] = field(default_factory=tuple)
    surrogates: Sequence[EmbeddedFigure] = field(default_factory=tuple)
    power: Sequence[EmbeddedFigure] = field(default_factory=tuple)
    power_caption: str = ""
    scale: EmbeddedFigure | None = None
    """Colour bar of the slices; None: that of overdensities."""


def write_report(
    path: Path, metrics: Mapping[str, Any], simulations: Comparison, surrogates: Comparison | None, boxes: BoxFigures
) -> None:
    """Write the HTML file of the report atomically, from metrics collected by `tenfold.pipelines.estimator.validate`.

    Parameters
    ----------
    simulations
        Estimates on the simulations.
    surrogates
        Estimates on their Gaussian surrogates, if there is a null test.
    boxes
        Figures of example boxes.
    """
    sections = {"simulations": _draw_section(metrics["simulations"], simulations, "simulations")}
    if surrogates is not None:
        sections["gaussian_surrogates"] = _draw_section(
            metrics["gaussian_surrogates"], surrogates, "Gaussian surrogates"
        )
    write_page(
        path,
        "cosmology.html.j2",
        filters={"symbol": symbol, "numbers": numbers, "format_number": digits.format_number},
        names=simulations.names,
        headline=headline(metrics),
        verdicts=verdicts(metrics),
        metrics=metrics,
        methods=[(method, METHOD_LABELS[method]) for method in METHODS],
        sections=sections,
        boxes=boxes,
        scale=(boxes.scale or figures.colour_bar()) if boxes.slices else None,
        ratio=figures.ratios(_ratio_rows(metrics)),
        setup=setup(simulations, surrogates),
        environment=list(flatten(metrics["environment"])),
    )


def symbol(name: str) -> Markup:
    """Return the symbol of a parameter in HTML."""
    return SYMBOL.get(name, Markup.escape(name))


def numbers(scores: Mapping[str, float], score: str = "value") -> tuple[str, str, str]:
    """Format a score, or the value of a ratio, and the ends of its interval."""
    prefix = "" if score == "value" else f"{score}_"
    return digits.format_interval(scores[score], scores[f"{prefix}low"], scores[f"{prefix}high"])


def value_with_interval(scores: Mapping[str, float], score: str = "value") -> str:
    """Format a score and its interval for a sentence: 1.70 (1.35 … 2.13)."""
    return "{} ({} … {})".format(*numbers(scores, score))


def _join(names: Sequence[str]) -> Markup:
    return Markup(" and ").join(symbol(name) for name in names)


def headline(metrics: Mapping[str, Any]) -> Markup:
    """Summarise the comparison, and name the parameters whose σ is miscalibrated.

    A difference is claimed only if its interval excludes equality.
    """
    return Markup(" ").join([_comparison(metrics), *_miscalibration(metrics)])


def _miscalibration(metrics: Mapping[str, Any]) -> list[Markup]:
    """Return a sentence for each parameter whose coverage interval excludes the nominal coverage."""
    sentences = []
    for name, scores in metrics["simulations"].get("network", {}).items():
        for score, nominal, width in (("coverage_68", 0.682689, "1σ"), ("coverage_95", 0.95, "1.96σ")):
            low, high = scores[f"{score}_low"], scores[f"{score}_high"]
            if not low <= nominal <= high:
                sentences.append(
                    Markup(
                        "Its σ for {} is too {}: a fraction {} of the true values lies within {}, {} expected."
                    ).format(
                        symbol(name),
                        "large" if low > nominal else "small",
                        value_with_interval(scores, score),
                        width,
                        f"{nominal:.2f}",
                    )
                )
                break
    return sentences


def _comparison(metrics: Mapping[str, Any]) -> Markup:
    outcomes = {name: verdict(ratio) for name, ratio in metrics["simulations"]["rmse_ratio_power_spectrum"].items()}
    better, worse, indistinguishable = (
        [name for name in outcomes if outcomes[name] == outcome] for outcome in ("better", "worse", "indistinguishable")
    )
    null = metrics.get("gaussian_surrogates")
    failed = [name for name in outcomes if null and verdict(null["rmse_ratio_power_spectrum"][name]) == "better"]
    inconclusive = [name for name in better if null and verdict(null["rmse_ratio_training_mean"][name]) != "better"]
    if failed:
        return Markup(
            "The null test fails for {}: the network appears to gain where no information beyond the power spectrum "
            "exists, so no gain on the simulations can be trusted."
        ).format(_join(failed))
    if not better and not worse:
        return Markup("These simulations show no significant difference between the network and the power spectrum.")
    parts = [Markup("{} more accurately").format(_join(better))] if better else []
    parts += [Markup("{} less accurately").format(_join(worse))] if worse else []
    text = Markup("The network estimates {} than the power spectrum").format(Markup(" and ").join(parts))
    if indistinguishable:
        text += Markup("; for {} there is no significant difference").format(_join(indistinguishable))
    if inconclusive:
        text += Markup(
            "; on Gaussian fields it has learnt nothing about {}, so that the null test is inconclusive"
        ).format(_join(inconclusive))
    elif better and null:
        text += Markup(". On Gaussian fields with the same power spectra it gains nothing, as expected")
    return text + Markup(".")


def verdicts(metrics: Mapping[str, Any]) -> list[Markup]:
    """Return one sentence per parameter on the error ratio, on the simulations and in the null test."""
    on_simulations = {
        "better": "the power spectrum's rms error is {} times the network's: the network is more accurate.",
        "worse": "the power spectrum's rms error is {} times the network's: the network is less accurate.",
        "indistinguishable": "the power spectrum's rms error is {} times the network's: no significant difference.",
    }
    on_surrogates = {
        "better": "On the Gaussian surrogates the ratio is {}: an apparent gain, so that the null test fails.",
        "worse": "On the Gaussian surrogates the ratio is {}: no gain; the network is less accurate than the spectrum.",
        "indistinguishable": "On the Gaussian surrogates the ratio is {}: no gain and no significant difference.",
    }
    sentences = []
    for name, ratio in metrics["simulations"]["rmse_ratio_power_spectrum"].items():
        text = Markup("{}: ").format(symbol(name)) + on_simulations[verdict(ratio)].format(value_with_interval(ratio))
        if "gaussian_surrogates" in metrics:
            null = metrics["gaussian_surrogates"]
            null_ratio, to_mean = null["rmse_ratio_power_spectrum"][name], null["rmse_ratio_training_mean"][name]
            text += " " + on_surrogates[verdict(null_ratio)].format(value_with_interval(null_ratio))
            if verdict(to_mean) == "better":
                text += (
                    f" (The network does learn from them: predicting the training mean gives "
                    f"{value_with_interval(to_mean)} times its error.)"
                )
            else:
                text += (
                    f" But it does not learn from them: predicting the training mean gives "
                    f"{value_with_interval(to_mean)} times its error, so that the null test is inconclusive."
                )
        sentences.append(text)
    return sentences


def setup(simulations: Comparison, surrogates: Comparison | None) -> dict[str, Any]:
    """Collect the facts for the report's section on data and methods."""
    manifest, record = simulations.manifest, simulations.record
    entries = [entry for entry in manifest.simulations if entry.split is not None]
    splits = {split: {e.simulation for e in entries if e.split == split} for split in ("train", "validation", "test")}
    return {
        "boxes": len({entry.simulation for entry in entries}),
        "splits": {split: len(members) for split, members in splits.items()},
        "records": len(simulations.true),
        "maps": len(manifest.shape) == 3,
        "noun": "map" if len(manifest.shape) == 3 else "box",
        "plural": "maps" if len(manifest.shape) == 3 else "boxes",
        "cells": " × ".join(map(str, manifest.shape[:-1])),
        "pixel": None if manifest.pixel_arcmin is None else f"{manifest.pixel_arcmin:.4g}",
        "observed": None if manifest.mask is None else f"{100 * manifest.mask.fraction:.1f}",
        "f_sky": f"{simulations.spectra.f_sky:.3f}",
        "complete": manifest.mask is None and len(set(manifest.shape[:-1])) == 1,
        "channels": manifest.shape[-1],
        "redshifts": ", ".join(f"{z:g}" for z in manifest.redshifts),
        "side": manifest.box_mpc_h,
        "periodic": manifest.periodic,
        "bins": len(simulations.spectra.k) * manifest.shape[-1],
        "mean_counts": bool(np.ptp(simulations.spectra.mean, axis=0).max() > 1e-6),
        "ranges": [
            (symbol(name), *(digits.format_number(value, zeros=False) for value in (values.low, values.high)))
            for name, values in zip(manifest.parameter_names, manifest.parameters, strict=True)
        ],
        "weights": f"{record['parameters']:,}" if "parameters" in record else "",
        "ranks": record.get("ranks", ""),
        "epochs": int(simulations.history["epoch"][-1]) if len(simulations.history.get("epoch", ())) else "",
        "null": surrogates is not None,
    }


def _ratio_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, float]]]:
    blocks = [("simulations", "simulations"), ("gaussian_surrogates", "surrogates")]
    present = [(key, label) for key, label in blocks if key in metrics]
    names = metrics["simulations"]["rmse_ratio_power_spectrum"]
    return [(name, label, metrics[key]["rmse_ratio_power_spectrum"][name]) for name in names for key, label in present]


def _draw_section(scores: Mapping[str, Any], comparison: Comparison, data: str) -> dict[str, Any]:
    """Draw the figures of one comparison."""
    estimates, true = comparison.estimates, comparison.true
    scatter, pulls = [], []
    for p, name in enumerate(comparison.names):
        values = np.concatenate([true[:, p], *(estimates[method].mean[:, p] for method in METHODS[:2])])
        limits = np.array([values.min(), values.max()]) + np.ptp(values) * np.array([-0.06, 0.06])
        for method in METHODS[:2]:
            note = f"rms error {value_with_interval(scores[method][name], 'rmse')}"
            scatter.append(figures.scatter(name, true, estimates[method], p, method, note, limits))
        pulls.append(figures.pulls(name, true, estimates, p))
    history = comparison.history
    return {
        "loss": loss(history, data) if len(history.get("epoch", ())) else None,
        "scatter": scatter,
        "pulls": pulls,
    }
