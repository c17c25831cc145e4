"""Power spectrum and overdensity of a periodic cube."""

from dataclasses import dataclass

import numba
import numpy as np

from tenfold.stats.modes import mesh_modes


@dataclass(frozen=True)
class PowerSpectrum:
    """P(k) in bins one fundamental mode wide, [i, i + 1) 2π/L for i = 1 … N/2 − 1.

    Attributes
    ----------
    k
        Mean wavenumber of the modes of each bin, shape (N/2 − 1,) [h/Mpc].
    power
        Mean power of the modes of each bin, including shot noise, shape (N/2 − 1,) [(Mpc/h)³].
    modes
        Number of independent modes of each bin (a mode and its complex conjugate count once), shape (N/2 − 1,):
        the relative error of a Gaussian field's power is modes^(−1/2).
    shot_noise
        Poisson shot noise V/N [(Mpc/h)³]; 0 where no number of particles was given.
    """

    k: np.ndarray
    power: np.ndarray
    modes: np.ndarray
    shot_noise: float


def overdensity(counts: np.ndarray) -> np.ndarray:
    """Compute the overdensity δ = n/n̄ − 1 of a cube of counts.

    Parameters
    ----------
    counts
        Particle counts or mass per cell, any unit, shape (N, N, N).

    Returns
    -------
    np.ndarray
        δ, float32, same shape.

    Raises
    ------
    ValueError
        The mean of the cube is not positive.
    """
    mean = counts.mean(dtype=np.float64)
    if not mean > 0:
        raise ValueError(f"overdensity needs a positive mean count, found {mean}")
    return (counts * np.float32(1 / mean) - np.float32(1)).astype(np.float32, copy=False)


def power_spectrum(
    delta: np.ndarray,
    box_mpc_h: float,
    *,
    window_order: int = 0,
    particles: int | None = None,
    shifted: np.ndarray | None = None,
) -> PowerSpectrum:
    """Measure the power spectrum of a periodic cube.

    Parameters
    ----------
    delta
        Overdensity, shape (N, N, N), float32 or float64.
    box_mpc_h
        Side of the cube [Mpc/h].
    window_order
        Order p of the mass assignment to divide out, sinc(k_i L/2N)^p per axis in amplitude: 0 none, 1 NGP, 2 CIC,
        3 TSC, 4 PCS. Aliases remain (Jing 2005, astro-ph/0409240).
    particles
        Number of particles in the cube, for the shot noise.
    shifted
        Overdensity of the same particles painted half a cell further, same shape: the strongest aliases are removed by
        interlacing, see `tenfold.stats.modes.mesh_modes`.

    Raises
    ------
    ValueError
        delta is not a cube of at least four cells per side, or the box size or window order is out of range.
    """
    if delta.ndim != 3 or len(set(delta.shape)) != 1 or delta.shape[0] < 4:
        raise ValueError(f"power_spectrum needs a cube of at least 4 cells per side, found shape {delta.shape}")
    if not box_mpc_h > 0:
        raise ValueError(f"box_mpc_h must be positive, found {box_mpc_h}")
    if not 0 <= window_order <= 4:
        raise ValueError(f"window_order must be 0 (none), 1 (NGP), 2 (CIC), 3 (TSC) or 4 (PCS), found {window_order}")
    modes = mesh_modes(delta, shifted=shifted)
    return spectrum_of_modes(modes, box_mpc_h, window=_window(delta.shape[0], window_order), particles=particles)


def spectrum_of_modes(
    modes: np.ndarray, box_mpc_h: float, *, window: np.ndarray | None = None, particles: int | None = None
) -> PowerSpectrum:
    """Measure the power spectrum from the modes of a periodic cube, such as those of `tenfold.stats.modes.mesh_modes`.

    Parameters
    ----------
    modes
        scipy.fft.rfftn of the overdensity, shape (N, N, N//2 + 1).
    box_mpc_h, particles
        As for `power_spectrum`.
    window
        Window of the power along each axis, to be divided out, shape (N,); by default none.
    """
    side = modes.shape[0]
    total, k_sum, weight = shell_sums(modes, np.ones(side) if window is None else window)
    bins = slice(1, side // 2)
    volume = float(box_mpc_h) ** 3
    return PowerSpectrum(
        k=k_sum[bins] / weight[bins] * (2 * np.pi / box_mpc_h),
        power=total[bins] / weight[bins] * (volume / float(side) ** 6),
        modes=weight[bins] / 2,
        shot_noise=volume / particles if particles else 0.0,
    )


def _window(side: int, order: int) -> np.ndarray:
    """Power window of a mass assignment along one axis, sinc^2p, shape (N,)."""
    return np.sinc(np.fft.fftfreq(side)) ** (2 * order)


@numba.njit(cache=True)
def shell_sums(modes: np.ndarray, window: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum |modes|² of a real field's transform over spherical shells.

    Parameters
    ----------
    modes
        scipy.fft.rfftn of a cube, shape (N, N, N//2 + 1).
    window
        Window of the power along each axis, to be divided out, shape (N,); symmetric in n.

    Returns
    -------
    tuple of np.ndarray
        Sum of the power, sum of |n| (in fundamental modes) and number of modes in all of Fourier space. Shell i holds
        i ≤ |n| < i + 1, out to the corners of the cube. The mean (n = 0) is excluded.
    """
    side, columns = modes.shape[0], modes.shape[2]
    inverse = 1 / window
    shells = int(np.sqrt(3.0) * (side // 2)) + 2
    # two alternating accumulators: the next addition need not wait for the previous one
    total, k_sum, weight = np.zeros((2, shells)), np.zeros((2, shells)), np.zeros((2, shells))
    row, size, shell = np.empty(columns, modes.real.dtype), np.empty(columns), np.empty(columns, np.int32)
    # the other half-space is the complex conjugate, except for the planes z = 0 and z = N/2
    twice = np.full(columns, 2.0)
    twice[0] = 1.0
    if side % 2 == 0:
        twice[columns - 1] = 1.0
    along = inverse[:columns] * twice
    for x in range(side // 2 + 1):
        for y in range(side // 2 + 1):
            # (±x, ±y) are in the same shells
            other_x, other_y = (side - x) % side, (side - y) % side
            row[:] = 0
            _add_power(modes[x, y], row)
            if other_x != x:
                _add_power(modes[other_x, y], row)
            if other_y != y:
                _add_power(modes[x, other_y], row)
            if other_x != x and other_y != y:
                _add_power(modes[other_x, other_y], row)
            for z in range(columns):
                size[z] = np.sqrt(float(x * x + y * y + z * z))
                shell[z] = int(size[z])
            across = inverse[x] * inverse[y]
            for z in range(columns):
                total[z & 1, shell[z]] += row[z] * (across * along[z])
            if y > x:
                continue
            multiplicity = (1.0 if other_x == x else 2.0) * (1.0 if other_y == y else 2.0) * (1.0 if y == x else 2.0)
            for z in range(columns):
                k_sum[z & 1, shell[z]] += multiplicity * twice[z] * size[z]
                weight[z & 1, shell[z]] += multiplicity * twice[z]
    total[:, 0] = 0.0
    weight[0, 0] -= 1.0
    return total[0] + total[1], k_sum[0] + k_sum[1], weight[0] + weight[1]


@numba.njit(cache=True, fastmath=True)
def _add_power(modes: np.ndarray, row: np.ndarray) -> None:
    for z in range(row.size):
        row[z] += modes[z].real * modes[z].real + modes[z].imag * modes[z].imag
