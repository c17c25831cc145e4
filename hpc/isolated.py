"""Execution of functions that may crash or hang, one item at a time in an expendable process."""

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

_BEGIN = "from tenfold.hpc.isolated import _serve; _serve(int({}), float({}), int({}))"


@dataclass(frozen=True, kw_only=True)
class ProcessDied:
    """Placeholder for the result of an item whose process crashed or timed out."""

    reason: str
    """Cause of death, in words."""


def run_isolated(
    function: Callable[[Any], Any], items: Iterable[Any], limit_s: float, max_bytes: int = 0
) -> Iterator[Any]:
    """Apply a function to every item in another process.

    A C library that reads damaged files may crash or never return. Such an item yields `ProcessDied`, and the next item
    runs in a new process. The process is a fresh interpreter: it inherits no threads and no locks, and does not need
    the main module to be importable.

    Parameters
    ----------
    function, items
        Function and its arguments. Both, the results and any exceptions must be picklable.
    limit_s
        Time limit per item [s].
    max_bytes
        Limit of the process's address space [bytes]; 0: the limit of this process. Larger allocations raise
        MemoryError there, or end the process.

    Yields
    ------
    result or ProcessDied
        In the order of the items.

    Raises
    ------
    Exception
        Any exception of the function.
    RuntimeError
        The process does not start.
    """
    worker: _Worker | None = None
    try:
        for item in items:
            worker = worker or _Worker(function, limit_s, max_bytes)
            try:
                worker.link.send(item)
                succeeded, result = worker.link.recv()
            except (EOFError, OSError):
                code, worker = worker.end(), None
                hung = code == -signal.SIGALRM
                yield ProcessDied(reason=f"did not end within {limit_s:g} s" if hung else "crashed the process")
                continue
            if not succeeded:
                raise result
            yield result
    finally:
        if worker is not None:
            worker.end()


class _Worker:
    def __init__(self, function: Callable[[Any], Any], limit_s: float, max_bytes: int):
        self.link, child_end = Pipe()
        begin = _BEGIN.format(child_end.fileno(), limit_s, max_bytes)
        self.process = subprocess.Popen([sys.executable, "-c", begin], pass_fds=[child_end.fileno()])
        child_end.close()
        try:
            self.link.send(sys.path)
            self.link.send(function)
            self.link.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError(f"the process for {function.__qualname__} did not start: status {self.end()}") from error

    def end(self) -> int:
        self.link.close()
        return self.process.wait()


def _serve(descriptor: int, limit_s: float, max_bytes: int) -> None:
    link = Connection(descriptor)
    sys.path[:] = link.recv()
    function = link.recv()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if max_bytes and (soft == resource.RLIM_INFINITY or soft > max_bytes):
        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, hard))
    link.send("ready")
    while True:
        try:
            item = link.recv()
        except EOFError:  # the other end is closed
            return
        signal.setitimer(signal.ITIMER_REAL, limit_s)  # ends this process, even inside a C loop
        try:
            answer = True, function(item)
        except Exception as error:  # noqa: BLE001 (re-raised by the parent)
            answer = False, error
        signal.setitimer(signal.ITIMER_REAL, 0)
        link.send(answer)
