"""HDF5 shards of volumes or maps: records of equal shape, random access by index, read in whole batches.

A folder holds ``manifest.json`` and ``shard_*.h5``. A shard has `records` (n, X, Y, Z, C), or (n, Y, X, C) of maps, one
chunk per record, and `crc32` (n,) of the records' bytes. Uncompressed records are read by ``preadv`` directly from the
file, without HDF5 and its lock.
"""

import bisect
import math
import os
import sys
import threading
import zlib
from pathlib import Path
from typing import Self

import h5py
import hdf5plugin  # noqa: F401  (registers Blosc)
import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.shard_reader import ShardReader, check_split
from tenfold.pipelines.storage.splits import Split
from tenfold.pipelines.volumes.manifest import Manifest

__all__ = ["Manifest", "Shards"]

_ALIGNMENT = 64


class Shards(ShardReader[Manifest]):
    """Reader of a folder of shards; unpickling opens the folder again.

    The CRC32 of a record is checked the first time it is read after opening, and not again, since the check costs more
    than reading from memory. Reading is thread-safe.

    Example
    -------
    >>> from tenfold.pipelines import Shards
    >>> with Shards.open("data") as shards:
    ...     boxes = shards.read(shards.split("test"))
    >>> boxes.shape
    (3, 16, 16, 16, 1)
    """

    def __init__(self, path: Path | str, *, verify: bool = True):
        super().__init__(path, Manifest)
        self._verify = verify
        self._dtype = np.dtype(self.manifest.dtype)
        self._bytes = math.prod(self.manifest.shape) * self._dtype.itemsize
        self._starts: list[int] = self._first.tolist()  # bisecting a list is faster
        self._opened: dict[int, _Shard] = {}
        self._lock = threading.Lock()
        self._buffers = _Buffers()
        self._checked = np.zeros(len(self), bool)
        entries = self.manifest.simulations
        self._entry = np.repeat(np.arange(len(entries)), [entry.records for entry in entries])
        self._parameters = np.array(
            [[entry.parameters[name] for name in self.manifest.parameter_names] for entry in entries], np.float64
        ).reshape(len(entries), -1)

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
            There is no manifest, it cannot be read, or a shard is missing or has another size.
        """
        return cls(path, verify=verify)

    def close(self) -> None:
        """Close the files; reading opens them again."""
        for shard in self._opened.values():
            shard.close()
        self._opened.clear()

    def __del__(self) -> None:
        if "_opened" in self.__dict__:
            self.close()

    def __reduce__(self) -> tuple:
        return _reopen, (type(self), self.path, self._verify)

    @property
    def mask(self) -> np.ndarray | None:
        """Mask of all maps: True where they are observed, shape (Y, X); None if all pixels are."""
        return None if self.manifest.mask is None else self.manifest.mask.array

    def split(self, name: Split) -> np.ndarray:
        """Return the indices of the records of a split, ascending, shape (n,), int64."""
        check_split(name)
        chosen = np.array([entry.split == name for entry in self.manifest.simulations], bool)
        return np.flatnonzero(chosen[self._entry]).astype(np.int64)

    def parameters(self, indices: np.ndarray) -> np.ndarray:
        """Return the parameters of records, physical units, shape (B, P), ordered as ``manifest.parameter_names``."""
        return self._parameters[self._entry[indices]]

    def simulation(self, indices: np.ndarray) -> np.ndarray:
        """Return the name of the simulation of each record, shape (B,), str."""
        names = np.array([entry.simulation for entry in self.manifest.simulations])
        return names[self._entry[indices]]

    def read(self, indices: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Read records, in the order of the indices.

        Parameters
        ----------
        indices
            Shape (B,); any order, repeated or not.
        out
            Contiguous array (B, X, Y, Z, C) of the shards' dtype to read into. By default one is allocated, or reused
            once nothing refers to it any more; TensorFlow takes it without a copy.

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
        indices = self.valid_indices(indices)
        shape = (len(indices), *self.manifest.shape)
        if out is None:
            out = self._buffers.take(shape, self._dtype)
        elif out.shape != shape or out.dtype != self._dtype or not out.flags.c_contiguous:
            raise ValueError(f"out: found {out.dtype} {out.shape}, valid is contiguous {self._dtype} {shape}")
        rows = out.data.cast("B") if indices.size else memoryview(b"")
        for position, index in enumerate(indices.tolist()):
            shard, record = self._locate(index)
            row = rows[position * self._bytes : (position + 1) * self._bytes]
            shard.read(record, row)
            if self._verify and not self._checked[index]:
                shard.check(record, row)
                self._checked[index] = True
        return out

    def _locate(self, index: int) -> "tuple[_Shard, int]":
        number = bisect.bisect_right(self._starts, index) - 1
        shard = self._opened.get(number)
        if shard is None:
            with self._lock:
                shard = self._opened.get(number) or self._open(number)
                self._opened[number] = shard
        return shard, index - self._starts[number]

    def _open(self, number: int) -> "_Shard":
        entry = self.manifest.shards[number]
        return _Shard(entry.path(self.path), (entry.records, *self.manifest.shape), self._dtype)


def _reopen(cls: type[Shards], path: Path, verify: bool) -> Shards:
    return cls(path, verify=verify)


class _Buffers:
    """Pool of buffers of earlier batches: touching fresh pages costs as much time as reading into them.

    Callers get views, which keep a reference to the buffer, as does everything made of a view, TensorFlow's tensors
    among them. A buffer that only the pool refers to is free.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._pool: list[np.ndarray] = []

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an array to write to, aligned to 64 bytes: TensorFlow copies any other."""
        size = math.prod(shape) * dtype.itemsize
        with self._lock:
            free = [raw for raw, count in zip(self._pool, _references(self._pool), strict=True) if count == _UNUSED]
            raw = next((raw for raw in free if raw.size == size + _ALIGNMENT), None)
            if raw is None:
                self._pool = [raw for raw in self._pool if all(raw is not other for other in free)]
                raw = np.empty(size + _ALIGNMENT, np.uint8)
                self._pool.append(raw)
            start = -raw.ctypes.data % _ALIGNMENT
            return raw[start : start + size].view(dtype).reshape(shape)


def _references(arrays: list[np.ndarray]) -> list[int]:
    return [sys.getrefcount(array) for array in arrays]


_UNUSED = _references([np.empty(1)])[0]


class _Shard:
    """One open shard: the offsets and the checksums of its records."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype):
        self.path = path
        try:
            with h5py.File(path, "r") as file:
                records = file["records"]
                self.crc32 = file["crc32"][:]
                if records.shape != shape or records.dtype != dtype or self.crc32.shape != shape[:1]:
                    raise InputError(
                        f"{path}: holds {records.dtype} {records.shape}, the manifest states {dtype} {shape}"
                    )
                self.compressed = records.id.get_create_plist().get_nfilters() > 0
                self.offset = [-1] * shape[0]

                def note_offset(chunk: h5py.h5d.StoreInfo) -> None:
                    self.offset[chunk.chunk_offset[0]] = chunk.byte_offset

                records.id.chunk_iter(note_offset)
        except (OSError, KeyError, RuntimeError) as error:
            raise InputError(f"{path}: the shard is damaged ({error}). Remove it and ingest again.") from error
        self.descriptor = os.open(path, os.O_RDONLY)
        self.file = h5py.File(path, "r") if self.compressed else None

    def close(self) -> None:
        os.close(self.descriptor)
        if self.file is not None:
            self.file.close()

    def read(self, record: int, row: memoryview) -> None:
        """Read a record into a row of bytes."""
        if self.file is not None:
            dataset = self.file["records"]
            try:
                dataset.read_direct(np.frombuffer(row, dataset.dtype).reshape(dataset.shape[1:]), np.s_[record])
            except OSError as error:
                raise self._damaged(record, f"it cannot be unpacked, {error}") from error
            return
        offset = self.offset[record]
        while row:  # the system may read fewer bytes than requested
            count = os.preadv(self.descriptor, (row,), offset)
            if not count:
                raise self._damaged(record, "the file ends before it")
            offset, row = offset + count, row[count:]

    def check(self, record: int, row: memoryview) -> None:
        """Check a record's bytes against its CRC32."""
        if zlib.crc32(row) != self.crc32[record]:
            raise self._damaged(record, "its CRC32 does not match")

    def _damaged(self, record: int, reason: str) -> InputError:
        advice = "Remove the file and run `tenfold ingest` again: it makes only this shard."
        return InputError(f"{self.path}: record {record} is damaged ({reason}). {advice}")
