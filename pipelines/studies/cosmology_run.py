"""Stages of the cosmology study: boxes, shards, an estimator trained over MPI, its null control, and the report."""

from pathlib import Path

from tenfold.pipelines.simulation.simulate import simulate_volumes
from tenfold.pipelines.simulation.surrogates import simulate_surrogates
from tenfold.pipelines.studies.cosmology_config import CosmologyRun
from tenfold.pipelines.studies.kinds import Validation, kind_named
from tenfold.pipelines.studies.stages import Stage, launch_training
from tenfold.pipelines.volumes.ingest import ingest_volumes


def cosmology_stages(config: CosmologyRun, out: Path, ranks: int) -> list[Stage]:
    """Return the stages of the cosmology study; the null control is trained on Gaussian surrogates of the boxes."""
    simulation, control = config.simulation, config.proof.control
    estimator, null = out / "estimator", out / "estimator_null"

    def simulate() -> None:
        simulate_volumes(simulation, out / "boxes")
        if control:
            boxes, surrogates = out / "boxes", out / "surrogates"
            where = {"processes": simulation.processes, "dask": simulation.dask}
            simulate_surrogates(boxes, surrogates, seed=simulation.seed, **where)

    def ingest() -> None:
        ingest_volumes([out / "boxes"], out / "data", config.ingest)
        if control:
            ingest_volumes([out / "surrogates"], out / "data_null", config.ingest)

    def validate() -> Validation:
        return kind_named("estimator").validate(estimator, out, null=null if control else None)

    return [
        Stage("simulate", simulate),
        Stage("ingest", ingest),
        Stage("train", lambda: launch_training("estimator", out / "data", estimator, config, ranks), estimator),
        *(
            [
                Stage(
                    "train the null control",
                    lambda: launch_training("estimator", out / "data_null", null, config.null_control, ranks),
                    null,
                )
            ]
            if control
            else []
        ),
        Stage("validate", validate),
    ]
