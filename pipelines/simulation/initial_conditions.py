"""Gaussian initial conditions and their Lagrangian displacements to second order."""

import math
from collections.abc import Callable

import numba
import numpy as np
import scipy.fft


def linear_field(
    power: Callable[[np.ndarray], np.ndarray],
    side: int,
    box_mpc_h: float,
    rng: np.random.Generator,
    *,
    fixed: bool = False,
) -> np.ndarray:
    """Draw the Fourier modes of a Gaussian random field with a given power spectrum.

    Parameters
    ----------
    power
        Power spectrum P(k): wavenumbers [h/Mpc] -> power [(Mpc/h)³].
    side
        Mesh points per side, N.
    box_mpc_h
        Side of the periodic box [Mpc/h].
    rng
        Source of the white noise.
    fixed
        Whether every mode has its expected amplitude and only its phase is random (Angulo & Pontzen,
        arXiv:1603.05253). This reduces the variance of a measured P(k); it is not meant for volumes that an estimator
        is trained on.

    Returns
    -------
    np.ndarray
        Modes as from scipy.fft.rfftn of the overdensity, complex64, shape (N, N, N//2 + 1).
    """
    modes = scipy.fft.rfftn(rng.standard_normal((side, side, side), dtype=np.float32), workers=1)
    if fixed:
        modes *= np.float32(side**1.5) / np.abs(modes)
    fundamental = 2 * math.pi / box_mpc_h
    squares = np.arange(3 * (side // 2) ** 2 + 1)  # |n|² of every mode
    squares[0] = 1
    amplitude = np.sqrt(power(fundamental * np.sqrt(squares)) * (side / box_mpc_h) ** 3)
    amplitude[0] = 0
    _scale(modes, amplitude.astype(np.float32))
    return modes


@numba.njit(cache=True)
def _scale(modes, amplitude):
    side = modes.shape[0]
    for i in range(side):
        x = min(i, side - i)
        for j in range(side):
            y = min(j, side - j)
            for z in range(modes.shape[2]):
                modes[i, j, z] *= amplitude[x * x + y * y + z * z]


def displacements(modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute first- and second-order Lagrangian displacements (Bouchet et al. 1995, astro-ph/9406013).

    Parameters
    ----------
    modes
        Fourier modes of the linear overdensity today, shape (N, N, N//2 + 1).

    Returns
    -------
    tuple of np.ndarray
        ψ₁, ψ₂ with x = q + D ψ₁ + E ψ₂ (D and E as in `tenfold.pipelines.simulation.cosmology.Growth`) at the mesh
        points, each float32, shape (N³, 3) [mesh cells].
    """
    side = modes.shape[0]
    inverse = _inverse_laplacian(side)
    wave = _wavenumbers(side)
    potential = modes * inverse  # ∇²φ = δ, so that ψ₁ = −∇φ

    def second_derivative(first: int, second: int) -> np.ndarray:
        return scipy.fft.irfftn(-potential * (wave[first] * wave[second]), s=(side,) * 3, workers=1)

    xx, yy, zz = (second_derivative(axis, axis) for axis in range(3))
    source = xx * (yy + zz) + yy * zz
    del xx, yy, zz
    for first, second in ((0, 1), (0, 2), (1, 2)):
        source -= second_derivative(first, second) ** 2
    second_potential = scipy.fft.rfftn(source, workers=1) * -inverse
    return _minus_gradient(potential, wave), _minus_gradient(second_potential, wave)


def _minus_gradient(potential: np.ndarray, wave: list[np.ndarray]) -> np.ndarray:
    side = potential.shape[0]
    out = np.empty((side, side, side, 3), np.float32)
    for axis in range(3):
        out[..., axis] = scipy.fft.irfftn(np.complex64(-1j) * wave[axis] * potential, s=(side,) * 3, workers=1)
    return out.reshape(-1, 3)


def _wavenumbers(side: int) -> list[np.ndarray]:
    """Wavenumbers per cell along the three axes, broadcastable; zero at Nyquist, where a real field has no gradient."""
    full = (2 * np.pi * np.fft.fftfreq(side)).astype(np.float32)
    full[side // 2] = 0
    return [full[:, None, None], full[None, :, None], full[None, None, : side // 2 + 1]]


def _inverse_laplacian(side: int) -> np.ndarray:
    full = (2 * np.pi * np.fft.fftfreq(side).astype(np.float32)) ** 2
    square = full[:, None, None] + full[None, :, None] + full[None, None, : side // 2 + 1]
    square[0, 0, 0] = 1
    inverse = -1 / square
    inverse[0, 0, 0] = 0
    return inverse
