"""Networks of molecules, end to end: shards in, a trained network with its predictions and its bundle out."""

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Group
from rich.table import Table

from tenfold.emulators.mpnn import MPNN
from tenfold.emulators.training import Training
from tenfold.hpc.order import steps_per_epoch
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.description import table
from tenfold.pipelines.labels.labels import Labels
from tenfold.pipelines.molecules.ingest import MoleculeIngest
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.molecules.sources import find_molecule_sources
from tenfold.pipelines.molecules.training import MoleculeTraining, describe, kind_of
from tenfold.pipelines.run_folder import RunFolder
from tenfold.pipelines.studies.chemistry_config import ChemistryRun
from tenfold.pipelines.training_run import carry_out


def train_molecules(
    data: Path, out: Path, network: MPNN, training: Training, ranks: Ranks, *, resume: bool = False
) -> RunFolder:
    """Train a network on molecules, and predict the validation and test splits.

    Parameters
    ----------
    data
        Folder of shards, as `tenfold ingest molecules` writes it.
    out
        Folder of the run; ends with ``bundle.tenfold``, ``predictions.npz``, ``metrics.json``.
    network, training
        Shape of the network, and how it is trained.
    ranks
        The ranks of this run, from `tenfold.hpc.ranks.launch`.
    resume
        Go on from the newest checkpoint in ``out``, where there is one.

    Raises
    ------
    InputError
        The data do not fit the network, ``out`` cannot be written, or holds another run.
    Stopped
        A signal asked the run to stop; ``resume`` goes on.
    """
    config = {"data": str(data), "network": asdict(network), "training": asdict(training)}

    def begin(shards: MoleculeShards, folder: RunFolder) -> MoleculeTraining:
        return MoleculeTraining(shards, folder, network, training, ranks)

    return carry_out(partial(MoleculeShards.open, data), begin, out, config, ranks, resume=resume)


def describe_training(config: ChemistryRun, data: Path) -> Table:
    """Describe a training: the network, its weights, the data and the number of steps.

    Raises
    ------
    InputError
        The data do not fit the network.
    """
    with MoleculeShards.open(data) as shards:
        learnt = describe(shards, shards.split("train"), config.network, kind_of(shards))
        kinds = "\n".join(map(str, shards.manifest.targets))
        counts = {split: len(shards.split(split)) for split in ("train", "validation", "test")}
    steps = steps_per_epoch(counts["train"], config.training.global_batch)
    return table("Training", [
        ("network", f"{config.network.network}, {learnt.network().count_params():,} weights"),
        ("predicts", ", ".join(f"{t.name} [{t.unit}]" if t.unit else t.name for t in learnt.targets)),
        ("kinds", kinds),
        ("molecules", ", ".join(f"{count:,} {split}" for split, count in counts.items())),
        ("steps", f"{config.training.epochs} epochs of {steps} steps = {config.training.epochs * steps}"),
    ])  # fmt: skip


def describe_labels(config: Labels) -> Table:
    """Describe what is labelled."""
    return table("Label", [
        ("molecules", f"{config.count:,}, {config.kind}"),
        ("files", -(-config.count // config.molecules_per_file)),
        ("labels", f"{config.level}, at geometries {'relaxed by GFN2' if config.relax else 'by MMFF94'}"),
    ])  # fmt: skip


def describe_ingest(config: MoleculeIngest, paths: Iterable[Path] = ()) -> Table:
    """Describe an ingest, and with paths at hand the size of what it reads.

    Raises
    ------
    InputError
        A path is not there, or there are no files of molecules.
    """
    files = find_molecule_sources(paths, config) if paths else []
    size = [("files", f"{sum(len(f.paths) for f in files)}, {sum(f.bytes for f in files) / 1e6:.1f} MB")]
    return table("Ingest", [
        *(size if files else ()),
        ("targets", ", ".join(config.targets) or "none"),
        ("graphs", f"{config.features}, {'with' if config.hydrogens else 'without'} hydrogens"),
        ("coordinates", config.geometry),
        ("split", f"{config.split}, {' / '.join(f'{share:g}' for share in config.fractions)}"),
    ])  # fmt: skip


def describe_run(config: ChemistryRun) -> Group:
    """Describe a whole chemistry run; the size of its network depends on the labels' data."""
    training = table("Training", [
        ("network", f"{config.network.network}, {config.network.hidden} numbers of each atom or bond"),
        ("epochs", config.training.epochs),
        ("global batch", config.training.global_batch),
    ])  # fmt: skip
    by_dft = table("By DFT as well", [("molecules", ", ".join(config.labels.dft) or "none")])
    return Group(describe_labels(config.labels), "", by_dft, "", describe_ingest(config.ingest), "", training)
