"""Angular power spectra of the convergence from theory: Limber's integral over CAMB's matter power."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from scipy.interpolate import RectBivariateSpline

from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.light_cone import LightCone, light_cone
from tenfold.pipelines.simulation.matter_power import camb_powers

K_LOW, K_HIGH = 1e-3, 15.0
"""Wavenumbers that are tabulated [h/Mpc]; beyond the highest the power falls on as a power law."""
_POINTS = 200  # of the integral along the line of sight


@dataclass(frozen=True)
class MatterPower:
    """P(k, z) of matter, interpolated in logarithms.

    Attributes
    ----------
    ln_power
        ln P [(Mpc/h)³] as a spline in (ln k [h/Mpc], z).
    """

    ln_power: RectBivariateSpline

    def __call__(self, k: np.ndarray, redshift: np.ndarray) -> np.ndarray:
        """Power at wavenumbers [h/Mpc] and redshifts that broadcast [(Mpc/h)³]; 0 below 0.001 h/Mpc."""
        k, redshift = np.broadcast_arrays(k, redshift)
        ln_k = np.log(np.clip(k, K_LOW, None))
        edge = np.log(K_HIGH)
        inside = np.minimum(ln_k, edge)
        power = np.exp(self.ln_power(inside, redshift, grid=False) - 2.2 * (ln_k - inside))
        return np.where(k < K_LOW, 0.0, power)


def matter_power(cosmology: Cosmology, farthest: float) -> tuple[MatterPower, MatterPower]:
    """Linear and HMcode2020 (Mead et al., arXiv:2009.01858) power from z = 0 to a redshift, by CAMB."""
    redshifts = np.linspace(0, farthest, max(6, round(farthest / 0.15) + 1))
    k = np.geomspace(K_LOW, K_HIGH, 320)
    both = camb_powers(cosmology, k, redshifts, k_max=K_HIGH * cosmology.h)
    linear, nonlinear = (MatterPower(RectBivariateSpline(np.log(k), redshifts, np.log(power).T)) for power in both)
    return linear, nonlinear


def convergence_power(
    ell: np.ndarray,
    power: Callable[[np.ndarray, np.ndarray], np.ndarray],
    cone: LightCone,
    sources: tuple[float, ...],
) -> np.ndarray:
    """C_ℓ of the convergence by Limber's approximation on a flat sky, k = ℓ/χ (Kaiser 1992; astro-ph/9912508 §6).

    Parameters
    ----------
    ell
        Multipoles, shape (n,).
    power
        P(k, z): wavenumbers [h/Mpc] and redshifts, which broadcast -> [(Mpc/h)³].
    cone
        Distances of the cosmology.
    sources
        Source redshifts.

    Returns
    -------
    np.ndarray
        ∫ dχ W²/χ² P(ℓ/χ, z(χ)), shape (n, sources) [sr].
    """
    ell = np.asarray(ell, float)
    x, weight = legendre.leggauss(_POINTS)
    found = []
    for source in sources:
        behind = cone.distance(source)
        chi = behind * (x + 1) / 2
        share = behind / 2 * weight * (cone.kernel(chi, source) / chi) ** 2
        found.append(power(ell[:, None] / chi, cone.redshift(chi)) @ share)
    return np.stack(found, axis=-1)


def limber(
    cosmology: Cosmology,
    ell: np.ndarray,
    sources: tuple[float, ...],
    *,
    linear: bool = False,
    pixel_arcmin: float = 0.0,
    smoothing_arcmin: float = 0.0,
) -> np.ndarray:
    """C_ℓ of the convergence of a cosmology.

    Parameters
    ----------
    cosmology
        The cosmology.
    ell
        Multipoles, shape (n,).
    sources
        Source redshifts.
    linear
        Of the linear spectrum instead of HMcode2020's.
    pixel_arcmin, smoothing_arcmin
        As seen in pixels of this side, and smoothed by a Gaussian of this standard deviation [arcmin].

    Returns
    -------
    np.ndarray
        Shape (n, sources) [sr].
    """
    spectra = matter_power(cosmology, max(sources))
    found = convergence_power(ell, spectra[0 if linear else 1], light_cone(cosmology.omega_m), sources)
    return found * (resolution(ell, pixel_arcmin, smoothing_arcmin) ** 2)[:, None]


def resolution(ell: np.ndarray, pixel_arcmin: float, smoothing_arcmin: float) -> np.ndarray:
    """Window of square pixels, averaged over directions, and of a Gaussian: what mode amplitudes are multiplied by.

    Parameters
    ----------
    ell
        Multipoles, shape (n,).
    pixel_arcmin, smoothing_arcmin
        Side of a pixel, and standard deviation of the Gaussian [arcmin].

    Returns
    -------
    np.ndarray
        Root of the mean square over directions, shape (n,).
    """
    arcmin = np.pi / 180 / 60
    angle = (np.arange(64) + 0.5) * np.pi / 128
    side = np.asarray(ell, float)[:, None] * pixel_arcmin * arcmin / (2 * np.pi)
    window = np.sinc(side * np.cos(angle)) * np.sinc(side * np.sin(angle))
    gauss = np.exp(-0.5 * (np.asarray(ell, float) * smoothing_arcmin * arcmin) ** 2)
    return np.sqrt(np.mean(window**2, axis=1)) * gauss
