"""Speed of mass assignment beside Pylians' MASL, and memory of the ingest of a snapshot in several files.

    TENFOLD_PEERS=/tmp/peers pytest tests/benchmarks/test_painting.py -s
    TENFOLD_PARTICLES=512 pytest tests/benchmarks/test_painting.py -s -k memory

TENFOLD_PEERS is a folder in which Pylians is installed: see test_statistics.py. Times are CPU seconds on one thread,
the fastest of interleaved rounds. TENFOLD_PARTICLES is the number of particles per side of the snapshot (256 by
default); 512 needs 1.7 GB of disk.
"""

import gc
import importlib
import os
import resource
import subprocess
import sys
import time
import warnings

import h5py
import numpy as np
import pytest

from tenfold.stats.painting import WINDOW_ORDER, add_particles, paint

pytestmark = pytest.mark.benchmark

SIDE, MESH = 256, 256
INGEST = """
import resource, sys
from tenfold.pipelines import Ingest, ingest_volumes
config = Ingest(mesh=int(sys.argv[2]), assignment="cic", length_unit="kpc/h", processes=1, parameters=("omega_m",))
config = __import__("dataclasses").replace(config, fractions=(1.0, 0.0, 0.0))
print(ingest_volumes([sys.argv[1]], sys.argv[1] + "-data", config))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def lattice(side, first, last):
    """Particles of planes first ≤ x < last of a distorted lattice in the order of a simulation, in units of the box."""
    planes = np.stack(np.meshgrid(np.arange(first, last), np.arange(side), np.arange(side), indexing="ij"), -1)
    positions = planes.reshape(-1, 3).astype(np.float32)
    positions += np.random.default_rng(first).normal(0, 1.5, positions.shape).astype(np.float32)
    return (positions / np.float32(side)) % np.float32(1)


@pytest.fixture(scope="module")
def masl():
    """Pylians' mass assignment, or None."""
    folder = os.environ.get("TENFOLD_PEERS", "")
    if folder:
        sys.path.append(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield importlib.import_module("MAS_library")
        except (ImportError, ValueError) as error:
            print(f"\nwithout Pylians: {error}")
            yield None
    if folder:
        sys.path.remove(folder)


@pytest.mark.parametrize("order", ["ordered", "shuffled"])
@pytest.mark.parametrize("assignment", WINDOW_ORDER)
def test_particles_a_cpu_second(assignment, order, masl):
    positions = np.concatenate([lattice(SIDE, x, x + 16) for x in range(0, SIDE, 16)])
    if order == "shuffled":
        np.random.default_rng(0).shuffle(positions)
    mesh = np.zeros((MESH,) * 3, np.float32)
    methods = {"tenfold": lambda: add_particles(mesh, positions, assignment)}
    if masl:
        methods["Pylians"] = lambda: masl.MA(positions, mesh, 1.0, assignment.upper(), verbose=False)
    assert methods["tenfold"]() == 0
    assert mesh.sum(dtype=np.float64) == pytest.approx(SIDE**3, rel=1e-6)
    best = dict.fromkeys(methods, np.inf)
    for _ in range(4):
        for name, method in methods.items():
            mesh.fill(0)
            gc.collect()
            start = time.process_time()
            method()
            best[name] = min(best[name], time.process_time() - start)
    rates = ", ".join(f"{name} {SIDE**3 / seconds / 1e6:.1f}" for name, seconds in best.items())
    print(f"\n{assignment}, {order}: {rates} million particles a CPU second")
    if masl:
        print(f"{best['Pylians'] / best['tenfold']:.2f} times the speed of Pylians")
        mine = paint(positions, MESH, assignment)
        if assignment != "ngp":  # Pylians' cells are centred on mesh points
            np.testing.assert_allclose(mine, mesh, atol=2e-3)


def test_memory_of_the_ingest_of_a_snapshot(tmp_path):
    side = int(os.environ.get("TENFOLD_PARTICLES", "256"))
    files, box = 8, 1e6
    (tmp_path / "snapshot").mkdir()
    for number in range(files):
        planes = range(side * number // files, side * (number + 1) // files)
        with h5py.File(tmp_path / "snapshot" / f"snap_004.{number}.hdf5", "w") as file:
            shape = (len(planes) * side**2, 3)
            positions = file.create_dataset("PartType1/Coordinates", shape, np.float32)
            for n, x in enumerate(planes):
                positions[n * side**2 : (n + 1) * side**2] = lattice(side, x, x + 1) * np.float32(box)
            types = np.array([0, 1, 0, 0, 0, 0])
            file.create_group("Header").attrs.update(
                {
                    "NumPart_ThisFile": (types * shape[0]).astype(np.uint32),
                    "NumPart_Total": (types * side**3).astype(np.uint32),
                    "NumPart_Total_HighWord": np.zeros(6, np.uint32),
                    "MassTable": types * 1.0,
                    "NumFilesPerSnapshot": files,
                    "BoxSize": box,
                    "Redshift": 0.0,
                    "Time": 1.0,
                    "Omega0": 0.3175,
                    "OmegaLambda": 0.6825,
                    "HubbleParam": 0.6711,
                }
            )
    size = sum(file.stat().st_size for file in (tmp_path / "snapshot").iterdir())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", INGEST, str(tmp_path / "snapshot"), str(side)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    gib = max(map(int, output.split()[-2:])) / 2**20
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"\n{output}{side}³ particles, {size / 2**30:.2f} GiB in {files} files, on {side}³ cells")
    print(f"peak memory {gib:.2f} GiB, {cpu:.1f} CPU seconds")
    assert gib < 4
