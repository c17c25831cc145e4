"""The script for mass maps on a real Slurm: its logic with a stand-in for `tenfold`, and a run with the real one."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.emulator.lognormal import lognormal

from tenfold.pipelines.config import load
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.fits_cubes import write_maps
from tenfold.pipelines.studies.massmaps_config import MassMapsRun

CLONE = Path(__file__).parents[2]
SCRIPT = CLONE / "hpc" / "slurm" / "massmaps.sbatch"

pytestmark = pytest.mark.slurm

# Records its calls. Its validation writes a report and a verdict, or fails before.
STAND_IN = """#!/usr/bin/env bash
[ "${SLURM_PROCID:-0}" = 0 ] && echo "$*" >>"$STUDY/calls"
[ "$1" = validate ] || exit 0
case "$ENDING" in
  favourable) touch "$STUDY/report.html" ;;
  unfavourable) touch "$STUDY/report.html"; echo "Failed: peaks"; exit 1 ;;
  broken) echo "no space left" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def submit(slurm, tmp_path, clone, stand_in):
    """Submit the script for a study in tmp_path/study, with a stand-in for tenfold."""
    study = stand_in(STAND_IN)

    def submit(**variables: str) -> str:
        settings = {"TENFOLD": str(clone), "STUDY": str(study), "SETTINGS": "--preset demo", "ENDING": "favourable"}
        return slurm.submit("--cpus-per-task=2", f"--output={tmp_path}/log", SCRIPT, variables=settings | variables)

    return submit


def calls(study: Path) -> list[str]:
    return [line.replace(str(study), "S") for line in (study / "calls").read_text().splitlines()]


def test_all_steps_run_in_order(slurm, submit, tmp_path):
    job = submit()
    assert slurm.ended(job)["JobState"] == "COMPLETED", slurm.log(job)
    cores = "--set simulation.processes=4 --set ingest.processes=4"
    assert calls(tmp_path / "study") == [
        "config show --study massmaps --preset demo",
        f"simulate massmaps --out S/maps --preset demo {cores}",
        f"ingest massmaps S/maps --out S/data --preset demo {cores}",
        "train emulator S/data --out S/network --preset demo --resume",
        "train estimator S/data --out S/estimator --preset demo --study massmaps --resume",
        "validate S/network --estimator S/estimator --config S/study.yaml --out S",
    ]
    assert "No verdict failed" in slurm.log(job).splitlines()[-1]


def test_existing_maps_are_ingested_without_simulation_and_the_estimator_is_optional(slurm, submit, tmp_path):
    job = submit(MAPS="/data/one.fits /data/two", ESTIMATOR="no")
    assert slurm.ended(job)["JobState"] == "COMPLETED", slurm.log(job)
    _, ingest, train, validate = calls(tmp_path / "study")
    assert ingest.startswith("ingest massmaps /data/one.fits /data/two --out S/data")
    assert train.startswith("train emulator")
    assert validate == "validate S/network --config S/study.yaml --out S"


@pytest.mark.parametrize(
    ("ending", "variables", "status", "message"),
    [
        ("unfavourable", {}, "3:0", "A verdict failed; exit status"),
        ("unfavourable", {"UNFAVOURABLE": "0"}, "0:0", "A verdict failed; exit status"),
        ("broken", {}, "1:0", "Validate ended with status 1"),
    ],
)
def test_the_exit_status_distinguishes_a_failed_verdict_from_a_failed_step(
    slurm, submit, tmp_path, ending, variables, status, message
):
    (tmp_path / "study" / "report.html").touch()  # left by an earlier validation
    job = submit(ENDING=ending, **variables)
    assert slurm.ended(job)["ExitCode"] == status, slurm.log(job)
    assert message in slurm.log(job).splitlines()[-1]


TINY = """
simulation: {count: 16, maps: 16, particles: 16, plane: 64, steps: 4, side_deg: 2.0, pixels: 16, sources: [0.5],
  ranges: {sigma_8: [0.6, 1.0]}}
ingest: {fractions: [0.5, 0.2, 0.3]}
network: {size: 16, latent_dim: 8, filters: [8, 8, 4], critic_filters: [4, 8], style_dim: 8, conditions: 1,
  group_size: 2, boundary: cropped}
training: {epochs: 10, global_batch: 16, reference_batch: 16, validation_maps: 16, moment_matching_steps: 20,
  shifts: false, checkpoint_steps: 2}
estimator: {dimensions: 2, size: 16, transform: identity, filters: [4, 8], dense_units: [8]}
estimator_training: {epochs: 2, global_batch: 16, shifts: false}
acceptance: {draws: 50}
"""


@pytest.mark.ranks
def test_a_study_requeued_in_mid_training_ends_with_a_report_and_its_verdict(slurm, tmp_path, clone):
    """Two nodes with one rank each. All cosmologies but one exist already, as if an earlier job had simulated them."""
    study, settings = tmp_path / "study", tmp_path / "tiny.yaml"
    settings.write_text(TINY)
    simulation, rng = load(MassMapsRun, settings).simulation, np.random.default_rng(1)
    (study / "maps").mkdir(parents=True)
    for n in range(1, simulation.count):
        sigma_8 = rng.uniform(0.6, 1.0)
        write_maps(
            study / "maps" / f"maps_{n:05d}.fits", lognormal(16, sigma_8 - 0.3, -2.0, simulation.maps, rng),
            cosmology=Cosmology(sigma_8=sigma_8), side_deg=simulation.side_deg, sources=simulation.sources,
            trusted=(360.0, 1080.0), seed=n, simulation=f"sky_{n}", varied=("sigma_8",), config=simulation.physics,
        )  # fmt: skip
    variables = {"TENFOLD": str(clone), "STUDY": str(study), "SETTINGS": f"--config {settings}"}
    job = slurm.submit(
        "--ntasks-per-node=1", "--cpus-per-task=1", f"--output={tmp_path}/log", SCRIPT, variables=variables
    )
    slurm.until(job, lambda: any((study / "network" / "checkpoints").glob("step-*")), timeout_s=600)
    slurm.run("scontrol", "requeue", job)
    slurm.back_at_once(job)
    ended = slurm.ended(job, timeout_s=600)
    log = slurm.log(job)
    assert (ended["ExitCode"], ended["Restarts"]) == ("3:0", "1"), log  # after such a short training a verdict fails
    assert "1 new cosmologies of 16 maps" in log and "Resuming at epoch" in log
    history = (study / "network" / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["epoch", *(str(epoch + 1) for epoch in range(10))]
    metrics = json.loads((study / "metrics.json").read_text())
    assert metrics["environment"]["acceptance"]["draws"] == 50
    assert not metrics["passed"] and "sigma_8" in metrics["estimator"]
    assert (study / "report.html").is_file()
