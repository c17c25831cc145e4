"""HEALPix maps in FITS tables (arXiv:astro-ph/0409513): one column of a table, in RING or NESTED order.

Indexing is implicit (a row, or an element of a row, for each pixel) or explicit (a column PIXEL). Keywords are those of
the HEALPix software, healpy and the archives of Planck and WMAP.
"""

import math
import os
import warnings
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.readers.fits_files import FitsFile, open_fits
from tenfold.pipelines.readers.gzipped import content_head
from tenfold.pipelines.readers.volume import UnusableFileError

UNSEEN = -1.6375e30
"""Value of pixels without data."""
_LARGEST_NSIDE = 2**29
_CARD = 80


@dataclass(frozen=True, kw_only=True)
class HealpixMap:
    """A map on the sphere."""

    nside: int
    nested: bool
    """Whether pixels are in NESTED order; otherwise in RING order."""
    values: np.ndarray
    """Values, float32 or float64, shape (12 nside²,); masked pixels are NaN."""
    column: str
    unit: str | None
    """TUNIT of the column; None if there is none."""
    header: Mapping[str, Any] = field(repr=False)
    """Header of the table, then that of the primary HDU."""


def is_healpix(path: Path, largest_gib: float) -> bool:
    """Whether a FITS file contains no image in its primary HDU, and a table of HEALPix pixels.

    Raises
    ------
    UnusableFileError
        The file is damaged.
    """
    axes = content_head(path, 3 * _CARD)[2 * _CARD :]  # NAXIS is the third card of every FITS file
    if not axes.startswith(b"NAXIS") or axes.partition(b"=")[2].split(b"/")[0].strip() != b"0":
        return False
    with open_fits(path, largest_gib) as opened:
        return bool(_tables(opened))


def list_columns(path: Path, largest_gib: float) -> list[str]:
    """Return the names of the columns of numbers in the HEALPix tables of a FITS file.

    Raises
    ------
    UnusableFileError
        The file is damaged.
    """
    with open_fits(path, largest_gib) as opened:
        return [name for _, name in _columns(_tables(opened))]


def read_healpix(path: Path, column: str, largest_gib: float) -> HealpixMap:
    """Read one column of a HEALPix table: the one named `column`, or the only one.

    Parameters
    ----------
    path
        FITS file; it may be compressed by gzip.
    column
        Name of the column, upper or lower case; empty: the table must have only one.
    largest_gib
        Largest size of the map, and of the unpacked file [GiB].

    Raises
    ------
    UnusableFileError
        The file is damaged or truncated, the keywords contradict the table, the map is too large, or several columns
        match.
    """
    with open_fits(path, largest_gib) as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdu, name = _select(_tables(opened), column, path)
        header = ChainMap(hdu.header, opened.hdus[0].header)
        explicit = str(header.get("INDXSCHM", "")).strip().upper() == "EXPLICIT" or "PIXEL" in _names(hdu)
        form = hdu.columns[name]
        count = hdu.header["NAXIS2"] * math.prod(hdu.columns.dtype[name].shape)
        nside, nested = _nside(header, None if explicit else count, path), _is_nested(header, path)
        stored = hdu.columns.dtype[name].base
        single = stored.itemsize <= (4 if stored.kind == "f" else 2) and not (form.bscale or form.bzero)
        dtype = np.dtype(np.float32 if single else np.float64)
        gib = 12 * nside**2 * dtype.itemsize / 2**30
        if gib > largest_gib:
            reason = f"a map of nside {nside} takes {gib:,.1f} GiB, above the limit of {largest_gib:g} GiB"
            raise UnusableFileError(path, name, f"{reason} (ingest.largest_gib)")
        _check_size(opened, hdu, path)
        data = np.asarray(hdu.data.field(name)).reshape(-1)
        values = _masked(data, header, form.null, dtype)
        if explicit:
            values = _placed(values, hdu, nside, path)
        return HealpixMap(
            nside=nside, nested=nested, values=values, column=name, unit=_unit(form.unit), header=dict(header)
        )


def _tables(opened: FitsFile) -> list[Any]:
    return [hdu for hdu in opened.hdus if str(hdu.header.get("PIXTYPE", "")).strip().upper() == "HEALPIX"]


def _names(hdu: Any) -> list[str]:
    return [name.upper() for name in hdu.columns.names]


def _columns(tables: list[Any]) -> list[tuple[Any, str]]:
    """Return the columns of numbers, with their tables."""
    return [
        (hdu, name)
        for hdu in tables
        for name in hdu.columns.names
        if name.upper() != "PIXEL" and hdu.columns.dtype[name].base.kind in "iuf"
    ]


