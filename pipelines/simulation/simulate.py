"""Simulation of dark-matter boxes over sampled cosmologies."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tenfold.hpc.cluster import map_unordered
from tenfold.hpc.engine import Engine
from tenfold.hpc.memory import keep_freed_memory
from tenfold.hpc.progress import progress
from tenfold.hpc.scheduler import check_reachable
from tenfold.pipelines.simulation.boxes import existing_files, read_config, write_box
from tenfold.pipelines.simulation.config import Simulation
from tenfold.pipelines.simulation.cosmology import Cosmology, growth, sample_cosmologies
from tenfold.pipelines.simulation.initial_conditions import linear_field
from tenfold.pipelines.simulation.nbody import evolve
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.stats.painting import paint

if TYPE_CHECKING:
    from tenfold.pipelines.simulation.matter_power import TransferTable


@dataclass(frozen=True)
class SimulationSummary:
    """Result of a call."""

    out: Path
    """Folder of the files."""
    made: int
    """Number of files written by this call: one per box, or per cosmology of maps."""
    kept: int
    """Number of files that existed before."""
    seconds: float
    """Wall time [s]."""

    def __str__(self) -> str:
        rate = f" ({self.made / self.seconds * 60:.0f} per minute)" if self.made else ""
        return f"{self.out}: {self.made} new boxes{rate}, {self.kept} existing"


def simulate_box(config: Simulation, cosmology: Cosmology, seed: int, table: "TransferTable") -> np.ndarray:
    """Simulate one box and paint its particles.

    Parameters
    ----------
    config
        Configuration of the simulation.
    cosmology
        Cosmology of the box.
    seed
        Seed of its initial conditions.
    table
        Transfer functions whose range includes the cosmology.

    Returns
    -------
    np.ndarray
        Counts (int16, or int32 where needed) or mass in particles (float32), shape (grid, grid, grid, C).
    """
    from tenfold.pipelines.simulation.matter_power import linear_power

    power = linear_power(cosmology, table)
    modes = linear_field(power, config.particles, config.box_mpc_h, np.random.default_rng(seed))
    decreasing = sorted(config.redshifts, reverse=True)
    run = evolve(modes, growth(cosmology.omega_m), decreasing, steps=config.steps, mesh_factor=config.mesh_factor)
    channels = {
        z: paint(positions, config.grid, config.assignment) for z, positions in zip(decreasing, run, strict=True)
    }
    return np.stack([channels[z] for z in config.redshifts], axis=-1)


def transfer_table(config: Simulation, shared: Path | None = None) -> "TransferTable":
    """Compute with CAMB the transfer functions that cover all cosmologies of a simulation.

    Parameters
    ----------
    config
        Configuration of the simulation.
    shared
        Existing folder that the workers of its scheduler can write to; None: they are computed on this machine.
    """
    from tenfold.pipelines.simulation.matter_power import nodes, tabulate  # CAMB takes a second to import

    densities = nodes(*config.densities)
    transfers: dict[int, np.ndarray] = {}
    # a few are faster than the start of other processes
    engine = config.engine if shared else Engine(processes=config.processes)
    engine = engine if len(densities) > 16 else Engine()
    with progress("Linear power spectra (CAMB)", total=len(densities), unit="spectrum") as advance:
        for position, ln_t in map_unordered(_transfer, densities, engine, shared=shared):
            transfers[position] = ln_t
            advance()
    return tabulate(*config.densities, [transfers[n] for n in range(len(densities))])


def _transfer(densities: tuple[float, float]) -> np.ndarray:
    from tenfold.pipelines.simulation.matter_power import transfer

    return transfer(*densities)


def simulate_volumes(config: Simulation, out: Path | str) -> SimulationSummary:
    """Simulate boxes into a folder, as `out/box_00000.h5` and so on. Existing boxes are kept.

    Parameters
    ----------
    config, out
        Configuration of the simulation, and output folder, created if missing.

    Raises
    ------
    InputError
        The folder is not writable, or contains boxes of another configuration.

    Example
    -------
    >>> from tenfold.pipelines import Simulation, simulate_volumes
    >>> config = Simulation(count=20, particles=16, grid=16, box_mpc_h=64, steps=2, processes=1)
    >>> simulate_volumes(config, "boxes").made
    20
    """
    work = partial(_simulate_to, config)
    return simulate_set(work, config, config.physics, Path(out), "box", ".h5", read_config, unit="box")


def simulate_set(
    simulate_to: Callable[["TransferTable", int, Cosmology, Path], None],
    boxes: Simulation,
    physics: Mapping[str, Any],
    out: Path,
    stem: str,
    suffix: str,
    read_config: Callable[[Path], Mapping[str, Any]],
    *,
    unit: str,
) -> SimulationSummary:
    """Simulate one file per sampled cosmology in parallel; existing files are kept.

    Parameters
    ----------
    simulate_to
        ``simulate_to(transfer functions, index, cosmology, path)`` writes one file.
    boxes
        Configuration of the boxes: the sampled cosmologies and the number of processes.
    physics
        Settings that determine the contents of a file; those of existing files must be the same.
    out, stem, suffix
        Folder of the files, and beginning and end of their names: ``box`` and ``.h5`` for ``box_00000.h5`` and so on.
    read_config
        Reads these settings from an existing file.
    unit
        Noun of the progress bar.

    Raises
    ------
    InputError
        The folder is not writable, or contains files of another configuration.
    """
    start = time.monotonic()
    out = boxes.engine.path(out)
    paths = [out / f"{stem}_{index:05d}{suffix}" for index in range(boxes.count)]
    existing = existing_files({*paths, *out.glob(f"{stem}_*{suffix}")}, physics, read_config)
    todo = [index for index, path in enumerate(paths) if path not in existing]
    if todo:
        check_reachable(boxes.engine)
    OutputFolder.claim(out, (path.name for path in paths), alone=True, known=[path.name for path in existing])
    if todo:
        cosmologies = sample_cosmologies(boxes.ranges, boxes.count, boxes.seed)
        work = partial(_simulate_item, simulate_to, transfer_table(boxes, out))
        with progress("Simulating", total=len(todo), unit=unit) as advance:
            items = [(index, cosmologies[index], paths[index]) for index in todo]
            for _ in map_unordered(work, items, boxes.engine, shared=out):
                advance()
    return SimulationSummary(out, len(todo), boxes.count - len(todo), time.monotonic() - start)


def _simulate_item(simulate_to: Callable, table: "TransferTable", item: tuple[int, Cosmology, Path]) -> None:
    keep_freed_memory()
    simulate_to(table, *item)


def _simulate_to(config: Simulation, table: "TransferTable", index: int, cosmology: Cosmology, path: Path) -> None:
    seed = config.box_seed(index)
    write_box(
        path,
        simulate_box(config, cosmology, seed, table),
        cosmology=cosmology,
        ranges=config.ranges,
        redshifts=config.redshifts,
        seed=seed,
        universe=f"seed_{config.seed}_box_{index:05d}",
        units="counts" if config.assignment == "ngp" else "particles",
        config=config.physics,
    )
