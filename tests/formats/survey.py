"""Survey maps: FITS images with celestial coordinates, masks, and the observed pixels alone in an NPY file."""

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS


def tangent_plane(pixel_deg: tuple[float, float], shape: tuple[int, int]) -> fits.Header:
    """Return the header of a gnomonic projection, as astropy writes it; pixel sides are (x, y)."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt = [-pixel_deg[0], pixel_deg[1]]
    wcs.wcs.crval = [0.0, -50.0]
    wcs.wcs.crpix = [shape[1] / 2, shape[0] / 2]
    return wcs.to_header()


def write_image(path: Path, image: np.ndarray, pixel_deg: tuple[float, float], **cards) -> Path:
    """Write a map with celestial coordinates and further header cards."""
    header = tangent_plane(pixel_deg, image.shape[-2:])
    header.update(cards)
    fits.PrimaryHDU(image, header).writeto(path)
    return path


def footprint(height: int, width: int) -> np.ndarray:
    """Return a mask: True but for a corner, a hole and a strip at the right."""
    mask = np.ones((height, width), bool)
    mask[: height // 4, : width // 4] = mask[height // 2, width // 2] = mask[:, -2:] = False
    return mask


def write_packed(path: Path, maps: np.ndarray, mask: np.ndarray) -> Path:
    """Write the observed pixels of maps (…, Y, X) as float16 (…, P), as the FAIR challenge does."""
    np.save(path, maps[..., mask].astype(np.float16))
    return path
