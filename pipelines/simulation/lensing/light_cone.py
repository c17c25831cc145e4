"""Distances and the lensing kernel in flat ΛCDM without radiation, and the shells that boxes are tiled into."""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from scipy.interpolate import CubicSpline

HUBBLE_DISTANCE = 2997.92458
"""c / H₀ [Mpc/h]."""
FARTHEST = 20.0
"""Largest redshift that a light cone reaches."""


@dataclass(frozen=True)
class LightCone:
    """Comoving distances of a flat ΛCDM cosmology.

    Attributes
    ----------
    omega_m
        Matter today, in units of the critical density.
    of_redshift, of_distance
        χ(z) [Mpc/h] and z(χ), for 0 ≤ z ≤ 20.
    """

    omega_m: float
    of_redshift: CubicSpline
    of_distance: CubicSpline

    def distance(self, redshift: float) -> float:
        """Comoving distance to a redshift [Mpc/h]."""
        return float(self.of_redshift(redshift))

    def redshift(self, distance: np.ndarray) -> np.ndarray:
        """Redshift at comoving distances [Mpc/h]."""
        return self.of_distance(distance)

    def kernel(self, distance: np.ndarray, source: float) -> np.ndarray:
        """Lensing kernel W with κ = ∫ W δ dχ, for sources at one redshift (Bartelmann & Schneider, astro-ph/9912508).

        Parameters
        ----------
        distance
            Comoving distances χ [Mpc/h].
        source
            Redshift of the sources.

        Returns
        -------
        np.ndarray
            3/2 Ωm (H₀/c)² (1 + z) χ (1 − χ/χ_s), and 0 behind the sources, shape as distance [h/Mpc].
        """
        behind = self.distance(source)
        bent = np.clip(1 - distance / behind, 0, None) * distance
        return 1.5 * self.omega_m / HUBBLE_DISTANCE**2 * (1 + self.redshift(distance)) * bent


def light_cone(omega_m: float) -> LightCone:
    """Integrate dχ = c dz / H(z) with H² = H₀² (Ωm (1 + z)³ + 1 − Ωm)."""
    z = np.expm1(np.linspace(0, np.log1p(FARTHEST), 513))
    x, weight = legendre.leggauss(6)
    half = np.diff(z)[:, None] / 2
    inside = (z[1:] + z[:-1])[:, None] / 2 + half * x
    slabs = np.sum(weight * half / np.sqrt(omega_m * (1 + inside) ** 3 + 1 - omega_m), axis=1)
    distance = HUBBLE_DISTANCE * np.concatenate([[0.0], np.cumsum(slabs)])
    return LightCone(omega_m, CubicSpline(z, distance), CubicSpline(distance, z))


@dataclass(frozen=True)
class Shells:
    """Boxes laid end to end along the line of sight, from the observer to behind the farthest source.

    Attributes
    ----------
    distance
        Comoving distance of the middle of each shell, rising, shape (shells,) [Mpc/h].
    redshift
        Redshift there, shape (shells,).
    weights
        κ = Σ weight · δ, where δ is a shell's overdensity averaged along the line of sight, shape (shells, sources).
    """

    distance: np.ndarray
    redshift: np.ndarray
    weights: np.ndarray


def shells(cone: LightCone, depth: float, sources: tuple[float, ...]) -> Shells:
    """Cut a light cone into shells.

    Parameters
    ----------
    cone
        Distances.
    depth
        Thickness of a shell, the side of the box it is made of [Mpc/h].
    sources
        Source redshifts.
    """
    count = int(np.ceil(cone.distance(max(sources)) / depth))
    middle = (np.arange(count) + 0.5) * depth
    x, weight = legendre.leggauss(16)
    inside = middle[:, None] + depth / 2 * x
    weights = [depth / 2 * cone.kernel(inside, source) @ weight for source in sources]
    return Shells(middle, cone.redshift(middle), np.stack(weights, axis=1))
