"""Shard files that a folder holds, and whether they are still what an ingest would make."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.output_folder import is_plain

EXACT = {"extra": "forbid", "allow_inf_nan": False}
"""How Pydantic reads the parts of manifests: no entry more, and finite numbers."""
Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class ShardEntry:
    """One shard file; its records follow those of the shard before."""

    __pydantic_config__: ClassVar[Any] = EXACT

    file: str
    records: int
    bytes: int

    def __post_init__(self) -> None:
        """Refuse a name that leads out of the folder, and more records than fit."""
        if not is_plain(self.file):
            raise ValueError(f"{self.file!r} is not the name of a file in the folder of its manifest")
        check_counts(self, "records", "bytes")
        if self.records > self.bytes:
            raise ValueError(f"{self.records:,} records in {self.bytes:,} bytes")

    def path(self, folder: Path) -> Path:
        """Return the shard's file in the folder of its manifest.

        Raises
        ------
        InputError
            It is a link that leads out of the folder.
        """
        path = folder / self.file
        if path.is_symlink() and path.resolve().parent != folder.resolve():
            raise InputError(f"{path}: leads out of its folder, to {path.resolve()}. Put the shard itself there.")
        return path


def check_counts(part: Any, *names: str) -> None:
    """Refuse negative numbers in a part of a manifest, by `ValueError`."""
    for name in names:
        if getattr(part, name) < 0:
            raise ValueError(f"{name}: found {getattr(part, name)}, must be 0 or more")


def read_manifest(kind: type[Made], path: Path, version: int) -> Made:
    """Read a manifest: exactly its entries, each of its type, all numbers finite.

    Parameters
    ----------
    kind
        A dataclass of dataclasses.
    path
        Its JSON.
    version
        Of the format that is read.

    Raises
    ------
    FileNotFoundError
        It is not there.
    InputError
        It is damaged, or of another version.
    """
    from pydantic import ValidationError

    try:
        raw = path.read_bytes()
        found = _adapter(kind).validate_json(raw, strict=True)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = "".join(f"{part}: " for part in [".".join(map(str, problem["loc"]))] if part)
        reason = f"not a manifest of ours, or damaged ({where}{problem['msg'].removeprefix('Value error, ')})"
        other = _version(raw)
        if other not in (None, version):
            reason = f"format version {other}, and this version of tenfold reads {version}"
        raise InputError(f"{path}: {reason}. Ingest again, into another folder.") from None
    return found


def _version(raw: bytes) -> int | None:
    """Version of a manifest's format, where it says."""
    try:
        found = json.loads(raw)["version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return found if isinstance(found, int) else None


@cache
def _adapter(kind: type) -> Any:
    from pydantic import TypeAdapter  # takes a tenth of a second, which processes that only pack do not need

    return TypeAdapter(kind)


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
    files = [shard.path(out) for shard in shards]
    sizes = [file.stat().st_size if file.exists() else -1 for file in files]
    return known == now and sizes == [shard.bytes for shard in shards]


def _below(files: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Name files from the folder on that holds them all."""
    top = os.path.commonpath([str(Path(name).parent) for name in files]) if files else "."
    return {os.path.relpath(name, top): each for name, each in files.items()}
