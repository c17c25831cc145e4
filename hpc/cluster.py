"""Independent pieces of work on the processes of this machine, by Dask."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any


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
    """
    if processes == 1 or len(items) <= 1:
        for position, item in enumerate(items):
            yield position, function(item)
        return

    from distributed import Client, LocalCluster, as_completed

    logging.getLogger("distributed").setLevel(logging.ERROR)  # importing it has set INFO
    with (
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
            yield positions.pop(future), future.result()
            future.release()
