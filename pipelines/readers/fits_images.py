"""Images in FITS files: selection of one image, its header, and its scaled pixels."""

import contextlib
import functools
import math
import mmap
import os
import warnings
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.readers.fits_files import FitsFile, open_fits
from tenfold.pipelines.readers.volume import UnusableFileError

_BLOCK_BYTES = 2880
_TYPE_BY_BITPIX = {8: "u1", 16: "i2", 32: "i4", 64: "i8", -32: "f4", -64: "f8"}
_OPPOSITE_SIGN_ZERO = {8: -(2**7), 16: 2**15, 32: 2**31, 64: 2**63}
"""BZERO by BITPIX, with BSCALE 1, of integers of opposite signedness (FITS standard 4.0, table 11)."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image of a FITS file. Its pixels can be read while the file is open."""

    name: str
    """EXTNAME, or the number of the HDU."""
    primary: bool
    """Whether it is the image of the primary HDU."""
    header: Mapping[str, Any]
    """Header of its HDU, then that of the primary HDU."""
    unit: str | None
    """BUNIT or UNIT of its HDU, or of a primary HDU without an image; None if both are absent."""
    shape: tuple[int, ...]
    """Slowest axis first: (NAXISn, …, NAXIS1)."""
    dtype: np.dtype
    """Type of the pixels after BSCALE and BZERO, native byte order."""
    blank: float | None
    """Value of undefined pixels after BSCALE and BZERO, if the header defines BLANK."""
    check_size: Callable[[], None] = field(repr=False)
    """Check that the file is large enough for its image; raises `UnusableFileError`."""
    read: Callable[[tuple[int | slice, ...]], np.ndarray] = field(repr=False)
    """``read(index)``: part of the image after BSCALE and BZERO, native byte order."""


@contextlib.contextmanager
def open_image(path: Path, key: str = "", largest_gib: float = 16.0) -> Iterator[Image]:
    """Open an image of a FITS file: the one selected by `key`, or the only one.

    Tile-compressed images are decompressed tile by tile. Pixels are BZERO + BSCALE × the stored value (FITS standard
    4.0, §5.3): exact for unsigned integers, otherwise in single precision if that distinguishes all stored values, and
    in double precision if not.

    Parameters
    ----------
    path
        FITS file; it may be compressed by gzip.
    key
        EXTNAME, EXTNAME,EXTVER or the number of the HDU; the primary HDU is 0.
    largest_gib
        Largest size of the unpacked file, if it is compressed [GiB].

    Raises
    ------
    UnusableFileError
        The file is damaged or truncated, contains no image of two or more axes, or several images match.
    """
    with open_fits(path, largest_gib) as opened:
        with warnings.catch_warnings():  # astropy warns about properties that are checked here
            warnings.simplefilter("ignore")
            number, hdu = _select(opened.hdus, key, path)
        yield _image(path, opened, number, hdu)


def _select(hdus: Any, key: str, path: Path) -> tuple[int, Any]:
    numbered = list(enumerate(hdus))
    images = [(n, hdu) for n, hdu in numbered if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]
    listed = "; ".join(_describe(n, hdu) for n, hdu in images[:12])
    if not images:
        raise UnusableFileError(path, "", _explain_missing_image(numbered))
    if not key:
        if len(images) > 1:
            reason = f"{len(images)} images: {listed}. Select one with --set ingest.key=NAME or its number"
            raise UnusableFileError(path, "", reason)
        return images[0]
    name, comma, version = (part.strip() for part in key.partition(","))
    matches = [
        (n, hdu) for n, hdu in images if hdu.name.upper() == name.upper() and (not comma or str(hdu.ver) == version)
    ]
    matches = matches or [(n, hdu) for n, hdu in images if str(n) == key.strip()]
    if len(matches) != 1:
        problem = f"{len(matches)} images have this name" if matches else "no image has this name or number"
        raise UnusableFileError(
            path, key, f"{problem}; the images are {listed}. --set ingest.key=NAME,EXTVER or a number"
        )
    return matches[0]


def _describe(number: int, hdu: Any) -> str:
    shape = tuple(hdu.header[f"NAXIS{axis}"] for axis in range(hdu.header["NAXIS"], 0, -1))
    unit = str(hdu.header.get("BUNIT", "")).strip()
    return f"{number} {hdu.name or '(no name)'} {shape}{f' [{unit}]' if unit else ''}"


def _explain_missing_image(hdus: list[tuple[int, Any]]) -> str:
    """Return why a file without images is not read."""
    names = ", ".join(hdu.name or str(n) for n, hdu in hdus if hdu.header.get("XTENSION"))
    return f"contains no image of two or more axes{f'; it contains the tables {names}' if names else ''}"


