"""Stages of a study: timed, resumed after an interruption; networks are trained in processes of their own."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold.hpc.doctor import find_mpirun
from tenfold.pipelines.config import dump
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_numbers
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.training.run_folder import RunKind

log = logging.getLogger("tenfold")

WALL_TIMES = "stages.json"
"""File of the wall time of each stage [s]."""


@dataclass(frozen=True)
class Stage:
    """One stage of a study."""

    name: str
    run: Callable[[], Any]
    """Does its work; work that is finished is not repeated."""
    training: Path | None = None
    """Folder of the training that the stage launches, if it does; its configuration is written beside it."""


def run_stages(out: Path, stages: Sequence[Stage]) -> Any:
    """Run stages one after the other, and add up the wall time of each over interruptions.

    Parameters
    ----------
    out
        Folder of the study, created where it does not exist.
    stages
        The stages, in order.

    Returns
    -------
    Any
        The result of the last stage.

    Raises
    ------
    InputError
        The folder cannot be written to, holds a file of a study's name that tenfold did not make, or a stage failed.
    """
    configs = [f"{stage.training.name}.yaml" for stage in stages if stage.training]
    OutputFolder.claim(out, (WALL_TIMES, "maps.json", "metrics.json", "report.html", *configs))
    seconds: dict[str, float] = read_numbers(out / WALL_TIMES)
    result = None
    for stage in stages:
        log.info("%s …", stage.name)
        start = time.monotonic()
        try:
            result = stage.run()
        finally:
            seconds[stage.name] = seconds.get(stage.name, 0.0) + time.monotonic() - start
            with replacing(out / WALL_TIMES) as temporary:
                temporary.write_text(json.dumps(seconds, indent=2))
    return result


def launch_training(kind: RunKind, data: Path, out: Path, config: Any, ranks: int) -> None:
    """Train a network by the command ``tenfold train``, on MPI ranks, as a user would.

    The training runs in processes of its own, since MPI must not start inside a process that has used Dask.

    Parameters
    ----------
    kind
        Kind of network.
    data
        Folder of shards.
    out
        Folder of the training.
    config
        Configuration of the study; it is written beside ``out``, as ``OUT.yaml``.
    ranks
        MPI ranks on this machine.

    Raises
    ------
    InputError
        The training ended with an error.
    """
    file = out.with_name(f"{out.name}.yaml")
    with replacing(file) as temporary:
        temporary.write_text(dump(config))
    tenfold = str(Path(sys.executable).parent / "tenfold")
    command = [tenfold, "train", kind, str(data), "--out", str(out), "--config", str(file), "--resume"]
    if ranks > 1:
        command = [find_mpirun() or "mpirun", "-np", str(ranks), *command]
    log.info("%s", " ".join(command))
    status = subprocess.run(command, check=False).returncode
    if status:
        raise InputError(
            f"training ended with status {status}; its message is above. Run the same command again to resume it."
        )
