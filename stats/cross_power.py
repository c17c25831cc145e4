"""The cross-power of two fields in one periodic cube, and how well they correlate."""

from dataclasses import dataclass

import numba
import numpy as np

from tenfold.stats.modes import checked_modes
from tenfold.stats.power import shell_sums


@dataclass(frozen=True)
class CrossPower:
    """Cross-power in bins one fundamental mode wide, [i, i + 1) 2π/L for i = 1 … N/2 − 1.

    Attributes
    ----------
    k
        Mean wavenumber of the modes of each bin, shape (N/2 − 1,) [h/Mpc].
    power
        Mean of Re(δ_a δ_b*), shape (N/2 − 1,) [(Mpc/h)³].
    correlation
        Correlation coefficient P_ab/√(P_aa P_bb), shape (N/2 − 1,); NaN where a field has no power.
    modes
        Number of independent modes of each bin, shape (N/2 − 1,).
    """

    k: np.ndarray
    power: np.ndarray
    correlation: np.ndarray
    modes: np.ndarray


def cross_power(modes: np.ndarray, other: np.ndarray, box_mpc_h: float) -> CrossPower:
    """Cross-power of two fields.

    Parameters
    ----------
    modes, other
        Of `tenfold.stats.modes.mesh_modes` (each with its own window, interlaced or not), shape (N, N, N//2 + 1).
    box_mpc_h
        Side of the cube [Mpc/h].

    Raises
    ------
    ValueError
        If shapes do not fit, or the box is not positive.
    """
    checked_modes(modes, other, box_mpc_h)
    side = modes.shape[0]
    flat, bins = np.ones(side), slice(1, side // 2)
    one, k_sum, weight = (each[bins] for each in shell_sums(modes, flat))
    two = shell_sums(other, flat)[0][bins]
    both = _cross_sums(modes, other)[bins]
    scale = np.sqrt(one) * np.sqrt(two)
    return CrossPower(
        k=k_sum / weight * (2 * np.pi / box_mpc_h),
        power=both / weight * (float(box_mpc_h) ** 3 / float(side) ** 6),
        correlation=np.divide(both, scale, out=np.full_like(both, np.nan), where=scale > 0),
        modes=weight / 2,
    )


@numba.njit(cache=True)
def _cross_sums(modes: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Sum Re(modes other*) over the shells of `shell_sums`."""
    side = modes.shape[0]
    total = np.zeros(int(np.sqrt(3.0) * (side // 2)) + 2)
    for i in range(side):
        x = min(i, side - i)
        for j in range(side):
            y = min(j, side - j)
            for z in range(modes.shape[2]):
                a, b = modes[i, j, z], other[i, j, z]
                twice = 1.0 if z == 0 or 2 * z == side else 2.0
                total[int(np.sqrt(float(x * x + y * y + z * z)))] += twice * (a.real * b.real + a.imag * b.imag)
    return total
