"""Connection to an existing Dask scheduler: reachable, with workers that run the same code and see the same files."""

import os
import shutil
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tenfold.hpc.engine import Engine, EngineError
from tenfold.hpc.worker import Site, answer_probe, code_digest

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 15.0
"""Time limit for the connection to a scheduler [s]."""
WORKERS_S = 60.0
"""Longest time without any worker [s]: at the start, and after the last one has left."""
_PACKAGES = ("dask", "distributed", "numpy")
_START = "start some: dask worker --nworkers N --nthreads 1"


@contextmanager
def connected(engine: Engine, shared: Path, inputs: Sequence[Path]) -> Iterator[tuple["Client", Site]]:
    """Connect to the scheduler of an engine, and check its workers.

    Parameters
    ----------
    engine
        Engine with a scheduler.
    shared
        Existing folder to which the workers will write; a hidden folder of probe files is made there, and removed in
        the end.
    inputs
        A few of the files that the workers will read.

    Yields
    ------
    client, site
        The connection, and what the workers must share with this process.

    Raises
    ------
    EngineError
        There is no scheduler that answers, it has no workers, or a worker runs other code or sees other files.
    """
    check_reachable(engine)  # at once; Dask itself repeats refused connections until its time is up
    address = engine.address()
    with _client(address) as client:
        _wait_for_workers(client, address)
        _check_versions(client, address)
        site = _site(shared, inputs)
        try:
            _probe(client, address, site)
            yield client, site
        finally:
            shutil.rmtree(site.folder, ignore_errors=True)


def check_reachable(engine: Engine) -> None:
    """Check that something listens where the scheduler of an engine should be, if the engine has one.

    Raises
    ------
    EngineError
        There is no scheduler file, or nothing listens at the address.
    """
    if not engine.distributed:
        return
    address = engine.address()
    url = urlsplit(address)
    try:
        socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> EngineError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    advice = "Is the scheduler running, and does its host accept connections from here?"
    return EngineError(f"--dask {address}: no scheduler answers within {CONNECT_S:g} s ({reason}). {advice}")


@contextmanager
def _client(address: str) -> Iterator["Client"]:
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise _unreachable(address, error) from error
    try:
        yield client
    finally:
        client.close(timeout=5)


def _wait_for_workers(client: "Client", address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError as error:
        raise EngineError(f"--dask {address}: no worker within {WORKERS_S:g} s; {_START} {address}") from error


def _check_versions(client: "Client", address: str) -> None:
    """Compare Python and the packages that determine results; no code of tenfold runs on the workers for it."""
    versions: Any = client.get_versions()
    here = versions["client"]

    def differing(there: dict[str, Any] | None, packages: Sequence[str]) -> Iterator[str]:
        if not there:
            return
        python, own = (about["host"]["python"].split(".")[:2] for about in (there, here))
        if python != own:
            yield f"Python {'.'.join(python)}, here {'.'.join(own)}"
        for name in packages:
            if there["packages"].get(name) != here["packages"].get(name):
                yield f"{name} {there['packages'].get(name)}, here {here['packages'].get(name)}"

    peers = {"the scheduler": (versions["scheduler"], ("distributed",))}
    peers |= {f"worker {worker}": (about, _PACKAGES) for worker, about in versions["workers"].items()}
    for peer, (about, packages) in peers.items():
        if found := list(differing(about, packages)):
            advice = "Start scheduler and workers in the environment of this command."
            raise EngineError(f"--dask {address}: {peer} has {'; '.join(found)}. {advice}")


def _site(shared: Path, inputs: Sequence[Path]) -> Site:
    token = uuid.uuid4().hex
    site = Site(
        folder=shared.absolute() / f".dask_{token[:12]}",
        token=token,
        code=code_digest(),
        inputs=tuple((str(path.absolute()), path.stat().st_size) for path in inputs),
    )
    site.folder.mkdir()
    with site.probe.open("w") as file:
        file.write(token)
        file.flush()
        os.fsync(file.fileno())
    return site


def _probe(client: "Client", address: str, site: Site) -> None:
    """Have every worker read the probe file and write one of its own, and read that."""
    try:
        client.run_on_scheduler(code_digest)
    except ImportError as error:
        advice = "Start scheduler and workers in the environment of this command."
        raise EngineError(f"--dask {address}: the scheduler does not find {error.name}. {advice}") from error
    answers = client.run(answer_probe, site, on_error="return")
    for worker, reason in answers.items():
        if isinstance(reason, ImportError):
            reason = f"does not find {reason.name}: install tenfold where workers start"
        elif isinstance(reason, BaseException):
            reason = f"cannot be checked ({type(reason).__name__}: {str(reason)[:200]})"
        elif not reason:
            try:
                found = site.answer(worker).read_text()
            except OSError as error:
                found, reason = "", f"its file cannot be read here ({error.strerror})"
            if not reason and found != site.token:
                reason = "its file has another content here"
            if reason:
                reason = f"{reason}: command and workers must share a file system, under the same paths"
        if reason:
            raise EngineError(f"--dask {address}: worker {worker} {reason}")
