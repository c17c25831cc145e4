"""Configuration of a set of convergence maps, and an estimate of its cost."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tenfold.pipelines.quantities import convert_quantities
from tenfold.pipelines.simulation.config import Simulation
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.light_cone import light_cone, shells
from tenfold.pipelines.simulation.lensing.sharpening import Sharpen


@dataclass(frozen=True, kw_only=True)
class MassMaps:
    """Configuration of a set of convergence maps over cosmologies.

    Example
    -------
    >>> from tenfold.pipelines import MassMaps
    >>> from astropy import units
    >>> MassMaps(side_deg=120 * units.arcmin, pixels=120).pixel_arcmin
    1.0
    """

    count: int = 64
    """Number of cosmologies. A larger count in the same folder adds cosmologies."""
    maps: int = 64
    """Number of maps of each cosmology, drawn from the same boxes."""
    runs: int = 1
    """Number of N-body boxes of each cosmology."""
    fixed: bool = False
    """Whether boxes are "fixed and paired" (Angulo & Pontzen 2016, arXiv:1603.05253): initial modes have exactly the
    expected amplitude and random phases, and every second box has the phases opposite to the previous one. A light cone
    repeats its boxes many times, and with them their sampling noise."""
    seed: int = 1
    """Seed of the sampled cosmologies, boxes, views and noise."""
    box_mpc_h: float = 128.0
    """Side of the periodic box and thickness of a shell [Mpc/h]."""
    particles: int = 128
    """Particles per side."""
    mesh_factor: int = 2
    """Cells of the force mesh per particle and side."""
    steps: int = 24
    """Number of time steps to the nearest shell; every shell takes at least one."""
    plane: int = 512
    """Points per side of the lens planes. Four per particle resolve all scales of the force mesh."""
    side_deg: float = 2.5
    """Side of a map [degrees]; at the source redshift it must not exceed the box."""
    pixels: int = 128
    """Pixels per side of a map."""
    sources: tuple[float, ...] = (1.0,)
    """Source redshifts, one channel each."""
    sharpen: Sharpen = "power"
    """Correction of small scales to HMcode2020: none, shape or power; see `simulation.lensing.sharpening`."""
    smoothing_arcmin: float = 0.0
    """Standard deviation of the Gaussian smoothing of the maps [arcmin]."""
    shape_noise: float = 0.0
    """Standard deviation of one component of the galaxy ellipticity; 0: no shape noise."""
    galaxies: float = 30.0
    """Galaxies per square arcminute, for the shape noise."""
    ranges: dict[str, tuple[float, float]] = field(
        default_factory=lambda: {"omega_m": (0.15, 0.45), "sigma_8": (0.6, 1.0)}
    )
    """Varied parameters and their ranges: omega_m, sigma_8, n_s, h, omega_b."""
    processes: int = 2
    """Number of parallel processes on this machine."""
    dask: str = ""
    """Dask scheduler that does the work in place of processes here: tcp://HOST:PORT, tls://HOST:PORT, or its file."""

    def __post_init__(self) -> None:
        """Convert quantities, and check that the settings are possible."""
        convert_quantities(self, box_mpc_h="Mpc/h", side_deg="deg", smoothing_arcmin="arcmin", galaxies="1/arcmin2")
        for name, minimum in (("maps", 1), ("runs", 1), ("plane", 16), ("pixels", 4)):
            if getattr(self, name) < minimum:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least {minimum}")
        for name in ("side_deg", "galaxies"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be positive")
        for name in ("smoothing_arcmin", "shape_noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: found {getattr(self, name)}, must not be negative")
        if self.sharpen not in ("none", "shape", "power"):
            raise ValueError(f"sharpen: found {self.sharpen!r}, must be none, shape or power")
        if self.plane % 2 or self.plane < 3 * self.particles:
            raise ValueError(f"plane: found {self.plane}, must be even and at least three times `particles`")
        if not self.sources or len(set(self.sources)) != len(self.sources):
            raise ValueError(f"sources: found {self.sources}, must not be empty, nor contain duplicates")
        if not all(0.05 <= z <= 5 for z in self.sources):
            raise ValueError(f"sources: found {self.sources}, must lie in 0.05 to 5")
        lowest = self.boxes.ranges.get("omega_m", (Cosmology().omega_m,))[0]
        widest = np.degrees(self.box_mpc_h / light_cone(lowest).distance(max(self.sources)))
        if self.side_deg > widest:
            raise ValueError(
                f"side_deg: found {self.side_deg}, must be at most {widest:.2f}, the angle of a box of "
                f"{self.box_mpc_h} Mpc/h at redshift {max(self.sources)} and omega_m {lowest}"
            )

    @property
    def boxes(self) -> Simulation:
        """Configuration of the N-body boxes."""
        return Simulation(
            count=self.count, seed=self.seed, box_mpc_h=self.box_mpc_h, particles=self.particles,
            mesh_factor=self.mesh_factor, steps=self.steps, ranges=self.ranges, processes=self.processes,
            dask=self.dask,
        )  # fmt: skip

    @property
    def pixel_arcmin(self) -> float:
        """Side of a pixel [arcmin]."""
        return self.side_deg * 60 / self.pixels

    @property
    def physics(self) -> dict[str, Any]:
        """Settings that determine the contents of a file: all but the number of cosmologies, and where they run."""
        return {key: value for key, value in asdict(self).items() if key not in ("count", "processes", "dask")}

    def cosmology_seed(self, index: int) -> int:
        """Seed of all random numbers of cosmology `index`."""
        return int(np.random.SeedSequence([self.seed, index]).generate_state(1)[0])


@dataclass(frozen=True)
class MassMapSize:
    """Approximate cost of a simulation of maps."""

    cosmologies: int
    """Number of cosmologies."""
    maps: int
    """Number of maps."""
    bytes: int
    """Size on disk [bytes]."""
    cpu_seconds: float
    """CPU time [s]."""

    def __str__(self) -> str:
        numbers = f"{self.cosmologies} cosmologies, {self.maps:,} maps"
        return f"{numbers}, {self.bytes / 1e6:.0f} MB, about {self.cpu_seconds:.0f} CPU seconds"


def estimate_size(config: MassMaps) -> MassMapSize:
    """Estimate the size on disk and the CPU time of a simulation of maps."""
    omega_m = float(np.mean(config.ranges.get("omega_m", (Cosmology().omega_m,))))
    outputs = len(shells(light_cone(omega_m), config.box_mpc_h, config.sources).distance)
    particles, cells = config.particles**3, (config.particles * config.mesh_factor) ** 3
    # seconds per particle, mesh cell, plane point and map pixel, measured on one Zen 4 core
    step = 5.5e-8 * particles + 1.4e-8 * cells
    plane = 3 * (5e-8 * particles + 1e-7 * config.plane**2)
    per_box = (max(config.steps, outputs) + outputs / 2) * step + outputs * plane + 5e-7 * particles
    per_map = outputs * (config.pixels * config.plane * 1.5e-9 + config.pixels**2 * 5e-9)
    return MassMapSize(
        config.count,
        config.count * config.maps,
        config.count * (config.maps * config.pixels**2 * len(config.sources) * 4 + 8640),
        config.count * (1.5 + config.runs * per_box + config.maps * per_map),
    )
