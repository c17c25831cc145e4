"""The command `tenfold` and its subcommands that apply to all kinds of data."""

import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.hpc.engine import EngineError
from tenfold.hpc.ranks import RanksError, launcher_ranks
from tenfold.pipelines.cli import massmaps, molecules, volumes  # noqa: F401 (they register their commands)
from tenfold.pipelines.cli.configured import configured, show
from tenfold.pipelines.cli.console import (
    config,
    console,
    explain,
    ingest,
    load_tensorflow,
    log,
    predict,
    report_error,
    run,
    simulate,
    train,
)
from tenfold.pipelines.cli.options import ConfigFile, Out, Settings
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.studies import STUDIES

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own errors reach Python as exceptions
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=(
    "Machine learning for simulations of the cosmos and of molecules: simulate, ingest, train and validate."
))  # fmt: skip


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tenfold {version('tenfold')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Machine learning for simulations of the cosmos and of molecules: simulate, ingest, train and validate."""


for group, name in (
    (simulate, "simulate"), (ingest, "ingest"), (train, "train"), (predict, "predict"),
    (explain, "explain"), (run, "run"), (config, "config"),
):  # fmt: skip
    app.add_typer(group, name=name)
app.command("emulate")(massmaps.emulate_command)


@app.command()
def validate(
    run: Annotated[Path, typer.Argument(help="Folder of a finished training.")],
    null: Annotated[Path | None, typer.Option("--null", help="Training on the boxes' Gaussian surrogates.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the report; default: that of the run, or with --unseen a folder in it."),
    ] = None,
    estimator: Annotated[
        Path | None,
        typer.Option("--estimator", help="For mass maps: run of an estimator, for one more acceptance test."),
    ] = None,
    unseen: Annotated[
        Path | None,
        typer.Option(
            "--unseen", help="For mass maps: shards of new simulations, all tested in place of the test split."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Seed of the bootstrap, and of the maps an emulator generates; default 0."),
    ] = None,
    file: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Validate a trained network on its test split against the truth and baselines; write report.html.

    For mass maps, --config and --set set the tolerances of the acceptance tests (acceptance.tolerance=0.1). Exit status
    1 means that a verdict failed: its figure exceeds the limit by more than its scatter between seeds
    (acceptance.seed_margin). A figure that exceeds the limit by less is printed as undecided.
    """
    load_tensorflow()
    from tenfold.pipelines.studies.kinds import check_options, kind_of

    kind = kind_of(run)
    optional = {"null": null, "estimator": estimator, "unseen": unseen, "seed": seed}
    options = {name: value for name, value in optional.items() if value is not None}
    if file or settings:
        if "tolerances" not in kind.validation_options:
            raise InputError("--config, --set: configure the acceptance tests of mass maps, and no other validation")
        options["tolerances"] = _tolerances(file, settings)
    check_options(kind, options)
    validation = kind.validate(run, out, **options)
    show(f"Report: {validation.report}")
    for sentence in validation.summary:
        console.print(sentence, soft_wrap=True, highlight=False)
    if not validation.passed:
        raise typer.Exit(1)


def _tolerances(file: Path | None, settings: list[str] | None):
    from tenfold.pipelines.config import load
    from tenfold.pipelines.studies.massmaps_config import MassMapsRun

    configurable = {"acceptance", *MassMapsRun.RENAMED}  # an old name is refused by `load`, which gives the new one
    if other := [setting for setting in settings or () if setting.partition(".")[0] not in configurable]:
        example = "--set acceptance.tolerance=0.1"
        raise InputError(f"--set {other[0]}: only the acceptance tests are configured here, as in {example}")
    return load(MassMapsRun, file, None, tuple(settings or ())).acceptance


@config.command("show")
@configured(*STUDIES)
def config_show(config: Any) -> None:
    """Print the whole configuration, including defaults, as YAML."""
    from tenfold.pipelines.config import dump

    typer.echo(dump(config), nl=False)


@config.command("validate")
def config_validate(
    file: Annotated[Path, typer.Argument(help="YAML file to check.")],
    study: Annotated[str, typer.Option("--study", help="cosmology, massmaps or chemistry.")] = STUDIES[0],
) -> None:
    """Check every key and value of a configuration file."""
    from tenfold.pipelines.config import load
    from tenfold.pipelines.studies.study import study_named

    load(study_named(study), file)
    show(f"{file}: valid")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="qm9, esol, freesolv or tox21.")],
    out: Out,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="URL of a mirror, to which the names of the files are appended.")
    ] = None,
) -> None:
    """Download a published data set of molecules and verify its checksum; an interrupted download is resumed."""
    from tenfold.pipelines.molecules.published import fetch_dataset

    console.print(str(fetch_dataset(name, out, base_url)), soft_wrap=True)


@app.command()
def inspect(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: fields, snapshots, molecules, tables.")],
) -> None:
    """Tell what a file is, what it states and lacks, and which command ingests it; status 1 if one cannot be used."""
    from tenfold.pipelines.inspection.inspect import inspect_file

    inspections = [inspect_file(path) for path in paths]
    show("\n".join(map(str, inspections)))
    if not all(inspection.kind for inspection in inspections):
        raise typer.Exit(1)


@app.command()
def index(
    folder: Annotated[Path, typer.Argument(help="Folder of the folders of finished studies.")],
) -> None:
    """Write index.html, which links the reports of several studies, with the headline and a figure of each."""
    from tenfold.pipelines.studies.index import write_index

    show(f"Index: {write_index(folder)}")


@app.command()
def doctor() -> None:
    """Check this installation: packages, MPI, Horovod, Dask, HDF5; advise on each failure."""
    from tenfold.hpc.doctor import run_checks
    from tenfold.pipelines.cli.dry_run import describe_checks

    checks = run_checks()
    show(describe_checks(checks))
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line.

    Exit status: 0; 1 if a check or a verdict failed; 2 for unusable input; 75 for a run that was asked to stop.
    """
    log(launcher_ranks(os.environ)[1] == 0)
    logging.captureWarnings(True)
    try:
        app()
    except (InputError, EngineError, RanksError) as error:
        report_error(error)
        sys.exit(2)
    except Exception as error:  # noqa: BLE001 (Python's own output may hold names of files)
        report_error(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