def _select(tables: list[Any], wanted: str, path: Path) -> tuple[Any, str]:
    """Return a table and the name of one of its columns of numbers."""
    columns = _columns(tables)
    matches = [(hdu, name) for hdu, name in columns if not wanted or name.upper() == wanted.strip().upper()]
    if len(matches) == 1:
        return matches[0]
    listed = ", ".join(name for _, name in columns) or "none"
    problem = f"{len(matches)} columns match" if matches else "no column has this name"
    raise UnusableFileError(
        path, wanted, f"{problem}; the columns of the HEALPix table are {listed}. --set ingest.key=NAME"
    )


def _nside(header: Mapping[str, Any], count: int | None, path: Path) -> int:
    """Return NSIDE, after a comparison with the number of pixels of a table with implicit indexing."""
    nside = header.get("NSIDE", None if count is None else math.isqrt(count // 12))
    if isinstance(nside, bool) or not isinstance(nside, int) or not 1 <= nside <= _LARGEST_NSIDE:
        raise UnusableFileError(path, "NSIDE", f"contains {nside!r}; expected 1 to {_LARGEST_NSIDE}")
    if count is not None and count != 12 * nside**2:
        reason = f"is {nside}, which has {12 * nside**2:,} pixels, but the table has {count:,}"
        raise UnusableFileError(path, "NSIDE", reason)
    return nside


def _is_nested(header: Mapping[str, Any], path: Path) -> bool:
    ordering = str(header.get("ORDERING", "")).strip().upper()
    if ordering not in ("RING", "NESTED", "NEST"):
        raise UnusableFileError(path, "ORDERING", f"contains {header.get('ORDERING')!r}; expected RING or NESTED")
    if ordering != "RING" and int(header.get("NSIDE", 1)).bit_count() != 1:
        raise UnusableFileError(path, "NSIDE", f"is {header['NSIDE']}; in NESTED order it must be a power of two")
    return ordering != "RING"


def _unit(unit: str | None) -> str | None:
    return None if unit is None or unit.strip().lower() in ("", "unknown") else unit.strip()


def _check_size(opened: FitsFile, hdu: Any, path: Path) -> None:
    required = hdu.header["NAXIS1"] * hdu.header["NAXIS2"]
    available = os.fstat(opened.content.fileno()).st_size - hdu.fileinfo()["datLoc"]
    if available < required:
        reason = f"its table takes {required:,} bytes, but the file contains {max(available, 0):,}: truncated"
        raise UnusableFileError(path, "", reason)


def _masked(data: np.ndarray, header: Mapping[str, Any], null: int | None, dtype: np.dtype) -> np.ndarray:
    """Return values with NaN for pixels that are UNSEEN, BAD_DATA, TNULL or not finite."""
    values = data.astype(dtype)
    bad = [float(dtype.type(UNSEEN))]
    stated = header.get("BAD_DATA")
    if isinstance(stated, (int, float)) and not isinstance(stated, bool):
        bad.append(float(dtype.type(stated)))
    if null is not None and data.dtype.kind in "iu":
        bad.append(float(null))
    missing = ~np.isfinite(values)
    for value in bad:
        missing |= np.abs(values - dtype.type(value)) <= abs(1e-6 * value)
    values[missing] = np.nan
    return values


def _placed(values: np.ndarray, hdu: Any, nside: int, path: Path) -> np.ndarray:
    """Return the values of a table with explicit indexing as a full map."""
    if "PIXEL" not in _names(hdu):
        raise UnusableFileError(path, "PIXEL", "the indexing is explicit, but there is no column PIXEL")
    pixels = np.asarray(hdu.data.field("PIXEL")).reshape(-1)
    total = 12 * nside**2
    if pixels.dtype.kind not in "iu" or pixels.shape != values.shape:
        reason = f"contains {pixels.size:,} values of {pixels.dtype}; expected an integer for each of {values.size:,}"
        raise UnusableFileError(path, "PIXEL", reason)
    if pixels.size and not (pixels.min() >= 0 and pixels.max() < total):
        reason = f"contains {pixels.min()} to {pixels.max()}; a map of nside {nside} has the pixels 0 to {total - 1}"
        raise UnusableFileError(path, "PIXEL", reason)
    seen = np.zeros(total, bool)
    seen[pixels] = True
    if np.count_nonzero(seen) != pixels.size:
        raise UnusableFileError(path, "PIXEL", "a pixel occurs twice")
    full = np.full(total, np.nan, values.dtype)
    full[pixels] = values
    return full
