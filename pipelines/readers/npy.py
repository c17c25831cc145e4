"""NPY files: one volume (N, N, N) or (N, N, N, C), with parameters from a table."""

import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.readers.cmd_names import parse_file_name
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array

MAGIC = b"\x93NUMPY"


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the volume of a file, memory-mapped. Pickled objects are refused, and its parameters must be stated.

    Raises
    ------
    UnusableFileError
        The header is damaged, the shape is not that of a volume or disagrees with the size of the file, or the
        parameters are not stated.
    """
    shape, dtype, start, fortran = _header(path)
    name = parse_file_name(path)
    if name is not None and len(shape) == 4:
        reason = (
            f"{name.kind} of the CAMELS Multifield Dataset, {shape[0]} simulations in one file: save each grid in a "
            "file of its own, with a row of parameters in a table, --set ingest.table=FILE"
        )
        if name.kind == "Maps":
            reason = "maps of the CAMELS Multifield Dataset: ingest them with `tenfold ingest massmaps`"
        raise UnusableFileError(path, "", reason)
    volume_shape: Any = shape if len(shape) == 4 else (*shape, 1)
    check_array(volume_shape, dtype, stated.largest_gib, path, "")
    _check_size(path, shape, dtype, start)
    if not stated.parameters:
        raise UnusableFileError(
            path, "", "no cosmological parameters: an NPY file needs a row in a table, --set ingest.table=FILE"
        )
    if stated.redshifts and len(stated.redshifts) != volume_shape[3]:
        raise UnusableFileError(path, "", f"{len(stated.redshifts)} redshifts stated for {volume_shape[3]} channels")
    array = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=volume_shape, order="F" if fortran else "C")
    native = dtype.newbyteorder("=")

    def read(start: int, stop: int) -> np.ndarray:
        return np.array(array[start:stop], dtype=native, order="C")

    yield Volume.from_stated(stated, path, "", shape=volume_shape, dtype=native, read=read)


def inspect_array(path: Path) -> tuple[tuple[int, ...], np.dtype, int, bool]:
    """Return shape, type, offset of the first value [bytes] and whether the order is Fortran's.

    Raises
    ------
    UnusableFileError
        The header is damaged, or its shape disagrees with the size of the file.
    """
    shape, dtype, start, fortran = _header(path)
    _check_size(path, shape, dtype, start)
    return shape, dtype, start, fortran


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype, int, bool]:
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
