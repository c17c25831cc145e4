"""Convergence maps in the Born approximation: lens planes of simulated boxes along straight rays.

Boxes of side L are placed end to end from the observer to beyond the sources, one shell per box length, each at the
redshift of its centre. The sky is flat and the rays diverge: the pixel at angle θ meets the shell at comoving distance
χ at transverse position χθ, so that a patch of angle Θ covers a fraction Θχ/L of a plane, at most all of it at the
sources. Each shell contributes a random view of its box: one of three axes, one of the eight symmetries of the square,
and a shift in the periodic plane by any fraction of a point, so that no structure repeats along a line of sight.
Deflections, lens-lens coupling and reduced shear are neglected: at ℓ < 3000 they change C_ℓ by less than 1 % (Hilbert
et al., arXiv:0809.5035; Petri, Haiman & May, arXiv:1612.00852).
"""

from dataclasses import dataclass

import numba
import numpy as np
import scipy.fft
import scipy.ndimage

from tenfold.pipelines.simulation.lensing.planes import wavenumbers
from tenfold.stats.painting import bspline


@dataclass(frozen=True)
class LensPlanes:
    """Lens planes of one cosmology, from which maps are drawn.

    Attributes
    ----------
    distance
        Comoving distance of each shell, shape (shells,) [Mpc/h].
    weights
        Convergence per unit overdensity of each shell, shape (shells, sources).
    fields
        Cubic-spline coefficients of the overdensity averaged along each shell, from `spline_coefficients`, float32,
        shape (shells, views, M, M). The views are the axes of the boxes.
    box_mpc_h
        Side of the planes [Mpc/h].
    """

    distance: np.ndarray
    weights: np.ndarray
    fields: np.ndarray
    box_mpc_h: float


def spline_coefficients(modes: np.ndarray, transfer: np.ndarray | float = 1.0) -> np.ndarray:
    """Compute the coefficients of the periodic cubic spline through a filtered plane.

    Parameters
    ----------
    modes
        Fourier modes of the plane, from `tenfold.pipelines.simulation.lensing.planes.project`, shape (M, M//2 + 1).
    transfer
        Filter that multiplies the modes, same shape.

    Returns
    -------
    np.ndarray
        Spline coefficients, float32, shape (M, M).
    """
    side = modes.shape[0]
    spline_window = ((2 + np.cos(2 * np.pi * np.fft.fftfreq(side))) / 3).astype(
        np.float32
    )  # transform of 1/6, 2/3, 1/6
    coefficients = (modes * transfer / (spline_window[:, None] * spline_window[: side // 2 + 1])).astype(np.complex64)
    return scipy.fft.irfft2(coefficients, s=(side, side), norm="forward", workers=1)


def pixel_window(side: int, box_mpc_h: float, pixel_mpc_h: float, smoothing_mpc_h: float = 0.0) -> np.ndarray:
    """Fourier window of square pixels and of a Gaussian smoothing, for the modes of a plane.

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
        Window, shape (M, M//2 + 1).
    """
    axis_window = np.sinc(np.fft.fftfreq(side, 1 / side) * (pixel_mpc_h / box_mpc_h))
    gauss = np.exp(-0.5 * (wavenumbers(side, box_mpc_h) * smoothing_mpc_h) ** 2)
    return axis_window[:, None] * axis_window[: side // 2 + 1] * gauss


def convergence_map(planes: LensPlanes, side_deg: float, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one convergence map.

    Parameters
    ----------
    planes
        Lens planes.
    side_deg
        Side of the patch [degrees].
    pixels
        Pixels per side, N.
    rng
        Source of the views and shifts.

    Returns
    -------
    np.ndarray
        κ, float32, shape (N, N, sources). The mean over many maps is 0, that of a single map is not.
    """
    shells, views, side, _ = planes.fields.shape
    kappa = np.zeros((planes.weights.shape[1], pixels, pixels), np.float32)
    step = np.radians(side_deg) / pixels * planes.distance / planes.box_mpc_h * side
    plane = np.empty((pixels, pixels), np.float32)
    for shell in range(shells):
        view, symmetry = int(rng.integers(views)), int(rng.integers(8))
        interpolate_plane(planes.fields[shell, view], rng.random(2) * side, float(step[shell]), plane)
        view_map = apply_symmetry(plane, symmetry)
        for source, weight in enumerate(planes.weights[shell]):
            if weight:
                kappa[source] += np.float32(weight) * view_map
    return np.ascontiguousarray(np.moveaxis(kappa, 0, -1))


def apply_symmetry(image: np.ndarray, symmetry: int) -> np.ndarray:
    """Apply one of the eight symmetries of the square, coded as bits: transpose, and a flip along each axis."""
    image = image.T if symmetry & 1 else image
    return image[:: -1 if symmetry & 2 else 1, :: -1 if symmetry & 4 else 1]


@numba.njit(cache=True, fastmath=True)
def interpolate_plane(coefficients: np.ndarray, corner: np.ndarray, step: float, out: np.ndarray) -> None:
    """Evaluate a periodic cubic spline on a regular grid.

    Parameters
    ----------
    coefficients
        Spline coefficients, shape (M, M), float32.
    corner
        Position of the first point, shape (2,) [plane points], at least 0.
    step
        Distance between grid points [plane points].
    out
        Output array, shape (N, N), float32.
    """
    side, pixels = coefficients.shape[0], out.shape[0]
    columns = np.empty((pixels, 4), np.int64)
    weights = np.empty((pixels, 4), np.float32)
    for j in range(pixels):
        y = corner[1] + j * step
        cell = int(y)
        weights_y = bspline(np.float32(y - cell))
        for b in range(4):
            columns[j, b] = (cell + b - 1) % side
            weights[j, b] = weights_y[b]
    line = np.empty(side, np.float32)
    for i in range(pixels):
        x = corner[0] + i * step
        cell = int(x)
        weights_x = bspline(np.float32(x - cell))
        first = coefficients[(cell - 1) % side]
        second = coefficients[cell % side]
        third = coefficients[(cell + 1) % side]
        fourth = coefficients[(cell + 2) % side]
        for n in range(side):
            line[n] = (
                weights_x[0] * first[n] + weights_x[1] * second[n] + weights_x[2] * third[n] + weights_x[3] * fourth[n]
            )
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
    """Draw the shape noise of the convergence (Kaiser & Squires 1993; van Waerbeke, astro-ph/9909160).

    Parameters
    ----------
    pixels, side_deg
        Pixels per side and side [degrees] of the patch.
    ellipticity
        Standard deviation σ_e of one component of the galaxy ellipticity.
    per_arcmin2
        Galaxies per square arcminute, n.
    smoothing_arcmin
        Standard deviation of the Gaussian smoothing of the map, which also applies to the noise [arcmin].
    rng
        Source of the noise.

    Returns
    -------
    np.ndarray
        Gaussian noise of variance σ_e²/(n A) in pixels of area A before smoothing, float32, shape (N, N).
    """
    pixel_arcmin = side_deg * 60 / pixels
    sigma = ellipticity / np.sqrt(per_arcmin2 * pixel_arcmin**2)
    margin = int(np.ceil(4 * smoothing_arcmin / pixel_arcmin))
    white = rng.standard_normal((pixels + 2 * margin,) * 2, dtype=np.float32) * np.float32(sigma)
    if smoothing_arcmin:
        white = scipy.ndimage.gaussian_filter(white, smoothing_arcmin / pixel_arcmin, mode="wrap")
    return white[margin : margin + pixels, margin : margin + pixels]
