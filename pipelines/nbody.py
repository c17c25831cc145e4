"""Dark matter from the linear spectrum to today: 2LPT, then a particle mesh stepped by BullFrog.

Time is the linear growth factor D (1 today), velocities are dx/dD, and a step is drift-kick-drift with coefficients
that make it exact to second order of Lagrangian perturbation theory (Rampf, List & Hahn, arXiv:2409.19049), so that
few steps are enough. Positions inside this file are in cells of the force mesh.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numba
import numpy as np
import scipy.fft

from tenfold.pipelines.cosmology import Growth
from tenfold.pipelines.painting import paint_cic

START_REDSHIFT = 19.0  # 2LPT carries the particles to here, or to twice the (1 + z) of the earliest output


def linear_field(
    power: Callable[[np.ndarray], np.ndarray], side: int, box_mpc_h: float, rng: np.random.Generator
) -> np.ndarray:
    """Fourier modes of a Gaussian random field of a given spectrum.

    Parameters
    ----------
    power
        P(k): wavenumbers [h/Mpc] -> power [(Mpc/h)³].
    side
        Mesh points per side, N.
    box_mpc_h
        Side of the periodic box [Mpc/h].
    rng
        Source of the white noise.

    Returns
    -------
    np.ndarray
        scipy.fft.rfftn of the overdensity, complex64, shape (N, N, N//2 + 1).
    """
    modes = scipy.fft.rfftn(rng.standard_normal((side, side, side), dtype=np.float32), workers=1)
    fundamental = 2 * math.pi / box_mpc_h
    squares = np.arange(3 * (side // 2) ** 2 + 1)  # |n|² of every mode
    squares[0] = 1
    amplitude = np.sqrt(power(fundamental * np.sqrt(squares)) * (side / box_mpc_h) ** 3)
    amplitude[0] = 0
    _scale(modes, amplitude.astype(np.float32))
    return modes


def displacements(modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First- and second-order Lagrangian displacements at the mesh points.

    Parameters
    ----------
    modes
        Transform of the linear overdensity today, shape (N, N, N//2 + 1).

    Returns
    -------
    tuple of np.ndarray
        ψ₁, ψ₂ with x = q + D ψ₁ + E ψ₂, each float32, shape (N³, 3) [mesh cells].
    """
    side = modes.shape[0]
    inverse = _inverse_laplacian(side)
    wave = _wavenumbers(side)
    potential = modes * inverse  # ∇²φ = δ, so that ψ₁ = −∇φ

    def derivative(first: int, second: int) -> np.ndarray:
        return scipy.fft.irfftn(-potential * wave[first] * wave[second], s=(side,) * 3, workers=1)

    xx, yy, zz = (derivative(axis, axis) for axis in range(3))
    source = xx * yy + xx * zz + yy * zz
    del xx, yy, zz
    for first, second in ((0, 1), (0, 2), (1, 2)):
        source -= derivative(first, second) ** 2
    second_potential = scipy.fft.rfftn(source, workers=1) * -inverse
    return _minus_gradient(potential, wave), _minus_gradient(second_potential, wave)


def _minus_gradient(potential: np.ndarray, wave: list[np.ndarray]) -> np.ndarray:
    side = potential.shape[0]
    out = np.empty((side, side, side, 3), np.float32)
    for axis in range(3):
        out[..., axis] = scipy.fft.irfftn(np.complex64(-1j) * wave[axis] * potential, s=(side,) * 3, workers=1)
    return out.reshape(-1, 3)


def evolve(
    modes: np.ndarray, growth: Growth, redshifts: Sequence[float], *, steps: int, mesh_factor: int
) -> Iterator[np.ndarray]:
    """Positions of the particles at several redshifts of one run.

    Parameters
    ----------
    modes
        Transform of the linear overdensity today on the particles' mesh, shape (N, N, N//2 + 1).
    growth
        Growth of structure in the run's cosmology.
    redshifts
        Redshifts wanted, falling.
    steps
        Time steps down to the last redshift, shared out evenly in D; each output takes at least one.
    mesh_factor
        Cells of the force mesh per particle and side.

    Yields
    ------
    np.ndarray
        Positions, float32, shape (N³, 3), in units of the box side, 0 ≤ x ≤ 1.
    """
    redshifts = [float(z) for z in redshifts]
    if not redshifts or redshifts != sorted(redshifts, reverse=True):
        raise ValueError(f"redshifts must fall, and be at least one; found {redshifts}")
    side = modes.shape[0]
    mesh_side = side * mesh_factor
    first, second = displacements(modes)
    outputs = [growth.factor(z) for z in redshifts]
    start = min(growth.factor(START_REDSHIFT), outputs[0] / 2)
    (e,), (slope,) = growth.second_order(np.array([start]))
    positions = _lattice(side)
    scale = np.float32(mesh_factor)
    positions += np.float32(start) * first + np.float32(e) * second
    positions *= scale
    velocities = first
    velocities += np.float32(slope) * second
    velocities *= scale
    del first, second
    drift(positions, velocities, 0.0, mesh_side)

    mesh = np.empty((mesh_side,) * 3, np.float32)
    kernel = _force_kernel(mesh_side)
    now = start
    for output in outputs:
        count = max(1, round(steps * (output - now) / (outputs[-1] - start)))
        step = (output - now) / count
        for factor in now + step * np.arange(count):
            alpha, middle = _kick(growth, factor, step)
            drift(positions, velocities, step / 2, mesh_side)
            potential = _potential(positions, mesh, side, kernel)
            kick(positions, velocities, potential, alpha, (1 - alpha) / middle)
            drift(positions, velocities, step / 2, mesh_side)
        now = output
        yield positions * np.float32(1 / mesh_side)


def _kick(growth: Growth, factor: float, step: float) -> tuple[float, float]:
    """BullFrog's share α of the old velocity, and D in the middle of the step."""
    middle = factor + step / 2
    (e, _), (slope, slope_after) = growth.second_order(np.array([factor, factor + step]))
    # second order of the force at the middle of the step, over D
    force = (e + slope * step / 2) / middle - middle
    return float((slope_after - force) / (slope - force)), middle


def _potential(positions: np.ndarray, mesh: np.ndarray, side: int, kernel: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Potential φ of ∇²φ = δ on the force mesh, with the windows of painting and reading divided out."""
    mesh.fill(0)
    paint_cic(positions, mesh, mesh.size / side**3)
    modes = scipy.fft.rfftn(mesh, workers=1, overwrite_x=True)
    _solve(modes, *kernel)
    return scipy.fft.irfftn(modes, s=mesh.shape, workers=1, overwrite_x=True)


def _force_kernel(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Per axis: wavenumber k, that of the finite difference, and the inverse windows of painting and of reading."""
    k = 2 * np.pi * np.fft.fftfreq(side)
    difference = (8 * np.sin(k) - np.sin(2 * k)) / 6
    difference[side // 2] = 0
    window = np.sinc(np.fft.fftfreq(side)) ** -2.0
    return np.stack([k * k, k * difference, difference**2]).astype(np.float32), window.astype(np.float32)


def _lattice(side: int) -> np.ndarray:
    axis = np.arange(side, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def _wavenumbers(side: int) -> list[np.ndarray]:
    """Wavenumbers per cell along the three axes, to broadcast; zero at Nyquist, where a real field has no slope."""
    full = 2 * np.pi * np.fft.fftfreq(side).astype(np.float32)
    half = 2 * np.pi * np.fft.rfftfreq(side).astype(np.float32)
    if side % 2 == 0:
        full[side // 2] = half[-1] = 0
    return [full[:, None, None], full[None, :, None], half[None, None, :]]


def _inverse_laplacian(side: int) -> np.ndarray:
    full = (2 * np.pi * np.fft.fftfreq(side).astype(np.float32)) ** 2
    square = full[:, None, None] + full[None, :, None] + full[None, None, : side // 2 + 1]
    square[0, 0, 0] = 1
    inverse = -1 / square
    inverse[0, 0, 0] = 0
    return inverse


@numba.njit(cache=True)
def _scale(modes, amplitude):
    side = modes.shape[0]
    for i in range(side):
        x = min(i, side - i)
        for j in range(side):
            y = min(j, side - j)
            for z in range(modes.shape[2]):
                modes[i, j, z] *= amplitude[x * x + y * y + z * z]


@numba.njit(cache=True, fastmath=True)
def _solve(modes, squares, windows):
    # −(k·d) / (k² d²): of all potentials the one whose finite difference d is nearest to the true force
    # (Hockney & Eastwood 1988, without the alias sums)
    side = modes.shape[0]
    for i in range(side):
        for j in range(side):
            kk = squares[0, i] + squares[0, j]
            kd = squares[1, i] + squares[1, j]
            dd = squares[2, i] + squares[2, j]
            weight = windows[i] * windows[j]
            for z in range(modes.shape[2]):
                below = (kk + squares[0, z]) * (dd + squares[2, z])
                if below > 0:
                    modes[i, j, z] *= -weight * windows[z] * (kd + squares[1, z]) / below
                else:
                    modes[i, j, z] = 0


@numba.njit(cache=True, fastmath=True)
def drift(positions: np.ndarray, velocities: np.ndarray, step: float, side: int) -> None:
    """Move particles by step · velocity and wrap them into the box: positions (n, 3) [cells], in place."""
    width, dt = np.float32(side), np.float32(step)
    for p in range(positions.shape[0]):
        for axis in range(3):
            x = positions[p, axis] + dt * velocities[p, axis]
            positions[p, axis] = x - width * np.floor(x / width)


@numba.njit(cache=True, fastmath=True)
def kick(positions: np.ndarray, velocities: np.ndarray, potential: np.ndarray, keep: float, gain: float) -> None:
    """Velocities v -> keep · v − gain · ∇φ, in place.

    The gradient is a fourth-order finite difference at the mesh points, read by cloud in cell.

    Parameters
    ----------
    positions, velocities
        Shape (particles, 3) [cells], [cells per D].
    potential
        φ, shape (N, N, N) [cells²].
    keep, gain
        Coefficients of the step.
    """
    side = potential.shape[0]
    one, near, far = np.float32(1), np.float32(2 / 3), np.float32(1 / 12)
    keep, gain = np.float32(keep), np.float32(gain)
    index = np.empty((3, 6), np.int64)
    slope = np.empty((3, 6), np.float32)
    share = np.empty((3, 2), np.float32)
    for p in range(positions.shape[0]):
        for axis in range(3):
            x = positions[p, axis]
            cell = int(x)
            f = np.float32(x - cell)
            g = one - f
            share[axis, 0], share[axis, 1] = g, f
            slope[axis, 0] = far * g
            slope[axis, 1] = far * f - near * g
            slope[axis, 2] = -near * f
            slope[axis, 3] = near * g
            slope[axis, 4] = near * f - far * g
            slope[axis, 5] = -far * f
            for s in range(6):
                at = cell + s - 2
                index[axis, s] = at + side if at < 0 else (at - side if at >= side else at)
        ax = ay = az = np.float32(0)
        for b in range(2):
            for c in range(2):
                line_x = line_y = line_z = np.float32(0)
                x, y, z = index[0, 2 + b], index[1, 2 + b], index[2, 2 + c]
                y_of_x = index[1, 2 + c]
                for s in range(6):
                    line_x += slope[0, s] * potential[index[0, s], y, z]
                    line_y += slope[1, s] * potential[x, index[1, s], z]
                    line_z += slope[2, s] * potential[x, y_of_x, index[2, s]]
                ax += share[1, b] * share[2, c] * line_x
                ay += share[0, b] * share[2, c] * line_y
                az += share[0, b] * share[1, c] * line_z
        velocities[p, 0] = keep * velocities[p, 0] - gain * ax
        velocities[p, 1] = keep * velocities[p, 1] - gain * ay
        velocities[p, 2] = keep * velocities[p, 2] - gain * az
