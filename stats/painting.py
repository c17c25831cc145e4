"""Mass assignment ("painting") of particles to a periodic mesh: NGP, CIC, TSC and PCS.

The kernels are B-splines of order p = 1 … 4 (Hockney & Eastwood 1981; Sefusatti et al., arXiv:1512.07295). Mesh point i
is at x = i cells. NGP counts the particles of cell i, which extends from i to i + 1, and so is half a cell off the
others: a translation, without effect on a power spectrum.
"""

from collections.abc import Callable
from typing import Literal

import numba
import numpy as np

Assignment = Literal["ngp", "cic", "tsc", "pcs"]
"""Nearest grid point, cloud in cell, triangular-shaped cloud, piecewise cubic spline."""

WINDOW_ORDER: dict[str, int] = {"ngp": 1, "cic": 2, "tsc": 3, "pcs": 4}
"""Order p of each assignment: the amplitude of a mode is multiplied by sinc(n/N)^p per axis."""

_BATCH = 256
"""Particles whose cells are computed before they are added to a mesh."""
_NO_NAN = {"contract", "reassoc", "nsz", "arcp"}  # fastmath, except that positions may be NaN


def paint(
    positions: np.ndarray, side: int, assignment: str, *, masses: np.ndarray | None = None, shift: float = 0.0
) -> np.ndarray:
    """Assign particles to a periodic mesh.

    Parameters
    ----------
    positions
        Shape (particles, 3), float32 or float64, in units of the box side: 0 ≤ x ≤ 1. Particles up to one box side
        outside are wrapped.
    side
        Cells per side of the mesh.
    assignment
        "ngp", "cic", "tsc" or "pcs".
    masses
        Mass of each particle, shape (particles,); by default 1.
    shift
        Added to the positions along each axis [cells]. A mesh with ½ is the second of an interlaced pair, `shifted` of
        `tenfold.stats.modes.mesh_modes`.

    Returns
    -------
    np.ndarray
        Shape (side, side, side). "ngp" without masses: counts, the smallest of int16 and int32 that holds them.
        Otherwise float32, in particles or in the unit of the masses. The sum is that of the particles: exactly for
        counts, to rounding otherwise.

    Raises
    ------
    ValueError
        The assignment is unknown, or a particle is further outside or not finite.

    Example
    -------
    >>> import numpy as np
    >>> paint(np.array([[0.0, 0.5, 0.25]]), 4, "ngp")[0, 2, 1]
    np.int16(1)
    """
    counted = assignment == "ngp" and masses is None
    mesh = np.zeros((side,) * 3, np.int32 if counted else np.float32)
    invalid = add_particles(mesh, positions, assignment, masses=masses, shift=shift)
    if invalid:
        raise ValueError(f"positions: {invalid:,} are not finite, or more than a box side outside the box")
    return mesh.astype(np.int16) if counted and mesh.max() <= np.iinfo(np.int16).max else mesh


def add_particles(
    mesh: np.ndarray,
    positions: np.ndarray,
    assignment: str,
    *,
    box: float = 1.0,
    masses: np.ndarray | None = None,
    shift: float = 0.0,
) -> int:
    """Assign particles to a periodic mesh, and add them to what it holds.

    Parameters
    ----------
    mesh
        Shape (N, N, N), float32, or an integer type for "ngp" without masses; changed in place.
    positions
        Shape (particles, 3), float32 or float64, in units of which the box side is `box`: −box ≤ x ≤ 2 box.
    assignment, masses, shift
        As for `paint`.
    box
        Side of the box, in the unit of the positions.

    Returns
    -------
    int
        Number of particles that were left out: not finite, or more than a box side outside.

    Raises
    ------
    ValueError
        The assignment is unknown, or shapes or types are not as above.
    """
    if assignment not in _KERNELS:
        raise ValueError(f'assignment must be "ngp", "cic", "tsc" or "pcs", found {assignment!r}')
    if positions.ndim != 2 or positions.shape[1] != 3 or positions.dtype.type not in (np.float32, np.float64):
        shape = f"{positions.dtype} {positions.shape}"
        raise ValueError(f"positions need shape (particles, 3), float32 or float64, found {shape}")
    if masses is not None and masses.shape != positions.shape[:1]:
        raise ValueError(f"masses need shape {positions.shape[:1]}, found {masses.shape}")
    whole = mesh.dtype.kind in "iu"
    if whole and (assignment != "ngp" or masses is not None):
        raise ValueError(f"a mesh of {mesh.dtype} only holds counts: NGP without masses")
    # a unit box is scaled in the type of the positions, as their own code would do; others exactly
    scale = positions.dtype.type(mesh.shape[0]) if box == 1 else np.float64(mesh.shape[0] / box)
    weights = np.ones(1, np.int32 if whole else np.float32) if masses is None else masses
    return int(_KERNELS[assignment](positions, weights, mesh, scale, positions.dtype.type(shift)))


