"""A source file of an ingest: where it is, its size, time and digest."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from tenfold.pipelines.readers.formats import read_volumes
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError
from tenfold.pipelines.volumes.manifest import RejectedFile


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file to be read, as it is now, and the user's metadata of it."""

    path: Path
    bytes: int
    mtime_ns: int
    stated: StatedMetadata
    parts: tuple[Path, ...] = ()
    """All files of a particle snapshot in several files, `path` first; empty for a single file."""

    @property
    def name(self) -> str:
        """Path of the file, with the range of records if not all are used."""
        part = self.stated.part
        return str(self.path) if part is None else f"{self.path}[{part[0]}:{part[1]}]"

    @classmethod
    def at(cls, path: Path, stated: StatedMetadata, parts: tuple[Path, ...] = ()) -> Self:
        """Return the file at a path, with its size and time; those of all parts together, if it has some."""
        paths = parts or (path,)
        # of a dangling link, the link itself
        about = [file.stat() if file.exists() else file.lstat() for file in paths]
        size, time = sum(each.st_size for each in about), max(each.st_mtime_ns for each in about)
        return cls(path=path, bytes=size, mtime_ns=time, stated=stated, parts=parts)

    def rejected(self, error: UnusableFileError) -> RejectedFile:
        """Return the file's entry in the list of rejected files."""
        return RejectedFile(
            source=self.name, key=error.key, reason=error.reason, bytes=self.bytes, mtime_ns=self.mtime_ns
        )

    def sha256(self) -> str:
        """Return the SHA-256 of the file, of all parts in their order, or of the records if only some are used."""
        if self.parts:
            digest = hashlib.sha256()
            for path in self.parts:
                with path.open("rb") as raw:
                    while chunk := raw.read(2**22):
                        digest.update(chunk)
            return digest.hexdigest()
        if self.stated.part is None:
            with self.path.open("rb") as raw:
                return hashlib.file_digest(raw, "sha256").hexdigest()
        digest = hashlib.sha256()
        for volume in read_volumes(self.path, self.stated):
            digest.update(np.ascontiguousarray(volume.read(0, volume.shape[0])).data)
        return digest.hexdigest()
