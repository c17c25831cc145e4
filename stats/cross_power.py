"""Cross power spectrum and correlation coefficient of two fields in a periodic cube."""

from dataclasses import dataclass

import numba
import numpy as np

from tenfold.stats.modes import checked_modes
from tenfold.stats.power import shell_sums


@dataclass(frozen=True)
class CrossPower:
    """Cross power spectrum in bins one fundamental mode wide, [i, i + 1) 2π/L for i = 1 … N/2 − 1.

    Attributes
    ----------
    k
        Mean wavenumber of the modes of each bin, shape (N/2 − 1,) [h/Mpc].
    power
        Mean of Re(δ_a δ_b*), shape (N/2 − 1,) [(Mpc/h)³].
    correlation
        Correlation coefficient P_ab/√(P_aa P_bb), shape (N/2 − 1,); NaN where one of the fields has no power.
    modes
        Number of independent modes of each bin, shape (N/2 − 1,).
    """

    k: np.ndarray
    power: np.ndarray
    correlation: np.ndarray
    modes: np.ndarray


def cross_power(modes: np.ndarray, other: np.ndarray, box_mpc_h: float) -> CrossPower:
    """Measure the cross power spectrum of two fields.

    Parameters
    ----------
    modes, other
        Fourier modes from `tenfold.stats.modes.mesh_modes`, each with its own window and interlacing, shape
        (N, N, N//2 + 1).
    box_mpc_h
        Side of the cube [Mpc/h].

    Returns
    -------
    CrossPower
        Cross power and correlation coefficient by bin.

    Raises
    ------
    ValueError
        The shapes do not match, or the box size is not positive.
    """
    checked_modes(modes, other, box_mpc_h)
    side = modes.shape[0]
    flat, bins = np.ones(side), slice(1, side // 2)
    auto, k_sum, weight = (sums[bins] for sums in shell_sums(modes, flat))
    other_auto = shell_sums(other, flat)[0][bins]
    cross = _cross_sums(modes, other)[bins]
    scale = np.sqrt(auto) * np.sqrt(other_auto)
    return CrossPower(
        k=k_sum / weight * (2 * np.pi / box_mpc_h),
        power=cross / weight * (float(box_mpc_h) ** 3 / float(side) ** 6),
        correlation=np.divide(cross, scale, out=np.full_like(cross, np.nan), where=scale > 0),
        modes=weight / 2,
    )


@numba.njit(cache=True)
def _cross_sums(modes: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Sum of Re(modes other*) over the shells of `shell_sums`."""
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
