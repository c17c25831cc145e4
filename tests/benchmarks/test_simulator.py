"""Accuracy of the simulator against HMcode2020, and its speed. Run: pytest tests/benchmarks/test_simulator.py -s"""

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scipy.fft

from tenfold.hpc.cluster import completed
from tenfold.hpc.memory import keep_freed_memory
from tenfold.pipelines.cosmology import Cosmology, growth, sample
from tenfold.pipelines.initial_conditions import linear_field
from tenfold.pipelines.matter_power import camb_power, linear_power
from tenfold.pipelines.nbody import evolve
from tenfold.pipelines.painting import paint
from tenfold.pipelines.simulate import Simulation, simulate_box, simulate_volumes, transfer_table
from tenfold.stats.power import overdensity, power_spectrum

pytestmark = pytest.mark.benchmark

SIMULATION = Simulation(count=20, seed=4, box_mpc_h=256.0, particles=128, processes=2)
BANDS = {"k < 0.1": (0.0, 0.1, 0.01), "0.2": (0.17, 0.23, 0.02), "0.5": (0.45, 0.55, 0.05), "1.0": (0.9, 1.1, None)}


def ratios(config: Simulation, fixed: bool, job: tuple[int, Cosmology, object]) -> tuple[np.ndarray, int]:
    """P(k) over HMcode2020's boost times the realised linear field, in BANDS, and the particles counted.

    The boost multiplies the very modes of the realised field before they are binned. With fixed, amplitudes are fixed
    and a second run with all phases turned is averaged in (Angulo & Pontzen, arXiv:1603.05253): without, a single
    256 Mpc/h box scatters by several per cent below 0.2 h/Mpc because its waves couple, in any code.
    """
    index, cosmology, table = job
    side, box = config.particles, config.box_mpc_h
    power = linear_power(cosmology, table)
    modes = linear_field(power, side, box, np.random.default_rng(config.box_seed(index)), fixed=fixed)
    n = np.fft.fftfreq(side, 1 / side)
    k = 2 * np.pi / box * np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + n[: side // 2 + 1] ** 2)
    tabulated = np.geomspace(2 * np.pi / box / 2, k.max(), 400)
    linear, nonlinear = camb_power(cosmology, tabulated)
    k[0, 0, 0] = tabulated[0]
    boosted = modes * np.sqrt(np.exp(np.interp(np.log(k), np.log(tabulated), np.log(nonlinear / linear))))
    expected = power_spectrum(scipy.fft.irfftn(boosted, s=(side,) * 3), box)

    found, counted = np.zeros(len(expected.k)), 0
    signs = (1, -1) if fixed else (1,)
    for sign in signs:
        phases = modes * np.float32(sign)
        run = evolve(phases, growth(cosmology.omega_m), [0.0], steps=config.steps, mesh_factor=config.mesh_factor)
        positions = next(run)
        delta = overdensity(paint(positions, 2 * side, "cic"))
        found += power_spectrum(delta, box, window_order=2).power[: len(found)] / len(signs)
        counted = int(paint(positions, side, "ngp").sum(dtype=np.int64))
    weight = [np.where((low <= expected.k) & (expected.k < high), expected.modes, 0) for low, high, _ in BANDS.values()]
    return np.array([np.average(found / expected.power, weights=w) for w in weight]), counted


def accuracy(config: Simulation, fixed: bool) -> np.ndarray:
    """Ratios of every cosmology, shape (count, bands); prints them."""
    table = transfer_table(config)
    cosmologies = sample(config.ranges, config.count, config.seed)
    table_rows = np.empty((config.count, len(BANDS)))
    jobs = [(index, cosmology, table) for index, cosmology in enumerate(cosmologies)]
    for index, (row, counted) in completed(partial(ratios, config, fixed), jobs, config.processes):
        table_rows[index] = row
        assert counted == config.particles**3
    print(f"\n{'fixed amplitudes, paired' if fixed else 'Gaussian'}, {config.steps} steps: P over HMcode2020")
    print("omega_m sigma_8 " + " ".join(f"{name:>8}" for name in BANDS))
    for cosmology, row in zip(cosmologies, table_rows, strict=True):
        print(f"{cosmology.omega_m:7.3f} {cosmology.sigma_8:7.3f} " + " ".join(f"{value:8.3f}" for value in row))
    for name, row in (("mean", table_rows.mean(0)), ("lowest", table_rows.min(0)), ("highest", table_rows.max(0))):
        print(f"{name:>15} " + " ".join(f"{value:8.3f}" for value in row))
    return table_rows


def test_power_is_that_of_hmcode_over_twenty_cosmologies():
    rows = accuracy(SIMULATION, fixed=True)
    for (name, (_, _, bound)), column in zip(BANDS.items(), rows.T, strict=True):
        if bound is not None:
            assert abs(column.mean() - 1) < bound, name
            assert np.abs(column - 1).max() < 3 * bound, name


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