@numba.njit(inline="always")
def _cell(x, scale, shift, side):
    """Position [cells], wrapped into 0 ≤ x < N, and whether it was in reach of a wrap."""
    x = x * scale + shift
    if x < 0:
        x += side
    if x >= side:  # also where rounding took a value just below 0 to N
        x -= side
    return x, 0 <= x < side  # False for NaN


@numba.njit(inline="always")
def _near(i, side):
    """Indices i and i + 1, and unsigned, so that numba need not handle negative ones."""
    return np.uintp(i), np.uintp(i + 1 if i + 1 < side else 0)


@numba.njit(cache=True)
def _paint_ngp(positions, masses, mesh, scale, shift):
    side, each, invalid, flat = mesh.shape[0], masses.size > 1, 0, mesh.reshape(-1)
    cells, rows = np.empty(_BATCH, np.uintp), np.empty(_BATCH, np.uintp)
    for start in range(0, positions.shape[0], _BATCH):
        valid = 0
        for p in range(start, min(start + _BATCH, positions.shape[0])):
            x, in_x = _cell(positions[p, 0], scale, shift, side)
            y, in_y = _cell(positions[p, 1], scale, shift, side)
            z, in_z = _cell(positions[p, 2], scale, shift, side)
            if in_x and in_y and in_z:
                cells[valid] = (np.uintp(x) * np.uintp(side) + np.uintp(y)) * np.uintp(side) + np.uintp(z)
                rows[valid] = p
                valid += 1
            else:
                invalid += 1
        # short loops: the processor waits for many cells at once
        if each:
            for n in range(valid):
                flat[cells[n]] += masses[rows[n]]
        else:
            for n in range(valid):
                flat[cells[n]] += masses[0]
    return invalid


@numba.njit(cache=True, fastmath=_NO_NAN)
def _paint_cic(positions, masses, mesh, scale, shift):
    side, each, invalid, one = mesh.shape[0], masses.size > 1, 0, np.float32(1)
    for p in range(positions.shape[0]):
        x, in_x = _cell(positions[p, 0], scale, shift, side)
        y, in_y = _cell(positions[p, 1], scale, shift, side)
        z, in_z = _cell(positions[p, 2], scale, shift, side)
        if not (in_x and in_y and in_z):
            invalid += 1
            continue
        i, j, k = int(x), int(y), int(z)
        fx, fy, fz = np.float32(x - i), np.float32(y - j), np.float32(z - k)
        weight = np.float32(masses[p if each else 0])
        gx, gy, gz = weight * (one - fx), one - fy, one - fz
        fx = weight * fx
        a, b, c, d = gx * gy, gx * fy, fx * gy, fx * fy
        (i0, i1), (j0, j1), (k0, k1) = _near(i, side), _near(j, side), _near(k, side)
        mesh[i0, j0, k0] += a * gz
        mesh[i0, j0, k1] += a * fz
        mesh[i0, j1, k0] += b * gz
        mesh[i0, j1, k1] += b * fz
        mesh[i1, j0, k0] += c * gz
        mesh[i1, j0, k1] += c * fz
        mesh[i1, j1, k0] += d * gz
        mesh[i1, j1, k1] += d * fz
    return invalid


