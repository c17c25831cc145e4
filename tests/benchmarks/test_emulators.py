"""Emulators of mass maps trained for as long as it takes, before the acceptance tests.

    pytest -s tests/benchmarks/test_emulators.py

One cosmology in maps of 64² and of 128², and the demo's range of cosmologies in maps of 64², the whole way by the
commands a user would type. On two cores half an hour for the first, an hour and a half for the second, one hour for
the third.
Prints every verdict on a mean with its tolerance and null, and what else failed; fails where a verdict does.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ONE = ["--set", "simulation.ranges={}", "--set", "simulation.maps=128", "--set", "simulation.count=48"]
MANY = ["--set", "simulation.maps=128", "--set", "simulation.count=128"]
SLOWLY = ["training.learning_rate=1e-3", "training.critic_learning_rate=2e-3"]
MOMENT_MATCHING = [
    "training.moment_matching_steps=1440",
    "training.moment_matching_rate=1e-4",
]  # presets use fewer
STUDIES = {
    "one cosmology, 64²": ("demo", ONE, ["network.conditions=0", "training.epochs=16", *SLOWLY, *MOMENT_MATCHING]),
    "one cosmology, 128²": ("laptop", ONE, ["network.conditions=0", "training.epochs=9", *MOMENT_MATCHING]),
    "cosmologies held out, 64²": ("demo", MANY, ["training.epochs=10", *MOMENT_MATCHING]),
}
FILTERS = {"demo": "network.filters=[16,32,32]", "laptop": "network.filters=[16,32,32,32]"}


def tenfold(*words: str | Path, may_fail: bool = False) -> None:
    done = subprocess.run([BIN / "tenfold", *map(str, words)], check=False)
    assert done.returncode == 0 or (may_fail and done.returncode == 1)


def judged(what: str, run: Path, out: Path, *words: str | Path) -> list[str]:
    """Run the acceptance tests, print what was found, and return which verdicts failed."""
    tenfold("validate", run, "--out", out, *words, may_fail=True)
    metrics = json.loads((out / "metrics.json").read_text())
    verdicts = metrics["verdicts"]
    print(f"\n{what}: {sum(each['passed'] for each in verdicts.values())} of {len(verdicts)} verdicts favourable;",
          f"training {metrics['environment']['wall_s']['training']:.0f} s")  # fmt: skip
    for key, each in verdicts.items():
        if "largest deviation" in each["description"] or not each["passed"]:
            print(f"  {key:36} {each['value']:7.3f}  tolerance {each['tolerance']:.2f}  null {each['null']:.3f}",
                  "" if each["passed"] else "FAILED")  # fmt: skip
    assert len(verdicts) > 40
    return [f"{what}: {key}" for key, each in verdicts.items() if not each["passed"]]


@pytest.mark.parametrize("name", STUDIES)
def test_court(name, tmp_path):
    preset, simulated, trained = STUDIES[name]
    chosen = [word for change in (FILTERS[preset], *trained) for word in ("--set", change)]

    def shards(folder: str, *words: str) -> Path:
        tenfold("simulate", "massmaps", "--preset", preset, *words, "--out", tmp_path / f"{folder}_maps")
        tenfold("ingest", "massmaps", tmp_path / f"{folder}_maps", "--preset", preset, "--out", tmp_path / folder)
        return tmp_path / folder

    data, run = shards("data", *simulated), tmp_path / "run"
    tenfold("train", "emulator", data, "--preset", preset, *chosen, "--out", run)
    failed = judged(name, run, run)
    since = shards("since", *simulated, "--set", "simulation.count=24", "--set", "simulation.seed=2")
    failed += judged(f"{name}, simulated since", run, tmp_path / "again", "--unseen", since)
    assert not failed
