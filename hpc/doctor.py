"""Diagnosis of the installation: versions, build options, functional checks and advice."""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TIMEOUT_S = 300
MEMORY_GIB = 4
REBUILD = "rebuild Horovod: `make clean` and `make doctor`; with a site's own MPI see hpc/README.md"

BUILT = """
import json, keras, tensorflow as tf, horovod.tensorflow as hvd
print(json.dumps({"tensorflow": tf.__version__, "keras": keras.__version__, "backend": keras.backend.backend(),
    "gpus": len(tf.config.list_physical_devices("GPU")), "mpi": bool(hvd.mpi_built()), "gloo": bool(hvd.gloo_built()),
    "nccl": bool(hvd.nccl_built())}))
"""
ALLREDUCE = """
import numpy as np, tensorflow as tf
from mpi4py import MPI
from tenfold.hpc.ranks import launch
ranks = launch()
total = ranks.sum([tf.constant(np.full(1000, ranks.rank + 1.0))])[0].numpy()
assert MPI.COMM_WORLD.size == ranks.size, f"mpi4py sees {MPI.COMM_WORLD.size} ranks, Horovod {ranks.size}"
library = " ".join(MPI.Get_library_version().splitlines()[0].split(",")[0].split())
sums = ranks.gather(np.array([total.min(), total.max()]))
if ranks.first:  # one rank prints, since the lines of two may mix
    print(f"ranks {ranks.size} sum {sums.min():g} {sums.max():g} | {library}", flush=True)
"""
DASK = """
from tenfold.hpc.cluster import map_unordered
from tenfold.hpc.engine import Engine
print(sorted(map_unordered(abs, [-1, -2, -3], Engine(processes=2))))
"""


@dataclass(frozen=True)
class Check:
    """Result of one check."""

    name: str
    ok: bool
    finding: str
    """Finding, or error message."""
    advice: str = ""
    """Recommended action; empty if `ok`."""


def run_checks() -> list[Check]:
    """Run all checks (about twenty seconds). Nothing is changed."""
    return [check() for check in CHECKS]


def python() -> Check:
    """Check that this Python version is one that Horovod was built for."""
    description = f"{platform.python_version()} at {sys.prefix}, {platform.system()} {platform.machine()}"
    ok = (3, 11) <= sys.version_info[:2] < (3, 13)
    return Check("Python", ok, description, "" if ok else "use Python 3.11 or 3.12: `make PYTHON=python3.12 doctor`")


def packages() -> Check:
    """Check that every required package is installed in an allowed version."""
    from packaging.requirements import Requirement

    try:
        tenfold = importlib.metadata.version("tenfold")
        requirements = [Requirement(line) for line in importlib.metadata.requires("tenfold") or []]
    except importlib.metadata.PackageNotFoundError:
        return Check("Packages", False, "tenfold is not installed", "run `make doctor` in the clone")
    wrong = []
    for requirement in requirements:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        advice = "run `make doctor` in the clone, or install the packages named; a site with its own MPI may omit mpich"
        return Check("Packages", False, "; ".join(wrong), advice)
    return Check("Packages", True, f"tenfold {tenfold} and all {len(requirements)} required packages")


def horovod() -> Check:
    """Check that Horovod was built for this TensorFlow, with MPI."""
    completed = run_script(BUILT)
    if completed.returncode:
        return Check("Horovod", False, _error_message(completed), REBUILD)
    built = json.loads(completed.stdout.splitlines()[-1])
    yes_no = {True: "yes", False: "no"}
    description = (
        f"TensorFlow {built['tensorflow']}, Keras {built['keras']} on {built['backend']}, {built['gpus']} GPU; "
        f"Horovod {_version('horovod')} built with MPI {yes_no[built['mpi']]}, Gloo {yes_no[built['gloo']]}, "
        f"NCCL {yes_no[built['nccl']]}"
    )
    if built["backend"] != "tensorflow":
        return Check(
            "Horovod", False, description, "unset KERAS_BACKEND: training on several ranks requires TensorFlow"
        )
    return Check("Horovod", built["mpi"], description, "" if built["mpi"] else REBUILD)


def allreduce() -> Check:
    """Check that two ranks can communicate and sum."""
    name = "Two ranks"
    mpirun = find_mpirun()
    if not mpirun:
        return Check(name, False, "no mpirun", "load the site's MPI module, or install the package mpich")
    completed = run_script(ALLREDUCE, launcher=[mpirun, "-np", "2"])
    lines = [line for line in completed.stdout.splitlines() if line.startswith("ranks ")]
    if completed.returncode or not lines:
        return Check(
            name,
            False,
            f"{mpirun}: {_error_message(completed)}",
            f"check that {mpirun} belongs to Horovod's MPI. If so, {REBUILD}",
        )
    if len(lines) != 1 or not lines[0].startswith("ranks 2 sum 3 3 |"):
        return Check(
            name, False, f"{mpirun}: {'; '.join(lines)}", f"{mpirun} belongs to another MPI than Horovod: {REBUILD}"
        )
    return Check(name, True, f"{mpirun}: allreduce of 2 ranks is correct, {lines[0].split(' | ')[1]}")