@numba.njit(inline="always")
def _around(i, side):
    """Indices i − 1, i and i + 1 for 0 ≤ i ≤ N, where N is the other name of 0."""
    i = i if i < side else 0
    return np.uintp(i - 1 if i > 0 else side - 1), np.uintp(i), np.uintp(i + 1 if i + 1 < side else 0)


@numba.njit(inline="always")
def _cloud(f):
    """TSC weights of three points for a position f cells beyond the middle one, −½ ≤ f ≤ ½."""
    half = np.float32(0.5)
    below, above = half - f, half + f
    return half * below * below, np.float32(0.75) - f * f, half * above * above


@numba.njit(cache=True, fastmath=_NO_NAN)
def _paint_tsc(positions, masses, mesh, scale, shift):
    side, each, invalid = mesh.shape[0], masses.size > 1, 0
    for p in range(positions.shape[0]):
        x, in_x = _cell(positions[p, 0], scale, shift, side)
        y, in_y = _cell(positions[p, 1], scale, shift, side)
        z, in_z = _cell(positions[p, 2], scale, shift, side)
        if not (in_x and in_y and in_z):
            invalid += 1
            continue
        i, j, k = int(x + 0.5), int(y + 0.5), int(z + 0.5)
        wx, wy, wz = _cloud(np.float32(x - i)), _cloud(np.float32(y - j)), _cloud(np.float32(z - k))
        weight = np.float32(masses[p if each else 0])
        rows, lines, (k0, k1, k2) = _around(i, side), _around(j, side), _around(k, side)
        z0, z1, z2 = wz[0] * weight, wz[1] * weight, wz[2] * weight
        for a in range(3):
            for b in range(3):
                w = wx[a] * wy[b]
                row, line = rows[a], lines[b]
                mesh[row, line, k0] += w * z0
                mesh[row, line, k1] += w * z1
                mesh[row, line, k2] += w * z2
    return invalid


@numba.njit(inline="always")
def bspline(f):
    """Cubic B-spline weights of the four points around a position f cells beyond the second point, 0 ≤ f < 1."""
    one, half, sixth, two_thirds = np.float32(1), np.float32(0.5), np.float32(1 / 6), np.float32(2 / 3)
    g = one - f
    return (
        sixth * g * g * g,
        two_thirds - f * f * (one - half * f),
        two_thirds - g * g * (one - half * g),
        sixth * f * f * f,
    )


@numba.njit(inline="always")
def neighbours(i, side):
    """Indices i − 1 … i + 2 on a periodic axis, unsigned, so that numba need not handle negative ones."""
    return (
        np.uintp(i - 1 if i > 0 else side - 1),
        np.uintp(i),
        np.uintp(i + 1 if i + 1 < side else i + 1 - side),
        np.uintp(i + 2 if i + 2 < side else i + 2 - side),
    )


@numba.njit(cache=True, fastmath=_NO_NAN)
def _paint_pcs(positions, masses, mesh, scale, shift):
    side, width, each, invalid = mesh.shape[0], np.uintp(mesh.shape[0]), masses.size > 1, 0
    flat, one = mesh.reshape(-1), np.uintp(1)
    for p in range(positions.shape[0]):
        x, in_x = _cell(positions[p, 0], scale, shift, side)
        y, in_y = _cell(positions[p, 1], scale, shift, side)
        z, in_z = _cell(positions[p, 2], scale, shift, side)
        if not (in_x and in_y and in_z):
            invalid += 1
            continue
        i, j, k = int(x), int(y), int(z)
        wx, wy, wz = bspline(np.float32(x - i)), bspline(np.float32(y - j)), bspline(np.float32(z - k))
        weight = np.float32(masses[p if each else 0])
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
    return invalid


_KERNELS: dict[str, Callable] = {"ngp": _paint_ngp, "cic": _paint_cic, "tsc": _paint_tsc, "pcs": _paint_pcs}
