"""Networks of molecules, end to end: shards in, a trained network with its predictions and its bundle out."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

from tenfold.emulators.mpnn import MPNN
from tenfold.emulators.training import RegressionTraining
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.training import MoleculeTraining
from tenfold.pipelines.training.run import carry_out
from tenfold.pipelines.training.run_folder import RunFolder


def train_molecules(
    data: Path, out: Path, network: MPNN, training: RegressionTraining, ranks: Ranks, *, resume: bool = False
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
