"""Theoretical angular power spectra of the convergence: Limber's integral of CAMB's matter power spectrum."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from scipy.interpolate import RectBivariateSpline

from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.light_cone import LightCone, light_cone
from tenfold.pipelines.simulation.matter_power import camb_powers

K_LOW, K_HIGH = 1e-3, 15.0
"""Tabulated wavenumbers [h/Mpc]; beyond the largest, the power is extrapolated as a power law."""
_POINTS = 200  # quadrature points along the line of sight


@dataclass(frozen=True)
class MatterPower:
    """Matter power spectrum P(k, z), interpolated in logarithms.

    Attributes
    ----------
    ln_power
        ln P [(Mpc/h)³] as a spline in (ln k [h/Mpc], z).
    """

    ln_power: RectBivariateSpline

    def __call__(self, k: np.ndarray, redshift: np.ndarray) -> np.ndarray:
        """Power [(Mpc/h)³] at broadcastable wavenumbers [h/Mpc] and redshifts; 0 below 0.001 h/Mpc."""
        k, redshift = np.broadcast_arrays(k, redshift)
        ln_k = np.log(np.clip(k, K_LOW, None))
        edge = np.log(K_HIGH)
        inside = np.minimum(ln_k, edge)
        power = np.exp(self.ln_power(inside, redshift, grid=False) - 2.2 * (ln_k - inside))
        return np.where(k < K_LOW, 0.0, power)


def matter_power(cosmology: Cosmology, max_redshift: float) -> tuple[MatterPower, MatterPower]:
    """Compute linear and HMcode2020 (Mead et al., arXiv:2009.01858) power from z = 0 to max_redshift, with CAMB."""
    redshifts = np.linspace(0, max_redshift, max(6, round(max_redshift / 0.15) + 1))
    k = np.geomspace(K_LOW, K_HIGH, 320)
    spectra = camb_powers(cosmology, k, redshifts, k_max=K_HIGH * cosmology.h)
    linear, nonlinear = (MatterPower(RectBivariateSpline(np.log(k), redshifts, np.log(power).T)) for power in spectra)
    return linear, nonlinear


def convergence_power(
    ell: np.ndarray,
    power: Callable[[np.ndarray, np.ndarray], np.ndarray],
    cone: LightCone,
    sources: tuple[float, ...],
) -> np.ndarray:
    """Compute C_ℓ of the convergence in the flat-sky Limber approximation, k = ℓ/χ (Kaiser 1992; astro-ph/9912508 §6).

    Parameters
    ----------
    ell
        Multipoles, shape (n,).
    power
        P(k, z): broadcastable wavenumbers [h/Mpc] and redshifts -> power [(Mpc/h)³].
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
    spectra = []
    for source in sources:
        source_distance = cone.distance(source)
        chi = source_distance * (x + 1) / 2
        weights = source_distance / 2 * weight * (cone.kernel(chi, source) / chi) ** 2
        spectra.append(power(ell[:, None] / chi, cone.redshift(chi)) @ weights)
    return np.stack(spectra, axis=-1)


def limber(
    cosmology: Cosmology,
    ell: np.ndarray,
    sources: tuple[float, ...],
    *,
    linear: bool = False,
    pixel_arcmin: float = 0.0,
    smoothing_arcmin: float = 0.0,
) -> np.ndarray:
    """Compute C_ℓ of the convergence of a cosmology.

    Parameters
    ----------
    cosmology
        The cosmology.
    ell
        Multipoles, shape (n,).
    sources
        Source redshifts.
    linear
        Whether the linear matter power spectrum is used instead of HMcode2020.
    pixel_arcmin, smoothing_arcmin
        Side of the pixels and standard deviation of the Gaussian smoothing, whose windows are applied [arcmin].

    Returns
    -------
    np.ndarray
        C_ℓ, shape (n, sources) [sr].
    """
    spectra = matter_power(cosmology, max(sources))
    c_ell = convergence_power(ell, spectra[0 if linear else 1], light_cone(cosmology.omega_m), sources)
    return c_ell * (smoothing_window(ell, pixel_arcmin, smoothing_arcmin) ** 2)[:, None]


def smoothing_window(ell: np.ndarray, pixel_arcmin: float, smoothing_arcmin: float) -> np.ndarray:
    """Amplitude window of square pixels, averaged over directions, and of a Gaussian smoothing.

    Parameters
    ----------
    ell
        Multipoles, shape (n,).
    pixel_arcmin, smoothing_arcmin
        Side of a pixel and standard deviation of the Gaussian [arcmin].

    Returns
    -------
    np.ndarray
        Root mean square over directions, shape (n,).
    """
    arcmin = np.pi / 180 / 60
    angle = (np.arange(64) + 0.5) * np.pi / 128
    side = np.asarray(ell, float)[:, None] * pixel_arcmin * arcmin / (2 * np.pi)
    window = np.sinc(side * np.cos(angle)) * np.sinc(side * np.sin(angle))
    gauss = np.exp(-0.5 * (np.asarray(ell, float) * smoothing_arcmin * arcmin) ** 2)
    return np.sqrt(np.mean(window**2, axis=1)) * gauss
