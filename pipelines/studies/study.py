"""Studies by name: their configuration, and all their stages in order."""

from pathlib import Path
from typing import Any

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.studies import STUDIES
from tenfold.pipelines.studies.kinds import Validation


def study_named(name: str, valid: tuple[str, ...] = STUDIES) -> type[Any]:
    """Return the configuration class of a study.

    Parameters
    ----------
    name
        Name of the study.
    valid
        Names that may be given.

    Raises
    ------
    InputError
        There is no study of that name.
    """
    from tenfold.pipelines.studies.chemistry_config import ChemistryRun
    from tenfold.pipelines.studies.cosmology_config import CosmologyRun
    from tenfold.pipelines.studies.massmaps_config import MassMapsRun

    if name not in valid:
        raise InputError(f"--study {name}: unknown study; valid are {', '.join(valid)}")
    return {"cosmology": CosmologyRun, "massmaps": MassMapsRun, "chemistry": ChemistryRun}[name]


def run_study(config: Any, out: Path, *, ranks: int = 2) -> Validation:
    """Run all stages of a study, from simulation to report; finished stages are not repeated.

    Parameters
    ----------
    config
        Configuration of the study: `CosmologyRun`, `MassMapsRun` or `ChemistryRun`.
    out
        Folder of the study.
    ranks
        MPI ranks on this machine.

    Returns
    -------
    Validation
        The report, and the result of the validation.

    Raises
    ------
    InputError
        The folder cannot be written to, or a stage failed.
    """
    from tenfold.pipelines.studies.chemistry_run import chemistry_stages
    from tenfold.pipelines.studies.cosmology_run import cosmology_stages
    from tenfold.pipelines.studies.massmaps_run import massmaps_stages
    from tenfold.pipelines.studies.stages import run_stages

    stages = {"cosmology": cosmology_stages, "massmaps": massmaps_stages, "chemistry": chemistry_stages}
    return run_stages(out, stages[config.STUDY](config, out, ranks))
