"""A cosmology run, all of it: boxes, shards, a network trained over MPI, its null control, and the report."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tenfold.hpc.doctor import find_mpirun
from tenfold.pipelines.config import dump
from tenfold.pipelines.cosmology_config import CosmologyRun
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import replacing, writable
from tenfold.pipelines.simulate import simulate_twins, simulate_volumes
from tenfold.pipelines.volumes import ingest_volumes

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


def null_control(config: CosmologyRun) -> CosmologyRun:
    """Return the configuration of the null control: the same network, with an input transform defined below δ = −1."""
    training = replace(config.training, epochs=config.proof.control_epochs or config.training.epochs)
    return replace(config, network=replace(config.network, transform="identity"), training=training)


def run_cosmology(config: CosmologyRun, out: Path, *, ranks: int = 2) -> Path:
    """Simulate, ingest, train, and prove it; what has been finished before is not done again.

    Parameters
    ----------
    config
        Everything about the run.
    out
        Folder of the run.
    ranks
        MPI ranks on this machine.

    Returns
    -------
    Path
        The report.
    """
    from tenfold.pipelines.validate import validate

    writable(out)
    stages = Stages(out / "stages.json")
    with stages.stage("simulate"):
        simulate_volumes(config.simulation, out / "boxes")
        if config.proof.control:
            simulate_twins(
                out / "boxes", out / "twins", seed=config.simulation.seed, processes=config.simulation.processes
            )
    with stages.stage("ingest"):
        ingest_volumes([out / "boxes"], out / "data", config.ingest)
        if config.proof.control:
            ingest_volumes([out / "twins"], out / "data_null", config.ingest)
    with stages.stage("train"):
        _train(config, out / "data", out / "estimator", ranks)
    if config.proof.control:
        with stages.stage("train the null control"):
            _train(null_control(config), out / "data_null", out / "estimator_null", ranks)
    with stages.stage("validate"):
        validate(out / "estimator", out / "estimator_null" if config.proof.control else None, out)
    return out / "report.html"


def _train(config: CosmologyRun, data: Path, out: Path, ranks: int) -> None:
    """Train in processes of its own, as a user would by hand: MPI must not start inside one that has used Dask."""
    writable(out)
    file = out.with_name(f"{out.name}.yaml")
    with replacing(file) as temporary:
        temporary.write_text(dump(config))
    scripts = Path(sys.executable).parent
    command = [str(scripts / "tenfold"), "train", "estimator", str(data), "--out", str(out)]
    command += ["--config", str(file), "--resume"]
    if ranks > 1:
        command = [find_mpirun() or "mpirun", "-np", str(ranks), *command]
    log.info("%s", " ".join(command))
    status = subprocess.run(command, check=False).returncode
    if status:
        raise InputError(
            f"training ended with status {status}; its message stands above. The same command goes on where it stopped."
        )
