"""Stages of the mass-map study: maps of many cosmologies, shards, an emulator, an estimator, acceptance tests."""

import json
from pathlib import Path

from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.simulation.lensing.simulate import simulate_massmaps
from tenfold.pipelines.studies.kinds import Validation, kind_named
from tenfold.pipelines.studies.massmaps_config import MassMapsRun
from tenfold.pipelines.studies.stages import Stage, launch_training
from tenfold.pipelines.volumes.maps import ingest_massmaps


def massmaps_stages(config: MassMapsRun, out: Path, ranks: int) -> list[Stage]:
    """Return the stages of the mass-map study.

    An estimator is trained where cosmological parameters vary, and the maps have one source redshift.
    """
    data, emulator = out / "data", out / "network"
    estimator = out / "estimator" if config.estimates else None

    def simulate() -> None:
        simulate_massmaps(config.simulation, out / "maps")
        with replacing(out / "maps.json") as temporary:
            temporary.write_text(json.dumps({"maps": config.simulation.count * config.simulation.maps}))

    def validate() -> Validation:
        return kind_named("emulator").validate(emulator, out, tolerances=config.acceptance, estimator=estimator)

    stages = [
        Stage("simulate", simulate),
        Stage("ingest", lambda: ingest_massmaps([out / "maps"], data, config.ingest)),
        Stage("train the emulator", lambda: launch_training("emulator", data, emulator, config, ranks), emulator),
    ]
    if estimator:
        train = lambda: launch_training("estimator", data, estimator, config.map_estimator, ranks)  # noqa: E731
        stages.append(Stage("train the estimator", train, estimator))
    return [*stages, Stage("validate", validate)]
