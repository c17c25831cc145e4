"""A folder of shards opened for reading: its manifest, its files checked, and in which shard a record is."""

import itertools
from pathlib import Path
from typing import Generic, Self, TypeVar

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.manifest import MANIFEST, ShardManifest
from tenfold.pipelines.storage.splits import SPLITS

Manifest = TypeVar("Manifest", bound=ShardManifest)


class ShardReader(Generic[Manifest]):
    """Base of readers of shards; a context manager.

    Parameters
    ----------
    path
        Folder with ``manifest.json``.
    manifest
        Type of its manifest.

    Raises
    ------
    InputError
        There is no manifest, it cannot be read, or a shard is missing or has another size.
    """

    def __init__(self, path: Path | str, manifest: type[Manifest]):
        self.path = Path(path)
        self.manifest: Manifest = manifest.read(self.path / MANIFEST)
        for shard in self.manifest.shards:
            file = shard.path(self.path)
            size = file.stat().st_size if file.exists() else -1
            if size != shard.bytes:
                problem = (
                    "is missing" if size < 0 else f"has {size:,} bytes, not {shard.bytes:,}: it was cut or changed"
                )
                raise InputError(f"{file}: {problem}. Run `{manifest.COMMAND}` again: it makes only what is missing.")
        self._first = np.array([0, *itertools.accumulate(shard.records for shard in self.manifest.shards)])

    def close(self) -> None:
        """Close the files; reading opens them again."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return int(self._first[-1])

    def valid_indices(self, indices: np.ndarray) -> np.ndarray:
        """Return indices of records as int64, shape (n,).

        Raises
        ------
        IndexError
            An index is out of range.
        """
        indices = np.asarray(indices, np.int64).reshape(-1)
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise IndexError(f"record {indices.min()}…{indices.max()} of {len(self)}")
        return indices


def check_split(name: str) -> None:
    """Raise `ValueError` if the name is none of `SPLITS`."""
    if name not in SPLITS:
        raise ValueError(f"split: found {name!r}, valid are {', '.join(SPLITS)}")
