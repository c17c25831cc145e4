"""Prove a trained estimator: scores with intervals beside the power spectrum's and the mean's, and a report."""

import json
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.baseline import Baseline
from tenfold.pipelines.estimator.comparison import Comparison, compare, score
from tenfold.pipelines.estimator.gallery import show
from tenfold.pipelines.estimator.report import write_report
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_numbers
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.training.run_folder import RunFolder

DRAWS = 10_000
LEVEL = 0.95
PACKAGES = ("tenfold", "numpy", "scipy", "scikit-learn", "camb", "matplotlib")


def validate(
    run: Path, null: Path | None = None, out: Path | None = None, *, seed: int = 0, baseline: Baseline | None = None
) -> Path:
    """Measure a training's test predictions against the power spectrum and the mean.

    Parameters
    ----------
    run
        Folder of a finished training on simulations.
    null
        Folder of a finished training of the same network on the simulations' Gaussian twins.
    out
        Folder for ``metrics.json`` and ``report.html``; the run's by default.
    seed
        Seed of the bootstrap.
    baseline
        How the regression from the power spectrum is tuned.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    InputError
        If a training has not finished, does not fit its shards, or the two are of different simulations.
    """
    start = time.monotonic()
    run, out = Path(run), Path(out or run)
    RunFolder(run).read_record("estimator")
    OutputFolder.claim(out, ("metrics.json", "report.html"))
    baseline = baseline or Baseline()
    simulations = compare(run, baseline)
    control = compare(Path(null), baseline) if null is not None else None
    metrics: dict[str, Any] = {"simulations": score(simulations, seed=seed, draws=DRAWS)}
    if control is not None:
        _same_test(simulations, control)
        metrics["gaussian_null"] = score(control, seed=seed, draws=DRAWS)
    boxes, metrics["power"] = show(simulations, control)
    metrics["environment"] = _environment(simulations, control, out, baseline, seed, time.monotonic() - start)
    _write_json(out / "metrics.json", metrics)
    write_report(out / "report.html", metrics, simulations, control, boxes)
    return out / "report.html"


def _same_test(simulations: Comparison, control: Comparison) -> None:
    """Refuse a null control on other parameters or other test simulations: it would control nothing."""
    if simulations.names != control.names:
        raise InputError(
            f"{control.data}: the null control estimates {', '.join(control.names)}, the run "
            f"{', '.join(simulations.names)}. Ingest the twins of the same boxes in the same way."
        )
    ours, theirs = set(simulations.simulations), set(control.simulations)
    if ours != theirs:
        raise InputError(
            f"{control.data}: the null control's test split has {len(theirs)} simulations, {len(ours & theirs)} of the "
            f"run's {len(ours)}. Ingest the twins of the same boxes with the same fractions and seed."
        )


def _environment(
    simulations: Comparison, control: Comparison | None, out: Path, baseline: Baseline, seed: int, wall_s: float
) -> dict[str, Any]:
    record = simulations.record
    versions = {name: metadata.version(name) for name in PACKAGES} | record.get("versions", {})
    wall = read_numbers(out / "stages.json")
    trainings = {"training": simulations} | ({"null training": control} if control else {})
    wall |= {name: one.record["wall_s"] for name, one in trainings.items() if "wall_s" in one.record}
    return {
        "versions": {"python": platform.python_version(), **versions},
        "platform": platform.platform(terse=True),
        "seeds": {name: one.record["seed"] for name, one in trainings.items() if "seed" in one.record}
        | {"split": simulations.manifest.ingest.get("seed", 0), "regression": baseline.seed, "bootstrap": seed},
        "bootstrap": {"draws": DRAWS, "level": LEVEL, "clusters": len(np.unique(simulations.simulations))},
        "ranks": record.get("ranks", 1),
        "wall_s": wall | {"validation": wall_s},
        "data": {name: one.manifest.fingerprint for name, one in trainings.items()},
        "network": {"weights": record.get("parameters"), **record.get("network", {})},
        "training": record.get("training", {}) | {"views": record.get("views", 1)},
    }


def _write_json(path: Path, metrics: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, allow_nan=False) + "\n", encoding="utf-8")
