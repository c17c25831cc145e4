"""Maps in FITS images: one map or a cube of maps, with a header as written by LensTools."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.readers.consistency import merge_parameters, reconcile, values_agree
from tenfold.pipelines.readers.field_names import field_name
from tenfold.pipelines.readers.fits_images import Image, open_image
from tenfold.pipelines.readers.fits_pixels import pixel_arcmin
from tenfold.pipelines.readers.parameters import canonical_parameters
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array, cosmology_id

_PARAMETER_KEYWORDS = {
    "OMEGA_M": "Omega_m", "OMEGA_B": "Omega_b", "OMEGA_C": "Omega_c", "OMEGA_CD": "Omega_cdm", "OMEGA_L": "Omega_L",
    "OMEGA_K": "Omega_k", "SIGMA_8": "sigma_8", "SIGMA8": "sigma_8", "S_8": "S_8", "S8": "S_8", "NS": "n_s",
    "N_S": "n_s", "A_S": "A_s", "H0": "H0", "W0": "w0", "W_0": "w0", "WA": "wa", "W_A": "wa", "M_NU": "M_nu",
    "MNU": "M_nu", "N_EFF": "N_eff", "NEFF": "N_eff", "A_SN1": "A_SN1", "A_SN2": "A_SN2", "A_AGN1": "A_AGN1",
    "A_AGN2": "A_AGN2",
}  # fmt: skip


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the maps of an image (Y, X), a cube (M, Y, X), or (M, C, Y, X) with a channel per source redshift.

    ``stated.key`` selects the image (see `tenfold.pipelines.readers.fits_images.open_image`); without it the file must
    contain exactly one. The header of its HDU takes precedence over that of the primary HDU.

    The side is ANGLE [degrees], or SIDE [Mpc] with H0, or tenfold's own BOXMPCH [Mpc/h]; or the size of a pixel is that
    of celestial coordinates, CDELT1 and CDELT2 (see `tenfold.pipelines.readers.fits_pixels`). The cosmology is in
    OMEGA_M, OMEGA_L, SIGMA_8, NS, H0, OMEGA_B, W0, WA, …, the source redshifts in Z or Z1, Z2, …, periodicity in
    PERIODIC (T or F), the name of the simulation in SIMUL, and the range of multipoles with a reliable C_ℓ in LMIN and
    LMAX. The stated metadata supplies values that are missing and must not contradict the header. If neither SIMUL nor
    a table names the simulation, files of the same cosmology are assigned to the same simulation, so that their maps
    stay in the same split.

    Raises
    ------
    UnusableFileError
        The file is damaged or truncated, contains no maps, has several candidate images, or contradicts the
        stated metadata; or the parameters, the unit or the side of the maps are missing.
    """
    with open_image(path, stated.key, stated.largest_gib) as image:
        header = image.header
        count, channels, *sides = _map_shape(image, path)
        check_array((*sides, channels), image.dtype, stated.largest_gib, path, "image", 2)
        image.check_size()
        redshifts = reconcile("redshifts", header_redshifts(header, path), stated.redshifts, path, "Z") or ()
        if redshifts and len(redshifts) != channels:
            raise UnusableFileError(path, "Z", f"{len(redshifts)} source redshifts for maps of {channels} channels")
        parameters = header_parameters(header, stated, path)
        angle = _number(header, "ANGLE", path) if "ANGLE" in header else None
        side_deg = reconcile("ANGLE", angle, stated.side_deg, path, "ANGLE", "ingest.side_deg")
        box_mpc_h = None
        if side_deg is None:
            length = _side_mpc_h(header, parameters, path)
            box_mpc_h = reconcile("box_mpc_h", length, stated.box_mpc_h, path, "SIDE")
        elif angle is not None and stated.box_mpc_h is not None:
            raise UnusableFileError(path, "ANGLE", "the side is an angle, but ingest.box_mpc_h is a length")
        pixel = pixel_arcmin(header, path)
        if side_deg is None and box_mpc_h is None and pixel is None and stated.pixel_arcmin is None:
            raise UnusableFileError(
                path, "ANGLE", "the header lacks the size of the map, ANGLE [degrees], SIDE [Mpc], or CDELT1 and "
                "CDELT2 of celestial coordinates: --set ingest.side_deg=…, ingest.pixel_arcmin=… or ingest.box_mpc_h=…",
            )  # fmt: skip
        limits = [_number(header, key, path) for key in ("LMIN", "LMAX") if key in header]
        multipoles = (limits[0], limits[1]) if len(limits) == 2 else None
        units = reconcile("units", image.unit, stated.units, path, "BUNIT") or _units(image, path)
        for n in stated.records(count):

            def read(start: int, stop: int, n: int = n) -> np.ndarray:
                index = ((), (n,), (n, slice(None)))[len(image.shape) - 2]
                slab = image.read((*index, slice(start, stop), slice(None)))
                slab = slab.reshape(channels, stop - start, sides[1])
                return np.ascontiguousarray(np.moveaxis(slab, 0, -1))

            yield Volume(
                simulation=stated.simulation or str(header.get("SIMUL", "")).strip() or cosmology_id(parameters),
                source=path,
                key=f"map {n}",
                shape=(*sides, channels),
                dtype=image.dtype,
                parameters=parameters,
                varied=tuple(name for name in str(header.get("VARIED", "")).split() if name),
                redshifts=redshifts,
                box_mpc_h=box_mpc_h,
                periodic=reconcile("periodic", _periodic(header, path), stated.periodic, path, "PERIODIC"),
                units=units,
                mask_values=() if image.blank is None else (image.blank,),
                side_deg=side_deg,
                pixel_arcmin=pixel,
                multipoles=multipoles,
                read=read,
            )


