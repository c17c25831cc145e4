"""Parallel execution of independent tasks on the processes of this machine, with Dask."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class WorkerDiedError(RuntimeError):
    """Two worker processes in succession died on the same task: out of memory, or a crash."""

    def __init__(self, position: int):
        super().__init__(f"the process that worked on item {position} died, and so did the one that retried it")
        self.position = position


def map_unordered(function: Callable[[Any], Any], items: Sequence[Any], processes: int) -> Iterator[tuple[int, Any]]:
    """Apply a function to every item in parallel, and yield results in order of completion.

    Each process has one thread, because HDF5 has a global lock per process. Communication uses the loopback interface
    only. With one process, the work is done in this one.

    Parameters
    ----------
    function, items
        Function and its arguments. Both, and the results, must be picklable.
    processes
        Number of processes.

    Yields
    ------
    (int, result)
        Position of the item and result of the function.

    Raises
    ------
    Exception
        Any exception of the function; tasks that have not started are dropped.
    WorkerDiedError
        Worker processes died twice on the same item.
    """
    if processes == 1 or len(items) <= 1:
        for position, item in enumerate(items):
            yield position, function(item)
        return

    import dask
    from distributed import Client, KilledWorker, LocalCluster, as_completed

    logging.getLogger("distributed").setLevel(logging.ERROR)  # its import sets INFO
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(
            n_workers=min(processes, len(items)),
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        positions = {client.submit(function, item, pure=False): n for n, item in enumerate(items)}
        for future in as_completed(list(positions), loop=client.loop):
            position = positions.pop(future)
            try:
                result = future.result()
            except KilledWorker as error:
                raise WorkerDiedError(position) from error
            future.release()
            yield position, result
