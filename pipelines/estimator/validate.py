"""Validation of a trained estimator: scores with intervals, compared with the power spectrum, and a report."""

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
from tenfold.pipelines.estimator.example_boxes import draw_example_boxes
from tenfold.pipelines.estimator.example_maps import draw_example_maps
from tenfold.pipelines.estimator.report import write_report
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_numbers
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.training.run_folder import RunFolder

BOOTSTRAP_DRAWS = 10_000
CONFIDENCE_LEVEL = 0.95
PACKAGES = ("tenfold", "numpy", "scipy", "scikit-learn", "camb", "matplotlib")


def validate(
    run: Path, null: Path | None = None, out: Path | None = None, *, seed: int = 0, baseline: Baseline | None = None
) -> Path:
    """Compare the test predictions of a training with the power spectrum and the training mean.

    Returns the path of the report.

    Parameters
    ----------
    run
        Folder of a finished training on simulations.
    null
        Folder of a finished training of the same network on the Gaussian surrogates of the simulations (null test).
    out
        Folder for ``metrics.json`` and ``report.html``; by default the folder of the run.
    seed
        Seed of the bootstrap.
    baseline
        Settings of the regression from the power spectrum.

    Raises
    ------
    InputError
        A training has not finished or does not match its shards, or the two are of different simulations.
    """
    start = time.monotonic()
    run, out = Path(run), Path(out or run)
    RunFolder(run).read_record("estimator")
    OutputFolder.claim(out, ("metrics.json", "report.html"))
    baseline = baseline or Baseline()
    simulations = compare(run, baseline)
    surrogates = compare(Path(null), baseline) if null is not None else None
    metrics: dict[str, Any] = {"simulations": score(simulations, seed=seed, draws=BOOTSTRAP_DRAWS)}
    if surrogates is not None:
        _check_same_test(simulations, surrogates)
        metrics["gaussian_surrogates"] = score(surrogates, seed=seed, draws=BOOTSTRAP_DRAWS)
    if len(simulations.manifest.shape) == 3:
        boxes, metrics["power_spectra"] = draw_example_maps(simulations)
    else:
        boxes, metrics["power_spectra"] = draw_example_boxes(simulations, surrogates)
    metrics["environment"] = _environment(simulations, surrogates, out, baseline, seed, time.monotonic() - start)
    _write_json(out / "metrics.json", metrics)
    write_report(out / "report.html", metrics, simulations, surrogates, boxes)
    return out / "report.html"


def _check_same_test(simulations: Comparison, surrogates: Comparison) -> None:
    """Check that the null test has the same parameters and the same test simulations."""
    if simulations.names != surrogates.names:
        raise InputError(
            f"{surrogates.data}: the null test estimates {', '.join(surrogates.names)}, the run "
            f"{', '.join(simulations.names)}. Ingest the surrogates of the same boxes in the same way."
        )
    expected, actual = set(simulations.simulations), set(surrogates.simulations)
    if expected != actual:
        raise InputError(
            f"{surrogates.data}: the test split of the null test has {len(actual)} simulations, "
            f"{len(expected & actual)} of the {len(expected)} of the run. Ingest the surrogates of the same boxes "
            "with the same fractions and seed."
        )


def _environment(
    simulations: Comparison, surrogates: Comparison | None, out: Path, baseline: Baseline, seed: int, wall_s: float
) -> dict[str, Any]:
    record = simulations.record
    versions = {name: metadata.version(name) for name in PACKAGES} | record.get("versions", {})
    stages = read_numbers(out / "stages.json")
    trainings = {"training": simulations} | ({"null training": surrogates} if surrogates else {})
    stages |= {name: training.record["wall_s"] for name, training in trainings.items() if "wall_s" in training.record}
    seeds = {name: training.record["seed"] for name, training in trainings.items() if "seed" in training.record}
    return {
        "versions": {"python": platform.python_version(), **versions},
        "platform": platform.platform(terse=True),
        "seeds": seeds
        | {"split": simulations.manifest.ingest.get("seed", 0), "regression": baseline.seed, "bootstrap": seed},
        "bootstrap": {
            "draws": BOOTSTRAP_DRAWS,
            "confidence_level": CONFIDENCE_LEVEL,
            "clusters": len(np.unique(simulations.simulations)),
        },
        "ranks": record.get("ranks", 1),
        "wall_s": stages | {"validation": wall_s},
        "data": {name: training.manifest.fingerprint for name, training in trainings.items()},
        "network": {"weights": record.get("parameters"), **record.get("network", {})},
        "training": record.get("training", {}) | {"views": record.get("views", 1)},
    }


def _write_json(path: Path, metrics: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, allow_nan=False) + "\n", encoding="utf-8")
