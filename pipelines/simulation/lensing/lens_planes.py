"""Lens planes of one cosmology: projected and sharpened N-body boxes, and the multipoles at which they are accurate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tenfold.pipelines.simulation.cosmology import Cosmology, growth
from tenfold.pipelines.simulation.initial_conditions import linear_field
from tenfold.pipelines.simulation.lensing.config import MassMaps
from tenfold.pipelines.simulation.lensing.convergence import LensPlanes, pixel_window, spline_coefficients
from tenfold.pipelines.simulation.lensing.light_cone import MAX_REDSHIFT, LightCone, Shells, light_cone, shells
from tenfold.pipelines.simulation.lensing.planes import plane_power, project, wavenumbers
from tenfold.pipelines.simulation.lensing.sharpening import Sharpening, corrected_range, fit_sharpening, power_bins
from tenfold.pipelines.simulation.nbody import evolve

if TYPE_CHECKING:
    from tenfold.pipelines.simulation.matter_power import TransferTable

C_ELL_TOLERANCE = 0.05
"""Largest relative deviation of the expected C_ℓ from theory at trusted multipoles."""


@dataclass(frozen=True)
class SimulatedPlanes:
    """Lens planes of one cosmology."""

    planes: LensPlanes
    """Lens planes, sharpened, averaged over pixels and smoothed."""
    sharpening: Sharpening | None
    """Correction of the small scales; None where there is none."""
    trusted: tuple[float, float]
    """Smallest and largest multipole between which the mean C_ℓ of the maps, before shape noise and with the windows
    of pixels and smoothing divided out, is expected to be within 5 % of Limber's integral of HMcode2020; both are
    twice the fundamental mode of the patch where it never is."""


def simulate_planes(config: MassMaps, cosmology: Cosmology, seed: int, table: "TransferTable") -> SimulatedPlanes:
    """Simulate the boxes of one cosmology and project them onto lens planes.

    Parameters
    ----------
    config
        Configuration of the simulation.
    cosmology
        The cosmology.
    seed
        Seed of the initial conditions.
    table
        Transfer functions whose range includes the cosmology.
    """
    from tenfold.pipelines.simulation.lensing.limber import matter_power

    cone = light_cone(cosmology.omega_m)
    lens_shells = shells(cone, config.box_mpc_h, config.sources)
    _, nonlinear = matter_power(cosmology, min(float(lens_shells.redshift[-1]) + 0.1, MAX_REDSHIFT))
    modes, spectra, k, number = _projected(config, cosmology, lens_shells, seed, table)
    ratio = spectra / nonlinear(k, lens_shells.redshift[:, None])
    correction = None
    if config.sharpen != "none":
        k_range = corrected_range(config.box_mpc_h, config.particles)
        correction = fit_sharpening(k, ratio, number, lens_shells.redshift, k_range, config.sharpen)
    pixel, gauss = (np.radians(arcmin / 60) for arcmin in (config.pixel_arcmin, config.smoothing_arcmin))
    k_grid = wavenumbers(config.plane, config.box_mpc_h)
    fields = np.empty((*modes.shape[:2], config.plane, config.plane), np.float32)
    for shell, (distance, redshift) in enumerate(zip(lens_shells.distance, lens_shells.redshift, strict=True)):
        transfer = pixel_window(config.plane, config.box_mpc_h, pixel * distance, gauss * distance)
        if correction is not None:
            transfer *= correction.factor(k_grid, float(redshift))
        for view in range(modes.shape[1]):
            fields[shell, view] = spline_coefficients(modes[shell, view], transfer)
    planes = LensPlanes(lens_shells.distance, lens_shells.weights, fields, config.box_mpc_h)
    trusted = trusted_range(config, light_cone(cosmology.omega_m), lens_shells, nonlinear, correction, (k, ratio))
    return SimulatedPlanes(planes, correction, trusted)


def initial_modes(config: MassMaps, power: Callable[[np.ndarray], np.ndarray], seed: int, box: int) -> np.ndarray:
    """Draw the Fourier modes of a box's linear overdensity, in pairs of opposite sign where amplitudes are fixed."""
    pair, second = divmod(box, 2) if config.fixed else (box, 0)
    rng = np.random.default_rng([seed, pair])
    modes = linear_field(power, config.particles, config.box_mpc_h, rng, fixed=config.fixed)
    return -modes if second else modes


