"""Commands for mass maps: simulate, ingest, train, emulate, run the whole study."""

import time
from pathlib import Path
from typing import Annotated

import typer

from tenfold.pipelines.cli.console import (
    ConfigFile,
    DryRun,
    Out,
    Resume,
    Settings,
    console,
    ingest,
    load_tensorflow,
    on_ranks,
    run,
    simulate,
    train,
)
from tenfold.pipelines.errors import InputError

Preset = Annotated[str | None, typer.Option("--preset", help="demo, laptop or cosmogan.")]


def _load(file: Path | None, preset: str | None, settings: list[str] | None):
    from tenfold.pipelines.config import load
    from tenfold.pipelines.studies.massmaps_config import MassMapsRun

    return load(MassMapsRun, file, preset, tuple(settings or ()))


@simulate.command("massmaps")
def simulate_massmaps_command(
    out: Out,
    count: Annotated[int | None, typer.Option("--count", min=1, help="Number of cosmologies.")] = None,
    maps: Annotated[int | None, typer.Option("--maps", min=1, help="Maps of each cosmology.")] = None,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Convergence maps over sampled cosmologies, a FITS cube each."""
    from tenfold.pipelines.simulation.lensing.config import estimate_size
    from tenfold.pipelines.simulation.lensing.simulate import simulate_massmaps

    asked = [f"simulation.{name}={value}" for name, value in (("count", count), ("maps", maps)) if value]
    chosen = _load(file, preset, [*(settings or ()), *asked]).simulation
    if dry_run:
        console.print(str(estimate_size(chosen)))
        return
    console.print(str(simulate_massmaps(chosen, out)), soft_wrap=True)


@ingest.command("massmaps")
def ingest_massmaps_command(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of maps.")],
    out: Out,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Maps (FITS, CAMELS Multifield NPY, HDF5 of κTNG or plain) to packed shards, split by simulation."""
    from tenfold.pipelines.volumes.ingest import estimate_size
    from tenfold.pipelines.volumes.maps import ingest_massmaps

    chosen = _load(file, preset, settings).ingest
    if dry_run:
        console.print(str(estimate_size(paths, chosen)), soft_wrap=True)
        return
    console.print(str(ingest_massmaps(paths, out, chosen)), soft_wrap=True)


@train.command("emulator")
def train_emulator_command(
    data: Annotated[Path | None, typer.Argument(help="Folder of shards.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the run.")] = None,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    resume: Resume = False,
    dry_run: DryRun = False,
) -> None:
    """A generator of mass maps, for any cosmology in the range of its data."""
    chosen = _load(file, preset, settings)
    load_tensorflow()
    if dry_run:
        from tenfold.pipelines.cli.dry_run import describe_emulator

        console.print(describe_emulator(chosen, data))
        return
    if data is None or out is None:
        raise InputError("give the folder of shards and --out RUN (only --dry-run needs neither)")
    with on_ranks(out) as ranks:
        from tenfold.pipelines.emulator.train import train_emulator

        folder = train_emulator(data, out, chosen.network, chosen.training, ranks, resume=resume)
        if ranks.first:
            console.print(f"Trained: {folder.path}. Next: tenfold validate {folder.path}", soft_wrap=True)


def emulate_command(
    emulator: Annotated[Path, typer.Argument(help="Trained emulator: its bundle, or the folder of its run.")],
    out: Annotated[
        Path, typer.Option("--out", help="File to write, .fits or .h5; replaced only if it holds emulated maps.")
    ],
    count: Annotated[int, typer.Option("--count", min=1, help="Number of maps.")] = 16,
    parameters: Annotated[
        list[str] | None, typer.Option("--parameter", help="One of the cosmology, as omega_m=0.3; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the maps.")] = 0,
    extrapolate: Annotated[bool, typer.Option("--extrapolate", help="Allow what lies outside the data.")] = False,
) -> None:
    """Mass maps of a cosmology, by a trained emulator."""
    load_tensorflow()
    from tenfold.pipelines.emulator.train import emulate

    chosen: dict[str, float] = {}
    for each in parameters or ():
        name, _, value = each.partition("=")
        try:
            chosen[name] = float(value)
        except ValueError:
            raise InputError(f"--parameter {each}: must read NAME=NUMBER, such as omega_m=0.3") from None
    console.print(str(emulate(emulator, out, count, chosen, seed=seed, extrapolate=extrapolate)), soft_wrap=True)


@run.command("massmaps")
def run_massmaps_command(
    out: Out,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    ranks: Annotated[int, typer.Option(min=1, help="MPI ranks on this machine.")] = 2,
    dry_run: DryRun = False,
) -> None:
    """Simulate maps, ingest, train an emulator and an estimator on MPI ranks, and judge what it makes."""
    chosen = _load(file, preset or (None if file else "demo"), settings)
    load_tensorflow()
    if dry_run:
        from tenfold.pipelines.cli.dry_run import describe_massmaps

        console.print(describe_massmaps(chosen))
        return
    from tenfold.pipelines.studies.massmaps_run import run_massmaps

    start = time.monotonic()
    report, assessment = run_massmaps(chosen, out, ranks=ranks)
    console.print(
        f"{assessment.favourable} of {len(assessment.verdicts)} verdicts are favourable, "
        f"{len(assessment.undecided)} undecided, {len(assessment.failed)} failed."
    )
    console.print(f"Done in {(time.monotonic() - start) / 60:.1f} min. Report: {report}", soft_wrap=True)
