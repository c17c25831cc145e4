"""NPY files: one volume (N, N, N) or (N, N, N, C), with parameters from a table."""

import mmap
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.readers.cmd_names import parse_file_name
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array

MAGIC = b"\x93NUMPY"

_CHUNK_BYTES = 2**26
"""Bytes of a memory-mapped file that are in memory at a time."""


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the volume of a file, memory-mapped. Pickled objects are refused, and its parameters must be stated.

    Raises
    ------
    UnusableFileError
        The header is damaged, the shape is not that of a volume or disagrees with the size of the file, or the
        parameters are not stated.
    """
    array = memory_map(path, stated)
    if not stated.parameters:
        raise UnusableFileError(
            path, "", "no cosmological parameters: an NPY file needs a row in a table, --set ingest.table=FILE"
        )
    yield volume_of(array, stated, path)


def memory_map(path: Path, stated: StatedMetadata) -> np.ndarray:
    """Return the array of a file as a volume (N, N, N, C), memory-mapped.

    Raises
    ------
    UnusableFileError
        As for `read_volumes`.
    """
    shape, dtype, start, fortran = read_header(path)
    name = parse_file_name(path)
    if name is not None and name.kind == "Maps":
        reason = "maps of the CAMELS Multifield Dataset: ingest them with `tenfold ingest massmaps`"
        raise UnusableFileError(path, "", reason)
    volume_shape: Any = shape if len(shape) == 4 else (*shape, 1)
    check_array(volume_shape, dtype, stated.largest_gib, path, "")
    _check_size(path, shape, dtype, start)
    return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=volume_shape, order="F" if fortran else "C")


def volume_of(array: np.ndarray, stated: StatedMetadata, path: Path, key: str = "") -> Volume:
    """Return an array (N, N, N, C) as a volume with the stated metadata.

    Raises
    ------
    UnusableFileError
        The number of stated redshifts is not that of the channels.
    """
    if stated.redshifts and len(stated.redshifts) != array.shape[3]:
        raise UnusableFileError(path, key, f"{len(stated.redshifts)} redshifts stated for {array.shape[3]} channels")
    native = array.dtype.newbyteorder("=")

    def read(start: int, stop: int) -> np.ndarray:
        values = np.empty((stop - start, *array.shape[1:]), native)
        planes = max(1, _CHUNK_BYTES // values[0].nbytes) if array.flags.c_contiguous else stop - start
        for first in range(start, stop, planes):
            last = min(first + planes, stop)
            values[first - start : last - start] = array[first:last]
            _release(array)
        return values

    return Volume.from_stated(stated, path, key, shape=array.shape, dtype=native, read=read)


def _release(array: np.ndarray) -> None:
    """Unmap the pages of a memory-mapped file that have been read: they count as memory of this process."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


def inspect_array(path: Path) -> tuple[tuple[int, ...], np.dtype, int, bool]:
    """Return shape, type, offset of the first value [bytes] and whether the order is Fortran's.

    Raises
    ------
    UnusableFileError
        The header is damaged, or its shape disagrees with the size of the file.
    """
    shape, dtype, start, fortran = read_header(path)
    _check_size(path, shape, dtype, start)
    return shape, dtype, start, fortran


def read_header(path: Path) -> tuple[tuple[int, ...], np.dtype, int, bool]:
    """Return the same as `inspect_array`, without a comparison with the size of the file."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = header(file)
            return shape, dtype, file.tell(), fortran
    except (OSError, ValueError, SyntaxError, TypeError, tokenize.TokenError) as error:
        raise UnusableFileError(path, "", f"not a complete NPY file ({error})") from error


def _check_size(path: Path, shape: tuple[int, ...], dtype: np.dtype, start: int) -> None:
    available, required = path.stat().st_size - start, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if available != required:
        raise UnusableFileError(
            path, "", f"shape {shape} requires {required:,} bytes, but the file contains {available:,}"
        )
