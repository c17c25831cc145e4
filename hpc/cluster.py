"""Independent pieces of work on the processes of this machine, by Dask."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class WorkerDiedError(RuntimeError):
    """A process died under a piece of work, again when it was given to another: killed for memory, or crashed."""

    def __init__(self, position: int):
        super().__init__(f"the process working on item {position} died; so did the one that tried again")
        self.position = position


def completed(function: Callable[[Any], Any], items: Sequence[Any], processes: int) -> Iterator[tuple[int, Any]]:
    """Apply a function to every item, and give the results as they come.

    One thread per process, because HDF5 holds one lock per process; on loopback alone. One process means this one.

    Parameters
    ----------
    function, items
        What is called on what. Both, and the results, can be pickled.
    processes
        Number of processes.

    Yields
    ------
    (int, result)
        Position of the item, and what the function returned.

    Raises
    ------
    Exception
        What the function raised; work not begun is dropped.
    WorkerDiedError
        A process died twice under the same item.
    """
    if processes == 1 or len(items) <= 1:
        for position, item in enumerate(items):
            yield position, function(item)
        return

    import dask
    from distributed import Client, KilledWorker, LocalCluster, as_completed

    logging.getLogger("distributed").setLevel(logging.ERROR)  # importing it has set INFO
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