def dask() -> Check:
    """Check that two Dask worker processes return the correct results."""
    completed = run_script(DASK)
    if completed.returncode or completed.stdout.splitlines()[-1:] != ["[(0, 1), (1, 2), (2, 3)]"]:
        advice = (
            "Dask needs the loopback address 127.0.0.1, space for temporary files, and the right to start processes"
        )
        return Check("Dask", False, _error_message(completed), advice)
    return Check("Dask", True, f"distributed {_version('distributed')}: three tasks on two processes completed")


def hdf5() -> Check:
    """Check that HDF5 restores every bit, uncompressed and with blosc-lz4."""
    try:
        import h5py
        import hdf5plugin

        data = np.random.default_rng(0).poisson(1.0, (32, 32, 32)).astype(np.int16)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "round_trip.h5"
            with h5py.File(path, "w") as file:
                file.create_dataset("plain", data=data)
                file.create_dataset("blosc-lz4", data=data, chunks=(8, 32, 32), **hdf5plugin.Blosc(cname="lz4"))
            back = np.empty_like(data)
            wrong = []
            with h5py.File(path) as file:
                for key in ("plain", "blosc-lz4"):
                    file[key].read_direct(back)
                    if not np.array_equal(back, data):
                        wrong.append(key)
    except (ImportError, OSError, ValueError) as error:
        return Check(
            "HDF5",
            False,
            _short(error),
            f"reinstall h5py and hdf5plugin; check that {tempfile.gettempdir()} is writable",
        )
    description = f"HDF5 {h5py.version.hdf5_version}, h5py {h5py.__version__}, hdf5plugin {hdf5plugin.version}"
    if wrong:
        return Check(
            "HDF5",
            False,
            f"{description}: {', '.join(wrong)} changed in the round trip",
            "reinstall h5py and hdf5plugin",
        )
    return Check("HDF5", True, f"{description}: plain and blosc-lz4 are restored bit for bit")


def compilers() -> Check:
    """Look for the compilers needed to rebuild Horovod (information only)."""
    tools = ["gcc", "g++", "make"]
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        return Check("Compilers", True, f"no {', '.join(missing)}: needed only to rebuild Horovod")
    version = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=False).stdout.strip()
    return Check("Compilers", True, f"gcc {version}, g++, make")


def slurm() -> Check:
    """Look for the Slurm commands (information only)."""
    if not all(shutil.which(command) for command in ("sinfo", "sbatch", "srun")):
        return Check("Slurm", True, "not installed: needed only for hpc/slurm/cosmology.sbatch")
    result = subprocess.run(["sinfo", "--version"], capture_output=True, text=True, check=False)
    version = result.stdout.strip() or f"commands are installed, but find no cluster: {_error_message(result)}"
    where = f", in job {os.environ['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in os.environ else ""
    return Check("Slurm", True, f"{version}{where}")


def machine() -> Check:
    """Check the available processors, memory and disk space."""
    import psutil

    cores = len(os.sched_getaffinity(0))
    memory_gib = min(psutil.virtual_memory().total, _cgroup_memory()) / 2**30
    free_gib = shutil.disk_usage(Path.cwd()).free / 2**30
    description = (
        f"{cores} of {os.cpu_count()} cores, {memory_gib:.1f} GiB memory, {free_gib:.0f} GiB free in {Path.cwd()}"
    )
    ok = memory_gib >= MEMORY_GIB
    return Check(
        "Machine", ok, description, "" if ok else f"two ranks of the laptop preset need {MEMORY_GIB} GiB of memory"
    )


CHECKS: tuple[Callable[[], Check], ...] = (
    python,
    packages,
    horovod,
    allreduce,
    dask,
    hdf5,
    compilers,
    slurm,
    machine,
)


def find_mpirun() -> str | None:
    """Find the mpirun of this environment, else the one on PATH, else None."""
    own = Path(sys.prefix) / "bin" / "mpirun"
    return str(own) if own.exists() else shutil.which("mpirun")


def run_script(
    script: str, launcher: list[str] | None = None, timeout_s: float = TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    """Run a script in a separate Python process with a time limit; on timeout its process group is killed.

    A crash or a hang of the script is thereby reported instead of affecting this process.
    """
    # inside a job or a rank, the launcher must not believe it is part of it
    foreign = ("SLURM_", "PMI_", "PMIX_", "OMPI_COMM_", "OMPI_UNIVERSE_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    command = [*(launcher or []), sys.executable, "-c", script]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, error = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        return subprocess.CompletedProcess(command, -signal.SIGKILL, out, f"no answer within {timeout_s:g} s")
    return subprocess.CompletedProcess(command, process.returncode, out, error)


def _error_message(completed: subprocess.CompletedProcess[str]) -> str:
    """Error message of a failed script: its exception, else its first output that is not TensorFlow logging."""
    lines = [line.strip() for line in (completed.stderr or completed.stdout).splitlines() if re.search("[a-z]", line)]
    errors = [line for line in lines if re.match(r"[\w.]*Error\b", line)]
    words = [line for line in lines if not re.match(r"WARNING: All log|[IWEF]\d{4} ", line)]
    return _short((errors[-1:] or words or [f"ended with status {completed.returncode}"])[0])


def _short(text: object) -> str:
    return str(text)[:300]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _cgroup_memory() -> float:
    """Memory limit of this control group [bytes]; infinite if there is none."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return float(Path(path).read_text().strip().replace("max", "inf"))
        except (OSError, ValueError):
            continue
    return float("inf")
