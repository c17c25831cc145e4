"""Size of a map on the sky: the side of a square map, or the side of a pixel."""

import math
from dataclasses import replace

from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume

TOLERANCE = 1e-3
"""Largest relative difference of two lengths that count as equal: sides of a pixel, or a side and its pixels."""


def complete_size(volume: Volume, stated: StatedMetadata) -> Volume:
    """Return a map with both its side and its pixel size, as far as they follow from one another.

    The size of a square map is its side (``ANGLE``, `ingest.side_deg`, `ingest.box_mpc_h`) or that of its pixels
    (``CDELT``, `ingest.pixel_arcmin`). Maps that are not square have a pixel size alone, and are not periodic.

    Raises
    ------
    UnusableFileError
        Side and pixel size contradict each other, or the map is not square and its pixel size is unknown.
    """
    height, width = volume.shape[:2]
    pixel = _pixel(volume, stated)
    if height != width:
        return _rectangular(volume, pixel)
    if pixel is None:
        pixel = None if volume.side_deg is None else 60 * volume.side_deg / height
        return replace(volume, pixel_arcmin=pixel)
    if volume.box_mpc_h is not None:
        reason = f"the side is a length, {volume.box_mpc_h:g} Mpc/h, but pixels have an angle, {pixel:g} arcmin"
        raise UnusableFileError(volume.source, volume.key, f"{reason}: state one of them")
    side = pixel * height / 60
    if volume.side_deg is None:
        return replace(volume, side_deg=side, pixel_arcmin=pixel)
    if not math.isclose(volume.side_deg, side, rel_tol=TOLERANCE):
        reason = f"{height} pixels of {pixel:.6g} arcmin are {side:.6g} degrees, but the side is {volume.side_deg:.6g}"
        raise UnusableFileError(volume.source, volume.key, f"{reason}: correct one of them")
    return replace(volume, pixel_arcmin=60 * volume.side_deg / height)


def _pixel(volume: Volume, stated: StatedMetadata) -> float | None:
    """Return the pixel size that the file, the user, or both give [arcmin]."""
    in_file, by_user = volume.pixel_arcmin, stated.pixel_arcmin
    if in_file is None or by_user is None:
        return by_user if in_file is None else in_file
    if not math.isclose(in_file, by_user, rel_tol=TOLERANCE):
        reason = f"pixels of {in_file:.6g} arcmin in the file, but ingest.pixel_arcmin is {by_user:.6g}"
        raise UnusableFileError(volume.source, volume.key, f"{reason}: correct one of them")
    return in_file


def _rectangular(volume: Volume, pixel: float | None) -> Volume:
    height, width = volume.shape[:2]
    if volume.periodic:
        reason = f"a map of {height} × {width} pixels cannot be a whole periodic box: --set ingest.periodic=false"
        raise UnusableFileError(volume.source, volume.key, reason)
    if pixel is None:
        reason = f"a map of {height} × {width} pixels is not a square, and has no single side"
        advice = "give the side of a pixel [arcmin], --set ingest.pixel_arcmin=…, in place of the side of the map"
        raise UnusableFileError(volume.source, volume.key, f"{reason}: {advice}")
    return replace(volume, side_deg=None, box_mpc_h=None, pixel_arcmin=pixel, periodic=False)
