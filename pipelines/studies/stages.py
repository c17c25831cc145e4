"""The stages of a study: timed, taken up where they were interrupted, trained in processes of their own."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tenfold.hpc.doctor import find_mpirun
from tenfold.pipelines.config import dump
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_numbers
from tenfold.pipelines.storage.output_folder import OutputFolder

log = logging.getLogger("tenfold")


class Stages:
    """Wall seconds of each stage of a study, kept in its folder across interruptions.

    Parameters
    ----------
    out
        Folder of the study, made where it is not there.
    trainings
        Names of the folders of its trainings.

    Raises
    ------
    InputError
        The folder cannot be written to, or holds a file of a study's name that tenfold did not make.
    """

    def __init__(self, out: Path, trainings: Sequence[str]):
        self.path = out / "stages.json"
        beside = [f"{name}.yaml" for name in trainings]  # see `launch`
        OutputFolder.claim(out, (self.path.name, "maps.json", "metrics.json", "report.html", *beside))
        self.seconds: dict[str, float] = read_numbers(self.path)

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
        What is written beside ``out`` for it, as ``OUT.yaml``.
    out
        Folder of the training.
    ranks
        MPI ranks on this machine.

    Raises
    ------
    InputError
        It ended with an error.
    """
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