def _image(path: Path, opened: FitsFile, number: int, hdu: Any) -> Image:
    header, file_bytes = hdu.header, os.fstat(opened.content.fileno()).st_size
    bits, axes = header["BITPIX"], header["NAXIS"]
    if bits not in _TYPE_BY_BITPIX:
        raise UnusableFileError(path, "BITPIX", f"found {bits}, valid are {', '.join(map(str, _TYPE_BY_BITPIX))}")
    shape = tuple(int(header[f"NAXIS{axis}"]) for axis in range(axes, 0, -1))
    stored = np.dtype(f">{_TYPE_BY_BITPIX[bits]}")
    dtype, scaled = _scaling(header, path)
    compressed = hdu.__class__.__name__ == "CompImageHDU"
    blank = header.get("BLANK") if bits > 0 else None
    if blank is not None and (isinstance(blank, bool) or not isinstance(blank, int)):
        raise UnusableFileError(path, "BLANK", f"contains {blank!r}; expected an integer")
    if blank is not None:
        limits = np.iinfo(stored)
        inside = limits.min <= blank <= limits.max
        blank = float(scaled(np.array([blank], stored))[0]) if inside else None  # outside the range of the pixels

    def check_size() -> None:
        if compressed:
            _check_tiles(path, file_bytes, hdu, shape)
            return
        available, required = file_bytes - hdu.fileinfo()["datLoc"], math.prod(shape) * stored.itemsize
        if available < required:
            reason = f"shape {shape} requires {required:,} bytes, but the file contains {max(available, 0):,}"
            raise UnusableFileError(path, "image", reason)

    def read(index: tuple[int | slice, ...]) -> np.ndarray:
        if compressed:
            return scaled(np.asarray(hdu.section[index]))
        return scaled(np.asarray(memory_map()[index]))

    @functools.cache
    def memory_map() -> np.ndarray:
        mapped = mmap.mmap(opened.content.fileno(), 0, access=mmap.ACCESS_READ)
        return np.ndarray(shape, stored, buffer=mapped, offset=hdu.fileinfo()["datLoc"])

    primary = opened.hdus[0].header
    unit_headers = (header,) if primary["NAXIS"] else (header, primary)
    unit = next(
        (str(cards[name]).strip() for cards in unit_headers for name in ("BUNIT", "UNIT") if name in cards), None
    )
    return Image(
        name=hdu.name or str(number), primary=number == 0, header=ChainMap(header, primary), unit=unit, shape=shape,
        dtype=dtype, blank=blank, check_size=check_size, read=read,
    )  # fmt: skip


def _check_tiles(path: Path, file_bytes: int, hdu: Any, shape: tuple[int, ...]) -> None:
    """Check, before any decompression, that no tile exceeds the image and that the file contains all its tiles."""
    tile = tuple(map(int, getattr(hdu, "tile_shape", shape)))
    if len(tile) != len(shape) or any(not 0 < part <= max(side, 1) for part, side in zip(tile, shape, strict=True)):
        raise UnusableFileError(path, "ZTILE", f"tiles of {tile} for an image of shape {shape}")
    location = hdu.fileinfo()
    available, required = file_bytes - location["datLoc"], location["datSpan"]
    if available <= required - _BLOCK_BYTES:  # the last block may lack its padding
        raise UnusableFileError(
            path, "image", f"its tiles take {required:,} bytes, but the file contains {max(available, 0):,}"
        )


def _scaling(header: Any, path: Path) -> tuple[np.dtype, Callable[[np.ndarray], np.ndarray]]:
    """Return the type of the pixels, and the function from stored to physical values."""
    bits = header["BITPIX"]
    stored = np.dtype(_TYPE_BY_BITPIX[bits])
    scale, zero = (header.get(name, default) for name, default in (("BSCALE", 1), ("BZERO", 0)))
    for name, value in (("BSCALE", scale), ("BZERO", zero)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise UnusableFileError(path, name, f"contains {value!r}; expected a number")
    if not scale:
        raise UnusableFileError(path, "BSCALE", "is 0: all pixels would have the same value")
    if scale == 1 and zero == 0:
        return stored, lambda raw: raw.astype(stored, copy=False)
    if scale == 1 and bits > 0 and zero == _OPPOSITE_SIGN_ZERO[bits]:
        other = np.dtype(f"{'i' if stored.kind == 'u' else 'u'}{stored.itemsize}")
        sign = np.array(1 << (bits - 1), f"u{stored.itemsize}")
        return other, lambda raw: (raw.astype(stored).view(sign.dtype) ^ sign).view(other)
    # maximum absolute value in units of the step between stored integers
    max_steps = abs(zero) / abs(scale) + 2.0 ** (bits - 1)
    dtype = np.dtype("f4" if bits == -32 or (bits > 0 and max_steps < 2**24) else "f8")
    return dtype, lambda raw: (raw.astype(np.float64) * scale + zero).astype(dtype)
