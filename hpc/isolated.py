"""Execution of functions that may crash or hang, one item at a time in an expendable process."""

import atexit
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_BEGIN = "from tenfold.hpc.isolated import _serve; _serve(int({}), int({}))"


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
    the main module to be importable. It is kept for the next function, until this process ends.

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
            worker = worker or _Worker.start(function, limit_s, max_bytes)
            try:
                succeeded, result = worker.apply(item)
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
            worker.keep()


_idle: dict[int, "_Worker"] = {}
"""Processes that wait for another function, by their memory limit: importing what functions need takes seconds."""


@atexit.register
def _end_idle() -> None:
    """End the idle processes; if this process is killed, they end because the other end of their pipe is closed."""
    while _idle:
        worker = _idle.popitem()[1]
        if worker.owner == os.getpid():
            worker.end()


class _Worker:
    """An expendable process, and this end of the pipe to it."""

    def __init__(self, max_bytes: int):
        self.link, child_end = Pipe()
        self.max_bytes, self.owner, self.busy = max_bytes, os.getpid(), False
        begin = _BEGIN.format(child_end.fileno(), max_bytes)
        self.process = subprocess.Popen([sys.executable, "-c", begin], pass_fds=[child_end.fileno()])
        child_end.close()

    @classmethod
    def start(cls, function: Callable[[Any], Any], limit_s: float, max_bytes: int) -> "_Worker":
        """Return a process that has loaded a function: an idle one, or a new one."""
        idle = _idle.pop(max_bytes, None)
        if idle is not None and idle.owner == os.getpid():  # a forked process must not use its parent's pipes
            try:
                return idle.load(function, limit_s)
            except (EOFError, OSError):
                idle.end()
        worker = cls(max_bytes)
        try:
            return worker.load(function, limit_s)
        except (EOFError, OSError) as error:
            raise RuntimeError(
                f"the process for {function.__qualname__} did not start: status {worker.end()}"
            ) from error

    def load(self, function: Callable[[Any], Any], limit_s: float) -> "_Worker":
        """Make the process load a function, in this process's folder and with its module path."""
        self.link.send((sys.path, str(Path.cwd()), limit_s))
        self.link.send(function)
        self.link.recv()
        return self

    def apply(self, item: Any) -> tuple[bool, Any]:
        """Return whether the function succeeded on an item, and its result or its exception."""
        self.busy = True
        self.link.send((item,))
        answer = self.link.recv()
        self.busy = False
        return answer

    def keep(self) -> None:
        """Keep the process for another function, unless it still works or another one is kept."""
        if self.busy or self.max_bytes in _idle:
            self.end()
        else:
            self.link.send(())
            _idle[self.max_bytes] = self

    def end(self) -> int:
        """End the process, and return its status."""
        self.link.close()
        return self.process.wait()


def _serve(descriptor: int, max_bytes: int) -> None:
    link = Connection(descriptor)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if max_bytes and (soft == resource.RLIM_INFINITY or soft > max_bytes):
        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, hard))
    while True:
        try:
            sys.path[:], folder, limit_s = link.recv()
            os.chdir(folder)
            function = link.recv()
            link.send("ready")
            while message := link.recv():
                signal.setitimer(signal.ITIMER_REAL, limit_s)  # ends this process, even inside a C loop
                try:
                    answer = True, function(message[0])
                except Exception as error:  # noqa: BLE001 (re-raised by the parent)
                    answer = False, error
                signal.setitimer(signal.ITIMER_REAL, 0)
                link.send(answer)
        except EOFError:  # the other end is closed
            return
