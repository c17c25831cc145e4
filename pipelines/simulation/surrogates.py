"""Gaussian random fields that share a box's power spectrum, and nothing else."""

import numba
import numpy as np
import scipy.fft

from tenfold.stats.power import shell_sums


def gaussian_surrogate(delta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian random field with exactly the binned power spectrum of delta.

    White noise is rescaled shell by shell (shells one fundamental mode wide, as in `tenfold.stats.power`, and on to
    the corners of the cube), so that the power of every shell equals that of delta to rounding. All that the twin
    knows of delta is its P(k).

    Parameters
    ----------
    delta
        Overdensity, shape (N, N, N), or (N, N, N, C): the channels then share one white noise.
    rng
        Source of the white noise.

    Returns
    -------
    np.ndarray
        Overdensity of the twin, float32, same shape as delta. It falls below −1 where a density cannot.
    """
    if delta.ndim not in (3, 4) or len(set(delta.shape[:3])) != 1:
        raise ValueError(f"gaussian_surrogate needs shape (N, N, N) or (N, N, N, C), found {delta.shape}")
    side = delta.shape[0]
    white = scipy.fft.rfftn(rng.standard_normal((side, side, side), dtype=np.float32), workers=1)
    flat = np.ones(side)
    noise, _, _ = shell_sums(white, flat)
    channels = delta.reshape(side, side, side, -1)
    twin = np.empty(channels.shape, np.float32)
    for channel in range(channels.shape[3]):
        modes = scipy.fft.rfftn(np.ascontiguousarray(channels[..., channel], np.float32), workers=1)
        power, _, _ = shell_sums(modes, flat)
        amplitude = np.sqrt(np.divide(power, noise, out=np.zeros_like(power), where=noise > 0))
        twin[..., channel] = np.asarray(scipy.fft.irfftn(_scaled(white, amplitude), s=(side,) * 3, workers=1))
    return twin.reshape(delta.shape)


@numba.njit(cache=True)
def _scaled(modes, amplitude):
    side = modes.shape[0]
    out = np.empty_like(modes)
    for i in range(side):
        x = i if 2 * i <= side else i - side
        for j in range(side):
            y = j if 2 * j <= side else j - side
            for z in range(modes.shape[2]):
                out[i, j, z] = modes[i, j, z] * np.float32(amplitude[int(np.sqrt(float(x * x + y * y + z * z)))])
    out[0, 0, 0] = 0
    return out
