"""Stages of the chemistry study: molecules, quantum labels, shards, a network trained over MPI, and the report."""

from pathlib import Path

from tenfold.pipelines.labels.dft_check import run_dft_check
from tenfold.pipelines.labels.labels import label_molecules
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.studies.chemistry_config import ChemistryRun
from tenfold.pipelines.studies.kinds import kind_named
from tenfold.pipelines.studies.stages import Stage, launch_training


def chemistry_stages(config: ChemistryRun, out: Path, ranks: int) -> list[Stage]:
    """Return the stages of the chemistry study; a few molecules are labelled by DFT as well, where some are named."""
    labels, molecules, data, network = config.labels, out / "molecules", out / "data", out / "network"

    def check_by_dft() -> None:
        run_dft_check(labels.dft_check, molecules, seed=labels.seed, processes=labels.processes, dask=labels.dask)

    return [
        Stage("label", lambda: label_molecules(labels, molecules)),
        *([Stage("DFT check", check_by_dft)] if labels.dft_check else []),
        Stage("ingest", lambda: ingest_molecules([molecules / "structures"], data, config.ingest)),
        Stage("train", lambda: launch_training("molecules", data, network, config, ranks), network),
        Stage("validate", lambda: kind_named("molecules").validate(network, out)),
    ]
