"""Shard files that a folder holds, and whether they are still what an ingest would make."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold.pipelines.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ShardEntry:
    """One shard file; its records follow those of the shard before."""

    file: str
    records: int
    bytes: int


def unchanged(
    out: Path,
    made: Mapping[str, Any],
    wanted: Mapping[str, Any],
    known: Mapping[str, tuple[int, int]],
    now: Mapping[str, tuple[int, int]],
    shards: Sequence[ShardEntry],
    what: str = "shards",
) -> bool:
    """Whether the shards of a folder are whole, and all that an ingest wants.

    Files that were moved all together, with their sizes and times, are the same files.

    Parameters
    ----------
    out
        The folder.
    made, wanted
        The configuration they were made with, and that of now.
    known, now
        Size and time of every source file [bytes, ns], as the manifest has them, and as they are.
    shards
        Those of the manifest.
    what
        What messages call them.

    Raises
    ------
    InputError
        They were made otherwise, or of files that are not among those given now.
    """
    for name, value in wanted.items():
        if made.get(name) != value:
            found = f"made with {name} {made.get(name)!r}, now it is {value!r}"
            raise InputError(f"{out}: holds {what} {found}. Choose another folder, or remove this one.")
    if _below(known) == _below(now):
        known = now
    gone = sorted(set(known) - set(now))
    if gone:
        found = f"holds {what} of {len(gone)} files that are not among those given now, such as {gone[0]}"
        raise InputError(f"{out}: {found}. Choose another folder, or remove this one.")
    files = [out / shard.file for shard in shards]
    sizes = [file.stat().st_size if file.exists() else -1 for file in files]
    return known == now and sizes == [shard.bytes for shard in shards]


def _below(files: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Name files from the folder on that holds them all."""
    top = os.path.commonpath([str(Path(name).parent) for name in files]) if files else "."
    return {os.path.relpath(name, top): each for name, each in files.items()}
