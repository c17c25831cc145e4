"""Packed HDF5 shards of molecules: ragged arrays with offsets, random access by index.

A folder holds ``manifest.json``, ``index.h5`` with the splits, and ``molecules_*.h5``. A shard has the arrays of
`tenfold.emulators.graphs.Graphs`, `targets` (n, T), `crc32` (n,) over both, and what the rows were: SMILES, InChIKeys,
fingerprints, file and line. The arrays are mapped where they lie, past HDF5 and its lock.
"""

import itertools
from pathlib import Path
from typing import Self

import h5py
import numpy as np

from tenfold.emulators.graphs import Graphs
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.manifest import MoleculeManifest
from tenfold.pipelines.molecules.packing import checksums, read_texts
from tenfold.pipelines.storage.splits import SPLITS, Split

__all__ = ["MoleculeManifest", "MoleculeShards"]


class MoleculeShards:
    """A folder of molecules, opened for reading; pickled, it is opened again where it arrives.

    Every molecule's CRC32 is checked when it is first read after opening, and then trusted.

    Example
    -------
    >>> from tenfold.pipelines import MoleculeShards
    >>> with MoleculeShards.open("molecules") as shards:
    ...     targets = shards.targets(shards.split("train"))
    >>> targets.shape[1]
    1
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.manifest = MoleculeManifest.read(self.path / "manifest.json")
        for shard in self.manifest.shards:
            file = shard.path(self.path)
            size = file.stat().st_size if file.exists() else -1
            if size != shard.bytes:
                found = "is missing" if size < 0 else f"has {size:,} bytes, not {shard.bytes:,}: it was cut or changed"
                raise InputError(f"{file}: {found}. Ingest again: only what is not whole is made.")
        self._first = np.array([0, *itertools.accumulate(shard.records for shard in self.manifest.shards)])
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
            There is no manifest, it cannot be read, or a shard is missing or not as long as it was.
        """
        return cls(path)

    def close(self) -> None:
        """Let the files go; reading opens them again."""
        self._opened.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple:
        return type(self), (self.path,)

    def __len__(self) -> int:
        return int(self._first[-1])

    def split(self, name: Split) -> np.ndarray:
        """Indices of the molecules of one split, ascending, shape (n,), int64."""
        if name not in SPLITS:
            raise ValueError(f"split: found {name!r}, valid are {', '.join(SPLITS)}")
        return np.flatnonzero(self._split == SPLITS.index(name)).astype(np.int64)

    def similarity(self, indices: np.ndarray) -> np.ndarray:
        """Tanimoto of validation and test molecules to the nearest training molecule, NaN for others, shape (n,)."""
        return self._similarity[self._valid(indices)]

    def graphs(self, indices: np.ndarray) -> Graphs:
        """Molecules, in the order asked for, repeated or not.

        Raises
        ------
        IndexError
            An index is out of range.
        InputError
            A molecule is damaged: the message names its shard and place.
        """
        return self._read(indices)[0]

    def targets(self, indices: np.ndarray) -> np.ndarray:
        """Targets in the units of the manifest, NaN where missing, shape (n, T), float64; raises as `graphs`."""
        return self._read(indices)[1]

    def smiles(self, indices: np.ndarray) -> list[str]:
        """SMILES as the user gave them; canonical where only coordinates were given."""
        return self._texts(indices, "smiles")

    def inchikeys(self, indices: np.ndarray) -> list[str]:
        """InChIKeys; canonical SMILES where InChI has no answer."""
        return self._texts(indices, "keys")

    def keys(self, indices: np.ndarray) -> list[tuple[str, int]]:
        """Source file, and the line in it where the molecule begins, from 1."""
        indices = self._valid(indices)
        found = []
        for index, shard in zip(indices.tolist(), self._shard_of(indices).tolist(), strict=True):
            opened, place = self._open(shard), index - self._first[shard]
            found.append((opened.texts("files")[opened.file[place]], int(opened.line[place])))
        return found

    def _texts(self, indices: np.ndarray, name: str) -> list[str]:
        indices = self._valid(indices)
        shards = self._shard_of(indices).tolist()
        return [
            self._open(shard).texts(name)[index - self._first[shard]]
            for index, shard in zip(indices.tolist(), shards, strict=True)
        ]

    def _valid(self, indices: np.ndarray) -> np.ndarray:
        indices = np.asarray(indices, np.int64).reshape(-1)
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise IndexError(f"molecule {indices.min()}…{indices.max()} of {len(self)}")
        return indices

    def _shard_of(self, indices: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._first, indices, side="right") - 1

    def _open(self, shard: int) -> "_Shard":
        if shard not in self._opened:
            self._opened[shard] = _Shard(self.manifest.shards[shard].path(self.path))
        return self._opened[shard]

    def _read(self, indices: np.ndarray) -> tuple[Graphs, np.ndarray]:
        indices = self._valid(indices)
        if not indices.size:
            layout = self.manifest.featuriser
            return layout.graphs([])[0], np.empty((0, len(self.manifest.targets)))
        of = self._shard_of(indices)
        parts, targets, places = [], [], []
        for shard in np.unique(of).tolist():
            place = np.flatnonzero(of == shard)
            opened, within = self._open(shard), indices[place] - self._first[shard]
            graphs, values = opened.graphs.take(within), opened.targets[within]
            new = ~self._checked[indices[place]]
            if new.any():
                wrong = checksums(graphs.take(np.flatnonzero(new)), values[new]) != opened.crc32[within[new]]
                if wrong.any():
                    record = within[new][wrong][0]
                    advice = "Remove the file and ingest again: only this shard is made anew."
                    raise InputError(f"{opened.path}: molecule {record} is damaged (CRC32). {advice}")
                self._checked[indices[place]] = True
            parts.append(graphs)
            targets.append(values)
            places.append(place)
        if len(parts) == 1:
            return parts[0], targets[0]
        back = np.argsort(np.concatenate(places))
        return Graphs.join(parts).take(back), np.concatenate(targets)[back]


class _Shard:
    """One open file, its arrays mapped."""

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
        """Texts of all records, read when first asked for."""
        if name not in self._texts:
            with h5py.File(self.path, "r") as file:
                self._texts[name] = read_texts(file, name)
        return self._texts[name]


def _mapped(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    offset = dataset.id.get_offset()
    if offset is None:  # empty: nothing was written
        return np.empty(dataset.shape, dataset.dtype)
    return np.asarray(np.memmap(path, dtype=dataset.dtype, mode="r", offset=offset, shape=dataset.shape))
