"""Ranks: the processes that train together, joined by Horovod over MPI; one rank alone is a no-op.

The only file that knows Horovod and MPI. Keras 3 is not known to Horovod's own Keras bindings (its
``DistributedOptimizer`` lets ranks drift apart without an error), so sums are taken here, on plain tensors.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

STALL_WARNING_S = 30
STALL_LIMIT_S = 120

# What each launcher tells its processes: Open MPI's mpirun, MPICH's mpirun (Hydra), srun. Hydra starts its own
# helpers by srun inside an allocation, so what it says itself is asked first.
_LAUNCHERS = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "mpirun (Open MPI)"),
    ("PMI_SIZE", "PMI_RANK", "mpirun (MPICH)"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "srun"),
)


class RanksError(RuntimeError):
    """The processes that were promised are not the ones that found each other."""


def promised(environment: Mapping[str, str]) -> tuple[int, int, str]:
    """Read from the environment what the launcher promised.

    Parameters
    ----------
    environment
        Environment variables of this process.

    Returns
    -------
    size, rank, launcher
        Number of ranks, this one's number, and the launcher's name; ``(1, 0, "")`` where there is none.
    """
    for size, rank, launcher in _LAUNCHERS:
        if size in environment and rank in environment:
            return int(environment[size]), int(environment[rank]), launcher
    return 1, 0, ""


@dataclass(frozen=True)
class Ranks:
    """The ranks of this run, as this process sees them.

    Example
    -------
    >>> from tenfold.hpc.ranks import Ranks
    >>> Ranks().first
    True
    """

    size: int = 1
    """Number of ranks."""
    rank: int = 0
    """This rank's number, from 0."""
    local_size: int = 1
    """Number of ranks on this host."""
    local_rank: int = 0
    """This rank's number on this host."""

    @property
    def first(self) -> bool:
        """True on rank 0, which alone writes files."""
        return self.rank == 0

    def sum(self, tensors: Sequence) -> list:
        """Sum each tensor over all ranks, in one grouped allreduce; also inside a ``tf.function``.

        Tensors of bfloat16 travel as float32, since Horovod knows no bfloat16.
        """
        if self.size == 1:
            return list(tensors)
        import horovod.tensorflow as hvd
        import tensorflow as tf

        wire = [tf.cast(t, tf.float32) if t.dtype == tf.bfloat16 else t for t in tensors]
        summed = hvd.grouped_allreduce(wire, op=hvd.Sum)
        return [tf.cast(s, t.dtype) for s, t in zip(summed, tensors, strict=True)]

    def broadcast(self, variables: Sequence) -> None:
        """Give every rank the values rank 0 has in these Keras variables."""
        if self.size == 1:
            return
        import horovod.tensorflow as hvd

        hvd.broadcast_variables([v.value for v in variables], root_rank=0)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Stack along the first axis the rows of all ranks, in rank order: shape (sum of n, …)."""
        if self.size == 1:
            return rows
        import horovod.tensorflow as hvd

        return np.asarray(hvd.allgather(np.ascontiguousarray(rows)))

    def shared(self, count: int, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Compute the rows of ``count`` samples, each rank its share.

        Parameters
        ----------
        count
            Number of samples.
        compute
            Given places among them, shape (n,), returns their rows, shape (n, …).

        Returns
        -------
        np.ndarray
            Shape (count, …), on every rank.
        """
        places = [np.arange(rank, count, self.size) for rank in range(self.size)]
        rows = self.gather(compute(places[self.rank]))
        return rows[np.argsort(np.concatenate(places))]

    def barrier(self) -> None:
        """Wait until every rank has come here."""
        self.gather(np.zeros(1, np.int32))

    def abort(self, status: int) -> None:
        """End every rank at once with this status: for an error that only this rank may have met."""
        if self.size > 1:
            from mpi4py import MPI

            MPI.COMM_WORLD.Abort(status)

    def any(self, flag: bool) -> bool:
        """True on every rank if the flag is true on at least one."""
        return bool(self.gather(np.array([flag], dtype=np.int32)).any())


def launch(environment: Mapping[str, str] | None = None) -> Ranks:
    """Join the other ranks of this run.

    Without a launcher there is one rank, and neither Horovod nor MPI is loaded.

    Raises
    ------
    RanksError
        The communicator has another size than the launcher promised: the MPI that tenfold was built with cannot
        talk to this launcher, and every process would train alone.
    """
    environment = os.environ if environment is None else environment
    size, rank, launcher = promised(environment)
    if size == 1:
        return Ranks()
    os.environ.setdefault("HOROVOD_STALL_CHECK_TIME_SECONDS", str(STALL_WARNING_S))
    os.environ.setdefault("HOROVOD_STALL_SHUTDOWN_TIME_SECONDS", str(STALL_LIMIT_S))
    import horovod.tensorflow as hvd

    hvd.init()
    if hvd.size() != size:
        raise RanksError(
            f"{launcher} promised {size} ranks, but MPI found {hvd.size()}: each process would train alone. "
            f"The launcher and the MPI that Horovod was built with do not understand each other. "
            f"Use this environment's own mpirun, or `srun --mpi=pmi2`; `tenfold doctor` tells which MPI is in use."
        )
    if hvd.rank() != rank:
        raise RanksError(f"{launcher} calls this rank {rank}, but MPI calls it {hvd.rank()}.")
    ranks = Ranks(size=size, rank=rank, local_size=hvd.local_size(), local_rank=hvd.local_rank())
    _share_cores(ranks)
    return ranks


def _share_cores(ranks: Ranks) -> None:
    """Give this rank its share of the cores it may run on; a lone rank has them all anyway."""
    import tensorflow as tf

    threads = max(1, len(os.sched_getaffinity(0)) // ranks.local_size)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(min(threads, 2))
