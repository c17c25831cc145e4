"""Scatter of the verdicts on the demo's emulator of mass maps over seeds of training and validation.

    pytest -s tests/benchmarks/test_seeds.py

Simulates the demo's maps and new ones with another seed, and trains emulator and estimator five times. Each emulator is
tested at the demo's held-out cosmologies and at the newly simulated ones. Prints the table in docs/results.md: median
and range over the seeds. About an hour on two cores. The benchmark fails if a verdict fails, that is if a figure
exceeds its limit by more than the fraction `acceptance.seed_margin`.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

TENFOLD = Path(sys.executable).parent / "tenfold"
SEEDS = (1, 2, 3, 4, 5)


def tenfold(*arguments: str | Path, may_fail: bool = False) -> None:
    completed = subprocess.run([TENFOLD, *map(str, arguments)], check=False)
    assert completed.returncode == 0 or (may_fail and completed.returncode == 1)


def shards(folder: Path, name: str, *arguments: str) -> Path:
    tenfold("simulate", "massmaps", "--preset", "demo", *arguments, "--out", folder / f"{name}_maps")
    tenfold("ingest", "massmaps", folder / f"{name}_maps", "--preset", "demo", "--out", folder / name)
    return folder / name


def median_and_range(values: list[float]) -> str:
    """Format the median and the range of percentages."""
    return f"{np.median(values):.1f} % ({min(values):.1f} … {max(values):.1f})"


def test_verdicts_over_seeds(tmp_path):
    data = shards(tmp_path, "data")
    unseen = shards(tmp_path, "unseen", "--set", "simulation.count=24", "--set", "simulation.seed=2")
    verdicts: dict[str, list[dict]] = {"held out": [], "newly simulated": []}
    for seed in SEEDS:
        run, estimator = tmp_path / f"run{seed}", tmp_path / f"estimator{seed}"
        tenfold("train", "emulator", data, "--preset", "demo", "--set", f"training.seed={seed}", "--out", run)
        tenfold("train", "estimator", data, "--study", "massmaps", "--preset", "demo",
                "--set", f"estimator_training.seed={seed}", "--out", estimator)  # fmt: skip
        for maps, options in (("held out", []), ("newly simulated", ["--unseen", unseen])):
            out = tmp_path / f"{maps} {seed}"
            tenfold("validate", run, "--estimator", estimator, "--seed", seed, "--set", f"acceptance.seed={seed}",
                    "--out", out, *options, may_fail=True)  # fmt: skip
            verdicts[maps].append(json.loads((out / "metrics.json").read_text())["verdicts"])
    for name in verdicts["held out"][0]:
        if "largest deviation" in verdicts["held out"][0][name]["description"]:
            print(
                f"| {name} |",
                " | ".join(median_and_range([100 * run[name]["value"] for run in runs]) for runs in verdicts.values()),
            )
    for maps, runs in verdicts.items():
        print(
            maps,
            "favourable:",
            [sum(verdict["passed"] for verdict in run.values()) for run in runs],
            "of",
            len(runs[0]),
        )
    failed = [(maps, seed, name) for maps, runs in verdicts.items() for seed, run in zip(SEEDS, runs, strict=True)
              for name, verdict in run.items() if verdict["failed"]]  # fmt: skip
    assert not failed
