"""Files of a particle snapshot: one, or NAME.0.hdf5, NAME.1.hdf5 and so on, which are a snapshot together."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np

from tenfold.pipelines.readers.volume import UnusableFileError

_PART = re.compile(r"(?P<stem>.+)\.(?P<number>\d+)(?P<suffix>\.(?:hdf5|h5|hdf))?", re.DOTALL)
_MAX_FILES = 100_000


def part_number(path: Path) -> int | None:
    """Return the number of a file among those of a snapshot, by its name; None if its name has no number."""
    match = _PART.fullmatch(path.name)
    return int(match["number"]) if match else None


def part(path: Path, number: int) -> Path:
    """Return the path of another file of the same snapshot."""
    match = _PART.fullmatch(path.name)
    assert match is not None
    return path.with_name(f"{match['stem']}.{number}{match['suffix'] or ''}")


def whole_name(path: Path) -> Path:
    """Return the path of a file without its number, which SWIFT gives to a file of virtual datasets."""
    match = _PART.fullmatch(path.name)
    return path.with_name(f"{match['stem']}{match['suffix'] or ''}") if match else path


def snapshot_files(first: Path, files: int) -> tuple[Path, ...]:
    """Return the files of a snapshot.

    Parameters
    ----------
    first
        Its first file, or its only one.
    files
        Number of its files, as its header states it.

    Raises
    ------
    UnusableFileError
        Files are missing, which are named, or this is not the first.
    """
    if files == 1:
        return (first,)
    if not 1 < files <= _MAX_FILES:
        raise UnusableFileError(first, "Header/NumFilesPerSnapshot", f"{files:,} files: expected 1 to {_MAX_FILES:,}")
    number = part_number(first)
    if number is None:
        reason = f"a snapshot of {files} files, which are called NAME.0.hdf5, NAME.1.hdf5 and so on: name this one so"
        raise UnusableFileError(first, "Header/NumFilesPerSnapshot", reason)
    paths = tuple(part(first, n) for n in range(files))
    if missing := [path.name for path in paths if not path.exists()]:
        listed = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        raise UnusableFileError(first, "", f"part of a snapshot of {files} files, of which {listed} is missing")
    if number:
        raise UnusableFileError(first, "", f"part of a snapshot of {files} files: name the first, {paths[0].name}")
    return paths


def possible_first_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are called NAME.0.hdf5: only their content shows whether they begin a snapshot."""
    return [path for path in paths if part_number(path) == 0]


def number_of_files(path: Path) -> int:
    """Return how many files a snapshot has, by its header; 1 for anything that is not the first of several.

    Nothing but one attribute is read. A damaged file may crash the process: call it in one of its own.
    """
    try:
        with h5py.File(path, "r") as file:
            number = np.asarray(file["Header"].attrs["NumFilesPerSnapshot"]).reshape(-1)
            return int(number[0]) if number.dtype.kind in "iu" and 1 <= number[0] <= _MAX_FILES else 1
    except (OSError, LookupError, ValueError, TypeError, RuntimeError, AttributeError):
        return 1


def group_parts(paths: Sequence[Path], files: dict[Path, int]) -> list[tuple[Path, ...]]:
    """Return the files of each source: those of a snapshot together, its first file first, any other file alone.

    Parameters
    ----------
    paths
        Files.
    files
        Number of files of each snapshot, by its first file.

    Returns
    -------
    list
        Files by source, in the order of `paths`. A file of virtual datasets that SWIFT writes beside the files of a
        snapshot (NAME.hdf5) is left out.
    """
    snapshots = {first: tuple(part(first, n) for n in range(number)) for first, number in files.items() if number > 1}
    inside = {path for parts in snapshots.values() for path in parts[1:]}
    inside |= {whole_name(first) for first in snapshots}
    return [
        tuple(file for file in snapshots[path] if file.exists()) if path in snapshots else (path,)
        for path in paths
        if path not in inside
    ]
