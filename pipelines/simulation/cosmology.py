"""Flat ΛCDM cosmologies: parameters, sampling and growth of structure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from scipy.stats import qmc


@dataclass(frozen=True, kw_only=True)
class Cosmology:
    """Flat ΛCDM cosmology with massless neutrinos and T_cmb = 2.7255 K."""

    omega_m: float = 0.3  # matter density today, in units of the critical density
    sigma_8: float = 0.8  # rms of the linear density contrast today in spheres of 8 Mpc/h
    n_s: float = 0.96  # spectral index of the primordial power spectrum
    h: float = 0.7  # Hubble constant [100 km/s/Mpc]
    omega_b: float = 0.049  # baryon density today, in units of the critical density

    def __post_init__(self) -> None:
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must lie in [{low}, {high}], found {value}")
        if self.omega_b >= self.omega_m:
            raise ValueError(f"omega_b must be less than omega_m = {self.omega_m}, found {self.omega_b}")


BOUNDS = {
    "omega_m": (0.05, 0.95),
    "sigma_8": (0.1, 2.0),
    "n_s": (0.5, 1.5),
    "h": (0.3, 1.2),
    "omega_b": (0.005, 0.2),
}
PARAMETERS = tuple(field.name for field in fields(Cosmology))


def sample_cosmologies(ranges: Mapping[str, tuple[float, float]], count: int, seed: int) -> list[Cosmology]:
    """Draw cosmologies from a scrambled Sobol sequence over the given ranges. Other parameters keep their defaults.

    Parameters
    ----------
    ranges
        Parameter name -> (lowest, highest).
    count
        Number of cosmologies. The first n of a longer sequence equal the sequence of n.
    seed
        Seed of the scrambling.

    Returns
    -------
    list of Cosmology
        The cosmologies, `count` of them.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, found {count}")
    names = [name for name in PARAMETERS if name in ranges]  # the order of the ranges in a file does not matter
    if len(names) != len(ranges):
        raise ValueError(
            f"ranges: must be one of {', '.join(PARAMETERS)}; found {', '.join(set(ranges) - set(PARAMETERS))}"
        )
    if not names:
        return [Cosmology()] * count
    unit = qmc.Sobol(len(names), scramble=True, rng=np.random.default_rng(seed)).random_base2(
        math.ceil(math.log2(count))
    )
    low, high = np.array([ranges[name] for name in names], float).T
    return [
        replace(Cosmology(), **dict(zip(names, map(float, low + u * (high - low)), strict=True))) for u in unit[:count]
    ]


@dataclass(frozen=True)
class Growth:
    """Growth factors of first and second order, D and E.

    The displacement is D ψ₁ + E ψ₂ with D = 1 today and E = −3/7 D² in matter domination (Bouchet et al. 1995,
    astro-ph/9406013). Radiation is neglected.

    Attributes
    ----------
    of_ln_a
        D as a function of ln a.
    second, second_slope
        E and dE/dD as functions of D.
    """

    of_ln_a: CubicSpline
    second: CubicSpline
    second_slope: CubicSpline

    def factor(self, redshift: float) -> float:
        """Growth factor D at a redshift."""
        return float(self.of_ln_a(-math.log1p(redshift)))


def growth(omega_m: float) -> Growth:
    """Solve for the growth factors in flat ΛCDM with matter density omega_m today."""

    def slopes(ln_a: float, y: np.ndarray) -> list[float]:
        first, first_dot, second, second_dot = y
        matter = omega_m * math.exp(-3 * ln_a)
        matter_fraction = matter / (matter + 1 - omega_m)
        friction = 2 - 1.5 * matter_fraction
        return [
            first_dot,
            1.5 * matter_fraction * first - friction * first_dot,
            second_dot,
            1.5 * matter_fraction * (second - first * first) - friction * second_dot,
        ]

    start = math.log(1e-3)
    ln_a = np.linspace(start, 0, 257)
    a = math.exp(start)
    y = solve_ivp(slopes, (start, 0), [a, a, -3 / 7 * a**2, -6 / 7 * a**2], "DOP853", ln_a, rtol=1e-8, atol=1e-12).y
    first, second, slope = y[0] / y[0, -1], y[2] / y[0, -1] ** 2, y[3] / y[1] / y[0, -1]
    return Growth(CubicSpline(ln_a, first), CubicSpline(first, second), CubicSpline(first, slope))
