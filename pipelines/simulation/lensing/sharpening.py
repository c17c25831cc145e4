"""The small scales that the force mesh softens, lifted to HMcode2020's spectrum, and where that must end.

A particle mesh loses power near its cells: at one Mpc/h between particles a tenth at k = 1.8 h/Mpc, half at k = 4. And
the halos that one box of 128 Mpc/h happens to have raise or lower all of its small scales by a tenth or two, in all
maps that are made of it. What is done about both, plane by plane:

- The ratio of the planes' mean power, over all axes and boxes of a cosmology, to HMcode2020's is fitted by one smooth
  surface through all shells: ln R(k, z) = A(z) + B(k, z) for k₀ < k < k₁, from a quarter of the particles' Nyquist
  wavenumber to twice it. B, the shape, is a cubic in ln(k/k₀) that vanishes at k₀; A, the amplitude, and B's
  coefficients are linear in z. Eight numbers for all shells: single modes, directions and maps keep their own
  fluctuations about the mean.
- "shape": modes are multiplied by exp(-B/2) between k₀ and k₁, and left as they are below k₀. The box keeps its own
  amplitude, the cosmic variance of its volume.
- "power": by exp(-A/2) besides, beyond k₀; from k₀/4 to k₀ the amplitude sets in evenly in ln k. The mean C_ℓ of the
  maps of a cosmology is then HMcode2020's by construction wherever such k decide, even of one box: what a network that
  learns of cosmology needs. Variance between maps of one cosmology is that within the box.
- Phases stay those of the particle mesh. Shot noise is part of the power that is brought to HMcode2020's, and is not
  subtracted. At Ωm = 0.3 and z = 0.6, if particles were placed by chance, it is at one Mpc/h between them 0.04 of that
  power where k = 3.5, 0.08 at 5.5 and less than 0.13 at k₁.
- No mode is multiplied by more than 3. Beyond k₁ nothing is lifted: modes fade as a Gaussian of width k₁/4, which ends
  the noise, and the maps' power.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Sharpen = Literal["none", "shape", "power"]
_LARGEST = 3.0
_BINS = 16


@dataclass(frozen=True)
class Sharpening:
    """What modes of the planes of one cosmology are multiplied by.

    Attributes
    ----------
    k_from, k_to
        k₀ and k₁ [h/Mpc].
    amplitude
        Of A = Σ a[q] z^q, shape (2,).
    shape
        Of B = Σ b[p, q] ln(k/k₀)^(p + 1) z^q, shape (3, 2).
    what
        Whether A is corrected, or left alone.
    """

    k_from: float
    k_to: float
    amplitude: np.ndarray
    shape: np.ndarray
    what: Literal["shape", "power"]

    def factor(self, k: np.ndarray, redshift: float) -> np.ndarray:
        """Factor at wavenumbers k [h/Mpc] of a plane at a redshift, shape as k."""
        amplitude, shape = self._ln_ratio(k, redshift)
        lifted = np.exp(-0.5 * (shape + (amplitude if self.what == "power" else 0.0)))
        beyond = np.clip(k - self.k_to, 0, None) / (self.k_to / 4)
        return np.minimum(lifted, _LARGEST) * np.exp(-0.5 * beyond**2)

    def left(self, k: np.ndarray, redshift: float) -> np.ndarray:
        """Power of a sharpened plane over that wanted, as fitted: 1 where all is mended, shape as k."""
        amplitude, shape = self._ln_ratio(k, redshift)
        return np.exp(amplitude + shape) * self.factor(k, redshift) ** 2

    def _ln_ratio(self, k: np.ndarray, redshift: float) -> tuple[np.ndarray, np.ndarray]:
        """Amplitude and shape of ln R: from k₀/4 to k₀ the amplitude sets in, beyond k₁ both stay as they are there."""
        x = np.log(np.clip(k, self.k_from / 4, self.k_to) / self.k_from)
        inside, ramp = np.clip(x, 0, None), np.clip(1 + x / np.log(4), 0, 1)
        powers = np.array([1.0, redshift])
        slopes = self.shape @ powers
        shape = inside * (slopes[0] + inside * (slopes[1] + inside * slopes[2]))
        return ramp * float(self.amplitude @ powers), shape


def corrected_range(box_mpc_h: float, particles: int) -> tuple[float, float]:
    """Wavenumbers k₀ and k₁ between which planes are sharpened [h/Mpc]."""
    nyquist = np.pi * particles / box_mpc_h
    return 0.25 * nyquist, 2.0 * nyquist


def bins(box_mpc_h: float, particles: int) -> np.ndarray:
    """Edges of the bins in which the planes' power is measured [h/Mpc], even in ln k."""
    return np.geomspace(*corrected_range(box_mpc_h, particles), _BINS + 1)


def sharpening(
    k: np.ndarray,
    ratio: np.ndarray,
    modes: np.ndarray,
    redshift: np.ndarray,
    k_range: tuple[float, float],
    what: Literal["shape", "power"],
) -> Sharpening:
    """Fit the ratio of the planes' power to what it should be.

    Parameters
    ----------
    k
        Wavenumbers of the bins, shape (bins,) [h/Mpc].
    ratio
        Power of the planes over that wanted, shape (shells, bins).
    modes
        Independent modes of each bin, shape (bins,).
    redshift
        Of the shells, shape (shells,).
    k_range
        k₀ and k₁ [h/Mpc].
    what
        Whether the amplitude is corrected, too.
    """
    x = np.log(k / k_range[0])
    shape = (len(redshift), len(k))
    columns = [
        np.broadcast_to(x[None, :] ** power * redshift[:, None] ** slope, shape).reshape(-1)
        for power in (0, 1, 2, 3)
        for slope in (0, 1)
    ]
    # every bin scatters by 1/√modes and by some per cent, else the many modes near k₁ would decide alone
    weight = np.broadcast_to(1 / np.sqrt(1 / modes + 0.03**2), shape).reshape(-1)
    found = np.linalg.lstsq(np.stack(columns, axis=1) * weight[:, None], np.log(ratio).reshape(-1) * weight, rcond=None)
    amplitude, *rest = found[0].reshape(4, 2)
    return Sharpening(*k_range, amplitude, np.array(rest), what)
