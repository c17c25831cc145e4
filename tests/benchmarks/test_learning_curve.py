"""Errors of network and power spectrum against the number of training simulations, on the same test set.

    tenfold run cosmology --preset laptop --out runs/laptop
    pytest -s tests/benchmarks/test_learning_curve.py        (TENFOLD_LAPTOP=runs/laptop, a quarter of an hour)

Every point is a separate training on the first boxes of the run's training and validation splits. The test split is
that of the run, so that the points differ only in their training sets.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tenfold.pipelines.config import load
from tenfold.pipelines.estimator.comparison import compare, score
from tenfold.pipelines.studies.cosmology_config import CosmologyRun
from tenfold.pipelines.studies.stages import launch_training
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.manifest import Manifest

RUN = Path(os.environ.get("TENFOLD_LAPTOP", "runs/laptop"))
COUNTS = (128, 256, 512)
STEPS = 2600
"""Smallest number of optimisation steps of a training: small training sets are repeated more often."""


@pytest.mark.skipif(not (RUN / "metrics.json").exists(), reason=f"{RUN}: no finished run; TENFOLD_LAPTOP names one")
def test_the_network_beats_the_power_spectrum_for_small_and_large_training_sets():
    config = load(CosmologyRun, preset="laptop")
    entries = [e for e in Manifest.read(RUN / "data" / "manifest.json").simulations if e.split is not None]
    learn = [Path(e.source) for e in entries if e.split != "test"]
    test = [Path(e.source) for e in entries if e.split == "test"]
    curve = {}
    for count in COUNTS:
        out = RUN / "learning_curve" / str(count)
        ingest_volumes([*learn[:count], *test], out / "data", config.ingest)
        trained = sum(e.split == "train" for e in Manifest.read(out / "data" / "manifest.json").simulations)
        epochs = max(config.training.epochs, round(STEPS * config.training.global_batch / trained))
        training = replace(config.training, epochs=epochs, warmup_epochs=epochs / 20)
        launch_training("estimator", out / "data", out / "estimator", replace(config, training=training), 2)
        curve[count] = score(compare(out / "estimator"), seed=0, draws=10_000)
    curve[len(learn)] = json.loads((RUN / "metrics.json").read_text())["simulations"]
    (RUN / "learning_curve.json").write_text(json.dumps(curve, indent=1))
    print(f"\n{len(test)} test boxes; rms error (95 %) of the network and of the power spectrum, and their ratio")
    for name in ("omega_m", "sigma_8"):
        for count, scores in curve.items():
            cells = [scores["network"][name], scores["power_spectrum"][name]]
            ratio = scores["rmse_ratio_power_spectrum"][name]
            text = "   ".join(
                f"{cell['rmse']:.4f} ({cell['rmse_low']:.4f} to {cell['rmse_high']:.4f})" for cell in cells
            )
            print(
                f"{name} {count:5d} boxes   {text}   {ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
            )
        errors = [scores["network"][name]["rmse"] for scores in curve.values()]
        assert errors[-1] == min(errors)
        assert all(scores["rmse_ratio_power_spectrum"][name]["low"] > 1 for scores in curve.values())
