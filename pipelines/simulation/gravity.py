"""Particle-mesh gravity on a periodic mesh: cubic-spline assignment, potential by FFT, spline gradient.

Particles are assigned with the piecewise cubic spline (PCS) over four mesh points per axis, and the force is the
gradient of the same spline through the potential. Both windows are divided out, which is possible because the aliases
of the spline are weak. With cloud in cell, the initial particle lattice would make structure grow too fast.
"""

from dataclasses import dataclass

import numba
import numpy as np
import scipy.fft

from tenfold.stats.painting import bspline, neighbours

# Wavenumber at which the force is cut off, as a fraction of the mesh's Nyquist wavenumber. On a mesh with twice the
# resolution of the particles, a mode k has an image at Nyquist − k as long as the particles stay near their initial
# lattice, and a force that includes it makes structure grow too fast. A cut-off steeper than exp(−k⁴) makes the force
# ring over several cells.
FORCE_CUTOFF = 0.55


@dataclass(frozen=True)
class ForceMesh:
    """Mesh and Green's function that convert particles into the potential."""

    window: np.ndarray
    """Inverse window of assignment and interpolation along one axis, shape (N,)."""
    radial: np.ndarray
    """−filter/k² [cells²] by |n|², shape (3 (N/2)² + 1,)."""
    density: np.ndarray
    """Reused density mesh, float32, shape (N, N, N). Allocating it in every step would cost a tenth of the step."""

    @property
    def side(self) -> int:
        """Number of cells per side."""
        return len(self.window)

    def potential(self, positions: np.ndarray) -> np.ndarray:
        """Compute the potential φ of ∇²φ = δ.

        Parameters
        ----------
        positions
            Positions of particles of equal mass, float32, shape (particles, 3) [cells], 0 ≤ x ≤ N.

        Returns
        -------
        np.ndarray
            φ at the mesh points, for `kick`, float32, shape (N, N, N) [cells²].
        """
        self.density.fill(0)
        paint_pcs(positions, self.density, self.density.size / len(positions))
        modes = scipy.fft.rfftn(self.density, workers=1)
        _solve(modes, self.window, self.radial)
        return scipy.fft.irfftn(modes, s=self.density.shape, workers=1, overwrite_x=True)


