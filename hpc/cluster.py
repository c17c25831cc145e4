"""Parallel execution of independent tasks with Dask: on processes of this machine, or on workers of a scheduler."""

import logging
import queue
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenfold.hpc.engine import Engine, EngineError
from tenfold.hpc.worker import RepeatedDeathError, UnsuitableWorkerError, attempt

if TYPE_CHECKING:
    from distributed import Client, Future

_POLL_S = 5.0
"""Interval at which the connection is checked while no task ends [s]."""
_LEAST_SUBMITTED = 64


class WorkerDiedError(EngineError):
    """Two worker processes in succession died on the same task: out of memory, or a crash."""

    def __init__(self, position: int):
        super().__init__(f"the process that worked on item {position} died, and so did the one that retried it")
        self.position = position


def map_unordered(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    engine: Engine,
    *,
    shared: Path | None = None,
    inputs: Sequence[Path] = (),
) -> Iterator[tuple[int, Any]]:
    """Apply a function to every item in parallel, and yield results in order of completion.

    Each process has one thread, because HDF5 has a global lock per process. On this machine, communication uses the
    loopback interface only; with one process, the work is done in this one. Workers of a scheduler do it otherwise.

    Parameters
    ----------
    function, items
        Function and its arguments. Both, and the results, must be picklable.
    engine
        Where the function runs.
    shared
        Existing folder that the workers of a scheduler must be able to write to; needed with a scheduler.
    inputs
        Files that the function reads. A few of them are checked on the workers of a scheduler.

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
    EngineError
        The scheduler cannot be used: see `tenfold.hpc.scheduler.connected`.
    """
    if not engine.distributed and (engine.processes == 1 or len(items) <= 1):
        for position, item in enumerate(items):
            yield position, function(item)
        return
    if not items:
        return
    with _pool(function, engine.at_most(len(items)), shared, inputs) as pool:
        waiting = enumerate(items)
        for position, item in islice(waiting, pool.window):  # a scheduler holds few tasks, however many there are
            pool.submit(position, item)
        while pool.positions:
            future = pool.next_done()
            position = pool.positions.pop(future)
            result = pool.result(future, position)
            for further, item in islice(waiting, 1):
                pool.submit(further, item)
            yield position, result


def map_ordered(
    function: Callable[[Any], Any], items: Iterable[Any], engine: Engine, *, shared: Path | None = None
) -> Iterator[Any]:
    """Apply a function to every item in parallel, and yield the results in the order of the items.

    Items are requested as the work proceeds, and few results wait at a time: there may be any number of them.
    Parameters and errors are those of `map_unordered`.
    """
    if not engine.distributed and engine.processes == 1:
        yield from map(function, items)
        return
    with _pool(function, engine, shared, ()) as pool:
        results: dict[int, Any] = {}
        waiting = enumerate(items)
        for head in count():
            room = pool.workers + 2 - len(pool.positions) - len(results)
            for position, item in islice(waiting, max(0, room)):
                pool.submit(position, item)
            while pool.positions and head not in results:
                future = pool.next_done()
                position = pool.positions.pop(future)
                results[position] = pool.result(future, position)
            if head not in results:
                return
            yield results.pop(head)


class _Pool:
    """Connected workers that apply one function."""

    def __init__(self, client: "Client", task: Callable[[int, Any], Callable[[], Any]]):
        self.client, self.task = client, task
        self.positions: dict[Future, int] = {}
        """Tasks that are not done, with the positions of their items."""
        self._done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self.workers = len(_threads(client))
        self.window = max(_LEAST_SUBMITTED, 4 * self.workers)
        self._without_workers_since: float | None = None

    def submit(self, position: int, item: Any) -> None:
        """Submit a task."""
        future = self.client.submit(self.task(position, item), pure=False)
        self.positions[future] = position
        future.add_done_callback(self._done.put)

    def next_done(self) -> "Future":
        """Wait for a task to end."""
        while True:
            try:
                return self._done.get(timeout=_POLL_S)
            except queue.Empty:
                self.check()

    def result(self, future: "Future", position: int) -> Any:
        """Return the result of a future that is done."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            result = future.result()
        except (KilledWorker, RepeatedDeathError) as error:
            raise WorkerDiedError(position) from error
        except UnsuitableWorkerError as error:
            raise EngineError(f"a worker that has joined cannot do the work: {error}") from error
        except FutureCancelledError as error:
            raise EngineError("the Dask scheduler has ended, or restarted. Run the same command again.") from error
        future.release()
        return result

    def check(self) -> None:
        """Raise an error if the scheduler is gone, or has been without workers for long."""
        from tenfold.hpc.scheduler import WORKERS_S

        if self.client.status != "running":
            raise EngineError("the connection to the Dask scheduler is lost. Run the same command again.")
        if _threads(self.client):
            self._without_workers_since = None
            return
        now = time.monotonic()
        self._without_workers_since = self._without_workers_since or now
        if now - self._without_workers_since > WORKERS_S:
            raise EngineError(f"the Dask scheduler has had no workers for {WORKERS_S:g} s. Start some, then run again.")


def _threads(client: "Client") -> dict[str, int]:
    """Return the number of threads of every worker."""
    threads: Any = client.nthreads()
    return threads


@contextmanager
def _pool(
    function: Callable[[Any], Any], engine: Engine, shared: Path | None, inputs: Sequence[Path]
) -> Iterator[_Pool]:
    import distributed  # noqa: F401

    logging.getLogger("distributed").setLevel(logging.ERROR)  # its import sets INFO
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it says of lost connections is raised
    if not engine.distributed:
        with _local(engine.processes) as client:
            yield _Pool(client, lambda position, item: partial(function, item))
        return
    if shared is None:
        raise ValueError("a folder that command and workers share is needed with a scheduler")
    from tenfold.hpc.scheduler import connected

    with connected(engine, shared, _sample(inputs)) as (client, site):
        from distributed.protocol.pickle import dumps

        pickled = dumps(function)
        yield _Pool(client, lambda position, item: partial(attempt, pickled, site, position, dumps(item)))


@contextmanager
def _local(processes: int) -> Iterator["Client"]:
    import dask

    # one task per process at a time: a task that waits in a process that dies would count as the cause
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.scheduler.worker-saturation": 1.0}
    configured = dask.config.set(settings)
    from distributed import Client, LocalCluster

    with (
        configured,
        LocalCluster(
            n_workers=processes,
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
        yield client


def _sample(inputs: Sequence[Path], most: int = 8) -> list[Path]:
    """Return a few files, of as many folders as possible."""
    by_folder = {path.parent: path for path in inputs}
    return list(by_folder.values())[:most]
