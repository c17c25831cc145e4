"""Files that are either whole under their final name or not there."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from tenfold.pipelines.errors import InputError

TEMPORARY = ".part"


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; on leaving without an error, what was written there becomes `path`.

    Parameters
    ----------
    path
        The final name.

    Yields
    ------
    Path
        A name in the same folder that nobody else uses. It is removed when the body raises.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{TEMPORARY}")
    try:
        yield temporary
        _to_disk(temporary)
        temporary.replace(path)
        _to_disk(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def writable(folder: Path) -> Path:
    """Make a folder, remove what a killed run left half written in it, and be sure that it can be written to.

    Raises
    ------
    InputError
        The folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(f".*{TEMPORARY}"):
            stale.unlink(missing_ok=True)
        probe = folder / f".{uuid.uuid4().hex[:12]}{TEMPORARY}"
        probe.touch()
        probe.unlink(missing_ok=True)  # another process that makes the same folder may have cleared it away
    except OSError as error:
        message = f"{folder}: cannot be written to ({error.strerror}). Choose another output folder."
        raise InputError(message) from error
    return folder
