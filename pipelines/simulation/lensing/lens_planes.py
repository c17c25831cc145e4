"""The planes that maps of one cosmology are drawn from: its boxes run, projected, sharpened; where they are right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tenfold.pipelines.simulation.cosmology import Cosmology, growth
from tenfold.pipelines.simulation.initial_conditions import linear_field
from tenfold.pipelines.simulation.lensing.config import MassMaps
from tenfold.pipelines.simulation.lensing.convergence import LensPlanes, pixel_window, spline_coefficients
from tenfold.pipelines.simulation.lensing.light_cone import FARTHEST, LightCone, Shells, light_cone, shells
from tenfold.pipelines.simulation.lensing.planes import plane_power, project, wavenumbers
from tenfold.pipelines.simulation.lensing.sharpening import Sharpening, bins, corrected_range, sharpening
from tenfold.pipelines.simulation.nbody import evolve

if TYPE_CHECKING:
    from tenfold.pipelines.simulation.matter_power import TransferTable

TOLERANCE = 0.05
"""C_ℓ is trusted while what is expected of it is as near to theory."""


@dataclass(frozen=True)
class SimulatedPlanes:
    """Planes of one cosmology, ready to draw maps from.

    Attributes
    ----------
    planes
        Sharpened, averaged over pixels and smoothed.
    sharpening
        What their small scales were multiplied by; None where they were left alone.
    trusted
        Least and largest multipole between which the maps' mean C_ℓ, before shape noise and with the windows of
        pixels and smoothing divided out, is expected to be within 5 % of Limber's integral of HMcode2020; twice the
        patch's fundamental mode where it never is.
    """

    planes: LensPlanes
    sharpening: Sharpening | None
    trusted: tuple[float, float]


def simulate_planes(config: MassMaps, cosmology: Cosmology, seed: int, table: "TransferTable") -> SimulatedPlanes:
    """Run the boxes of one cosmology and make planes of them.

    Parameters
    ----------
    config
        Size and method.
    cosmology
        The cosmology.
    seed
        Seed of the boxes' initial conditions.
    table
        Transfer functions that cover the cosmology.
    """
    from tenfold.pipelines.simulation.lensing.limber import matter_power

    cone = light_cone(cosmology.omega_m)
    layers = shells(cone, config.box_mpc_h, config.sources)
    _, nonlinear = matter_power(cosmology, min(float(layers.redshift[-1]) + 0.1, FARTHEST))
    modes, spectra, k, number = _projected(config, cosmology, layers, seed, table)
    ratio = spectra / nonlinear(k, layers.redshift[:, None])
    lifted = None
    if config.sharpen != "none":
        inside = corrected_range(config.box_mpc_h, config.particles)
        lifted = sharpening(k, ratio, number, layers.redshift, inside, config.sharpen)
    pixel, gauss = (np.radians(arcmin / 60) for arcmin in (config.pixel_arcmin, config.smoothing_arcmin))
    every_k = wavenumbers(config.plane, config.box_mpc_h)
    fields = np.empty((*modes.shape[:2], config.plane, config.plane), np.float32)
    for shell, (distance, redshift) in enumerate(zip(layers.distance, layers.redshift, strict=True)):
        filtered = pixel_window(config.plane, config.box_mpc_h, pixel * distance, gauss * distance)
        if lifted is not None:
            filtered *= lifted.factor(every_k, float(redshift))
        for view in range(modes.shape[1]):
            fields[shell, view] = spline_coefficients(modes[shell, view], filtered)
    planes = LensPlanes(layers.distance, layers.weights, fields, config.box_mpc_h)
    trusted = trusted_range(config, light_cone(cosmology.omega_m), layers, nonlinear, lifted, (k, ratio))
    return SimulatedPlanes(planes, lifted, trusted)


def beginning(config: MassMaps, power: Callable[[np.ndarray], np.ndarray], seed: int, box: int) -> np.ndarray:
    """Fourier modes of a box's linear overdensity, as of `linear_field`; where they are fixed, boxes come in pairs."""
    number, second = divmod(box, 2) if config.fixed else (box, 0)
    rng = np.random.default_rng([seed, number])
    modes = linear_field(power, config.particles, config.box_mpc_h, rng, fixed=config.fixed)
    return -modes if second else modes


def _projected(
    config: MassMaps, cosmology: Cosmology, layers: Shells, seed: int, table: "TransferTable"
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Modes of the planes (shells, views, M, M//2 + 1), their mean power (shells, bins), its k and number of modes."""
    from tenfold.pipelines.simulation.matter_power import linear_power

    power, edges = linear_power(cosmology, table), bins(config.box_mpc_h, config.particles)
    count, views = len(layers.distance), 3 * config.runs
    modes = np.empty((count, views, config.plane, config.plane // 2 + 1), np.complex64)
    spectra = np.zeros((count, len(edges) - 1))
    k = number = np.zeros(0)
    falling = [float(z) for z in layers.redshift[::-1]]
    for box in range(config.runs):
        start = beginning(config, power, seed, box)
        run = evolve(start, growth(cosmology.omega_m), falling, steps=config.steps, mesh_factor=config.mesh_factor)
        for shell, positions in zip(reversed(range(count)), run, strict=True):
            for axis in range(3):
                seen = project(positions, axis, config.plane)
                modes[shell, 3 * box + axis] = seen
                k, found, number = plane_power(seen, config.box_mpc_h, edges)
                spectra[shell] += found / views
    held = number > 0
    return modes, spectra[:, held], k[held], number[held] * views


def trusted_range(
    config: MassMaps,
    cone: LightCone,
    layers: Shells,
    power: Callable[[np.ndarray, np.ndarray], np.ndarray],
    lifted: Sharpening | None,
    measured: tuple[np.ndarray, np.ndarray],
) -> tuple[float, float]:
    """From twice the patch's fundamental mode to where the stack of planes loses or gains more than is tolerated.

    Parameters
    ----------
    config
        Size and method.
    cone, layers
        Distances of the cosmology, and its shells.
    power
        P(k, z) of theory: wavenumbers [h/Mpc] and redshifts, which broadcast -> [(Mpc/h)³].
    lifted
        What the planes were sharpened by; None where they were left alone.
    measured
        Wavenumbers, shape (bins,) [h/Mpc], and the planes' power over theory's there before sharpening, shape
        (shells, bins); used where they were left alone.

    Returns
    -------
    tuple of float
        Least and largest multipole, as of `SimulatedPlanes`.
    """
    from tenfold.pipelines.simulation.lensing.limber import convergence_power

    lowest = 2 * 360 / config.side_deg
    highest = 0.75 * 180 * config.pixels / config.side_deg
    ell = np.geomspace(lowest, max(highest, 1.01 * lowest), 200)
    theory = convergence_power(ell, power, cone, config.sources)
    expected = np.zeros_like(theory)
    k_measured, ratio = measured
    for shell, (distance, redshift) in enumerate(zip(layers.distance, layers.redshift, strict=True)):
        k = ell / distance
        if lifted is None:
            found = np.interp(np.log(k), np.log(k_measured), ratio[shell], left=1.0)
        else:
            found = lifted.left(k, redshift)
        seen = power(k, np.full_like(k, redshift)) * found / (config.box_mpc_h * distance**2)
        expected += seen[:, None] * layers.weights[shell] ** 2
    off = np.abs(expected / theory - 1).max(axis=1) > TOLERANCE
    last = int(np.argmax(off)) - 1 if off.any() else len(ell) - 1
    return float(lowest), float(ell[max(last, 0)])
