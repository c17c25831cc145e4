import os
import sys
import time
from pathlib import Path

import pytest

from tenfold.hpc import doctor


@pytest.mark.slow
@pytest.mark.ranks
def test_this_installation_is_sound():
    checks = doctor.run_checks()
    assert [check for check in checks if not check.ok] == []
    findings = {check.name: check.finding for check in checks}
    assert "MPI yes" in findings["Horovod"]
    assert "2 ranks" in findings["Two ranks"]
    assert "bit for bit" in findings["HDF5"]


def fake_mpirun(tmp_path, monkeypatch, text):
    path = tmp_path / "mpirun"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setattr(doctor, "find_mpirun", lambda: str(path))


def test_ranks_that_do_not_find_each_other_are_reported(tmp_path, monkeypatch):
    # with the mpirun of another MPI every process is alone, and nothing fails
    fake_mpirun(tmp_path, monkeypatch, "echo 'ranks 1 sum 1 1 | MPI'; echo 'ranks 1 sum 1 1 | MPI'")
    check = doctor.allreduce()
    assert not check.ok
    assert "ranks 1" in check.finding
    assert "another MPI" in check.advice


def test_the_error_message_of_a_broken_launcher_is_reported(tmp_path, monkeypatch):
    fake_mpirun(tmp_path, monkeypatch, "echo 'Error: no such fabric' >&2; exit 3")
    check = doctor.allreduce()
    assert not check.ok
    assert "no such fabric" in check.finding
    assert check.advice


def test_the_first_message_of_a_launcher_is_reported_without_its_frame(tmp_path, monkeypatch):
    fake_mpirun(
        tmp_path, monkeypatch, "echo ---- >&2; echo 'I0000 00 noise' >&2; echo 'run as root' >&2; echo ---- >&2; exit 1"
    )
    assert doctor.allreduce().finding.endswith("mpirun: run as root")


def test_a_missing_launcher_is_reported_with_advice(monkeypatch):
    monkeypatch.setattr(doctor, "find_mpirun", lambda: None)
    assert "install" in doctor.allreduce().advice


def test_a_horovod_that_does_not_load_is_reported(monkeypatch):
    monkeypatch.setattr(doctor, "BUILT", "raise ImportError('libhorovod.so: undefined symbol')")
    check = doctor.horovod()
    assert not check.ok
    assert check.finding == "ImportError: libhorovod.so: undefined symbol"
    assert "rebuild" in check.advice


def test_a_horovod_without_mpi_is_reported(monkeypatch):
    built = (
        '{"tensorflow": "2", "keras": "3", "backend": "tensorflow", "gpus": 0, "mpi": %s, "gloo": true, "nccl": false}'
    )
    monkeypatch.setattr(doctor, "BUILT", f"print('''{built % 'false'}''')")
    check = doctor.horovod()
    assert not check.ok
    assert "MPI no" in check.finding
    assert check.advice


def test_a_failure_of_dask_is_reported(monkeypatch):
    monkeypatch.setattr(doctor, "DASK", "raise OSError('no loopback')")
    check = doctor.dask()
    assert (check.ok, check.finding) == (False, "OSError: no loopback")
    assert "127.0.0.1" in check.advice


def test_missing_and_outdated_packages_are_named(monkeypatch):
    required = ["numpy>=99", "no-such-package", "h5py; extra == 'x'"]
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda _: required)
    check = doctor.packages()
    assert not check.ok
    assert "no-such-package is missing" in check.finding
    assert "is not >=99" in check.finding
    assert "h5py" not in check.finding
    assert check.advice


def test_an_unsupported_python_is_reported(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert "3.12" in doctor.python().advice


def test_a_read_only_temporary_folder_is_reported(monkeypatch):
    monkeypatch.setattr(doctor.tempfile, "TemporaryDirectory", lambda: (_ for _ in ()).throw(OSError("read-only")))
    check = doctor.hdf5()
    assert (check.ok, check.finding) == (False, "read-only")
    assert "writable" in check.advice


def test_a_hanging_script_is_killed_with_its_children(tmp_path):
    script = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
time.sleep(600)
"""
    completed = doctor.run_script(script, timeout_s=5)
    assert completed.returncode != 0
    assert "no answer within 5 s" in completed.stderr
    pid = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not running(pid):
            break
        time.sleep(0.1)
    assert not running(pid)


def running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_scripts_run_without_the_environment_of_the_surrounding_job(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT", "1")
    completed = doctor.run_script("import os; print([k for k in os.environ if k.startswith(('SLURM', 'PMI', 'OMPI'))])")
    assert completed.stdout.strip() == "['OMPI_ALLOW_RUN_AS_ROOT']"
    assert os.environ["SLURM_JOB_ID"] == "1"
