"""Accuracy of the simulator against HMcode2020, and its speed. Run: pytest tests/benchmarks/test_simulator.py -s"""

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scipy.fft

from tenfold.hpc.cluster import map_unordered
from tenfold.hpc.memory import keep_freed_memory
from tenfold.pipelines.simulation.config import Simulation
from tenfold.pipelines.simulation.cosmology import Cosmology, growth, sample_cosmologies
from tenfold.pipelines.simulation.initial_conditions import linear_field
from tenfold.pipelines.simulation.matter_power import camb_power, linear_power
from tenfold.pipelines.simulation.nbody import evolve
from tenfold.pipelines.simulation.painting import paint
from tenfold.pipelines.simulation.simulate import simulate_box, simulate_volumes, transfer_table
from tenfold.stats.power import overdensity, power_spectrum

pytestmark = pytest.mark.benchmark

SIMULATION = Simulation(count=20, seed=4, box_mpc_h=256.0, particles=128, processes=2)
BANDS = {"k < 0.1": (0.0, 0.1, 0.01), "0.2": (0.17, 0.23, 0.02), "0.5": (0.45, 0.55, 0.05), "1.0": (0.9, 1.1, None)}


# where HMcode2020's makers had simulations to fit (arXiv:2009.01858), and a little beyond
CALIBRATED = {"omega_m": (0.25, 0.35), "sigma_8": (0.6, 1.0), "n_s": (0.9, 1.0)}


