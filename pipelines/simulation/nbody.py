"""N-body evolution of dark matter: 2LPT initial conditions, then a particle mesh with the BullFrog integrator.

The time variable is the linear growth factor D (1 today) and velocities are dx/dD. A step is drift-kick-drift with
coefficients that make it exact to second order in Lagrangian perturbation theory (Rampf, List & Hahn,
arXiv:2409.19049), so that few steps suffice. Positions are in cells of the force mesh internally.
"""

import itertools
from collections.abc import Iterator, Sequence

import numba
import numpy as np

from tenfold.pipelines.simulation.cosmology import Growth
from tenfold.pipelines.simulation.gravity import force_mesh, kick
from tenfold.pipelines.simulation.initial_conditions import displacements

START_REDSHIFT = 19.0  # end of 2LPT, unless half the growth factor of the first output comes earlier
# Steps are uniform in ((D − D_start) / (D_end − D_start))^(1/0.6). They are shorter towards the end, where orbital
# times in halos are shorter than a uniform step, and the result would depend on the position of the steps.
SPACING = 0.6


def evolve(
    modes: np.ndarray, growth: Growth, redshifts: Sequence[float], *, steps: int, mesh_factor: int
) -> Iterator[np.ndarray]:
    """Evolve particles and yield their positions at several redshifts.

    Parameters
    ----------
    modes
        Fourier modes of the linear overdensity today on the particle mesh, shape (N, N, N//2 + 1).
    growth
        Growth factors of the cosmology.
    redshifts
        Output redshifts, decreasing.
    steps
        Number of time steps to the last redshift; each output takes at least one.
    mesh_factor
        Cells of the force mesh per particle and side.

    Yields
    ------
    np.ndarray
        Positions, float32, shape (N³, 3), in units of the box side, 0 ≤ x ≤ 1.

    Raises
    ------
    ValueError
        There are no redshifts, or they are not decreasing.
    """
    redshifts = [float(z) for z in redshifts]
    if not redshifts or redshifts != sorted(set(redshifts), reverse=True):
        raise ValueError(f"redshifts must be decreasing and not empty, found {redshifts}")
    outputs = [growth.factor(z) for z in redshifts]
    start = min(growth.factor(START_REDSHIFT), outputs[0] / 2)
    mesh = force_mesh(modes.shape[0] * mesh_factor)
    positions, velocities = _start(modes, growth, start, mesh_factor)
    for times in _schedule(start, outputs, steps):
        for now, after in itertools.pairwise(times):
            keep, middle = _bullfrog(growth, now, after)
            half = (after - now) / 2
            drift(positions, velocities, half, mesh.side)
            kick(positions, velocities, mesh.potential(positions), keep, (1 - keep) / middle)
            drift(positions, velocities, half, mesh.side)
        yield positions * np.float32(1 / mesh.side)


def _start(modes: np.ndarray, growth: Growth, factor: float, mesh_factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities by 2LPT at growth factor D = factor."""
    second, slope = growth.second(factor), growth.second_slope(factor)
    psi_1, psi_2 = displacements(modes)
    side, scale = modes.shape[0], np.float32(mesh_factor)
    axis = np.arange(side, dtype=np.float32)
    positions = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    positions += np.float32(factor) * psi_1 + np.float32(second) * psi_2
    positions *= scale
    velocities = (psi_1 + np.float32(slope) * psi_2) * scale
    drift(positions, velocities, 0.0, side * mesh_factor)  # wraps positions into the box
    return positions, velocities


def _schedule(start: float, outputs: list[float], steps: int) -> list[np.ndarray]:
    """Growth factors at the step boundaries, one array for each output."""
    span = outputs[-1] - start
    phases = [((factor - start) / span) ** (1 / SPACING) for factor in [start, *outputs]]
    return [
        start + span * np.linspace(a, b, max(1, round(steps * (b - a))) + 1) ** SPACING
        for a, b in itertools.pairwise(phases)
    ]


def _bullfrog(growth: Growth, now: float, after: float) -> tuple[float, float]:
    """BullFrog's coefficient of the old velocity in a step between two growth factors, and D at its midpoint."""
    middle = (now + after) / 2
    slope, slope_after = growth.second_slope((now, after))
    # second-order force at the midpoint of the step, divided by D
    force = (growth.second(now) + slope * (after - now) / 2) / middle - middle
    return float((slope_after - force) / (slope - force)), middle


@numba.njit(cache=True)
def drift(positions: np.ndarray, velocities: np.ndarray, step: float, side: int) -> None:
    """Move particles by step · velocity, in place, and wrap them into the box; float32, shape (n, 3) [cells]."""
    width, dt = np.float32(side), np.float32(step)
    for p in range(positions.shape[0]):
        for axis in range(3):
            x = positions[p, axis] + dt * velocities[p, axis]
            positions[p, axis] = x - width * np.floor(x / width)
