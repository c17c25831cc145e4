"""Small faithful HEALPix maps in FITS tables, as healpy and the archives of WMAP and Planck write them."""

from pathlib import Path

import numpy as np
from astropy import units
from astropy.io import fits
from astropy_healpix import healpix_to_lonlat

COSMOLOGY = {"OMEGA_M": 0.3, "SIGMA_8": 0.8, "Z": 1.0}
UNSEEN = np.float32(-1.6375e30)


def cosine(nside: int, order: str = "ring") -> np.ndarray:
    """A dipole: the cosine of the colatitude of each pixel's centre, (12 nside²,) float32."""
    _, latitude = healpix_to_lonlat(np.arange(12 * nside**2), nside, order=order)
    return np.sin(latitude.to_value(units.rad)).astype(np.float32)


def write_map(path: Path, values: np.ndarray, *, order: str = "ring", name: str = "KAPPA", **cards) -> Path:
    """Write a full map with implicit indexing: 1024 pixels a row, as healpy does from nside 16 on."""
    nside = int(np.sqrt(values.size / 12))
    per_row = 1024 if values.size % 1024 == 0 else 1
    code = {"f4": "E", "f8": "D", "i4": "J"}[values.dtype.str[1:]]
    rows = values.reshape(-1, per_row) if per_row > 1 else values
    column = fits.Column(name, f"{per_row}{code}", array=rows, unit=cards.pop("unit", None))
    indexing = {"INDXSCHM": "IMPLICIT", "FIRSTPIX": 0, "LASTPIX": values.size - 1}
    return _write(path, [column], nside, order, {**indexing, **cards})


def write_partial(
    path: Path, pixels: np.ndarray, values: np.ndarray, nside: int, *, order: str = "ring", **cards
) -> Path:
    """Write some pixels of a map with explicit indexing: columns PIXEL and SIGNAL."""
    columns = [fits.Column("PIXEL", "J", array=pixels), fits.Column("SIGNAL", "E", array=values)]
    return _write(path, columns, nside, order, {"INDXSCHM": "EXPLICIT", "OBJECT": "PARTIAL", **cards})


def _write(path: Path, columns: list[fits.Column], nside: int, order: str, cards: dict) -> Path:
    stated = {"PIXTYPE": "HEALPIX", "ORDERING": order.upper(), "NSIDE": nside, **COSMOLOGY, **cards}
    header = fits.Header({name: value for name, value in stated.items() if value is not None})
    table = fits.BinTableHDU.from_columns(columns, header=header, name="xtension")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)
    return path
