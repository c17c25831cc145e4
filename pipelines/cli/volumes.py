"""Commands for volumes: simulate, ingest, train an estimator, run the whole of cosmology."""

import time
from pathlib import Path
from typing import Annotated

import typer

from tenfold.pipelines.cli.console import (
    ConfigFile,
    DryRun,
    Out,
    Preset,
    Resume,
    Settings,
    console,
    explain,
    ingest,
    load_tensorflow,
    on_ranks,
    run,
    simulate,
    train,
)
from tenfold.pipelines.errors import InputError


def _load(file: Path | None, preset: str | None, settings: list[str] | None, study: str = "cosmology"):
    from tenfold.pipelines.config import load
    from tenfold.pipelines.studies.cosmology_config import CosmologyRun
    from tenfold.pipelines.studies.massmaps_config import MassMapsRun

    if study == "massmaps":
        return load(MassMapsRun, file, preset, tuple(settings or ())).map_estimator
    if study != "cosmology":
        raise InputError(f"--study {study}: there is none of that name; there are: cosmology, massmaps")
    return load(CosmologyRun, file, preset, tuple(settings or ()))


@simulate.command("volumes")
def simulate_volumes_command(
    out: Out,
    count: Annotated[int | None, typer.Option("--count", min=1, help="Number of boxes.")] = None,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """N-body boxes over sampled cosmologies, in the CosmoFlow HDF5 layout."""
    from tenfold.pipelines.simulation.config import estimate_size
    from tenfold.pipelines.simulation.simulate import simulate_volumes

    chosen = _load(file, preset, [*(settings or ()), *([f"simulation.count={count}"] if count else [])]).simulation
    if dry_run:
        console.print(estimate_size(chosen))
        return
    console.print(simulate_volumes(chosen, out))


@simulate.command("twins", hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def simulate_twins_command() -> None:
    """Refuse the former name of ``simulate surrogates``."""
    raise InputError("tenfold simulate twins: renamed to tenfold simulate surrogates")


@simulate.command("surrogates")
def simulate_surrogates_command(
    boxes: Annotated[Path, typer.Argument(help="Folder of simulated boxes.")],
    out: Out,
    seed: Annotated[int, typer.Option(help="Seed of the random phases.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="Processes to use.")] = 2,
) -> None:
    """Gaussian random fields with the power spectrum of each box, for the null control."""
    from tenfold.pipelines.simulation.surrogates import simulate_surrogates

    console.print(simulate_surrogates(boxes, out, seed=seed, processes=processes))


@ingest.command("volumes")
def ingest_volumes_command(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of volumes.")],
    out: Out,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Volumes (CosmoFlow HDF5, plain HDF5, NPY) to packed shards, split by simulation."""
    from tenfold.pipelines.volumes.ingest import estimate_size, ingest_volumes

    chosen = _load(file, preset, settings).ingest
    if dry_run:
        console.print(estimate_size(paths, chosen))
        return
    console.print(str(ingest_volumes(paths, out, chosen)), soft_wrap=True)


@train.command("estimator")
def train_estimator_command(
    data: Annotated[Path | None, typer.Argument(help="Folder of shards.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the run.")] = None,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    null_control: Annotated[
        bool, typer.Option("--null-control", help="As the null control, on Gaussian surrogates: proof.control_epochs.")
    ] = False,
    study: Annotated[
        str, typer.Option("--study", help="Whose configuration is meant: cosmology, or massmaps, for maps.")
    ] = "cosmology",
    resume: Resume = False,
    dry_run: DryRun = False,
) -> None:
    """A network that reads cosmological parameters off volumes or maps, with uncertainties."""
    chosen = _load(file, preset, settings, study)
    if null_control:
        chosen = chosen.null_control
    load_tensorflow()
    if dry_run:
        from tenfold.pipelines.cli.dry_run import describe_estimator

        console.print(describe_estimator(chosen, data))
        return
    if data is None or out is None:
        raise InputError("give the folder of shards and --out RUN (only --dry-run needs neither)")
    with on_ranks(out) as ranks:
        from tenfold.pipelines.estimator.train import train_estimator

        folder = train_estimator(
            data, out, chosen.network, chosen.training, ranks, views=chosen.proof.views, resume=resume
        )
        if ranks.first:
            judge = f"tenfold validate EMULATOR --estimator {folder.path}, or tenfold explain estimator {folder.path}"
            following = judge if study == "massmaps" else f"tenfold validate {folder.path}"
            console.print(f"Trained: {folder.path}. Next: {following}", soft_wrap=True)


@explain.command("estimator")
def explain_estimator_command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished training, on boxes or on maps.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write to; the run's if left out.")] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Samples of the test split.")] = 4,
    method: Annotated[str, typer.Option("--method", help="integrated, gradient or smoothgrad.")] = "integrated",
) -> None:
    """Draw where in maps or boxes the estimates come from, and how far that can be believed; numbers: saliency.npz."""
    load_tensorflow()
    from tenfold.pipelines.estimator.explain import explain_estimator

    console.print(f"Explained: {explain_estimator(run, out, count=count, method=method)}", soft_wrap=True)


@run.command("cosmology")
def run_cosmology_command(
    out: Out,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    ranks: Annotated[int, typer.Option(min=1, help="MPI ranks on this machine.")] = 2,
    dry_run: DryRun = False,
) -> None:
    """Simulate, ingest, train on MPI ranks, and prove it against the power spectrum."""
    chosen = _load(file, preset, settings)
    load_tensorflow()
    if dry_run:
        from tenfold.pipelines.cli.dry_run import describe_cosmology

        console.print(describe_cosmology(chosen))
        return
    from tenfold.pipelines.studies.cosmology_run import run_cosmology

    start = time.monotonic()
    report = run_cosmology(chosen, out, ranks=ranks)
    console.print(f"Done in {(time.monotonic() - start) / 60:.1f} min. Report: {report}", soft_wrap=True)
