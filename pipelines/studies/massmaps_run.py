"""The mass-map study: simulated maps, shards, an emulator, an estimator and the acceptance tests."""

import json
from pathlib import Path

from tenfold.pipelines.acceptance.acceptance import Assessment
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.simulation.lensing.simulate import simulate_massmaps
from tenfold.pipelines.studies.massmaps_config import MassMapsRun
from tenfold.pipelines.studies.stages import Stages, launch
from tenfold.pipelines.volumes.maps import ingest_massmaps


def run_massmaps(config: MassMapsRun, out: Path, *, ranks: int = 2) -> tuple[Path, Assessment]:
    """Simulate, ingest, train, and judge; what has been finished before is not done again.

    An estimator is trained where there is something to estimate, of maps of one source redshift.

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
    Assessment
        The verdicts.
    """
    from tenfold.pipelines.acceptance.validate import validate_massmaps

    stages = Stages(out, ["network", "estimator"])
    with stages.stage("simulate"):
        simulate_massmaps(config.simulation, out / "maps")
        with replacing(out / "maps.json") as temporary:
            temporary.write_text(json.dumps({"maps": config.simulation.count * config.simulation.maps}))
    with stages.stage("ingest"):
        ingest_massmaps([out / "maps"], out / "data", config.ingest)
    with stages.stage("train the emulator"):
        launch(["train", "emulator", str(out / "data"), "--out", str(out / "network")], config, out / "network", ranks)
    estimator = None
    if config.estimates:
        estimator = out / "estimator"
        with stages.stage("train the estimator"):
            command = ["train", "estimator", str(out / "data"), "--out", str(estimator)]
            launch(command, config.map_estimator, estimator, ranks)
    with stages.stage("validate"):
        return validate_massmaps(out / "network", out, tolerances=config.acceptance, estimator=estimator)
