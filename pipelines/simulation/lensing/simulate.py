"""Simulation of convergence maps over sampled cosmologies, one FITS cube per cosmology."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.config import MassMaps
from tenfold.pipelines.simulation.lensing.convergence import LensPlanes, convergence_map, shape_noise
from tenfold.pipelines.simulation.lensing.lens_planes import simulate_planes
from tenfold.pipelines.simulation.simulate import SimulationSummary, simulate_set

if TYPE_CHECKING:
    from tenfold.pipelines.simulation.matter_power import TransferTable


@dataclass(frozen=True)
class MassMapSummary(SimulationSummary):
    """Result of a call, with one file per cosmology."""

    maps: int
    """Number of maps of each cosmology."""

    def __str__(self) -> str:
        rate = f" ({self.made * self.maps / self.seconds:.1f} maps per second)" if self.made else ""
        return f"{self.out}: {self.made} new cosmologies of {self.maps} maps{rate}, {self.kept} existing"


def simulate_maps(config: MassMaps, planes: LensPlanes, seed: int) -> np.ndarray:
    """Draw the maps of one cosmology.

    Parameters
    ----------
    config
        Configuration of the simulation.
    planes
        Lens planes of the cosmology.
    seed
        Seed of the views and of the noise. The first n maps do not depend on the number of maps.

    Returns
    -------
    np.ndarray
        κ, float32, shape (maps, N, N, sources).
    """
    kappa = np.empty((config.maps, config.pixels, config.pixels, len(config.sources)), np.float32)
    for n in range(config.maps):
        kappa[n] = convergence_map(planes, config.side_deg, config.pixels, np.random.default_rng([seed, n, 1]))
        rng = np.random.default_rng([seed, n, 2])
        for source in range(len(config.sources) if config.shape_noise else 0):
            kappa[n, ..., source] += shape_noise(
                config.pixels, config.side_deg, config.shape_noise, config.galaxies, config.smoothing_arcmin, rng
            )
    return kappa


def simulate_massmaps(config: MassMaps, out: Path | str) -> MassMapSummary:
    """Simulate maps into a folder, as `out/maps_00000.fits` and so on, one file per cosmology. Existing files are kept.

    The folder is created if missing. Errors are those of `simulate_volumes`.

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
    from tenfold.pipelines.simulation.lensing.fits_cubes import read_config

    work = partial(_simulate_to, config)
    summary = simulate_set(
        work, config.boxes, config.physics, Path(out), "maps", ".fits", read_config, unit="cosmology"
    )
    return MassMapSummary(**vars(summary), maps=config.maps)


def _simulate_to(config: MassMaps, table: "TransferTable", index: int, cosmology: Cosmology, path: Path) -> None:
    from tenfold.pipelines.simulation.lensing.fits_cubes import write_maps

    seed = config.cosmology_seed(index)
    simulated = simulate_planes(config, cosmology, seed, table)
    write_maps(
        path,
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
