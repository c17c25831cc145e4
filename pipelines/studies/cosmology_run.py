"""A cosmology run, all of it: boxes, shards, a network trained over MPI, its null control, and the report."""

from pathlib import Path

from tenfold.pipelines.simulation.simulate import simulate_volumes
from tenfold.pipelines.simulation.surrogates import simulate_surrogates
from tenfold.pipelines.studies.cosmology_config import CosmologyRun
from tenfold.pipelines.studies.stages import Stages, launch
from tenfold.pipelines.volumes.ingest import ingest_volumes


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
    from tenfold.pipelines.estimator.validate import validate

    stages = Stages(out, ["estimator", "estimator_null"])
    with stages.stage("simulate"):
        simulate_volumes(config.simulation, out / "boxes")
        if config.proof.control:
            simulate_surrogates(
                out / "boxes", out / "surrogates", seed=config.simulation.seed, processes=config.simulation.processes
            )
    with stages.stage("ingest"):
        ingest_volumes([out / "boxes"], out / "data", config.ingest)
        if config.proof.control:
            ingest_volumes([out / "surrogates"], out / "data_null", config.ingest)
    with stages.stage("train"):
        train_under_ranks(config, out / "data", out / "estimator", ranks)
    if config.proof.control:
        with stages.stage("train the null control"):
            train_under_ranks(config.null_control, out / "data_null", out / "estimator_null", ranks)
    with stages.stage("validate"):
        validate(out / "estimator", out / "estimator_null" if config.proof.control else None, out)
    return out / "report.html"


def train_under_ranks(config: CosmologyRun, data: Path, out: Path, ranks: int) -> None:
    """Train the estimator of a study on data, by the command a user would give, under so many ranks."""
    launch(["train", "estimator", str(data), "--out", str(out)], config, out, ranks)
