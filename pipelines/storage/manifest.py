"""The manifest of a folder of shards: its base, its entries, and how it is written and read back exactly."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.storage.output_folder import is_plain

MANIFEST = "manifest.json"
"""Name of the manifest's file in a folder of shards."""

Count = Annotated[int, "0 or more"]
"""Type of a field that counts."""
Spread = Annotated[float, "0 or more"]
"""Type of a field that holds a standard deviation."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Base of manifests and their parts: read without unknown keys, and with finite numbers alone."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "allow_inf_nan": False}

    def __post_init__(self) -> None:
        """Refuse a negative `Count` or `Spread`."""
        for field in fields(self):
            if field.type in (Count, Spread) and getattr(self, field.name) < 0:
                raise ValueError(f"{field.name}: found {getattr(self, field.name)}, must be 0 or more")


@dataclass(frozen=True, kw_only=True)
class SourceEntry(Entry):
    """A source of an ingest, as it was then: one file, or all small files of a folder."""

    source: str
    """Path."""
    bytes: Count
    mtime_ns: int
    """Time of the last change [ns]."""


@dataclass(frozen=True, kw_only=True)
class ShardEntry(Entry):
    """One shard file; its records follow those of the shard before."""

    file: str
    records: Count
    bytes: Count

    def __post_init__(self) -> None:
        """Refuse a name that leads out of the folder, and more records than fit."""
        if not is_plain(self.file):
            raise ValueError(f"{self.file!r} is not the name of a file in the folder of its manifest")
        super().__post_init__()
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


@dataclass(frozen=True, kw_only=True)
class ShardManifest(Entry):
    """Base of manifests: the shards of a folder, and what they were made with."""

    VERSION: ClassVar[int]
    """Version of the format that is written."""
    READABLE: ClassVar[tuple[int, ...]] = ()
    """Earlier versions that `upgrade` turns into the present one."""
    RECORDS: ClassVar[str] = "shards"
    """Name of the records in messages."""
    COMMAND: ClassVar[str] = "tenfold ingest"
    """The command that makes them."""

    shards: tuple[ShardEntry, ...]
    ingest: dict[str, Any]
    """The configuration of the ingest, as far as it affects the result."""
    tenfold: str
    """Version of the code."""
    version: int
    """Version of the format."""

    @property
    def sizes_and_times(self) -> Mapping[str, tuple[int, int]]:
        """Size [bytes] and time [ns] of every source, rejected ones included, by path."""
        raise NotImplementedError

    @classmethod
    def upgrade(cls, entries: dict[str, Any]) -> dict[str, Any]:
        """Return the entries of a manifest of an earlier, readable version as the present version has them."""
        return entries

    @property
    def contradiction(self) -> str:
        """The first disagreement between its entries; empty where there is none."""
        return ""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a manifest: exactly its entries, each of its type, all numbers finite.

        Raises
        ------
        InputError
            It does not exist, is damaged, contradicts itself, or is of a version that this code does not read.
        """
        from pydantic import ValidationError

        advice = "Ingest again, into another folder."
        try:
            raw = path.read_bytes()
            version = _version(raw)
            if version in cls.READABLE:
                raw = json.dumps(cls.upgrade(json.loads(raw))).encode()
            manifest = _adapter(cls).validate_json(raw, strict=True)
        except FileNotFoundError as error:
            message = f"there are no {cls.RECORDS} in this folder. Make them by `{cls.COMMAND}`."
            raise InputError(f"{path}: {message}") from error
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = "".join(f"{part}: " for part in [".".join(map(str, problem["loc"]))] if part)
            reason = f"not a manifest of tenfold, or damaged ({where}{problem['msg'].removeprefix('Value error, ')})"
            if version not in (None, cls.VERSION, *cls.READABLE):
                reason = f"format version {version}, and this version of tenfold reads {cls.VERSION}"
            raise InputError(f"{path}: {reason}. {advice}") from None
        if problem := manifest.contradiction:
            raise InputError(f"{path}: damaged ({problem}). {advice}")
        return manifest

    def write(self, path: Path) -> None:
        """Write the manifest, atomically."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _version(raw: bytes) -> int | None:
    """Return the version of a manifest's format, None where it cannot be told."""
    try:
        version = json.loads(raw)["version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return version if type(version) is int else None


@cache
def _adapter(kind: type) -> Any:
    from pydantic import TypeAdapter  # its import takes 0.1 s, which worker processes need not spend

    return TypeAdapter(kind)
