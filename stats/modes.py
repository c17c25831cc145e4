"""Fourier modes of a periodic mesh, corrected for mass assignment and aliasing.

Auto and cross power spectra in one, two and three dimensions are measured from these modes.
"""

import numba
import numpy as np
import scipy.fft


def mesh_modes(delta: np.ndarray, *, window: int | np.ndarray = 0, shifted: np.ndarray | None = None) -> np.ndarray:
    """Compute the Fourier modes of a periodic cube, divide out the mass assignment, and interlace two meshes.

    Parameters
    ----------
    delta
        Overdensity, shape (N, N, N), float32 or float64.
    window
        Mass assignment: its order p, with sinc(n/N)^p per axis (0 none, 1 NGP, 2 CIC, 3 TSC, 4 PCS), or the amplitude
        of any other window per mode of an axis, in the order of numpy.fft.fftfreq, shape (N,).
    shifted
        Overdensity of the same particles, painted after a shift by +½ cell along each axis, same shape. The mean of
        both meshes' modes, the second shifted back, is free of the odd aliases, which are the strongest (Sefusatti et
        al., arXiv:1512.07295). Modes with a component at N/2 are those of the first mesh.

    Returns
    -------
    np.ndarray
        Modes as from scipy.fft.rfftn, shape (N, N, N//2 + 1), complex64 or complex128.

    Raises
    ------
    ValueError
        A mesh is not a cube, the two differ in shape, or the window has the wrong shape or vanishes.
    """
    if delta.ndim != 3 or len(set(delta.shape)) != 1 or delta.shape[0] < 4:
        raise ValueError(f"mesh_modes needs a cube of at least 4 cells per side, found shape {delta.shape}")
    side = delta.shape[0]
    n = np.fft.fftfreq(side)
    if np.ndim(window) == 0:
        if window < 0:
            raise ValueError(f"window: an order of at least 0 is needed, found {window}")
        amplitude = np.sinc(n) ** window
    else:
        amplitude = np.asarray(window, np.float64)
        if amplitude.shape != (side,) or not (np.abs(amplitude) > 0).all():
            raise ValueError(f"window: shape ({side},) without zeros is needed, found shape {amplitude.shape}")
    modes = np.asarray(scipy.fft.rfftn(delta, workers=1))
    if shifted is not None:
        if shifted.shape != delta.shape:
            raise ValueError(f"shifted: shape {delta.shape} is needed, found {shifted.shape}")
        phase = np.exp(1j * np.pi * n)
        phase[2 * np.abs(n) == 1] = 0  # ±N/2 are the same mode, with opposite phases: not shifted
        _interlace(modes, np.asarray(scipy.fft.rfftn(shifted, workers=1)), phase.astype(modes.dtype))
    if np.ndim(window) or window:
        _scale(modes, (1 / amplitude).astype(modes.real.dtype))
    return modes


@numba.njit(cache=True, fastmath=True)
def _interlace(modes: np.ndarray, shifted: np.ndarray, phase: np.ndarray) -> None:
    for i in range(modes.shape[0]):
        for j in range(modes.shape[1]):
            across = phase[i] * phase[j]
            for k in range(modes.shape[2]):
                shift = across * phase[k]
                if shift != 0:
                    modes[i, j, k] = (modes[i, j, k] + shifted[i, j, k] * shift) / 2


@numba.njit(cache=True, fastmath=True)
def _scale(modes: np.ndarray, factor: np.ndarray) -> None:
    for i in range(modes.shape[0]):
        for j in range(modes.shape[1]):
            across = factor[i] * factor[j]
            for k in range(modes.shape[2]):
                modes[i, j, k] *= across * factor[k]


def wavenumbers(side: int, box_mpc_h: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wavenumber components of each mode, shapes (N, 1, 1), (N, 1) and (N//2 + 1,) [h/Mpc]."""
    k = 2 * np.pi / box_mpc_h * np.fft.fftfreq(side, 1 / side)
    return k[:, None, None], k[:, None], np.abs(k[: side // 2 + 1])


def power_grid(modes: np.ndarray, box_mpc_h: float, *, other: np.ndarray | None = None) -> np.ndarray:
    """Compute the power of every mode, P(k) in three dimensions, or the cross power of two fields.

    Parameters
    ----------
    modes
        Output of `mesh_modes`, shape (N, N, N//2 + 1).
    box_mpc_h
        Side of the cube [Mpc/h].
    other
        Modes of the second field, same shape.

    Returns
    -------
    np.ndarray
        Re(modes × other*), shape (N, N, N//2 + 1) [(Mpc/h)³]; `wavenumbers` gives the positions of the modes.
    """
    checked_modes(modes, modes if other is None else other, box_mpc_h)
    other = modes if other is None else other
    power = modes.real * other.real + modes.imag * other.imag
    power *= float(box_mpc_h) ** 3 / float(modes.shape[0]) ** 6
    return power


def checked_modes(modes: np.ndarray, other: np.ndarray, box_mpc_h: float) -> None:
    """Check the shapes of the modes of two cubes, and the box size.

    Raises
    ------
    ValueError
        The shapes are not both (N, N, N//2 + 1), or the box size is not positive.
    """
    side = modes.shape[0]
    for field in (modes, other):
        if field.shape != (side, side, side // 2 + 1):
            raise ValueError(f"modes: both fields need shape (N, N, N//2 + 1), found {modes.shape} and {other.shape}")
    if not box_mpc_h > 0:
        raise ValueError(f"box_mpc_h must be positive, found {box_mpc_h}")