def _map_shape(image: Image, path: Path) -> tuple[int, ...]:
    """Return (maps, channels, Y, X), from the header alone."""
    axes = len(image.shape)
    if not 2 <= axes <= 4:
        raise UnusableFileError(path, "NAXIS", f"an image of {axes} axes; expected 2, 3 or 4")
    return (*{2: (1, 1), 3: (*image.shape[:1], 1), 4: image.shape[:2]}[axes], *image.shape[-2:])


def _units(image: Image, path: Path) -> str:
    """Return the unit of the pixels from the header, or the field from the name of the image.

    LensTools writes convergence maps without a unit: one image (N, N) in the primary HDU, with ANGLE or SIDE.
    """
    if image.unit is not None:
        return image.unit
    lenstools = image.primary and len(image.shape) == 2 and any(key in image.header for key in ("ANGLE", "SIDE"))
    units = field_name(image.name) or ("kappa" if lenstools else "")
    if not units:
        raise UnusableFileError(
            path, "BUNIT", "neither BUNIT nor the image's name determines the unit: --set ingest.units=…, for example "
            "kappa for the convergence",
        )  # fmt: skip
    return units


def header_redshifts(header: Any, path: Path) -> tuple[float, ...]:
    """Return the redshifts of the sources, Z or Z1, Z2, …, of a header; empty if there are none."""
    numbered = [f"Z{n}" for n in range(1, 100) if f"Z{n}" in header]
    return tuple(_number(header, key, path) for key in numbered or [key for key in ("Z",) if key in header])


def _side_mpc_h(header: Any, parameters: dict[str, float], path: Path) -> float | None:
    """Return the side of a map that has a length instead of an angle [Mpc/h]; None if not given."""
    box_mpc_h = _number(header, "BOXMPCH", path) if "BOXMPCH" in header else None
    if "SIDE" not in header:
        return box_mpc_h
    side = _number(header, "SIDE", path)
    if box_mpc_h is None and "h" not in parameters:
        raise UnusableFileError(
            path, "SIDE", "is in Mpc and cannot be converted to Mpc/h without H0: --set ingest.side_deg=…"
        )
    if box_mpc_h is not None and "h" in parameters and not values_agree(box_mpc_h, side * parameters["h"]):
        reason = f"{side:g} Mpc is {side * parameters['h']:g} Mpc/h, but BOXMPCH is {box_mpc_h:g}: correct one of them"
        raise UnusableFileError(path, "SIDE", reason)
    return side * parameters["h"] if box_mpc_h is None else box_mpc_h


def _periodic(header: Any, path: Path) -> bool | None:
    if "PERIODIC" not in header:
        return None
    if not isinstance(header["PERIODIC"], bool):
        raise UnusableFileError(path, "PERIODIC", f"contains {header['PERIODIC']!r}; expected T or F")
    return header["PERIODIC"]


def header_parameters(header: Any, stated: StatedMetadata, path: Path) -> dict[str, float]:
    """Return the cosmological parameters of a FITS header by canonical name, completed by those of a table.

    Parameters
    ----------
    header
        Mapping of keywords to values.
    stated, path
        Metadata and path of the file.

    Raises
    ------
    UnusableFileError
        There are none, one is not a number or out of range, or the table contradicts the header.
    """
    keys = [key for key in _PARAMETER_KEYWORDS if key in header]
    in_header = canonical_parameters(
        [_PARAMETER_KEYWORDS[key] for key in keys], [_number(header, key, path) for key in keys], path, "header"
    )
    parameters = merge_parameters(in_header, stated, path, "header")
    if not parameters:
        raise UnusableFileError(
            path, "", f"no cosmological parameters in the header ({', '.join(_PARAMETER_KEYWORDS)}) or in a table "
            "(--set ingest.table=FILE)",
        )  # fmt: skip
    return parameters


def _number(header: Any, key: str, path: Path) -> float:
    value = header[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnusableFileError(path, key, f"contains {value!r}; expected a number")
    return float(value)
