"""What a worker of an existing Dask scheduler does for a task: checks that it may, counts its attempts, works."""

import hashlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tenfold.hpc

if TYPE_CHECKING:
    from distributed import Worker

ATTEMPTS = 2
"""A task during which so many workers died is not tried again."""
_FOLDERS = ("pipelines", "emulators", "stats", "hpc")


class UnsuitableWorkerError(Exception):
    """A worker cannot do the work: its code or its files are not those of the command."""


class RepeatedDeathError(Exception):
    """The earlier workers on the same task have died."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What every worker must share with the command that it works for."""

    folder: Path
    """Folder of the exchange, on a file system that all share."""
    token: str
    """Content of the probe file in it."""
    code: str
    """Digest of tenfold's source code."""
    inputs: tuple[tuple[str, int], ...]
    """Paths of a few of the files that the tasks read, with their sizes [bytes]."""

    @property
    def probe(self) -> Path:
        """Probe file that the command writes, and the workers read."""
        return self.folder / "probe"

    def answer(self, worker: str) -> Path:
        """Return the file that a worker writes, and the command reads."""
        return self.folder / f"answer_{hashlib.sha256(worker.encode()).hexdigest()[:16]}"

    def attempts(self, position: int) -> Path:
        """Return the file that lists the processes that have begun a task, one a line."""
        return self.folder / f"task_{position}"


@cache
def code_digest() -> str:
    """Return the SHA-256 of tenfold's source code, hexadecimal."""
    root = Path(tenfold.hpc.__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(file for folder in _FOLDERS for file in (root / folder).rglob("*.py")):
        digest.update(f"{file.relative_to(root)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def objection(site: Site) -> str:
    """Return the reason why this process cannot work for a command, empty if it can."""
    if code_digest() != site.code:
        root = Path(tenfold.hpc.__file__).parents[1]
        return f"runs another version of tenfold, from {root}: install the same for command and workers"
    advice = "command and workers must share a file system, under the same paths"
    try:
        found = site.probe.read_text()
    except OSError as error:
        return f"cannot read {site.probe} ({error.strerror}): {advice}"
    if found != site.token:
        return f"{site.probe} has another content: {advice}"
    for name, size in site.inputs:
        try:
            found_size = Path(name).stat().st_size
        except OSError as error:
            return f"cannot read {name} ({error.strerror}): {advice}"
        if found_size != size:
            return f"{name} has {found_size:,} bytes, not {size:,}: {advice}"
    return ""


def answer_probe(site: Site, dask_worker: "Worker") -> str:
    """Check this worker, and write its answer to the probe; return the objection, empty if there is none."""
    reason = objection(site)
    if not reason and dask_worker.state.nthreads != 1:
        reason = f"has {dask_worker.state.nthreads} threads: start workers by dask worker --nworkers N --nthreads 1"
    if not reason:
        try:
            site.answer(dask_worker.address).write_text(site.token)
        except OSError as error:
            return f"cannot write to {site.folder} ({error.strerror}): start workers as the same user"
    return reason


@lru_cache(maxsize=4)
def _loaded(function: bytes) -> Callable[[Any], Any]:
    from distributed.protocol.pickle import loads

    return loads(function)


def attempt(function: bytes, site: Site, position: int, item: bytes) -> Any:
    """Apply a function to an item, on a worker.

    Parameters
    ----------
    function, item
        Function and its argument, pickled: the scheduler unpickles the arguments of tasks, and need not import their
        modules.
    site
        What the worker must share with the command.
    position
        Position of the item.

    Raises
    ------
    UnsuitableWorkerError
        This worker may not: it has joined later than those that were checked.
    RepeatedDeathError
        Workers died on this item twice before.
    """
    from distributed.protocol.pickle import loads
    from threadpoolctl import threadpool_limits

    if reason := objection(site):
        raise UnsuitableWorkerError(f"{socket.gethostname()}: {reason}")
    record = site.attempts(position)
    with record.open("a+") as opened:
        opened.seek(0)
        earlier = opened.read().splitlines()
        if len(earlier) >= ATTEMPTS:
            raise RepeatedDeathError(", ".join(earlier))
        opened.write(f"{socket.gethostname()} {os.getpid()}\n")
    try:
        with threadpool_limits(limits=1):
            return _loaded(function)(loads(item))
    finally:
        record.unlink(missing_ok=True)
