"""Commands for mass maps: simulate, ingest."""

from pathlib import Path
from typing import Annotated

import typer

from tenfold.pipelines.terminal import ConfigFile, DryRun, Out, Preset, Settings, console, ingest, simulate


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
    from tenfold.pipelines.massmaps.simulate import estimate_size, simulate_massmaps

    asked = [f"simulation.{name}={value}" for name, value in (("count", count), ("maps", maps)) if value]
    chosen = _load(file, preset, [*(settings or ()), *asked]).simulation
    if dry_run:
        console.print(estimate_size(chosen))
        return
    console.print(simulate_massmaps(chosen, out))


@ingest.command("massmaps")
def ingest_massmaps_command(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of maps.")],
    out: Out,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Maps (FITS, CAMELS Multifield NPY, κTNG HDF5) to packed shards, split by simulation."""
    from tenfold.pipelines.massmaps.ingest import ingest_massmaps
    from tenfold.pipelines.volumes.volumes import estimate_size

    chosen = _load(file, preset, settings).ingest
    if dry_run:
        console.print(estimate_size(paths, chosen))
        return
    console.print(str(ingest_massmaps(paths, out, chosen)), soft_wrap=True, markup=False)
