"""Convergence maps by the Born approximation: planes of our own boxes, seen along straight rays.

Geometry: boxes of side L are laid end to end from the observer to behind the sources, one shell per box length, each at
the redshift of its middle. The sky is flat and the rays diverge: the pixel at angle θ meets the shell at comoving
distance χ at the transverse place χθ, so that a patch of angle Θ takes up Θχ/L of a plane, all of it at most at the
sources. What a shell adds to a map is another random view of its box: one of three axes, one of the eight symmetries of
the square, and a shift in the periodic plane by any fraction of a point, so that no structure stands twice along a line
of sight. Deflections, lens-lens coupling and reduced shear are left out: at ℓ < 3000 they change C_ℓ by less than 1 %
(Hilbert et al., arXiv:0809.5035; Petri, Haiman & May, arXiv:1612.00852).
"""

from dataclasses import dataclass

import numba
import numpy as np
import scipy.fft
import scipy.ndimage

from tenfold.pipelines.simulation.gravity import bspline
from tenfold.pipelines.simulation.lensing.planes import wavenumbers


@dataclass(frozen=True)
class LensPlanes:
    """What maps of one cosmology are drawn from.

    Attributes
    ----------
    distance
        Comoving distance of each shell, shape (shells,) [Mpc/h].
    weights
        κ of unit overdensity in a shell, shape (shells, sources).
    fields
        Cubic-spline coefficients of the overdensity averaged through each shell, as `spline_coefficients` gives them,
        float32, shape (shells, views, M, M): the views are axes of boxes.
    box_mpc_h
        Side of the planes [Mpc/h].
    """

    distance: np.ndarray
    weights: np.ndarray
    fields: np.ndarray
    box_mpc_h: float


