"""Emulators of mass maps trained for as long as it takes, before the court.

    pytest -s tests/benchmarks/test_emulators.py

One cosmology in maps of 64² and of 128², and the demo's range of cosmologies in maps of 64², the whole way by the
commands a user would type. On two cores about half an hour for each of the smaller, an hour and a half for the larger.
Prints every verdict on a mean with its tolerance and null, and what else failed.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ONE = ["--set", "simulation.ranges={}", "--set", "simulation.maps=128", "--set", "simulation.count=48"]
SLOWLY = ["training.learning_rate=1e-3", "training.critic_learning_rate=2e-3"]
STUDIES = {
    "one cosmology, 64²": ("demo", ONE, ["network.conditions=0", "training.epochs=16", *SLOWLY]),
    "one cosmology, 128²": ("laptop", ONE, ["network.conditions=0", "training.epochs=9"]),
    "cosmologies held out, 64²": ("demo", ["--set", "simulation.count=128"], ["training.epochs=10"]),
}
FILTERS = {"demo": "network.filters=[16,32,32]", "laptop": "network.filters=[16,32,32,32]"}


def tenfold(*words: str | Path, may_fail: bool = False) -> None:
    done = subprocess.run([BIN / "tenfold", *map(str, words)], check=False)
    assert done.returncode == 0 or (may_fail and done.returncode == 1)


@pytest.mark.parametrize("name", STUDIES)
def test_court(name, tmp_path):
    preset, simulated, trained = STUDIES[name]
    chosen = [word for change in (FILTERS[preset], *trained) for word in ("--set", change)]
    tenfold("simulate", "massmaps", "--preset", preset, *simulated, "--out", tmp_path / "maps")
    tenfold("ingest", "massmaps", tmp_path / "maps", "--preset", preset, "--out", tmp_path / "data")
    tenfold("train", "emulator", tmp_path / "data", "--preset", preset, *chosen, "--out", tmp_path / "run")
    tenfold("validate", tmp_path / "run", may_fail=True)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    verdicts = metrics["verdicts"]
    print(f"\n{name}: {sum(each['passed'] for each in verdicts.values())} of {len(verdicts)} verdicts favourable;",
          f"training {metrics['environment']['wall_s']['training']:.0f} s")  # fmt: skip
    for key, each in verdicts.items():
        if "largest deviation" in each["said"] or not each["passed"]:
            print(f"  {key:36} {each['value']:7.3f}  tolerance {each['tolerance']:.2f}  null {each['null']:.3f}",
                  "" if each["passed"] else "FAILED")  # fmt: skip
    assert len(verdicts) > 40
