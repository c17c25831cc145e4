"""Commands for molecules: label, ingest, train, predict, run the whole of chemistry."""

import json
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
    explain,
    ingest,
    load_tensorflow,
    on_ranks,
    predict,
    run,
    simulate,
    train,
)
from tenfold.pipelines.errors import InputError

Preset = Annotated[str | None, typer.Option("--preset", help="dmpnn, enn-s2s, painn or demo.")]
Embed = Annotated[bool, typer.Option("--embed", help="Make coordinates by ETKDGv3 and MMFF94 for a 3-D network.")]
Seconds = Annotated[float, typer.Option("--seconds", min=0.01, help="Longest time for one molecule [s].")]
Column = Annotated[str, typer.Option("--smiles-column", help="Column of the SMILES; `smiles` if left out.")]
Encoding = Annotated[
    str, typer.Option("--encoding", help="Of text without a byte-order mark, such as latin-1; UTF-8 if left out.")
]


def _load(file: Path | None, preset: str | None, settings: list[str] | None):
    from tenfold.pipelines.config import load
    from tenfold.pipelines.studies.chemistry_config import ChemistryRun

    return load(ChemistryRun, file, preset, tuple(settings or ()))


@simulate.command("molecules")
def simulate_molecules_command(
    out: Out,
    count: Annotated[int | None, typer.Option("--count", min=1, help="Number of molecules.")] = None,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Enumerate molecules and label them by quantum chemistry, into extended XYZ files."""
    from tenfold.pipelines.labels.labels import label_molecules

    chosen = _load(file, preset, [*(settings or ()), *([f"labels.count={count}"] if count else [])]).labels
    if dry_run:
        from tenfold.pipelines.cli.dry_run import describe_labels

        console.print(describe_labels(chosen))
        return
    console.print(str(label_molecules(chosen, out)), soft_wrap=True)


@ingest.command("molecules")
def ingest_molecules_command(
    paths: Annotated[list[Path], typer.Argument(help="CSV, SDF or XYZ files, folders or archives of them.")],
    out: Out,
    target: Annotated[list[str] | None, typer.Option("--target", help="Column to learn; repeatable.")] = None,
    smiles_column: Column = "",
    split: Annotated[str, typer.Option("--split", help="random, scaffold, butina or column.")] = "",
    encoding: Encoding = "",
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Molecules to graphs in packed shards, split so that none is on both sides; bad rows to rejected.csv."""
    from tenfold.pipelines.molecules.ingest import ingest_molecules

    given = {"targets": target, "smiles_column": smiles_column, "split": split, "encoding": encoding}
    chosen = [f"ingest.{name}={json.dumps(value)}" for name, value in given.items() if value]
    config = _load(file, preset, [*(settings or ()), *chosen]).ingest
    if dry_run:
        from tenfold.pipelines.cli.dry_run import describe_molecule_ingest

        console.print(describe_molecule_ingest(config, paths))
        return
    console.print(str(ingest_molecules(paths, out, config)), soft_wrap=True)


@train.command("molecules")
def train_molecules_command(
    data: Annotated[Path | None, typer.Argument(help="Folder of shards.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the run.")] = None,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    resume: Resume = False,
    dry_run: DryRun = False,
) -> None:
    """A network that predicts properties of molecules, with uncertainties; ends with a bundle to predict with."""
    chosen = _load(file, preset, settings)
    load_tensorflow()
    if data is None or (out is None and not dry_run):
        raise InputError("give the folder of shards and --out RUN (--dry-run needs no RUN)")
    if dry_run:
        from tenfold.pipelines.cli.dry_run import describe_predictor

        console.print(describe_predictor(chosen, data))
        return
    assert out is not None
    with on_ranks(out) as ranks:
        from tenfold.pipelines.predictor.train import train_molecules

        folder = train_molecules(data, out, chosen.network, chosen.training, ranks, resume=resume)
        if ranks.first:
            console.print("\n".join(folder.read_record()["targets"]), soft_wrap=True, highlight=False)
            console.print(f"Trained: {folder.bundle}. Next: tenfold validate {folder.path}", soft_wrap=True)


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
) -> None:
    """Properties with uncertainties for any number of molecules, row by row; killed, it goes on where it stood.

    The input's columns are kept to the letter, a cell that begins with = too: import the table as text into a
    spreadsheet if you do not know who wrote it.
    """
    load_tensorflow()
    from tenfold.pipelines.predictor.predict import predict_molecules

    done = predict_molecules(
        bundle, molecules, out, smiles_column=smiles_column, encoding=encoding, embed=embed, seconds=seconds,
        largest_gib=largest_gib,
    )  # fmt: skip
    console.print(str(done), soft_wrap=True)


@explain.command("molecules")
def explain_molecules_command(
    bundle: Annotated[Path, typer.Argument(help="Trained network: its bundle, or the folder of its run.")],
    smiles: Annotated[list[str], typer.Argument(help="SMILES, one or several.")],
    out: Out,
    target: Annotated[list[str] | None, typer.Option("--target", help="Property; repeatable; all if left out.")] = None,
    embed: Embed = False,
    seconds: Seconds = 20.0,
) -> None:
    """Draw which atoms and bonds the answers for molecules rest on; the numbers go to attributions.csv."""
    load_tensorflow()
    from tenfold.pipelines.predictor.explain import explain_molecules

    page = explain_molecules(bundle, smiles, out, target or (), embed=embed, seconds=seconds)
    console.print(f"Explained: {page}", soft_wrap=True)


@run.command("chemistry")
def run_chemistry_command(
    out: Out,
    file: ConfigFile = None,
    preset: Preset = None,
    settings: Settings = None,
    ranks: Annotated[int, typer.Option(min=1, help="MPI ranks on this machine.")] = 2,
    dry_run: DryRun = False,
) -> None:
    """Label molecules by quantum chemistry, ingest, train on MPI ranks, predict, explain, and prove it."""
    chosen = _load(file, preset or (None if file else "demo"), settings)
    load_tensorflow()
    if dry_run:
        from tenfold.pipelines.cli.dry_run import describe_chemistry

        console.print(describe_chemistry(chosen))
        return
    from tenfold.pipelines.studies.chemistry_run import run_chemistry

    start = time.monotonic()
    report = run_chemistry(chosen, out, ranks=ranks)
    console.print(f"Done in {(time.monotonic() - start) / 60:.1f} min. Report: {report}", soft_wrap=True)
