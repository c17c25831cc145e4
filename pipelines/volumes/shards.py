"""Packed HDF5 shards: many equal records, random access by index, whole batches at once.

A folder holds ``manifest.json`` and ``shard_*.h5``. A shard has `records` (n, X, Y, Z, C), or (n, Y, X, C) of maps, one
chunk a record, and `crc32` (n,) of the records' bytes. Uncompressed records are read where they lie by ``preadv``, past
HDF5 and its lock.
"""

import bisect
import itertools
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
from tenfold.pipelines.storage.splits import Split
from tenfold.pipelines.volumes.manifest import Manifest

__all__ = ["Manifest", "Shards"]

_ALIGNMENT = 64


class Shards:
    """A folder of shards, opened for reading; pickled, it is opened again where it arrives.

    Every record's CRC32 is checked when it is first read after opening, and then trusted: checking costs more than
    reading from memory. Reading is safe from several threads.

    Example
    -------
    >>> from tenfold.pipelines import Shards
    >>> with Shards.open("data") as shards:
    ...     boxes = shards.read(shards.split("test"))
    >>> boxes.shape
    (4, 16, 16, 16, 1)
    """

    def __init__(self, path: Path | str, *, verify: bool = True):
        self.path = Path(path)
        self.manifest = Manifest.read(self.path / "manifest.json")
        for shard in self.manifest.shards:
            file = shard.path(self.path)
            size = file.stat().st_size if file.exists() else -1
            if size != shard.bytes:
                found = "is missing" if size < 0 else f"has {size:,} bytes, not {shard.bytes:,}: it was cut or changed"
                raise InputError(f"{file}: {found}. Run `tenfold ingest` again: it makes only what is not whole.")
        self._verify = verify
        self._dtype = np.dtype(self.manifest.dtype)
        self._bytes = math.prod(self.manifest.shape) * self._dtype.itemsize
        self._first = [0, *itertools.accumulate(shard.records for shard in self.manifest.shards)]
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
        return self._first[-1]

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
            Contiguous array (B, X, Y, Z, C) of the shards' dtype to read into. By default one is made, or one that
            nobody holds any more is used again; TensorFlow takes it without a copy.

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
            out = self._buffers.take(shape, self._dtype)
        elif out.shape != shape or out.dtype != self._dtype or not out.flags.c_contiguous:
            raise ValueError(f"out: found {out.dtype} {out.shape}, valid is contiguous {self._dtype} {shape}")
        rows = out.data.cast("B") if indices.size else memoryview(b"")
        for place, index in enumerate(indices.tolist()):
            shard, record = self._place(index)
            row = rows[place * self._bytes : (place + 1) * self._bytes]
            shard.read(record, row)
            if self._verify and not self._checked[index]:
                shard.check(record, row)
                self._checked[index] = True
        return out

    def _place(self, index: int) -> "tuple[_Shard, int]":
        number = bisect.bisect_right(self._first, index) - 1
        shard = self._opened.get(number)
        if shard is None:
            with self._lock:
                shard = self._opened.get(number) or self._open(number)
                self._opened[number] = shard
        return shard, index - self._first[number]

    def _open(self, number: int) -> "_Shard":
        entry = self.manifest.shards[number]
        return _Shard(entry.path(self.path), (entry.records, *self.manifest.shape), self._dtype)


def _reopen(cls: type[Shards], path: Path, verify: bool) -> Shards:
    return cls(path, verify=verify)


class _Buffers:
    """Memory of earlier batches that nobody holds any more: fresh pages cost as much time as reading into them.

    What is handed out is a view, which holds a reference to the memory it looks at; so does whatever is made of it,
    TensorFlow's tensors among them. Memory that only the list here refers to is free.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._kept: list[np.ndarray] = []

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array to be written, beginning on a multiple of 64 bytes: TensorFlow copies any other."""
        size = math.prod(shape) * dtype.itemsize
        with self._lock:
            free = [raw for raw, held in zip(self._kept, _references(self._kept), strict=True) if held == _UNHELD]
            raw = next((raw for raw in free if raw.size == size + _ALIGNMENT), None)
            if raw is None:
                self._kept = [raw for raw in self._kept if all(raw is not other for other in free)]
                raw = np.empty(size + _ALIGNMENT, np.uint8)
                self._kept.append(raw)
            start = -raw.ctypes.data % _ALIGNMENT
            return raw[start : start + size].view(dtype).reshape(shape)


def _references(arrays: list[np.ndarray]) -> list[int]:
    return [sys.getrefcount(array) for array in arrays]


_UNHELD = _references([np.empty(1)])[0]


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
                self.offset = [-1] * shape[0]

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
        while row:  # the system may read less than it is asked for
            got = os.preadv(self.descriptor, (row,), offset)
            if not got:
                raise self._damaged(record, "the file ends before it")
            offset, row = offset + got, row[got:]

    def check(self, record: int, row: memoryview) -> None:
        """Hold a record's bytes against its CRC32."""
        if zlib.crc32(row) != self.crc32[record]:
            raise self._damaged(record, "its CRC32 does not agree")

    def _damaged(self, record: int, reason: str) -> InputError:
        advice = "Remove the file and run `tenfold ingest` again: only this shard is made anew."
        return InputError(f"{self.path}: record {record} is damaged ({reason}). {advice}")
