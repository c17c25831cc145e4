"""Mask files of survey maps: which pixels were observed."""

import functools
import math
from pathlib import Path

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers import npy
from tenfold.pipelines.readers.fits_files import MAGIC
from tenfold.pipelines.readers.fits_images import open_image
from tenfold.pipelines.readers.gzipped import content_head
from tenfold.pipelines.readers.volume import UnusableFileError

LARGEST_MASK = 2**30
"""Largest size of a mask file [bytes]."""
_ADVICE = "a mask is an NPY file or a FITS image of shape (Y, X), with True or 1 where a map is observed"


def read_mask(path: Path | str, threshold: float | None = None) -> np.ndarray:
    """Read a mask: True where maps are observed, shape (Y, X).

    Parameters
    ----------
    path
        NPY file of booleans or numbers, or FITS file with one image; (Y, X) is the shape of a map.
    threshold
        For masks of weights, such as apodised ones: pixels with a weight above it are observed. None: a mask of True
        and False, or of 1 and 0, is expected.

    Raises
    ------
    InputError
        The file cannot be read, has another shape, holds other values, or no pixel is observed.
    """
    path = Path(path)
    try:
        time = path.stat().st_mtime_ns
    except OSError as error:
        raise InputError(f"ingest.mask: {path} cannot be read ({error.strerror}); {_ADVICE}") from error
    return _read(path, threshold, time)


@functools.lru_cache(maxsize=4)
def _read(path: Path, threshold: float | None, time: int) -> np.ndarray:
    """Read a mask once for all files of maps; `time` distinguishes versions of the file."""
    try:
        values = _values(path)
    except (UnusableFileError, OSError) as error:
        raise InputError(f"ingest.mask: {error}; {_ADVICE}") from error
    if threshold is not None and values.dtype != bool:
        mask = values > threshold  # NaN is not above it
    else:
        other = values[(values != 0) & (values != 1)]
        if other.size:
            raise InputError(
                f"ingest.mask: {path} holds {other[0]:g} and {other.size - 1:,} more values that are neither 0 nor 1. "
                "If they are weights, state above which a pixel counts as observed: --set ingest.mask_threshold=…"
            )
        mask = values == 1
    if not mask.any():
        raise InputError(f"ingest.mask: {path} masks all {mask.size:,} pixels; {_ADVICE}")
    mask.setflags(write=False)
    return mask


def _values(path: Path) -> np.ndarray:
    head = content_head(path, len(MAGIC))
    if head == MAGIC:
        with open_image(path) as image:
            _check(image.shape, image.dtype, path)
            image.check_size()
            return image.read((slice(None), slice(None)))
    if not head.startswith(npy.MAGIC):
        raise UnusableFileError(path, "", "is neither an NPY file nor a FITS file")
    shape, dtype, start, fortran = npy.inspect_array(path)
    _check(shape, dtype, path)
    stored = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C")
    return np.array(stored, dtype=dtype.newbyteorder("="), order="C")


def _check(shape: tuple[int, ...], dtype: np.dtype, path: Path) -> None:
    """Check type and shape before memory is allocated."""
    if len(shape) != 2 or 0 in shape or dtype.kind not in "biuf":
        raise UnusableFileError(path, "", f"holds {dtype} of shape {shape}")
    if math.prod(shape) * dtype.itemsize > LARGEST_MASK:
        raise UnusableFileError(path, "", f"shape {shape} of {dtype} is larger than 1 GiB")