def force_mesh(side: int) -> ForceMesh:
    """Set up a force mesh with `side` cells per side."""
    window = np.sinc(np.fft.fftfreq(side)) ** -8.0  # four powers each for assignment and interpolation
    k = np.sqrt(np.arange(3 * (side // 2) ** 2 + 1)) * (2 * np.pi / side)
    k[0] = 1
    radial = -np.exp(-((k / (FORCE_CUTOFF * np.pi)) ** 4)) / k**2
    radial[0] = 0
    density = np.empty((side,) * 3, np.float32)
    return ForceMesh(window.astype(np.float32), radial.astype(np.float32), density)


@numba.njit(cache=True, fastmath=True)
def _solve(modes, window, radial):
    side = modes.shape[0]
    for i in range(side):
        x = min(i, side - i)
        for j in range(side):
            y = min(j, side - j)
            weight, square = window[i] * window[j], x * x + y * y
            for z in range(modes.shape[2]):
                modes[i, j, z] *= weight * window[z] * radial[square + z * z]


@numba.njit(inline="always")
def _spline_slope(f):
    half, two, three_halves = np.float32(0.5), np.float32(2), np.float32(1.5)
    g = np.float32(1) - f
    return -half * g * g, f * (three_halves * f - two), g * (two - three_halves * g), half * f * f


@numba.njit(cache=True, fastmath=True)
def paint_pcs(positions: np.ndarray, mesh: np.ndarray, mass: float) -> None:
    """Assign particles to the 64 mesh points around each by cubic splines, and add them to the mesh.

    Parameters
    ----------
    positions, mesh, mass
        Positions, float32, shape (particles, 3) [cells], 0 ≤ x ≤ N; mesh, float32, contiguous, shape (N, N, N), changed
        in place; mass of one particle.
    """
    side, width = mesh.shape[0], np.uintp(mesh.shape[0])
    weight, flat, one = np.float32(mass), mesh.reshape(-1), np.uintp(1)
    for p in range(positions.shape[0]):
        x, y, z = positions[p, 0], positions[p, 1], positions[p, 2]
        i, j, k = int(x), int(y), int(z)
        wx, wy, wz = bspline(x - np.float32(i)), bspline(y - np.float32(j)), bspline(z - np.float32(k))
        # single precision may round a value just below N up to N
        i, j, k = i if i < side else 0, j if j < side else 0, k if k < side else 0
        rows, lines, (k0, k1, k2, k3) = neighbours(i, side), neighbours(j, side), neighbours(k, side)
        z0, z1, z2, z3 = wz[0] * weight, wz[1] * weight, wz[2] * weight, wz[3] * weight
        inside = k > 0 and k + 2 < side
        for a in range(4):
            for b in range(4):
                w = wx[a] * wy[b]
                line = (rows[a] * width + lines[b]) * width
                if inside:  # four neighbours in memory: vectorised
                    at = line + k0
                    flat[at] += w * z0
                    flat[at + one] += w * z1
                    flat[at + one + one] += w * z2
                    flat[at + one + one + one] += w * z3
                else:
                    flat[line + k0] += w * z0
                    flat[line + k1] += w * z1
                    flat[line + k2] += w * z2
                    flat[line + k3] += w * z3


@numba.njit(cache=True, fastmath=True)
def kick(positions: np.ndarray, velocities: np.ndarray, potential: np.ndarray, keep: float, gain: float) -> None:
    """Update velocities in place, v -> keep · v − gain · ∇φ, with the gradient of the cubic spline of coefficients φ.

    Parameters
    ----------
    positions, velocities
        Positions [cells] and velocities [cells per unit time], float32, shape (particles, 3).
    potential
        φ, float32, contiguous, shape (N, N, N) [cells²].
    keep, gain
        Coefficients of the time step.
    """
    side, width = potential.shape[0], np.uintp(potential.shape[0])
    keep, gain = np.float32(keep), np.float32(gain)  # pyright: ignore[reportAssignmentType] (numba: no float64 inside)
    zero, flat = np.float32(0), potential.reshape(-1)
    one, two, three = np.uintp(1), np.uintp(2), np.uintp(3)
    for p in range(positions.shape[0]):
        x, y, z = positions[p, 0], positions[p, 1], positions[p, 2]
        i, j, k = int(x), int(y), int(z)
        fx, fy, fz = x - np.float32(i), y - np.float32(j), z - np.float32(k)
        wx, wy, wz = bspline(fx), bspline(fy), bspline(fz)
        dx, dy, dz = _spline_slope(fx), _spline_slope(fy), _spline_slope(fz)
        i, j, k = i if i < side else 0, j if j < side else 0, k if k < side else 0
        rows, lines, (k0, k1, k2, k3) = neighbours(i, side), neighbours(j, side), neighbours(k, side)
        inside = k > 0 and k + 2 < side
        # sums over x and y for the four z points, so that they vectorise
        x0 = x1 = x2 = x3 = y0 = y1 = y2 = y3 = z0 = z1 = z2 = z3 = zero
        for a in range(4):
            s0 = s1 = s2 = s3 = t0 = t1 = t2 = t3 = zero
            for b in range(4):
                line = (rows[a] * width + lines[b]) * width
                if inside:
                    at = line + k0
                    q0, q1, q2, q3 = flat[at], flat[at + one], flat[at + two], flat[at + three]
                else:
                    q0, q1, q2, q3 = flat[line + k0], flat[line + k1], flat[line + k2], flat[line + k3]
                w, d = wy[b], dy[b]
                s0, s1, s2, s3 = s0 + w * q0, s1 + w * q1, s2 + w * q2, s3 + w * q3
                t0, t1, t2, t3 = t0 + d * q0, t1 + d * q1, t2 + d * q2, t3 + d * q3
            w, d = wx[a], dx[a]
            x0, x1, x2, x3 = x0 + d * s0, x1 + d * s1, x2 + d * s2, x3 + d * s3
            y0, y1, y2, y3 = y0 + w * t0, y1 + w * t1, y2 + w * t2, y3 + w * t3
            z0, z1, z2, z3 = z0 + w * s0, z1 + w * s1, z2 + w * s2, z3 + w * s3
        slope_x = wz[0] * x0 + wz[1] * x1 + wz[2] * x2 + wz[3] * x3
        slope_y = wz[0] * y0 + wz[1] * y1 + wz[2] * y2 + wz[3] * y3
        slope_z = dz[0] * z0 + dz[1] * z1 + dz[2] * z2 + dz[3] * z3
        velocities[p, 0] = keep * velocities[p, 0] - gain * slope_x
        velocities[p, 1] = keep * velocities[p, 1] - gain * slope_y
        velocities[p, 2] = keep * velocities[p, 2] - gain * slope_z
