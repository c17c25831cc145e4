"""Commands for molecules: label, ingest, train, predict, explain, run the chemistry study."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.pipelines.cli.configured import configured, run_whole_study, show, train_network
from tenfold.pipelines.cli.console import explain, ingest, load_tensorflow, predict, run, simulate, train
from tenfold.pipelines.cli.options import Dask, Data, DryRun, Out, RankCount, Resume, RunFolderOption

MoleculeCount = Annotated[int | None, typer.Option("--count", min=1, help="Number of molecules.")]
Embed = Annotated[bool, typer.Option("--embed", help="Make coordinates by ETKDGv3 and MMFF94 for a 3-D network.")]
Seconds = Annotated[float, typer.Option("--seconds", min=0.01, help="Longest time for one molecule [s].")]
Column = Annotated[str, typer.Option("--smiles-column", help="Column of the SMILES; default: `smiles`.")]
Encoding = Annotated[
    str, typer.Option("--encoding", help="Encoding of text without a byte-order mark, such as latin-1; default: UTF-8.")
]


@simulate.command("molecules")
@configured("chemistry", keys={"count": "labels.count", "dask": "labels.dask"})
def simulate_molecules_command(
    config: Any, out: Out, count: MoleculeCount = None, dask: Dask = "", dry_run: DryRun = False
) -> None:
    """Enumerate molecules and label them by quantum chemistry, into extended XYZ files."""
    from tenfold.pipelines.cli.dry_run import describe_labels
    from tenfold.pipelines.labels.labels import label_molecules

    show(describe_labels(config.labels) if dry_run else label_molecules(config.labels, out))


@ingest.command("molecules")
@configured(
    "chemistry",
    keys={
        "target": "ingest.targets",
        "smiles_column": "ingest.smiles_column",
        "split": "ingest.split",
        "encoding": "ingest.encoding",
        "dask": "ingest.dask",
    },
)
def ingest_molecules_command(
    config: Any,
    paths: Annotated[list[Path], typer.Argument(help="CSV, SDF or XYZ files, folders or archives of them.")],
    out: Out,
    target: Annotated[list[str] | None, typer.Option("--target", help="Column to learn; repeatable.")] = None,
    smiles_column: Column = "",
    split: Annotated[str, typer.Option("--split", help="random, scaffold, butina or column.")] = "",
    encoding: Encoding = "",
    dask: Dask = "",
    dry_run: DryRun = False,
) -> None:
    """Pack molecules as graphs into shards, split without overlap; unusable rows are listed in rejected.csv."""
    from tenfold.pipelines.cli.dry_run import describe_molecule_ingest
    from tenfold.pipelines.molecules.ingest import ingest_molecules

    ingest = config.ingest
    show(describe_molecule_ingest(ingest, paths) if dry_run else ingest_molecules(paths, out, ingest))


@train.command("molecules")
@configured("chemistry")
def train_molecules_command(
    config: Any, data: Data = None, out: RunFolderOption = None, resume: Resume = False, dry_run: DryRun = False
) -> None:
    """Train a network that predicts properties of molecules, with uncertainties, and write it as a bundle."""
    load_tensorflow()
    from tenfold.pipelines.cli.dry_run import describe_predictor

    train_network(
        "molecules",
        config,
        data,
        out,
        resume=resume,
        dry_run=dry_run,
        describe=describe_predictor,
        then="tenfold validate RUN",
    )


@predict.command("molecules")
def predict_molecules_command(
    bundle: Annotated[Path, typer.Argument(help="Trained network: its bundle, or the folder of its run.")],
    molecules: Annotated[Path, typer.Argument(help="CSV, SDF or XYZ file.")],
    out: Annotated[Path, typer.Option("--out", help="CSV to write; replaced only if it is a table of predictions.")],
    smiles_column: Column = "",
    encoding: Encoding = "",
    embed: Embed = False,
    seconds: Seconds = 20.0,
    largest_gib: Annotated[
        float, typer.Option("--largest-gib", help="Largest size that a compressed input may unpack to [GiB].")
    ] = 64.0,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Processes that featurise molecules.")] = 1,
    dask: Dask = "",
) -> None:
    """Predict properties of molecules, with uncertainties, row by row; an interrupted prediction is resumed.

    The input's columns are copied unchanged, including cells that begin with =: import the table as text into a
    spreadsheet if you do not know its author.
    """
    load_tensorflow()
    from tenfold.pipelines.predictor.predict import predict_molecules

    summary = predict_molecules(
        bundle, molecules, out, smiles_column=smiles_column, encoding=encoding, embed=embed, seconds=seconds,
        largest_gib=largest_gib, processes=processes, dask=dask,
    )  # fmt: skip
    show(summary)


@explain.command("molecules")
def explain_molecules_command(
    bundle: Annotated[Path, typer.Argument(help="Trained network: its bundle, or the folder of its run.")],
    smiles: Annotated[list[str], typer.Argument(help="SMILES, one or several.")],
    out: Out,
    target: Annotated[list[str] | None, typer.Option("--target", help="Property; repeatable; default: all.")] = None,
    embed: Embed = False,
    seconds: Seconds = 20.0,
) -> None:
    """Draw the attributions of predictions to atoms and bonds; the numbers go to attributions.csv."""
    load_tensorflow()
    from tenfold.pipelines.predictor.explain import explain_molecules

    page = explain_molecules(bundle, smiles, out, target or (), embed=embed, seconds=seconds)
    show(f"Explained: {page}")


@run.command("chemistry")
@configured("chemistry", preset="demo")
def run_chemistry_command(config: Any, out: Out, ranks: RankCount = 2, dry_run: DryRun = False) -> None:
    """Label molecules by quantum chemistry, ingest, train on MPI ranks, and validate."""
    from tenfold.pipelines.cli.dry_run import describe_chemistry

    run_whole_study(config, out, ranks=ranks, dry_run=dry_run, describe=describe_chemistry)
