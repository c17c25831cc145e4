"""Convergence maps over sampled cosmologies: boxes, planes, maps, one FITS cube each."""

import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tenfold.hpc.cluster import completed
from tenfold.hpc.memory import keep_freed_memory
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import writable
from tenfold.pipelines.massmaps.lensing import LensPlanes, convergence, pixel_window, shape_noise, spline_coefficients
from tenfold.pipelines.massmaps.light_cone import FARTHEST, Shells, light_cone, shells
from tenfold.pipelines.massmaps.planes import plane_power, project, wavenumbers
from tenfold.pipelines.massmaps.sharpening import Sharpen, Sharpening, bins, corrected_range, sharpening
from tenfold.pipelines.simulation.cosmology import Cosmology, growth, sample
from tenfold.pipelines.simulation.initial_conditions import linear_field
from tenfold.pipelines.simulation.nbody import evolve
from tenfold.pipelines.simulation.simulate import Simulation, transfer_table

if TYPE_CHECKING:
    from tenfold.pipelines.massmaps.limber import MatterPower
    from tenfold.pipelines.simulation.matter_power import TransferTable

TOLERANCE = 0.05
"""C_ℓ is trusted while what is expected of the maps is as near to theory."""


@dataclass(frozen=True, kw_only=True)
class MassMaps:
    """A set of convergence maps over cosmologies."""

    count: int = 64
    """Number of cosmologies. A larger count in the same folder adds to what is there."""
    maps: int = 64
    """Maps of each cosmology, drawn from the same boxes."""
    runs: int = 1
    """Boxes of each cosmology."""
    seed: int = 1
    """Seed of the cosmologies drawn, of every box, view and noise."""
    box_mpc_h: float = 128.0
    """Side of the periodic box, and thickness of a shell [Mpc/h]."""
    particles: int = 128
    """Particles per side."""
    mesh_factor: int = 2
    """Cells of the force mesh per particle, per side."""
    steps: int = 24
    """Time steps to the nearest shell; every shell takes at least one."""
    plane: int = 512
    """Points per side of the planes: four per particle show all that the force mesh resolves."""
    side_deg: float = 2.5
    """Side of a map [degrees]: at the sources it may be no wider than the box."""
    pixels: int = 128
    """Pixels per side of a map."""
    sources: tuple[float, ...] = (1.0,)
    """Source redshifts, one channel each."""
    sharpen: Sharpen = "power"
    """How the planes' small scales are brought to HMcode2020's spectrum: see tenfold.pipelines.massmaps.sharpening."""
    smoothing_arcmin: float = 0.0
    """Standard deviation of a Gaussian that maps are smoothed by [arcmin]."""
    shape_noise: float = 0.0
    """Standard deviation of one component of the galaxies' ellipticity; 0: no noise."""
    galaxies: float = 30.0
    """Galaxies per square arcminute, where there is noise."""
    ranges: dict[str, tuple[float, float]] = field(
        default_factory=lambda: {"omega_m": (0.15, 0.45), "sigma_8": (0.6, 1.0)}
    )
    """Parameters that vary, and between what: omega_m, sigma_8, n_s, h, omega_b."""
    processes: int = 2
    """Processes of this machine that work side by side."""

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        for name, least in (("maps", 1), ("runs", 1), ("plane", 16), ("pixels", 4)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least {least}")
        for name in ("side_deg", "galaxies"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be positive")
        for name in ("smoothing_arcmin", "shape_noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: found {getattr(self, name)}, must not be negative")
        if self.sharpen not in ("none", "shape", "power"):
            raise ValueError(f"sharpen: found {self.sharpen!r}, must be none, shape or power")
        if self.plane % 2 or self.plane < 3 * self.particles:
            raise ValueError(f"plane: found {self.plane}, must be even, and at least three points per particle")
        if not self.sources or len(set(self.sources)) != len(self.sources):
            raise ValueError(f"sources: found {self.sources}, must be at least one, each once")
        if not all(0.05 <= z <= 5 for z in self.sources):
            raise ValueError(f"sources: found {self.sources}, must lie in 0.05 to 5")
        lowest = self.boxes.ranges.get("omega_m", (Cosmology().omega_m,))[0]
        widest = np.degrees(self.box_mpc_h / light_cone(lowest).distance(max(self.sources)))
        if self.side_deg > widest:
            raise ValueError(
                f"side_deg: found {self.side_deg}, must be at most {widest:.2f}: at redshift {max(self.sources)} and "
                f"omega_m {lowest} a box of {self.box_mpc_h} Mpc/h is no wider"
            )

    @property
    def boxes(self) -> Simulation:
        """The boxes, as a simulation of volumes."""
        return Simulation(
            count=self.count, seed=self.seed, box_mpc_h=self.box_mpc_h, particles=self.particles,
            mesh_factor=self.mesh_factor, steps=self.steps, ranges=self.ranges, processes=self.processes,
        )  # fmt: skip

    @property
    def pixel_arcmin(self) -> float:
        """Side of a pixel [arcmin]."""
        return self.side_deg * 60 / self.pixels

    @property
    def physics(self) -> dict[str, Any]:
        """What decides what is in a file: all but the number of cosmologies and of processes."""
        return {key: value for key, value in asdict(self).items() if key not in ("count", "processes")}

    def cosmology_seed(self, index: int) -> int:
        """Seed of all that is drawn for cosmology `index`."""
        return int(np.random.SeedSequence([self.seed, index]).generate_state(1)[0])


@dataclass(frozen=True)
class MassMapSummary:
    """What a call made."""

    out: Path
    """Folder of the maps."""
    made: int
    """Cosmologies made by this call."""
    kept: int
    """Cosmologies that were there before."""
    maps: int
    """Maps of each."""
    seconds: float
    """Wall time [s]."""

    def __str__(self) -> str:
        rate = f", {self.made * self.maps / self.seconds:.1f} maps a second" if self.made else ""
        return f"{self.out}: {self.made} cosmologies of {self.maps} maps made{rate}, {self.kept} kept"


@dataclass(frozen=True)
class MassMapSize:
    """What a simulation of maps would take, roughly."""

    cosmologies: int
    maps: int
    bytes: int
    cpu_seconds: float

    def __str__(self) -> str:
        what = f"{self.cosmologies} cosmologies, {self.maps:,} maps"
        return f"{what}, {self.bytes / 1e6:.0f} MB, about {self.cpu_seconds:.0f} CPU seconds"


def estimate_size(config: MassMaps) -> MassMapSize:
    """Bytes on disk and rough CPU seconds of a simulation of maps."""
    omega_m = float(np.mean(config.ranges.get("omega_m", (Cosmology().omega_m,))))
    outputs = len(shells(light_cone(omega_m), config.box_mpc_h, config.sources).distance)
    particles, cells = config.particles**3, (config.particles * config.mesh_factor) ** 3
    # seconds per particle, mesh cell, point of a plane and pixel of a map, measured on one Zen 4 core
    step = 5.5e-8 * particles + 1.4e-8 * cells
    plane = 3 * (5e-8 * particles + 1e-7 * config.plane**2)
    run = (max(config.steps, outputs) + outputs / 2) * step + outputs * plane + 5e-7 * particles
    one = outputs * (config.pixels * config.plane * 1.5e-9 + config.pixels**2 * 5e-9)
    return MassMapSize(
        config.count,
        config.count * config.maps,
        config.count * (config.maps * config.pixels**2 * len(config.sources) * 4 + 8640),
        config.count * (2.5 + config.runs * run + config.maps * one),
    )


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
        Least and largest multipole at which the maps' mean C_ℓ, their pixels' window divided out, is expected to be
        within 5 % of Limber's integral of HMcode2020.
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
    from tenfold.pipelines.massmaps.limber import matter_power

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
    return SimulatedPlanes(planes, lifted, _trusted(config, cosmology, layers, nonlinear, lifted, (k, ratio)))


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
        start = linear_field(power, config.particles, config.box_mpc_h, np.random.default_rng([seed, box]))
        run = evolve(start, growth(cosmology.omega_m), falling, steps=config.steps, mesh_factor=config.mesh_factor)
        for shell, positions in zip(reversed(range(count)), run, strict=True):
            for axis in range(3):
                seen = project(positions, axis, config.plane)
                modes[shell, 3 * box + axis] = seen
                k, found, number = plane_power(seen, config.box_mpc_h, edges)
                spectra[shell] += found / views
    held = number > 0
    return modes, spectra[:, held], k[held], number[held] * views


def _trusted(
    config: MassMaps,
    cosmology: Cosmology,
    layers: Shells,
    power: "MatterPower",
    lifted: Sharpening | None,
    measured: tuple[np.ndarray, np.ndarray],
) -> tuple[float, float]:
    """From twice the patch's fundamental mode to where the stack of planes loses or gains more than is tolerated."""
    from tenfold.pipelines.massmaps.limber import convergence_power

    lowest = 2 * 360 / config.side_deg
    highest = 0.75 * 180 * config.pixels / config.side_deg
    ell = np.geomspace(lowest, max(highest, 1.01 * lowest), 200)
    theory = convergence_power(ell, power, light_cone(cosmology.omega_m), config.sources)
    expected = np.zeros_like(theory)
    k_measured, ratio = measured
    for shell, (distance, redshift) in enumerate(zip(layers.distance, layers.redshift, strict=True)):
        k = ell / distance
        # as measured where nothing is lifted; lifted planes are as they should be up to where modes fade
        found = np.interp(np.log(k), np.log(k_measured), ratio[shell], left=1.0)
        if lifted is not None:
            found = np.where(
                k <= lifted.k_to, 1.0, lifted.factor(k, redshift) / lifted.factor(np.array(lifted.k_to), redshift)
            )
            found = found**2
        seen = power(k, np.full_like(k, redshift)) * found / (config.box_mpc_h * distance**2)
        expected += seen[:, None] * layers.weights[shell] ** 2
    off = np.abs(expected / theory - 1).max(axis=1) > TOLERANCE
    last = int(np.argmax(off)) - 1 if off.any() else len(ell) - 1
    return float(lowest), float(ell[max(last, 0)])


def simulate_maps(config: MassMaps, planes: LensPlanes, seed: int) -> np.ndarray:
    """Draw the maps of one cosmology.

    Parameters
    ----------
    config
        Number, size, noise.
    planes
        What they are drawn from.
    seed
        Seed of the views and of the noise; the first n maps of more are the maps of n.

    Returns
    -------
    np.ndarray
        κ, float32, shape (maps, N, N, sources).
    """
    found = np.empty((config.maps, config.pixels, config.pixels, len(config.sources)), np.float32)
    for n in range(config.maps):
        found[n] = convergence(planes, config.side_deg, config.pixels, np.random.default_rng([seed, n, 1]))
        rng = np.random.default_rng([seed, n, 2])
        for source in range(len(config.sources) if config.shape_noise else 0):
            found[n, ..., source] += shape_noise(
                config.pixels, config.side_deg, config.shape_noise, config.galaxies, config.smoothing_arcmin, rng
            )
    return found


def simulate_massmaps(config: MassMaps, out: Path) -> MassMapSummary:
    """Simulate maps into a folder, `out/maps_00000.fits` and on, one per cosmology; what is there already is kept.

    Parameters
    ----------
    config
        What to simulate.
    out
        Folder, made where it is not there.

    Raises
    ------
    InputError
        The folder cannot be written to, or holds maps of another configuration.
    """
    from tenfold.pipelines.massmaps.fits_cubes import recorded
    from tenfold.pipelines.simulation.boxes import differences

    start = time.monotonic()
    out = writable(Path(out))
    paths = [out / f"maps_{index:05d}.fits" for index in range(config.count)]
    there = {path for path in {*paths, *out.glob("maps_*.fits")} if path.exists()}
    for path in sorted(there):
        listed = differences(recorded(path), config.physics)
        if listed:
            raise InputError(f"{path}: made with another configuration: {listed}. Choose another output folder.")
    todo = [index for index, path in enumerate(paths) if path not in there]
    if todo:
        cosmologies = sample(config.ranges, config.count, config.seed)
        work = partial(_simulate_to, config, transfer_table(config.boxes), out)
        with progress("Simulating", total=len(todo), unit="cosmology") as advance:
            for _ in completed(work, [(index, cosmologies[index]) for index in todo], config.processes):
                advance()
    return MassMapSummary(out, len(todo), config.count - len(todo), config.maps, time.monotonic() - start)


def _simulate_to(config: MassMaps, table: "TransferTable", out: Path, item: tuple[int, Cosmology]) -> None:
    from tenfold.pipelines.massmaps.fits_cubes import write_maps

    keep_freed_memory()
    index, cosmology = item
    seed = config.cosmology_seed(index)
    simulated = simulate_planes(config, cosmology, seed, table)
    write_maps(
        out / f"maps_{index:05d}.fits",
        simulate_maps(config, simulated.planes, seed),
        cosmology=cosmology,
        side_deg=config.side_deg,
        sources=config.sources,
        trusted=simulated.trusted,
        seed=seed,
        simulation=f"seed_{config.seed}_cosmology_{index:05d}",
        varied=tuple(config.ranges),
        config=config.physics,
    )
