"""Maps stored without their masked pixels: NPY files of the observed pixels alone, beside a mask.

The files of the FAIR Universe weak-lensing challenge (arXiv:2604.14451) are of this kind: values (…, P) for the P
pixels that are True in a mask (Y, X), in C order.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.masks import read_mask
from tenfold.pipelines.readers.npy import inspect_array
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array


def is_packed(path: Path, stated: StatedMetadata) -> bool:
    """Whether the last axis of an NPY file has one entry for each observed pixel of the stated mask."""
    if not stated.mask:
        return False
    mask = read_mask(stated.mask, stated.mask_threshold)
    shape, *_ = inspect_array(path)
    return bool(shape) and shape[-1] == np.count_nonzero(mask) and shape[-2:] != mask.shape


def leading_shape(path: Path) -> tuple[int, ...]:
    """Return the shape (…) of a file of packed maps (…, P), such as (cosmologies, realisations).

    Map i of `read_volumes` is at ``numpy.unravel_index(i, leading_shape(path))``.

    Raises
    ------
    UnusableFileError
        The file is not a complete NPY file.
    """
    shape, *_ = inspect_array(path)
    return shape[:-1]


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the maps (Y, X, 1) of a file of values (…, P), in C order, or the maps ``stated.part`` of them.

    Pixels outside the mask are 0. The file is memory-mapped.

    Raises
    ------
    InputError
        There is no mask, or it cannot be read.
    UnusableFileError
        The header is damaged, its shape disagrees with the mask or with the size of the file, or the parameters are not
        stated.
    """
    if not stated.mask:
        raise InputError("format: packed maps need the mask of their pixels, --set ingest.mask=FILE")
    mask = read_mask(stated.mask, stated.mask_threshold)
    observed = int(np.count_nonzero(mask))
    shape, dtype, start, fortran = inspect_array(path)
    if not shape or shape[-1] != observed:
        reason = f"shape {shape}, but the last axis must have one value for each of the {observed:,} observed pixels"
        raise UnusableFileError(path, "", f"{reason} of {stated.mask} (ingest.mask)")
    check_array((*mask.shape, 1), dtype, stated.largest_gib, path, "", 2)
    if not stated.parameters:
        raise UnusableFileError(path, "", "no cosmological parameters: --set ingest.table=FILE")
    if len(stated.redshifts) > 1:
        raise UnusableFileError(path, "", f"{len(stated.redshifts)} redshifts stated for maps of one channel")
    values = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C")
    native = dtype.newbyteorder("=")
    before = np.concatenate([[0], np.cumsum(np.count_nonzero(mask, axis=1))])  # observed pixels above each row
    first, last = stated.part or (0, math.prod(shape[:-1]))
    for n in range(first, last):
        place = np.unravel_index(n, shape[:-1]) if len(shape) > 1 else ()

        def read(begin: int, end: int, place: tuple = place) -> np.ndarray:
            rows = np.zeros((end - begin, mask.shape[1], 1), native)
            rows[mask[begin:end], 0] = values[(*place, slice(before[begin], before[end]))]
            return rows

        yield Volume.from_stated(stated, path, f"map {n}", shape=(*mask.shape, 1), dtype=native, read=read)
