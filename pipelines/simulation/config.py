"""Configuration of a set of N-body boxes, and an estimate of its cost."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from tenfold.hpc.engine import Engine
from tenfold.pipelines.quantities import convert_quantities
from tenfold.pipelines.simulation.cosmology import BOUNDS, PARAMETERS, Cosmology


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Configuration of a set of N-body boxes over cosmologies.

    Example
    -------
    >>> from tenfold.pipelines import Simulation
    >>> from astropy import units
    >>> from astropy.cosmology.units import littleh
    >>> Simulation(count=8, box_mpc_h=128 * units.Mpc / littleh).box_mpc_h
    128.0
    """

    count: int = 64
    """Number of boxes. A larger count in the same folder adds boxes."""
    seed: int = 1
    """Seed of the sampled cosmologies and of the seeds of the boxes."""
    box_mpc_h: float = 128.0
    """Side of the periodic box [Mpc/h]."""
    particles: int = 64
    """Particles per side."""
    mesh_factor: int = 2
    """Cells of the force mesh per particle and side: 1 is faster, 2 has the higher force resolution."""
    grid: int = 64
    """Cells per side of the output grid."""
    assignment: Literal["ngp", "cic"] = "ngp"
    """Mass assignment: nearest grid point (integer counts) or cloud in cell (float32)."""
    steps: int = 10
    """Number of time steps to the last redshift."""
    redshifts: tuple[float, ...] = (0.0,)
    """Output redshifts, one channel each."""
    ranges: dict[str, tuple[float, float]] = field(
        default_factory=lambda: {"omega_m": (0.1, 0.5), "sigma_8": (0.5, 1.0)}
    )
    """Varied parameters and their ranges: omega_m, sigma_8, n_s, h, omega_b."""
    processes: int = 2
    """Number of parallel processes on this machine."""
    dask: str = ""
    """Dask scheduler that does the work in place of processes here: tcp://HOST:PORT, tls://HOST:PORT, or its file."""

    def __post_init__(self) -> None:
        convert_quantities(self, box_mpc_h="Mpc/h")
        for name, minimum in (("count", 1), ("seed", 0), ("particles", 8), ("grid", 4), ("steps", 1), ("processes", 1)):
            if getattr(self, name) < minimum:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least {minimum}")
        if self.particles % 2:
            raise ValueError(f"particles: found {self.particles}, must be even")
        if not 1 <= self.mesh_factor <= 4:
            raise ValueError(f"mesh_factor: found {self.mesh_factor}, must be 1 to 4")
        if not 0 < self.box_mpc_h < math.inf:
            raise ValueError(f"box_mpc_h: found {self.box_mpc_h}, must be positive")
        if self.assignment not in ("ngp", "cic"):
            raise ValueError(f"assignment: found {self.assignment!r}, must be ngp or cic")
        if not self.redshifts or len(set(self.redshifts)) != len(self.redshifts):
            raise ValueError(f"redshifts: found {self.redshifts}, must not be empty, nor contain duplicates")
        if not all(0 <= z <= 20 for z in self.redshifts):
            raise ValueError(f"redshifts: found {self.redshifts}, must lie in 0 to 20")
        for name, (low, high) in self.ranges.items():
            if name not in PARAMETERS:
                raise ValueError(f"ranges: found {name}, must be one of {', '.join(PARAMETERS)}")
            if not BOUNDS[name][0] <= low < high <= BOUNDS[name][1]:
                raise ValueError(
                    f"ranges: found {name} from {low} to {high}, must increase and lie within {list(BOUNDS[name])}"
                )
        lowest_omega_m, highest_omega_b = self._bounds("omega_m")[0], self._bounds("omega_b")[1]
        if highest_omega_b >= lowest_omega_m:
            raise ValueError(
                f"ranges: found omega_b up to {highest_omega_b}, must stay below the smallest omega_m, {lowest_omega_m}"
            )
        self.engine  # noqa: B018 (checks dask)

    def _bounds(self, name: str) -> tuple[float, float]:
        default = getattr(Cosmology(), name)
        return self.ranges.get(name, (default, default))

    @property
    def engine(self) -> Engine:
        """Where the work is done."""
        return Engine(processes=self.processes, scheduler=self.dask)

    @property
    def densities(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Ranges of Ω_m h² and of Ω_b h² over all possible cosmologies."""
        (m_low, m_high), (b_low, b_high), (low, high) = map(self._bounds, ("omega_m", "omega_b", "h"))
        return (m_low * low**2, m_high * high**2), (b_low * low**2, b_high * high**2)

    @property
    def physics(self) -> dict[str, Any]:
        """Settings that determine the contents of a box: all but the number of boxes, and where they run."""
        return {key: value for key, value in asdict(self).items() if key not in ("count", "processes", "dask")}

    def box_seed(self, index: int) -> int:
        """Seed of the initial conditions of box `index`, at most nine digits, as CosmoFlow's seed9."""
        return int(np.random.SeedSequence([self.seed, index]).generate_state(1)[0]) % 1_000_000_000


@dataclass(frozen=True)
class SimulationSize:
    """Approximate cost of a simulation."""

    boxes: int
    """Number of boxes."""
    bytes: int
    """Size on disk [bytes]."""
    cpu_seconds: float
    """CPU time [s]."""

    def __str__(self) -> str:
        return f"{self.boxes} boxes, {self.bytes / 1e6:.0f} MB, about {self.cpu_seconds:.0f} CPU seconds"


def estimate_size(config: Simulation) -> SimulationSize:
    """Estimate the size on disk and the CPU time of a simulation."""
    item_bytes = 2 if config.assignment == "ngp" else 4
    particles, cells = config.particles**3, (config.particles * config.mesh_factor) ** 3
    outputs = len(config.redshifts)
    # seconds per particle and per force-mesh cell in one step, measured on one Zen 4 core
    per_box = 0.05 + (config.steps + outputs - 1) * (5.5e-8 * particles + 1.4e-8 * cells) + 5e-7 * particles
    return SimulationSize(
        config.count, config.count * (config.grid**3 * outputs * item_bytes + 8192), config.count * per_box
    )
