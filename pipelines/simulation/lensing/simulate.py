"""Convergence maps over sampled cosmologies: boxes, planes, maps, one FITS cube each."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tenfold.hpc.cluster import completed
from tenfold.hpc.memory import keep_freed_memory
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.simulation.cosmology import Cosmology, sample
from tenfold.pipelines.simulation.lensing.config import MassMaps
from tenfold.pipelines.simulation.lensing.convergence import LensPlanes, convergence, shape_noise
from tenfold.pipelines.simulation.lensing.lens_planes import simulate_planes
from tenfold.pipelines.simulation.simulate import transfer_table
from tenfold.pipelines.storage.output_folder import OutputFolder

if TYPE_CHECKING:
    from tenfold.pipelines.simulation.matter_power import TransferTable


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


def simulate_massmaps(config: MassMaps, out: Path | str) -> MassMapSummary:
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

    Example
    -------
    >>> from tenfold.pipelines import MassMaps, simulate_massmaps
    >>> config = MassMaps(
    ...     count=8, maps=8, particles=16, plane=64, steps=4, side_deg=4.0, pixels=16, sources=(0.5,), processes=1,
    ...     ranges={"sigma_8": (0.6, 1.0)},
    ... )
    >>> simulate_massmaps(config, "maps").made
    8
    """
    from tenfold.pipelines.simulation.boxes import differences
    from tenfold.pipelines.simulation.lensing.fits_cubes import recorded

    start = time.monotonic()
    out = Path(out)
    paths = [out / f"maps_{index:05d}.fits" for index in range(config.count)]
    there = {path for path in {*paths, *out.glob("maps_*.fits")} if path.exists()}
    for path in sorted(there):
        listed = differences(recorded(path), config.physics)
        if listed:
            raise InputError(f"{path}: made with another configuration: {listed}. Choose another output folder.")
    OutputFolder.claim(out, (path.name for path in paths), alone=True, known=[path.name for path in there])
    todo = [index for index, path in enumerate(paths) if path not in there]
    if todo:
        cosmologies = sample(config.ranges, config.count, config.seed)
        work = partial(_simulate_to, config, transfer_table(config.boxes), out)
        with progress("Simulating", total=len(todo), unit="cosmology") as advance:
            for _ in completed(work, [(index, cosmologies[index]) for index in todo], config.processes):
                advance()
    return MassMapSummary(out, len(todo), config.count - len(todo), config.maps, time.monotonic() - start)


def _simulate_to(config: MassMaps, table: "TransferTable", out: Path, item: tuple[int, Cosmology]) -> None:
    from tenfold.pipelines.simulation.lensing.fits_cubes import write_maps

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
