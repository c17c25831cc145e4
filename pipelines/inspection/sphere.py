"""Inspection of HEALPix maps: what they state, and how to cut them into patches."""

import math
from pathlib import Path

import numpy as np

from tenfold.pipelines.inspection.inspection import Inspection
from tenfold.pipelines.readers.field_names import field_name
from tenfold.pipelines.readers.fits_maps import header_parameters, header_redshifts
from tenfold.pipelines.readers.healpix_tables import list_columns, read_healpix
from tenfold.pipelines.readers.sphere_patches import tile_sphere
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError

_PATCH_DEG = 10
_PIXEL_DEG = math.degrees(math.sqrt(math.pi / 3))
"""Side of a square with the area of a pixel of nside 1 [degrees]."""
_LARGEST_PIXELS = 512


def inspect_sphere(path: Path, largest_gib: float) -> Inspection:
    """Inspect a HEALPix map; of several columns, the first.

    Parameters
    ----------
    path
        FITS file with a table of HEALPix pixels.
    largest_gib
        Largest size of the map, and of the unpacked file [GiB].
    """
    try:
        columns = list_columns(path, largest_gib)
        sky = read_healpix(path, columns[0] if columns else "", largest_gib)
        redshifts = header_redshifts(sky.header, path)
    except UnusableFileError as error:
        reason = f"{error.key}: {error.reason}" if error.key else error.reason
        return Inspection(path=path, kind="", facts={}, problems=(reason,))
    pixel_deg = _PIXEL_DEG / sky.nside
    facts = {
        "nside": f"{sky.nside} ({pixel_deg:.3g}° a pixel), {'NESTED' if sky.nested else 'RING'}",
        "type": str(sky.values.dtype),
        "column": sky.column + (f"; others: {', '.join(columns[1:])}" if len(columns) > 1 else ""),
    }
    units = sky.unit or field_name(sky.column)
    if units:
        facts["units"] = units
    if redshifts:
        facts["redshift"] = ", ".join(f"{z:g}" for z in redshifts)
    seen = np.isfinite(sky.values)
    if not seen.all():
        facts["masked"] = f"{100 * (1 - seen.mean()):.3g} % of the pixels"
    settings = [f"key={sky.column}"] if len(columns) > 1 else []
    problems: list[str] = []
    try:
        parameters = header_parameters(sky.header, StatedMetadata(dimensions=2), path)
        facts["parameters"] = ", ".join(f"{name} = {value:g}" for name, value in parameters.items())
    except UnusableFileError as error:
        if error.key:
            problems.append(f"{error.key}: {error.reason}")
        facts["not stated"] = "parameters"
        settings.append("table=PARAMETERS")
    if seen.any():
        values = sky.values[seen].astype(np.float64)
        facts["values"] = (
            f"{values.min():g} to {values.max():g}, mean {values.mean():.4g}, standard deviation {values.std():.4g}"
        )
    pixels = int(min(_LARGEST_PIXELS, max(4, 2 ** math.floor(math.log2(_PATCH_DEG / pixel_deg)))))
    facts["patches"] = f"{len(tile_sphere(_PATCH_DEG))} of {_PATCH_DEG}° fit on the sphere"
    settings += [f"patch_deg={_PATCH_DEG}", f"patch_pixels={pixels}"]
    words = [f"--set ingest.{setting}" for setting in settings]
    return Inspection(
        path=path, kind="a HEALPix map", facts=facts, problems=tuple(problems),
        command=" ".join([f"tenfold ingest massmaps {path}", *words, "--out data"]),
    )  # fmt: skip