def spline_coefficients(modes: np.ndarray, filtered: np.ndarray | float = 1.0) -> np.ndarray:
    """Coefficients of the periodic cubic spline through a filtered plane.

    Parameters
    ----------
    modes
        Of a plane, as `tenfold.pipelines.simulation.lensing.planes.project` gives them, shape (M, M//2 + 1).
    filtered
        What they are multiplied by, same shape.

    Returns
    -------
    np.ndarray
        Float32, shape (M, M).
    """
    side = modes.shape[0]
    through = ((2 + np.cos(2 * np.pi * np.fft.fftfreq(side))) / 3).astype(np.float32)  # of 1/6, 2/3, 1/6
    ready = (modes * filtered / (through[:, None] * through[: side // 2 + 1])).astype(np.complex64)
    return scipy.fft.irfft2(ready, s=(side, side), norm="forward", workers=1)


def pixel_window(side: int, box_mpc_h: float, pixel_mpc_h: float, smoothing_mpc_h: float = 0.0) -> np.ndarray:
    """What averaging over square pixels, and smoothing by a Gaussian, does to the modes of a plane.

    Parameters
    ----------
    side
        Points per side of the plane, M.
    box_mpc_h
        Side of the plane [Mpc/h].
    pixel_mpc_h, smoothing_mpc_h
        Side of a pixel and standard deviation of the Gaussian, at the plane's distance [Mpc/h].

    Returns
    -------
    np.ndarray
        Shape (M, M//2 + 1).
    """
    one = np.sinc(np.fft.fftfreq(side, 1 / side) * (pixel_mpc_h / box_mpc_h))
    gauss = np.exp(-0.5 * (wavenumbers(side, box_mpc_h) * smoothing_mpc_h) ** 2)
    return one[:, None] * one[: side // 2 + 1] * gauss


def convergence(planes: LensPlanes, side_deg: float, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """One map of the convergence.

    Parameters
    ----------
    planes
        What it is drawn from.
    side_deg
        Side of the patch [degrees].
    pixels
        Per side, N.
    rng
        Source of the views and shifts.

    Returns
    -------
    np.ndarray
        κ, float32, shape (N, N, sources). Its mean over many maps is 0, that of one map is not.
    """
    shells, views, side, _ = planes.fields.shape
    kappa = np.zeros((planes.weights.shape[1], pixels, pixels), np.float32)
    step = np.radians(side_deg) / pixels * planes.distance / planes.box_mpc_h * side
    seen = np.empty((pixels, pixels), np.float32)
    for shell in range(shells):
        view, symmetry = int(rng.integers(views)), int(rng.integers(8))
        read_plane(planes.fields[shell, view], rng.random(2) * side, float(step[shell]), seen)
        turned = symmetric(seen, symmetry)
        for source, weight in enumerate(planes.weights[shell]):
            if weight:
                kappa[source] += np.float32(weight) * turned
    return np.ascontiguousarray(np.moveaxis(kappa, 0, -1))


def symmetric(image: np.ndarray, which: int) -> np.ndarray:
    """One of the eight symmetries of the square: bits for the transpose and for a flip along each axis."""
    image = image.T if which & 1 else image
    return image[:: -1 if which & 2 else 1, :: -1 if which & 4 else 1]


@numba.njit(cache=True, fastmath=True)
def read_plane(coefficients: np.ndarray, corner: np.ndarray, step: float, out: np.ndarray) -> None:
    """Read a periodic cubic spline on a regular grid.

    Parameters
    ----------
    coefficients
        Shape (M, M), float32.
    corner
        Where the first point lies, shape (2,) [plane points], 0 ≤ x.
    step
        From point to point [plane points].
    out
        Shape (N, N), float32; overwritten.
    """
    side, pixels = coefficients.shape[0], out.shape[0]
    columns = np.empty((pixels, 4), np.int64)
    weights = np.empty((pixels, 4), np.float32)
    for j in range(pixels):
        y = corner[1] + j * step
        whole = int(y)
        share = bspline(np.float32(y - whole))
        for b in range(4):
            columns[j, b] = (whole + b - 1) % side
            weights[j, b] = share[b]
    line = np.empty(side, np.float32)
    for i in range(pixels):
        x = corner[0] + i * step
        whole = int(x)
        share = bspline(np.float32(x - whole))
        first = coefficients[(whole - 1) % side]
        second = coefficients[whole % side]
        third = coefficients[(whole + 1) % side]
        fourth = coefficients[(whole + 2) % side]
        for n in range(side):
            line[n] = share[0] * first[n] + share[1] * second[n] + share[2] * third[n] + share[3] * fourth[n]
        for j in range(pixels):
            value = np.float32(0)
            for b in range(4):
                value += weights[j, b] * line[columns[j, b]]
            out[i, j] = value


def shape_noise(
    pixels: int,
    side_deg: float,
    ellipticity: float,
    per_arcmin2: float,
    smoothing_arcmin: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Noise of the convergence from the galaxies' own shapes (Kaiser & Squires 1993; van Waerbeke, astro-ph/9909160).

    Parameters
    ----------
    pixels, side_deg
        Of the patch.
    ellipticity
        Standard deviation σ_e of one component of the galaxies' ellipticity.
    per_arcmin2
        Galaxies per square arcminute, n.
    smoothing_arcmin
        The noise is smoothed as the map is, by a Gaussian of this standard deviation.
    rng
        Source of the noise.

    Returns
    -------
    np.ndarray
        Gaussian of variance σ_e²/(n A) in pixels of area A before smoothing, float32, shape (N, N).
    """
    arcmin = side_deg * 60 / pixels
    sigma = ellipticity / np.sqrt(per_arcmin2 * arcmin**2)
    margin = int(np.ceil(4 * smoothing_arcmin / arcmin))
    white = rng.standard_normal((pixels + 2 * margin,) * 2, dtype=np.float32) * np.float32(sigma)
    if smoothing_arcmin:
        white = scipy.ndimage.gaussian_filter(white, smoothing_arcmin / arcmin, mode="wrap")
    return white[margin : margin + pixels, margin : margin + pixels]
