"""Prefetching of batches in a thread, and the time spent waiting for them."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Batch = TypeVar("Batch")


class Prefetcher(Generic[Batch]):
    """Iterates over batches while a thread prepares the next ones.

    Parameters
    ----------
    depth
        Number of batches prepared in advance.
    """

    def __init__(self, depth: int = 3):
        self.depth = depth
        self.waited_s = 0.0
        """Total time that the consumer has waited for batches [s]."""

    def iterate(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches in order; an error while one is prepared is raised where it is consumed."""
        ready: queue.Queue = queue.Queue(self.depth)
        stop = threading.Event()
        end = object()

        def put(item) -> bool:
            while not stop.is_set():
                try:
                    ready.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        def prepare() -> None:
            try:
                for batch in batches:
                    if not put((batch, None)):
                        return
                put((end, None))
            except BaseException as error:  # noqa: BLE001 (passed on to the consumer)
                put((end, error))

        thread = threading.Thread(target=prepare, name="prefetch", daemon=True)
        thread.start()
        try:
            while True:
                start = time.perf_counter()
                batch, error = ready.get()
                self.waited_s += time.perf_counter() - start
                if error is not None:
                    raise error
                if batch is end:
                    return
                yield batch
        finally:
            stop.set()
            thread.join()
