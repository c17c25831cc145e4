"""Commands for mass maps, and for their emulators."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.pipelines.cli.configured import configured, run_whole_study, show, train_network
from tenfold.pipelines.cli.console import ingest, load_tensorflow, run, simulate, train
from tenfold.pipelines.cli.options import Dask, Data, DryRun, Out, RankCount, Resume, RunFolderOption
from tenfold.pipelines.errors import InputError

CosmologyCount = Annotated[int | None, typer.Option("--count", min=1, help="Number of cosmologies.")]
MapCount = Annotated[int | None, typer.Option("--maps", min=1, help="Maps of each cosmology.")]
MapFiles = Annotated[list[Path], typer.Argument(help="Files or folders of maps.")]


@simulate.command("massmaps")
@configured("massmaps", keys={"count": "simulation.count", "maps": "simulation.maps", "dask": "simulation.dask"})
def simulate_massmaps_command(
    config: Any,
    out: Out,
    count: CosmologyCount = None,
    maps: MapCount = None,
    dask: Dask = "",
    dry_run: DryRun = False,
) -> None:
    """Simulate convergence maps over sampled cosmologies, a FITS cube each."""
    from tenfold.pipelines.simulation.lensing.config import estimate_size
    from tenfold.pipelines.simulation.lensing.simulate import simulate_massmaps

    show(estimate_size(config.simulation) if dry_run else simulate_massmaps(config.simulation, out))


@ingest.command("massmaps")
@configured("massmaps", keys={"dask": "ingest.dask"})
def ingest_massmaps_command(config: Any, paths: MapFiles, out: Out, dask: Dask = "", dry_run: DryRun = False) -> None:
    """Pack maps (FITS, HEALPix, CAMELS Multifield NPY, HDF5 of κTNG or plain) into shards, split by simulation."""
    from tenfold.pipelines.volumes.ingest import estimate_size
    from tenfold.pipelines.volumes.maps import ingest_massmaps

    show(estimate_size(paths, config.ingest) if dry_run else ingest_massmaps(paths, out, config.ingest))


@train.command("emulator")
@configured("massmaps")
def train_emulator_command(
    config: Any, data: Data = None, out: RunFolderOption = None, resume: Resume = False, dry_run: DryRun = False
) -> None:
    """Train a generator of mass maps, for any cosmology in the range of its data."""
    load_tensorflow()
    from tenfold.pipelines.cli.dry_run import describe_emulator

    train_network(
        "emulator",
        config,
        data,
        out,
        resume=resume,
        dry_run=dry_run,
        describe=describe_emulator,
        then="tenfold validate RUN",
    )


def emulate_command(
    emulator: Annotated[Path, typer.Argument(help="Trained emulator: its bundle, or the folder of its run.")],
    out: Annotated[
        Path, typer.Option("--out", help="File to write, .fits or .h5; replaced only if it holds emulated maps.")
    ],
    count: Annotated[int, typer.Option("--count", min=1, help="Number of maps.")] = 16,
    parameters: Annotated[
        list[str] | None, typer.Option("--parameter", help="Cosmological parameter, such as omega_m=0.3; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the maps.")] = 0,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Allow parameters outside the training range.")
    ] = False,
) -> None:
    """Generate mass maps of a cosmology by a trained emulator."""
    load_tensorflow()
    from tenfold.pipelines.emulator.train import emulate

    cosmology: dict[str, float] = {}
    for parameter in parameters or ():
        name, _, value = parameter.partition("=")
        try:
            cosmology[name] = float(value)
        except ValueError:
            raise InputError(f"--parameter {parameter}: must read NAME=NUMBER, such as omega_m=0.3") from None
    show(emulate(emulator, out, count, cosmology, seed=seed, extrapolate=extrapolate))


@run.command("massmaps")
@configured("massmaps", preset="demo")
def run_massmaps_command(config: Any, out: Out, ranks: RankCount = 2, dry_run: DryRun = False) -> None:
    """Simulate maps, ingest, train an emulator and an estimator on MPI ranks, and run the acceptance tests."""
    from tenfold.pipelines.cli.dry_run import describe_massmaps

    run_whole_study(config, out, ranks=ranks, dry_run=dry_run, describe=describe_massmaps)
