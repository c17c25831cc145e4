"""HDF5 shards of molecules: ragged arrays with offsets, random access by index.

A folder holds ``manifest.json``, ``index.h5`` with the splits, and ``molecules_*.h5``. A shard has the arrays of
`tenfold.emulators.graphs.Graphs`, `targets` (n, T), `crc32` (n,) over both, and the origin of each row: SMILES,
InChIKeys, fingerprints, file and line. The arrays are memory-mapped, without HDF5 and its lock.
"""

from pathlib import Path
from typing import Self

import h5py
import numpy as np

from tenfold.emulators.graphs import Graphs
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.manifest import MoleculeManifest
from tenfold.pipelines.molecules.packing import checksums, read_texts
from tenfold.pipelines.storage.shard_reader import ShardReader, check_split
from tenfold.pipelines.storage.splits import SPLITS, Split

__all__ = ["MoleculeManifest", "MoleculeShards"]


class MoleculeShards(ShardReader[MoleculeManifest]):
    """Reader of a folder of molecules; unpickling opens the folder again.

    The CRC32 of a molecule is checked the first time it is read after opening.

    Example
    -------
    >>> from tenfold.pipelines import MoleculeShards
    >>> with MoleculeShards.open("molecules") as shards:
    ...     targets = shards.targets(shards.split("train"))
    >>> targets.shape[1]
    1
    """

    def __init__(self, path: Path | str):
        super().__init__(path, MoleculeManifest)
        self._opened: dict[int, _Shard] = {}
        self._checked = np.zeros(len(self), bool)
        try:
            with h5py.File(self.path / "index.h5", "r") as index:
                self._split, self._similarity = index["split"][:], index["similarity"][:]
            if self._split.shape != (len(self),) or self._similarity.shape != (len(self),):
                raise ValueError(f"it is about {len(self._split):,} molecules, the shards hold {len(self):,}")
        except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(f"{self.path / 'index.h5'}: missing or damaged ({error}). Ingest again.") from error

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open the molecules of a folder.

        Raises
        ------
        InputError
            There is no manifest, it cannot be read, or a shard is missing or has another size.
        """
        return cls(path)

    def close(self) -> None:
        """Release the files; reading opens them again."""
        self._opened.clear()

    def __reduce__(self) -> tuple:
        return type(self), (self.path,)

    def split(self, name: Split) -> np.ndarray:
        """Return the indices of the molecules of a split, ascending, shape (n,), int64."""
        check_split(name)
        return np.flatnonzero(self._split == SPLITS.index(name)).astype(np.int64)

    def similarity(self, indices: np.ndarray) -> np.ndarray:
        """Return the Tanimoto similarity to the nearest training molecule, NaN for training molecules, shape (n,)."""
        return self._similarity[self.valid_indices(indices)]

    def graphs(self, indices: np.ndarray) -> Graphs:
        """Return molecules as graphs, in the order of the indices, repeated or not.

        Raises
        ------
        IndexError
            An index is out of range.
        InputError
            A molecule is damaged: the message names its shard and record.
        """
        return self._read(indices)[0]

    def targets(self, indices: np.ndarray) -> np.ndarray:
        """Return targets in the units of the manifest, NaN where missing, shape (n, T), float64; raises as `graphs`."""
        return self._read(indices)[1]

    def smiles(self, indices: np.ndarray) -> list[str]:
        """Return SMILES as the user gave them; canonical ones where only coordinates were given."""
        return self._texts(indices, "smiles")

    def inchikeys(self, indices: np.ndarray) -> list[str]:
        """Return InChIKeys; canonical SMILES where InChI fails."""
        return self._texts(indices, "keys")

    def keys(self, indices: np.ndarray) -> list[tuple[str, int]]:
        """Return the source file of each molecule, and the line where it begins, from 1."""
        indices = self.valid_indices(indices)
        keys = []
        for index, shard in zip(indices.tolist(), self._shard_of(indices).tolist(), strict=True):
            opened, record = self._open(shard), index - self._first[shard]
            keys.append((opened.texts("files")[opened.file[record]], int(opened.line[record])))
        return keys

    def _texts(self, indices: np.ndarray, name: str) -> list[str]:
        indices = self.valid_indices(indices)
        shards = self._shard_of(indices).tolist()
        return [
            self._open(shard).texts(name)[index - self._first[shard]]
            for index, shard in zip(indices.tolist(), shards, strict=True)
        ]

    def _shard_of(self, indices: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._first, indices, side="right") - 1

    def _open(self, shard: int) -> "_Shard":
        if shard not in self._opened:
            self._opened[shard] = _Shard(self.manifest.shards[shard].path(self.path))
        return self._opened[shard]

    def _read(self, indices: np.ndarray) -> tuple[Graphs, np.ndarray]:
        indices = self.valid_indices(indices)
        if not indices.size:
            layout = self.manifest.featuriser
            return layout.graphs([])[0], np.empty((0, len(self.manifest.targets)))
        of = self._shard_of(indices)
        parts, targets, positions = [], [], []
        for shard in np.unique(of).tolist():
            position = np.flatnonzero(of == shard)
            opened, within = self._open(shard), indices[position] - self._first[shard]
            graphs, values = opened.graphs.take(within), opened.targets[within]
            new = ~self._checked[indices[position]]
            if new.any():
                wrong = checksums(graphs.take(np.flatnonzero(new)), values[new]) != opened.crc32[within[new]]
                if wrong.any():
                    record = within[new][wrong][0]
                    advice = "Remove the file and ingest again: only this shard is made."
                    raise InputError(f"{opened.path}: molecule {record} is damaged (CRC32). {advice}")
                self._checked[indices[position]] = True
            parts.append(graphs)
            targets.append(values)
            positions.append(position)
        if len(parts) == 1:
            return parts[0], targets[0]
        back = np.argsort(np.concatenate(positions))
        return Graphs.join(parts).take(back), np.concatenate(targets)[back]


class _Shard:
    """One open shard, its arrays memory-mapped."""

    def __init__(self, path: Path):
        self.path = path
        self._texts: dict[str, list[str]] = {}
        try:
            with h5py.File(path, "r") as file:
                names = ("atoms", "atom_offsets", "bonds", "bond_features", "bond_offsets")
                arrays = [_mapped(path, file[name]) for name in names]
                positions = _mapped(path, file["positions"]) if "positions" in file else None
                self.graphs = Graphs(**dict(zip(names, arrays, strict=True)), positions=positions)
                self.targets = _mapped(path, file["targets"])
                self.crc32, self.file, self.line = file["crc32"][:], file["file"][:], file["line"][:]
        except (OSError, KeyError, RuntimeError, ValueError) as error:
            raise InputError(f"{path}: the shard is damaged ({error}). Remove it and ingest again.") from error

    def texts(self, name: str) -> list[str]:
        """Return the texts of all records, read at the first call."""
        if name not in self._texts:
            with h5py.File(self.path, "r") as file:
                self._texts[name] = read_texts(file, name)
        return self._texts[name]


def _mapped(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    offset = dataset.id.get_offset()
    if offset is None:  # empty: nothing was written
        return np.empty(dataset.shape, dataset.dtype)
    return np.asarray(np.memmap(path, dtype=dataset.dtype, mode="r", offset=offset, shape=dataset.shape))
