"""Parameter estimators, end to end: shards in, a trained network with its predictions out."""

from pathlib import Path

from tenfold.emulators.cnn import CNN
from tenfold.emulators.training import FieldTraining
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.estimator.training import EstimatorTraining
from tenfold.pipelines.training.run import run_training
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.shards import Shards


def train_estimator(
    data: Path | str,
    out: Path | str,
    network: CNN,
    training: FieldTraining,
    ranks: Ranks | None = None,
    *,
    views: int = 1,
    resume: bool = False,
) -> RunFolder:
    """Train a parameter estimator on shards, and predict the validation and test splits.

    Parameters
    ----------
    data
        Folder of shards, as `tenfold ingest volumes` writes it.
    out
        Folder of the run.
    network, training
        Architecture of the network, and hyper-parameters of its training.
    ranks
        MPI ranks of this run, from `tenfold.hpc.ranks.launch`; a single process by default.
    views
        Orientations of the cube averaged over in the predictions.
    resume
        Resume from the newest checkpoint in ``out``, if there is one.

    Raises
    ------
    InputError
        The data do not fit the network, ``out`` cannot be written, or holds another run.
    Stopped
        A signal asked the run to stop; ``resume`` continues it.

    Example
    -------
    >>> from tenfold.pipelines import CNN, FieldTraining, train_estimator
    >>> architecture = CNN(size=16, filters=(4,), dense_units=(8,), readout="global")
    >>> run = train_estimator("data", "estimator", architecture, FieldTraining(epochs=1))
    >>> run.bundle.name
    'bundle.tenfold'
    """
    return run_training(Shards.open, EstimatorTraining, data, out, network, training, ranks, resume=resume, views=views)
