"""Work that may crash or hang the process it runs in, done one piece at a time in a process that can be spared."""

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
class Died:
    """Stands for the result of a piece of work that its process did not survive."""

    reason: str


def isolated(
    function: Callable[[Any], Any], items: Iterable[Any], limit_s: float, most_bytes: int = 0
) -> Iterator[Any]:
    """Apply a function to every item in another process.

    A C library that reads damaged files may crash, or never return. Then that item has no result, and the next one
    gets a new process. The process is a fresh interpreter: it takes over no thread and no lock, and does not need the
    main module to be importable.

    Parameters
    ----------
    function, items
        What is called on what. Both, the results and what the function raises can be pickled.
    limit_s
        Longest time an item may take [s].
    most_bytes
        Largest address space of the process [bytes]; 0: as this one's. What asks for more raises MemoryError there, or
        ends the process.

    Yields
    ------
    result or Died
        In the order of the items.

    Raises
    ------
    Exception
        What the function raised.
    RuntimeError
        The other process does not start.
    """
    worker: _Worker | None = None
    try:
        for item in items:
            worker = worker or _Worker(function, limit_s, most_bytes)
            try:
                worker.link.send(item)
                done, result = worker.link.recv()
            except (EOFError, OSError):
                code, worker = worker.end(), None
                hung = code == -signal.SIGALRM
                yield Died(reason=f"did not end within {limit_s:g} s" if hung else "crashed the process")
                continue
            if not done:
                raise result
            yield result
    finally:
        if worker is not None:
            worker.end()


class _Worker:
    def __init__(self, function: Callable[[Any], Any], limit_s: float, most_bytes: int):
        self.link, theirs = Pipe()
        begin = _BEGIN.format(theirs.fileno(), limit_s, most_bytes)
        self.process = subprocess.Popen([sys.executable, "-c", begin], pass_fds=[theirs.fileno()])
        theirs.close()
        try:
            self.link.send(sys.path)
            self.link.send(function)
            self.link.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError(f"a process for {function.__qualname__} does not start: status {self.end()}") from error

    def end(self) -> int:
        self.link.close()
        return self.process.wait()


def _serve(descriptor: int, limit_s: float, most_bytes: int) -> None:
    link = Connection(descriptor)
    sys.path[:] = link.recv()
    function = link.recv()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if most_bytes and (soft == resource.RLIM_INFINITY or soft > most_bytes):
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, hard))
    link.send("ready")
    while True:
        try:
            item = link.recv()
        except EOFError:  # the other end is closed, or its process is gone
            return
        signal.setitimer(signal.ITIMER_REAL, limit_s)  # ends this process, in whatever loop it is
        try:
            answer = True, function(item)
        except Exception as error:  # noqa: BLE001 (raised on the other side)
            answer = False, error
        signal.setitimer(signal.ITIMER_REAL, 0)
        link.send(answer)
