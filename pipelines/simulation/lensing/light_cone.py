"""Comoving distances, lensing kernel and light-cone shells in flat ΛCDM without radiation."""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from scipy.interpolate import CubicSpline

HUBBLE_DISTANCE = 2997.92458
"""c / H₀ [Mpc/h]."""
MAX_REDSHIFT = 20.0
"""Largest redshift of a light cone."""


@dataclass(frozen=True)
class LightCone:
    """Comoving distances of a flat ΛCDM cosmology."""

    omega_m: float
    """Matter density today, in units of the critical density."""
    of_redshift: CubicSpline
    """χ(z) [Mpc/h], for 0 ≤ z ≤ 20."""
    of_distance: CubicSpline
    """Its inverse, z(χ)."""

    def distance(self, redshift: float) -> float:
        """Comoving distance to a redshift [Mpc/h]."""
        return float(self.of_redshift(redshift))

    def redshift(self, distance: np.ndarray) -> np.ndarray:
        """Redshift at comoving distances [Mpc/h]."""
        return self.of_distance(distance)

    def kernel(self, distance: np.ndarray, source: float) -> np.ndarray:
        """Compute the lensing kernel W, with κ = ∫ W δ dχ, for sources at one redshift.

        Bartelmann & Schneider (astro-ph/9912508).

        Parameters
        ----------
        distance
            Comoving distances χ [Mpc/h].
        source
            Source redshift.

        Returns
        -------
        np.ndarray
            3/2 Ωm (H₀/c)² (1 + z) χ (1 − χ/χ_s), and 0 behind the sources [h/Mpc], same shape as `distance`.
        """
        source_distance = self.distance(source)
        geometry = np.clip(1 - distance / source_distance, 0, None) * distance
        return 1.5 * self.omega_m / HUBBLE_DISTANCE**2 * (1 + self.redshift(distance)) * geometry


def light_cone(omega_m: float) -> LightCone:
    """Compute the distances of a cosmology by integrating dχ = c dz / H(z) with H² = H₀² (Ωm (1 + z)³ + 1 − Ωm)."""
    z = np.expm1(np.linspace(0, np.log1p(MAX_REDSHIFT), 513))
    x, weight = legendre.leggauss(6)
    half = np.diff(z)[:, None] / 2
    inside = (z[1:] + z[:-1])[:, None] / 2 + half * x
    intervals = np.sum(weight * half / np.sqrt(omega_m * (1 + inside) ** 3 + 1 - omega_m), axis=1)
    distance = HUBBLE_DISTANCE * np.concatenate([[0.0], np.cumsum(intervals)])
    return LightCone(omega_m, CubicSpline(z, distance), CubicSpline(distance, z))


@dataclass(frozen=True)
class Shells:
    """Shells along the line of sight, one box length thick, from the observer to beyond the farthest source."""

    distance: np.ndarray
    """Comoving distance of the centre of each shell, increasing, shape (shells,) [Mpc/h]."""
    redshift: np.ndarray
    """Redshift at the centre, shape (shells,)."""
    weights: np.ndarray
    """Weights in κ = Σ weight · δ, with the shell's overdensity δ averaged along the line of sight, shape
    (shells, sources)."""


def shells(cone: LightCone, depth: float, sources: tuple[float, ...]) -> Shells:
    """Divide a light cone into shells.

    Parameters
    ----------
    cone
        Distances of the cosmology.
    depth
        Thickness of a shell, equal to the side of the box [Mpc/h].
    sources
        Source redshifts.
    """
    count = int(np.ceil(cone.distance(max(sources)) / depth))
    middle = (np.arange(count) + 0.5) * depth
    x, weight = legendre.leggauss(16)
    inside = middle[:, None] + depth / 2 * x
    weights = [depth / 2 * cone.kernel(inside, source) @ weight for source in sources]
    return Shells(middle, cone.redshift(middle), np.stack(weights, axis=1))
