"""The demo's emulator of mass maps over seeds of training and judging: how far its verdicts are chance.

    pytest -s tests/benchmarks/test_seeds.py

Simulates the demo's maps and others with another seed, trains emulator and estimator five times, and judges each at the
demo's held-out cosmologies and at those simulated since. Prints the table in the README: median and range over the
seeds. About an hour on two cores. Fails where a verdict fails, that is where a figure exceeds what is allowed by more
than `acceptance.seed_margin`.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

TENFOLD = Path(sys.executable).parent / "tenfold"
SEEDS = (1, 2, 3, 4, 5)


def tenfold(*words: str | Path, may_fail: bool = False) -> None:
    done = subprocess.run([TENFOLD, *map(str, words)], check=False)
    assert done.returncode == 0 or (may_fail and done.returncode == 1)


def shards(folder: Path, name: str, *words: str) -> Path:
    tenfold("simulate", "massmaps", "--preset", "demo", *words, "--out", folder / f"{name}_maps")
    tenfold("ingest", "massmaps", folder / f"{name}_maps", "--preset", "demo", "--out", folder / name)
    return folder / name


def spread(values: list[float]) -> str:
    """Median and range of percentages."""
    return f"{np.median(values):.1f} % ({min(values):.1f} … {max(values):.1f})"


def test_verdicts_over_seeds(tmp_path):
    data = shards(tmp_path, "data")
    since = shards(tmp_path, "since", "--set", "simulation.count=24", "--set", "simulation.seed=2")
    found: dict[str, list[dict]] = {"held out": [], "simulated since": []}
    for seed in SEEDS:
        run, judge = tmp_path / f"run{seed}", tmp_path / f"judge{seed}"
        tenfold("train", "emulator", data, "--preset", "demo", "--set", f"training.seed={seed}", "--out", run)
        tenfold("train", "estimator", data, "--study", "massmaps", "--preset", "demo",
                "--set", f"estimator_training.seed={seed}", "--out", judge)  # fmt: skip
        for where, words in (("held out", []), ("simulated since", ["--unseen", since])):
            out = tmp_path / f"{where} {seed}"
            tenfold("validate", run, "--estimator", judge, "--seed", seed, "--set", f"acceptance.seed={seed}",
                    "--out", out, *words, may_fail=True)  # fmt: skip
            found[where].append(json.loads((out / "metrics.json").read_text())["verdicts"])
    for name in found["held out"][0]:
        if "largest deviation" in found["held out"][0][name]["description"]:
            print(
                f"| {name} |", " | ".join(spread([100 * run[name]["value"] for run in runs]) for runs in found.values())
            )
    for where, runs in found.items():
        print(where, "favourable:", [sum(each["passed"] for each in run.values()) for run in runs], "of", len(runs[0]))
    failed = [(where, n, name) for where, runs in found.items() for n, run in zip(SEEDS, runs, strict=True)
              for name, each in run.items() if each["failed"]]  # fmt: skip
    assert not failed
