"""A real Slurm for the tests that need one: two virtual nodes on this host, started and stopped by hpc/slurm."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]
SCRIPTS = CLONE / "hpc" / "slurm"
OVER = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"}


@dataclass(frozen=True)
class Slurm:
    """A running Slurm."""

    environment: dict[str, str]

    def run(
        self, *command: str | Path, timeout_s: float = 600, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command where Slurm's own commands find this Slurm."""
        return subprocess.run(
            [str(part) for part in command],
            env=self.environment | (variables or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def submit(self, *arguments: str | Path, variables: dict[str, str] | None = None) -> str:
        """Submit a batch script that sees these environment variables, and return its job's number."""
        completed = self.run("sbatch", "--parsable", *arguments, variables=variables)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout.strip()

    def job(self, number: str) -> dict[str, str]:
        """Fields that `scontrol show job` prints of a job."""
        completed = self.run("scontrol", "--oneliner", "show", "job", number)
        return dict(re.findall(r"(\w+)=(\S*)", completed.stdout))

    def until(self, number: str, reached: Callable[[], bool], timeout_s: float = 600) -> None:
        """Wait for something a job does; a job that ends without it is a failure."""
        deadline = time.monotonic() + timeout_s
        while not reached():
            state = self.job(number)["JobState"]
            assert state not in OVER or reached(), f"job {number} is {state}:\n{self.log(number)}"
            assert time.monotonic() < deadline, f"job {number} is {state}, waited {timeout_s:g} s:\n{self.log(number)}"
            time.sleep(0.2)

    def ended(self, number: str, timeout_s: float = 600) -> dict[str, str]:
        """Wait for the end of a job, and return what Slurm knows of it."""
        self.until(number, lambda: self.job(number)["JobState"] in OVER, timeout_s)
        return self.job(number)

    def back_at_once(self, number: str) -> None:
        """Spare a requeued job most of the minutes Slurm lets it wait: its old credential is revoked by the second."""
        self.until(number, lambda: self.job(number)["Restarts"] == "1" and self.job(number)["JobState"] == "PENDING")
        self.run("scontrol", "update", f"jobid={number}", "StartTime=now+5")

    def log(self, number: str) -> str:
        """What a job wrote."""
        path = Path(self.job(number).get("StdOut", ""))
        return path.read_text(errors="replace") if path.is_file() else ""


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    in_ci = os.environ.get("CI", "").lower() in {"1", "true"}
    wanted = os.environ.get("TENFOLD_TEST_SLURM", "1" if in_ci else "0")
    if wanted != "1":
        pytest.skip("starts a real Slurm, and installs it where missing: in CI, or with TENFOLD_TEST_SLURM=1")
    folder = Path(tempfile.mkdtemp(prefix="tenfold-slurm-", dir="/tmp"))  # a short path, as Unix sockets need
    environment = os.environ | {
        "TENFOLD_SLURM_DIR": str(folder),
        "TENFOLD_SLURM_PORT": str(three_free_ports()),
        "TENFOLD_SLURM_HOSTS": "1" if in_ci else "0",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin",
        "SLURM_CONF": str(folder / "slurm.conf"),
        "UCX_NET_DEVICES": "lo",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    started = Slurm(environment)
    try:
        up = started.run(SCRIPTS / "slurm-up.sh", timeout_s=600)
        if up.returncode == 3:
            pytest.skip(f"Slurm cannot be had here: {up.stderr.strip()}")
        assert up.returncode == 0, up.stderr
        yield started
    finally:
        started.run(SCRIPTS / "slurm-down.sh")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with an empty environment; activating it puts its programs first on PATH."""
    scripts = tmp_path / "clone" / ".venv" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "activate").write_text(f"PATH={scripts}:$PATH\n")
    (tmp_path / "clone" / "hpc").symlink_to(CLONE / "hpc")
    return tmp_path / "clone"


@pytest.fixture
def stand_in(tmp_path: Path, clone: Path) -> Callable[[str], Path]:
    """Return a function that installs a stand-in for `tenfold` in the clone and returns the folder of a study."""

    def stand_in(stand_in: str) -> Path:
        program = clone / ".venv" / "bin" / "tenfold"
        program.write_text(stand_in)
        program.chmod(0o755)
        (tmp_path / "study").mkdir()
        return tmp_path / "study"

    return stand_in


def three_free_ports() -> int:
    """Return the first of three consecutive free ports on loopback."""
    for first in range(26917, 32000, 3):
        sockets = [socket.socket() for _ in range(3)]
        try:
            for number, one in enumerate(sockets):
                one.bind(("127.0.0.1", first + number))
        except OSError:
            continue
        else:
            return first
        finally:
            for one in sockets:
                one.close()
    pytest.skip("no three neighbouring free ports on loopback")
