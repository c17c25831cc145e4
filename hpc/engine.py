"""Where independent tasks run: on processes of this machine, or on the workers of an existing Dask scheduler."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

LARGEST_SCHEDULER_FILE = 2**24
"""A scheduler file lists its workers; one of ten thousand workers has 10 MB [bytes]."""
_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(\d{1,5})/?")
_VALID = "valid are tcp://HOST:PORT, tls://HOST:PORT or the path of a scheduler file"


class EngineError(RuntimeError):
    """The processes or workers cannot do the work: the message names what was found and what to do."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Where independent tasks run.

    Example
    -------
    >>> from tenfold.hpc.engine import Engine
    >>> Engine(processes=8).at_most(3).processes
    3
    """

    processes: int = 1
    """Processes on this machine; 1: this one, without Dask. Without effect where there is a scheduler."""
    scheduler: str = ""
    """Address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT, or its scheduler file; empty: this machine."""

    def __post_init__(self) -> None:
        """Check that the values are valid."""
        if self.processes < 1:
            raise ValueError(f"processes: found {self.processes}, valid is 1 or more")
        named = self.scheduler
        if not named or _ADDRESS.fullmatch(named):
            return
        if "://" in named:
            raise ValueError(f"dask: found {named!r}, {_VALID}")
        if re.fullmatch(r"[\w.-]+:\d+", named) and not Path(named).exists():
            raise ValueError(f"dask: found {named!r}, {_VALID}; did you mean tcp://{named}?")

    @property
    def distributed(self) -> bool:
        """Whether tasks run on the workers of an existing scheduler."""
        return bool(self.scheduler)

    def at_most(self, tasks: int) -> Self:
        """Return this engine with no more processes than tasks; the workers of a scheduler are as many as there are."""
        return replace(self, processes=max(1, min(self.processes, tasks)))

    def path(self, path: Path) -> Path:
        """Return a path as tasks must name it: absolute where they run in another working directory."""
        return path.absolute() if self.distributed else path

    def address(self) -> str:
        """Return the address of the scheduler, read from its scheduler file where one was given.

        Raises
        ------
        EngineError
            The scheduler file does not exist, or is not one.
        """
        if _ADDRESS.fullmatch(self.scheduler):
            return self.scheduler.rstrip("/")
        file = Path(self.scheduler)
        try:
            if file.stat().st_size > LARGEST_SCHEDULER_FILE:
                raise ValueError(f"larger than {LARGEST_SCHEDULER_FILE // 2**20} MiB")
            address = json.loads(file.read_bytes())["address"]
            if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
                raise ValueError(f"address {address!r}, expected tcp://HOST:PORT or tls://HOST:PORT")
        except OSError as error:
            advice = "Start a scheduler: dask scheduler --scheduler-file"
            raise EngineError(f"--dask {file}: cannot be read ({error.strerror}). {advice} {file}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"no key {error}" if isinstance(error, KeyError) else str(error)[:200]
            raise EngineError(
                f"--dask {file}: not a file of dask scheduler --scheduler-file ({reason}); {_VALID}"
            ) from error
        return address
