"""The batch script on a real Slurm: its own logic with a stand-in for `tenfold`, and a full run with the real one."""

from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]
SCRIPT = CLONE / "hpc" / "slurm" / "cosmology.sbatch"

pytestmark = pytest.mark.slurm

# Records its calls. The step SLOW runs until USR1 on its first call and returns at once on the second. With DEAF, it
# does not handle USR1 and is killed by it.
STAND_IN = """#!/usr/bin/env bash
[ "${SLURM_PROCID:-0}" = 0 ] && echo "$*" >>"$STUDY/calls"
case "$1 $2" in
  "$FAILING") echo "no space left" >&2; exit 2 ;;
  "$SLOW")
    [ -e "$STUDY/visited" ] && exit 0
    if [ "$DEAF" ]; then touch "$STUDY/visited"; else trap 'touch "$STUDY/visited"; exit 75' USR1; fi
    touch "$STUDY/slow.$SLURM_PROCID"
    for i in $(seq 600); do sleep 0.1; done ;;
esac
"""


@pytest.fixture
def submit(slurm, tmp_path, clone, stand_in):
    """Submit the script for a study in tmp_path/study, with a stand-in for tenfold."""
    study = stand_in(STAND_IN)

    def submit(**variables: str) -> str:
        settings = {"TENFOLD": str(clone), "STUDY": str(study), "SETTINGS": "--preset demo"}
        settings |= {"FAILING": "", "SLOW": "", "DEAF": ""} | variables
        return slurm.submit("--cpus-per-task=2", f"--output={tmp_path}/log", SCRIPT, variables=settings)

    return submit


def test_all_steps_run_in_order(slurm, submit, tmp_path):
    job = submit()
    assert slurm.ended(job)["JobState"] == "COMPLETED", slurm.log(job)
    study = tmp_path / "study"
    lines = [line.replace(str(study), "S") for line in (study / "calls").read_text().splitlines()]
    cores = "--set simulation.processes=4 --set ingest.processes=4"
    assert lines == [
        f"simulate volumes --out S/boxes {cores} --preset demo",
        f"ingest volumes S/boxes --out S/data {cores} --preset demo",
        "train estimator S/data --out S/estimator --preset demo --resume",
        "simulate surrogates S/boxes --out S/surrogates --processes 4",
        f"ingest volumes S/surrogates --out S/data_null {cores} --preset demo",
        "train estimator S/data_null --out S/estimator_null --preset demo --null-control --resume",
        "validate S/estimator --null S/estimator_null --out S",
    ]
    assert slurm.log(job).splitlines()[-1].endswith(f"Done: {study}/report.html")


def test_the_null_control_can_be_left_out(slurm, submit, tmp_path):
    job = submit(NULL_CONTROL="no")
    assert slurm.ended(job)["JobState"] == "COMPLETED", slurm.log(job)
    calls = (tmp_path / "study" / "calls").read_text().splitlines()
    assert len(calls) == 4
    assert "--null" not in calls[-1]


@pytest.mark.parametrize("failing", ["simulate volumes", "train estimator"])
def test_a_step_that_fails_ends_the_job_with_its_status(slurm, submit, tmp_path, failing):
    job = submit(FAILING=failing)
    ended = slurm.ended(job)
    assert (ended["JobState"], ended["ExitCode"]) == ("FAILED", "2:0")
    assert "no space left" in slurm.log(job)
    assert "ended with status 2" in slurm.log(job)
    assert (tmp_path / "study" / "calls").read_text().splitlines()[-1].startswith(failing)


def test_at_the_time_limit_training_is_signalled_and_resumes_after_requeueing(slurm, submit, tmp_path):
    job = submit(SLOW="train estimator")
    study = tmp_path / "study"
    slurm.until(job, lambda: len(list(study.glob("slow.*"))) == 4)
    slurm.run("scancel", "--batch", "--signal=USR1", job)  # as --signal=B:USR1 does some minutes before the limit
    slurm.back_at_once(job)
    assert slurm.ended(job)["JobState"] == "COMPLETED", slurm.log(job)
    assert "Requeued, to resume from here" in slurm.log(job)
    calls = [line.split(" ")[0] for line in (study / "calls").read_text().splitlines()]
    assert calls[:6] == ["simulate", "ingest", "train", "simulate", "ingest", "train"]
    assert calls[-1] == "validate"


def test_a_step_that_does_not_handle_the_signal_restarts_after_requeueing(slurm, submit, tmp_path):
    job = submit(SLOW="simulate volumes", DEAF="yes")
    study = tmp_path / "study"
    slurm.until(job, lambda: any(study.glob("slow.*")))
    slurm.run("scancel", "--batch", "--signal=USR1", job)
    slurm.back_at_once(job)
    assert slurm.ended(job)["JobState"] == "COMPLETED", slurm.log(job)


def test_a_job_requeues_itself_a_limited_number_of_times(slurm, submit, tmp_path):
    job = submit(SLOW="train estimator", REQUEUES="0")
    slurm.until(job, lambda: len(list((tmp_path / "study").glob("slow.*"))) == 4)
    slurm.run("scancel", "--batch", "--signal=USR1", job)
    ended = slurm.ended(job)
    assert (ended["JobState"], ended["ExitCode"]) == ("FAILED", "75:0")
    assert "resubmit to continue" in slurm.log(job)


TINY = """
simulation: {count: 16, particles: 16, grid: 16, mesh_factor: 1, box_mpc_h: 64.0, redshifts: [0.0]}
ingest: {patches_per_side: 2, fractions: [0.5, 0.25, 0.25]}
network: {size: 8, filters: [4, 8], dense_units: [8]}
training: {epochs: 40, global_batch: 8, checkpoint_steps: 8}
"""


@pytest.mark.ranks
def test_a_study_requeued_in_mid_training_ends_with_a_report(slurm, tmp_path, clone):
    study = tmp_path / "study"  # the real tenfold: the empty clone hides nothing on PATH
    (tmp_path / "tiny.yaml").write_text(TINY)
    variables = {"TENFOLD": str(clone), "STUDY": str(study), "SETTINGS": f"--config {tmp_path}/tiny.yaml"}
    variables["NULL_CONTROL"] = "no"
    job = slurm.submit("--cpus-per-task=1", f"--output={tmp_path}/log", SCRIPT, variables=variables)
    checkpoints = study / "estimator" / "checkpoints"
    slurm.until(job, lambda: any(checkpoints.glob("step-*")), timeout_s=600)
    slurm.run("scontrol", "requeue", job)
    slurm.back_at_once(job)
    ended = slurm.ended(job, timeout_s=600)
    log = slurm.log(job)
    assert (ended["JobState"], ended["Restarts"]) == ("COMPLETED", "1"), log
    assert "Resuming at epoch" in log
    history = (study / "estimator" / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["epoch", *(str(epoch + 1) for epoch in range(40))]
    assert (study / "report.html").is_file()
