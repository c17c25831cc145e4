"""Packed HDF5 shards: many equal records, random access by index, whole batches at once.

A folder holds ``manifest.json`` and ``shard_*.h5``. A shard has `records` (n, X, Y, Z, C), one chunk a record, and
`crc32` (n,) of the records' bytes. Uncompressed records are read where they lie by ``preadv``, past HDF5 and its lock.
"""

import os
import threading
import zlib
from pathlib import Path
from typing import Self

import h5py
import hdf5plugin  # noqa: F401  (registers Blosc)
import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.manifest import Manifest
from tenfold.pipelines.splits import Split

__all__ = ["Manifest", "Shards"]

_ALIGNMENT = 64
_MOST_BUFFERS = 512


class Shards:
    """A folder of shards, opened for reading; pickled, it is opened again where it arrives.

    Every record's CRC32 is checked when it is first read after opening, and then trusted: checking costs more than
    reading from memory. Reading is safe from several threads.
    """

    def __init__(self, path: Path | str, *, verify: bool = True):
        self.path = Path(path)
        self.manifest = Manifest.read(self.path / "manifest.json")
        self._verify = verify
        self._record = np.dtype(self.manifest.dtype)
        self._bytes = int(np.prod(self.manifest.shape)) * self._record.itemsize
        counts = [shard.records for shard in self.manifest.shards]
        self._first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._opened: dict[int, _Shard] = {}
        self._lock = threading.Lock()
        self._checked = np.zeros(len(self), bool)
        entries = self.manifest.simulations
        self._entry = np.repeat(np.arange(len(entries)), [entry.records for entry in entries])
        self._parameters = np.array(
            [[entry.parameters[name] for name in self.manifest.parameter_names] for entry in entries], np.float64
        ).reshape(len(entries), -1)
        for shard in self.manifest.shards:
            file = self.path / shard.file
            size = file.stat().st_size if file.exists() else -1
            if size != shard.bytes:
                found = "is missing" if size < 0 else f"has {size:,} bytes, not {shard.bytes:,}: it was cut or changed"
                raise InputError(f"{file}: {found}. Run `tenfold ingest` again: it makes only what is not whole.")

    @classmethod
    def open(cls, path: Path | str, *, verify: bool = True) -> Self:
        """Open the shards of a folder.

        Parameters
        ----------
        path
            Folder with ``manifest.json``.
        verify
            Check each record's CRC32 when it is first read.

        Raises
        ------
        InputError
            There is no manifest, it cannot be read, or a shard is missing or not as long as it was.
        """
        return cls(path, verify=verify)

    def close(self) -> None:
        """Close the files; reading opens them again."""
        for shard in self._opened.values():
            shard.close()
        self._opened.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if "_opened" in self.__dict__:
            self.close()

    def __reduce__(self) -> tuple:
        return _reopen, (type(self), self.path, self._verify)

    def __len__(self) -> int:
        return int(self._first[-1])

    def split(self, name: Split) -> np.ndarray:
        """Indices of the records of one split, ascending, shape (n,), int64."""
        if name not in ("train", "validation", "test"):
            raise ValueError(f"split: found {name!r}, valid are train, validation, test")
        chosen = np.array([entry.split == name for entry in self.manifest.simulations], bool)
        return np.flatnonzero(chosen[self._entry]).astype(np.int64)

    def parameters(self, indices: np.ndarray) -> np.ndarray:
        """Parameters of records, physical units, shape (B, P), in the order of ``manifest.parameter_names``."""
        return self._parameters[self._entry[indices]]

    def simulation(self, indices: np.ndarray) -> np.ndarray:
        """Simulation of each record, shape (B,), str."""
        names = np.array([entry.simulation for entry in self.manifest.simulations])
        return names[self._entry[indices]]

    def read(self, indices: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Records, in the order asked for.

        Parameters
        ----------
        indices
            Shape (B,); any order, repeated or not.
        out
            Contiguous array (B, X, Y, Z, C) of the shards' dtype to read into; a new one by default, laid out so that
            TensorFlow takes it without a copy.

        Returns
        -------
        np.ndarray
            Shape (B, X, Y, Z, C), native dtype.

        Raises
        ------
        IndexError
            An index is out of range.
        InputError
            A shard is damaged: the message names it and the record.
        """
        indices = np.asarray(indices, np.int64).reshape(-1)
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise IndexError(f"record {indices.min()}…{indices.max()} of {len(self)}")
        shape = (len(indices), *self.manifest.shape)
        if out is None:
            out = _aligned(shape, self._record)
        elif out.shape != shape or out.dtype != self._record or not out.flags.c_contiguous:
            raise ValueError(f"out: found {out.dtype} {out.shape}, valid is contiguous {self._record} {shape}")
        if not self._bytes or not indices.size:
            return out
        buffers = out.reshape(len(indices), -1).view(np.uint8)
        number = np.searchsorted(self._first, indices, side="right") - 1
        for shard in np.unique(number):
            places = np.flatnonzero(number == shard)
            self._shard(int(shard)).read(indices[places] - self._first[shard], buffers, places)
        if self._verify:
            self._check(indices, number, buffers)
        return out

    def _check(self, indices: np.ndarray, number: np.ndarray, buffers: np.ndarray) -> None:
        for place in np.flatnonzero(~self._checked[indices]):
            index, shard = int(indices[place]), int(number[place])
            record = index - int(self._first[shard])
            if zlib.crc32(buffers[place]) != self._shard(shard).crc32[record]:
                file = self.path / self.manifest.shards[shard].file
                advice = "Remove it and run `tenfold ingest` again: only this shard is made anew."
                raise InputError(f"{file}: record {record} is damaged (its CRC32 does not agree). {advice}")
            self._checked[index] = True

    def _shard(self, number: int) -> "_Shard":
        with self._lock:
            if number not in self._opened:
                shape = (self.manifest.shards[number].records, *self.manifest.shape)
                file = self.path / self.manifest.shards[number].file
                self._opened[number] = _Shard(file, shape, self._record)
            return self._opened[number]


def _reopen(cls: type[Shards], path: Path, verify: bool) -> Shards:
    return cls(path, verify=verify)


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An empty array that begins on a multiple of 64 bytes: TensorFlow copies any other."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.empty(size + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


class _Shard:
    """One open file: where its records lie, and what their checksums are."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype):
        self.path = path
        try:
            with h5py.File(path, "r") as file:
                records = file["records"]
                self.crc32 = file["crc32"][:]
                if records.shape != shape or records.dtype != dtype or self.crc32.shape != shape[:1]:
                    raise InputError(
                        f"{path}: holds {records.dtype} {records.shape}, the manifest says {dtype} {shape}"
                    )
                self.compressed = records.id.get_create_plist().get_nfilters() > 0
                self.offset = np.full(shape[0], -1, np.int64)

                def place(chunk: h5py.h5d.StoreInfo) -> None:
                    self.offset[chunk.chunk_offset[0]] = chunk.byte_offset

                records.id.chunk_iter(place)
        except (OSError, KeyError, RuntimeError) as error:
            raise InputError(f"{path}: the shard is damaged ({error}). Remove it and ingest again.") from error
        self.descriptor = os.open(path, os.O_RDONLY)
        self.file = h5py.File(path, "r") if self.compressed else None

    def close(self) -> None:
        os.close(self.descriptor)
        if self.file is not None:
            self.file.close()

    def read(self, records: np.ndarray, buffers: np.ndarray, places: np.ndarray) -> None:
        """Read records into the rows of `buffers` (B, bytes) that `places` names."""
        if self.file is not None:
            dataset = self.file["records"]
            for record, place in zip(records, places, strict=True):
                one = buffers[place].view(dataset.dtype).reshape(dataset.shape[1:])
                try:
                    dataset.read_direct(one, np.s_[record])
                except OSError as error:
                    found = f"record {record} cannot be unpacked ({error})"
                    raise InputError(f"{self.path}: {found}. Remove it and ingest again.") from error
            return
        size = buffers.shape[1]
        offsets = self.offset[records]
        order = np.argsort(offsets, kind="stable")
        runs = np.flatnonzero(np.diff(offsets[order]) != size) + 1
        for run in np.split(order, runs):
            for start in range(0, len(run), _MOST_BUFFERS):
                part = run[start : start + _MOST_BUFFERS]
                self._fill([buffers[places[n]] for n in part], int(offsets[part[0]]))

    def _fill(self, rows: list[np.ndarray], offset: int) -> None:
        """Read one stretch of the file into rows, going on where the system reads less than was asked for."""
        waiting = [memoryview(row) for row in rows]
        while waiting:
            got = os.preadv(self.descriptor, waiting, offset)
            if got == 0:
                raise InputError(f"{self.path}: ends before byte {offset:,}. Remove it and ingest again.")
            offset += got
            while waiting and got >= len(waiting[0]):
                got -= len(waiting.pop(0))
            if got:
                waiting[0] = waiting[0][got:]
