"""A chemistry run, all of it: molecules, quantum labels, shards, a network trained over MPI, and the report."""

from pathlib import Path

from tenfold.pipelines.labels.dft_check import run_dft_check
from tenfold.pipelines.labels.labels import label_molecules
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.studies.chemistry_config import ChemistryRun
from tenfold.pipelines.studies.stages import Stages, launch


def run_chemistry(config: ChemistryRun, out: Path, *, ranks: int = 2) -> Path:
    """Label, ingest, train, and prove it; what has been finished before is not done again.

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
    from tenfold.pipelines.predictor.validate import validate_molecules

    stages = Stages(out, ["network"])
    with stages.stage("label"):
        labelled = label_molecules(config.labels, out / "molecules")
    if config.labels.dft_check:
        with stages.stage("a few by DFT"):
            run_dft_check(
                config.labels.dft_check, labelled.out, seed=config.labels.seed, processes=config.labels.processes
            )
    with stages.stage("ingest"):
        ingest_molecules([labelled.structures], out / "data", config.ingest)
    with stages.stage("train"):
        launch(["train", "molecules", str(out / "data"), "--out", str(out / "network")], config, out / "network", ranks)
    with stages.stage("validate"):
        return validate_molecules(out / "network", out)
