"""Acceptance tests of emulators of mass maps that are trained longer than those of the presets.

    pytest -s tests/benchmarks/test_emulators.py

Single cosmologies with maps of 64² and of 128², and the demo's range of cosmologies with maps of 64², by the commands
that a user would give, from the simulation to the verdicts. On two cores the first takes half an hour, the second an
hour and a half, the third an hour. Prints every verdict on a mean with its tolerance and null, and all unfavourable
verdicts. The benchmark fails if a verdict is not favourable.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ONE = ["--set", "simulation.ranges={}", "--set", "simulation.maps=128", "--set", "simulation.count=48"]
MANY = ["--set", "simulation.maps=128", "--set", "simulation.count=128"]
LOW_LEARNING_RATES = ["training.learning_rate=1e-3", "training.critic_learning_rate=2e-3"]
MOMENT_MATCHING = [
    "training.moment_matching_steps=1440",
    "training.moment_matching_rate=1e-4",
]  # the presets use fewer steps
STUDIES = {
    "one cosmology, 64²": (
        "demo",
        ONE,
        ["network.conditions=0", "training.epochs=16", *LOW_LEARNING_RATES, *MOMENT_MATCHING],
    ),
    "one cosmology, 128²": ("laptop", ONE, ["network.conditions=0", "training.epochs=9", *MOMENT_MATCHING]),
    "cosmologies held out, 64²": ("demo", MANY, ["training.epochs=10", *MOMENT_MATCHING]),
}
FILTERS = {"demo": "network.filters=[16,32,32]", "laptop": "network.filters=[16,32,32,32]"}


def tenfold(*arguments: str | Path, may_fail: bool = False) -> None:
    completed = subprocess.run([BIN / "tenfold", *map(str, arguments)], check=False)
    assert completed.returncode == 0 or (may_fail and completed.returncode == 1)


def unfavourable_verdicts(title: str, run: Path, out: Path, *arguments: str | Path) -> list[str]:
    """Run the acceptance tests, print the verdicts, and return the names of the unfavourable ones."""
    tenfold("validate", run, "--out", out, *arguments, may_fail=True)
    metrics = json.loads((out / "metrics.json").read_text())
    verdicts = metrics["verdicts"]
    favourable = sum(verdict["passed"] for verdict in verdicts.values())
    print(f"\n{title}: {favourable} of {len(verdicts)} verdicts favourable;",
          f"training {metrics['environment']['wall_s']['training']:.0f} s")  # fmt: skip
    for key, verdict in verdicts.items():
        if "largest deviation" in verdict["description"] or not verdict["passed"]:
            numbers = f"{verdict['value']:7.3f}  tolerance {verdict['tolerance']:.2f}  null {verdict['null']:.3f}"
            print(f"  {key:36} {numbers}", "" if verdict["passed"] else "FAILED")
    assert len(verdicts) > 40
    return [f"{title}: {key}" for key, verdict in verdicts.items() if not verdict["passed"]]


@pytest.mark.parametrize("name", STUDIES)
def test_verdicts_are_favourable(name, tmp_path):
    preset, simulation_options, training_settings = STUDIES[name]
    options = [word for setting in (FILTERS[preset], *training_settings) for word in ("--set", setting)]

    def shards(folder: str, *arguments: str) -> Path:
        tenfold("simulate", "massmaps", "--preset", preset, *arguments, "--out", tmp_path / f"{folder}_maps")
        tenfold("ingest", "massmaps", tmp_path / f"{folder}_maps", "--preset", preset, "--out", tmp_path / folder)
        return tmp_path / folder

    data, run = shards("data", *simulation_options), tmp_path / "run"
    tenfold("train", "emulator", data, "--preset", preset, *options, "--out", run)
    failed = unfavourable_verdicts(name, run, run)
    unseen = shards("unseen", *simulation_options, "--set", "simulation.count=24", "--set", "simulation.seed=2")
    failed += unfavourable_verdicts(f"{name}, newly simulated", run, tmp_path / "again", "--unseen", unseen)
    assert not failed