def measured(config: Simulation, cosmology: Cosmology, table, seed: int, fixed: bool):
    """Return the linear modes, the run's P(k) and the particles counted.

    With fixed, amplitudes are fixed and a second run with all phases turned is averaged in (Angulo & Pontzen,
    arXiv:1603.05253): without, a single 256 Mpc/h box scatters by several per cent because its waves couple, in any
    code.
    """
    side, box = config.particles, config.box_mpc_h
    modes = linear_field(linear_power(cosmology, table), side, box, np.random.default_rng(seed), fixed=fixed)
    powers = []
    for sign in (1, -1) if fixed else (1,):
        (positions,) = evolve(
            modes * np.float32(sign),
            growth(cosmology.omega_m),
            [0.0],
            steps=config.steps,
            mesh_factor=config.mesh_factor,
        )
        assert paint(positions, side, "ngp").sum(dtype=np.int64) == side**3
        spectrum = power_spectrum(overdensity(paint(positions, 2 * side, "cic")), box, window_order=2)
        powers.append(spectrum.power[: side // 2 - 1])
    return modes, np.mean(powers, axis=0)


def boosted(modes: np.ndarray, box: float, boost):
    """Spectrum of the realised linear modes times boost(k), multiplied in before binning."""
    side = modes.shape[0]
    n = np.fft.fftfreq(side, 1 / side)
    k = 2 * np.pi / box * np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + n[: side // 2 + 1] ** 2)
    k[0, 0, 0] = k[0, 0, 1]
    return power_spectrum(scipy.fft.irfftn(modes * np.sqrt(boost(k)), s=(side,) * 3), box)


def tabulated(k: np.ndarray, ratio: np.ndarray):
    return lambda wanted: np.exp(np.interp(np.log(wanted), np.log(k), np.log(ratio)))


REALISATIONS = 3
"""Of each cosmology, where single ones are judged: at σ8 ≈ 1 a fixed pair of boxes scatters by 1.7 % at k < 0.1."""


def ratios(config: Simulation, fixed: bool, job: tuple[int, Cosmology, object]) -> np.ndarray:
    """P(k) over HMcode2020's boost times the realised linear field, in BANDS."""
    index, cosmology, table = job
    modes, found = measured(config, cosmology, table, config.box_seed(index), fixed)
    k = np.geomspace(0.01, 4.0, 400)
    linear, nonlinear = camb_power(cosmology, k)
    expected = boosted(modes, config.box_mpc_h, tabulated(k, nonlinear / linear))
    weight = [np.where((low <= expected.k) & (expected.k < high), expected.modes, 0) for low, high, _ in BANDS.values()]
    return np.array([np.average(found / expected.power, weights=w) for w in weight])


def accuracy(config: Simulation, fixed: bool, realisations: int = 1) -> np.ndarray:
    """Ratios of every cosmology, mean of some realisations, shape (count, bands); prints them."""
    table = transfer_table(config)
    cosmologies = sample_cosmologies(config.ranges, config.count, config.seed)
    found = np.empty((realisations * config.count, len(BANDS)))
    jobs = [(index, cosmologies[index % config.count], table) for index in range(len(found))]
    for index, row in map_unordered(partial(ratios, config, fixed), jobs, config.processes):
        found[index] = row
    table_rows = found.reshape(realisations, config.count, len(BANDS)).mean(axis=0)
    print(f"\n{'fixed amplitudes, paired' if fixed else 'Gaussian'}, {config.steps} steps: P over HMcode2020")
    print("omega_m sigma_8 " + " ".join(f"{name:>8}" for name in BANDS))
    for cosmology, row in zip(cosmologies, table_rows, strict=True):
        print(f"{cosmology.omega_m:7.3f} {cosmology.sigma_8:7.3f} " + " ".join(f"{value:8.3f}" for value in row))
    for name, row in (("mean", table_rows.mean(0)), ("lowest", table_rows.min(0)), ("highest", table_rows.max(0))):
        print(f"{name:>15} " + " ".join(f"{value:8.3f}" for value in row))
    return table_rows


def test_power_is_that_of_hmcode_over_twenty_cosmologies():
    rows = accuracy(replace(SIMULATION, ranges=CALIBRATED), fixed=True, realisations=REALISATIONS)
    for (name, (_, _, bound)), column in zip(BANDS.items(), rows.T, strict=True):
        if bound is not None:
            assert abs(column.mean() - 1) < bound, name
            assert np.abs(column - 1).max() < 3 * bound, name


def test_power_is_that_of_hmcode_in_the_mean_of_the_whole_range():
    rows = accuracy(SIMULATION, fixed=True)
    for (name, (_, _, bound)), column in zip(BANDS.items(), rows.T, strict=True):
        assert bound is None or abs(column.mean() - 1) < bound, name


def one_loop(power, k: np.ndarray) -> np.ndarray:
    """One-loop standard perturbation theory over linear theory (Makino, Sasaki & Suto 1992)."""
    x, weight = np.polynomial.legendre.leggauss(200)
    out = []
    for wave in k:
        r = np.geomspace(1e-4 / wave, 12 / wave, 1500)
        series = 12 / r**2 - 158 + 100 * r**2 - 42 * r**4
        series += 3 / r**3 * (r**2 - 1) ** 3 * (7 * r**2 + 2) * np.log(np.abs((1 + r) / (1 - r)))
        series = np.where(r > 50, -488 / 5, np.where(r < 0.01, -168, series))
        inner = power(wave * r)
        thirteen = wave**3 / (1008 * np.pi**2) * np.trapezoid(inner * series * r, np.log(r))
        square = np.maximum(1 + r[:, None] ** 2 - 2 * r[:, None] * x, 1e-12)
        other = wave * np.sqrt(square)
        outer = np.where(other > 1e-4, power(np.maximum(other, 1e-4)), 0)
        kernel = (3 * r[:, None] + 7 * x - 10 * r[:, None] * x**2) ** 2 / square**2
        twenty_two = wave**3 / (392 * np.pi**2) * np.trapezoid(inner * r * ((outer * kernel) @ weight), np.log(r))
        out.append(1 + thirteen + twenty_two / power(np.array([wave]))[0])
    return np.array(out)


def test_where_hmcode_strays_the_simulation_sides_with_perturbation_theory():
    # at σ8 = 0.4 one loop is good to a per cent at k < 0.2 h/Mpc: an umpire where nothing was fitted
    print("\nomega_m, k = 0.10-0.20: simulation over one loop, simulation over HMcode2020, one loop over HMcode2020")
    for omega_m in (0.155, 0.3, 0.45):
        cosmology = Cosmology(omega_m=omega_m, sigma_8=0.4)
        table = transfer_table(replace(SIMULATION, ranges={"omega_m": (omega_m - 1e-3, omega_m + 1e-3)}))
        modes, found = measured(SIMULATION, cosmology, table, 7, fixed=True)
        k = np.geomspace(0.02, 0.3, 60)
        linear, nonlinear = camb_power(cosmology, k)
        inside = slice(3, 8)
        box = SIMULATION.box_mpc_h
        ours = found[inside]
        loop = boosted(modes, box, tabulated(k, one_loop(linear_power(cosmology, table), k))).power[inside]
        fitted = boosted(modes, box, tabulated(k, nonlinear / linear)).power[inside]
        print(f"{omega_m}: {(ours / loop).mean():.3f} {(ours / fitted).mean():.3f} {(loop / fitted).mean():.3f}")
        assert abs((ours / loop).mean() - 1) < 0.015


def _fft_seconds(side: int) -> float:
    mesh = np.random.default_rng(0).standard_normal((side,) * 3, dtype=np.float32)
    best = np.inf
    for _ in range(max(3, 2**24 // side**3)):
        start = time.process_time()
        scipy.fft.rfftn(mesh, workers=1)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize(("particles", "prototype_ffts"), [(32, None), (64, 57), (128, 86)])
def test_a_box_costs_no_more_ffts_of_its_mesh_than_the_prototype(particles, prototype_ffts):
    config = replace(SIMULATION, particles=particles, box_mpc_h=2.0 * particles, grid=particles, ranges={})
    table = transfer_table(config)
    keep_freed_memory()
    best = np.inf
    for seed in range(4 if particles < 128 else 2):
        start = time.process_time()
        simulate_box(config, Cosmology(), seed, table)
        if seed:  # the first compiles
            best = min(best, time.process_time() - start)
    fft = _fft_seconds(particles * config.mesh_factor)
    print(f"\n{particles}^3 particles: {best:.3f} cpu-s a box, {best / fft:.0f} FFTs of its mesh ({fft * 1e3:.1f} ms)")
    assert prototype_ffts is None or best / fft < prototype_ffts


def test_boxes_per_minute_on_two_processes(tmp_path):
    simulate_volumes(replace(SIMULATION, count=1, particles=64, grid=64, box_mpc_h=128.0), tmp_path / "compile")
    summary = simulate_volumes(
        replace(SIMULATION, count=64, particles=64, grid=64, box_mpc_h=128.0), tmp_path / "boxes"
    )
    print(f"\n64^3 particles: {summary}")
    assert summary.made == 64
