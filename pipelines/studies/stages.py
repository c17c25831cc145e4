"""The stages of a study: timed, taken up where they were interrupted, trained in processes of their own."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tenfold.hpc.doctor import find_mpirun
from tenfold.pipelines.config import dump
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import replacing, writable

log = logging.getLogger("tenfold")


class Stages:
    """Wall seconds of each stage of a run, kept in a file across interruptions."""

    def __init__(self, path: Path):
        self.path = path
        self.seconds: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; one that was interrupted and taken up again adds up."""
        log.info("%s …", name)
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start
            with replacing(self.path) as temporary:
                temporary.write_text(json.dumps(self.seconds, indent=2))


def launch(command: list[str], config: Any, out: Path, ranks: int) -> None:
    """Train by a command of `tenfold`, on MPI ranks, as a user would by hand.

    It has processes of its own, since MPI must not start inside one that has used Dask.

    Parameters
    ----------
    command
        Such as ``["train", "estimator", …]``; ``--config`` and ``--resume`` are added.
    config
        What is written beside ``out`` for it.
    out
        Folder of the training.
    ranks
        MPI ranks on this machine.

    Raises
    ------
    InputError
        It ended with an error.
    """
    writable(out)
    file = out.with_name(f"{out.name}.yaml")
    with replacing(file) as temporary:
        temporary.write_text(dump(config))
    command = [str(Path(sys.executable).parent / "tenfold"), *command, "--config", str(file), "--resume"]
    if ranks > 1:
        command = [find_mpirun() or "mpirun", "-np", str(ranks), *command]
    log.info("%s", " ".join(command))
    status = subprocess.run(command, check=False).returncode
    if status:
        raise InputError(
            f"training ended with status {status}; its message stands above. The same command goes on where it stopped."
        )
