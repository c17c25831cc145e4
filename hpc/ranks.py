"""Ranks: processes that train together, connected by Horovod over MPI. A single rank needs neither.

This is the only module that uses Horovod and MPI. Horovod's Keras bindings do not support Keras 3 (with its
``DistributedOptimizer``, ranks diverge without an error), so plain tensors are summed here.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

STALL_WARNING_S = 30
STALL_LIMIT_S = 120

# Environment variables set by each launcher: Open MPI's mpirun, MPICH's mpirun (Hydra), srun. Inside an allocation
# Hydra starts its helpers by srun, so its own variables take precedence.
_LAUNCHERS = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "mpirun (Open MPI)"),
    ("PMI_SIZE", "PMI_RANK", "mpirun (MPICH)"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "srun"),
)


class RanksError(RuntimeError):
    """The number or order of the connected processes differs from what the launcher announced."""


def launcher_ranks(environment: Mapping[str, str]) -> tuple[int, int, str]:
    """Read the number of ranks announced by the launcher from the environment.

    Parameters
    ----------
    environment
        Environment variables of this process.

    Returns
    -------
    size, rank, launcher
        Number of ranks, number of this rank, and name of the launcher; ``(1, 0, "")`` without a launcher.
    """
    for size, rank, launcher in _LAUNCHERS:
        if size in environment and rank in environment:
            return int(environment[size]), int(environment[rank]), launcher
    return 1, 0, ""


@dataclass(frozen=True)
class Ranks:
    """Ranks of this run, as seen by this process.

    Example
    -------
    >>> from tenfold.hpc.ranks import Ranks
    >>> Ranks().first
    True
    """

    size: int = 1
    """Number of ranks."""
    rank: int = 0
    """Number of this rank, from 0."""
    local_size: int = 1
    """Number of ranks on this host."""
    local_rank: int = 0
    """Number of this rank on this host."""

    @property
    def first(self) -> bool:
        """Whether this is rank 0, the only one that writes files."""
        return self.rank == 0

    def sum(self, tensors: Sequence) -> list:
        """Sum each tensor over all ranks in one grouped allreduce, also inside a ``tf.function``.

        bfloat16 tensors are communicated as float32, since Horovod does not support bfloat16.
        """
        if self.size == 1:
            return list(tensors)
        import horovod.tensorflow as hvd
        import tensorflow as tf

        sent = [tf.cast(t, tf.float32) if t.dtype == tf.bfloat16 else t for t in tensors]
        summed = hvd.grouped_allreduce(sent, op=hvd.Sum)
        return [tf.cast(s, t.dtype) for s, t in zip(summed, tensors, strict=True)]

    def broadcast(self, variables: Sequence) -> None:
        """Set these Keras variables on every rank to their values on rank 0."""
        if self.size == 1:
            return
        import horovod.tensorflow as hvd

        hvd.broadcast_variables([v.value for v in variables], root_rank=0)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Concatenate the rows of all ranks along the first axis, in rank order: shape (sum of n, …)."""
        if self.size == 1:
            return rows
        import horovod.tensorflow as hvd

        return np.asarray(hvd.allgather(np.ascontiguousarray(rows)))

    def compute_shared(self, count: int, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Compute the rows of ``count`` samples, divided among the ranks.

        Parameters
        ----------
        count
            Number of samples.
        compute
            Function from sample indices, shape (n,), to their rows, shape (n, …).

        Returns
        -------
        np.ndarray
            Rows of all samples, shape (count, …), on every rank.
        """
        indices = [np.arange(rank, count, self.size) for rank in range(self.size)]
        rows = self.gather(compute(indices[self.rank]))
        return rows[np.argsort(np.concatenate(indices))]

    def barrier(self) -> None:
        """Wait until every rank has reached this point."""
        self.gather(np.zeros(1, np.int32))

    def abort(self, status: int) -> None:
        """Abort all ranks with this exit status, after an error that may have occurred on this rank only."""
        if self.size > 1:
            from mpi4py import MPI

            MPI.COMM_WORLD.Abort(status)

    def any(self, flag: bool) -> bool:
        """Whether the flag is true on at least one rank; the same on every rank."""
        return bool(self.gather(np.array([flag], dtype=np.int32)).any())


def launch(environment: Mapping[str, str] | None = None) -> Ranks:
    """Connect to the other ranks of this run.

    Without a launcher there is one rank, and neither Horovod nor MPI is loaded.

    Raises
    ------
    RanksError
        The communicator has another size than the launcher announced. The MPI that tenfold was built with is then
        incompatible with the launcher, and every process would train alone.
    """
    environment = os.environ if environment is None else environment
    size, rank, launcher = launcher_ranks(environment)
    if size == 1:
        return Ranks()
    os.environ.setdefault("HOROVOD_STALL_CHECK_TIME_SECONDS", str(STALL_WARNING_S))
    os.environ.setdefault("HOROVOD_STALL_SHUTDOWN_TIME_SECONDS", str(STALL_LIMIT_S))
    import horovod.tensorflow as hvd

    hvd.init()
    if hvd.size() != size:
        raise RanksError(
            f"{launcher} promised {size} ranks, but MPI found {hvd.size()}: each process would train alone. "
            f"The launcher is incompatible with the MPI that Horovod was built with. "
            f"Use the mpirun of this environment, or `srun --mpi=pmi2`; `tenfold doctor` shows which MPI is in use."
        )
    if hvd.rank() != rank:
        raise RanksError(f"{launcher} calls this rank {rank}, but MPI calls it {hvd.rank()}.")
    ranks = Ranks(size=size, rank=rank, local_size=hvd.local_size(), local_rank=hvd.local_rank())
    _share_cores(ranks)
    return ranks


def _share_cores(ranks: Ranks) -> None:
    """Limit this rank to its share of the cores; a single rank uses all of them anyway."""
    import tensorflow as tf

    threads = max(1, len(os.sched_getaffinity(0)) // ranks.local_size)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(min(threads, 2))
