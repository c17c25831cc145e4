import sys
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]

pytestmark = pytest.mark.slurm

ALLREDUCE = """
import os
import tensorflow as tf
from tenfold.hpc.ranks import launch
ranks = launch()
total = ranks.sum([tf.constant([ranks.rank + 1.0, 1.0])])[0].numpy()
print("rank", ranks.rank, "of", ranks.size, "on", os.environ["SLURMD_NODENAME"], "sum", *total.astype(int))
"""


def test_two_nodes_are_available(slurm):
    completed = slurm.run("srun", "--nodes=2", "--ntasks-per-node=2", "--label", "printenv", "SLURMD_NODENAME")
    assert sorted(completed.stdout.splitlines()) == ["0: n1", "1: n1", "2: n2", "3: n2"]


def test_a_second_start_changes_nothing(slurm):
    before = slurm.run("scontrol", "show", "config").stdout
    assert slurm.run(CLONE / "hpc" / "slurm" / "slurm-up.sh").returncode == 0
    after = slurm.run("scontrol", "show", "config").stdout
    boot = [line for line in before.splitlines() if line.startswith("BOOT_TIME")]
    assert boot
    assert boot == [line for line in after.splitlines() if line.startswith("BOOT_TIME")]


@pytest.mark.ranks
def test_four_ranks_on_two_nodes_add_up(slurm):
    command = (sys.executable, "-c", ALLREDUCE)
    completed = slurm.run(
        "srun", "--mpi=pmi2", "--nodes=2", "--ntasks-per-node=2", "--overcommit", *command, timeout_s=600
    )
    assert completed.returncode == 0, completed.stderr
    lines = sorted(line for line in completed.stdout.splitlines() if line.startswith("rank"))
    nodes = ["n1", "n1", "n2", "n2"]
    assert lines == [f"rank {rank} of 4 on {node} sum 10 4" for rank, node in enumerate(nodes)]


@pytest.mark.ranks
def test_ranks_not_joined_by_slurm_stop_with_the_reason(slurm):
    command = (sys.executable, "-c", ALLREDUCE)
    completed = slurm.run("srun", "--mpi=none", "--ntasks=2", *command, timeout_s=600)
    assert completed.returncode != 0
    assert "srun promised 2 ranks, but MPI found 1" in completed.stderr
    assert "sum" not in completed.stdout


def test_a_job_is_cancelled_with_its_steps(slurm):
    job = slurm.submit("--output=/dev/null", "--wrap", "srun sleep 600")
    slurm.until(job, lambda: slurm.job(job)["JobState"] == "RUNNING")
    slurm.run("scancel", job)
    assert slurm.ended(job)["JobState"] == "CANCELLED"
