"""Peak memory of each process that ingests a grid of 1024³ cells (4 GiB of float32), in a sparse file.

Run: pytest tests/benchmarks/test_memory_of_ingest.py -s
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.benchmark

SIDE = 1024
GIB = 2**30
INGEST = """
import resource, sys
from tenfold.pipelines import Ingest, ingest_volumes
config = Ingest(
    patches_per_side=int(sys.argv[3]), compression="blosc-lz4", processes=1, box_mpc_h=1000.0,
    fractions=(1.0, 0.0, 0.0), largest_deviation=1e30, table=sys.argv[4], parameters=("omega_m",),
)
print(ingest_volumes([sys.argv[1]], sys.argv[2], config))
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    print("peak", resource.getrusage(who).ru_maxrss * 1024)
"""


def write_sparse_grid(path: Path) -> Path:
    """Write an NPY file that is a hole but for one cell in each plane."""
    grid = np.lib.format.open_memmap(path, "w+", np.float32, (SIDE, SIDE, SIDE))
    for plane in range(SIDE):
        grid[plane, plane, plane] = 1.0
    grid.flush()
    assert path.stat().st_size > 4 * GIB
    assert path.stat().st_blocks * 512 < GIB / 4, "this file system has no sparse files"
    return path


@pytest.mark.parametrize("patches_per_side", [2, 8])
def test_a_grid_of_4_gib_is_ingested_in_less(tmp_path, patches_per_side):
    grid = write_sparse_grid(tmp_path / "grid.npy")
    table = tmp_path / "parameters.csv"
    table.write_text("file,omega_m,sigma_8\ngrid.npy,0.3,0.8\n")
    start = time.monotonic()
    command = [sys.executable, "-c", INGEST, grid, tmp_path / "data", str(patches_per_side), table]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    peaks = [int(peak) / GIB for peak in re.findall(r"peak (\d+)", done.stdout)]
    seconds = time.monotonic() - start
    print(
        f"\n{SIDE}³ in {patches_per_side**3} parts: {seconds:.0f} s, peak {peaks[0]:.2f} GiB, its child {peaks[1]:.2f}"
    )
    assert max(peaks) < 4
