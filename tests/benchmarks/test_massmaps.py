"""Accuracy of C_ℓ of simulated convergence maps, relative to HMcode2020 in the Limber approximation, and their cost.

Run: pytest tests/benchmarks/test_massmaps.py -s
"""

import time
from dataclasses import replace

import numpy as np
import pytest

from tenfold.hpc.cluster import map_unordered
from tenfold.hpc.engine import Engine
from tenfold.hpc.memory import keep_freed_memory
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.config import MassMaps
from tenfold.pipelines.simulation.lensing.lens_planes import SimulatedPlanes, simulate_planes
from tenfold.pipelines.simulation.lensing.limber import limber
from tenfold.pipelines.simulation.lensing.simulate import simulate_maps
from tenfold.pipelines.simulation.simulate import transfer_table

pytestmark = pytest.mark.benchmark

RUNS = 4
"""Boxes per cosmology: C_ℓ of a single box scatters by about 10 %."""
COSMOLOGIES = [
    *(Cosmology(omega_m=omega_m) for omega_m in (0.2, 0.3, 0.4)),
    *(Cosmology(sigma_8=sigma_8) for sigma_8 in (0.65, 0.95)),
]
LAPTOP = MassMaps(maps=128, ranges={"omega_m": (0.2, 0.4), "sigma_8": (0.6, 1.0)})
DEMO = replace(LAPTOP, particles=64, plane=256, pixels=64)


def bands(config: MassMaps) -> np.ndarray:
    """Edges of the multipole bands, from 1.5 times the fundamental mode of the patch to the Nyquist frequency."""
    steps = np.array([1.5, 2.5, 3.5, 5, 7, 9, 12, 16, 22, 30, 40, 55, 75])
    return 360 / config.side_deg * steps[steps <= config.pixels / 2]


def multipoles(config: MassMaps) -> np.ndarray:
    n = np.fft.fftfreq(config.pixels, 1 / config.pixels) * 360 / config.side_deg
    return np.hypot(n[:, None], n).reshape(-1)


def band_average(config: MassMaps, values: np.ndarray) -> np.ndarray:
    inside, edges = np.digitize(multipoles(config), bands(config)), bands(config)
    count = np.bincount(inside, minlength=len(edges) + 1)
    return (np.bincount(inside, values, len(edges) + 1) / np.maximum(count, 1))[1 : len(edges)]


def spectrum(config: MassMaps, maps: np.ndarray) -> np.ndarray:
    """Mean C_ℓ of maps in bands [sr]."""
    area = np.radians(config.side_deg) ** 2
    power = np.mean([np.abs(np.fft.fft2(kappa[..., 0], norm="forward")) ** 2 for kappa in maps], axis=0)
    return area * band_average(config, power.reshape(-1))


def simulate_box(job: tuple[MassMaps, Cosmology, int, object]) -> tuple[np.ndarray, tuple[float, float], float, float]:
    """Return C_ℓ of the maps of one box, the trusted range of ℓ, and the CPU time of the planes and of the maps [s]."""
    keep_freed_memory()
    config, cosmology, seed, table = job
    start = time.process_time()
    simulated: SimulatedPlanes = simulate_planes(config, cosmology, seed, table)
    middle = time.process_time()
    maps = simulate_maps(config, simulated.planes, seed)
    return spectrum(config, maps), simulated.trusted, middle - start, time.process_time() - middle


@pytest.mark.parametrize(("name", "config"), [("laptop", LAPTOP), ("demo", DEMO)])
def test_angular_power_agrees_with_theory(name, config):
    """The deviation is below 10 % in the trusted range of ℓ that the files state, which reaches ℓ = 1,000 or more."""
    table = transfer_table(config.boxes)
    jobs = [(config, cosmology, 100 + run, table) for cosmology in COSMOLOGIES for run in range(RUNS)]
    start = time.monotonic()
    results = dict(map_unordered(simulate_box, jobs, Engine(processes=2)))
    wall = time.monotonic() - start
    ell = band_average(config, multipoles(config))
    print(
        f"\n{name}: {config.particles}³ particles in {config.box_mpc_h:g} Mpc/h, {config.side_deg}°, {config.pixels}²"
    )
    planes_s, maps_s = (np.mean([result[part] for result in results.values()]) for part in (2, 3))
    print(f"planes {planes_s:.1f} CPU s per box; {config.maps / maps_s:.0f} maps per CPU s; overall, two processes: "
          f"{len(jobs) * config.maps / wall:.1f} maps/s")  # fmt: skip
    print("Ωm   σ8     ℓ: " + " ".join(f"{band:6.0f}" for band in ell) + "   trusted range")
    worst = 0.0
    for n, cosmology in enumerate(COSMOLOGIES):
        boxes = [results[n * RUNS + run] for run in range(RUNS)]
        theory = limber(cosmology, np.maximum(multipoles(config), 1), config.sources, pixel_arcmin=config.pixel_arcmin)
        ratios = np.array([box[0] for box in boxes]) / band_average(config, theory[:, 0])
        low, high = boxes[0][1][0], min(box[1][1] for box in boxes)
        ratio, error = ratios.mean(axis=0), ratios.std(axis=0, ddof=1) / np.sqrt(RUNS)
        label = f"{cosmology.omega_m:.1f} {cosmology.sigma_8:.2f}"
        print(f"{label} ratio  " + " ".join(f"{value:6.3f}" for value in ratio) + f"   {low:.0f}–{high:.0f}")
        print("          ±     " + " ".join(f"{value:6.3f}" for value in error))
        assert high >= 1000
        inside = (ell >= low) & (ell <= high)
        worst = max(worst, float(np.max(np.abs(ratio[inside] - 1))))
    print(f"largest deviation in the trusted range: {100 * worst:.1f} %")
    assert worst <= 0.10
