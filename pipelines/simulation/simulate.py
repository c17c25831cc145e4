"""Dark-matter boxes over sampled cosmologies, and their Gaussian twins, to train on."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np

from tenfold.hpc.cluster import completed
from tenfold.hpc.memory import keep_freed_memory
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.quantities import convert_quantities
from tenfold.pipelines.simulation.boxes import finished, recorded, write_box
from tenfold.pipelines.simulation.cosmology import BOUNDS, PARAMETERS, Cosmology, growth, sample
from tenfold.pipelines.simulation.initial_conditions import linear_field
from tenfold.pipelines.simulation.nbody import evolve
from tenfold.pipelines.simulation.painting import paint
from tenfold.pipelines.simulation.surrogates import gaussian_surrogate
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.stats.power import overdensity

if TYPE_CHECKING:
    from tenfold.pipelines.simulation.matter_power import TransferTable


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A set of N-body boxes over cosmologies.

    Example
    -------
    >>> from tenfold.pipelines import Simulation
    >>> from astropy import units
    >>> from astropy.cosmology.units import littleh
    >>> Simulation(count=8, box_mpc_h=128 * units.Mpc / littleh).box_mpc_h
    128.0
    """

    count: int = 64
    """Number of boxes. A larger count in the same folder adds to what is there."""
    seed: int = 1
    """Seed of the cosmologies drawn, and of every box's own seed."""
    box_mpc_h: float = 128.0
    """Side of the periodic box [Mpc/h]."""
    particles: int = 64
    """Particles per side."""
    mesh_factor: int = 2
    """Cells of the force mesh per particle, per side: 1 is faster, 2 has the sharper force."""
    grid: int = 64
    """Cells per side of the counts that are written."""
    assignment: Literal["ngp", "cic"] = "ngp"
    """Nearest grid point (counts, integers) or cloud in cell (float32)."""
    steps: int = 10
    """Time steps to the last redshift."""
    redshifts: tuple[float, ...] = (0.0,)
    """Redshifts, one channel each."""
    ranges: dict[str, tuple[float, float]] = field(
        default_factory=lambda: {"omega_m": (0.1, 0.5), "sigma_8": (0.5, 1.0)}
    )
    """Parameters that vary, and between what: omega_m, sigma_8, n_s, h, omega_b."""
    processes: int = 2
    """Processes of this machine that work side by side."""

    def __post_init__(self) -> None:
        convert_quantities(self, box_mpc_h="Mpc/h")
        for name, least in (("count", 1), ("seed", 0), ("particles", 8), ("grid", 4), ("steps", 1), ("processes", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least {least}")
        if self.particles % 2:
            raise ValueError(f"particles: found {self.particles}, must be even")
        if not 1 <= self.mesh_factor <= 4:
            raise ValueError(f"mesh_factor: found {self.mesh_factor}, must be 1 to 4")
        if not 0 < self.box_mpc_h < math.inf:
            raise ValueError(f"box_mpc_h: found {self.box_mpc_h}, must be positive")
        if self.assignment not in ("ngp", "cic"):
            raise ValueError(f"assignment: found {self.assignment!r}, must be ngp or cic")
        if not self.redshifts or len(set(self.redshifts)) != len(self.redshifts):
            raise ValueError(f"redshifts: found {self.redshifts}, must be at least one, each once")
        if not all(0 <= z <= 20 for z in self.redshifts):
            raise ValueError(f"redshifts: found {self.redshifts}, must lie in 0 to 20")
        for name, (low, high) in self.ranges.items():
            if name not in PARAMETERS:
                raise ValueError(f"ranges: found {name}, must be of {', '.join(PARAMETERS)}")
            if not BOUNDS[name][0] <= low < high <= BOUNDS[name][1]:
                raise ValueError(
                    f"ranges: found {name} from {low} to {high}, must rise and lie within {list(BOUNDS[name])}"
                )
        low_m, high_b = self._bounds("omega_m")[0], self._bounds("omega_b")[1]
        if high_b >= low_m:
            raise ValueError(f"ranges: found omega_b up to {high_b}, must stay below omega_m, which begins at {low_m}")

    def _bounds(self, name: str) -> tuple[float, float]:
        default = getattr(Cosmology(), name)
        return self.ranges.get(name, (default, default))

    @property
    def densities(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Ranges of Ω_m h² and of Ω_b h² that the cosmologies can reach."""
        (m_low, m_high), (b_low, b_high), (low, high) = map(self._bounds, ("omega_m", "omega_b", "h"))
        return (m_low * low**2, m_high * high**2), (b_low * low**2, b_high * high**2)

    @property
    def physics(self) -> dict[str, Any]:
        """What decides what is in a box: all but the number of boxes and of processes."""
        return {key: value for key, value in asdict(self).items() if key not in ("count", "processes")}

    def box_seed(self, index: int) -> int:
        """Seed of the initial conditions of box `index`: nine digits at most, as CosmoFlow's seed9."""
        return int(np.random.SeedSequence([self.seed, index]).generate_state(1)[0]) % 1_000_000_000


@dataclass(frozen=True)
class SimulationSummary:
    """What a call made."""

    out: Path
    """Folder of the boxes."""
    made: int
    """Boxes made by this call."""
    kept: int
    """Boxes that were there before."""
    seconds: float
    """Wall time [s]."""

    def __str__(self) -> str:
        rate = f", {self.made / self.seconds * 60:.0f} a minute" if self.made else ""
        return f"{self.out}: {self.made} boxes made{rate}, {self.kept} kept"


@dataclass(frozen=True)
class SimulationSize:
    """What a simulation would take, roughly."""

    boxes: int
    bytes: int
    cpu_seconds: float

    def __str__(self) -> str:
        return f"{self.boxes} boxes, {self.bytes / 1e6:.0f} MB, about {self.cpu_seconds:.0f} CPU seconds"


def estimate_size(config: Simulation) -> SimulationSize:
    """Bytes on disk and rough CPU seconds of a simulation."""
    item = 2 if config.assignment == "ngp" else 4
    particles, cells = config.particles**3, (config.particles * config.mesh_factor) ** 3
    outputs = len(config.redshifts)
    # seconds per particle and per force-mesh cell of a step, measured on one Zen 4 core
    per_box = 0.05 + (config.steps + outputs - 1) * (5.5e-8 * particles + 1.4e-8 * cells) + 5e-7 * particles
    return SimulationSize(config.count, config.count * (config.grid**3 * outputs * item + 8192), config.count * per_box)


def simulate_box(config: Simulation, cosmology: Cosmology, seed: int, table: "TransferTable") -> np.ndarray:
    """Simulate one box.

    Parameters
    ----------
    config
        Size and method.
    cosmology
        The box's cosmology.
    seed
        Seed of its initial conditions.
    table
        Transfer functions that cover the cosmology.

    Returns
    -------
    np.ndarray
        Counts (int16, or int32 where they need it) or mass in particles (float32), shape (grid, grid, grid, C).
    """
    from tenfold.pipelines.simulation.matter_power import linear_power

    power = linear_power(cosmology, table)
    modes = linear_field(power, config.particles, config.box_mpc_h, np.random.default_rng(seed))
    falling = sorted(config.redshifts, reverse=True)
    run = evolve(modes, growth(cosmology.omega_m), falling, steps=config.steps, mesh_factor=config.mesh_factor)
    channels = {z: paint(positions, config.grid, config.assignment) for z, positions in zip(falling, run, strict=True)}
    return np.stack([channels[z] for z in config.redshifts], axis=-1)


def transfer_table(config: Simulation) -> "TransferTable":
    """Ask CAMB for the transfer functions that all cosmologies of a simulation are interpolated between."""
    from tenfold.pipelines.simulation.matter_power import nodes, tabulate  # CAMB takes a second to import

    asked = nodes(*config.densities)
    found: dict[int, np.ndarray] = {}
    # a few are done before other processes have started
    with progress("Linear spectra by CAMB", total=len(asked), unit="spectrum") as advance:
        for position, ln_t in completed(_transfer, asked, config.processes if len(asked) > 16 else 1):
            found[position] = ln_t
            advance()
    return tabulate(*config.densities, [found[n] for n in range(len(asked))])


def _transfer(densities: tuple[float, float]) -> np.ndarray:
    from tenfold.pipelines.simulation.matter_power import transfer

    return transfer(*densities)


def simulate_volumes(config: Simulation, out: Path | str) -> SimulationSummary:
    """Simulate boxes into a folder, `out/box_00000.h5` and on; boxes that are there already are kept.

    Parameters
    ----------
    config
        What to simulate.
    out
        Folder, made where it is not there.

    Raises
    ------
    InputError
        The folder cannot be written to, or holds boxes of another configuration.

    Example
    -------
    >>> from tenfold.pipelines import Simulation, simulate_volumes
    >>> config = Simulation(count=20, particles=16, grid=16, box_mpc_h=64, steps=2, processes=1)
    >>> simulate_volumes(config, "boxes").made
    20
    """
    start = time.monotonic()
    out = Path(out)
    paths = [out / f"box_{index:05d}.h5" for index in range(config.count)]
    done = finished(sorted({*paths, *out.glob("box_*.h5")}), config.physics)
    OutputFolder.claim(out, (path.name for path in paths), alone=True, known=[path.name for path in done])
    todo = [index for index, path in enumerate(paths) if path not in done]
    if todo:
        cosmologies = sample(config.ranges, config.count, config.seed)
        work = partial(_simulate_to, config, transfer_table(config), out)
        with progress("Simulating", total=len(todo), unit="box") as advance:
            for _ in completed(work, [(index, cosmologies[index]) for index in todo], config.processes):
                advance()
    return SimulationSummary(out, len(todo), config.count - len(todo), time.monotonic() - start)


def _simulate_to(config: Simulation, table: "TransferTable", out: Path, box: tuple[int, Cosmology]) -> None:
    keep_freed_memory()
    index, cosmology = box
    seed = config.box_seed(index)
    write_box(
        out / f"box_{index:05d}.h5",
        simulate_box(config, cosmology, seed, table),
        cosmology=cosmology,
        ranges=config.ranges,
        redshifts=config.redshifts,
        seed=seed,
        universe=f"seed_{config.seed}_box_{index:05d}",
        units="counts" if config.assignment == "ngp" else "particles",
        config=config.physics,
    )


def simulate_surrogates(boxes: Path | str, out: Path | str, *, seed: int, processes: int = 2) -> SimulationSummary:
    """Write the Gaussian twin of every box: an overdensity with the box's P(k), shell by shell, and nothing else.

    Parameters
    ----------
    boxes
        Folder of boxes, as `simulate_volumes` writes it.
    out
        Another folder. The files have the boxes' names and layout; `full` is δ, float32.
    seed
        Seed of the twins' white noise.
    processes
        Processes that work side by side.

    Raises
    ------
    InputError
        There are no boxes, or out holds twins of other boxes or another seed.

    Example
    -------
    >>> from tenfold.pipelines import simulate_surrogates
    >>> simulate_surrogates("boxes", "surrogates", seed=1, processes=1).made
    20
    """
    start = time.monotonic()
    sources = sorted(Path(boxes).glob("box_*.h5"))
    if not sources:
        raise InputError(f"{boxes}: no box_*.h5 here. Simulate some first: tenfold simulate volumes --out {boxes}")
    if Path(out).resolve() == Path(boxes).resolve():
        raise InputError(f"{out}: twins need another folder than the boxes'")
    out = Path(out)
    todo = [source for source in sources if not _is_twin(out / source.name, source, seed)]
    names = {source.name for source in sources}
    OutputFolder.claim(out, names, alone=True, known=names - {source.name for source in todo})
    with progress("Making Gaussian twins", total=len(todo), unit="box") as advance:
        for _ in completed(partial(_twin_to, out, seed), todo, processes):
            advance()
    return SimulationSummary(out, len(todo), len(sources) - len(todo), time.monotonic() - start)


def _twin_marks(source: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return {"universe_tag": source["universe_tag"], "config": source["config"], "surrogate_seed": seed}


def _is_twin(path: Path, source: Path, seed: int) -> bool:
    if not path.exists():
        return False
    found, _ = recorded(path)
    wanted = _twin_marks(recorded(source)[0], seed)
    differ = [key for key, value in wanted.items() if found.get(key) != value]
    if differ:
        raise InputError(f"{path}: not the twin of {source} by seed {seed} ({', '.join(differ)} differ).")
    return True


def _twin_to(out: Path, seed: int, source: Path) -> None:
    with replacing(out / source.name) as temporary, h5py.File(source, "r") as box, h5py.File(temporary, "w") as twin:
        full = np.asarray(box["full"])
        delta = np.stack([overdensity(full[..., channel]) for channel in range(full.shape[3])], axis=-1)
        own = int(box.attrs["seed"])
        twin.create_dataset("full", data=gaussian_surrogate(delta, np.random.default_rng([seed, own])))
        for name in ("physPar", "unitPar", "namePar", "redshifts"):
            box.copy(name, twin)
        for key, value in {**box.attrs, **_twin_marks(box.attrs, seed), "units": "overdensity"}.items():
            twin.attrs[key] = value
