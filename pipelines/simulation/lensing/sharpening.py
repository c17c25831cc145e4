"""Correction of the small scales of lens planes to the HMcode2020 power spectrum.

A particle mesh loses power near the scale of its cells: with one Mpc/h between particles, a tenth at k = 1.8 h/Mpc and
half at k = 4. In addition, the particular halos of one box of 128 Mpc/h raise or lower all of its small scales by a
tenth or two, in all maps made of it. Both effects are corrected plane by plane:

- The ratio of the mean power of the planes, over all axes and boxes of a cosmology, to HMcode2020 is fitted by one
  smooth function for all shells: ln R(k, z) = A(z) + B(k, z) for k₀ < k < k₁, from a quarter of the particles' Nyquist
  wavenumber to twice that wavenumber. The shape B is a cubic in ln(k/k₀) that vanishes at k₀; the amplitude A and the
  coefficients of B are linear in z. With only eight numbers for all shells, single modes, directions and maps keep
  their own fluctuations about the mean.
- "shape": modes are multiplied by exp(-B/2) between k₀ and k₁, and left unchanged below k₀. The box keeps its own
  amplitude, the cosmic variance of its volume.
- "power": modes are also multiplied by exp(-A/2) beyond k₀; from k₀/4 to k₀ the amplitude sets in linearly in ln k. The
  mean C_ℓ of the maps of a cosmology is then that of HMcode2020 by construction where such k dominate, even with one
  box, as needed to train a network on cosmology. The variance between maps of one cosmology is that within the box.
- Phases remain those of the particle mesh. Shot noise is included in the power that is corrected, and is not
  subtracted. At Ωm = 0.3, z = 0.6 and one Mpc/h between particles, Poisson noise would be 0.04 of that power at k =
  3.5, 0.08 at 5.5 and less than 0.13 at k₁.
- No mode is multiplied by more than 3. Beyond k₁ there is no correction: modes are damped by a Gaussian of width k₁/4,
  which suppresses the noise and the power of the maps.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Sharpen = Literal["none", "shape", "power"]
_MAX_FACTOR = 3.0  # of any mode
_BINS = 16  # of the power spectrum


@dataclass(frozen=True)
class Sharpening:
    """Factor by which the modes of the planes of one cosmology are multiplied.

    Attributes
    ----------
    k_from, k_to
        k₀ and k₁ [h/Mpc].
    amplitude_coefficients
        Coefficients a of A = Σ a[q] z^q, shape (2,).
    shape_coefficients
        Coefficients b of B = Σ b[p, q] ln(k/k₀)^(p + 1) z^q, shape (3, 2).
    mode
        "power" corrects A and B, "shape" only B.
    """

    k_from: float
    k_to: float
    amplitude_coefficients: np.ndarray
    shape_coefficients: np.ndarray
    mode: Literal["shape", "power"]

    def factor(self, k: np.ndarray, redshift: float) -> np.ndarray:
        """Factor at wavenumbers k [h/Mpc] of a plane at a redshift, same shape as k."""
        amplitude, shape = self._ln_ratio(k, redshift)
        factor = np.exp(-0.5 * (shape + (amplitude if self.mode == "power" else 0.0)))
        beyond = np.clip(k - self.k_to, 0, None) / (self.k_to / 4)
        return np.minimum(factor, _MAX_FACTOR) * np.exp(-0.5 * beyond**2)

    def residual_power(self, k: np.ndarray, redshift: float) -> np.ndarray:
        """Fitted ratio of the power of a sharpened plane to theory, same shape as k; 1 where fully corrected."""
        amplitude, shape = self._ln_ratio(k, redshift)
        return np.exp(amplitude + shape) * self.factor(k, redshift) ** 2

    def _ln_ratio(self, k: np.ndarray, redshift: float) -> tuple[np.ndarray, np.ndarray]:
        """Amplitude and shape of ln R. The amplitude sets in from k₀/4 to k₀; beyond k₁ both are constant."""
        x = np.log(np.clip(k, self.k_from / 4, self.k_to) / self.k_from)
        inside, ramp = np.clip(x, 0, None), np.clip(1 + x / np.log(4), 0, 1)
        powers = np.array([1.0, redshift])
        slopes = self.shape_coefficients @ powers
        shape = inside * (slopes[0] + inside * (slopes[1] + inside * slopes[2]))
        return ramp * float(self.amplitude_coefficients @ powers), shape


def corrected_range(box_mpc_h: float, particles: int) -> tuple[float, float]:
    """Wavenumbers k₀ and k₁ between which planes are sharpened [h/Mpc]."""
    nyquist = np.pi * particles / box_mpc_h
    return 0.25 * nyquist, 2.0 * nyquist


def power_bins(box_mpc_h: float, particles: int) -> np.ndarray:
    """Bin edges of the power of the planes [h/Mpc], uniform in ln k."""
    return np.geomspace(*corrected_range(box_mpc_h, particles), _BINS + 1)


def fit_sharpening(
    k: np.ndarray,
    ratio: np.ndarray,
    modes: np.ndarray,
    redshift: np.ndarray,
    k_range: tuple[float, float],
    mode: Literal["shape", "power"],
) -> Sharpening:
    """Fit the ratio of the planes' power to theory.

    Parameters
    ----------
    k
        Wavenumbers of the bins, shape (bins,) [h/Mpc].
    ratio
        Ratio of the planes' power to theory, shape (shells, bins).
    modes
        Number of independent modes of each bin, shape (bins,).
    redshift
        Redshift of each shell, shape (shells,).
    k_range
        k₀ and k₁ [h/Mpc].
    mode
        "power" corrects amplitude and shape, "shape" only the shape.
    """
    x = np.log(k / k_range[0])
    shape = (len(redshift), len(k))
    columns = [
        np.broadcast_to(x[None, :] ** power * redshift[:, None] ** slope, shape).reshape(-1)
        for power in (0, 1, 2, 3)
        for slope in (0, 1)
    ]
    # scatter of 1/√modes plus a few per cent; otherwise the many modes near k₁ would dominate the fit
    weight = np.broadcast_to(1 / np.sqrt(1 / modes + 0.03**2), shape).reshape(-1)
    fit = np.linalg.lstsq(np.stack(columns, axis=1) * weight[:, None], np.log(ratio).reshape(-1) * weight, rcond=None)
    amplitude, *rest = fit[0].reshape(4, 2)
    return Sharpening(*k_range, amplitude, np.array(rest), mode)
