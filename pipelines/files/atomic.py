"""Atomic writing of files: under its final name a file is complete, or does not exist."""

import contextlib
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tenfold.hpc.disk import flush
from tenfold.pipelines.errors import InputError

TEMPORARY = ".part"
HALF_WRITTEN = re.compile(rf"\.(?:(?P<name>.+)\.)?[0-9a-f]{{12}}{re.escape(TEMPORARY)}", re.DOTALL)
"""Temporary names of `replacing`, and of the probes of `writable`."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on leaving without an error, the file written there becomes `path`.

    Parameters
    ----------
    path
        The final name.

    Yields
    ------
    Path
        A unique name in the same folder; the file is removed when the body raises.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{TEMPORARY}")
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def writable(folder: Path) -> Path:
    """Create a folder, and check that it can be written to.

    Raises
    ------
    InputError
        The folder cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{uuid.uuid4().hex[:12]}{TEMPORARY}"
        probe.touch(exist_ok=False)
        probe.unlink(missing_ok=True)  # another process that claims the same folder may have removed it
    except OSError as error:
        message = f"{folder}: cannot be written to ({error.strerror}). Choose another output folder."
        raise InputError(message) from error
    return folder


def check_names(paths: Iterable[Path]) -> None:
    """Refuse files whose paths are not UTF-8: a manifest could not name them.

    Raises
    ------
    InputError
        There is such a path.
    """
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{path}: its name is not in UTF-8. Rename it, or the folder that it is in.") from error


def check_free(path: Path, is_ours: Callable[[Path], bool]) -> None:
    """Check that a file to write does not exist, unless an earlier run of the same kind wrote it.

    Raises
    ------
    InputError
        Another file exists under this name.
    """
    if path.exists() and not is_ours(path):
        advice = "Move it away, or choose another --out."
        raise InputError(f"{path}: was not written by tenfold in this way, and would be overwritten. {advice}")


def sweep(path: Path) -> None:
    """Remove the temporary files that a killed run left of one file, and nothing else."""
    for entry in path.parent.iterdir():
        match = HALF_WRITTEN.fullmatch(entry.name)
        if match and match["name"] == path.name and entry.is_file() and not entry.is_symlink():
            entry.unlink(missing_ok=True)
