"""FITS images of maps: one map or a cube of them in the first image, with a header as LensTools writes it."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.readers.volume import (
    Stated,
    UnusableFileError,
    Volume,
    canonical,
    check_array,
    one_simulation,
)

MAGIC = b"SIMPLE  ="
_NAMES = {
    "OMEGA_M": "omega_m",
    "SIGMA_8": "sigma_8",
    "SIGMA8": "sigma_8",
    "NS": "n_s",
    "N_S": "n_s",
    "H0": "H0",
    "OMEGA_B": "omega_b",
}
_TYPES = {8: "u1", 16: "i2", 32: "i4", 64: "i8", -32: "f4", -64: "f8"}


def volumes(path: Path, stated: Stated) -> Iterator[Volume]:
    """The maps of a file: an image (N, N), a cube (maps, N, N), or (maps, C, N, N) with a channel per source redshift.

    The header gives ANGLE [degrees], or SIDE [Mpc] with H0, and the cosmology (OMEGA_M, SIGMA_8, NS, H0, OMEGA_B), Z or
    Z1, Z2, … the source redshifts, SIMUL the simulation, LMIN and LMAX the multipoles at which C_ℓ is trusted. Where
    neither SIMUL nor a table names it, files of one cosmology are taken to be of one simulation, so that their maps
    never part at the splitting.

    Raises
    ------
    UnusableFileError
        The file is damaged or cut short, holds no square maps, or nothing gives its parameters or the maps' side.
    """
    with _image(path) as found:
        header = found.header
        shape, dtype = _shape(header, path)
        count, channels, *sides = shape
        check_array((*sides, channels), dtype, stated.largest_gib, path, "image", 2)
        _check_size(path, found, shape, dtype)
        redshifts = _redshifts(header, path) or stated.redshifts
        if redshifts and len(redshifts) != channels:
            raise UnusableFileError(path, "Z", f"{len(redshifts)} source redshifts for maps of {channels} channels")
        parameters = stated.parameters or _parameters(header, path)
        side_deg = _number(header, "ANGLE", path) if "ANGLE" in header else stated.side_deg
        box_mpc_h = None if side_deg is not None else _side_mpc_h(header, parameters, path) or stated.box_mpc_h
        if side_deg is None and box_mpc_h is None:
            raise UnusableFileError(
                path, "ANGLE", "the header lacks the side of the map, ANGLE [degrees] or SIDE [Mpc]: "
                "--set ingest.side_deg=… or ingest.box_mpc_h=…",
            )  # fmt: skip
        bounds = [_number(header, key, path) for key in ("LMIN", "LMAX") if key in header]
        multipoles = (bounds[0], bounds[1]) if len(bounds) == 2 else None
        scaled = header.get("BSCALE", 1) != 1 or header.get("BZERO", 0) != 0
        native = np.dtype("f4") if scaled else dtype.newbyteorder("=")
        for n in range(count):

            def read(start: int, stop: int, n: int = n) -> np.ndarray:
                index = ((), (n,), (n, slice(None)))[header["NAXIS"] - 2]
                part = np.asarray(found.section[(*index, slice(start, stop), slice(None))])
                part = part.reshape(channels, stop - start, sides[1])
                return np.ascontiguousarray(np.moveaxis(part, 0, -1), dtype=native)

            yield Volume(
                simulation=stated.simulation or str(header.get("SIMUL", "")).strip() or one_simulation(parameters),
                source=path,
                key=f"map {n}",
                shape=(*sides, channels),
                dtype=native,
                parameters=parameters,
                varied=tuple(name for name in str(header.get("VARIED", "")).split() if name),
                redshifts=redshifts,
                box_mpc_h=box_mpc_h,
                periodic=False,
                units=stated.units or str(header.get("BUNIT", header.get("UNIT", "kappa"))).strip(),
                side_deg=side_deg,
                multipoles=multipoles,
                read=read,
            )


@contextlib.contextmanager
def _image(path: Path) -> Iterator[Any]:
    """The first image of a file; astropy's remarks are not passed on, because what they are about is checked here."""
    from astropy.io import fits

    try:
        with path.open("rb") as raw:
            if raw.read(len(MAGIC)) != MAGIC:  # astropy would unpack what is compressed, however large
                raise UnusableFileError(path, "", "not an uncompressed FITS file")
        with contextlib.ExitStack() as stack:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                hdus = stack.enter_context(fits.open(path, mode="readonly", memmap=True, lazy_load_hdus=True))
                found = next((hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2), None)
            if found is None:
                raise UnusableFileError(path, "", "holds no image of two or more axes")
            yield found
    except UnusableFileError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError, Warning, fits.VerifyError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UnusableFileError(path, "", f"not a whole FITS file, truncated or damaged ({said})") from error


def _shape(header: Any, path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """(maps, channels, N, N) and the type of the pixels, from the header alone."""
    axes = header["NAXIS"]
    if not 2 <= axes <= 4:
        raise UnusableFileError(path, "NAXIS", f"an image of {axes} axes, where 2, 3 or 4 are known")
    sides = [int(header[f"NAXIS{axis}"]) for axis in range(axes, 0, -1)]
    leading = {2: [1, 1], 3: [sides[0], 1], 4: sides[:2]}[axes]
    if header["BITPIX"] not in _TYPES:
        raise UnusableFileError(path, "BITPIX", f"found {header['BITPIX']}, valid are {', '.join(map(str, _TYPES))}")
    return (*leading, *sides[-2:]), np.dtype(f">{_TYPES[header['BITPIX']]}")


def _check_size(path: Path, found: Any, shape: tuple[int, ...], dtype: np.dtype) -> None:
    there = path.stat().st_size - found.fileinfo()["datLoc"]
    promised = int(np.prod(np.array(shape, np.float64))) * dtype.itemsize
    if there < promised:
        reason = f"shape {shape} promises {promised:,} bytes, and {max(there, 0):,} are there"
        raise UnusableFileError(path, "image", reason)


def _redshifts(header: Any, path: Path) -> tuple[float, ...]:
    several = [f"Z{n}" for n in range(1, 100) if f"Z{n}" in header]
    return tuple(_number(header, key, path) for key in several or [key for key in ("Z",) if key in header])


def _side_mpc_h(header: Any, parameters: dict[str, float], path: Path) -> float | None:
    """Side of a map that has a length, and no angle [Mpc/h]."""
    if "SIDE" not in header:
        return None
    if "h" not in parameters:
        raise UnusableFileError(
            path, "SIDE", "is in Mpc, and without H0 not to be had in Mpc/h: --set ingest.side_deg=…"
        )
    return _number(header, "SIDE", path) * parameters["h"]


def _parameters(header: Any, path: Path) -> dict[str, float]:
    keys = [key for key in _NAMES if key in header]
    parameters = canonical([_NAMES[key] for key in keys], [_number(header, key, path) for key in keys], path, "header")
    if not parameters:
        raise UnusableFileError(
            path, "", f"no cosmological parameters: neither a header ({', '.join(_NAMES)}) nor a table: ingest.table"
        )
    return parameters


def _number(header: Any, key: str, path: Path) -> float:
    value = header[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnusableFileError(path, key, f"holds {value!r} where a number is meant")
    return float(value)
