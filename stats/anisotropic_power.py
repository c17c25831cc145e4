"""Anisotropic power spectrum P(k⊥, k∥), across and along a line of sight."""

from dataclasses import dataclass

import numba
import numpy as np

from tenfold.stats.modes import checked_modes


@dataclass(frozen=True)
class AnisotropicPower:
    """P(k⊥, k∥) in bins [i, i + 1) 2π/L of k⊥ and at k∥ = j 2π/L, with i and j from 0 to N/2 − 1.

    Attributes
    ----------
    k_perp
        Mean k⊥ of the modes of each bin, shape (N/2,) [h/Mpc].
    k_par
        |k∥| of each plane, shape (N/2,) [h/Mpc].
    power
        Mean power, shape (N/2, N/2), k⊥ first [(Mpc/h)³]; 0 in the first element, which holds only the mean.
    modes
        Number of independent modes, shape (N/2, N/2); 0 in the first element.
    """

    k_perp: np.ndarray
    k_par: np.ndarray
    power: np.ndarray
    modes: np.ndarray


def anisotropic_power(
    modes: np.ndarray, box_mpc_h: float, *, axis: int = 2, other: np.ndarray | None = None
) -> AnisotropicPower:
    """Measure the power spectrum, or cross power of two fields, across and along an axis of a periodic cube.

    Parameters
    ----------
    modes
        Fourier modes from `tenfold.stats.modes.mesh_modes`, shape (N, N, N//2 + 1).
    box_mpc_h
        Side of the cube [Mpc/h].
    axis
        Line of sight: 0, 1 or 2.
    other
        Modes of the second field, same shape; by default the power of `modes` is measured.

    Returns
    -------
    AnisotropicPower
        Power and number of modes by k⊥ and k∥.

    Raises
    ------
    ValueError
        The shapes do not match, the box size is not positive, or there is no such axis.
    """
    other = modes if other is None else other
    checked_modes(modes, other, box_mpc_h)
    if axis not in (0, 1, 2):
        raise ValueError(f"axis must be 0, 1 or 2, found {axis}")
    side = modes.shape[0]
    half, fundamental = side // 2, 2 * np.pi / box_mpc_h
    total, weight = _plane_sums(modes, other, axis)
    n = np.minimum(np.arange(side), side - np.arange(side))
    size = np.hypot(n[:, None], n).ravel()
    shell = size.astype(int)
    k_perp = np.bincount(shell, size)[:half] / np.bincount(shell)[:half]
    scale = float(box_mpc_h) ** 3 / float(side) ** 6
    return AnisotropicPower(
        k_perp=k_perp * fundamental,
        k_par=np.arange(half) * fundamental,
        power=total / np.maximum(weight, 1) * scale,
        modes=weight / 2,
    )


@numba.njit(cache=True)
def _plane_sums(modes: np.ndarray, other: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum of Re(modes other*) and number of modes in all of Fourier space by k⊥ and k∥, shape (N/2, N/2) each."""
    side = modes.shape[0]
    half = side // 2
    total, weight = np.zeros((half, half)), np.zeros((half, half))
    for i in range(side):
        x = min(i, side - i)
        for j in range(side):
            y = min(j, side - j)
            for z in range(modes.shape[2]):
                if axis == 0:
                    par, square = x, y * y + z * z
                elif axis == 1:
                    par, square = y, x * x + z * z
                else:
                    par, square = z, x * x + y * y
                perp = int(np.sqrt(float(square)))
                if par < half and perp < half:
                    a, b = modes[i, j, z], other[i, j, z]
                    twice = 1.0 if z == 0 or 2 * z == side else 2.0
                    total[perp, par] += twice * (a.real * b.real + a.imag * b.imag)
                    weight[perp, par] += twice
    total[0, 0] = 0.0
    weight[0, 0] = 0.0
    return total, weight
