"""A Dask scheduler and workers in processes of their own, started by Dask's commands as a user starts them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_DASK = Path(sys.executable).with_name("dask")
_CLONE = Path(__file__).parents[2]
_STARTED_S = 120.0


@dataclass
class DaskProcesses:
    """A scheduler and its workers, on the loopback interface."""

    folder: Path
    processes: list[subprocess.Popen] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """Scheduler file."""
        return self.folder / "scheduler.json"

    def start_scheduler(self) -> None:
        self._start("scheduler", "--host", "tcp://127.0.0.1", "--port", "0", "--scheduler-file", self.file)
        deadline = time.monotonic() + _STARTED_S
        while not self.file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def start_workers(self, count: int, threads: int = 1, path: Path | None = None) -> subprocess.Popen:
        """Start workers under a nanny each, which restarts a worker that dies; `path` precedes the module path."""
        options = ("--nworkers", str(count), "--nthreads", str(threads), "--host", "127.0.0.1")
        local = ("--local-directory", self.folder / "local")
        return self._start("worker", "--scheduler-file", self.file, *options, *local, path=path)

    def _start(self, *command: str | Path, path: Path | None = None) -> subprocess.Popen:
        environment = os.environ | {"PYTHONPATH": str(path or _CLONE)}  # functions of tests are found in the clone
        with (self.folder / f"{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [_DASK, *command, "--no-dashboard"], stdout=log, stderr=log, env=environment, cwd=self.folder
            )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """Stop the workers, then the scheduler: workers without one wait for it."""
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def dask_processes(folder: Path, workers: int) -> Iterator[DaskProcesses]:
    """Start a scheduler, and workers if any."""
    started = DaskProcesses(folder)
    try:
        started.start_scheduler()
        if workers:
            started.start_workers(workers)
        yield started
    finally:
        started.stop()


@dataclass
class Killing:
    """A worker killed in mid-work."""

    worker: int | None = None
    """Its process, None while there is none."""
    tasks: list[str] = field(default_factory=list)
    """Tasks that were begun twice, since their first worker was killed."""


@contextmanager
def kill_a_worker(shared: Path) -> Iterator[Killing]:
    """Kill the worker that begins the first task of a command by SIGKILL, and see that the task is begun again.

    A task in progress is recorded in a hidden file of the shared folder, with host and process of each attempt.
    """
    killing, over = Killing(), threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            for record in shared.glob(".dask_*/task_*"):
                try:
                    attempts = record.read_text().splitlines()
                except OSError:
                    continue
                if attempts and killing.worker is None:
                    killing.worker = int(attempts[0].split()[1])
                    os.kill(killing.worker, signal.SIGKILL)
                if len(attempts) == 2 and record.name not in killing.tasks:
                    killing.tasks.append(record.name)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield killing
    finally:
        over.set()
        thread.join()