def _projected(
    config: MassMaps, cosmology: Cosmology, lens_shells: Shells, seed: int, table: "TransferTable"
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Simulate the boxes and project them.

    Returns the modes of the planes (shells, views, M, M//2 + 1), their mean power (shells, bins), and the wavenumber
    and the number of modes of each bin.
    """
    from tenfold.pipelines.simulation.matter_power import linear_power

    power, edges = linear_power(cosmology, table), power_bins(config.box_mpc_h, config.particles)
    count, views = len(lens_shells.distance), 3 * config.runs
    modes = np.empty((count, views, config.plane, config.plane // 2 + 1), np.complex64)
    spectra = np.zeros((count, len(edges) - 1))
    k = number = np.zeros(0)
    decreasing = [float(z) for z in lens_shells.redshift[::-1]]
    for box in range(config.runs):
        initial = initial_modes(config, power, seed, box)
        run = evolve(initial, growth(cosmology.omega_m), decreasing, steps=config.steps, mesh_factor=config.mesh_factor)
        for shell, positions in zip(reversed(range(count)), run, strict=True):
            for axis in range(3):
                plane_modes = project(positions, axis, config.plane)
                modes[shell, 3 * box + axis] = plane_modes
                k, measured, number = plane_power(plane_modes, config.box_mpc_h, edges)
                spectra[shell] += measured / views
    filled = number > 0
    return modes, spectra[:, filled], k[filled], number[filled] * views


def trusted_range(
    config: MassMaps,
    cone: LightCone,
    lens_shells: Shells,
    power: Callable[[np.ndarray, np.ndarray], np.ndarray],
    correction: Sharpening | None,
    measured: tuple[np.ndarray, np.ndarray],
) -> tuple[float, float]:
    """Find the multipoles at which the expected C_ℓ agrees with theory, from twice the patch's fundamental mode up.

    Parameters
    ----------
    config
        Configuration of the simulation.
    cone, lens_shells
        Distances of the cosmology, and its shells.
    power
        Theoretical P(k, z): broadcastable wavenumbers [h/Mpc] and redshifts -> power [(Mpc/h)³].
    correction
        Sharpening of the planes; None where there is none.
    measured
        Wavenumbers, shape (bins,) [h/Mpc], and the ratio of the planes' power to theory before sharpening, shape
        (shells, bins). Used only without sharpening.

    Returns
    -------
    tuple of float
        Smallest and largest trusted multipole; see `SimulatedPlanes`.
    """
    from tenfold.pipelines.simulation.lensing.limber import convergence_power

    lowest = 2 * 360 / config.side_deg
    highest = 0.75 * 180 * config.pixels / config.side_deg
    ell = np.geomspace(lowest, max(highest, 1.01 * lowest), 200)
    theory = convergence_power(ell, power, cone, config.sources)
    expected = np.zeros_like(theory)
    k_measured, ratio = measured
    for shell, (distance, redshift) in enumerate(zip(lens_shells.distance, lens_shells.redshift, strict=True)):
        k = ell / distance
        if correction is None:
            power_ratio = np.interp(np.log(k), np.log(k_measured), ratio[shell], left=1.0)
        else:
            power_ratio = correction.residual_power(k, redshift)
        shell_power = power(k, np.full_like(k, redshift)) * power_ratio / (config.box_mpc_h * distance**2)
        expected += shell_power[:, None] * lens_shells.weights[shell] ** 2
    deviates = np.abs(expected / theory - 1).max(axis=1) > C_ELL_TOLERANCE
    last = int(np.argmax(deviates)) - 1 if deviates.any() else len(ell) - 1
    return float(lowest), float(ell[max(last, 0)])
