"""Flat patches of HEALPix maps: squares in gnomonic projection that tile the sphere without overlap."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tenfold.pipelines.readers.consistency import reconcile
from tenfold.pipelines.readers.field_names import field_name
from tenfold.pipelines.readers.fits_maps import header_parameters, header_redshifts
from tenfold.pipelines.readers.healpix_tables import HealpixMap, read_healpix
from tenfold.pipelines.readers.sphere_patches import Patch, tile_sphere
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array, cosmology_id


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the patches of a map without masked pixels, (N, N, 1), of ``stated.patch_deg`` and ``stated.patch_pixels``.

    A pixel of a patch is interpolated bilinearly from the four nearest pixels of the map. A patch that needs a masked
    pixel of the map is left out, and counted in `Volume.left_out`. All patches of a map are one simulation, named by
    SIMUL in the header or by the cosmology.

    Raises
    ------
    UnusableFileError
        The file is damaged or contradicts the stated metadata; the size of the patches is not stated; the column, the
        unit or the parameters are missing; or every patch contains masked pixels.
    """
    if stated.patch_deg is None or stated.patch_pixels is None:
        raise UnusableFileError(
            path, "", "a HEALPix map: state the size of the patches it is to be cut into, --set ingest.patch_deg=10 "
            "--set ingest.patch_pixels=128",
        )  # fmt: skip
    if stated.box_mpc_h is not None:
        raise UnusableFileError(path, "", "patches of a sphere have an angle, but ingest.box_mpc_h is a length")
    sky = read_healpix(path, stated.key, stated.largest_gib)
    pixels = stated.patch_pixels
    check_array((pixels, pixels, 1), sky.values.dtype, stated.largest_gib, path, sky.column, 2)
    parameters = header_parameters(sky.header, stated, path)
    redshifts = reconcile("redshifts", header_redshifts(sky.header, path), stated.redshifts, path, "Z") or ()
    if len(redshifts) > 1:
        raise UnusableFileError(path, "Z", f"{len(redshifts)} source redshifts for one map")
    units = reconcile("units", sky.unit, stated.units, path, sky.column) or field_name(sky.column)
    side_deg = reconcile("patch_deg", stated.patch_deg, stated.side_deg, path, "", "ingest.side_deg")
    patches = tile_sphere(stated.patch_deg)
    complete = [patch for patch in patches if _is_complete(sky, patch, pixels)]
    if not complete:
        raise UnusableFileError(
            path, sky.column, f"all {len(patches)} patches contain masked pixels: take smaller ones"
        )
    for number, patch in enumerate(complete):
        yield Volume(
            simulation=stated.simulation or str(sky.header.get("SIMUL", "")).strip() or cosmology_id(parameters),
            source=path,
            key=f"patch {number} at ({patch.longitude:.2f}°, {patch.latitude:.2f}°)",
            shape=(pixels, pixels, 1),
            dtype=sky.values.dtype,
            parameters=parameters,
            varied=tuple(name for name in str(sky.header.get("VARIED", "")).split() if name),
            redshifts=redshifts,
            box_mpc_h=None,
            periodic=reconcile("periodic", False, stated.periodic, path, ""),
            units=units,
            side_deg=side_deg,
            left_out=len(patches) - len(complete),
            read=lambda start, stop, patch=patch: _interpolated(sky, patch, pixels, start, stop)[..., np.newaxis],
        )


def _is_complete(sky: HealpixMap, patch: Patch, pixels: int) -> bool:
    return bool(np.isfinite(_interpolated(sky, patch, pixels, 0, pixels)).all())


def _interpolated(sky: HealpixMap, patch: Patch, pixels: int, start: int, stop: int) -> np.ndarray:
    """Return rows of a patch, shape (stop − start, pixels); NaN where one of the four pixels of the map is masked."""
    from astropy import units
    from astropy_healpix import bilinear_interpolation_weights

    longitude, latitude = patch.directions(pixels, start, stop)
    nearest, weights = bilinear_interpolation_weights(
        longitude * units.rad, latitude * units.rad, sky.nside, order="nested" if sky.nested else "ring"
    )
    return np.einsum("i...,i...", sky.values[nearest], weights).astype(sky.values.dtype)
