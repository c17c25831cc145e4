"""Dark matter from its linear spectrum to any redshift: 2LPT, then a particle mesh stepped by BullFrog.

Time is the linear growth factor D (1 today), velocities are dx/dD, and a step is drift-kick-drift with coefficients
that make it exact to second order of Lagrangian perturbation theory (Rampf, List & Hahn, arXiv:2409.19049), so that
few steps are enough. Positions are in cells of the force mesh until they are handed out.
"""

import itertools
from collections.abc import Iterator, Sequence

import numba
import numpy as np

from tenfold.pipelines.simulation.cosmology import Growth
from tenfold.pipelines.simulation.gravity import force_mesh, kick
from tenfold.pipelines.simulation.initial_conditions import displacements

START_REDSHIFT = 19.0  # 2LPT carries the particles to here, or to half the growth of the earliest output
# Steps are even in ((D − D_start) / (D_end − D_start))^(1/0.6): finer towards the end, where halos turn around in less
# than an even step, and the result would hang on how the steps happen to fall.
SPACING = 0.6


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
        Time steps down to the last redshift; each output takes at least one.
    mesh_factor
        Cells of the force mesh per particle and side.

    Yields
    ------
    np.ndarray
        Positions, float32, shape (N³, 3), in units of the box side, 0 ≤ x ≤ 1.

    Raises
    ------
    ValueError
        There are no redshifts, or they do not fall.
    """
    redshifts = [float(z) for z in redshifts]
    if not redshifts or redshifts != sorted(set(redshifts), reverse=True):
        raise ValueError(f"redshifts must fall, and be at least one; found {redshifts}")
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
    """Positions and velocities by 2LPT where D = factor."""
    second, slope = growth.second(factor), growth.second_slope(factor)
    psi_1, psi_2 = displacements(modes)
    side, scale = modes.shape[0], np.float32(mesh_factor)
    axis = np.arange(side, dtype=np.float32)
    positions = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    positions += np.float32(factor) * psi_1 + np.float32(second) * psi_2
    positions *= scale
    velocities = (psi_1 + np.float32(slope) * psi_2) * scale
    drift(positions, velocities, 0.0, side * mesh_factor)  # wraps
    return positions, velocities


def _schedule(start: float, outputs: list[float], steps: int) -> list[np.ndarray]:
    """Growth factors at the ends of the steps, from output to output."""
    span = outputs[-1] - start
    phases = [((factor - start) / span) ** (1 / SPACING) for factor in [start, *outputs]]
    return [
        start + span * np.linspace(a, b, max(1, round(steps * (b - a))) + 1) ** SPACING
        for a, b in itertools.pairwise(phases)
    ]


def _bullfrog(growth: Growth, now: float, after: float) -> tuple[float, float]:
    """BullFrog's share of the old velocity in a step between two growth factors, and D in its middle."""
    middle = (now + after) / 2
    slope, slope_after = growth.second_slope((now, after))
    # second order of the force in the middle of the step, over D
    force = (growth.second(now) + slope * (after - now) / 2) / middle - middle
    return float((slope_after - force) / (slope - force)), middle


@numba.njit(cache=True)
def drift(positions: np.ndarray, velocities: np.ndarray, step: float, side: int) -> None:
    """Move particles by step · velocity and wrap them into the box, in place: both float32, shape (n, 3) [cells]."""
    width, dt = np.float32(side), np.float32(step)
    for p in range(positions.shape[0]):
        for axis in range(3):
            x = positions[p, axis] + dt * velocities[p, axis]
            positions[p, axis] = x - width * np.floor(x / width)
