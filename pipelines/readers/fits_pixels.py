"""Size of the pixels of a FITS image, from its celestial world coordinates."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tenfold.pipelines.readers.map_size import TOLERANCE
from tenfold.pipelines.readers.volume import UnusableFileError

_ARCMIN = {
    "deg": 60.0, "degree": 60.0, "degrees": 60.0, "arcmin": 1.0, "arcsec": 1 / 60, "rad": 60 * 180 / math.pi,
}  # fmt: skip


def pixel_arcmin(header: Mapping[str, Any], path: Path) -> float | None:
    """Return the side of a pixel [arcmin], None if the header has no celestial coordinates.

    Coordinate increments are the matrix ``CDi_j``, or ``CDELTi`` times ``PCi_j`` (FITS standard 4.0, §8.1), in degrees
    unless ``CUNITi`` states another unit. Sides that differ by less than one part in 1000 count as equal; their
    geometric mean is returned. Without ``CTYPEi`` of a celestial axis or ``CUNITi`` of an angle there are no celestial
    coordinates: pixel coordinates have increments too.

    Raises
    ------
    UnusableFileError
        Pixels are not square, or an increment is not a number.
    """
    units = [_unit(header, axis) for axis in (1, 2)]
    increments = [key for key in ("CDELT1", "CDELT2", "CD1_1", "CD2_2", "CD1_2", "CD2_1") if key in header]
    if None in units or not increments:
        return None
    matrix = [[_increment(header, i, j, path) * (units[i - 1] or 0.0) for j in (1, 2)] for i in (1, 2)]
    sides = [math.hypot(matrix[0][j], matrix[1][j]) for j in (0, 1)]
    if not all(0 < side < math.inf for side in sides):
        raise UnusableFileError(path, increments[0], f"pixels of {sides[0]:g} × {sides[1]:g} arcmin: must be above 0")
    cosine = (matrix[0][0] * matrix[0][1] + matrix[1][0] * matrix[1][1]) / (sides[0] * sides[1])
    if not math.isclose(sides[0], sides[1], rel_tol=TOLERANCE) or abs(cosine) > TOLERANCE:
        reason = f"pixels of {sides[0]:.6g} × {sides[1]:.6g} arcmin"
        shape = "are not squares" if abs(cosine) <= TOLERANCE else "are oblique"
        raise UnusableFileError(
            path, increments[0], f"{reason} {shape}: project the map to square pixels, for example with reproject"
        )
    return math.sqrt(sides[0] * sides[1])


def _unit(header: Mapping[str, Any], axis: int) -> float | None:
    """Return the unit of an axis [arcmin], None unless it is an angle on the sky."""
    kind = str(header.get(f"CTYPE{axis}", "")).strip().upper()
    celestial = kind.startswith(("RA-", "DEC-")) or kind[1:4] in ("LON", "LAT") or kind[2:4] in ("LN", "LT")
    unit = str(header.get(f"CUNIT{axis}", "")).strip().lower()
    return _ARCMIN.get(unit or ("deg" if celestial else ""))


def _increment(header: Mapping[str, Any], i: int, j: int, path: Path) -> float:
    """Return the change of coordinate i along pixel axis j, in the unit of the coordinate."""
    if any(f"CD{a}_{b}" in header for a in (1, 2) for b in (1, 2)):
        return _number(header, f"CD{i}_{j}", 0.0, path)
    return _number(header, f"CDELT{i}", 1.0, path) * _number(header, f"PC{i}_{j}", float(i == j), path)


def _number(header: Mapping[str, Any], key: str, default: float, path: Path) -> float:
    value = header.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UnusableFileError(path, key, f"contains {value!r}; expected a number")
    return float(value)
