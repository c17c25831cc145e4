"""Networks of molecules, end to end: shards in, a trained network with its predictions and its bundle out."""

from pathlib import Path

from tenfold.emulators.mpnn import MPNN
from tenfold.emulators.training import RegressionTraining
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.training import MoleculeTraining
from tenfold.pipelines.training.run import run_training
from tenfold.pipelines.training.run_folder import RunFolder


def train_molecules(
    data: Path | str,
    out: Path | str,
    network: MPNN,
    training: RegressionTraining,
    ranks: Ranks | None = None,
    *,
    resume: bool = False,
) -> RunFolder:
    """Train a network on molecules, and predict the validation and test splits.

    ``data`` is a folder of shards, as `tenfold ingest molecules` writes it. The run ends with ``bundle.tenfold``,
    ``predictions.npz`` and ``metrics.json``. Other arguments and errors are those of `train_estimator`.

    Example
    -------
    >>> from tenfold.pipelines import MPNN, RegressionTraining, train_molecules
    >>> architecture = MPNN(network="dmpnn", hidden=8, depth=2, dense_units=(8,))
    >>> train_molecules("molecules", "predictor", architecture, RegressionTraining(epochs=1)).bundle.name
    'bundle.tenfold'
    """
    return run_training(MoleculeShards.open, MoleculeTraining, data, out, network, training, ranks, resume=resume)
