"""Commands for volumes, and for estimators of cosmological parameters."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.pipelines.cli.configured import configured, run_whole_study, show, train_network
from tenfold.pipelines.cli.console import explain, ingest, load_tensorflow, run, simulate, train
from tenfold.pipelines.cli.options import Dask, Data, DryRun, Out, RankCount, Resume, RunFolderOption
from tenfold.pipelines.errors import InputError

BoxCount = Annotated[int | None, typer.Option("--count", min=1, help="Number of boxes.")]
VolumeFiles = Annotated[list[Path], typer.Argument(help="Files or folders of volumes.")]


@simulate.command("volumes")
@configured("cosmology", keys={"count": "simulation.count", "dask": "simulation.dask"})
def simulate_volumes_command(
    config: Any, out: Out, count: BoxCount = None, dask: Dask = "", dry_run: DryRun = False
) -> None:
    """Simulate N-body boxes over sampled cosmologies, in the CosmoFlow HDF5 layout."""
    from tenfold.pipelines.simulation.config import estimate_size
    from tenfold.pipelines.simulation.simulate import simulate_volumes

    show(estimate_size(config.simulation) if dry_run else simulate_volumes(config.simulation, out))


@simulate.command("twins", hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def simulate_twins_command() -> None:
    """Refuse the former name of ``simulate surrogates``."""
    raise InputError("tenfold simulate twins: renamed to tenfold simulate surrogates")


@simulate.command("surrogates")
def simulate_surrogates_command(
    boxes: Annotated[Path, typer.Argument(help="Folder of simulated boxes.")],
    out: Out,
    seed: Annotated[int, typer.Option(help="Seed of the random phases.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 2,
    dask: Dask = "",
) -> None:
    """Make Gaussian random fields with the power spectrum of each box, for the null control."""
    from tenfold.pipelines.simulation.surrogates import simulate_surrogates

    show(simulate_surrogates(boxes, out, seed=seed, processes=processes, dask=dask))


@ingest.command("volumes")
@configured("cosmology", keys={"dask": "ingest.dask"})
def ingest_volumes_command(config: Any, paths: VolumeFiles, out: Out, dask: Dask = "", dry_run: DryRun = False) -> None:
    """Pack volumes (CosmoFlow, CAMELS, Quijote, Nyx; HDF5, NPY, TFRecord) into shards, split by simulation."""
    from tenfold.pipelines.volumes.ingest import estimate_size, ingest_volumes

    show(estimate_size(paths, config.ingest) if dry_run else ingest_volumes(paths, out, config.ingest))


@train.command("estimator")
@configured("cosmology", "massmaps")
def train_estimator_command(
    config: Any,
    data: Data = None,
    out: RunFolderOption = None,
    null_control: Annotated[
        bool, typer.Option("--null-control", help="Train the null control, on Gaussian surrogates.")
    ] = False,
    resume: Resume = False,
    dry_run: DryRun = False,
) -> None:
    """Train a network that estimates cosmological parameters, with uncertainties, from volumes or maps."""
    maps = config.STUDY == "massmaps"
    config = config.map_estimator if maps else config
    config = config.null_control if null_control else config
    load_tensorflow()
    from tenfold.pipelines.cli.dry_run import describe_estimator

    then = "tenfold validate RUN, or tenfold validate EMULATOR --estimator RUN" if maps else "tenfold validate RUN"
    train_network(
        "estimator", config, data, out, resume=resume, dry_run=dry_run, describe=describe_estimator, then=then,
        views=config.proof.views,
    )  # fmt: skip


@explain.command("estimator")
def explain_estimator_command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished training, on boxes or on maps.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write to; default: that of the run.")] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Number of samples of the test split.")] = 4,
    method: Annotated[
        str, typer.Option("--method", help="integrated-gradients, gradient or smoothgrad.")
    ] = "integrated-gradients",
) -> None:
    """Draw saliency maps of the estimates, with checks of their validity; the numbers go to saliency.npz."""
    load_tensorflow()
    from tenfold.pipelines.estimator.explain import explain_estimator

    show(f"Explained: {explain_estimator(run, out, count=count, method=method)}")


@run.command("cosmology")
@configured("cosmology")
def run_cosmology_command(config: Any, out: Out, ranks: RankCount = 2, dry_run: DryRun = False) -> None:
    """Simulate, ingest, train on MPI ranks, and validate against the power spectrum."""
    from tenfold.pipelines.cli.dry_run import describe_cosmology

    run_whole_study(config, out, ranks=ranks, dry_run=dry_run, describe=describe_cosmology)
