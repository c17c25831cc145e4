"""The command `tenfold`: parses, calls one function, prints."""

import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from tenfold.hpc.ranks import RanksError, launch, promised
from tenfold.hpc.signals import STOPPED
from tenfold.pipelines.errors import InputError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own errors reach Python as exceptions
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

console = Console()
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=(
    "Machine learning for simulations: simulate, ingest, train, and prove it."
))  # fmt: skip
simulate = typer.Typer(no_args_is_help=True, help="Make simulations to learn from.")
ingest = typer.Typer(no_args_is_help=True, help="Pack simulations into shards that training reads at full speed.")
train = typer.Typer(no_args_is_help=True, help="Train a network; under mpirun or srun, on every rank.")
run = typer.Typer(no_args_is_help=True, help="Do a whole study, from nothing to its report.")
config = typer.Typer(no_args_is_help=True, help="Show or check a configuration.")
for name, group in (("simulate", simulate), ("ingest", ingest), ("train", train), ("run", run), ("config", config)):
    app.add_typer(group, name=name)

Out = Annotated[Path, typer.Option("--out", help="Folder to write to.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file; `tenfold config show` prints one.")]
Preset = Annotated[str | None, typer.Option("--preset", help="demo, laptop or cosmoflow-mlperf.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="One value, as section.key=value; repeatable.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done, and its size.")]


def _load(file: Path | None, preset: str | None, settings: list[str] | None):
    from tenfold.pipelines.config import load

    return load(file, preset, tuple(settings or ()))


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
    from tenfold.pipelines.simulate import estimate_size, simulate_volumes

    chosen = _load(file, preset, [*(settings or ()), *([f"simulation.count={count}"] if count else [])]).simulation
    if dry_run:
        console.print(estimate_size(chosen))
        return
    console.print(simulate_volumes(chosen, out))


@simulate.command("twins")
def simulate_twins_command(
    boxes: Annotated[Path, typer.Argument(help="Folder of simulated boxes.")],
    out: Out,
    seed: Annotated[int, typer.Option(help="Seed of the random phases.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="Processes to use.")] = 2,
) -> None:
    """Gaussian random fields with the power spectrum of each box: the null control."""
    from tenfold.pipelines.simulate import simulate_twins

    console.print(simulate_twins(boxes, out, seed=seed, processes=processes))


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
    from tenfold.pipelines.volumes import estimate_size, ingest_volumes

    chosen = _load(file, preset, settings).ingest
    console.print(estimate_size(paths, chosen) if dry_run else ingest_volumes(paths, out, chosen))


@train.command("estimator")
def train_estimator_command(
    data: Annotated[Path | None, typer.Argument(help="Folder of shards.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the run.")] = None,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint, if any.")] = False,
    dry_run: DryRun = False,
) -> None:
    """A network that reads cosmological parameters off volumes, with uncertainties."""
    chosen = _load(file, preset, settings)
    _load_tensorflow()
    if dry_run:
        from tenfold.pipelines.description import describe_training

        console.print(describe_training(chosen, data))
        return
    if data is None or out is None:
        raise InputError("give the folder of shards and --out RUN (only --dry-run needs neither)")
    ranks = launch()
    _log(ranks.first)
    try:
        from tenfold.pipelines.estimate import train_estimator
        from tenfold.pipelines.training_run import Stopped

        try:
            folder = train_estimator(
                data, out, chosen.network, chosen.training, ranks, views=chosen.proof.views, resume=resume
            )
        except Stopped:
            if ranks.first:
                console.print(f"Stopped as asked; the same command with --resume goes on in {out}.")
            raise typer.Exit(STOPPED) from None
        if ranks.first:
            console.print(f"Trained: {folder.path}. Next: tenfold validate {folder.path}")
    except Exception as error:
        if ranks.size > 1 and not isinstance(error, typer.Exit):
            time.sleep(0 if ranks.first else 5)  # an error that all ranks meet is told once, by the first
            _tell(error, f"rank {ranks.rank}: ")
            ranks.abort(2 if isinstance(error, InputError) else 1)
        raise


@app.command()
def validate(
    run: Annotated[Path, typer.Argument(help="Folder of a finished training.")],
    null: Annotated[Path | None, typer.Option("--null", help="Training on the boxes' Gaussian twins.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the report goes; the run's folder if left out.")
    ] = None,
) -> None:
    """Hold a trained estimator against the truth, the power spectrum and the mean; write report.html."""
    _load_tensorflow()
    from tenfold.pipelines.validate import validate

    console.print(f"Report: {validate(run, null, out)}", soft_wrap=True)


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
    _load_tensorflow()
    if dry_run:
        from tenfold.pipelines.description import describe_run

        console.print(describe_run(chosen))
        return
    from tenfold.pipelines.cosmology_run import run_cosmology

    start = time.monotonic()
    report = run_cosmology(chosen, out, ranks=ranks)
    console.print(f"Done in {(time.monotonic() - start) / 60:.1f} min. Report: {report}", soft_wrap=True)


@config.command("show")
def config_show(file: ConfigFile = None, preset: Preset = None, settings: Settings = None) -> None:
    """Print the whole configuration, defaults filled in, as YAML."""
    from tenfold.pipelines.config import dump

    typer.echo(dump(_load(file, preset, settings)), nl=False)


@config.command("validate")
def config_validate(file: Annotated[Path, typer.Argument(help="YAML file to check.")]) -> None:
    """Check a configuration file: every key and value."""
    _load(file, None, None)
    console.print(f"{file}: valid", soft_wrap=True)


@app.command()
def doctor() -> None:
    """Check this installation: packages, MPI, Horovod, Dask, HDF5; say what to do about each failure."""
    from tenfold.hpc.doctor import checkup
    from tenfold.pipelines.description import describe_checks

    checks = checkup()
    console.print(describe_checks(checks))
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _log(show: bool = True) -> None:
    """Send tenfold's log to standard error; ranks that are not the first only warn."""
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(console=Console(stderr=True), show_path=False, show_level=False)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("tenfold")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO if show else logging.WARNING)


def _load_tensorflow() -> None:
    """Load TensorFlow without the greetings it writes past every log level; they are kept for an import that fails."""
    with tempfile.TemporaryFile() as greetings:
        stderr = os.dup(2)
        os.dup2(greetings.fileno(), 2)
        try:
            import keras  # noqa: F401
        except BaseException:
            greetings.seek(0)
            os.write(stderr, greetings.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _tell(error: BaseException, prefix: str = "") -> None:
    """Print an error: a message meant for the user plainly, anything else with its traceback."""
    if isinstance(error, (InputError, RanksError)):
        Console(stderr=True).print(f"tenfold: {prefix}{error}", style="bold red", markup=False, soft_wrap=True)
    else:
        logging.getLogger("tenfold").error("%s%s", prefix, error, exc_info=error)


def main() -> None:
    """Run the command line: status 0, 2 for input that cannot be used, 75 for a run that was stopped as asked."""
    _log(promised(os.environ)[1] == 0)
    try:
        app()
    except (InputError, RanksError) as error:
        _tell(error)
        sys.exit(2)


if __name__ == "__main__":
    main()
